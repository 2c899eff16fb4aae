"""Deadlines as pages say them: in words first, in colour besides."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from overrides.models import Review

URGENT, SOON = 0.8, 0.5
"""Shares of the time after which a review's owner is told, too."""
SIZES = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline: when, in words how soon, and how urgent."""

    at: datetime
    words: str
    tone: str


def due_of(review: Review, now: datetime | None = None) -> Due:
    """Of one review, by how much of its time has run."""
    now = now or timezone.now()
    left, whole = review.deadline_at - now, review.deadline_at - review.opened_at
    share = 1 - left / whole if whole else 1.0
    if left <= timedelta(0):
        return Due(review.deadline_at, f"overdue by {length(-left)}", "bad")
    if share >= URGENT:
        return Due(review.deadline_at, f"urgent, due in {length(left)}", "bad")
    if share >= SOON:
        return Due(review.deadline_at, f"soon, due in {length(left)}", "warn")
    return Due(review.deadline_at, f"due in {length(left)}", "ok")


def next_due(at: datetime | None, now: datetime | None = None) -> Due | None:
    """Of the deadline that comes next among many: urgent within a quarter of an hour."""
    if at is None:
        return None
    left = at - (now or timezone.now())
    if left <= timedelta(0):
        return Due(at, f"overdue by {length(-left)}", "bad")
    tone = "bad" if left < timedelta(minutes=15) else "warn" if left < timedelta(hours=1) else "ok"
    return Due(at, f"{'urgent, ' if tone == 'bad' else ''}in {length(left)}", tone)


def length(span: timedelta) -> str:
    """A length of time in one unit, two where the first is small: `2 h 5 min`, `40 s`."""
    for index, (size, word) in enumerate(SIZES):
        if span >= size:
            number, rest = divmod(span, size)
            smaller = SIZES[index + 1] if index + 1 < len(SIZES) and number < 10 else None
            more = rest // smaller[0] if smaller else 0
            return f"{number} {word} {more} {smaller[1]}" if smaller and more else f"{number} {word}"
    return f"{int(span.total_seconds())} s"

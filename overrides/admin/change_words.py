"""What a change of a rule or of a queue would make of it, as people say it."""

from collections.abc import Iterator
from typing import Any

from governance.models import Person
from overrides.conditions import condition_in_words
from overrides.models import OnTimeout, ReviewQueue, RuleChange

NAMES = {
    "blind_share": "share that is blind all the same",
    "condition": "what it asks for",
    "deadline_s": "deadline",
    "dwell_floor_s": "hardly a look under",
    "is_blind": "blind",
    "is_default": "takes what is held without a rule",
    "lease_s": "a claim lasts",
    "on_timeout": "when nobody decides in time",
    "order": "place among the rules",
    "owner_id": "owner",
    "queue_id": "queue",
    "required_skill": "skill asked for",
    "reviews_required": "reviewers",
}
"""Of columns whose own name says less."""
EMPTY = {"capacity": "no limit", "environment": "every one"}
SIZES = ((3600, "hour"), (60, "minute"), (1, "second"))


def changes_in_words(row: RuleChange) -> Iterator[str]:
    """Each column that would change; while it waits, beside what it says now."""
    stands = row.rule or row.queue
    waits = row.status == RuleChange.Status.REQUESTED
    for name, value in row.changes.items():
        if name == "archived":
            yield "archived"
            continue
        was = f" (was {column_in_words(name, getattr(stands, name))})" if stands and waits else ""
        yield f"{NAMES.get(name, name.replace('_', ' '))}: {column_in_words(name, value)}{was}"


def length_in_words(seconds: int) -> str:
    """In the largest unit that leaves no rest: `90 minutes`."""
    size, word = next((size, word) for size, word in SIZES if seconds % size == 0)
    number = seconds // size
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def column_in_words(name: str, value: Any) -> str:
    match name:
        case "condition":
            return condition_in_words(value)
        case "queue_id":
            return ReviewQueue.objects.get(pk=value).slug
        case "owner_id":
            return str(Person.objects.filter(pk=value).first() or "a former member of staff")
        case "on_timeout" | "when_full":
            return str((OnTimeout if name == "on_timeout" else ReviewQueue.WhenFull)(value).label)
    if value in (None, ""):
        return EMPTY.get(name, "none")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "blind_share":
        return f"{value * 100:g} in 100"
    return length_in_words(value) if name.endswith("_s") else str(value)

"""The changes of a switch over time: as a table, and as a small picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.utils import timezone

from console.switchboard import words
from console.switchboard.answers import Times
from console.switchboard.names import Who
from overrides.models import Switch, SwitchChange
from overrides.standing import Mode
from overrides.switch_selectors import seconds_between

PICTURED = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """One change in the table."""

    change: SwitchChange
    by: str
    reason: str
    way: str
    before: words.ModeWords
    after: words.ModeWords
    status: str
    tone: str
    expected: int
    took: float | None
    """Until the last of all expected clients had applied it."""


def lines_of(changes: Sequence[SwitchChange], names: Mapping[Who, str]) -> list[ChangeLine]:
    """The table's rows."""
    return [_line(each, names) for each in changes]


def _line(change: SwitchChange, names: Mapping[Who, str]) -> ChangeLine:
    expected = sum(len(each) for each in change.expected.values())
    status, tone = words.STATUS[change.status] if expected else words.NOBODY
    return ChangeLine(
        change=change,
        by=names.get((change.actor_type, change.actor_id), "somebody"),
        reason=words.reason(change.reason_code),
        way=words.WAYS.get(change.source, change.source),
        before=words.MODES[Mode(change.from_mode)],
        after=words.MODES[Mode(change.to_mode)],
        status=status,
        tone=tone,
        expected=expected,
        took=seconds_between(change.requested_at, change.confirmed_at),
    )


def times_to_all(lines: Sequence[ChangeLine]) -> Times:
    """How long it took until everybody had applied a change, over those that everybody confirmed."""
    return Times([each.took for each in lines if each.took is not None])


@dataclass(frozen=True, slots=True)
class Span:
    """A time in one mode, in a box of 100 by 20: the stricter, the higher."""

    mode: str
    left: float
    width: float
    height: float

    @property
    def top(self) -> float:
        return 20 - self.height


@dataclass(frozen=True, slots=True)
class Picture:
    """The modes since the first change that is shown."""

    since: datetime
    spans: list[Span]


def picture_of(switch: Switch, changes: Sequence[SwitchChange]) -> Picture | None:
    """None where there is nothing to draw yet."""
    shown = sorted(changes[:PICTURED], key=lambda each: each.requested_at)
    if not shown:
        return None
    since, now = shown[0].requested_at, timezone.now()
    length = max((now - since).total_seconds(), 1.0)
    moments = [*((each.requested_at, Mode(each.to_mode)) for each in shown), (now, Mode(switch.mode))]
    spans = [
        _span(mode, (at - since).total_seconds(), (end - at).total_seconds(), length)
        for (at, mode), (end, _) in pairwise(moments)
    ]
    return Picture(since, spans)


def _span(mode: Mode, begin: float, seconds: float, length: float) -> Span:
    return Span(
        mode.value, round(100 * begin / length, 3), round(max(100 * seconds / length, 0.4), 3), 5 + 5 * mode.severity
    )

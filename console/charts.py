"""A stacked bar chart as geometry for a template: SVG, so nothing is asked of the content security policy.

Bars are drawn in a box that stretches with the page; words and lines stand around it as HTML, so that they keep their
size on a phone and beside a column.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, Sum
from django.utils import timezone

from audit.models import DecisionTally

TALL = 100
BAR = 0.8
SERIES = 5
OTHERS = "other outcomes"
LAST_LABEL = 0.96
"""Further right than this a label would stand out of its panel on a phone."""


@dataclass(frozen=True, slots=True)
class Span:
    """How far back a chart looks, and how finely."""

    words: str
    step: timedelta
    bars: int
    label_minutes: int

    def start(self, now: datetime) -> datetime:
        minutes = int(self.step.total_seconds() // 60)
        begun = now.replace(minute=now.minute - now.minute % minutes, second=0, microsecond=0)
        return begun + self.step - self.step * self.bars


SPANS = (
    Span("last hour", timedelta(minutes=1), 60, 10),
    Span("last 6 hours", timedelta(minutes=5), 72, 60),
    Span("last 24 hours", timedelta(minutes=15), 96, 240),
)


@dataclass(frozen=True, slots=True)
class Box:
    """One rectangle: a series in one step of time."""

    series: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at an axis, at a share of its length."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Decisions by outcome over the last 24 hours, or over less where all of them are younger."""

    names: list[tuple[str, int]]
    boxes: list[Box]
    lines: list[Mark]
    hours: list[Mark]
    highest: int
    span: Span

    @property
    def viewbox(self) -> str:
        return f"0 0 {self.span.bars} {TALL}"

    @property
    def step_minutes(self) -> int:
        return int(self.span.step.total_seconds() // 60)


def decisions_by_outcome(visible: Q, now: datetime | None = None) -> Chart:
    """One query, over tallies."""
    end = now or timezone.now()
    counted = _counted(visible, SPANS[-1].start(end))
    span = _span(counted, end)
    start = span.start(end)
    columns, totals = _columns(counted, start, span.step)
    names = [name for name, _ in totals.most_common(SERIES)]
    if len(totals) > SERIES:
        names.append(OTHERS)
    highest = _round_up(max((sum(column.values()) for column in columns.values()), default=0))
    boxes = [box for bar, column in columns.items() for box in _stack(bar, column, names, highest)]
    shown = [(name, totals[name] if name != OTHERS else _others(totals)) for name in names]
    return Chart(shown, boxes, _lines(highest), _hours(start, span), highest, span)


def _counted(visible: Q, start: datetime) -> list[tuple[datetime, str, int]]:
    counted = DecisionTally.objects.filter(visible, minute__gte=start).values_list("minute", "outcome")
    return list(counted.annotate(Sum("count")))


def _span(counted: list[tuple[datetime, str, int]], now: datetime) -> Span:
    """The shortest that leaves nothing out: a new installation is not a line at the edge of an empty day."""
    oldest = min((minute for minute, _, _ in counted), default=None)
    if oldest is None:
        return SPANS[-1]
    return next(span for span in SPANS if oldest >= span.start(now))


def _columns(
    counted: list[tuple[datetime, str, int]], start: datetime, step: timedelta
) -> tuple[dict[int, Counter[str]], Counter[str]]:
    columns: dict[int, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    for minute, outcome, count in counted:
        columns[int((minute - start) // step)][outcome] += count
        totals[outcome] += count
    return columns, totals


def _others(totals: Counter[str]) -> int:
    return sum(count for _, count in totals.most_common()[SERIES:])


def _stack(bar: int, column: Counter[str], names: list[str], highest: int) -> list[Box]:
    boxes, base = [], float(TALL)
    for series, name in enumerate(names):
        count = column[name] if name != OTHERS else sum(n for key, n in column.items() if key not in names)
        tall = count / highest * TALL
        base -= tall
        if count:
            boxes.append(Box(series, bar + (1 - BAR) / 2, round(base, 2), BAR, round(tall, 2)))
    return boxes


def _lines(highest: int) -> list[Mark]:
    return [Mark(f"{highest * part // 2:,}", part / 2) for part in (0, 1, 2)]


def _hours(start: datetime, span: Span) -> list[Mark]:
    """Round times of day, in the viewer's zone."""
    moments = ((bar / span.bars, timezone.localtime(start + span.step * bar)) for bar in range(span.bars))
    return [
        Mark(f"{at:%H:%M}", share)
        for share, at in moments
        if (at.hour * 60 + at.minute) % span.label_minutes == 0 and share <= LAST_LABEL
    ]


def _round_up(value: int) -> int:
    """To 2, 4, 6, 8, 10, 20, 40 …: an even number, so that the middle line is whole."""
    size = 1
    while True:
        for step in (2, 4, 6, 8, 10):
            if step * size >= value:
                return step * size
        size *= 10

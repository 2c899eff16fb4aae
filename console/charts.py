"""A stacked bar chart as geometry for a template: SVG, so nothing is asked of the content security policy."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, Sum
from django.utils import timezone

from audit.models import DecisionTally

WIDTH, HEIGHT, LEFT, BOTTOM = 960, 220, 44, 22
BARS = 96
STEP = timedelta(minutes=15)
SERIES = 5
OTHERS = "other outcomes"


@dataclass(frozen=True, slots=True)
class Box:
    """One rectangle: a series in one quarter of an hour."""

    series: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at an axis."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Decisions by outcome over the last 24 hours."""

    names: list[tuple[str, int]]
    boxes: list[Box]
    lines: list[Mark]
    hours: list[Mark]
    highest: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT

    @property
    def floor(self) -> int:
        return HEIGHT - BOTTOM


def decisions_by_outcome(visible: Q, now: datetime | None = None) -> Chart:
    """Two queries at most, over tallies."""
    end = _quarter(now or timezone.now()) + STEP
    start = end - STEP * BARS
    columns, totals = _columns(visible, start)
    names = [name for name, _ in totals.most_common(SERIES)]
    if len(totals) > SERIES:
        names.append(OTHERS)
    highest = _round_up(max((sum(column.values()) for column in columns.values()), default=0))
    boxes = [box for bar, column in columns.items() for box in _stack(bar, column, names, highest)]
    shown = [(name, totals[name] if name != OTHERS else _others(totals)) for name in names]
    return Chart(shown, boxes, _lines(highest), _hours(start), highest)


def _columns(visible: Q, start: datetime) -> tuple[dict[int, Counter[str]], Counter[str]]:
    columns: dict[int, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    counted = DecisionTally.objects.filter(visible, minute__gte=start).values_list("minute", "outcome")
    for minute, outcome, count in counted.annotate(Sum("count")):
        columns[int((minute - start) // STEP)][outcome] += count
        totals[outcome] += count
    return columns, totals


def _others(totals: Counter[str]) -> int:
    return sum(count for _, count in totals.most_common()[SERIES:])


def _stack(bar: int, column: Counter[str], names: list[str], highest: int) -> list[Box]:
    wide = (WIDTH - LEFT) / BARS
    boxes, base = [], float(HEIGHT - BOTTOM)
    for series, name in enumerate(names):
        count = column[name] if name != OTHERS else sum(n for key, n in column.items() if key not in names)
        tall = count / highest * (HEIGHT - BOTTOM - 8)
        base -= tall
        if count:
            boxes.append(Box(series, round(LEFT + bar * wide, 1), round(base, 1), round(wide - 1.5, 1), round(tall, 1)))
    return boxes


def _lines(highest: int) -> list[Mark]:
    scale = HEIGHT - BOTTOM - 8
    return [Mark(f"{highest * part // 2:,}", HEIGHT - BOTTOM - scale * part / 2) for part in (0, 1, 2)]


def _hours(start: datetime) -> list[Mark]:
    """Every fourth whole hour, in the viewer's zone."""
    wide = (WIDTH - LEFT) / BARS
    moments = ((bar, timezone.localtime(start + STEP * bar)) for bar in range(BARS))
    return [Mark(f"{at:%H:%M}", LEFT + bar * wide) for bar, at in moments if at.minute == 0 and at.hour % 4 == 0]


def _round_up(value: int) -> int:
    """To 2, 4, 6, 8, 10, 20, 40 …: an even number, so that the middle line is whole."""
    size = 1
    while True:
        for step in (2, 4, 6, 8, 10):
            if step * size >= value:
                return step * size
        size *= 10


def _quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)

"""The values of a parameter over time as a step line: geometry for a template, as `console.charts` makes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from overrides.models import Parameter, ParameterVersion
from overrides.parameter_values import Type, in_words
from overrides.parameters import value_of

SHORTEST = timedelta(seconds=1)
LABELS = 4
MARGIN = 0.1
FORMS = ((timedelta(minutes=10), "%H:%M:%S"), (timedelta(days=2), "%H:%M"), (timedelta.max, "%d %b"))
NUMERIC = frozenset({Type.INTEGER, Type.NUMBER, Type.BOOLEAN})


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at a share of an axis, as CSS writes it."""

    text: str
    at: str
    is_bound: bool = False


@dataclass(frozen=True, slots=True)
class StepLine:
    """A line through a box of 100 by 100, and what stands beside it."""

    path: str
    lines: list[Mark]
    moments: list[Mark]
    words: str


def step_line(parameter: Parameter, versions: Sequence[ParameterVersion], now: datetime) -> StepLine | None:
    """What held when, up to now; None for texts, which have no height."""
    begun = [each for each in versions if each.in_force_at is not None and not each.retires]
    if parameter.type not in NUMERIC or not begun:
        return None
    steps = _steps(parameter, begun, now)
    low, high = _range(parameter, [float(value) for _, value in steps])
    start = steps[0][0] if steps[0][0] < now else now - SHORTEST
    return StepLine(
        path=_path(steps, start, now, low, high),
        lines=_lines(parameter, low, high),
        moments=_moments(start, now),
        words=f"{len(steps)} step{'s' if len(steps) > 1 else ''}, now {in_words(steps[-1][1])}",
    )


def bound_share(parameter: Parameter, value: object) -> str | None:
    """Where a value stands between its bounds, as CSS writes it; None without both."""
    low, high = parameter.minimum, parameter.maximum
    if low is None or high is None or not isinstance(value, int | float) or low == high:
        return None
    return _share((float(value) - low) / (high - low))


def _steps(
    parameter: Parameter, versions: Sequence[ParameterVersion], now: datetime
) -> list[tuple[datetime, int | float]]:
    """When the value changed, and to what. A value with an end lies on top of the lasting one."""
    moments = {each.in_force_at for each in versions} | {_end(each) for each in versions}
    found: list[tuple[datetime, int | float]] = []
    for at in sorted(each for each in moments if each is not None and each <= now):
        held = [each for each in versions if _holds(each, at)]
        if held:
            value = value_of(max(held, key=lambda each: (each.expires_at is not None, each.number)), parameter.type)
            if isinstance(value, int | float) and (not found or found[-1][1] != value):
                found.append((at, value))
    return found


def _holds(version: ParameterVersion, at: datetime) -> bool:
    end = _end(version)
    return version.in_force_at is not None and version.in_force_at <= at and (end is None or at < end)


def _end(version: ParameterVersion) -> datetime | None:
    return min((each for each in (version.ended_at, version.expires_at) if each is not None), default=None)


def _range(parameter: Parameter, values: list[float]) -> tuple[float, float]:
    if parameter.type == Type.BOOLEAN:
        return 0.0, 1.0
    low = min(values) if parameter.minimum is None else float(parameter.minimum)
    high = max(values) if parameter.maximum is None else float(parameter.maximum)
    spare = (high - low) * MARGIN or 1.0
    return (
        low - spare if parameter.minimum is None else low,
        high + spare if parameter.maximum is None or high == low else high,
    )


def _path(steps: list[tuple[datetime, int | float]], start: datetime, now: datetime, low: float, high: float) -> str:
    drawn = ""
    for at, value in steps:
        x, y = 100 * ((at - start) / (now - start)), 100 - 100 * (float(value) - low) / (high - low)
        drawn += f"H{x:.2f}V{y:.2f}" if drawn else f"M{x:.2f} {y:.2f}"
    return f"{drawn}H100"


def _lines(parameter: Parameter, low: float, high: float) -> list[Mark]:
    if parameter.type == Type.BOOLEAN:
        return [Mark("off", _share(0)), Mark("on", _share(1))]
    given = {each for each in (parameter.minimum, parameter.maximum) if each is not None}
    marks = [Mark(_figure(float(bound)), _share((float(bound) - low) / (high - low)), True) for bound in given]
    middle = (low + high) / 2
    return [*marks, Mark(_figure(middle), _share(0.5))]


def _moments(start: datetime, now: datetime) -> list[Mark]:
    """Evenly, in the viewer's zone: days where it is about days."""
    form = next(form for longest, form in FORMS if now - start <= longest)
    shares = [number / LABELS for number in range(LABELS)]
    return [Mark(f"{timezone.localtime(start + (now - start) * share):{form}}", _share(share)) for share in shares]


def _figure(value: float) -> str:
    return f"{value:,.6g}" if abs(value) < 10**9 else f"{value:.3g}"


def _share(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"

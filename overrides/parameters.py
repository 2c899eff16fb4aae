"""Parameters as memory holds them."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby

from django.utils import timezone

from overrides.models.parameters import Parameter, ParameterVersion
from overrides.parameter_values import Course, Value, typed
from overrides.standing import ParameterState


def read_parameters() -> Mapping[tuple[uuid.UUID, str], tuple[ParameterState, ...]]:
    """Every value in force, by AI system and environment (empty: every environment), in one query."""
    rows = ParameterVersion.objects.filter(
        status=ParameterVersion.Status.IN_FORCE, parameter__retired_at=None
    ).select_related("parameter")
    found: dict[tuple[uuid.UUID, str], list[ParameterState]] = {}
    now = timezone.now()
    for parameter, versions in groupby(rows.order_by("parameter__name", "parameter_id"), lambda row: row.parameter):
        found.setdefault((parameter.system_id, parameter.environment), []).append(_state(parameter, versions, now))
    return {place: tuple(states) for place, states in found.items()}


def value_of(version: ParameterVersion, kind: str) -> Value:
    """A version's value in its type: jsonb knows no doubles, and gives a whole one back as an integer."""
    return typed(kind, version.value)


def standing(parameter: Parameter, now: datetime) -> tuple[ParameterVersion, ParameterVersion]:
    """The version that holds now, and the lasting one beneath it: the same one where no value with an end holds."""
    return standing_of(parameter.versions.filter(status=ParameterVersion.Status.IN_FORCE), now)


def course_of(parameter: Parameter, held: ParameterVersion, lasting: ParameterVersion) -> Course:
    """What holds from now on if nobody does anything."""
    after = value_of(lasting, parameter.type)
    if held == lasting:
        return Course(after)
    return Course(after, value_of(held, parameter.type), held.expires_at)


def standing_of(rows: Iterable[ParameterVersion], now: datetime) -> tuple[ParameterVersion, ParameterVersion]:
    """`standing`, of the versions in force that somebody has read already."""
    versions = list(rows)
    lasting = next(each for each in versions if each.expires_at is None)
    passing = (each for each in versions if each.expires_at is not None and each.expires_at > now)
    return next(passing, lasting), lasting


def _state(parameter: Parameter, versions: Iterable[ParameterVersion], now: datetime) -> ParameterState:
    held, lasting = standing_of(versions, now)
    return ParameterState(
        id=parameter.pk,
        name=parameter.name,
        type=parameter.type,
        value=value_of(held, parameter.type),
        version=held.number,
        expires_at=held.expires_at,
        value_after=None if held == lasting else value_of(lasting, parameter.type),
    )

"""Parameters: defining them, changing what they say, ending them."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.errors import EnvironmentNotFound, PersonNeeded
from governance.models import AISystem
from governance.scopes import Scope
from governance.services.systems import locked_system
from ledger.entries import Actor
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log
from notices.approvals import ask_approvers
from notices.outbox import announce
from overrides.models import Parameter, ParameterVersion
from overrides.parameter_errors import ParameterChanged, ParameterExists
from overrides.parameter_kinds import PARAMETER_DEFINED, PARAMETER_PROPOSED
from overrides.parameter_values import (
    Course,
    Definition,
    NotAValue,
    Value,
    needs_two,
    problems_of,
    typed,
)
from overrides.parameters import course_of, standing
from overrides.services.parameter_writing import (
    locked_for_changing,
    locked_parameter,
    next_number,
    put_in_force,
    write_version,
)

Status = ParameterVersion.Status
DEFINED = "defined"
REQUEST_LIFE = timedelta(days=3)
LONGEST_LIFE = timedelta(days=366)
DESCRIBED = frozenset({"minimum", "maximum", "allowed", "max_length", "unit", "safe_value", "description"})


def define_parameter(
    *,
    actor: Actor,
    system_id: uuid.UUID,
    name: str,
    value_type: str,
    default: Value,
    safe_direction: str,
    environment: str = "",
    **described: Any,
) -> Parameter:
    """Give an AI system something to set while it runs. `default` is in force at once, as version 1.

    `environment`: empty for every one. `described`: columns named in `DESCRIBED`. The same name in the same place, or
    in every environment and in single ones, is refused: a new definition would be a way round the second person.
    Errors: `Forbidden`, `SystemNotFound`, `EnvironmentNotFound`, `ParameterExists`, `InvalidInput`, `ValidationError`
    of columns.
    """
    rights.require(actor, Act.PARAMETER_DEFINE, Scope.system(system_id))
    if described.keys() - DESCRIBED:
        raise TypeError(f"not columns of a parameter: {sorted(described.keys() - DESCRIBED)}")
    parameter = Parameter(
        environment=environment,
        name=name,
        type=value_type,
        safe_direction=safe_direction,
        default=default,
        **described,
    )
    _refuse(list(problems_of(parameter.definition, default)))
    _normalise(parameter)
    with sealing() as seal:
        parameter.system = locked_system(system_id)
        _refuse_taken(parameter)
        _write_definition(seal, actor, parameter)
    return parameter


def change_parameter(
    *,
    actor: Actor,
    parameter_id: uuid.UUID,
    value: object,
    reason_code: str,
    expires_at: datetime | None = None,
    note: str = "",
    on_top_of: int | None = None,
) -> ParameterVersion:
    """Set a parameter. Returns the version: `in_force` at once, or `proposed` until another person agrees.

    One person is enough when at no moment to come the value would be less safe than what would hold without this
    change (`overrides.parameter_values.needs_two`). So a passing step towards safety takes one person: what its lapse
    returns to, the last value without an end, was agreed on when it was set. A passing step away from safety takes two
    now, and none at its lapse.

    `expires_at`: when the value lapses, within a year. `on_top_of`: the number of the version that the caller saw; if
    another one holds, nothing is changed. What holds already is returned as it is. A key may set what one person may,
    in its own environment. Errors: `Forbidden`, `PersonNeeded` of a key, `ParameterNotFound`, `ParameterRetired`,
    `ParameterChanged`, `InvalidInput`.
    """
    now = timezone.now()
    with sealing() as seal:
        parameter = locked_for_changing(parameter_id, lambda scope: _require_either(actor, scope))
        _require_person_for_all(actor, parameter)
        wanted = _checked(parameter, value, expires_at, now)
        step = _step(parameter, wanted, expires_at, now)
        if on_top_of is not None and on_top_of != step.held.number:
            raise ParameterChanged()
        if step.before == step.after:
            return step.held
        two = needs_two(parameter.definition, before=step.before, after=step.after, now=now)
        rights.require(actor, Act.PARAMETER_LOOSEN if two else Act.PARAMETER_TIGHTEN, Scope.system(parameter.system_id))
        version = new_version(
            parameter,
            actor=actor,
            at=now,
            value=wanted,
            expires_at=expires_at,
            reason_code=reason_code,
            note=note,
        )
        if two:
            propose(seal, actor=actor, version=version, held=step.held, at=now)
        else:
            put_in_force(seal, actor=actor, version=version, at=now)
    return version


def ask_to_retire_parameter(
    *, actor: Actor, parameter_id: uuid.UUID, reason_code: str, note: str = ""
) -> ParameterVersion:
    """Ask that a parameter is not given out any more. Always takes another person: what holds then is whatever
    callers have in their code. Errors: `Forbidden`, `ParameterNotFound`, `ParameterRetired`."""
    now = timezone.now()
    with sealing() as seal:
        parameter = locked_parameter(actor, parameter_id, Act.PARAMETER_DEFINE)
        held, _ = standing(parameter, now)
        version = new_version(parameter, actor=actor, at=now, retires=True, reason_code=reason_code, note=note)
        propose(seal, actor=actor, version=version, held=held, at=now)
    return version


@dataclass(frozen=True, slots=True)
class Step:
    """A change that somebody is about to make."""

    held: ParameterVersion
    before: Course
    after: Course


def takes_two(
    *, parameter: Parameter, value: object, expires_at: datetime | None = None, now: datetime | None = None
) -> bool | None:
    """Whether setting this takes two people; None where it changes nothing. For pages that say so before anybody
    presses. Errors: `InvalidInput`."""
    now = now or timezone.now()
    wanted = _checked(parameter, value, expires_at, now)
    step = _step(parameter, wanted, expires_at, now)
    if step.before == step.after:
        return None
    return needs_two(parameter.definition, before=step.before, after=step.after, now=now)


def new_version(parameter: Parameter, *, actor: Actor, at: datetime, **columns: Any) -> ParameterVersion:
    """The next version, as somebody asks for it; not stored yet. Under the parameter's lock."""
    return ParameterVersion(
        parameter=parameter,
        number=next_number(parameter),
        requested_by_type=actor.type,
        requested_by_id=actor.id,
        requested_at=at,
        **columns,
    )


def propose(seal: Seal, *, actor: Actor, version: ParameterVersion, held: ParameterVersion, at: datetime) -> None:
    """Let a version wait for a second person, on top of the one that holds now."""
    version.status, version.against = Status.PROPOSED, held.number
    version.request_expires_at = at + REQUEST_LIFE
    write_version(seal, actor=actor, kind=PARAMETER_PROPOSED, version=version, at=at)
    announce(
        event="parameter.proposed",
        system_id=version.parameter.system_id,
        about_id=version.pk,
        facts={"name": version.parameter.name, "version": version.number},
    )
    ask_approvers(
        act=Act.PARAMETER_LOOSEN,
        scope=Scope.system(version.parameter.system_id),
        requested_by=version.requested_by_id,
        kind="parameter.asked",
        request_id=version.pk,
    )


def _write_definition(seal: Seal, actor: Actor, parameter: Parameter) -> None:
    now = timezone.now()
    facts: Mapping[str, Any] = {
        "name": parameter.name,
        "type": parameter.type,
        "safe_direction": parameter.safe_direction,
    } | ({"environment": parameter.environment} if parameter.environment else {})
    log_id = open_log(parameter.system_id).id
    write_row(seal, actor=actor, kind=PARAMETER_DEFINED, row=parameter, log_id=log_id, facts=dict(facts), at=now)
    first = new_version(parameter, actor=actor, at=now, value=parameter.default, reason_code=DEFINED)
    put_in_force(seal, actor=actor, version=first, at=now)


def _normalise(parameter: Parameter) -> None:
    """Each value in its type: 5 as a number is 5.0."""
    for name in ("minimum", "maximum", "safe_value", "default"):
        if (given := getattr(parameter, name)) is not None:
            setattr(parameter, name, typed(parameter.type, given))
    parameter.allowed = [typed(parameter.type, each) for each in parameter.allowed]


def _refuse_taken(parameter: Parameter) -> None:
    """Under the system's lock, so that of two at once the second finds the first."""
    if parameter.environment and not _runs_in(parameter.system, parameter.environment):
        raise EnvironmentNotFound("The AI system does not run in that environment.")
    same = Parameter.objects.filter(system=parameter.system, name=parameter.name, retired_at=None)
    if parameter.environment:
        same = same.filter(environment__in=["", parameter.environment])
    if same.exists():
        raise ParameterExists()


def _runs_in(system: AISystem, environment: str) -> bool:
    return system.environments.filter(slug=environment, ended_at=None).exists()


def _require_either(actor: Actor, scope: Scope) -> None:
    """Who may change nothing at all learns nothing either, not even which changes take two."""
    if not rights.can(actor, Act.PARAMETER_LOOSEN, scope):
        rights.require(actor, Act.PARAMETER_TIGHTEN, scope)


def _require_person_for_all(actor: Actor, parameter: Parameter) -> None:
    """A key is of one environment: what holds in every one is not for the key of a test to set."""
    if actor.type == "service" and not parameter.environment:
        raise PersonNeeded("This parameter holds in every environment, and a key acts in its own alone.")


def _checked(parameter: Parameter, value: object, expires_at: datetime | None, now: datetime) -> Value:
    problems = []
    if expires_at is not None and not now < expires_at <= now + LONGEST_LIFE:
        problems.append(FieldProblem(pointer="/expires_at", detail="In the future, within a year."))
    wanted = _read(parameter.definition, value, problems)
    _refuse(problems)
    return wanted


def _read(definition: Definition, value: object, problems: list[FieldProblem]) -> Value:
    try:
        return definition.read(value)
    except NotAValue as refusal:
        problems.append(FieldProblem(pointer="/value", detail=str(refusal)))
        return ""


def _step(parameter: Parameter, wanted: Value, expires_at: datetime | None, now: datetime) -> Step:
    held, lasting = standing(parameter, now)
    before = course_of(parameter, held, lasting)
    after = Course(wanted) if expires_at is None else Course(before.lasting, wanted, expires_at)
    return Step(held, before, after)


def _refuse(problems: list[FieldProblem]) -> None:
    if problems:
        raise InvalidInput(errors=problems)

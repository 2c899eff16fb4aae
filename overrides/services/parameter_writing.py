"""The inner steps of every change of a parameter, inside a service that holds the parameter's row."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from governance import rights
from governance.acts import Act
from governance.scopes import ORGANISATION, Scope
from ledger.entries import CLEAR, Actor
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal
from ledger.selectors import open_log
from notices.outbox import announce
from overrides.clock import advance_epoch
from overrides.models import Parameter, ParameterVersion
from overrides.parameter_errors import ParameterNotFound, ParameterRetired
from overrides.parameter_kinds import PARAMETER_CHANGED, PARAMETER_LAPSED, PARAMETER_SUPERSEDED, PARAMETER_VOIDED

Status = ParameterVersion.Status


def locked_parameter(actor: Actor, parameter_id: uuid.UUID, act: Act) -> Parameter:
    """The row, locked, of somebody who may. Errors: `Forbidden`, `ParameterNotFound`, `ParameterRetired`."""
    return _locked(parameter_id, lambda scope: rights.require(actor, act, scope))


def locked_for_changing(parameter_id: uuid.UUID, may: Callable[[Scope], None]) -> Parameter:
    """As `locked_parameter`, where the right that is asked for depends on more than one act."""
    return _locked(parameter_id, may)


def put_in_force(
    seal: Seal, *, actor: Actor, version: ParameterVersion, at: datetime, reason: str = "", announced: bool = True
) -> None:
    """Let a version hold from now on. What it takes the place of ends, and so does every open request."""
    epoch = advance_epoch()
    for each in _replaced_by(version):
        end(seal, actor=actor, version=each, at=at, status=_end_of(each, at))
    void_open(seal, actor=actor, parameter=version.parameter, at=at, but=version)
    version.status, version.in_force_at, version.epoch = Status.IN_FORCE, at, str(epoch)
    write_version(seal, actor=actor, kind=PARAMETER_CHANGED, version=version, at=at, reason=reason)
    if announced:
        announce_change(version)


def end(seal: Seal, *, actor: Actor, version: ParameterVersion, at: datetime, status: ParameterVersion.Status) -> None:
    """A version holds no more."""
    version.status, version.ended_at = status, at
    kind = PARAMETER_LAPSED if status == Status.EXPIRED else PARAMETER_SUPERSEDED
    write_version(seal, actor=actor, kind=kind, version=version, at=at)


def void_open(
    seal: Seal, *, actor: Actor, parameter: Parameter, at: datetime, but: ParameterVersion | None = None
) -> None:
    """Open requests were asked for on top of something that holds no more."""
    for each in parameter.versions.filter(status=Status.PROPOSED).order_by("number"):
        if each != but:
            void(seal, actor=actor, version=each, at=at)


def void(seal: Seal, *, actor: Actor, version: ParameterVersion, at: datetime) -> None:
    """A request can come into force no more."""
    version.status, version.ended_at = Status.VOID, at
    write_version(seal, actor=actor, kind=PARAMETER_VOIDED, version=version, at=at)


def write_version(
    seal: Seal, *, actor: Actor, kind: Kind, version: ParameterVersion, at: datetime, reason: str = ""
) -> None:
    """Every entry about a value says which parameter, which number, and the value where that is clear."""
    parameter = version.parameter
    said: dict[str, Any] = {
        "parameter": str(parameter.pk),
        "name": parameter.name,
        "version": version.number,
        "status": str(version.status),
        "reason_code": version.reason_code,
    }
    if parameter.environment:
        said["environment"] = parameter.environment
    if version.retires:
        said["retires"] = True
    elif is_clear(version.value):
        said["value"] = version.value
    log_id = open_log(parameter.system_id).id
    write_row(seal, actor=actor, kind=kind, row=version, log_id=log_id, facts=said, reason=reason, at=at)


def announce_change(version: ParameterVersion) -> None:
    """Tell whoever asked to be told: ids and numbers, the value is read from us."""
    parameter = version.parameter
    facts = {"name": parameter.name, "environment": parameter.environment or None, "version": version.number}
    announce(
        event="parameter.changed",
        system_id=parameter.system_id,
        about_id=parameter.pk,
        facts={name: value for name, value in facts.items() if value is not None},
    )


def next_number(parameter: Parameter) -> int:
    """Of the next version. Under the parameter's lock."""
    newest = parameter.versions.order_by("-number").values_list("number", flat=True).first()
    return (newest or 0) + 1


def is_clear(value: object) -> bool:
    """Whether a value may stand in an entry: numbers, and texts that can carry nothing personal."""
    return not isinstance(value, str) or CLEAR.fullmatch(value) is not None


def _locked(parameter_id: uuid.UUID, may: Callable[[Scope], None]) -> Parameter:
    rows = Parameter.objects.select_for_update(no_key=True, of=("self",)).select_related("system")
    parameter = rows.filter(pk=parameter_id).first()
    may(Scope.system(parameter.system_id) if parameter else ORGANISATION)
    if parameter is None:
        raise ParameterNotFound()
    if parameter.retired_at is not None:
        raise ParameterRetired()
    return parameter


def _replaced_by(version: ParameterVersion) -> list[ParameterVersion]:
    """A lasting value takes the place of all; one with an end lies on top of the lasting one."""
    held = version.parameter.versions.filter(status=Status.IN_FORCE)
    if version.expires_at is not None:
        held = held.exclude(expires_at=None)
    return list(held.order_by("number"))


def _end_of(version: ParameterVersion, at: datetime) -> ParameterVersion.Status:
    """A value whose time was over lapsed by itself, whoever seals it."""
    return Status.EXPIRED if version.expires_at is not None and version.expires_at <= at else Status.SUPERSEDED

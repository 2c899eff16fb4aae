"""Changes of parameters that wait for a second person: agreed to, refused, taken back, swept."""

import uuid
from collections.abc import Callable
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from governance import rights
from governance.acts import Act
from governance.errors import RequestVoid
from governance.scopes import ORGANISATION, Scope
from ledger.entries import SERVER, Actor
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log
from overrides.clock import advance_epoch
from overrides.models import Parameter, ParameterVersion
from overrides.parameter_errors import ParameterChanged, ParameterRequestNotFound, ParameterRequestSettled
from overrides.parameter_kinds import (
    PARAMETER_CHANGED,
    PARAMETER_REFUSED,
    PARAMETER_RETIRED,
    PARAMETER_WITHDRAWN,
)
from overrides.parameters import standing
from overrides.services.parameter_writing import (
    announce_change,
    end,
    put_in_force,
    void,
    void_open,
    write_version,
)
from overrides.services.sweeping import each_by_itself

Status = ParameterVersion.Status
Check = Callable[[ParameterVersion | None, Scope], None]
"""Whether somebody may settle this request; None where there is none."""


def approve_change(*, actor: Actor, version_id: uuid.UUID) -> ParameterVersion:
    """Agree, as the second person, to a change; it is in force at once.

    Both must have their rights now, not some day before. A request on top of a value that holds no more, or whose own
    time is over, becomes void and nothing is changed: whoever tightened meanwhile wins.
    Errors: `ApprovalForbidden`, `ParameterRequestNotFound`, `ParameterRequestSettled`, `ParameterChanged`,
    `RequestVoid`.
    """
    now = timezone.now()
    with sealing() as seal:
        version = _locked_request(version_id, lambda found, scope: _require_second(actor, found, scope))
        refusal = _why_void(version, now)
        if refusal is not None:
            void(seal, actor=SERVER, version=version, at=now)
        else:
            version.approved_by_id = actor.id
            _apply(seal, actor, version, now)
    if refusal is not None:  # only now: that the request is void must last
        raise refusal
    return version


def refuse_change(*, actor: Actor, version_id: uuid.UUID, reason: str = "") -> ParameterVersion:
    """Say no, as the second person. Errors: `ApprovalForbidden`, `ParameterRequestNotFound`,
    `ParameterRequestSettled`."""
    now = timezone.now()
    with sealing() as seal:
        version = _locked_request(version_id, lambda found, scope: _require_second(actor, found, scope))
        version.status, version.ended_at = Status.REFUSED, now
        write_version(seal, actor=actor, kind=PARAMETER_REFUSED, version=version, at=now, reason=reason)
    return version


def withdraw_change(*, actor: Actor, version_id: uuid.UUID, reason: str = "") -> ParameterVersion:
    """Take one's own request back. Errors: `ParameterRequestNotFound` (also of somebody else's),
    `ParameterRequestSettled`."""
    now = timezone.now()
    with sealing() as seal:
        version = _locked_request(version_id, lambda found, scope: _require_own(actor, found))
        version.status, version.ended_at = Status.WITHDRAWN, now
        write_version(seal, actor=actor, kind=PARAMETER_WITHDRAWN, version=version, at=now, reason=reason)
    return version


def sweep_parameters() -> int:
    """Seal values that lapsed and requests that nobody settled in time. Returns how many.

    Memories let a value lapse by themselves; here it is only written down.
    """
    over = Q(status=Status.IN_FORCE, expires_at__lte=timezone.now()) | Q(
        status=Status.PROPOSED, request_expires_at__lte=timezone.now()
    )
    due = ParameterVersion.objects.filter(over).order_by("parameter_id").values_list("parameter_id", flat=True)
    return each_by_itself("parameter", _sweep, list(due.distinct()))


def _sweep(parameter_id: uuid.UUID) -> int:
    now = timezone.now()
    with sealing() as seal:
        parameter = Parameter.objects.select_for_update(no_key=True).get(pk=parameter_id)
        lapsed = list(parameter.versions.filter(status=Status.IN_FORCE, expires_at__lte=now))
        late = parameter.versions.filter(status=Status.PROPOSED, request_expires_at__lte=now)
        waiting = parameter.versions.filter(status=Status.PROPOSED) if lapsed else late
        stale = list(waiting.order_by("number"))
        if lapsed:
            advance_epoch()
        for each in lapsed:
            end(seal, actor=SERVER, version=each, at=now, status=Status.EXPIRED)
            announce_change(standing(parameter, now)[0])
        for each in stale:
            void(seal, actor=SERVER, version=each, at=now)
    return len(lapsed) + len(stale)


def _apply(seal: Seal, actor: Actor, version: ParameterVersion, now: datetime) -> None:
    if version.retires:
        _retire(seal, actor, version, now)
    else:
        put_in_force(seal, actor=actor, version=version, at=now)


def _retire(seal: Seal, actor: Actor, version: ParameterVersion, now: datetime) -> None:
    version.epoch = str(advance_epoch())
    parameter = version.parameter
    void_open(seal, actor=actor, parameter=parameter, at=now, but=version)
    for each in parameter.versions.filter(status=Status.IN_FORCE).order_by("number"):
        end(seal, actor=actor, version=each, at=now, status=Status.SUPERSEDED)
    version.status, version.in_force_at, version.ended_at = Status.SUPERSEDED, now, now
    write_version(seal, actor=actor, kind=PARAMETER_CHANGED, version=version, at=now)
    parameter.retired_at = now
    facts = {"name": parameter.name}
    log_id = open_log(parameter.system_id).id
    write_row(seal, actor=actor, kind=PARAMETER_RETIRED, row=parameter, log_id=log_id, facts=facts, at=now)
    announce_change(version)


def _locked_request(version_id: uuid.UUID, may: Check) -> ParameterVersion:
    """The request, its parameter locked first: changes of one parameter come one after the other."""
    found = ParameterVersion.objects.filter(pk=version_id).values_list("parameter_id", flat=True).first()
    if found is not None:
        Parameter.objects.select_for_update(no_key=True).get(pk=found)
    version = ParameterVersion.objects.select_related("parameter").filter(pk=version_id).first()
    may(version, Scope.system(version.parameter.system_id) if version else ORGANISATION)
    if version is None:
        raise ParameterRequestNotFound()
    if version.status != Status.PROPOSED:
        raise ParameterRequestSettled()
    return version


def _why_void(version: ParameterVersion, now: datetime) -> ParameterChanged | RequestVoid | None:
    held, _ = standing(version.parameter, now)
    if held.number != version.against:
        return ParameterChanged()
    if version.request_expires_at is not None and version.request_expires_at <= now:
        return RequestVoid("Nobody agreed in time. Ask again.")
    if version.expires_at is not None and version.expires_at <= now:
        return RequestVoid("The value's own time is over already.")
    return None if _may_still_ask(version) else RequestVoid()


def _may_still_ask(version: ParameterVersion) -> bool:
    asker = version.requested_by
    act = Act.PARAMETER_DEFINE if version.retires else Act.PARAMETER_LOOSEN
    return rights.can(asker, act, Scope.system(version.parameter.system_id))


def _require_second(actor: Actor, version: ParameterVersion | None, scope: Scope) -> None:
    requested_by = version.requested_by_id if version else None
    rights.require_approval(actor, Act.PARAMETER_LOOSEN, scope, requested_by=requested_by)


def _require_own(actor: Actor, version: ParameterVersion | None) -> None:
    if version is None or actor.id is None or version.requested_by_id != actor.id:
        raise ParameterRequestNotFound()

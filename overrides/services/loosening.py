"""Loosening a switch: two people, for exactly what both saw; and one person for four hours, in an emergency."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db.models import F, Q
from django.utils import timezone

from config.errors import FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act, Role
from governance.errors import RequestVoid
from ledger.entries import SERVER, Actor
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from notices.approvals import ask_approvers
from notices.models import Alert, GatheredAlert
from notices.outbox import announce, tell
from notices.services import open_alert
from overrides.clock import advance_epoch, be_brief, hold_clock
from overrides.errors import (
    ClearUnreviewed,
    EpochPassed,
    LooseningExists,
    LooseningNotFound,
    LooseningNotOpen,
    NotClearable,
    SwitchNotFound,
)
from overrides.kinds import (
    LOOSENING_APPROVED,
    LOOSENING_REFUSED,
    LOOSENING_REQUESTED,
    LOOSENING_VOIDED,
    LOOSENING_WITHDRAWN,
    SWITCH_EMERGENCY_CLEARED,
    SWITCH_LOOSENED,
)
from overrides.models import LooseningRequest, Switch, SwitchChange
from overrides.services.changing import Setting, log_of, put, require_alternative, scope_of, seal_late
from overrides.services.sweeping import each_by_itself
from overrides.standing import EMERGENCY_CLEAR_LASTS, Epoch, InFlight, Mode

Status = LooseningRequest.Status
LIFE = timedelta(hours=24)
LONGEST_LIFE = timedelta(days=7)
AT_ONCE = 200
is_link = URLValidator(schemes=["http", "https"])


def request_loosening(
    *,
    actor: Actor,
    switch_id: uuid.UUID,
    epoch: Epoch,
    mode: Mode,
    reason_code: str,
    note: str = "",
    evidence_url: str = "",
    life: timedelta = LIFE,
) -> LooseningRequest:
    """Ask to set a switch to a less restrictive mode: run, or a stage on the way there. It waits for somebody else.

    `epoch`: that of the switch as the asker saw it. `evidence_url`: where it can be read why that is safe; from stop it
    must be named. `life`: until when it may be approved, a week at most. Errors:
    `Forbidden`, `PersonNeeded`, `SwitchNotFound`, `EpochPassed`, `LooseningExists`, `InvalidInput`, `FallbackMissing`.
    """
    person_id = person_id_of(actor)
    with sealing() as seal:
        switch = _locked_switch(actor, Act.SWITCH_LOOSEN, switch_id)
        _check(switch, epoch, mode, life)
        _require_evidence(switch, evidence_url)
        _make_room(seal, switch)
        request = LooseningRequest(
            switch=switch,
            generation=epoch.generation,
            number=epoch.number,
            mode=mode,
            reason_code=reason_code,
            note=note,
            evidence_url=evidence_url,
            requested_by_id=person_id,
            expires_at=timezone.now() + life,
        )
        _write(seal, actor, LOOSENING_REQUESTED, request)
        announce(event=LOOSENING_REQUESTED.name, system_id=switch.system_id, about_id=request.pk, facts=_said(request))
        ask_approvers(
            act=Act.SWITCH_LOOSEN,
            scope=scope_of(switch.node),
            requested_by=person_id,
            kind="loosening.asked",
            request_id=request.pk,
        )
    return request


def _make_room(seal: Seal, switch: Switch) -> None:
    """What can be approved no more stands in nobody's way, whether or not a sweep has come round."""
    for waiting in LooseningRequest.objects.select_for_update(of=("self",)).filter(switch=switch, status=Status.OPEN):
        if waiting.epoch == switch.epoch and waiting.expires_at > timezone.now():
            raise LooseningExists()
        _decide(seal, SERVER, LOOSENING_VOIDED, waiting, Status.VOID)


def approve_loosening(*, actor: Actor, request_id: uuid.UUID) -> SwitchChange:
    """Be the second person: the switch is set to what was asked for, at once.

    All is asked again now: that the switch is as it was, that whoever asked still may, that the approver is somebody
    else, may, and that neither made the other's account. Errors: `ApprovalForbidden`, `PersonNeeded`,
    `LooseningNotFound`, `LooseningNotOpen`, `EpochPassed`, `RequestVoid`, `FallbackMissing`.
    """
    person_id_of(actor)
    with sealing() as seal:
        hold_clock()
        request, switch = _locked_pair(actor, request_id)
        rights.require_approval(actor, Act.SWITCH_LOOSEN, scope_of(switch.node), requested_by=request.requested_by_id)
        _require_current(request, switch)
        seal_late(seal, switch)
        asker = Actor("person", request.requested_by_id)
        if not rights.can(asker, Act.SWITCH_LOOSEN, scope_of(switch.node)):
            raise RequestVoid()
        require_alternative(switch.node, Mode(request.mode))
        _decide(seal, actor, LOOSENING_APPROVED, request, Status.APPROVED)
        return _apply(seal, actor, request, switch)


def _apply(seal: Seal, actor: Actor, request: LooseningRequest, switch: Switch) -> SwitchChange:
    setting = Setting(
        mode=Mode(request.mode),
        reason_code=request.reason_code,
        in_flight=InFlight(switch.in_flight),
        note=request.note,
    )
    facts = {"request": str(request.pk), "requested_by": str(request.requested_by_id)}
    return put(
        seal,
        actor=actor,
        kind=SWITCH_LOOSENED,
        switch=switch,
        setting=setting,
        epoch=advance_epoch(),
        source="approval",
        facts=facts,
    )


def refuse_loosening(*, actor: Actor, request_id: uuid.UUID, note: str = "") -> LooseningRequest:
    """Say no, as somebody who could have said yes. Errors: as `approve_loosening`."""
    person_id_of(actor)
    with sealing() as seal:
        request, switch = _locked_pair(actor, request_id)
        rights.require_approval(actor, Act.SWITCH_LOOSEN, scope_of(switch.node), requested_by=request.requested_by_id)
        _require_open(request)
        _decide(seal, actor, LOOSENING_REFUSED, request, Status.REFUSED, note)
    return request


def withdraw_loosening(*, actor: Actor, request_id: uuid.UUID) -> LooseningRequest:
    """Not ask any more; only whoever asked can. Errors: `LooseningNotFound` (also of what others asked),
    `LooseningNotOpen`."""
    person_id = person_id_of(actor)
    with sealing() as seal:
        request = _locked_request(request_id)
        if request.requested_by_id != person_id:
            raise LooseningNotFound()
        _require_open(request)
        _decide(seal, actor, LOOSENING_WITHDRAWN, request, Status.WITHDRAWN)
    return request


def emergency_clear(*, actor: Actor, switch_id: uuid.UUID, epoch: Epoch, reason_code: str, note: str) -> SwitchChange:
    """Take a stopped AI system to review, alone: the AI may propose again, and people decide. For four hours.

    Every other holder of the right is told, and one of them, or an approver, must look at it afterwards; until somebody
    did, nobody clears this switch alone again. Errors: `Forbidden`, `PersonNeeded`, `SwitchNotFound`, `EpochPassed`,
    `NotClearable`, `ClearUnreviewed`, `InvalidInput` without a note.
    """
    person_id = person_id_of(actor)
    if not note.strip():
        raise InvalidInput(errors=[FieldProblem(pointer="/note", detail="Write why it could not wait.")])
    with sealing() as seal:
        hold_clock()
        switch = _locked_switch(actor, Act.SWITCH_EMERGENCY_CLEAR, switch_id)
        _check_clearable(switch, epoch)
        if awaits_review(switch):
            raise ClearUnreviewed()
        seal_late(seal, switch)
        setting = Setting(
            mode=Mode.REVIEW,
            reason_code=reason_code,
            in_flight=InFlight(switch.in_flight),
            note=note,
            expires_at=timezone.now() + EMERGENCY_CLEAR_LASTS,
        )
        change = put(
            seal,
            actor=actor,
            kind=SWITCH_EMERGENCY_CLEARED,
            switch=switch,
            setting=setting,
            epoch=advance_epoch(),
            source="emergency",
        )
        void_requests(seal, switch)
        _tell_the_others(person_id, switch, change)
    return change


def awaits_review(switch: Switch) -> bool:
    """Whether nobody else has looked yet at the last time that one person alone cleared this switch."""
    gathered = GatheredAlert.objects.filter(about_id=switch.pk).values("alert_id")
    clears = Alert.objects.filter(Q(about_id=switch.pk) | Q(pk__in=gathered), kind="switch.emergency_cleared")
    return clears.exclude(status=Alert.Status.CLOSED).exists()


def _check_clearable(switch: Switch, epoch: Epoch) -> None:
    _require_as_seen(switch, epoch)
    if switch.system_id is None or switch.mode != Mode.STOP:
        raise NotClearable()


def _tell_the_others(person_id: uuid.UUID, switch: Switch, change: SwitchChange) -> None:
    """Each holder by e-mail, and an alert that anybody but the one who did it has to close."""
    facts = {"system": str(switch.system_id), "switch": str(switch.pk), "epoch": str(switch.epoch)}
    holders = _holders(switch, Role.EMERGENCY_OPERATOR)
    for holder in holders:
        tell(person_id=holder, kind="switch.emergency_cleared", fingerprint=f"emergency:{change.pk}", facts=facts)
    reviewers = [each for each in (*holders, *_holders(switch, Role.APPROVER)) if each != person_id]
    open_alert(
        actor=SERVER,
        kind="switch.emergency_cleared",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"switch.emergency_cleared:{change.pk}",
        system_id=switch.system_id,
        about_id=switch.pk,
        owner_id=reviewers[0] if reviewers else None,
        facts=facts | {"not_to_be_closed_by": str(person_id)},
        once=True,
    )


def _holders(switch: Switch, role: Any) -> list[uuid.UUID]:
    held = rights.in_force().filter(scope_of(switch.node).covering(), role=role)
    return list(dict.fromkeys(held.order_by("id").values_list("person_id", flat=True)))


def void_requests(seal: Seal, switch: Switch) -> None:
    """Inside a change of a switch: what was asked of it as it stood before counts no more."""
    for request in LooseningRequest.objects.select_for_update(of=("self",)).filter(switch=switch, status=Status.OPEN):
        _decide(seal, SERVER, LOOSENING_VOIDED, request, Status.VOID)


def void_requests_of(seal: Seal, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they asked for counts no more. Returns how many."""
    rows = LooseningRequest.objects.select_for_update(of=("self",)).filter(requested_by_id=person_id)
    waiting = list(rows.filter(status=Status.OPEN).select_related("switch").order_by("pk"))
    for request in waiting:
        _decide(seal, SERVER, LOOSENING_VOIDED, request, Status.VOID)
    return len(waiting)


def void_passed_requests() -> int:
    """Void the requests that expired, or whose switch changed while its log took no entry. Returns how many."""
    passed = Q(expires_at__lte=timezone.now()) | ~Q(generation=F("switch__generation"), number=F("switch__number"))
    found = LooseningRequest.objects.filter(passed, status=Status.OPEN).values_list("id", flat=True)
    waiting = list(found[:AT_ONCE])
    return each_by_itself("loosening", _void, waiting)


def _void(request_id: uuid.UUID) -> bool:
    """Approving asks for the epoch and the end anyway: where the log takes no entry now, the next sweep will do."""
    with sealing() as seal:
        request = _locked_request(request_id)
        if request.status == Status.OPEN:
            _decide(seal, SERVER, LOOSENING_VOIDED, request, Status.VOID)
    return True


# --- what they share --------------------------------------------------------------------------------------------------
def _locked_switch(actor: Actor, act: Act, switch_id: uuid.UUID) -> Switch:
    be_brief()
    switch = Switch.objects.select_for_update(no_key=True).filter(pk=switch_id).first()
    if switch is None:
        if rights.can_anywhere(actor, act):
            raise SwitchNotFound()
        raise Forbidden()
    rights.require(actor, act, scope_of(switch.node))
    return switch


def _require_as_seen(switch: Switch, epoch: Epoch) -> None:
    """An emergency clear that is over says stop, though the row may not say so yet."""
    if switch.epoch != epoch or (switch.expires_at is not None and switch.expires_at <= timezone.now()):
        raise EpochPassed()


def _check(switch: Switch, epoch: Epoch, mode: Mode, life: timedelta) -> None:
    _require_as_seen(switch, epoch)
    if mode.severity >= Mode(switch.mode).severity:
        problem = FieldProblem(pointer="/mode", detail="This is no less restrictive than the switch is.")
        raise InvalidInput(errors=[problem])
    if not timedelta(0) < life <= LONGEST_LIFE:
        raise InvalidInput(errors=[FieldProblem(pointer="/life", detail="At most 7 days.")])
    require_alternative(switch.node, mode)


def _require_evidence(switch: Switch, url: str) -> None:
    """Whoever approves lets a stopped AI act again, and must be able to see why that is safe."""
    if not url and switch.mode != Mode.STOP:
        return
    try:
        is_link(url)
    except ValidationError as error:
        problem = FieldProblem(
            pointer="/evidence_url", detail="Where can it be read why this is safe?", expected="https://..."
        )
        raise InvalidInput(errors=[problem]) from error


def _require_approver(actor: Actor) -> None:
    """Who may approve nothing hears the same of what is there and of what is not."""
    rights.require_approval(actor, Act.SWITCH_LOOSEN, requested_by=None)


def _locked_pair(actor: Actor, request_id: uuid.UUID) -> tuple[LooseningRequest, Switch]:
    """For whoever may approve. In the order of all who change switches: the switch, then what was asked of it."""
    switch_id = LooseningRequest.objects.filter(pk=request_id).values_list("switch_id", flat=True).first()
    if switch_id is None:
        _require_approver(actor)
        raise LooseningNotFound()
    be_brief()
    switch = Switch.objects.select_for_update(no_key=True).get(pk=switch_id)
    return _locked_request(request_id), switch


def _locked_request(request_id: uuid.UUID) -> LooseningRequest:
    found = LooseningRequest.objects.select_for_update(of=("self",)).filter(pk=request_id).first()
    if found is None:
        raise LooseningNotFound()
    return found


def _require_open(request: LooseningRequest) -> None:
    if request.status == Status.VOID:
        raise EpochPassed()
    if request.status != Status.OPEN or request.expires_at <= timezone.now():
        raise LooseningNotOpen()


def _require_current(request: LooseningRequest, switch: Switch) -> None:
    _require_open(request)
    _require_as_seen(switch, request.epoch)


def _decide(
    seal: Seal, actor: Actor, kind: Kind, request: LooseningRequest, status: LooseningRequest.Status, note: str = ""
) -> None:
    request.status = status
    request.decided_by_id, request.decided_at = actor.id, timezone.now()
    _write(seal, actor, kind, request, request.decided_at, note)


def _write(
    seal: Seal, actor: Actor, kind: Kind, request: LooseningRequest, at: datetime | None = None, note: str = ""
) -> None:
    write_row(
        seal,
        actor=actor,
        kind=kind,
        row=request,
        log_id=log_of(request.switch.system_id),
        facts=_said(request),
        reason=note,
        at=at,
    )


def _said(request: LooseningRequest) -> dict[str, Any]:
    return {
        "switch": str(request.switch_id),
        "epoch": str(request.epoch),
        "mode": str(request.mode),
        "reason_code": request.reason_code,
        "status": str(request.status),
    }

"""Custody in two steps: one administrator asks, another one agrees while signed in, a command at the host does it.

What is asked for may be the way out of a registry log that takes no entry. So a step that cannot be sealed counts all
the same, `seal_pending`, and is sealed as soon as that works: by the act itself, or by the sweep.
"""

import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from audit.services.case_writing import text_of
from config.errors import name_of
from evidence.errors import (
    CustodyChanged,
    CustodyRequestExists,
    CustodyRequestNotFound,
    CustodyRequestNotOpen,
    HeadAlreadyKnown,
    LogStillContinues,
    NothingToDo,
    TwoAdministratorsNeeded,
)
from evidence.kinds import (
    CUSTODY_APPROVED,
    CUSTODY_ASKED,
    CUSTODY_CARRIED_OUT,
    CUSTODY_REFUSED,
    CUSTODY_VOIDED,
    CUSTODY_WITHDRAWN,
)
from evidence.log_standing import LogStanding, Standing, log_standings
from evidence.models import CustodyRequest
from evidence.services.custody import adopt_head, close_log
from evidence.services.custody_consent import require_consent, vouch
from evidence.services.key_rotation import Rotated, begin_rotation, finish_rotation, withdraw_keys
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.models import Person
from governance.scopes import ORGANISATION
from ledger.entries import SERVER, Actor
from ledger.errors import CANNOT_SEAL_NOW, LogClosed
from ledger.heads import head_store
from ledger.kinds import Kind
from ledger.models import Contradiction, Log
from ledger.sealing import Seal, sealing
from ledger.selectors import had_tree, latest_head
from ledger.tlog import EMPTY_ROOT
from notices.approvals import ask_approvers
from notices.models import Alert
from notices.services import open_alert

logger = structlog.get_logger(__name__)

Status, What = CustodyRequest.Status, CustodyRequest.What
LIFE = timedelta(hours=24)
"""As long to agree, and then as long to carry it out."""
AT_ONCE = 100
ACTS = {
    What.CLOSE: Act.LOG_CLOSE,
    What.CLOSE_UNKNOWN: Act.LOG_CLOSE,
    What.ADOPT: Act.HEAD_ADOPT,
    What.BEGIN_ROTATION: Act.SIGNING_KEY_ROTATE,
    What.FINISH_ROTATION: Act.SIGNING_KEY_ROTATE,
    What.WITHDRAW_KEYS: Act.SIGNING_KEY_ROTATE,
}
CLOSING = (What.CLOSE, What.CLOSE_UNKNOWN)
OF_LOGS = {
    What.CLOSE: (Standing.BEHIND, Standing.REWRITTEN, Standing.FORKED),
    What.CLOSE_UNKNOWN: (Standing.NO_HEAD,),
    What.ADOPT: (Standing.NO_HEAD,),
}
"""How a log must stand for each."""
KINDS = {
    Status.ASKED: CUSTODY_ASKED,
    Status.APPROVED: CUSTODY_APPROVED,
    Status.CARRIED_OUT: CUSTODY_CARRIED_OUT,
    Status.REFUSED: CUSTODY_REFUSED,
    Status.WITHDRAWN: CUSTODY_WITHDRAWN,
    Status.VOID: CUSTODY_VOIDED,
}


def needing(what: CustodyRequest.What) -> list[LogStanding]:
    """The open logs that an act of custody could be asked for. None for the signing key: it is about all of them."""
    return [each for each in log_standings() if each.standing in OF_LOGS.get(what, ())]


def ask_custody(
    *, actor: Actor, what: CustodyRequest.What, reason: str, log_ids: list[uuid.UUID] | None = None
) -> CustodyRequest:
    """Ask for an act of custody. Nothing changes until somebody else agrees, and a command at the host does it.

    `log_ids`: of logs that need it, these alone. Errors: `Forbidden`, `PersonNeeded`, `InvalidInput`, `NothingToDo`,
    `CustodyRequestExists`.
    """
    rights.require(actor, ACTS[what])
    person_id = person_id_of(actor)
    reason = text_of("reason", reason, ask="Write what happened, and what was tried to find what is missing.")
    logs = [_seen(each) for each in needing(what) if log_ids is None or each.log.id in log_ids]
    if what in OF_LOGS and not logs:
        raise NothingToDo()
    now = timezone.now()

    def make(again: bool) -> CustodyRequest:
        mine = CustodyRequest.objects.filter(what=what, requested_by_id=person_id, requested_at=now).first()
        if again and mine:
            return mine
        _make_room(what)
        return CustodyRequest(
            what=what, logs=logs, reason=reason, requested_by_id=person_id, requested_at=now, expires_at=now + LIFE
        )

    return _step(actor, make, after=_ask_the_others)


def approve_custody(*, actor: Actor, request_id: uuid.UUID) -> CustodyRequest:
    """Be the second administrator. Errors: `ApprovalForbidden`, `PersonNeeded`, `CustodyRequestNotFound`,
    `CustodyRequestNotOpen`, `RequestVoid` where whoever asked may not any more."""
    return _decide(actor, request_id, Status.APPROVED, "")


def refuse_custody(*, actor: Actor, request_id: uuid.UUID, answer: str = "") -> CustodyRequest:
    """Say no, as somebody who could have said yes. Errors: as `approve_custody`, `InvalidInput`."""
    return _decide(actor, request_id, Status.REFUSED, text_of("answer", answer))


def withdraw_custody(*, actor: Actor, request_id: uuid.UUID) -> CustodyRequest:
    """Not ask any more, before it is carried out; only whoever asked can. Errors: `CustodyRequestNotFound` (also of
    what others asked), `CustodyRequestNotOpen`."""
    person_id = person_id_of(actor)

    def change(again: bool) -> CustodyRequest:
        request = _locked(request_id)
        if request.requested_by_id != person_id:
            raise CustodyRequestNotFound()
        if not (again and request.status == Status.WITHDRAWN):
            _require(request, Status.ASKED, Status.APPROVED)
        request.status = Status.WITHDRAWN
        return request

    return _step(actor, change)


def carry_out(*, actor: Actor, request_id: uuid.UUID, say: Callable[[str], None] = lambda line: None) -> Rotated | None:
    """Do what two administrators agreed to, at the host. Returns which keys sign from here on, where those changed.

    All is asked again now: that it was they who agreed, that both still may, that each log is as both saw it. Where it
    was interrupted it can be done again: what was done is left. `say`: told of each log what became of it. Errors:
    `CustodyRequestNotFound`, `CustodyRequestNotOpen`, `ConsentNotProven`, `TwoAdministratorsNeeded`, `CustodyChanged`,
    those of the acts.
    """
    request = CustodyRequest.objects.filter(pk=request_id).first()
    if request is None:
        raise CustodyRequestNotFound()
    _require(request, Status.APPROVED)
    require_consent(request)
    asked_by, approved_by = _people(request)
    how: dict[str, Any] = {"actor": actor, "asked_by": asked_by, "approved_by": approved_by, "request_id": request.pk}
    rotated = None
    if request.what in OF_LOGS:
        for seen in request.logs:
            say(_carry_out_for(request, seen, how))
    else:
        rotate = {What.BEGIN_ROTATION: begin_rotation, What.FINISH_ROTATION: finish_rotation}
        rotated = rotate.get(What(request.what), withdraw_keys)(**how)
    _finish(actor, request.pk)
    return rotated


def _carry_out_for(request: CustodyRequest, seen: dict[str, Any], how: dict[str, Any]) -> str:
    log = Log.objects.filter(pk=uuid.UUID(seen["log"])).first()
    if log is None:
        raise CustodyChanged(f"{seen['origin']} is not in this database.")
    try:
        _require_as_seen(log, seen)
        if request.what in CLOSING:
            successor = close_log(log=log, tail_unknown=request.what == What.CLOSE_UNKNOWN, **how)
            return f"{log.origin}: closed; continued by {successor.origin}"
        return f"{log.origin}: adopted the head of {adopt_head(log=log, **how).tree_size:,} entries"
    except (LogClosed, HeadAlreadyKnown, LogStillContinues) as error:
        return f"{log.origin}: left as it is. {error.title}."


def _require_as_seen(log: Log, seen: dict[str, Any]) -> None:
    """Errors: `CustodyChanged`, `LogClosed` and `HeadAlreadyKnown` of what was done before an interruption."""
    if hasattr(log, "closure"):
        raise LogClosed(log.origin)
    signed = head_store().head(log.id)
    stated = (signed.tree_size, signed.root_hash.hex()) if signed else (None, None)
    if stated != (seen["signed"], seen["signed_root"]):
        if signed and seen["signed"] is None:
            raise HeadAlreadyKnown(log.origin)
        raise CustodyChanged(f"{log.origin}: this host has signed another tree than both saw.")
    if _outside(log.contradictions.order_by("id")) != seen.get("contradicted", []):
        raise CustodyChanged(f"{log.origin}: a witness has shown another tree than both saw.")
    found = latest_head(log.id)
    is_same = (found.tree_size, found.root_hash.hex()) == (seen["found"], seen["found_root"])
    # another host may have appended to a log that this one does not know
    grew = found.tree_size > seen["found"] and had_tree(log.id, seen["found"], bytes.fromhex(seen["found_root"]))
    if not is_same and not (signed is None and grew):
        raise CustodyChanged(f"{log.origin}: the database holds another tree than both saw.")


def _seen(standing: LogStanding) -> dict[str, Any]:
    """A log as it is put before the second administrator."""
    signed = standing.signed
    return {
        "log": str(standing.log.id),
        "origin": standing.log.origin,
        "found": standing.found.tree_size,
        "found_root": standing.found.root_hash.hex() if standing.found.tree_size else EMPTY_ROOT.hex(),
        "signed": signed.tree_size if signed else None,
        "signed_root": signed.root_hash.hex() if signed else None,
        "contradicted": _outside(standing.contradicted),
    }


def _outside(contradicted: Iterable[Contradiction]) -> list[dict[str, Any]]:
    """The trees that others hold of a log."""
    return [
        {"size": each.tree_size, "root": bytes(each.root_hash).hex(), "witness": each.witness} for each in contradicted
    ]


def _people(request: CustodyRequest) -> tuple[Person, Person]:
    people = Person.objects.filter(is_active=True).in_bulk([request.requested_by_id, request.decided_by_id])
    asked_by, approved_by = people.get(request.requested_by_id), people.get(request.decided_by_id)
    if asked_by is None or approved_by is None:
        raise TwoAdministratorsNeeded()
    return asked_by, approved_by


def _finish(actor: Actor, request_id: uuid.UUID) -> None:
    def change(again: bool) -> CustodyRequest:
        request = _locked(request_id)
        if request.status not in (Status.APPROVED, *[Status.CARRIED_OUT] * again):
            raise CustodyRequestNotOpen()
        request.status, request.carried_out_at = Status.CARRIED_OUT, timezone.now()
        return request

    _step(actor, change)


def _decide(actor: Actor, request_id: uuid.UUID, status: CustodyRequest.Status, answer: str) -> CustodyRequest:
    person_id = person_id_of(actor)

    def change(again: bool) -> CustodyRequest:
        request = _locked(request_id, approver=actor)
        act = ACTS[What(request.what)]
        rights.require_approval(actor, act, requested_by=request.requested_by_id)
        if again and (request.status, request.decided_by_id) == (status, person_id):
            return request
        _require(request, Status.ASKED)
        rights.require_asker(request.requested_by_id, act)
        request.status, request.answer = status, answer
        request.decided_by_id, request.decided_at = person_id, timezone.now()
        request.expires_at = request.decided_at + LIFE
        return request

    return _step(actor, change)


def _locked(request_id: uuid.UUID, *, approver: Actor | None = None) -> CustodyRequest:
    found = CustodyRequest.objects.select_for_update(no_key=True).filter(pk=request_id).first()
    if found is None:
        if approver is not None:
            rights.require_approval(approver, Act.LOG_CLOSE, requested_by=None)
        raise CustodyRequestNotFound()
    return found


def _require(request: CustodyRequest, *status: CustodyRequest.Status) -> None:
    if request.status not in status or request.expires_at <= timezone.now():
        raise CustodyRequestNotOpen()


def _make_room(what: CustodyRequest.What) -> None:
    """One that expired stands in nobody's way. Errors: `CustodyRequestExists`."""
    live = CustodyRequest.objects.select_for_update(no_key=True).filter(what=what)
    for waiting in live.filter(status__in=(Status.ASKED, Status.APPROVED)):
        if waiting.expires_at > timezone.now():
            raise CustodyRequestExists()
        waiting.status = Status.VOID
        _keep_unsealed(waiting)


def _ask_the_others(request: CustodyRequest) -> None:
    ask_approvers(
        act=ACTS[What(request.what)],
        scope=ORGANISATION,
        requested_by=request.requested_by_id,
        kind="custody.asked",
        request_id=request.pk,
    )


# --- each step, sealed now or as soon as that works -------------------------------------------------------------------
def _step(
    actor: Actor,
    change: Callable[[bool], CustodyRequest],
    *,
    after: Callable[[CustodyRequest], None] = lambda request: None,
) -> CustodyRequest:
    """Take one step in one transaction. `change` locks, checks and returns the row as it is to be. Where that could not
    be sealed it is called a second time, with True: the first may have been committed, and not signed for."""
    try:
        with sealing() as seal:
            request = change(False)
            request.seal_pending = False
            _write(seal, actor, request)
            after(request)
        return request
    except CANNOT_SEAL_NOW as error:
        logger.warning("evidence.custody_not_sealed", error=name_of(error))
    with transaction.atomic():
        request = change(True)
        _keep_unsealed(request)
        after(request)
    return request


def _write(seal: Seal, actor: Actor, request: CustodyRequest) -> None:
    kind: Kind = KINDS[Status(request.status)]
    facts = {"what": str(request.what), "status": str(request.status), "requested_by": str(request.requested_by_id)}
    if request.decided_by_id:
        facts["decided_by"] = str(request.decided_by_id)
    write(seal, actor=actor, kind=kind, row=request, facts=facts)


def _keep_unsealed(request: CustodyRequest) -> None:
    """Store a step without its entry. No change without a trail, but for this one: the sweep writes the trail, and
    until it does the installation's key vouches for who took it."""
    request.seal_pending = True
    vouch(request)
    if request._state.adding:
        request.full_clean(exclude={*request.UNSEALED_FIELDS})
        request.revision, request.particulars_id = 0, None
        CustodyRequest.objects.bulk_create([request])
        return
    columns = ["status", "answer", "decided_by_id", "decided_at", "expires_at", "carried_out_at"]
    columns += ["seal_pending", "vouched"]
    CustodyRequest.objects.filter(pk=request.pk).update(**{name: getattr(request, name) for name in columns})


def seal_waiting_requests() -> int:
    """Seal the steps that were taken while the registry log took no entry. Returns how many requests that were."""
    waiting = CustodyRequest.objects.filter(seal_pending=True).order_by("id").values_list("id", flat=True)
    sealed = 0
    for request_id in list(waiting[:AT_ONCE]):
        try:
            with sealing() as seal:
                request = _locked(request_id)
                if request.seal_pending:
                    request.seal_pending = False
                    _write(seal, SERVER, request)
            sealed += 1
        except CANNOT_SEAL_NOW as error:
            logger.warning("evidence.custody_not_sealed", request_id=str(request_id), error=name_of(error))
    return sealed


def void_requests_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they asked for, or agreed to, counts no more. Returns how many."""
    live = CustodyRequest.objects.select_for_update(no_key=True).filter(status__in=(Status.ASKED, Status.APPROVED))
    mine = [each for each in live.order_by("pk") if person_id in (each.requested_by_id, each.decided_by_id)]
    for request in mine:
        request.status, request.seal_pending = Status.VOID, False
        _write(seal, actor, request)
    return len(mine)


# --- the emergency way ------------------------------------------------------------------------------------------------
def tell_of_passwords(*, actor: Actor, what: CustodyRequest.What, asked_by: Person, approved_by: Person) -> None:
    """Before an act of custody to which two people agreed by passwords typed at one terminal: an alert, which somebody
    else must close, and so an e-mail to every administrator. Whoever knew both passwords was two people there."""
    open_alert(
        actor=actor,
        kind="custody.by_passwords",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"custody.by_passwords:{what}:{timezone.now():%Y%m%dT%H%M%S}",
        facts={
            "custody": str(what),
            "asked_by": str(asked_by.pk),
            "approved_by": str(approved_by.pk),
            "not_to_be_closed_by": str(asked_by.pk),
        },
        once=True,
    )

"""What people do about quarantined records: correct the envelope, replay, give up together with a second person."""

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
from django.db.models import Q
from django.utils import timezone

from audit.errors import PayloadRestricted
from audit.restricted_texts import NOTICE, texts_in_force
from config.errors import Conflict, FieldProblem, Forbidden, InvalidInput, NotFound
from config.pointers import pointer
from governance import memory, rights
from governance.acts import RULES, Act, role_names
from governance.api.authentication import KeyGrant
from governance.errors import RequestVoid
from governance.locks import hold
from governance.scopes import ORGANISATION, Scope
from intake.admission import Admission, Replay
from intake.answers import refusal_of
from intake.errors import InvalidDecision
from intake.groups import record_group
from intake.kinds import (
    DISMISSAL_REFUSED,
    DISMISSAL_REQUESTED,
    QUARANTINE_CORRECTED,
    QUARANTINE_DISMISSED,
    QUARANTINE_REPLAYED,
)
from intake.models import QuarantineCase, QuarantinedRecord
from intake.pairs import Pairs, read_pairs
from intake.reading import read_record
from intake.selectors import scope_of
from intake.services.quarantine import RESTRICTING, lock_name, original_commitment
from intake.wire import PARTS, RECORD_FIELDS
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log, registry_log

Status = QuarantineCase.Status
UNTOUCHABLE = frozenset({*PARTS, "outcome", "confidence", "subject", "id"})
"""What the model said, and about whom, stays as it was sent."""


class NotInQuarantine(NotFound):
    code = "not-in-quarantine"
    title = "There is no such record in quarantine"
    meaning = "The record was never there, was erased after its time, or is out of reach of whoever is asking."


class AlreadySettled(Conflict):
    code = "quarantine-settled"
    title = "This quarantined record is settled"
    meaning = "It was replayed or given up, or its dismissal waits for a second person. Read its present state."


class NotReplayable(Conflict):
    code = "not-replayable"
    title = "This record cannot be replayed"
    meaning = (
        "Only a record that can be read, was kept whole and whose sender's key named its AI system can be replayed. "
        "What is wrong with its input, output, outcome, confidence or subject cannot be corrected here."
    )


def correct(*, actor: Actor, record_id: uuid.UUID, corrections: object, reason: str) -> QuarantineCase:
    """Say how the envelope should read: a value for a field, or None to leave it out. Replaces earlier corrections.

    Errors: `Forbidden`, `NotInQuarantine`, `AlreadySettled`, `InvalidInput` for what must not be touched,
    `PayloadRestricted`.
    """
    record = _record(actor, Act.QUARANTINE_REPLAY, record_id)
    _refuse_restricted(record)
    if not isinstance(corrections, Mapping):
        detail = "Corrections are an object of field names and values."
        raise InvalidInput(errors=[FieldProblem(pointer="/corrections", detail=detail, expected="a JSON object")])
    wrong = [name for name, value in corrections.items() if not _may_correct(name, value)]
    if wrong:
        detail = "This cannot be corrected: only fields of the envelope can, and unknown ones can be left out."
        raise InvalidInput(errors=[FieldProblem(pointer=pointer(name), detail=detail) for name in wrong])
    with sealing() as seal:
        case = _case_to_change(record)
        case.corrections = dict(corrections)
        write_case(seal, actor, QUARANTINE_CORRECTED, record, case, reason)
    return case


def _may_correct(name: str, value: object) -> bool:
    return name not in UNTOUCHABLE and (name in RECORD_FIELDS or value is None)


def replay(*, actor: Actor, record_id: uuid.UUID, reason: str = "") -> QuarantineCase:
    """Record a quarantined record as a decision, under its quarantine id, on the replaying person's responsibility.

    Takes the right where the record is kept and in the AI system that it is recorded for.

    Errors: `Forbidden`, `NotInQuarantine`, `AlreadySettled`, `NotReplayable`; `InvalidDecision` while it is wrong;
    `PayloadRestricted`: two people agreed that it goes, and nobody that it becomes a decision before.
    """
    record = _record(actor, Act.QUARANTINE_REPLAY, record_id)
    _refuse_restricted(record)
    if actor.id is None or record.is_truncated:
        raise NotReplayable()
    waiting = QuarantineCase.objects.filter(record=record).first()
    if waiting and waiting.status != Status.WAITING:
        raise AlreadySettled()
    raw = corrected(bytes(record.original or b""), waiting.corrections if waiting else {})
    admission = Admission(_grant_of(record), timezone.now(), Replay(record.id, actor.id))
    admitted = admission.admit(read_record(raw))
    place = admitted.decision.facets.values
    if place.system_id != record.system_id:
        # a correction, or the first readable one, may name another AI system than the record was kept under
        rights.require(actor, Act.QUARANTINE_REPLAY, Scope.system(place.system_id))
    log_id = place.log_id
    with sealing() as seal:
        case = _case_to_change(record)
        if case.corrections != (waiting.corrections if waiting else {}):
            raise AlreadySettled("Its corrections were changed just now; look again.")
        (result,) = record_group(seal, log_id, [admitted])
        refusal = refusal_of(result)
        if refusal is not None:
            raise refusal
        if result.differs:
            raise NotReplayable("Its caller's own key belongs to another decision, which stands with other content.")
        case.status, case.decision_id = Status.REPLAYED, uuid.UUID(result.id)
        case.decided_by_id, case.decided_at = actor.id, timezone.now()
        write_case(seal, actor, QUARANTINE_REPLAYED, record, case, reason, {"decision": result.id}, log_id)
    return case


def corrected(original: bytes, corrections: Mapping[str, Any]) -> bytes:
    """The record with its envelope corrected; all other values byte for byte as they were sent."""
    try:
        fields = _read_fields(original)
        pairs = read_pairs(original)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotReplayable("The record is not a JSON object that can be read.") from error
    repeated = set(pairs.repeated() if isinstance(pairs, Pairs) else ()) - corrections.keys()
    if repeated:
        raise InvalidDecision(
            "A name occurs twice; say which value is meant.",
            errors=[FieldProblem(pointer=pointer(name), detail="The name occurs twice.") for name in sorted(repeated)],
        )
    values = {name: bytes(raw) for name, raw in fields.items() if name not in corrections}
    values |= {name: _encode(value) for name, value in corrections.items() if value is not None}
    return b"{" + b",".join(_encode(name) + b":" + value for name, value in values.items()) + b"}"


_read_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def _grant_of(record: QuarantinedRecord) -> KeyGrant:
    """The key that sent it, in the state it has now but for its being in force: a person answers for the replay."""
    register = memory.fresh()
    key = next((key for key in register.keys.values() if key.id == record.key_row_id), None)
    if key is None:
        raise NotReplayable("The key that sent it is not known any more.")
    return KeyGrant(register, key)


def request_dismissal(*, actor: Actor, record_id: uuid.UUID, reason: str) -> QuarantineCase:
    """Ask to give a record up for good. Errors: `Forbidden`, `NotInQuarantine`, `AlreadySettled`, `InvalidInput`."""
    try:
        record = _record(actor, Act.QUARANTINE_DISMISS, record_id)
    except Forbidden as refusal:
        askers = role_names(RULES[Act.QUARANTINE_DISMISS].asks)
        raise Forbidden(f"Asking to give a record up takes one of these roles: {askers}.") from refusal
    _require_reason(reason)
    with sealing() as seal:
        case = _case(record, Status.WAITING)
        case.status, case.requested_by_id = Status.DISMISSAL_REQUESTED, actor.id
        write_case(seal, actor, DISMISSAL_REQUESTED, record, case, reason)
    return case


def decide_dismissal(*, actor: Actor, record_id: uuid.UUID, approve: bool, reason: str) -> QuarantineCase:
    """The second person agrees, or wants the record kept. Errors: as above, `ApprovalForbidden`, `RequestVoid`.

    Keeping the record is always possible: it ends a request whose asker has left.
    """
    record = _record(actor, Act.QUARANTINE_VIEW, record_id)
    _require_reason(reason)
    with sealing() as seal:
        case = _case(record, Status.DISMISSAL_REQUESTED)
        rights.require_approval(actor, Act.QUARANTINE_DISMISS, scope_of(record), requested_by=case.requested_by_id)
        if approve and not rights.can(Actor("person", case.requested_by_id), Act.QUARANTINE_DISMISS, scope_of(record)):
            raise RequestVoid()
        case.status = Status.DISMISSED if approve else Status.WAITING
        case.decided_by_id, case.decided_at = actor.id, timezone.now()
        write_case(seal, actor, QUARANTINE_DISMISSED if approve else DISMISSAL_REFUSED, record, case, reason)
    return case


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput(errors=[FieldProblem(pointer="/reason", detail="Say why.", expected="a reason")])


def _record(actor: Actor, act: Act, record_id: uuid.UUID) -> QuarantinedRecord:
    record = QuarantinedRecord.objects.filter(pk=record_id).first()
    rights.require(actor, act, scope_of(record) if record else ORGANISATION)
    if record is None or record.original is None:
        raise NotInQuarantine()
    return record


def _refuse_restricted(record: QuarantinedRecord) -> None:
    """Errors: `PayloadRestricted`."""
    corrected_in = QuarantineCase.objects.filter(record=record).values("pk")
    if texts_in_force().filter(Q(row_id=record.pk) | Q(row_id__in=corrected_in)).exists():
        raise PayloadRestricted(NOTICE)


def _case_to_change(record: QuarantinedRecord) -> QuarantineCase:
    """The same as `_case`, of one that waits; refused where it was restricted since it was read."""
    hold(RESTRICTING)
    case = _case(record, Status.WAITING)
    _refuse_restricted(record)
    return case


def _case(record: QuarantinedRecord, expected: QuarantineCase.Status) -> QuarantineCase:
    """The record's case, locked, in the expected state. Of two people who act at once the second finds it settled."""
    hold(lock_name(record.pk))
    if not QuarantinedRecord.objects.filter(pk=record.pk, original__isnull=False).exists():
        raise NotInQuarantine()  # erased meanwhile
    case = QuarantineCase.objects.filter(record=record).first() or QuarantineCase(record=record)
    if case.status != expected:
        raise AlreadySettled()
    return case


def write_case(
    seal: Seal,
    actor: Actor,
    kind: Kind,
    record: QuarantinedRecord,
    case: QuarantineCase,
    reason: str,
    facts: dict[str, Any] | None = None,
    log_id: uuid.UUID | None = None,
) -> None:
    """Every act carries the commitment to the bytes that arrived."""
    facts = {"record": str(record.id), "original": original_commitment(record), "status": str(case.status)} | (
        facts or {}
    )
    if log_id is None:
        log_id = open_log(record.system_id).id if record.system_id else registry_log().id
    write_row(seal, actor=actor, kind=kind, row=case, log_id=log_id, facts=facts, reason=reason)

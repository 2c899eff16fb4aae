"""Asking for an export: alone, or with a second person where contents leave with it. Each step is sealed."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from audit.selectors import PARTS as PAYLOAD_PARTS
from audit.services.case_writing import text_of
from config.errors import FieldProblem, InvalidInput, ServiceError
from evidence.exports.access import (
    act_of,
    asker_of,
    exports_for,
    may_agree,
    place_of_export,
    require_may_have,
    require_may_have_decision,
)
from evidence.exports.as_asked import logs_as_asked
from evidence.exports.contents import PARTS, with_needed
from evidence.exports.errors import ExportKeyTaken, ExportNotFound, ExportNotOpen, TooManyExports
from evidence.exports.models import Export, ExportWork
from evidence.exports.questions import as_json
from evidence.kinds import (
    EXPORT_APPROVED,
    EXPORT_CANCELLED,
    EXPORT_REFUSED,
    EXPORT_REQUESTED,
    EXPORT_WITHDRAWN,
)
from governance.actors import person_id_of
from governance.changes import write
from governance.errors import ApprovalForbidden, RequestVoid
from ledger.entries import Actor
from ledger.key_history import LogKeys
from ledger.kinds import Kind
from ledger.models import Log
from ledger.sealing import Seal, sealing
from ledger.tlog import NoteError, open_checkpoint
from notices.approvals import ask_approvers
from notices.outbox import tell

Status, Form, Question = Export.Status, Export.Form, Export.Question
AT_ONCE = 20
"""So many of one person may wait or be made."""
LATEST = timedelta(seconds=30)
"""So long after it was received, as its entry says, something may be committed."""
SIGNATURE = "\N{EM DASH} "
ALLOWED = {Form.BUNDLE: PARTS, Form.NDJSON: PAYLOAD_PARTS, Form.CSV: PAYLOAD_PARTS, Form.OCSF: ()}
"""The contents that a form has a place for."""
MAX_SUBJECT, MAX_HEAD, MAX_HEADS = 200, 10_000, 100
MAX_HEAD_TEXT = 200_000
"""Characters of all checkpoints that are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an export is about, as somebody asks for it."""

    question: str
    system_id: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    case_id: uuid.UUID | None = None
    decision_id: uuid.UUID | None = None
    subject: str = ""


def request_export(
    *,
    actor: Actor,
    asked: Asked,
    form: str,
    reason: str,
    parts: Sequence[str] = (),
    head: str = "",
    key: uuid.UUID | None = None,
) -> Export:
    """Ask for an export. Without `parts` it is made as soon as there is room; with contents when somebody has agreed.

    `head`: signed checkpoints that whoever asks keeps, one below the other, against which a bundle is to prove itself.
    `key` makes a repeat
    the same export. Errors: `Forbidden`, `CaseNotFound`, `DecisionNotFound`, `HiddenWhileBlind`, `InvalidInput`,
    `TooManyExports`, `ExportKeyTaken`, `PersonNeeded`.
    """
    export = _drafted(actor, asked, form, parts, head)
    export.reason = text_of("reason", reason, ask="Write what it is for.")
    require_may_have(actor, export)
    if export.question == Question.DECISION:
        export.system_id = require_may_have_decision(actor, export).system_id
    with sealing() as seal:
        if known := _made_before(key, export):
            return known
        _refuse_too_many(export.asked_by_id)
        export.key, export.asked_at = key, timezone.now()
        export.status = Status.REQUESTED if export.parts else Status.QUEUED
        write_export(seal, actor, EXPORT_REQUESTED, export, logs_as_asked(export))
        if export.parts:
            ask_approvers(
                act=act_of(export),
                scope=place_of_export(export),
                requested_by=export.asked_by_id,
                kind="export.asked",
                request_id=export.pk,
            )
        else:
            _queue(export)
    return export


def approve_export(*, actor: Actor, export_id: uuid.UUID, answer: str = "") -> Export:
    """Agree, as the second person: it is made as soon as there is room. Errors: `ApprovalForbidden`, `ExportNotFound`,
    `ExportNotOpen`, `RequestVoid` where whoever asked may not any more, `InvalidInput`."""
    with sealing() as seal:
        export = _decided(actor, export_id, answer)
        if export.question == Question.SUBJECT and not export.subject:
            raise ExportNotOpen("Whom it is about was erased meanwhile. Nothing was changed.")
        try:
            require_may_have(asker_of(export), export)
        except ServiceError as refusal:
            raise RequestVoid() from refusal
        export.status = Status.QUEUED
        write_export(seal, actor, EXPORT_APPROVED, export)
        _queue(export)
    return export


def refuse_export(*, actor: Actor, export_id: uuid.UUID, answer: str = "") -> Export:
    """Say no, as the second person. Errors: `ApprovalForbidden`, `ExportNotFound`, `ExportNotOpen`, `InvalidInput`."""
    with sealing() as seal:
        export = _decided(actor, export_id, answer)
        export.status, export.ended_at = Status.REFUSED, export.decided_at
        write_export(seal, actor, EXPORT_REFUSED, export)
        tell_asker(export)
    return export


def withdraw_export(*, actor: Actor, export_id: uuid.UUID) -> Export:
    """Take one's own request back before it is answered. Errors: `ExportNotFound` (also of somebody else's),
    `ExportNotOpen`."""
    with sealing() as seal:
        export = _locked(actor, export_id)
        if export.asked_by_id != actor.id:
            raise ExportNotFound()
        _require(export, Status.REQUESTED)
        _end(seal, actor, export, Status.WITHDRAWN, EXPORT_WITHDRAWN)
    return export


def cancel_export(*, actor: Actor, export_id: uuid.UUID) -> Export:
    """Give up what is being made, or waits to be: whoever asked, or may have agreed. Whoever is at it stops within
    seconds, and nothing is kept. Errors: `ExportNotFound`, `ExportNotOpen`."""
    with sealing() as seal:
        export = _locked(actor, export_id)
        if export.asked_by_id != actor.id and not may_agree(actor, export):
            raise ExportNotFound()
        _require(export, Status.QUEUED)
        _end(seal, actor, export, Status.CANCELLED, EXPORT_CANCELLED)
    return export


def end_exports_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they asked for is taken back or given up. How many."""
    rows = Export.objects.select_for_update(no_key=True).filter(asked_by_id=person_id).order_by("pk")
    held = list(rows.filter(status__in=(Status.REQUESTED, Status.QUEUED)))
    for export in held:
        if export.status == Status.REQUESTED:
            _end(seal, actor, export, Status.WITHDRAWN, EXPORT_WITHDRAWN)
        else:
            _end(seal, actor, export, Status.CANCELLED, EXPORT_CANCELLED)
    return len(held)


# --- also for those who make, fetch and sweep -------------------------------------------------------------------------
def write_export(seal: Seal, actor: Actor, kind: Kind, export: Export, facts: dict[str, Any] | None = None) -> None:
    """Every entry about an export says which question it answers, in what form, with which contents."""
    said: dict[str, Any] = {
        "question": as_json(export),
        "form": str(export.form),
        "parts": list(export.parts),
        "status": str(export.status),
        "asked_by": str(export.asked_by_id),
    }
    write(seal, actor=actor, kind=kind, row=export, system_id=export.system_id, facts=said | (facts or {}))


def tell_asker(export: Export) -> None:
    """Write to whoever asked that something came of it."""
    facts, fingerprint = {"export": str(export.pk)}, f"export.answered:{export.pk}:{export.status}"
    tell(person_id=export.asked_by_id, kind="export.answered", fingerprint=fingerprint, facts=facts)


def visible_export(actor: Actor, export_id: uuid.UUID) -> Export:
    """Errors: `ExportNotFound`, the same for one out of sight and for none."""
    found = exports_for(actor).filter(pk=export_id).first()
    if found is None:
        raise ExportNotFound()
    return found


# --- parts of the above -----------------------------------------------------------------------------------------------
def _drafted(actor: Actor, asked: Asked, form: str, parts: Sequence[str], head: str) -> Export:
    export = Export(
        question=asked.question,
        system_id=asked.system_id if asked.question == Question.RANGE else None,
        since=asked.since,
        until=asked.until,
        case_id=asked.case_id,
        decision_id=asked.decision_id,
        subject=asked.subject,
        form=form,
        parts=with_needed(list(parts)),
        asked_by_id=person_id_of(actor),
    )
    problems = [*_problems_of_question(asked), *_problems_of_form(export, parts, head)]
    if problems:
        raise InvalidInput(errors=problems)
    if head.strip():
        export.heads = _heads_in(head)
    return export


def _problems_of_question(asked: Asked) -> list[FieldProblem]:
    needed = {
        Question.RANGE: ("system_id", asked.system_id),
        Question.CASE: ("case_id", asked.case_id),
        Question.DECISION: ("decision_id", asked.decision_id),
        Question.SUBJECT: ("subject", asked.subject),
    }
    if asked.question not in Question.values:
        return [FieldProblem(pointer="/question", detail="There is no such question.", expected=", ".join(needed))]
    problems, wanted = [], needed[Question(asked.question)][0]
    for name, value in needed.values():
        if name == wanted and not value:
            problems.append(FieldProblem(pointer=f"/{name}", detail="This question needs it."))
        elif name != wanted and value:
            problems.append(FieldProblem(pointer=f"/{name}", detail="This belongs to another question."))
    if asked.question != Question.RANGE and (asked.since or asked.until):
        name = "since" if asked.since else "until"
        problems.append(FieldProblem(pointer=f"/{name}", detail="Only an AI system is exported within times."))
    if asked.since and asked.until and asked.since >= asked.until:
        problems.append(FieldProblem(pointer="/until", detail="This is not after the beginning."))
    if asked.until and asked.until > timezone.now():
        detail = "This is still to come. Without an end it holds what is there when it is made."
        problems.append(FieldProblem(pointer="/until", detail=detail))
    if len(asked.subject) > MAX_SUBJECT or "\0" in asked.subject:
        problems.append(FieldProblem(pointer="/subject", detail=f"Up to {MAX_SUBJECT} characters, without NUL."))
    return problems


def _problems_of_form(export: Export, parts: Sequence[str], head: str) -> list[FieldProblem]:
    if export.form not in Form.values:
        return [FieldProblem(pointer="/form", detail="There is no such form.", expected=", ".join(Form.values))]
    allowed = ALLOWED[Form(export.form)]
    problems = []
    if wrong := [name for name in parts if name not in allowed]:
        unknown = [name for name in wrong if name not in PARTS]
        detail = "There is no such part." if unknown else "This form has no place for these contents."
        problems.append(FieldProblem(pointer="/parts", detail=detail, expected=", ".join(allowed) or "none"))
    if head.strip() and export.form != Form.BUNDLE:
        problems.append(FieldProblem(pointer="/head", detail="Only an evidence bundle proves itself against one."))
    return problems


def _heads_in(text: str) -> list[list[Any]]:
    """Only what the logs themselves signed is kept of what was pasted. Errors: `InvalidInput`."""
    notes = _notes_in(text) if len(text) <= MAX_HEAD_TEXT else []
    if not 0 < len(notes) <= MAX_HEADS:
        detail = f"Up to {MAX_HEADS} checkpoints, {MAX_HEAD_TEXT:,} characters in all."
        raise InvalidInput(errors=[FieldProblem(pointer="/head", detail=detail)])
    heads = {_signed_head(note, number if len(notes) > 1 else 0) for number, note in enumerate(notes, 1)}
    return [list(head) for head in sorted(heads)]


def _notes_in(text: str) -> list[str]:
    """Signed notes that stand one below the other: each ends with its signature lines."""
    notes: list[list[str]] = [[]]
    for line in text.strip().replace("\r\n", "\n").split("\n"):
        is_signature = line.startswith(SIGNATURE)
        if notes[-1] and notes[-1][-1].startswith(SIGNATURE) and not is_signature:
            notes.append([])
        if line.strip() or notes[-1]:  # between two of them there may be empty lines
            notes[-1].append(line)
    return ["".join(f"{line}\n" for line in note) for note in notes if note]


def _signed_head(note: str, number: int) -> tuple[str, int, str]:
    """Origin, size and root hash. In: which of several it is, for the words. Errors: `InvalidInput`."""
    log = Log.objects.filter(origin=note.split("\n", 1)[0]).first() if len(note) <= MAX_HEAD else None
    try:
        found = open_checkpoint(note, origin=log.origin, log_verifiers=LogKeys.of(log).verifiers) if log else None
    except NoteError:
        found = None
    if found is None:
        which = f"Number {number}" if number else "This"
        detail = f"{which} is no checkpoint that a key of this installation signed for one of its logs."
        raise InvalidInput(errors=[FieldProblem(pointer="/head", detail=detail)])
    stated = found.checkpoint
    return stated.origin, stated.tree_size, stated.root_hash.hex()


SAME = (
    *("question", "system_id", "since", "until", "case_id", "decision_id", "subject", "form", "parts"),
    "heads",
)


def _made_before(key: uuid.UUID | None, export: Export) -> Export | None:
    found = Export.objects.filter(asked_by_id=export.asked_by_id, key=key).first() if key else None
    if found and any(getattr(found, name) != getattr(export, name) for name in SAME):
        raise ExportKeyTaken()
    return found


def _refuse_too_many(person_id: uuid.UUID) -> None:
    waiting = Export.objects.filter(asked_by_id=person_id, status__in=(Status.REQUESTED, Status.QUEUED))
    if waiting.count() >= AT_ONCE:
        raise TooManyExports()


def _decided(actor: Actor, export_id: uuid.UUID, answer: str) -> Export:
    export = _locked(actor, export_id)
    if not may_agree(actor, export):
        raise ApprovalForbidden()
    _require(export, Status.REQUESTED)
    export.decided_by_id, export.decided_at = person_id_of(actor), timezone.now()
    export.answer = text_of("answer", answer)
    return export


def _end(seal: Seal, actor: Actor, export: Export, status: Export.Status, kind: Kind) -> None:
    export.status, export.ended_at, export.ended_by_id = status, timezone.now(), actor.id
    ExportWork.objects.filter(export=export).update(worker=None)  # whoever is at it notices; the sweep does the rest
    write_export(seal, actor, kind, export)


def _locked(actor: Actor, export_id: uuid.UUID) -> Export:
    visible_export(actor, export_id)
    return Export.objects.select_for_update(no_key=True).get(pk=export_id)


def _queue(export: Export) -> None:
    """Have it made: not before everything that was received within its times is surely there."""
    now = timezone.now()
    ExportWork.objects.create(export=export, not_before=max(now, export.until + LATEST) if export.until else now)


def _require(export: Export, status: Export.Status) -> None:
    if export.status != status:
        raise ExportNotOpen()

"""What investigators write in a case: notes, findings, and what is to change because of them."""

import uuid
from datetime import date

from django.utils import timezone

from audit.case_access import may_work
from audit.case_errors import CaseNotFound, CasePartNotFound
from audit.case_kinds import ACTION_RECORDED, CASE_NOTED, FINDING_RECORDED
from audit.models import Case, CaseNote, CorrectiveAction, Finding, RootCause, Severity
from audit.services.case_writing import (
    active_person,
    case_to_add_to,
    case_to_work_on,
    locked_case,
    made_before,
    one_of,
    text_of,
    write_part,
)
from config.days import today
from config.errors import Conflict, FieldProblem, InvalidInput
from governance.actors import person_id_of
from ledger.entries import Actor
from ledger.sealing import Seal, sealing
from notices.outbox import tell

DONE, DROPPED = "done", "dropped"


def add_note(*, actor: Actor, case_id: uuid.UUID, text: str, key: uuid.UUID | None = None) -> CaseNote:
    """Write something down. Errors: `CaseNotFound`, `Forbidden`, `CaseClosed`, `InvalidInput`, `CaseKeyTaken`."""
    author, text = person_id_of(actor), text_of("text", text, ask="Write the note.")
    with sealing() as seal:
        case = case_to_add_to(actor, case_id)
        if known := made_before(CaseNote, actor, key, case_id=case_id):
            return known
        note = CaseNote(key=key, case=case, author_id=author, text=text)
        write_part(seal, actor, CASE_NOTED, note, case)
    return note


def record_finding(
    *,
    actor: Actor,
    case_id: uuid.UUID,
    text: str,
    severity: str,
    root_cause: str,
    replaces_id: uuid.UUID | None = None,
    key: uuid.UUID | None = None,
) -> Finding:
    """Say what was found, and where it came from. A finding that was wrong is replaced by a new one, and stays.

    Errors: `CaseNotFound`, `Forbidden`, `CaseClosed`, `InvalidInput`, `CasePartNotFound` where what is to be replaced
    is not in the case, or was replaced already.
    """
    author, text = person_id_of(actor), text_of("text", text, ask="Write what was found.")
    one_of("severity", severity, Severity.values)
    one_of("root_cause", root_cause, RootCause.values)
    with sealing() as seal:
        case = case_to_work_on(actor, case_id)
        if known := made_before(Finding, actor, key, case_id=case_id):
            return known
        finding = Finding(
            key=key,
            case=case,
            author_id=author,
            text=text,
            severity=severity,
            root_cause=root_cause,
            replaces=_to_replace(case, replaces_id),
        )
        write_part(seal, actor, FINDING_RECORDED, finding, case, {"severity": severity, "root_cause": root_cause})
    return finding


def plan_action(
    *,
    actor: Actor,
    case_id: uuid.UUID,
    kind: str,
    what: str,
    owner_id: uuid.UUID,
    due_on: date,
    key: uuid.UUID | None = None,
) -> CorrectiveAction:
    """Say what is to be done, by whom, until when. The owner is written to.

    Errors: `CaseNotFound`, `Forbidden`, `CaseClosed`, `InvalidInput`.
    """
    planner, what = person_id_of(actor), text_of("what", what, ask="Write what is to be done.")
    one_of("kind", kind, CorrectiveAction.Kind.values)
    if due_on < today():
        raise InvalidInput(errors=[FieldProblem(pointer="/due_on", detail="Not in the past.")])
    with sealing() as seal:
        case = case_to_work_on(actor, case_id)
        if known := made_before(CorrectiveAction, actor, key, case_id=case_id):
            return known
        action = CorrectiveAction(
            key=key,
            case=case,
            kind=kind,
            what=what,
            owner_id=active_person("owner_id", owner_id),
            due_on=due_on,
            planned_by_id=planner,
        )
        write_action(seal, actor, action, case, "planned")
        facts = {"case": str(case.pk), "due_on": due_on.isoformat()}
        tell(person_id=owner_id, kind="case.action_planned", fingerprint=f"case.action:{action.pk}", facts=facts)
    return action


def settle_action(
    *, actor: Actor, case_id: uuid.UUID, action_id: uuid.UUID, outcome: str, text: str
) -> CorrectiveAction:
    """Say that an action was done, with what shows it; or, as an investigator, why it will not be.

    Its owner says so, or whoever works on the case. The same again changes nothing. Errors: `CaseNotFound`,
    `CasePartNotFound`, `CaseClosed`, `InvalidInput`, `Conflict` where it was settled otherwise.
    """
    one_of("outcome", outcome, [DONE, DROPPED])
    ask = "Write what shows that it was done." if outcome == DONE else "Write why it will not be done."
    text = text_of("text", text, ask=ask)
    with sealing() as seal:
        case = locked_case(actor, case_id)
        action = _locked_action(actor, case, action_id, outcome)
        if action.is_settled:
            if (text, outcome) != _as_settled(action):
                raise Conflict("It was settled before: look at the case again.")
            return action
        now, action.settled_by_id = timezone.now(), actor.id
        if outcome == DONE:
            action.done_at, action.evidence = now, text
        else:
            action.dropped_at, action.dropped_because = now, text
        write_action(seal, actor, action, case, outcome)
    return action


def write_action(seal: Seal, actor: Actor, action: CorrectiveAction, case: Case, step: str) -> None:
    """`step`: planned, done, dropped, or passed on to somebody else."""
    facts = {"step": step, "kind": str(action.kind), "due_on": action.due_on.isoformat()}
    write_part(seal, actor, ACTION_RECORDED, action, case, facts | {"owner": str(action.owner_id)})


def _locked_action(actor: Actor, case: Case, action_id: uuid.UUID, outcome: str) -> CorrectiveAction:
    action = case.actions.select_for_update(no_key=True, of=("self",)).filter(pk=action_id).first()
    works = may_work(actor, case)
    is_owner = action is not None and actor.type == "person" and action.owner_id == actor.id
    if action is None or not (works or (is_owner and outcome == DONE)):
        raise CasePartNotFound() if works or is_owner else CaseNotFound()
    return action


def _as_settled(action: CorrectiveAction) -> tuple[str, str]:
    return (action.evidence, DONE) if action.done_at else (action.dropped_because, DROPPED)


def _to_replace(case: Case, finding_id: uuid.UUID | None) -> Finding | None:
    if finding_id is None:
        return None
    found = case.findings.filter(pk=finding_id, replaced_by=None).first()
    if found is None:
        raise CasePartNotFound("This finding is not in the case, or was replaced already.")
    return found

"""The inner steps of every service of investigations: the case locked, texts checked, repeats recognised."""

import uuid
from typing import Any, TypeVar

from audit.case_access import may, may_add, may_view, may_work
from audit.case_errors import CaseChanged, CaseClosed, CaseKeyTaken, CaseNotFound
from audit.models import Case
from audit.models.cases import MAX_TEXT
from audit.restricted_texts import NOTICE
from config.errors import FieldProblem, Forbidden, InvalidInput
from governance.acts import Act
from governance.changes import write
from governance.models import Person
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.rows import GovernedRow, KeyedRow
from ledger.sealing import Seal
from notices.outbox import announce

R = TypeVar("R", bound=KeyedRow)


def locked_case(actor: Actor, case_id: uuid.UUID, *, closed_too: bool = False) -> Case:
    """A case that somebody may know of, locked: of two acts on one case, the second waits.

    Errors: `CaseNotFound`, `CaseClosed`.
    """
    case = Case.objects.select_for_update(no_key=True).filter(pk=case_id).first()
    if case is None or not may_view(actor, case):
        raise CaseNotFound()
    if not case.is_open and not closed_too:
        raise CaseClosed()
    return case


def case_to_work_on(actor: Actor, case_id: uuid.UUID, *, closed_too: bool = False) -> Case:
    """The same, of somebody who works on it. Errors: `Forbidden` too."""
    case = locked_case(actor, case_id, closed_too=closed_too)
    if not may_work(actor, case):
        raise Forbidden("Only its investigators work on a case, and none of them who answers for what it is about.")
    return case


def case_to_add_to(actor: Actor, case_id: uuid.UUID) -> Case:
    """The same, of somebody who puts decisions in or writes a note. Errors: `Forbidden` too."""
    case = locked_case(actor, case_id)
    if not may_add(actor, case):
        raise Forbidden("Only its investigators add to a case. Whoever opened it does until somebody leads it.")
    return case


def require_in(actor: Actor, act: Act, case: Case) -> None:
    """Errors: `Forbidden`."""
    if not may(actor, act, case):
        raise Forbidden()


def refuse_stale(row: GovernedRow, revision: int | None) -> None:
    """What was written over an older state than the one that stands is not taken. Errors: `CaseChanged`."""
    if revision is not None and revision != row.revision:
        raise CaseChanged()


def made_before(kind: type[R], actor: Actor, key: uuid.UUID | None, **same: object) -> R | None:
    """What their key made before: a double click or a retry. Errors: `CaseKeyTaken` where it was something else."""
    found = kind._default_manager.filter(**{kind.KEYED_BY: actor.id}, key=key).first() if key else None
    if found is not None and any(getattr(found, name) != value for name, value in same.items()):
        raise CaseKeyTaken()
    return found


def text_of(name: str, text: str, *, ask: str = "", may_stand: bool = False) -> str:
    """What somebody wrote, without space around it. `ask`: what to write, where it may not be empty. `may_stand`: the
    notice in place of what is restricted means that it stays (`as_they_stood`); else nobody wrote that.

    Errors: `InvalidInput`.
    """
    text = text.strip()
    if text == NOTICE and not may_stand:
        detail = "This is the notice in place of what is restricted. Write what is to stand here."
        raise InvalidInput(errors=[FieldProblem(pointer=f"/{name}", detail=detail)])
    if ask and not text:
        raise InvalidInput(errors=[FieldProblem(pointer=f"/{name}", detail=ask)])
    if len(text) > MAX_TEXT or "\0" in text:
        detail = f"Up to {MAX_TEXT:,} characters, without NUL."
        raise InvalidInput(errors=[FieldProblem(pointer=f"/{name}", detail=detail)])
    return text


def one_of(name: str, value: str, values: list[str]) -> str:
    """Errors: `InvalidInput`."""
    if value not in values:
        problem = FieldProblem(pointer=f"/{name}", detail="There is no such choice.", expected=", ".join(values))
        raise InvalidInput(errors=[problem])
    return value


def active_person(name: str, person_id: uuid.UUID) -> uuid.UUID:
    """Somebody who is still here. Errors: `InvalidInput`."""
    if not Person.objects.filter(pk=person_id, is_active=True).exists():
        raise InvalidInput(errors=[FieldProblem(pointer=f"/{name}", detail="Somebody who is still here.")])
    return person_id


def write_case(
    seal: Seal, actor: Actor, kind: Kind, case: Case, *, facts: dict[str, Any] | None = None, reason: str = ""
) -> None:
    """Every entry about a case says which one, in which state, how severe."""
    said = {"case": case.reference, "status": str(case.status), "severity": str(case.severity)}
    write(seal, actor=actor, kind=kind, row=case, facts=said | (facts or {}), reason=reason)


def announce_case(event: str, case: Case, **facts: str) -> None:
    """Tell webhook endpoints, once for each AI system: ids and states, never what was written."""
    said = {"case": case.reference, "status": str(case.status), "severity": str(case.severity)} | facts
    for system_id in case.system_ids:
        announce(event=event, system_id=system_id, about_id=case.pk, facts=said)


def write_part(
    seal: Seal, actor: Actor, kind: Kind, row: GovernedRow, case: Case, facts: dict[str, Any] | None = None
) -> None:
    """An entry about something in a case names the case."""
    write(seal, actor=actor, kind=kind, row=row, facts={"case": case.reference, **(facts or {})})

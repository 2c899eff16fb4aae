"""Templates of explanation letters: written by those who know the AI system, published by somebody else.

Each save of a draft is sealed, on top of the one its writer had before them. What is published is exactly what the
second person looked at; the template in force before is superseded.
"""

import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db.models import Max
from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.errors import ApprovalForbidden
from governance.kinds import (
    LETTER_TEMPLATE_DRAFTED,
    LETTER_TEMPLATE_PUBLISHED,
    LETTER_TEMPLATE_RETURNED,
    LETTER_TEMPLATE_SUBMITTED,
    LETTER_TEMPLATE_SUPERSEDED,
    LETTER_TEMPLATE_WITHDRAWN,
)
from governance.letter_templates.errors import (
    LetterTemplateChanged,
    LetterTemplateNotFound,
    LetterTemplateNotSubmitted,
    LetterTemplateUnchanged,
    LetterTemplateWaits,
)
from governance.letter_templates.languages import PHRASE_NAMES, TAG
from governance.letter_templates.text import UNPRINTABLE, template_problems, tidy
from governance.letter_templates.wording import MOST_REASONS, REASONS, Side
from governance.letter_templates.words import words_problems
from governance.models import LetterTemplate
from governance.scopes import Scope
from governance.selectors import draft_template, template_in_force
from governance.services.systems import locked_system
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing

Status = LetterTemplate.Status
MAX_DETAIL = 1_000
"""Characters of who is responsible, and whom to turn to."""
MOST_DAYS = 3_660


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateContent:
    """What a template says."""

    text: str
    words: str = ""
    responsible: str = ""
    contact: str = ""
    contest_days: int | None = None
    reasons_most: int = REASONS
    reasons_side: str = Side.OUTCOME
    names_staff: bool = False

    @classmethod
    def of(cls, template: LetterTemplate) -> "TemplateContent":
        return cls(**{name: getattr(template, name) for name in cls.__dataclass_fields__})

    def tidied(self) -> "TemplateContent":
        lines = {
            name: getattr(self, name).replace("\r\n", "\n").strip() for name in ("words", "responsible", "contact")
        }
        return TemplateContent(**asdict(self) | lines | {"text": tidy(self.text)})


def save_letter_template(
    *, actor: Actor, system_id: uuid.UUID, language: str, content: TemplateContent, base: int | None = None
) -> LetterTemplate:
    """Begin a draft (`base` None), or save the one there is on top of the revision `base`.

    Errors: `Forbidden`, `PersonNeeded`, `SystemNotFound`, `InvalidInput` with each place that is wrong,
    `LetterTemplateChanged`, `LetterTemplateWaits`.
    """
    rights.require(actor, Act.LETTER_TEMPLATE_EDIT, Scope.system(system_id))
    person_id, content = person_id_of(actor), content.tidied()
    if problems := [*_language_problems(language), *_content_problems(content)]:
        raise InvalidInput(errors=problems)
    with sealing() as seal:
        system, now = locked_system(system_id), timezone.now()
        draft = draft_template(system_id, language)
        if (draft.revision if draft else None) != base:
            raise LetterTemplateChanged()
        _refuse_waiting(draft)
        if draft and draft.saved_by_id == person_id and TemplateContent.of(draft) == content:
            return draft
        draft = draft or LetterTemplate(system=system, language=language)
        for name, value in asdict(content).items():
            setattr(draft, name, value)
        draft.saved_by_id, draft.saved_at = person_id, now
        draft.written_by = list(dict.fromkeys([*draft.written_by, person_id]))
        _write(seal, actor, LETTER_TEMPLATE_DRAFTED, draft, now)
    return draft


def submit_letter_template(
    *, actor: Actor, system_id: uuid.UUID, language: str, base: int, note: str = ""
) -> LetterTemplate:
    """Ask a second person to publish the draft as it was at revision `base`.

    Errors: `Forbidden`, `PersonNeeded`, `LetterTemplateNotFound`, `LetterTemplateChanged`, `LetterTemplateWaits`,
    `LetterTemplateUnchanged`.
    """
    rights.require(actor, Act.LETTER_TEMPLATE_PUBLISH, Scope.system(system_id))
    person_id, now = person_id_of(actor), timezone.now()
    with sealing() as seal:
        locked_system(system_id)
        draft = _there(draft_template(system_id, language))
        _refuse_waiting(draft)
        if draft.revision != base:
            raise LetterTemplateChanged()
        _refuse_unchanged(draft)
        draft.status, draft.note, draft.answer = Status.SUBMITTED, note, ""
        draft.submitted_by_id, draft.submitted_at = person_id, now
        _write(seal, actor, LETTER_TEMPLATE_SUBMITTED, draft, now)
    return draft


def return_letter_template(*, actor: Actor, system_id: uuid.UUID, language: str, reason: str) -> LetterTemplate:
    """Send what was submitted back to be worked on, as the second person; or take one's own back.

    Errors: `ApprovalForbidden`, `LetterTemplateNotSubmitted`, `InvalidInput` without a reason.
    """
    scope = Scope.system(system_id)
    with sealing() as seal:
        locked_system(system_id)
        draft = draft_template(system_id, language)
        is_own = draft is not None and actor.type == "person" and actor.id == draft.submitted_by_id
        if not is_own:
            rights.require_approval(actor, Act.LETTER_TEMPLATE_PUBLISH, scope, requested_by=None)
            if draft is not None:
                require_second(actor, draft)
        draft = _submitted(draft)
        if not reason.strip():
            raise InvalidInput(errors=[FieldProblem(pointer="/reason", detail="Say what is to be changed, or why.")])
        draft.status, draft.answer = Status.DRAFT, reason
        _write(seal, actor, LETTER_TEMPLATE_RETURNED, draft, timezone.now())
    return draft


def return_templates_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they submitted is a draft again. Returns how many."""
    waiting = LetterTemplate.objects.select_for_update(no_key=True, of=("self",)).filter(status=Status.SUBMITTED)
    found = list(waiting.filter(submitted_by_id=person_id).order_by("pk"))
    for draft in found:
        draft.status, draft.answer = Status.DRAFT, "Whoever submitted it has left."
        _write(seal, actor, LETTER_TEMPLATE_RETURNED, draft, timezone.now())
    return len(found)


def publish_letter_template(*, actor: Actor, system_id: uuid.UUID, language: str, base: int) -> LetterTemplate:
    """Publish what was submitted, as it was at revision `base`, as somebody who saved or submitted nothing of it.

    Errors: `ApprovalForbidden`, `LetterTemplateNotFound`, `LetterTemplateNotSubmitted`, `LetterTemplateChanged`,
    `LetterTemplateUnchanged`, `RequestVoid` where whoever submitted it may not any more: it is submitted anew.
    """
    # the right first: whether there is a draft is not told to others
    rights.require_approval(actor, Act.LETTER_TEMPLATE_PUBLISH, Scope.system(system_id), requested_by=None)
    with sealing() as seal:
        locked_system(system_id)
        draft, now = _there(draft_template(system_id, language)), timezone.now()
        require_second(actor, draft)
        _submitted(draft)
        rights.require_asker(draft.submitted_by_id, Act.LETTER_TEMPLATE_PUBLISH, Scope.system(system_id))
        if draft.revision != base:
            raise LetterTemplateChanged()
        _supersede(seal, actor, draft, now)
        draft.status, draft.number = Status.PUBLISHED, _next_number(draft)
        draft.published_by_id, draft.published_at = person_id_of(actor), now
        _write(seal, actor, LETTER_TEMPLATE_PUBLISHED, draft, now)
    return draft


def withdraw_letter_template(*, actor: Actor, system_id: uuid.UUID, language: str, reason: str = "") -> LetterTemplate:
    """Give a draft up; its text stays in its history.

    Errors: `Forbidden`, `PersonNeeded`, `LetterTemplateNotFound`.
    """
    rights.require(actor, Act.LETTER_TEMPLATE_EDIT, Scope.system(system_id))
    person_id_of(actor)
    with sealing() as seal:
        locked_system(system_id)
        draft = _there(draft_template(system_id, language))
        draft.status = Status.WITHDRAWN
        _write(seal, actor, LETTER_TEMPLATE_WITHDRAWN, draft, timezone.now(), reason)
    return draft


def require_second(actor: Actor, draft: LetterTemplate) -> None:
    """Errors: `ApprovalForbidden`."""
    if not may_publish_template(actor, draft):
        raise ApprovalForbidden()


def may_publish_template(actor: Actor, draft: LetterTemplate) -> bool:
    """Whether this person may be the second one: nobody who wrote of it, or submitted it."""
    scope = Scope.system(draft.system_id)
    return all(
        rights.may_approve(actor, Act.LETTER_TEMPLATE_PUBLISH, scope, requested_by=other)
        for other in {draft.submitted_by_id, draft.saved_by_id, *draft.written_by}
    )


def _there(draft: LetterTemplate | None) -> LetterTemplate:
    if draft is None:
        raise LetterTemplateNotFound("There is no draft in this language.")
    return draft


def _submitted(draft: LetterTemplate | None) -> LetterTemplate:
    if draft is None or draft.status != Status.SUBMITTED:
        raise LetterTemplateNotSubmitted()
    return draft


def _refuse_waiting(draft: LetterTemplate | None) -> None:
    if draft is not None and draft.status == Status.SUBMITTED:
        raise LetterTemplateWaits()


def _refuse_unchanged(draft: LetterTemplate) -> None:
    held = template_in_force(draft.system_id, draft.language)
    if held is not None and TemplateContent.of(held) == TemplateContent.of(draft):
        raise LetterTemplateUnchanged()


def _supersede(seal: Seal, actor: Actor, draft: LetterTemplate, at: datetime) -> None:
    held = template_in_force(draft.system_id, draft.language)
    if held is None:
        return
    _refuse_unchanged(draft)
    held.status, held.superseded_at = Status.SUPERSEDED, at
    _write(seal, actor, LETTER_TEMPLATE_SUPERSEDED, held, at)


def _next_number(draft: LetterTemplate) -> int:
    rows = LetterTemplate.objects.filter(system_id=draft.system_id, language=draft.language)
    return (rows.aggregate(last=Max("number"))["last"] or 0) + 1


def _language_problems(language: str) -> Iterator[FieldProblem]:
    if not TAG.fullmatch(language):
        yield FieldProblem(pointer="/language", detail="This is no language tag.", expected="as en or pt-BR")


def _content_problems(content: TemplateContent) -> Iterator[FieldProblem]:
    yield from template_problems(content.text)
    yield from words_problems(content.words, PHRASE_NAMES)
    for name in ("responsible", "contact"):
        said = getattr(content, name)
        if len(said) > MAX_DETAIL or UNPRINTABLE.search(said.replace("\n", "")):
            yield FieldProblem(pointer=f"/{name}", detail=f"Plain text of up to {MAX_DETAIL:,} characters.")
    if content.contest_days is not None and not 1 <= content.contest_days <= MOST_DAYS:
        yield FieldProblem(pointer="/contest_days", detail="A number of days.", expected=f"1 to {MOST_DAYS:,}")
    if not 1 <= content.reasons_most <= MOST_REASONS:
        yield FieldProblem(pointer="/reasons_most", detail="How many at most.", expected=f"1 to {MOST_REASONS}")
    if content.reasons_side not in Side.values:
        yield FieldProblem(pointer="/reasons_side", detail="Not one of the choices.", expected=", ".join(Side.values))


def _write(seal: Seal, actor: Actor, kind: Kind, row: LetterTemplate, at: datetime, reason: str = "") -> None:
    facts = {"status": str(row.status), "language": row.language}
    numbered = facts | ({"template": row.number} if row.number else {})
    write(seal, actor=actor, kind=kind, row=row, system_id=row.system_id, facts=numbered, reason=reason, at=at)

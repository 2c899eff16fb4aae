"""Templates of explanation letters, and letters, as the product makes them."""

from typing import Any

from audit.selectors import SealedDecision
from evidence.models import ExplanationLetter
from evidence.services.letters import issue_letter
from governance.models import AISystem, LetterTemplate, Person
from governance.services.letter_templates import (
    TemplateContent,
    publish_letter_template,
    save_letter_template,
    submit_letter_template,
)
from tests.factories.cards import publisher_of, writer_of
from tests.factories.register import actor_of

TEXT = """\
# Your application

Decided on {decided_on}: {outcome}

{reasons}

{ai_role} {who_decided} Write to {contact} until {contest_until}.
"""
WORDS = """\
LATE = Payments came late
INC = Your income
outcome:approved = Your application was granted.
outcome:refused = Your application was refused.
number = The number of your application
"""


def content(**changes: Any) -> TemplateContent:
    given: dict[str, Any] = {"text": TEXT, "words": WORDS, "contact": "Customer desk", "contest_days": 30}
    return TemplateContent(**given | changes)


def save(
    system: AISystem, writer: Person, language: str = "en", base: int | None = None, **said: Any
) -> LetterTemplate:
    return save_letter_template(
        actor=actor_of(writer), system_id=system.pk, language=language, content=content(**said), base=base
    )


def submit(person: Person, draft: LetterTemplate, note: str = "") -> LetterTemplate:
    place: dict[str, Any] = {"system_id": draft.system_id, "language": draft.language}
    return submit_letter_template(actor=actor_of(person), base=draft.revision, note=note, **place)


def publish(
    system: AISystem, language: str = "en", *, writer: Person | None = None, by: Person | None = None, **said: Any
) -> LetterTemplate:
    """A published template, by two people."""
    by_whom = writer or writer_of(system)
    draft = submit(by_whom, save(system, by_whom, language, **said))
    publisher = actor_of(by or publisher_of(system))
    return publish_letter_template(actor=publisher, system_id=system.pk, language=language, base=draft.revision)


def issue(decision: SealedDecision, person: Person, language: str = "en", **rest: Any) -> ExplanationLetter:
    return issue_letter(actor=actor_of(person), decision_id=decision.id, language=language, **rest)

"""Letters and templates over the API: the same services, the same rights, clear problems."""

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from audit.selectors import SealedDecision
from config.ids import new_id
from evidence.models import ExplanationLetter
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.tokens import create_token
from tests.factories import cards, letters
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
TEMPLATES = "/api/v1/systems/credit/letter-templates"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit")


@pytest.fixture
def owner(system: AISystem) -> Person:
    person = make_person()
    give_role(person, Role.ACCOUNTABLE, Scope.system(system.pk))
    return person


@pytest.fixture
def decision(system: AISystem, owner: Person) -> SealedDecision:
    letters.publish(system, by=owner)
    return record_decision(system, outcome="refused", adverse=True)


def client(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def problem(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    return str(answer.json()["type"].rpartition("/")[2])


def url(decision: SealedDecision, path: str = "") -> str:
    return f"/api/v1/decisions/{decision.id}/letters{path}"


def test_from_a_preview_to_an_issued_letter_and_its_withdrawal(decision: SealedDecision, owner: Person) -> None:
    mine = client(owner)
    shown = mine.post(url(decision, "/preview"), {"language": "en"}, format="json").json()
    assert (shown["template"], shown["missing"]) == (1, [])
    told = {"name": "reasons", "lines": ["Payments came late"], "found_in": "the stored explanation"}
    assert told in shown["facts"]
    asked = {"language": "en", "seen": shown["seen"], "addressee": "Ada", "key": str(new_id())}
    issued = mine.post(url(decision), asked, format="json")
    assert issued.status_code == 201
    assert mine.post(url(decision), asked, format="json").json()["id"] == issued.json()["id"]
    letter = issued.json()
    assert (letter["text"], letter["is_edited"], letter["stands"]) == (shown["text"], False, True)
    assert letter["entry"]["origin"].endswith(f"/logs/{decision.log_id}")
    assert mine.get(f"/api/v1/letters/{letter['id']}").json() == letter
    listed = mine.get(url(decision)).json()["items"]
    assert [each["reference"] for each in listed] == [letter["reference"]]
    assert "text" not in listed[0] and "check_key" not in listed[0]
    gone = mine.post(f"/api/v1/letters/{letter['id']}/withdraw", {"reason": "Wrong person."}, format="json")
    assert (gone.json()["status"], gone.json()["stands"]) == ("withdrawn", False)
    again = mine.post(f"/api/v1/letters/{letter['id']}/withdraw", {"reason": "Wrong person."}, format="json")
    assert problem(again, 409) == "letter-not-in-force"


def test_what_is_not_known_or_changed_is_named_with_its_place(decision: SealedDecision, owner: Person) -> None:
    mine = client(owner)
    refused = mine.post(url(decision), {"language": "en", "text": "Write to\n{addressee}."}, format="json")
    assert problem(refused, 422) == "letter-incomplete"
    assert refused.json()["errors"][0]["detail"].startswith("Line 2, column 1: {addressee} is not known.")
    changed = mine.post(url(decision), {"language": "en", "seen": {"outcome": "granted"}}, format="json")
    assert problem(changed, 409) == "letter-facts-changed"
    assert problem(mine.post(url(decision), {"language": "it"}, format="json"), 404) == "letter-template-not-found"
    assert problem(mine.post(url(decision), {"language": "English"}, format="json"), 422) == "invalid-input"
    assert not ExplanationLetter.objects.exists()


def test_who_may_know_of_it_lists_and_reads_nothing(decision: SealedDecision, owner: Person) -> None:
    letter, auditor, stranger = letters.issue(decision, owner), client(make_person(auditor=True)), client(make_person())
    assert auditor.get(url(decision)).json()["items"][0]["reference"] == letter.reference
    assert problem(auditor.get(f"/api/v1/letters/{letter.pk}"), 403) == "forbidden"
    assert problem(auditor.post(url(decision), {"language": "en"}, format="json"), 403) == "forbidden"
    assert problem(stranger.get(url(decision)), 404) == "decision-not-found"
    assert problem(stranger.get(f"/api/v1/letters/{letter.pk}"), 404) == "letter-not-found"
    key = APIClient(headers={"Authorization": f"Bearer {make_key(AISystem.objects.get()).text}"})
    assert problem(key.get(f"/api/v1/letters/{letter.pk}"), 403) == "person-needed"


def test_a_template_from_a_draft_to_being_in_force(system: AISystem, owner: Person) -> None:
    writer, mine = cards.writer_of(system), client(owner)
    theirs = client(writer)
    said = {"text": "It was {outcom}.\n", "words": "a", "contest_days": 0}
    refused = theirs.put(f"{TEMPLATES}/en/draft", said, format="json")
    assert problem(refused, 422) == "invalid-input"
    assert {each["pointer"] for each in refused.json()["errors"]} == {"/text", "/words", "/contest_days"}
    saved = theirs.put(f"{TEMPLATES}/en/draft", {"text": "It was {outcome}.\n"}, format="json")
    assert (saved.json()["status"], saved.json()["number"]) == ("draft", None)
    base = {"base": saved.json()["base"]}
    assert problem(theirs.post(f"{TEMPLATES}/en/publish", base, format="json"), 403) == "approval-forbidden"
    stale = theirs.put(f"{TEMPLATES}/en/draft", {"text": "Other", "base": 99}, format="json")
    assert problem(stale, 409) == "letter-template-changed"
    assert mine.get(f"{TEMPLATES}/en/draft").json() == saved.json()
    assert problem(mine.post(f"{TEMPLATES}/en/publish", base, format="json"), 409) == "letter-template-not-submitted"
    asked = theirs.post(f"{TEMPLATES}/en/submit", base | {"note": "Plain words."}, format="json").json()
    assert (asked["status"], asked["note"], asked["submitted_by_id"]) == ("submitted", "Plain words.", str(writer.pk))
    assert mine.post(f"{TEMPLATES}/en/return", {"reason": "A word more."}, format="json").status_code == 204
    base = {"base": theirs.get(f"{TEMPLATES}/en/draft").json()["base"]}
    base = {"base": theirs.post(f"{TEMPLATES}/en/submit", base, format="json").json()["base"]}
    published = mine.post(f"{TEMPLATES}/en/publish", base, format="json")
    assert (published.status_code, published.json()["number"]) == (201, 1)
    viewer = client(make_person(viewer=True))
    assert viewer.get(f"{TEMPLATES}/en").json() == published.json()
    assert [each["number"] for each in viewer.get(TEMPLATES).json()["items"]] == [1]
    assert problem(viewer.get(f"{TEMPLATES}/de"), 404) == "letter-template-not-found"
    letters.save(system, writer)
    assert problem(viewer.get(f"{TEMPLATES}/en/draft"), 404) == "letter-template-not-found"
    assert problem(client(make_person()).get(TEMPLATES), 404) == "system-not-found"
    assert theirs.post(f"{TEMPLATES}/en/withdraw", {}, format="json").status_code == 204

"""Cards over the API: the same services, the same rights, clear problems."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.cards import withdraw_card
from governance.services.tokens import create_token
from tests.factories import cards
from tests.factories.cards import COMPLETE, RANGE, content
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
URL = "/api/v1/systems/credit/cards"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit")


def client(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def problem(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    return str(answer.json()["type"].rpartition("/")[2])


def test_from_nothing_to_a_card_in_force(system: AISystem) -> None:
    mine, theirs = client(cards.writer_of(system)), client(cards.publisher_of(system))
    assert mine.get(URL).json()["items"] == []
    started = mine.post(f"{URL}/draft", {}, format="json")
    assert (started.status_code, started.json()["base"], started.json()["content"]) == (201, 1, {})
    assert sum(gap["blocks"] for gap in started.json()["gaps"]) == 10
    saved = mine.put(f"{URL}/draft", {"base": 1, "content": content(RANGE)}, format="json")
    assert (saved.status_code, saved.json()["base"]) == (200, 2)
    assert not any(gap["blocks"] for gap in saved.json()["gaps"])
    submitted = mine.post(f"{URL}/draft/submit", {"base": 2, "note": "First."}, format="json").json()
    assert (submitted["status"], submitted["note"]) == ("submitted", "First.")
    digest = {"content_digest": submitted["content_digest"]}
    assert problem(mine.post(f"{URL}/draft/publish", digest, format="json"), 403) == "approval-forbidden"
    published = theirs.post(f"{URL}/draft/publish", digest, format="json")
    assert (published.status_code, published.json()["number"]) == (201, 1)
    assert published.json()["content"] == content(RANGE)
    assert len(published.json()["digest"]) == len(published.json()["check_key"]) == 64
    assert mine.get(f"{URL}/1").json() == published.json()
    assert [each["number"] for each in mine.get(URL).json()["items"]] == [1]
    assert problem(mine.get(f"{URL}/2"), 404) == "card-not-found"
    assert problem(mine.get(f"{URL}/draft"), 404) == "card-draft-not-found"


def test_the_card_that_was_in_force_at_a_time(system: AISystem) -> None:
    before = timezone.now()
    cards.publish(system)
    mine = client(cards.writer_of(system))
    for at, numbers in ((before, []), (timezone.now(), [1]), (timezone.now() + timedelta(days=1), [1])):
        found = mine.get(URL, {"at": at.isoformat()}).json()["items"]
        assert [each["number"] for each in found] == numbers
    assert problem(mine.get(URL, {"at": "3 March"}), 422) == "invalid-input"


def test_what_is_wrong_is_told_with_its_place(system: AISystem) -> None:
    mine = client(cards.writer_of(system))
    mine.post(f"{URL}/draft", {}, format="json")
    wrong = {"base": 1, "content": {"purpose": {"intended": 1}, "performance": {"results": [{"value": "x"}]}}}
    answer = mine.put(f"{URL}/draft", wrong, format="json")
    assert problem(answer, 422) == "invalid-input"
    found = {each["pointer"] for each in answer.json()["errors"]}
    assert found == {"/purpose/intended", "/performance/results/0/value"}
    answer = mine.post(f"{URL}/draft/submit", {"base": 1}, format="json")
    assert problem(answer, 409) == "card-incomplete"
    assert "/contacts/people" in {each["pointer"] for each in answer.json()["errors"]}
    assert problem(mine.put(f"{URL}/draft", {"base": 1, "content": []}, format="json"), 422) == "invalid-input"
    nul = json.dumps({"base": 1, "content": {"purpose": {"intended": "a\0"}}})
    assert problem(mine.put(f"{URL}/draft", nul, content_type="application/json"), 422) == "invalid-input"


def test_nothing_of_somebody_elses_is_overwritten(system: AISystem) -> None:
    mine, theirs = client(cards.writer_of(system)), client(cards.writer_of(system))
    mine.post(f"{URL}/draft", {}, format="json")
    assert theirs.put(f"{URL}/draft", {"base": 1, "content": COMPLETE}, format="json").status_code == 200
    answer = mine.put(f"{URL}/draft", {"base": 1, "content": content(data={"sources": "Mine."})}, format="json")
    assert problem(answer, 409) == "card-draft-changed"
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/data/sources"]
    assert "Mine." not in answer.content.decode()
    assert problem(mine.post(f"{URL}/draft", {}, format="json"), 409) == "card-draft-exists"


def test_it_goes_back_and_is_given_up(system: AISystem) -> None:
    writer = cards.writer_of(system)
    mine, theirs = client(writer), client(cards.publisher_of(system))
    cards.submit(system, writer)
    assert problem(theirs.post(f"{URL}/draft/return", {}, format="json"), 422) == "invalid-input"
    assert theirs.post(f"{URL}/draft/return", {"reason": "Which test?"}, format="json").status_code == 204
    assert mine.get(f"{URL}/draft").json()["answer"] == "Which test?"
    assert problem(theirs.post(f"{URL}/draft/return", {"reason": "x"}, format="json"), 409) == "card-not-submitted"
    assert mine.post(f"{URL}/draft/withdraw", {}, format="json").status_code == 204
    assert problem(mine.get(f"{URL}/draft"), 404) == "card-draft-not-found"


def test_publishing_asks_for_a_factor_of_just_now(system: AISystem) -> None:
    card = cards.submit(system, cards.writer_of(system))
    theirs = client(cards.publisher_of(system))
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        answer = theirs.post(f"{URL}/draft/publish", {"content_digest": card.content_digest}, format="json")
    assert problem(answer, 403) == "factor-not-fresh"


def test_viewers_read_what_is_published_and_no_draft(system: AISystem) -> None:
    cards.publish(system)
    cards.submit(system, cards.writer_of(system), content(RANGE))
    viewer = make_person()
    give_role(viewer, Role.VIEWER, Scope.system(system.pk))
    theirs = client(viewer)
    assert theirs.get(f"{URL}/1").json()["content"] == COMPLETE
    assert problem(theirs.get(f"{URL}/draft"), 404) == "card-draft-not-found"
    answer = theirs.put(f"{URL}/draft", {"base": 1, "content": COMPLETE}, format="json")
    assert problem(answer, 403) == "forbidden"


def test_strangers_learn_nothing(system: AISystem) -> None:
    cards.publish(system)
    writer = cards.writer_of(system)
    stranger = client(make_person(operator=make_system()))
    for draft in (True, False):
        if draft:
            cards.draft(system, writer, content(RANGE))
        else:
            withdraw_card(actor=actor_of(writer), system_id=system.pk)
        for path in ("", "/1", "/9", "/draft"):
            assert problem(stranger.get(f"{URL}{path}"), 404) == "system-not-found"
        for act in ("submit", "publish", "return", "withdraw"):
            body = {"base": 1, "content_digest": "x", "reason": "x"}
            wanted = {"submit": ["base"], "publish": ["content_digest"]}.get(act, ["reason"])
            answer = stranger.post(f"{URL}/draft/{act}", {name: body[name] for name in wanted}, format="json")
            assert problem(answer, 404) == "system-not-found"


def test_a_key_is_told_that_a_person_is_needed(system: AISystem) -> None:
    key = make_key(system, scopes=["register:write"])
    service = APIClient(headers={"Authorization": f"Bearer {key.text}"})
    assert problem(service.get(URL), 403) == "person-needed"

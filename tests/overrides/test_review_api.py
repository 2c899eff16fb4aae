"""Reviews over HTTP, as a reviewer's page and a calling service use them."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from governance.models import AISystem, Person
from governance.services.tokens import create_token
from ledger.models import Entry
from overrides.models import ReviewRule, RuleChange
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


def person_client(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def key_client(system: AISystem, *scopes: str) -> APIClient:
    return APIClient(headers={"Authorization": f"Bearer {make_key(system, scopes=scopes).text}"})


def test_a_review_from_the_queue_to_the_effect(system: AISystem) -> None:
    reviewer, caller = person_client(make_person(reviewer=system)), key_client(system, "decisions:write")
    review = open_review(system)
    address = f"/api/v1/decisions/{review.decision_id}"
    held = caller.get(f"{address}/effective").json()
    assert (held["status"], held["action"], held["review"]["id"]) == ("pending", "hold", str(review.pk))
    assert reviewer.get("/api/v1/reviews/counts").json()["claimable"] == 1
    work = reviewer.post("/api/v1/reviews/claim-next", {}).json()
    item = reviewer.get(f"/api/v1/reviews/work/{work['token']}").json()
    assert (item["original_outcome"], item["work"]["review"]["version"]) == ("refused", 1)
    body = {
        "version": 1,
        "decision": "modify",
        "outcome": "approved",
        "output": {"limit": 4000},
        "reason_code": "wrong-input",
        "note": "Misread.",
    }
    for _ in range(2):
        assert reviewer.post(f"/api/v1/reviews/work/{work['token']}/submit", body).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=11)):
        final = caller.get(f"{address}/effective").json()
        assert (final["status"], final["effective_outcome"], final["output"]) == ("final", "approved", None)
        done = {"outcome": "approved", "occurred_at": timezone.now().isoformat()}
        assert caller.post(f"{address}/effect", done).json()["status"] == "confirmed"
        assert caller.get(f"{address}/effective").json()["effect"]["status"] == "confirmed"
        payloads = key_client(system, "decisions:read", "payloads:read")
        assert payloads.get(f"{address}/effective").json()["output"] == {"limit": 4000}
        mine = reviewer.get(f"/api/v1/reviews/{review.pk}").json()["work"][0]
        assert mine["dwell_s"] is not None


def test_a_persons_dwell_is_theirs_and_the_queue_owners_only(system: AISystem) -> None:
    owner, person = make_person(reviewer=system), make_person(reviewer=system)
    review = open_review(system, rule=make_rule(system, make_queue(owner)))
    client = person_client(person)
    token = client.post(f"/api/v1/reviews/{review.pk}/claim").json()["token"]
    client.get(f"/api/v1/reviews/work/{token}")
    client.post(f"/api/v1/reviews/work/{token}/submit", {"version": 1, "decision": "confirm"})
    seen = [
        person_client(each).get(f"/api/v1/reviews/{review.pk}").json()["work"][0]["dwell_s"] is not None
        for each in (person, owner, make_person(accountable=system))
    ]
    assert seen == [True, True, False]


def test_a_lost_claim_is_a_409_and_the_draft_is_there(system: AISystem) -> None:
    client, review = person_client(make_person(reviewer=system)), open_review(system)
    token = client.post(f"/api/v1/reviews/{review.pk}/claim").json()["token"]
    assert client.put(f"/api/v1/reviews/work/{token}/draft", {"draft": {"note": "a"}}).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        lost = client.put(f"/api/v1/reviews/work/{token}/draft", {"draft": {"note": "ab"}})
        assert (lost.status_code, lost.json()["type"]) == (409, "/problems/claim-lost")
        again = client.post(f"/api/v1/reviews/{review.pk}/claim").json()
    assert again["draft"] == {"note": "ab"}


def test_keys_do_nothing_that_a_person_must_answer_for(system: AISystem) -> None:
    review = open_review(system)
    scopes = ("decisions:write", "decisions:read", "feedback:write", "payloads:read", "control:tighten")
    caller = key_client(system, *scopes)
    body = {"outcome": "approved", "reason_code": "other"}
    answers = [
        caller.post("/api/v1/reviews/claim-next", {}),
        caller.post(f"/api/v1/reviews/{review.pk}/claim"),
        caller.post(f"/api/v1/decisions/{review.decision_id}/override", body),
        caller.post(f"/api/v1/appeals/{uuid.uuid4()}/decide", {"verdict": "upheld", "reason_code": "other"}),
        caller.post(f"/api/v1/overrides/{uuid.uuid4()}/agree"),
        caller.post(f"/api/v1/rule-changes/{uuid.uuid4()}/approve"),
    ]
    assert {(each.status_code, each.json()["type"]) for each in answers} == {(403, "/problems/person-needed")}


def test_a_key_of_another_system_or_scope_learns_nothing(system: AISystem) -> None:
    review = open_review(system)
    address = f"/api/v1/decisions/{review.decision_id}/effective"
    assert key_client(make_system(), "decisions:read").get(address).status_code == 404
    assert key_client(system, "control:read").get(address).status_code == 403
    assert person_client(make_person(reviewer=make_system())).get(address).status_code == 404
    assert APIClient().get(address).status_code == 401


def test_the_caller_takes_a_held_decision_back(system: AISystem) -> None:
    review, caller = open_review(system), key_client(system, "decisions:write")
    for _ in range(2):
        told = caller.post(f"/api/v1/decisions/{review.decision_id}/withdraw").json()
        assert (told["status"], told["action"], told["reason_code"]) == ("final", "stop", "caller")


def test_an_appeal_by_a_key_is_decided_by_a_person(system: AISystem) -> None:
    review = open_review(system, phase="effective")
    filed = key_client(system, "feedback:write").post(
        f"/api/v1/decisions/{review.decision_id}/appeals", {"ground_code": "wrong-data", "statement": "My salary."}
    )
    assert filed.status_code == 201
    reviewer = person_client(make_person(reviewer=system))
    (listed,) = reviewer.get("/api/v1/appeals").json()["items"]
    assert listed["statement"] == "My salary."
    decided = reviewer.post(
        f"/api/v1/appeals/{listed['id']}/decide",
        {"verdict": "overturned", "outcome": "approved", "reason_code": "wrong-input"},
    )
    assert decided.json()["status"] == "overturned"


def test_rules_over_the_api(system: AISystem) -> None:
    operator, approver = make_person(operator=system), make_person(approver=True)
    queue, client = make_queue(operator), person_client(operator)
    body = {
        "system": system.slug,
        "name": "adverse",
        "condition": {"adverse": True},
        "queue_id": str(queue.pk),
        "deadline_s": 600,
    }
    made = client.post("/api/v1/review-rules", body)
    assert made.status_code == 201
    address = f"/api/v1/review-rules/{made.json()['rule']['id']}"
    assert client.patch(address, {"is_blind": True}).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        stale = client.patch(address, {"archived": True})
        assert (stale.status_code, stale.json()["type"]) == (403, "/problems/factor-not-fresh")
        assert client.patch(address, {"reviews_required": 2}).status_code == 200
        assert not RuleChange.objects.exists()
    waiting = client.patch(address, {"archived": True})
    assert (waiting.status_code, waiting.json()["request"]["loosens"]) == (202, ["archived"])
    second, approval = person_client(approver), f"/api/v1/rule-changes/{waiting.json()['request']['id']}/approve"
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert second.post(approval).json()["type"] == "/problems/factor-not-fresh"
    approved = second.post(approval)
    assert approved.json()["archived_at"] is not None
    assert ReviewRule.objects.filter(archived_at=None).count() == 0
    wrong = client.post("/api/v1/review-rules", body | {"name": "other", "condition": {"advers": True}})
    assert [each["pointer"] for each in wrong.json()["errors"]] == ["/condition/advers"]


def test_a_decision_that_its_sender_asks_for_has_its_corrected_output(system: AISystem) -> None:
    account = make_account()
    key = make_key(system, scopes=["decisions:write"], account=account)
    caller = APIClient(headers={"Authorization": f"Bearer {key.text}"})
    review = open_review(system, account_id=account.pk)
    reviewer = person_client(make_person(reviewer=system))
    token = reviewer.post(f"/api/v1/reviews/{review.pk}/claim").json()["token"]
    body = {"version": 1, "decision": "modify", "outcome": "approved", "output": [1], "reason_code": "other"}
    reviewer.post(f"/api/v1/reviews/work/{token}/submit", body)
    with time_machine.travel(timezone.now() + timedelta(seconds=11)):
        address = f"/api/v1/decisions/{review.decision_id}/effective"
        assert caller.get(address).json()["output"] == [1]
        assert views_of(review.decision_id) == []
        owner, viewer = make_person(accountable=system), make_person(viewer=system)
        other = key_client(system, "decisions:read", "payloads:read")
        for who, shown in ((owner, [1]), (viewer, None), (make_person(reviewer=system), None)):
            assert person_client(who).get(address).json()["output"] == shown
        for _ in range(2):
            assert other.get(address).json()["output"] == [1]
        views = views_of(review.decision_id)
        assert [view["body"]["parts"] for view in views] == [["corrected_output"]] * 2
        assert [view["actor"]["type"] for view in views] == ["person", "service"]


def views_of(decision_id: uuid.UUID) -> list[dict[str, Any]]:
    entries = Entry.objects.filter(about_id=decision_id, kind="payload.viewed").order_by("id")
    return [json.loads(bytes(entry.data)) for entry in entries]


def test_skills_are_given_listed_and_ended(system: AISystem) -> None:
    manager, reviewer = person_client(make_person(administrator=True)), make_person(reviewer=system)
    body = {"person_id": str(reviewer.pk), "skill": "law"}
    given = manager.post("/api/v1/reviewer-skills", body)
    assert (given.status_code, given.json()["skill"]) == (200, "law")
    address = f"/api/v1/reviewer-skills?person_id={reviewer.pk}"
    assert [each["skill"] for each in manager.get(address).json()] == ["law"]
    assert manager.get("/api/v1/reviewer-skills?person_id=x").status_code == 422
    refused = [person_client(reviewer).post(f"/api/v1/reviewer-skills{end}", body).status_code for end in ("", "/end")]
    assert refused == [403, 403]
    assert manager.post("/api/v1/reviewer-skills/end", body).status_code == 204
    assert manager.get(address).json() == []


def test_a_queue_that_is_to_look_at_less_waits_for_a_second_person(system: AISystem) -> None:
    queue = make_queue(make_person(), capacity=9, when_full="block")
    client, address = person_client(make_person(administrator=True)), f"/api/v1/review-queues/{queue.slug}"
    more = client.patch(address, {"capacity": 10})
    assert (more.status_code, more.json()["queue"]["capacity"], more.json()["request"]) == (200, 10, None)
    less = client.patch(address, {"capacity": 2})
    assert (less.status_code, less.json()["queue"]["capacity"], less.json()["request"]["loosens"]) == (
        202,
        10,
        ["capacity"],
    )
    approval = f"/api/v1/queue-changes/{less.json()['request']['id']}/approve"
    assert client.post(approval).status_code == 403
    assert person_client(make_person(approver=True)).post(approval).json()["capacity"] == 2

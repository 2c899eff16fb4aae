"""Cases, incidents and legal holds over the API: the whole work of an investigator, and what others get to know."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import Case
from audit.services.investigating import add_note
from config.ids import new_id
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.tokens import create_token
from tests.factories.cases import attach, declare, find, make_case, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system
from tests.factories.reviews import open_review

pytestmark = pytest.mark.django_db
CASES = "/api/v1/cases"


@pytest.fixture
def system() -> AISystem:
    return make_system(accountable=make_person())


def as_person(person: Person, *, proven: bool = True) -> APIClient:
    at = timezone.now() - timedelta(minutes=0 if proven else 20)
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    if not proven:
        type(token.row).objects.filter(pk=token.row.pk).update(proven_at=at)
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def post(client: APIClient, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = client.post(path, json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_an_investigation_from_the_complaint_to_the_report(system: AISystem) -> None:
    decisions = [record_decision(system, outcome="refused") for _ in range(3)]
    person, dpo = make_person(investigator=True), as_person(make_person(dpo=True))
    me = as_person(person)
    case = post(me, CASES, {"title": "Refused at noon", "severity": "high", "systems": [system.slug]})
    address = f"{CASES}/{case['id']}"
    found = post(me, f"{address}/decisions", {"filter": {"system": system.slug, "outcome": "refused"}})
    assert (found["count"], found["is_all"]) == (3, True)
    assert post(dpo, f"{address}/lead", {"person_id": str(person.pk)}, 200)["status"] == "investigating"
    post(me, f"{address}/decisions/detach", {"decision_ids": [str(decisions[0].id)], "why": "Another day."}, 200)
    assert me.get(address).json()["decisions"]["outcomes"] == {"refused": 2}
    assert me.get(f"{address}/decisions?limit=1").json()["items"] == [str(decisions[2].id)]
    post(me, f"{address}/notes", {"text": "Called the branch."})
    first = post(me, f"{address}/findings", {"text": "A.", "severity": "high", "root_cause": "data"})
    better = {"text": "B.", "severity": "high", "root_cause": "model", "replaces_id": first["id"]}
    post(me, f"{address}/findings", better)
    due = (timezone.localdate() + timedelta(days=3)).isoformat()
    action = {"kind": "correct", "what": "Fix the till.", "owner_id": str(person.pk), "due_on": due}
    planned = post(me, f"{address}/actions", action)
    post(me, f"{address}/actions/{planned['id']}", {"outcome": "done", "text": "Release 4."}, 200)
    now = timezone.now().isoformat()
    declared = post(me, f"{address}/incident", {"limbs": ["death"], "awareness_at": now, "narrative": "It fell."})
    assert declared["days"] == 10
    changed = me.patch(f"{address}/incident", {"harm": "One.", "revision": declared["revision"]}, format="json")
    assert changed.json()["harm"] == "One."
    for stage in ("initial", "final"):
        post(me, f"{address}/incident/reports", {"stage": stage, "reported_at": timezone.now().isoformat()})
    signed = post(me, f"{address}/incident/sign-offs", {"stage": "final", "revision": changed.json()["revision"]})
    assert signed["capacity"] == "lead"
    listed = me.get(f"{address}/incident/sign-offs?limit=1").json()
    assert ([each["id"] for each in listed["items"]], listed["next_cursor"]) == ([signed["id"]], None)
    assert len(me.get(f"{address}/incident/reports").json()["items"]) == 2
    post(me, f"{address}/incident/notices", {"to": "provider", "told_at": timezone.now().isoformat()})
    for state in ("concluded", "closed"):
        assert post(me, f"{address}/state", {"to": state}, 200)["status"] == state
    (hold,) = me.get("/api/v1/holds").json()["items"]
    post(me, f"/api/v1/holds/{hold['id']}/lift", {"reason": "It is over."}, 200)
    assert post(dpo, f"/api/v1/holds/{hold['id']}/approve", {}, 200)["status"] == "lifted"


def test_lifting_asks_for_a_recent_factor(system: AISystem) -> None:
    case, lead = make_led_case(system)
    hold = post(as_person(lead), "/api/v1/holds", {"case_id": str(case.pk), "reason": "A claim."})
    post(as_person(lead), f"/api/v1/holds/{hold['id']}/lift", {"reason": "Over."}, 200)
    stale = as_person(make_person(dpo=True), proven=False)
    assert stale.post(f"/api/v1/holds/{hold['id']}/approve").status_code == 403


def test_what_others_get_to_know_of_a_case(system: AISystem) -> None:
    other = make_system()
    decisions = [record_decision(system), record_decision(other)]
    case, lead = make_led_case(system, decisions=decisions)
    find(case, lead)
    address = f"{CASES}/{case.pk}"
    owner = as_person(make_person(accountable=system))
    seen = owner.get(address).json()
    assert (seen["summary"], seen["decisions"]["total"]) == (None, 1), "their own AI system's decisions alone"
    for part in ("notes", "findings", "decisions", "incident"):
        assert owner.get(f"{address}/{part}").status_code == (404 if part == "x" else 403), part
    for person in (make_person(), make_person(administrator=True), make_person(viewer=True)):
        client = as_person(person)
        assert client.get(CASES).json()["items"] == []
        assert client.get(address).status_code == client.get(f"{CASES}/{new_id()}").status_code == 404
        assert client.get("/api/v1/holds").json()["items"] == []
    Case.objects.filter(pk=case.pk).update(status="concluded", concluded_at=timezone.now())
    assert len(owner.get(f"{address}/findings").json()["items"]) == 1


def test_an_auditor_reads_a_case_about_their_systems_alone(system: AISystem) -> None:
    other = make_system()
    case, _ = make_led_case(system, decisions=[record_decision(system), record_decision(other)])
    everywhere, here = as_person(make_person(auditor=True)), as_person(make_person(auditor=system))
    assert everywhere.get(f"{CASES}/{case.pk}/notes").status_code == 200
    assert here.get(f"{CASES}/{case.pk}").status_code == 200
    assert here.get(f"{CASES}/{case.pk}/notes").status_code == 403


def test_no_service_key_works_on_cases(system: AISystem) -> None:
    client = APIClient(headers={"Authorization": f"Bearer {make_key(system, scopes=('decisions:read',)).text}"})
    assert client.get(CASES).status_code == 403
    assert APIClient().get(CASES).status_code == 401


def test_the_counts_of_a_case_are_kept_from_who_judges_one_of_its_decisions_blind(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = open_review(system)
    from audit.selectors import decision_by_id

    case, lead = make_led_case(system, decisions=[decision_by_id(review.decision_id)])
    me = as_person(lead)
    assert me.get(f"{CASES}/{case.pk}").json()["decisions"]["total"] == 1
    monkeypatch.setattr("evidence.api.cases.hidden_from", lambda person_id: frozenset({review.decision_id}))
    assert me.get(f"{CASES}/{case.pk}").json()["decisions"] is None
    assert me.get(f"{CASES}/{case.pk}/decisions").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"title": "x", "severity": "high"}, 422),
        ({"title": "x", "severity": "awful", "systems": []}, 422),
        ({"title": "x", "severity": "high", "colour": "red"}, 422),
        ({"title": "x\u0000", "severity": "high"}, 422),
        ({"title": "x", "severity": "high", "systems": ["none-such"]}, 404),
        ({"title": "x", "severity": "high", "decision_ids": ["no"]}, 422),
        ({"title": "x", "severity": "high", "decision_ids": [], "filter": {}}, 422),
        ({"title": "x", "severity": "high", "filter": {"outcome": "a b"}}, 422),
        ({"title": "x", "severity": "high", "filter": {"outcome": "never-said"}}, 409),
        ({"title": "x", "severity": "high", "decision_ids": [str(new_id())]}, 404),
        ({"title": "x", "severity": "high", "alert_id": str(new_id())}, 404),
    ],
)
def test_hostile_bodies_are_told_what_is_wrong(system: AISystem, body: dict[str, Any], status: int) -> None:
    me = as_person(make_person(investigator=True))
    problem = post(me, CASES, body, status)
    assert problem["type"].startswith("/problems/")
    assert not Case.objects.exists()


def test_a_list_is_narrowed_and_paged(system: AISystem) -> None:
    person = make_person(investigator=True)
    for _ in range(3):
        make_case(person, system)
    case, _ = make_led_case(system, lead=person)
    me = as_person(person)
    assert [each["id"] for each in me.get(f"{CASES}?lead=me").json()["items"]] == [str(case.pk)]
    page = me.get(f"{CASES}?status=open&limit=2").json()
    assert len(page["items"]) == 2
    assert len(me.get(f"{CASES}?status=open&limit=2&cursor={page['next_cursor']}").json()["items"]) == 1


def test_a_report_is_read_as_it_went_and_the_case_as_it_stands(system: AISystem) -> None:
    decision = record_decision(system)
    case, lead = make_led_case(system, decisions=[decision])
    me, address = as_person(lead), f"{CASES}/{case.pk}"
    declare(case, lead, harm="One person.")
    sent = post(me, f"{address}/incident/reports", {"stage": "initial", "reported_at": timezone.now().isoformat()})
    assert (sent["is_late"], "content" in sent) == (False, False)
    assert me.patch(f"{address}/incident", {"harm": "Two."}, format="json").status_code == 200
    kept = me.get(f"{address}/incident/reports/{sent['id']}").json()
    assert kept["content"]["incident"]["harm"] == "One person."
    assert [each["id"] for each in kept["content"]["decisions"]["listed"]] == [str(decision.id)]
    assert me.get(f"{address}/report").json()["incident"]["harm"] == "Two."
    owner = as_person(make_person(deputy=system))
    for path in (f"incident/reports/{sent['id']}", "report", "incident/sign-offs"):
        assert owner.get(f"{address}/{path}").status_code == 403, path
    assert as_person(make_person()).get(f"{address}/report").status_code == 404


def test_deadlines_that_move_are_told_with_their_reason(system: AISystem) -> None:
    case, lead = make_led_case(system)
    me, address = as_person(lead), f"{CASES}/{case.pk}/incident"
    declare(case, lead, limbs=["death"])
    refused = me.patch(address, {"limbs": ["health"]}, format="json")
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/reason"
    changed = me.patch(address, {"limbs": ["health"], "reason": "Nobody died."}, format="json").json()
    assert [each["why"] for each in changed["extensions"]] == ["Nobody died."]
    (deadline,) = changed["deadlines"]
    assert (deadline["clock"], deadline["is_late"]) == ("initial", False)
    assert deadline["first_due_at"] < deadline["due_at"]


def test_signing_asks_for_a_recent_factor(system: AISystem) -> None:
    case, lead = make_led_case(system)
    body = {"stage": "initial", "revision": declare(case, lead).revision}
    stale = as_person(lead, proven=False)
    assert stale.post(f"{CASES}/{case.pk}/incident/sign-offs", body, format="json").status_code == 403


def test_what_is_known_of_a_case_is_read_a_page_at_a_time(system: AISystem) -> None:
    case, lead = make_led_case(system)
    for _ in range(3):
        attach(case, lead, record_decision(system))
        add_note(actor=actor_of(lead), case_id=case.pk, text="Looked.")
    me, address = as_person(lead), f"{CASES}/{case.pk}"
    for part in ("notes", "attachments"):
        first = me.get(f"{address}/{part}?limit=2").json()
        rest = me.get(f"{address}/{part}?limit=2&cursor={first['next_cursor']}").json()
        assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None), part
    assert first["items"][0]["count"] == 1
    trail = me.get(f"{address}/trail?limit=3").json()
    before = me.get(f"{address}/trail?limit=100&before={trail['earlier']}").json()
    kinds = [each["kind"] for each in before["items"] + trail["items"]]
    assert kinds == ["case.opened", "case.lead_assigned", *["case.attached", "case.noted"] * 3]
    assert me.get(f"{address}/investigators").json() == [{"person_id": str(lead.pk), "is_lead": True}]
    assert me.get(f"{address}/trail?before=x").status_code == 422


def test_a_conflict_is_told_to_those_who_name_who_leads(system: AISystem) -> None:
    owner, officer = make_person(accountable=system), make_person(dpo=True)
    case, lead = make_led_case(system)
    address = f"{CASES}/{case.pk}/conflict"
    assert as_person(officer).get(address).json() == {"person_id": str(lead.pk), "why": ""}
    assert "accountable" in as_person(officer).get(f"{address}?person_id={owner.pk}").json()["why"]
    assert as_person(owner).get(address).status_code == 403
    assert as_person(make_person()).get(address).status_code == 404


def test_nothing_is_counted_of_ai_systems_out_of_sight(system: AISystem) -> None:
    foreign, lead = make_system(), make_person(investigator=system)
    case, _ = make_led_case(system, lead=lead)
    helper = make_person(investigator=True)
    give_role(helper, Role.INVESTIGATOR, Scope.case(case.pk))
    attach(case, helper, record_decision(foreign))
    me = as_person(lead)
    acts = me.get(f"{CASES}/{case.pk}/attachments").json()["items"]
    assert [(each["count"], each["digest"]) for each in acts] == [(None, "")]
    said = [
        each["said"] for each in me.get(f"{CASES}/{case.pk}/trail").json()["items"] if each["kind"] == "case.attached"
    ]
    assert "count" not in said[0] and "digest" not in said[0]


def test_a_list_of_cases_takes_the_same_queries_however_many_they_are(system: AISystem) -> None:
    person = make_person(investigator=True)
    me = as_person(person)
    counts = []
    me.get(CASES)  # the first use of a token is noted
    for _ in range(2):
        for _ in range(3):
            make_case(person, system)
        with CaptureQueriesContext(connection) as queries:
            assert me.get(CASES).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1], counts


def test_a_case_takes_the_same_filter_as_the_list_and_all_that_a_search_finds(system: AISystem) -> None:
    person = make_person(investigator=True)
    me = as_person(person)
    first, second = (record_decision(system, outcome="refused", subject="c-1") for _ in range(2))
    held = post(me, CASES, {"title": "One", "severity": "high", "decision_ids": [str(first.id)]})
    lead = make_led_case(system, decisions=[second])[1]
    inside = post(me, CASES, {"title": "x", "severity": "low", "filter": {"case_id": held["id"], "overridden": "no"}})
    attachment = Case.objects.get(pk=inside["id"]).attachments.get()
    assert attachment.question == {"case_id": held["id"], "overridden": "no"}
    assert [each.decision_id for each in attachment.decisions.all()] == [first.id]
    search = me.post("/api/v1/decisions/search", {"subject": "c-1"}, format="json").json()["search"]
    found = post(me, f"{CASES}/{inside['id']}/decisions", {"search": search["id"]})
    assert (found["count"], found["by"], found["is_all"]) == (1, "search", True)
    assert "c-1" not in json.dumps(found)
    both = {"search": search["id"], "filter": {"outcome": "refused"}}
    post(me, f"{CASES}/{inside['id']}/decisions", both, 422)
    post(as_person(lead), CASES, {"title": "x", "severity": "low", "search": search["id"]}, 404)
    post(me, CASES, {"title": "x", "severity": "low", "filter": {"case_id": str(new_id())}}, 404)

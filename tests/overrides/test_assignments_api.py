"""Assignments over the API: the same acts, by the same rights, with the same refusals as on the pages."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from governance.acts import Role
from governance.models import AccountabilityGap, AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.assignments import offer_assignment
from governance.services.tokens import create_token
from ledger.entries import COMMAND
from tests.factories.cases import make_led_case
from tests.factories.live import make_live
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
URL = "/api/v1/assignments"


def api(person: Person) -> APIClient:
    made = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {made.text}")
    return client


def post(client: APIClient, address: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"{URL}{address}", body or {}, format="json")


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[1]


@pytest.fixture
def admin() -> Person:
    return make_person(administrator=True)


def held(system: AISystem) -> Assignment:
    return system.assignments.get(role=Role.ACCOUNTABLE, status="accepted")


def test_a_role_goes_from_offer_to_acceptance_to_hand_over(admin: Person) -> None:
    system, first, second = make_system(), make_person(email="a@example.org"), make_person(email="b@example.org")
    asked = post(api(admin), "", {"person": "A@example.org", "role": "accountable", "system": system.slug})
    assert (asked.status_code, asked.json()["status"]) == (201, "offered")
    accepted = post(api(first), "/accept", {"assignments": [asked.json()["id"]]})
    assert (accepted.status_code, accepted.json()[0]["status"]) == (200, "accepted")
    moved = post(api(first), f"/{asked.json()['id']}/hand-over", {"person": "b@example.org", "reason": "New post."})
    assert (moved.status_code, moved.json()["succeeds"]) == (201, asked.json()["id"])
    post(api(second), "/accept", {"assignments": [moved.json()["id"]]})
    assert held(system).person == second


def test_two_administrators_give_a_privileged_role(admin: Person) -> None:
    person, second = make_person(email="dpo@example.org"), make_person(administrator=True)
    proposed = post(api(admin), "", {"person": "dpo@example.org", "role": "dpo"}).json()
    assert proposed["status"] == "proposed"
    assert post(api(admin), f"/{proposed['id']}/approve").status_code == 403
    assert post(api(second), f"/{proposed['id']}/approve").json()["status"] == "offered"
    assert post(api(person), f"/{proposed['id']}/decline", {"reason": "No time."}).json()["status"] == "declined"


def test_somebody_joins_a_case_and_nobody_who_had_a_part_in_it(admin: Person) -> None:
    system, second = make_system(), make_person(administrator=True)
    case, _ = make_led_case(system)
    helper, owner = make_person(email="h@example.org"), make_person(email="o@example.org", accountable=system)
    body = {"role": "investigator", "case_id": str(case.pk)}
    assert problem(post(api(admin), "", body | {"person": owner.email})) == (409, "roles-conflict")
    proposed = post(api(admin), "", body | {"person": helper.email}).json()
    assert (proposed["status"], proposed["scope"], proposed["case_id"]) == ("proposed", "case", str(case.pk))
    offered = post(api(second), f"/{proposed['id']}/approve").json()
    assert offered["status"] == "offered"
    give_role(helper, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    assert problem(post(api(helper), "/accept", {"assignments": [offered["id"]]})) == (409, "roles-conflict")
    assert Assignment.objects.get(pk=offered["id"]).status == "offered"


def test_a_proposal_is_looked_at_once_more_by_who_may_agree_to_it_alone(admin: Person) -> None:
    system, second = make_system(), make_person(administrator=True)
    case, _ = make_led_case(system)
    helper = make_person(email="h@example.org")
    body = {"role": "investigator", "case_id": str(case.pk), "person": helper.email}
    proposed = post(api(admin), "", body).json()
    give_role(helper, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    assert problem(post(api(second), f"/{proposed['id']}/approve")) == (409, "roles-conflict")
    assert post(api(helper), f"/{proposed['id']}/approve").status_code in (403, 404)


def test_a_case_that_is_not_there_is_said_to_who_appoints_alone(admin: Person) -> None:
    outsider, nowhere = make_person(), {"role": "investigator", "case_id": str(uuid.uuid4()), "person": "a@example.org"}
    make_person(email="a@example.org")
    refused = post(api(admin), "", nowhere)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/case_id")
    assert post(api(outsider), "", nowhere).status_code == 403


def test_an_end_that_opens_a_gap_names_the_system_and_takes_a_confirmation() -> None:
    owner = make_person()
    system = make_live(owner)
    address = f"/{held(system).pk}/end"
    refused = post(api(owner), address, {"reason": "Gone."})
    assert problem(refused) == (409, "accountability-gap")
    assert system.name in refused.json()["detail"]
    assert post(api(owner), address, {"reason": "Gone.", "accepts_gap": True}).json()["status"] == "ended"
    assert AccountabilityGap.objects.get().system == system


def test_a_conflict_of_roles_is_told_with_its_place(admin: Person) -> None:
    system = make_system()
    make_person(email="o@example.org", operator=system)
    refused = post(api(admin), "", {"person": "o@example.org", "role": "auditor", "system": system.slug})
    assert problem(refused) == (409, "roles-conflict")
    assert refused.json()["errors"][0]["pointer"] == "/role"


def test_lists_hold_ones_own_and_what_one_may_see() -> None:
    mine, foreign = make_system(), make_system()
    person = make_person(operator=mine)
    make_person(operator=foreign)
    offer_assignment(actor=COMMAND, person=person, role=Role.DEPUTY, scope=Scope.system(foreign.pk))
    everything = api(person).get(URL).json()["items"]
    assert {(each["system"], each["role"]) for each in everything} == {
        (mine.slug, "operator"),
        (foreign.slug, "deputy"),
    }
    offered = api(person).get(URL, {"status": "offered", "mine": "true"}).json()["items"]
    assert [each["role"] for each in offered] == ["deputy"]
    assert api(person).get(URL, {"system": foreign.slug}).status_code == 404
    assert api(make_person()).get(URL).json()["items"] == []


def test_what_is_out_of_sight_is_as_if_it_were_not_there() -> None:
    foreign = make_person(operator=make_system()).assignments.get()
    for person in (make_person(), make_person(operator=make_system())):
        for act in ("approve", "refuse", "decline", "delegate", "hand-over", "end"):
            body = {"person": person.email} if act in ("delegate", "hand-over") else {}
            answers = [post(api(person), f"/{each}/{act}", body) for each in (foreign.pk, uuid.uuid4())]
            assert [each.status_code for each in answers] == [404, 404], act
            assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_whoever_may_see_it_may_not_therefore_end_it() -> None:
    system = make_system()
    foreign = make_person(operator=system).assignments.get()
    assert post(api(make_person(viewer=system)), f"/{foreign.pk}/end").status_code == 403


@pytest.mark.parametrize("act", ["", "/accept", "/{}/end", "/{}/delegate", "/{}/hand-over", "/{}/approve"])
def test_an_old_factor_is_not_enough(act: str) -> None:
    owner = make_person()
    system = make_live(owner)
    client = api(owner)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert problem(post(client, act.format(held(system).pk))) == (403, "factor-not-fresh")


def test_a_service_key_takes_no_part(admin: Person) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(make_system()).text}")
    assert problem(client.get(URL)) == (403, "person-needed")
    assert problem(post(client, "/accept", {"assignments": [str(uuid.uuid4())]})) == (403, "person-needed")
    assert APIClient().get(URL).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"role": "deputy"}, "/person"),
        ({"person": "p@example.org", "role": "king"}, "/role"),
        ({"person": "nobody@example.org", "role": "viewer"}, "/person"),
        ({"person": "p@example.org", "role": "viewer", "capability": "x"}, "/system"),
        ({"person": "p@example.org", "role": "viewer", "colour": "red"}, "/colour"),
        ({"person": "p@example.org", "role": "viewer", "ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"person": "p@example.org", "role": "viewer", "reason": "x" * 2001}, "/reason"),
        ({"person": "p@example.org", "role": "viewer", "reason": "\0"}, "/reason"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(admin: Person, body: dict[str, Any], pointer: str) -> None:
    make_person(email="p@example.org")
    answer = post(api(admin), "", body)
    assert answer.status_code in (404, 422)
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_nobody_without_a_role_learns_who_is_registered() -> None:
    make_person(email="p@example.org")
    stranger = api(make_person())
    answers = [post(stranger, "", {"person": each, "role": "viewer"}) for each in ("p@example.org", "q@example.org")]
    assert [each.status_code for each in answers] == [403, 403]


def test_too_many_at_once_are_refused(admin: Person) -> None:
    ids = [str(uuid.uuid4()) for _ in range(101)]
    assert post(api(admin), "/accept", {"assignments": ids}).status_code == 422

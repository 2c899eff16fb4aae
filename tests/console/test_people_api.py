"""What people's own pages do, over the API: My work, the matrix, leaving, sessions of others; with the same rights."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.mine import answered_for, waits_for
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.assignments import offer_assignment
from governance.sessions import sessions_of
from tests.factories.control import ask_for, stop
from tests.factories.live import make_live
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system
from tests.overrides.test_assignments_api import api, problem

pytestmark = pytest.mark.django_db
WORK, MATRIX = "/api/v1/my-work", "/api/v1/accountability"


@pytest.fixture
def admin() -> Person:
    return make_person(administrator=True, name="Adele")


def leaving(person: Person) -> str:
    return f"/api/v1/people/{person.pk}/leaving"


def sessions(person: Person, rest: str = "") -> str:
    return f"/api/v1/people/{person.pk}/sessions{rest}"


def sign_in(person: Person) -> Client:
    browser = Client()
    browser.force_login(person)
    return browser


# --- My work ---------------------------------------------------------------------------------------------------------
def test_my_work_says_what_waits_and_what_one_answers_for(admin: Person) -> None:
    owner = make_person(name="Petra")
    system = make_live(owner)
    offer = offer_assignment(actor=actor_of(admin), person=owner, role=Role.REVIEWER, scope=Scope.system(system.pk))
    said = api(owner).get(WORK).json()
    assert [each["id"] for each in said["offers"]] == [str(offer.pk)]
    (answered,) = said["answers_for"]
    assert (answered["assignment"]["system"], answered["mode"], answered["missing"]) == (system.slug, "run", [])
    assert said["requests"] == said["cases"] == []
    approver, operator = make_person(approver=True), make_person(operator=system)
    asked = ask_for(stop(system, environment="production"), operator)
    (request,) = api(approver).get(WORK).json()["requests"]
    assert (request["act"], request["asked_by"]["id"]) == ("switch.loosen", str(operator.pk))
    assert request["page"] == f"/admin/loosening/{asked.pk}/" or str(asked.pk) in request["page"]


def test_my_work_is_for_people(admin: Person) -> None:
    client = Client(HTTP_AUTHORIZATION=f"Bearer {make_key(make_system()).text}")
    assert client.get(WORK).status_code == 403
    assert Client().get(WORK).status_code == 401


def queries(act: Any) -> int:
    with CaptureQueriesContext(connection) as found:
        act()
    return len(found)


def test_what_waits_is_read_at_once_however_much_it_is() -> None:
    approver = make_person(approver=True)
    operators = [make_person() for _ in range(3)]

    def more(number: int) -> None:
        for place in range(number):
            ask_for(stop(make_system_with(operators)), operators[place % 3])

    more(1)
    one = queries(lambda: waits_for(approver))
    more(5)
    assert len(waits_for(approver).requests) == 6
    assert queries(lambda: waits_for(approver)) == one


def make_system_with(operators: list[Person]) -> AISystem:
    system = make_system()
    for each in operators:
        give_role(each, Role.OPERATOR, Scope.system(system.pk))
    return system


def test_what_one_answers_for_is_read_at_once_however_much_it_is() -> None:
    owner = make_person()
    make_live(owner)
    one = queries(lambda: answered_for(owner))
    for _ in range(4):
        give_role(owner, Role.ACCOUNTABLE, Scope.system(make_system().pk))
    assert queries(lambda: answered_for(owner)) == one
    assert [bool(each.missing) for each in answered_for(owner)].count(True) == 4


# --- the matrix ------------------------------------------------------------------------------------------------------
def test_the_matrix_shows_ai_systems_in_sight_and_where_somebody_is_missing(admin: Person) -> None:
    owner = make_person(name="Petra")
    seen, hidden = make_system(slug="seen"), make_system(slug="hidden")
    give_role(owner, Role.ACCOUNTABLE, Scope.system(seen.pk))
    said = api(owner).get(MATRIX).json()
    assert [each["system"] for each in said["items"]] == ["seen"]
    (cell,) = [each for each in said["items"][0]["roles"] if each["role"] == "accountable"]
    assert (cell["held"][0]["person"]["name"], cell["gap"]) == ("Petra", "")
    said = api(admin).get(MATRIX, {"only_gaps": "true"}).json()
    assert (said["gaps"], said["pages"], {each["system"] for each in said["items"]}) == (1, 1, {"seen", "hidden"})
    assert hidden.slug not in api(make_person()).get(MATRIX).content.decode()
    assert problem(api(admin).get(MATRIX, {"page": "x"}))[0] == 422


# --- leaving ---------------------------------------------------------------------------------------------------------
def test_somebody_leaves_over_the_api_and_it_is_shown_before(admin: Person) -> None:
    lea, heir = make_person(name="Lea"), make_person(email="heir@example.org")
    account, system = make_account(owner=lea), make_live(lea)
    sign_in(lea)
    before = api(admin).get(leaving(lea)).json()
    assert (before["left_open"], before["service_accounts"]) == ([system.slug], [account.slug])
    assert (before["sessions"], before["needs_successor"], len(before["roles"])) == (1, True, 1)
    given: dict[str, Any] = {"successor": "Heir@example.org", "heir": "heir@example.org"}
    assert problem(api(admin).post(leaving(lea), given, format="json")) == (409, "accountability-gap")
    given |= {"accepts_gap": True, "reason": "Pension."}
    gone = api(admin).post(leaving(lea), given, format="json")
    assert (gone.status_code, gone.json()["id"]) == (200, str(lea.pk))
    assert not Person.objects.get(pk=lea.pk).is_active
    account.refresh_from_db()
    assert (account.owner, heir.assignments.get().status) == (heir, "offered")
    assert problem(api(admin).get(leaving(lea))) == (404, "person-not-found")


def test_only_administrators_see_what_leaving_does_or_have_somebody_leave(admin: Person) -> None:
    lea = make_person()
    for somebody in (lea, make_person(auditor=True), make_person(accountable=make_system())):
        assert problem(api(somebody).get(leaving(lea))) == (403, "forbidden")
        given = {"successor": "nobody@example.org"}
        assert problem(api(somebody).post(leaving(lea), given, format="json")) == (403, "forbidden")
    wrong = api(admin).post(leaving(lea), {"heir": "nobody@example.org"}, format="json")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (404, "/heir")
    assert problem(api(admin).post(leaving(admin), {}, format="json")) == (409, "last-administrator")


# --- sessions of others ----------------------------------------------------------------------------------------------
def test_an_administrator_sees_and_ends_the_sessions_of_somebody(admin: Person) -> None:
    lea = make_person()
    first, second = sign_in(lea), sign_in(lea)
    listed = api(admin).get(sessions(lea)).json()["items"]
    assert len(listed) == 2 and {"handle", "browser", "address", "signed_in_at"} <= listed[0].keys()
    ended = api(admin).post(sessions(lea, "/end"), {"handle": listed[0]["handle"]}, format="json")
    assert (ended.status_code, ended.json()) == (200, {"ended": 1})
    assert len(sessions_of(lea)) == 1
    client = api(lea)
    assert api(admin).post(sessions(lea, "/end"), {}, format="json").json() == {"ended": 1}
    assert {each.get("/admin/mine/").status_code for each in (first, second)} == {302}
    assert client.get(WORK).status_code == 401, "tokens end with them"


def test_nobody_else_sees_or_ends_them(admin: Person) -> None:
    lea = make_person()
    for somebody in (lea, make_person(dpo=True)):
        assert problem(api(somebody).get(sessions(lea))) == (403, "forbidden")
        assert problem(api(somebody).post(sessions(lea, "/end"), {}, format="json")) == (403, "forbidden")
    assert problem(api(admin).get(sessions(Person(name="x", email="x@example.org")))) == (404, "person-not-found")

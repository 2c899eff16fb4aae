"""Parameters in the web admin: the page says who is needed before anybody presses."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from governance.acts import Role
from governance.models import Person
from governance.scopes import Scope
from overrides.models import Parameter, ParameterVersion
from overrides.parameter_charts import step_line
from overrides.services.parameter_requests import approve_change
from tests.factories.parameters import Crew, make_crew
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
Status = ParameterVersion.Status


@pytest.fixture
def crew() -> Crew:
    return make_crew(slug="credit-limit")


def browser(person: Person) -> Client:
    found = Client()
    found.force_login(person)
    return found


def page(row: Any, act: str = "change") -> str:
    return f"/admin/overrides/{row._meta.model_name}/{row.pk}/{act}/"


def changing(value: str, **rest: str) -> dict[str, str]:
    return {"value": value, "reason_code": "tuning"} | rest


def test_an_engineer_defines_one_in_the_form(crew: Crew) -> None:
    form = {"system": crew.system.pk, "name": "max-amount", "type": "number", "safe_direction": "lower"}
    mine = browser(crew.engineer)
    refused = mine.post("/admin/overrides/parameter/add/", form | {"default": "0.1e", "minimum": "x"})
    assert refused.status_code == 200 and refused.content.decode().count("A number.") == 2
    answer = mine.post(
        "/admin/overrides/parameter/add/", form | {"default": "0.1", "minimum": "0", "maximum": "1", "allowed": ""}
    )
    assert answer.status_code == 302, re.findall(r"errorlist.*?</ul>", answer.content.decode(), re.S)
    made = Parameter.objects.get()
    assert (made.default, made.minimum, made.maximum, made.allowed) == (0.1, 0.0, 1.0, [])
    assert browser(crew.operator).get("/admin/overrides/parameter/add/").status_code == 403


def test_one_person_is_told_so_and_presses_once_more(crew: Crew) -> None:
    parameter, mine = crew.parameter(), browser(crew.operator)
    assert "One person may lower it" in mine.get(page(parameter, "change-value")).content.decode()
    asked = mine.post(page(parameter, "change-value"), changing("500"))
    assert "You alone." in asked.content.decode() and "Set to 500 now" in asked.content.decode()
    assert parameter.versions.count() == 1, "nothing happened yet"
    assert mine.post(page(parameter, "change-value"), changing("500", read="1 one")).status_code == 302
    assert parameter.versions.get(number=2).status == Status.IN_FORCE


def test_two_are_needed_and_the_second_finds_it(crew: Crew) -> None:
    parameter, mine, theirs = crew.parameter(), browser(crew.operator), browser(crew.approver)
    asked = mine.post(page(parameter, "change-value"), changing("2000")).content.decode()
    assert "Two people." in asked and "Ask for 2,000" in asked
    mine.post(page(parameter, "change-value"), changing("2000", read="1 two"))
    request = parameter.versions.get(number=2)
    assert request.status == Status.PROPOSED
    seen = theirs.get(page(parameter)).content.decode()
    assert "waits for another person" in seen and page(request) in seen
    assert mine.post(page(request, "approve")).status_code == 403
    assert "from 1,000 to 2,000" in theirs.get(page(request, "approve")).content.decode()
    assert theirs.post(page(request, "approve")).status_code == 302
    request.refresh_from_db()
    assert request.status == Status.IN_FORCE


def test_what_was_read_no_longer_holds_so_it_is_said_anew(crew: Crew) -> None:
    parameter, mine = crew.parameter(), browser(crew.operator)
    crew.set(parameter, 300)
    again = mine.post(page(parameter, "change-value"), changing("500", read="1 one"))
    assert again.status_code == 200 and "Two people." in again.content.decode()
    assert parameter.versions.count() == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [("99999", "At most 10000"), ("many", "A number."), ("1000", "It says that already."), ("", "required")],
)
def test_a_bad_value_is_told_beside_its_field(crew: Crew, value: str, said: str) -> None:
    answer = browser(crew.operator).post(page(crew.parameter(), "change-value"), changing(value))
    assert answer.status_code == 200 and said in answer.content.decode()


def test_who_may_not_loosen_is_told_before_pressing(crew: Crew) -> None:
    owner = make_person()
    give_role(owner, Role.ACCOUNTABLE, Scope.system(crew.system.pk))
    asked = browser(owner).post(page(crew.parameter(), "change-value"), changing("2000")).content.decode()
    assert "Ask an operator" in asked and "Ask for 2,000" not in asked


@pytest.mark.parametrize("how", ["refuse", "withdraw"])
def test_a_request_is_settled_on_its_page(crew: Crew, how: str) -> None:
    request = crew.set(crew.parameter(), 2000)
    who = crew.approver if how == "refuse" else crew.operator
    assert browser(who).post(page(request, how), {"reason": "Not now."}).status_code == 302
    request.refresh_from_db()
    assert request.status == ("refused" if how == "refuse" else "withdrawn")
    assert "Not now." in browser(who).get(page(request, "trail")).content.decode()


def test_lists_and_pages_open_and_strangers_see_none(crew: Crew) -> None:
    parameter = crew.parameter(
        "flag", value_type="boolean", default=True, safe_direction="false", minimum=None, maximum=None
    )
    text = crew.parameter(
        "tone", value_type="string", default="<b>kind</b>", safe_direction="none", minimum=None, maximum=None
    )
    crew.set(parameter, False, expires_at=timezone.now() + timedelta(hours=1))
    request = crew.set(text, "curt")
    mine, stranger = browser(crew.operator), browser(make_person(operator=make_system()))
    for address in (
        "/admin/overrides/parameter/",
        "/admin/overrides/parameterversion/",
        page(parameter),
        page(text),
        page(request),
    ):
        answer = mine.get(address)
        assert answer.status_code == 200
        assert "<b>kind</b>" not in answer.content.decode()
    for address in (page(parameter), page(request), page(parameter, "change-value"), page(parameter, "trail")):
        assert stranger.get(address).status_code in (302, 403)
    assert "flag" not in stranger.get("/admin/overrides/parameter/").content.decode()


def test_the_step_line_draws_what_held_when(crew: Crew) -> None:
    parameter = crew.parameter(minimum=0, maximum=2000)
    crew.set(parameter, 500, expires_at=timezone.now() + timedelta(hours=1))
    approve_change(actor=actor_of(crew.approver), version_id=crew.set(parameter, 2000).pk)
    drawn = step_line(parameter, list(parameter.versions.all()), timezone.now() + timedelta(minutes=1))
    assert drawn is not None and drawn.words == "3 steps, now 2,000"
    assert re.findall(r"[MV](?:[\d.]+ )?([\d.]+)", drawn.path) == ["50.00", "75.00", "0.00"]
    assert {each.text for each in drawn.lines if each.is_bound} == {"0", "2,000"}

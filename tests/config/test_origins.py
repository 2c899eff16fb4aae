"""The switchboard's link leads to the control process, where whoever is signed in is signed in as well."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from config.origins import origins
from console.navigation import sidebar
from console.templatetags.console import control_url
from governance.acts import Role
from tests.factories.register import give_role, make_person

pytestmark = pytest.mark.django_db
BOARD, DECISIONS = "/admin/switchboard/", "/admin/decisions/"


@pytest.fixture(autouse=True)
def beside(settings: Settings) -> None:
    settings.BASE_URL, settings.CONTROL_URL = "http://localhost:8000", "http://localhost:8001"
    settings.ALLOWED_HOSTS = ["*"]


def links(host: str) -> dict[str, str]:
    request = RequestFactory().get("/admin/", headers={"host": host})
    request.user = give_role(make_person(), Role.VIEWER).person
    groups = sidebar(request)
    return {item["title"]: item["link"] for group in groups for item in group["items"]}


def test_from_the_site_the_switchboard_is_at_the_control_process_and_all_else_here() -> None:
    found = links("localhost:8000")
    assert found.pop("Switchboard") == f"http://localhost:8001{BOARD}"
    assert all(each.startswith("/admin/") for each in found.values())


def test_from_the_control_process_all_else_is_at_the_site() -> None:
    found = links("localhost:8001")
    assert found.pop("Switchboard") == BOARD
    assert all(each.startswith("http://localhost:8000/admin/") for each in found.values())
    assert found["Decisions"] == f"http://localhost:8000{DECISIONS}"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "records.example.org"])
def test_who_came_by_another_name_stays_there(host: str) -> None:
    assert all(each.startswith("/admin/") for each in links(host).values())


@pytest.mark.parametrize("control", ["http://localhost:8000", "http://control.example.org", "https://localhost:8001"])
def test_behind_a_proxy_or_at_another_name_links_stay_as_they_are(settings: Settings, control: str) -> None:
    settings.CONTROL_URL = control
    assert origins() == ["http://localhost:8000"]
    assert all(each.startswith("/admin/") for each in links("localhost:8000").values())


def test_a_passkey_counts_at_both() -> None:
    assert origins() == ["http://localhost:8000", "http://localhost:8001"]


@pytest.mark.parametrize(("host", "leads_to"), [("localhost:8000", f"http://localhost:8001{BOARD}"), ("[::1]", BOARD)])
def test_pages_link_to_the_switchboard_as_the_sidebar_does(host: str, leads_to: str) -> None:
    context = {"request": RequestFactory().get("/admin/", headers={"host": host})}
    assert control_url(context, "admin:switchboard") == leads_to

"""The sidebar offers to each person what their roles have to do with, and opens nothing by it."""

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory
from django.urls import reverse

from console.navigation import GROUPS, is_there, sidebar
from tests.factories.register import make_system
from tests.personas.people import PERSONAS, make_persona

pytestmark = pytest.mark.django_db
FOR_EVERYBODY = {"Overview", "My work"}
WITH_A_ROLE = FOR_EVERYBODY | {"Switchboard", "AI systems", "Model versions", "Accountability", "Logs", "Witnesses"}
OF_THE_RECORD = WITH_A_ROLE | {"Decisions", "Sources"}


def offered(name: str) -> set[str]:
    persona = make_persona(name, make_system())
    request = RequestFactory().get("/admin/")
    request.user = persona.person
    return {item["title"] for group in sidebar(request) for item in group["items"]}


def test_who_holds_nothing_is_offered_what_is_for_everybody() -> None:
    assert offered("stranger") == FOR_EVERYBODY


def test_a_viewer_is_offered_the_record_and_none_of_its_tools() -> None:
    assert offered("viewer") == OF_THE_RECORD


def test_an_administrator_is_offered_people_and_keys_and_no_decisions() -> None:
    found = offered("administrator")
    assert {"People", "Service keys", "Webhook endpoints", "Assignments", "E-mails"} <= found
    assert not {"Decisions", "Cases", "Reviews", "Quarantine"} & found


@pytest.mark.parametrize(
    ("persona", "title"),
    [
        ("reviewer", "Reviews"),
        ("reviewer", "Appeals"),
        ("approver", "Parameter changes"),
        ("approver", "Rule changes"),
        ("operator", "Drills"),
        ("technical_owner", "Data sources"),
        ("technical_owner", "Quarantine"),
        ("accountable", "Quarantine"),
        ("investigator", "Cases"),
        ("auditor", "Cases"),
        ("dpo", "Cases"),
        ("deputy", "Alerts"),
    ],
)
def test_whoever_has_a_part_in_it_finds_it(persona: str, title: str) -> None:
    assert title in offered(persona)


def test_the_page_of_the_sign_in_has_no_sidebar() -> None:
    request = RequestFactory().get("/admin/login/")
    request.user = AnonymousUser()
    assert sidebar(request) == []


def test_every_entry_is_for_somebody() -> None:
    found = set().union(*(offered(name) for name in PERSONAS))
    assert found == {entry.title for _, entries in GROUPS for entry in entries if is_there(entry)}


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/admin/", "Overview"),
        ("/admin/logs/", "Logs"),
        ("/admin/logs/witnesses/", "Witnesses"),
        ("/admin/logs/custody/", "Custody"),
        ("/admin/logs/custody/ask/close_logs", "Custody"),
        ("/admin/governance/person/add/", "People"),
        ("/admin/nowhere/", None),
    ],
)
def test_one_entry_is_marked_that_of_the_page_or_the_nearest_above_it(path: str, title: str | None) -> None:
    request = RequestFactory().get(path)
    request.user = make_persona("administrator", make_system()).person
    marked = [item["title"] for group in sidebar(request) for item in group["items"] if item["active"]]
    assert marked == ([title] if title else [])


def test_the_page_marks_what_the_sidebar_says() -> None:
    client = Client()
    client.force_login(make_persona("administrator", make_system()).person)
    page = client.get(reverse("admin:custody")).content.decode()
    marked = re.findall(r'<a[^>]+href="(/admin/logs/[^"]*)"[^>]*class="[^"]*\bactive\b', page)
    assert marked == [reverse("admin:custody")]


def test_an_icon_is_no_word_of_a_links_name() -> None:
    client = Client()
    client.force_login(make_persona("investigator", make_system()).person)
    page = client.get("/admin/", follow=True).content.decode()
    icons = re.findall(r"<span [^>]*>\s*folder_open\s*</span>", page)
    assert len(icons) == 1
    assert 'aria-hidden="true"' in icons[0]

"""The set-up page: one link, one use, and the address is kept to the page."""

import io
import logging
import re
import sys
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.test import Client

from governance import rights
from governance.acts import Act
from governance.models import Person
from governance.services.people import bootstrap_token, issue_setup_link, set_first_password
from ledger.entries import COMMAND
from ledger.models import Entry
from tests.factories.register import make_person

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
FORM = {"name": "First", "email": "first@example.org", "password": PASSWORD, "again": PASSWORD}


def test_whoever_fills_in_the_bootstrap_page_is_the_administrator_and_can_sign_in() -> None:
    browser, address = Client(), f"/setup/{bootstrap_token()}"
    assert b"first administrator" in browser.get(address).content
    assert browser.post(address, FORM).status_code == 302
    assert rights.can(Person.objects.get(email="first@example.org"), Act.PEOPLE_MANAGE)
    assert browser.login(username="First@example.org", password=PASSWORD)
    assert browser.get(address).status_code == 404


def test_a_weak_or_mistyped_password_is_said_and_nobody_is_made() -> None:
    browser, address = Client(), f"/setup/{bootstrap_token()}"
    for wrong in ({"password": "short", "again": "short"}, {"again": "another one entirely"}):
        assert browser.post(address, FORM | wrong).status_code == 422
    assert not Person.objects.exists()


def test_a_person_sets_their_password_by_their_link() -> None:
    person = make_person(email="new@example.org")
    browser, address = Client(), f"/setup/{issue_setup_link(actor=COMMAND, person_id=person.pk)}"
    page = browser.get(address)
    assert b"new@example.org" in page.content
    assert (page.headers["Referrer-Policy"], "no-store" in page.headers["Cache-Control"]) == ("strict-origin", True)
    assert browser.post(address, {"password": PASSWORD, "again": PASSWORD}).status_code == 302
    assert browser.login(username="new@example.org", password=PASSWORD)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the product's own handler writes."""
    [handler] = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    written = io.StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before or sys.stderr)


def test_no_log_line_holds_the_token_of_a_link(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    person = make_person()
    for token in (bootstrap_token(), issue_setup_link(actor=COMMAND, person_id=person.pk)):
        forging = Client(enforce_csrf_checks=True)
        assert forging.post(f"/setup/{token}", FORM).status_code == 403
        Client().get(f"/setup/{token}")
        for mistyped in (f"/setup/{token}/", f"/admin/setup/{token}", f"/x/setup/{token}"):
            Client().get(mistyped)
        with monkeypatch.context() as broken:
            broken.setattr("governance.views.setup_purpose", lambda given: 1 / 0)
            assert Client(raise_request_exception=False).get(f"/setup/{token}").status_code == 500
        assert "request.finished" in lines.getvalue() and "Internal Server Error" in lines.getvalue()
        assert str(token) not in lines.getvalue()


def test_making_a_link_in_the_admin_logs_none_of_it(lines: io.StringIO) -> None:
    browser, person = Client(), make_person()
    browser.force_login(make_person(administrator=True))
    page = browser.post(f"/admin/governance/person/{person.pk}/setup-link/")
    found = re.search(rb"/setup/([A-Za-z0-9_-]{43})", page.content)
    assert found
    assert found[1].decode() not in lines.getvalue()


@pytest.mark.parametrize("token", ["nothing", "%00", "x" * 5000, "ä"])
def test_a_made_up_link_is_404(token: str) -> None:
    assert Client().get(f"/setup/{token}").status_code == 404


def test_the_command_prints_the_link_alone_and_nothing_once_there_is_an_administrator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("setup_link")
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1 and "/setup/" in printed
    make_person(administrator=True)
    call_command("setup_link")
    assert capsys.readouterr().out == ""


def test_people_change_their_own_password_and_other_sessions_end() -> None:
    person = make_person(email="own@example.org")
    set_first_password(token=issue_setup_link(actor=COMMAND, person_id=person.pk), password=PASSWORD)
    here, elsewhere = Client(), Client()
    for browser in (here, elsewhere):
        assert browser.login(username="own@example.org", password=PASSWORD)
    new = "another long enough one"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.get("/admin/password_change/").status_code == 200
    assert here.post("/admin/password_change/", form).status_code == 302
    assert here.get("/admin/password_change/").status_code == 200
    assert elsewhere.get("/admin/password_change/").status_code == 302
    assert Entry.objects.filter(kind="credentials.set", about_id=person.pk).count() == 2


def test_the_sign_in_page_opens_and_lets_people_in_whatever_the_case_of_their_address() -> None:
    person = make_person(email="own@example.org")
    set_first_password(token=issue_setup_link(actor=COMMAND, person_id=person.pk), password=PASSWORD)
    browser = Client()
    assert browser.get("/admin/login/").status_code == 200
    answer = browser.post("/admin/login/", {"username": "Own@Example.org", "password": PASSWORD, "next": "/admin/"})
    assert answer.status_code == 302
    assert browser.get("/admin/").status_code == 200

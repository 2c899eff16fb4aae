"""The pages of exports: asked for in a form, watched, agreed to with a factor, fetched; and what leads there."""

import re
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from audit.filters import DecisionFilter
from audit.reach import Reach
from audit.search_terms import Terms
from audit.services.searching import search_decisions
from evidence.exports.models import Export
from evidence.exports.running import run_exports
from governance.models import AISystem, Person
from tests.factories.cases import make_led_case
from tests.factories.exports import ALONE, agree, ask, export_of, folder_storage
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db
EXPORTS, ASK = "/admin/exports/", "/admin/exports/new"


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, settings: Settings) -> None:
    settings.EXPORT_WORK_DIR = tmp_path / "work"
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(tmp_path / "files")}


@pytest.fixture
def system() -> AISystem:
    found = make_system(slug="credit")
    record_decision(found)
    return found


@pytest.fixture
def auditor() -> Person:
    return make_person(auditor=True)


def browser(person: Person, *, is_stale: bool = False) -> Client:
    client = Client()
    client.force_login(person)
    if is_stale:
        session = client.session
        session["factor_proven_at"] = timezone.now().timestamp() - 3600
        session.save()
    return client


def given(system: AISystem, **more: Any) -> dict[str, Any]:
    return {"question": "range", "system_id": "credit", "form": "bundle", "reason": "An audit.", "key": "0" * 32} | more


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


# --- asking -----------------------------------------------------------------------------------------------------------
def test_asked_for_watched_and_fetched(system: AISystem, auditor: Person) -> None:
    me = browser(auditor)
    answer = me.post(ASK, given(system))
    export = Export.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"{EXPORTS}{export.pk}/")
    page = text_of(me.get(answer["Location"]))
    assert "Waits for its turn" in page
    assert "Give it up" in page
    assert f'data-live="{EXPORTS}{export.pk}/live"' in page
    run_exports(seconds=30, pace=ALONE)
    page = text_of(me.get(answer["Location"]))
    assert "Download" in page
    assert 'data-live="' not in page
    export.refresh_from_db()
    assert export.digest in page
    assert me.get(f"{EXPORTS}{export.pk}/file").getvalue()[:2] == b"PK"
    assert "Fetched" in text_of(me.get(answer["Location"]))


def test_what_is_missing_is_told_with_what_was_typed(system: AISystem, auditor: Person) -> None:
    answer = browser(auditor).post(ASK, given(system, reason="", head="nonsense"))
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    page = text_of(answer)
    assert "nonsense" in page
    assert "This field is required" in page or "Write what it is for" in page
    assert not Export.objects.exists()


def test_a_second_click_is_the_same_export(system: AISystem, auditor: Person) -> None:
    me = browser(auditor)
    page = text_of(me.get(ASK))
    key = re.search(r'name="key" value="([0-9a-f-]+)"', page)
    assert key is not None
    first, again = (me.post(ASK, given(system, key=key[1])) for _ in range(2))
    assert first["Location"] == again["Location"]
    assert Export.objects.count() == 1


def test_contents_ask_for_a_factor_and_a_second_person(system: AISystem, auditor: Person) -> None:
    stale = browser(auditor, is_stale=True)
    assert "Is it you?" in text_of(stale.post(ASK, given(system, parts=["input"])))
    assert not Export.objects.exists()
    browser(auditor).post(ASK, given(system, parts=["input"]))
    assert Export.objects.get().status == Export.Status.REQUESTED
    assert stale.post(ASK, given(system, key="1" * 32)).status_code == 302, "without contents it does not"


def test_the_data_protection_officer_agrees_with_a_factor(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input", "refs"], reason="Question 4.")
    dpo = make_person(dpo=True)
    address = f"{EXPORTS}{export.pk}/"
    assert "export contents of decisions" in text_of(browser(dpo).get("/admin/mine/"))
    page = text_of(browser(dpo).get(address))
    assert "Question 4." in page
    assert "Agree" in page
    assert "Is it you?" in text_of(browser(dpo, is_stale=True).post(f"{address}act/approve"))
    assert Export.objects.get().status == Export.Status.REQUESTED
    assert browser(dpo).post(f"{address}act/approve", {"answer": "Once."}).status_code == 302
    assert Export.objects.get().status == Export.Status.QUEUED
    assert browser(dpo).post(f"{address}act/approve").status_code == HTTPStatus.CONFLICT, "a second click"


def test_it_is_refused_taken_back_and_given_up(system: AISystem, auditor: Person) -> None:
    dpo, me = browser(make_person(dpo=True)), browser(auditor)
    first, second = ask(auditor, system, parts=["input"]), ask(auditor, system, parts=["input"])
    third = ask(auditor, system)
    assert dpo.post(f"{EXPORTS}{first.pk}/act/refuse", {"answer": "Too much."}).status_code == 302
    assert "Too much." in text_of(me.get(f"{EXPORTS}{first.pk}/"))
    assert me.post(f"{EXPORTS}{second.pk}/act/withdraw").status_code == 302
    assert me.post(f"{EXPORTS}{third.pk}/act/cancel").status_code == 302
    found = [Export.objects.get(pk=each.pk).status for each in (first, second, third)]
    assert found == ["refused", "withdrawn", "cancelled"]
    assert me.post(f"{EXPORTS}{third.pk}/act/delete").status_code == 404


def test_who_may_not_ask_is_told(system: AISystem) -> None:
    viewer = browser(make_person(viewer=True))
    assert viewer.get(ASK).status_code == HTTPStatus.FORBIDDEN
    assert "Ask for an export" not in text_of(viewer.get(EXPORTS))


# --- what fills the form in -------------------------------------------------------------------------------------------
def link_in(page: str) -> str:
    found = re.search(r'href="(/admin/exports/new[^"]*)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


def test_the_list_s_ai_system_and_times_are_taken_over(system: AISystem, auditor: Person) -> None:
    me = browser(auditor)
    record_decision(system, adverse=True)
    times = "since=2026-01-01T00:00&until=2099-02-01T00:00"
    link = link_in(text_of(me.get(f"/admin/decisions/?system=credit&{times}&adverse=yes")))
    assert parse_qs(urlsplit(link).query)["system"] == ["credit"]
    page = text_of(me.get(link))
    assert re.search(r'<option value="credit" selected', page)
    assert "2026-01-01" in page
    assert "2099-02-01" in page
    assert "only the AI system and the times were taken over" in page, "of what the filter asked beside"


def test_a_decision_and_a_case_are_taken_over(system: AISystem) -> None:
    decision = record_decision(system)
    case, lead = make_led_case(system, decisions=[decision])
    me = browser(lead)
    link = link_in(text_of(me.get(f"/admin/decisions/{decision.id}/")))
    assert str(decision.id) in text_of(me.get(link))
    link = link_in(text_of(me.get(f"/admin/cases/{case.pk}/")))
    page = text_of(me.get(link))
    assert case.reference in page
    answer = me.post(
        ASK, {"question": "case", "case_id": case.pk, "form": "csv", "reason": "For the file.", "key": "0" * 32}
    )
    assert answer.status_code == 302
    assert Export.objects.get().case_id == case.pk


def test_a_subject_is_taken_over_by_its_search_and_stands_in_no_address(system: AISystem, auditor: Person) -> None:
    record_decision(system, subject="zq-ada")
    run = search_decisions(
        actor=actor_of(auditor),
        reach=Reach.of_person(auditor),
        terms=Terms(subject="zq-ada"),
        within=DecisionFilter(),
    ).run
    me = browser(auditor)
    page = me.get(f"{ASK}?search={run.pk}")
    assert 'value="zq-ada"' in text_of(page)
    answer = me.post(
        ASK, {"question": "subject", "subject": "zq-ada", "form": "csv", "reason": "Access.", "key": "0" * 32}
    )
    assert "zq-ada" not in answer["Location"]
    other = browser(make_person(auditor=True)).get(f"{ASK}?search={run.pk}")
    assert "zq-ada" not in text_of(other)


@pytest.mark.parametrize(
    "query", ["question=nonsense", "decision=no-uuid", "case=%00", "search=1", "system=unheard-of&since=never"]
)
def test_an_address_that_means_nothing_fills_nothing_in(auditor: Person, query: str) -> None:
    assert browser(auditor).get(f"{ASK}?{query}").status_code in (200, 404)


# --- who sees what ----------------------------------------------------------------------------------------------------
def test_the_reason_and_the_subject_are_for_those_who_may_read_them(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, reason="zq-why")
    page = text_of(browser(make_person(accountable=system)).get(f"{EXPORTS}{export.pk}/"))
    assert "zq-why" not in page
    assert "The file is for whoever asked for it" in page or "Waits for its turn" in page
    assert "zq-why" in text_of(browser(make_person(dpo=True)).get(f"{EXPORTS}{export.pk}/"))
    outsider = browser(make_person(auditor=make_system()))
    assert outsider.get(f"{EXPORTS}{export.pk}/").status_code == 404
    assert outsider.get(f"{EXPORTS}{export.pk}/live").status_code == 404


def test_one_that_is_not_whole_says_so_in_list_and_page(auditor: Person, system: AISystem) -> None:
    made = export_of(auditor, system)
    Export.objects.filter(pk=made.pk).update(is_whole=False, left_out=["judged_blind"])
    me = browser(auditor)
    assert 'data-tone="warn">finished, not whole' in text_of(me.get(EXPORTS))
    assert "judges blind" in text_of(me.get(f"{EXPORTS}{made.pk}/"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "failed", "failure": "too_large"}, "larger than an evidence bundle may be"),
        ({"status": "cancelled"}, "given up"),
        ({"status": "withdrawn"}, "taken back"),
        ({"status": "refused"}, "Nothing was exported"),
    ],
)
def test_every_end_has_words(system: AISystem, auditor: Person, changes: dict[str, Any], words: str) -> None:
    export = ask(auditor, system)
    Export.objects.filter(pk=export.pk).update(ended_at=timezone.now(), **changes)
    assert words in text_of(browser(auditor).get(f"{EXPORTS}{export.pk}/"))


def test_a_file_whose_time_is_over_is_not_offered(system: AISystem, auditor: Person) -> None:
    made = export_of(auditor, system, form="csv")
    Export.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    page = text_of(browser(auditor).get(f"{EXPORTS}{made.pk}/"))
    assert "Download" not in page
    assert "Its time is over" in page


# --- live -------------------------------------------------------------------------------------------------------------
def test_the_live_part_is_sent_again_only_when_it_changed(system: AISystem, auditor: Person) -> None:
    export, me = ask(auditor, system), browser(auditor)
    first = me.get(f"{EXPORTS}{export.pk}/live")
    assert me.get(f"{EXPORTS}{export.pk}/live", headers={"If-None-Match": first["ETag"]}).status_code == 304
    export.work.phase, export.work.total, export.work.done = "entries", 100, 40
    export.work.worker, export.work.worked_at = export.pk, timezone.now()
    export.work.save()
    again = me.get(f"{EXPORTS}{export.pk}/live", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert "Reading entries" in text_of(again)
    assert "40" in text_of(again)


# --- beside -----------------------------------------------------------------------------------------------------------
def test_a_decision_s_timeline_says_that_its_contents_left(system: AISystem, auditor: Person) -> None:
    decision = record_decision(system)
    me = browser(make_person(accountable=system))
    export_of(auditor, system)
    assert "Exported with contents" not in text_of(me.get(f"/admin/decisions/{decision.id}/"))
    export_of(auditor, system, parts=["input"])
    page = text_of(me.get(f"/admin/decisions/{decision.id}/"))
    assert page.count("Exported with contents") == 1
    assert f"{auditor} took out input, as far as they were there, of 2 decisions." in page


def test_a_long_list_takes_no_more_queries(system: AISystem, auditor: Person) -> None:
    me = browser(auditor)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert me.get(EXPORTS).status_code == 200
        return len(seen)

    agree(ask(auditor, system, parts=["input"]))
    queries()
    few = queries()
    for _ in range(8):
        ask(auditor, system)
    assert queries() <= few

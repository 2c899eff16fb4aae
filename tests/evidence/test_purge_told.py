"""Who is told what of a purge: legal holds, and other AI systems, are told to those alone who may know of them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import Case, LegalHold, Purge
from audit.selectors import SealedDecision
from audit.services.holds import place_hold
from config.ids import new_id
from evidence.services.purges import run_purges
from governance.models import AISystem, Person
from governance.services.tokens import create_token
from intake.models import QuarantineCase
from ledger.models import Entry
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreeing, officer, put_in_force
from tests.factories.purging import announced, hold, old, purged, said
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def other() -> AISystem:
    return make_system(slug="other", accountable=make_person())


def api(person: Person) -> APIClient:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    return APIClient(headers={"Authorization": f"Bearer {token.text}"})


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def of_one_held(system: AISystem) -> tuple[LegalHold, SealedDecision]:
    """Two decisions past their time, of which a legal hold keeps one, and one that is in an open case."""
    put_in_force("payloads", system, ceiling=30)
    kept, at_work, _ = old(system, days=90), old(system, days=80), old(system, days=60)
    make_led_case(system, decisions=[at_work])
    return hold(system, kept), kept


# --- the report -------------------------------------------------------------------------------------------------------
def reports(person: Person, purge: Purge) -> tuple[Any, Any, str]:
    """What one gets who asks for the report over the API and in the console, and the page of the purge."""
    page = browser(person).get(f"/admin/retention/purges/{purge.pk}/")
    assert page.status_code == 200
    return (
        api(person).get(f"/api/v1/retention/purges/{purge.pk}/report"),
        browser(person).get(f"/admin/retention/purges/{purge.pk}/report"),
        page.content.decode(),
    )


@pytest.mark.parametrize("role", ["technical_owner", "accountable", "auditor"])
def test_who_may_not_know_of_the_holds_of_a_system_gets_no_report(system: AISystem, role: str) -> None:
    placed, _ = of_one_held(system)
    purge = purged()
    roles: dict[str, Any] = {role: system}
    person = agreeing(system) if role == "accountable" else make_person(**roles)
    over_api, in_console, page = reports(person, purge)
    assert over_api.status_code == in_console.status_code == 403
    assert "for those who may know of all of them" in over_api.json()["detail"]
    assert f"{purge.pk}/report" not in page and str(placed.pk) not in page
    assert over_api["Content-Type"] == "application/problem+json"
    assert str(placed.pk).encode() not in over_api.content + in_console.content


def test_who_may_know_of_the_holds_of_one_ai_system_gets_no_report_that_tells_of_another(
    system: AISystem, other: AISystem
) -> None:
    of_one_held(system)
    put_in_force("payloads", other, ceiling=30)
    old(other)
    purge = purged()
    over_api, in_console, page = reports(make_person(investigator=system), purge)
    assert over_api.status_code == in_console.status_code == 403
    assert f"{purge.pk}/report" not in page and "other" not in over_api.json()["detail"]
    for person in (officer(), make_person(auditor=True), make_person(investigator=True)):
        over_api, in_console, page = reports(person, purge)
        assert over_api.status_code == in_console.status_code == 200
        assert f"system: {other.pk} other" in over_api.content.decode() and "Download the signed report" in page


def test_an_investigator_has_the_report_of_a_purge_of_their_ai_systems_alone(system: AISystem, other: AISystem) -> None:
    placed, _ = of_one_held(system)
    purge = purged()
    over_api, in_console, page = reports(make_person(investigator=system), purge)
    assert over_api.status_code == in_console.status_code == 200
    assert f"hold: {placed.pk} 1" in over_api.content.decode() and "Download the signed report" in page


def test_of_what_belongs_to_the_organisation_no_role_in_one_ai_system_gets_it(system: AISystem) -> None:
    of_one_held(system)
    purge = purged()
    part = purge.done[0] | {"system": None, "kind": "searches"}
    Purge.objects.filter(pk=purge.pk).update(done=[*purge.done, part])
    over_api, _, page = reports(make_person(investigator=system), purge)
    assert over_api.status_code == 403 and f"{purge.pk}/report" not in page


# --- by what something is kept back -----------------------------------------------------------------------------------
def parts_of(person: Person, purge: Purge, which: str = "done") -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = api(person).get(f"/api/v1/retention/purges/{purge.pk}").json()[which]
    return parts


def page_of(person: Person, address: str) -> str:
    answer = browser(person).get(address)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_by_what_it_was_kept_back_is_told_to_who_may_know_of_every_hold_there(system: AISystem) -> None:
    placed, _ = of_one_held(system)
    purge = purged()
    address = f"/admin/retention/purges/{purge.pk}/"
    auditor = make_person(auditor=system)
    for person in (make_person(technical_owner=system), agreeing(system), auditor):
        (part,) = parts_of(person, purge)
        assert (part["count"], part["kept"]) == (1, 2), "one number for both"
        # an auditor of one AI system knows of holds on a span of it, and not of every case that it is in
        assert part["holds"] == ([str(placed.pk)] if person == auditor else [])
        assert "held" not in part and "in_process" not in part
        text = page_of(person, address)
        assert "1 by a legal hold" not in text and "1 still worked on" not in text
    for person in (officer(), make_person(auditor=True), make_person(investigator=system)):
        (part,) = parts_of(person, purge)
        assert (part["kept"], part["held"], part["in_process"], part["holds"]) == (2, 1, 1, [str(placed.pk)])
        assert "1 by a legal hold 1 still worked on" in page_of(person, address)


def held_and_free_cases(system: AISystem) -> LegalHold:
    put_in_force("cases", system, ceiling=30)
    then = timezone.now() - timedelta(days=60)
    case, lead = make_led_case(system, title="About Ada")
    placed = place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    make_led_case(system, title="Of another day")
    titles = ("About Ada", "Of another day")
    Case.objects.filter(title__in=titles).update(concluded_at=then, closed_at=then, status="closed")
    return placed


def test_of_cases_it_is_told_what_goes_without_what_is_held(system: AISystem) -> None:
    placed = held_and_free_cases(system)
    owner = make_person(technical_owner=system)
    purge = announced()
    (whole,) = parts_of(officer(), purge, "parts")
    (part,) = parts_of(owner, purge, "parts")
    assert whole["kept"] > 0 and whole["holds"] == [str(placed.pk)]
    assert (part["count"], part["kept"], part["holds"]) == (whole["count"] - whole["kept"], None, [])
    run_purges(seconds=SECONDS)
    (went,) = parts_of(owner, purge)
    assert (went["count"], went["kept"]) == (part["count"], None), "as it was announced: nothing seems to be missing"
    text = page_of(owner, f"/admin/retention/purges/{purge.pk}/")
    assert "not told" in text and "by a legal hold" not in text


def test_where_all_of_it_is_held_others_are_told_of_no_part(system: AISystem) -> None:
    held_and_free_cases(system)
    Case.objects.filter(title="Of another day").update(closed_at=timezone.now())
    purge = purged()
    assert parts_of(make_person(technical_owner=system), purge) == []
    (part,) = parts_of(officer(), purge)
    assert part["count"] == 0 and part["held"] == part["kept"] > 0


def test_no_entry_of_a_purge_tells_by_what_it_was_kept_back(system: AISystem) -> None:
    placed, _ = of_one_held(system)
    held_and_free_cases(system)
    purge = purged()
    kinds = ("retention.announced", "retention.started", "retention.purged", "retention.concluded")
    entries = [bytes(each.data) for each in Entry.objects.filter(kind__in=kinds)]
    assert len(entries) >= 4
    for name in (b'"held"', b'"in_process"', b'"holds"', str(placed.pk).encode()):
        assert not any(name in data for data in entries), name
    (ended,) = said("retention.concluded")
    kept = {part["kind"]: part.get("kept") for part in ended["parts"]}
    assert kept == {"payloads": 2, "cases": None}
    assert {part["kind"]: "kept" in part for part in said("retention.announced")[0]["parts"]} == {
        "payloads": True, "cases": False,
    }  # fmt: skip
    assert {part["kind"]: part["held"] > 0 for part in purge.done} == {"payloads": True, "cases": True}


# --- how it is found --------------------------------------------------------------------------------------------------
def test_the_records_that_decisions_were_made_of_are_found_by_an_index(system: AISystem) -> None:
    """Of each slice of a purge, and of each place that is due, whatever else lies in quarantine."""
    found = QuarantineCase.objects.filter(decision_id__in=[new_id(), new_id()]).values_list("record__received_at")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "intake_quarantinecase_decision" in found.explain()

"""A case of which something is restricted, at every door: pages, lists, print, forms, search and the API."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Case, Incident
from audit.restricted_texts import NOTICE
from audit.services.holds import place_hold, request_lift
from audit.services.incident_signing import sign_off
from audit.services.incidents import record_notice, record_report, update_incident
from audit.services.investigating import add_note
from governance.models import AISystem, Person
from tests.factories.cases import act, attach, declare, find, make_led_case
from tests.factories.erasing import agreed, agreeing, lift_all_holds, officer, put_in_force
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.personas.people import Persona

pytestmark = pytest.mark.django_db
ADA = "Ada Lovelace"
MARKED = "Nobody but data protection officers reads it until it is erased"
PARTS = ("", "/notes", "/findings", "/actions", "/attachments", "/report", "/incident")
INCIDENT_PARTS = ("/reports", "/notices", "/sign-offs")


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def restricted(system: AISystem) -> tuple[Case, Person]:
    """A case whose every text names somebody, and who leads it."""
    one, two = record_decision(system), record_decision(system)
    case, lead = make_led_case(system, decisions=[one], title=f"Complaint of {ADA}", summary=f"{ADA} rang.")
    actor = actor_of(lead)
    attach(case, lead, two, why=f"{ADA} named it.")
    add_note(actor=actor, case_id=case.pk, text=f"Asked {ADA}.")
    find(case, lead, text=f"{ADA} was misread.")
    act(case, lead, lead, what=f"Write to {ADA}.")
    hold = place_hold(actor=actor, case_id=case.pk, reason=f"{ADA} may sue.")
    request_lift(actor=actor, hold_id=hold.pk, reason=f"{ADA} does not.")
    declare(case, lead, narrative=f"{ADA} fell.", limbs=["death"])
    changed = update_incident(actor=actor, case_id=case.pk, changes={"limbs": ["health"]}, reason=f"{ADA} lives.")
    sign_off(actor=actor, case_id=case.pk, stage="initial", revision=changed.revision, text=f"{ADA} agrees.")
    record_report(actor=actor, case_id=case.pk, stage="initial", reported_at=timezone.now(), receipt=f"As {ADA} asked.")
    record_notice(actor=actor, case_id=case.pk, to="provider", told_at=timezone.now(), text=f"Told of {ADA}.")
    lift_all_holds(lead, officer())
    put_in_force("cases", system, floor=200)
    agreed(kind="subject", subject="nobody-of-this-name", identifiers=[ADA])
    return Case.objects.get(pk=case.pk), lead


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def pages(case: Case) -> list[str]:
    report = Incident.objects.get().reports.get()
    own = f"/admin/cases/{case.pk}/"
    return [own, f"{own}report", f"{own}reports/{report.pk}", "/admin/cases/", "/admin/holds/", "/admin/mine/"]


def readers(system: AISystem, lead: Person) -> dict[str, Person]:
    return {
        "lead": lead,
        "accountable": agreeing(system),
        "auditor": make_person(auditor=True),
        "investigator": make_person(investigator=True),
        "administrator": make_person(administrator=True),
    }


def test_no_page_shows_it_to_anybody_but_the_officer(system: AISystem, restricted: tuple[Case, Person]) -> None:
    case, lead = restricted
    decision = f"/admin/decisions/{record_decision(system).id}/"
    for name, person in readers(system, lead).items():
        client = browser(person)
        for address in [*pages(case), decision, f"/admin/systems/{system.pk}/"]:
            assert ADA not in client.get(address).content.decode(), (name, address)
    shown = {address: browser(officer()).get(address).content.decode() for address in pages(case)[:5]}
    assert [address for address, text in shown.items() if ADA not in text or NOTICE in text] == []
    assert "Nobody but data protection officers reads it until then" in shown[pages(case)[0]]


def test_a_notice_stands_in_its_place(restricted: tuple[Case, Person]) -> None:
    case, lead = restricted
    client = browser(lead)
    own, printed, kept, listed, held, mine = (client.get(each).content.decode() for each in pages(case))
    assert own.count(NOTICE) >= 12 and printed.count(NOTICE) >= 12
    assert "what it said is about to be erased, and only a data protection officer reads it" in kept
    assert f"{case.reference}: {NOTICE}" in listed and f"{case.reference}: {NOTICE}" in mine
    assert NOTICE in held and MARKED not in held
    assert MARKED in browser(officer()).get("/admin/holds/").content.decode(), "who reads it is told that others do not"


def test_the_api_says_so_too(system: AISystem, restricted: tuple[Case, Person]) -> None:
    case, lead = restricted
    own, api = f"/api/v1/cases/{case.pk}", Persona("lead", True, lead).api()
    report = Incident.objects.get().reports.get()
    addresses = [*(own + each for each in PARTS), *(f"{own}/incident{each}" for each in INCIDENT_PARTS)]
    addresses += [f"{own}/incident/reports/{report.pk}", "/api/v1/cases", "/api/v1/holds"]
    officers = Persona("dpo", True, officer()).api()
    for address in addresses:
        told, whole = api.get(address), officers.get(address)
        assert (told.status_code, whole.status_code) == (HTTPStatus.OK, HTTPStatus.OK), address
        assert ADA not in told.content.decode() and ADA in whole.content.decode(), address
        if not address.endswith("/report"):
            assert '"is_restricted":true' in told.content.decode(), address
            assert '"is_restricted":true' in whole.content.decode(), "who reads it is told, too"
    others = [person for name, person in readers(system, lead).items() if name != "lead"]
    for person in others:
        client = Persona("reader", True, person).api()
        assert [each for each in addresses if ADA in client.get(each).content.decode()] == []


def test_it_is_found_by_nobody_else(restricted: tuple[Case, Person]) -> None:
    case, lead = restricted
    for person, is_found in ((lead, False), (officer(), True)):
        page = browser(person).post("/admin/cases/", {"q": "Lovelace"}, follow=True).content.decode()
        assert (f'class="k-name" href="/admin/cases/{case.pk}/"' in page) is is_found


def test_its_forms_hold_nothing_of_it_and_leave_it(restricted: tuple[Case, Person]) -> None:
    case, lead = restricted
    client, own = browser(lead), f"/admin/cases/{case.pk}/"
    assert ADA not in client.get(f"{own}incident").content.decode()
    sent: dict[str, Any] = {"title": "", "summary": "", "severity": "critical", "revision": case.revision}
    assert client.post(f"{own}act/edit", sent).status_code == HTTPStatus.FOUND
    case.refresh_from_db()
    assert (case.title, case.severity) == (f"Complaint of {ADA}", "critical")
    incident = Incident.objects.get()
    aware = timezone.localtime(incident.awareness_at).strftime("%Y-%m-%dT%H:%M")
    known = {"limbs": ["health"], "awareness_at": aware, "causal_link": "likely", "use": "unknown"}
    answer = client.post(f"{own}incident", known | {"narrative": "", "harm": "None.", "reason": "So it is."})
    assert answer.status_code == HTTPStatus.FOUND, answer.content.decode()
    incident.refresh_from_db()
    assert (incident.narrative, incident.harm, incident.causal_link) == (f"{ADA} fell.", "None.", "likely")


@pytest.mark.parametrize("summary", [f"{ADA} rang.", "Somebody rang."])
def test_an_incident_that_is_not_declared_yet_begins_with_no_notice(system: AISystem, summary: str) -> None:
    case, lead = make_led_case(system, title="A complaint", summary=summary)
    add_note(actor=actor_of(lead), case_id=case.pk, text=f"Asked {ADA}.")
    put_in_force("cases", system, floor=200)
    agreed(kind="subject", subject="nobody-of-this-name", identifiers=[ADA])
    form = browser(lead).get(f"/admin/cases/{case.pk}/incident").context["form"]
    assert form.initial["narrative"] == ("" if ADA in summary else summary)


def test_what_was_read_over_the_api_may_be_sent_back(restricted: tuple[Case, Person]) -> None:
    case, lead = restricted
    api, own = Persona("lead", True, lead).api(), f"/api/v1/cases/{case.pk}"
    read = api.get(own).json()
    assert read["is_restricted"] and read["title"] == NOTICE
    sent = {name: read[name] for name in ("title", "summary", "revision")} | {"severity": "low"}
    answer = api.put(own, json.dumps(sent), content_type="application/json")
    assert answer.status_code == HTTPStatus.OK and answer.json()["title"] == NOTICE
    case.refresh_from_db()
    assert (case.title, case.summary, case.severity) == (f"Complaint of {ADA}", f"{ADA} rang.", "low")

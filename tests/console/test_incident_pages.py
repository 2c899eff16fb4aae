"""An incident on its case: all that is known, its deadlines, who signed, and what went to the authority."""

import html
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.case_errors import HoldByLaw
from audit.models import Case, Decision, Incident, IncidentSignOff, LegalHold
from audit.selectors import decisions_by_ids
from audit.services.incidents import record_report, update_incident
from config.ids import new_id
from governance.models import AISystem, Person
from governance.reauthentication import PROVEN_AT
from ledger.models import Entry
from tests.factories.cases import attach, declare, detach, find, make_led_case
from tests.factories.record import record_decision, record_many
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def text_of(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def address(case: Case, rest: str = "") -> str:
    return f"/admin/cases/{case.pk}/{rest}"


def report(case: Case, lead: Person, stage: str = "initial") -> Any:
    return record_report(actor=actor_of(lead), case_id=case.pk, stage=stage, reported_at=timezone.now())


def test_the_incident_is_read_on_its_case(system: AISystem) -> None:
    case, lead = make_led_case(system, decisions=[record_decision(system, model_version="gbm-7")])
    known = {"harm": "One person, a broken arm.", "oversight": "A clerk looked.", "eu_registration_id": "EU-4711"}
    breach = timezone.now() - timedelta(hours=1)
    declare(case, lead, narrative="It fell.", breach_aware_at=breach, final_due_at=_in(30), **known)
    changes = {"final_due_at": _in(60)}
    update_incident(actor=actor_of(lead), case_id=case.pk, changes=changes, reason="As agreed with the authority.")
    page = text_of(browser(lead).get(address(case)))
    for said in ("It fell.", *known.values(), "gbm-7", "Notice to the data protection authority", "As agreed with"):
        assert said in page, said


def _in(days: int) -> Any:
    return timezone.now() + timedelta(days=days)


def test_who_answers_for_the_system_reads_it_once_the_case_is_concluded(system: AISystem) -> None:
    case, lead = make_led_case(system)
    declare(case, lead, harm="One person, a broken arm.")
    find(case, lead)
    client = browser(make_person(deputy=system))
    assert "a broken arm" not in text_of(client.get(address(case)))
    Case.objects.filter(pk=case.pk).update(status="concluded", concluded_at=timezone.now())
    page = text_of(client.get(address(case)))
    assert "a broken arm" in page and "Sign it off" in page


def test_the_page_says_why_the_hold_of_an_incident_stays_and_offers_no_lifting(system: AISystem) -> None:
    case, lead = make_led_case(system, decisions=[record_decision(system)])
    declare(case, lead)
    words = "It stays until the final report to the authority is recorded."
    client = browser(lead)
    page = text_of(client.get(address(case)))
    assert words in page and "Ask to lift it" not in page
    refused = text_of(client.post(address(case, "act/lift"), {"reason": "Nothing more to look at."}, follow=True))
    assert HoldByLaw().detail in refused
    assert LegalHold.objects.get(case=case).status == "in_force"
    report(case, lead, "initial")
    assert words in text_of(client.get(address(case)))
    report(case, lead, "final")
    page = text_of(client.get(address(case)))
    assert words not in page and "Ask to lift it" in page


def test_a_later_deadline_asks_for_a_reason_on_the_page(system: AISystem) -> None:
    case, lead = make_led_case(system)
    incident = declare(case, lead, limbs=["death"])
    client, page = browser(lead), address(case, "incident")
    now = timezone.localtime(incident.awareness_at).strftime("%Y-%m-%dT%H:%M")
    sent: dict[str, Any] = {
        "limbs": ["health"],
        "awareness_at": now,
        "narrative": "It fell.",
        "causal_link": "likely",
        "use": "unknown",
    }
    sent |= {"causal_link": "likely", "use": "unknown", "revision": incident.revision}
    refused = client.post(page, sent)
    assert refused.status_code == 422 and "write why" in text_of(refused)
    assert client.post(page, sent | {"reason": "Nobody died."}).status_code == 302
    assert Incident.objects.get().extensions.get().why == "Nobody died."


def test_signing_asks_for_the_second_factor(system: AISystem) -> None:
    case, lead = make_led_case(system)
    revision, client = declare(case, lead).revision, browser(lead)
    sent: dict[str, Any] = {"stage": "initial", "text": "As I know it.", "revision": revision}
    session = client.session
    session[PROVEN_AT] = (timezone.now() - timedelta(minutes=11)).timestamp()
    session.save()
    assert "Is it you?" in text_of(client.post(address(case, "act/sign"), sent))
    assert not IncidentSignOff.objects.exists()
    assert browser(lead).post(address(case, "act/sign"), sent).status_code == 302
    assert IncidentSignOff.objects.get().capacity == "lead"
    assert "As I know it." in text_of(client.get(address(case)))


def test_what_went_to_the_authority_is_read_as_it_was(system: AISystem) -> None:
    one, two = record_decision(system, outcome="refused"), record_decision(system)
    case, lead = make_led_case(system, decisions=[one])
    declare(case, lead, harm="One person.")
    made, client = report(case, lead), browser(lead)
    update_incident(actor=actor_of(lead), case_id=case.pk, changes={"harm": "Two persons."})
    attach(case, lead, two)
    detach(case, lead, one)
    find(case, lead, text="Found later.")
    assert address(case, f"reports/{made.pk}") in text_of(client.get(address(case)))
    kept = text_of(client.get(address(case, f"reports/{made.pk}")))
    assert "One person." in kept and str(one.id) in kept and "refused" in kept
    assert "Two persons." not in kept and str(two.id) not in kept and "Found later." not in kept
    now = text_of(client.get(address(case, "report")))
    assert "Two persons." in now and str(two.id) in now and "Found later." in now
    assert client.get(address(case, f"reports/{new_id()}")).status_code == 404
    assert browser(make_person(deputy=system)).get(address(case, f"reports/{made.pk}")).status_code == 403


def test_the_printed_report_names_its_decisions_and_the_file_has_them_all(system: AISystem) -> None:
    record_many(system, 310, outcome="refused")
    case, lead = make_led_case(system)
    client = browser(lead)
    attach(case, lead, *decisions_by_ids(list(Decision.objects.values_list("pk", flat=True))).values())
    page = text_of(client.get(address(case, "report")))
    assert page.count('href="/admin/decisions/0') == 300
    assert "All 310" in page
    assert client.get(address(case, "decisions.csv")).status_code == 405
    answer: Any = client.post(address(case, "decisions.csv"))
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert (len(lines), lines[0]) == (311, "id,system,recorded_at,outcome,model_version,model_digest")
    assert lines[1].split(",")[1:2] == ["credit-limits"]
    assert Entry.objects.filter(kind="case.listed").count() == 1

"""The page of legal holds: placed on a span by one, lifted by two, nothing to those without the right."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.case_selectors import held
from audit.models import LegalHold
from audit.services.holds import place_hold
from console.views import holds
from governance.models import AISystem, Person
from tests.factories.cases import make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db
HOLDS = "/admin/holds/"


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def span(system: AISystem, **more: Any) -> dict[str, Any]:
    now = timezone.localtime()
    day = {"since": now - timedelta(days=1), "until": now + timedelta(days=1)}
    return {"system": system.pk, "reason": "A claim."} | {k: f"{v:%Y-%m-%dT%H:%M}" for k, v in day.items()} | more


def test_one_places_it_and_two_lift_it() -> None:
    system = make_system(slug="credit")
    decision = record_decision(system)
    investigator, officer = browser(make_person(investigator=True)), browser(make_person(dpo=True))
    assert investigator.post(HOLDS, span(system)).status_code == 302
    hold = LegalHold.objects.get()
    assert held([decision.id]) == {decision.id}
    assert "Ask to lift it" in investigator.get(HOLDS).content.decode()
    assert investigator.post(f"{HOLDS}{hold.pk}/lift", {"reason": ""}).status_code == 422
    assert investigator.post(f"{HOLDS}{hold.pk}/lift", {"reason": "Settled."}).status_code == 302
    assert investigator.post(f"{HOLDS}{hold.pk}/approve").status_code == 422, "not the same person"
    assert "lift the legal hold" in officer.get("/admin/mine/").content.decode()
    assert officer.post(f"{HOLDS}{hold.pk}/approve").status_code == 302
    assert held([decision.id]) == frozenset()
    assert officer.post(f"{HOLDS}{hold.pk}/approve").status_code == 422, "a second click"


def test_a_span_that_ends_before_it_begins_is_refused_with_what_was_typed() -> None:
    system = make_system()
    now = timezone.localtime()
    wrong = span(system, until=f"{now - timedelta(days=3):%Y-%m-%dT%H:%M}", reason="Typed with care.")
    refused = browser(make_person(investigator=True)).post(HOLDS, wrong)
    assert refused.status_code == 422 and "Typed with care." in refused.content.decode()
    assert not LegalHold.objects.exists()


def test_others_see_none_and_place_none() -> None:
    system = make_system(slug="unmentionable")
    browser(make_person(dpo=True)).post(HOLDS, span(system))
    hold = LegalHold.objects.get()
    for person in (make_person(viewer=True), make_person(administrator=True), make_person()):
        theirs = browser(person)
        page = theirs.get(HOLDS).content.decode()
        assert "unmentionable" not in page.lower() and "A claim." not in page
        assert theirs.post(HOLDS, span(system)).status_code == 422
        assert theirs.post(f"{HOLDS}{hold.pk}/lift", {"reason": "Mine."}).status_code == 422
    assert LegalHold.objects.get().status == "in_force"


def test_an_auditor_reads_those_of_what_they_audit_and_the_list_is_paged(monkeypatch: pytest.MonkeyPatch) -> None:
    system, foreign = make_system(slug="credit"), make_system(slug="unmentionable")
    officer = browser(make_person(dpo=True))
    for place in (system, foreign, system):
        officer.post(HOLDS, span(place, reason=f"Because of {place.slug}."))
    case, lead = make_led_case(system)
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="What the case needs.")
    auditor = browser(make_person(auditor=system))
    page = auditor.get(HOLDS).content.decode()
    assert page.count("Because of credit.") == 2 and "What the case needs." in page
    assert "unmentionable" not in page and "Ask to lift it" not in page
    monkeypatch.setattr(holds, "PAGE_SIZE", 2)
    first = auditor.get(HOLDS).content.decode()
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older and first.count("Because of credit.") == 1
    assert auditor.get(HOLDS + older[1]).content.decode().count("Because of credit.") == 1

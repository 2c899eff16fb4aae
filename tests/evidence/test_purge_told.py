"""Who is told what of a purge: legal holds, and other AI systems, are told to those alone who may know of them."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import LegalHold, Purge
from audit.selectors import SealedDecision
from governance.models import AISystem, Person
from governance.services.tokens import create_token
from tests.factories.cases import make_led_case
from tests.factories.erasing import agreeing, officer, put_in_force
from tests.factories.purging import hold, old, purged
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
    person = agreeing(system) if role == "accountable" else make_person(**{role: system})
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

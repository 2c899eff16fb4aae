"""Days that are written down do not depend on the zone that a viewer's browser names."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from environs import ValidationError
from pytest_django.fixtures import Settings

from audit.services.incidents import update_incident
from config.days import day_of, is_zone, today
from evidence.letters.drafts import snapshot_of
from evidence.models import LetterDraft
from governance.models import AISystem
from ledger.models import Entry
from tests.factories import letters
from tests.factories.cases import declare, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
"""The fourth in the east, the third in Greenwich; an hour earlier still the second in the west."""


def test_a_day_is_the_organisations(settings: Settings) -> None:
    with timezone.override(EAST):
        assert day_of(NOON) == date(2026, 3, 3)
        settings.WRITTEN_ZONE = EAST
        assert day_of(NOON) == date(2026, 3, 4)
    with time_machine.travel(NOON, tick=False):
        assert today() == date(2026, 3, 4)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "UTC "])
def test_no_zone_is_refused(name: str) -> None:
    is_zone("Europe/Paris")
    with pytest.raises(ValidationError):
        is_zone(name)


@pytest.mark.django_db
@pytest.mark.parametrize("zone", [EAST, WEST])
def test_the_deadline_in_an_entry_is_the_same_for_everybody(zone: str) -> None:
    case, lead = make_led_case(make_system())
    with timezone.override(zone):
        incident = declare(case, lead, awareness_at=datetime(2026, 3, 3, 11, 30, tzinfo=UTC))
        update_incident(actor=actor_of(lead), case_id=case.pk, changes={"harm": "One."})
    found = Entry.objects.filter(about_id=incident.pk).order_by("id")
    said: list[Any] = [json.loads(bytes(entry.data))["body"]["due_on"] for entry in found]
    assert said == ["2026-03-18", "2026-03-18"]


@pytest.mark.django_db
@pytest.mark.parametrize("zone", [EAST, WEST])
def test_a_letter_names_the_same_days_whatever_the_browser_says(zone: str) -> None:
    system: AISystem = make_system(slug="credit")
    owner = make_person(accountable=system)
    letters.publish(system)
    decision = record_decision(system, at=NOON, outcome="refused")
    client = Client()
    client.force_login(owner)
    client.cookies["zone"] = zone
    answer = client.post(f"/admin/decisions/{decision.id}/letter", {"language": "en"})
    assert answer.status_code == 302
    told = {fact.name: fact.value for fact in snapshot_of(LetterDraft.objects.get()).facts}
    assert told["decided_on"] == "3 March 2026"
    assert told["today"] == f"{timezone.now():%-d %B %Y}"

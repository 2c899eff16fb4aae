"""What is due is shown before it goes, and under which class: quarantine, which goes by itself, with the rest."""

import json
import re
import uuid
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import DataKind
from audit.models.retention import QUARANTINE_PURPOSE
from evidence.retention.due import everything_due
from evidence.services.purges import announce_purge, hold_purge
from governance import memory
from governance.models import AISystem
from governance.services.tokens import create_token
from intake.models import QuarantinedRecord
from intake.services.sweeps import expire_quarantine
from tests.evidence.test_erasing_quarantine import hold_days_ago, is_kept, refused, replayed
from tests.factories.erasing import agreeing, arrived, officer, put_in_force
from tests.factories.purging import old
from tests.factories.register import actor_of, make_person, make_system
from tests.intake.conftest import Sender, make_sender

pytestmark = pytest.mark.committing
CEILING = settings.QUARANTINE_DAYS


@pytest.fixture
def sender(committed_db: None) -> Sender:
    return make_sender("credit", accountable=make_person())


@pytest.fixture
def system(sender: Sender) -> AISystem:
    return sender.systems[0]


def due(kind: str = "quarantine") -> list[dict[str, Any]]:
    return [part for part in everything_due(timezone.now()) if part["kind"] == kind]


def arrived_at(record_id: uuid.UUID) -> datetime:
    return QuarantinedRecord.objects.get(pk=record_id).received_at


# --- quarantine -------------------------------------------------------------------------------------------------------
def test_what_goes_from_quarantine_by_itself_is_shown_before_its_day(sender: Sender, system: AISystem) -> None:
    first = refused(sender, days=CEILING - 3)
    refused(sender, days=CEILING - settings.PURGE_NOTICE_DAYS + 1)
    refused(sender, days=CEILING - settings.PURGE_NOTICE_DAYS - 1)
    refused(sender, days=1)
    (part,) = due()
    assert (part["system"], part["count"], part["kept"], part["by_itself"]) == (str(system.pk), 2, 0, True)
    assert part["goes_at"] == arrived_at(first) + timedelta(days=CEILING)
    assert (part["class"], part["ceiling_days"], part["purpose"]) == (None, CEILING, QUARANTINE_PURPOSE)
    assert expire_quarantine() == 0, "its day has not come"
    assert is_kept(first)


def test_what_is_shown_for_a_moment_goes_then(sender: Sender) -> None:
    for days in (CEILING + 2, CEILING + 1, CEILING - 1):
        refused(sender, days=days)
    (part,) = due()
    assert part["count"] == 3 and part["goes_at"] < timezone.now()
    assert expire_quarantine() == 2
    (left,) = due()
    assert left["count"] == 1 and left["goes_at"] > timezone.now()


def test_of_each_ai_system_under_its_own_class(sender: Sender, system: AISystem) -> None:
    rule = put_in_force("quarantine", system, floor=5, ceiling=20)
    record = refused(sender, days=15)
    (part,) = due()
    assert (part["class"], part["class_name"]) == (str(rule.retention_class_id), "5 to 20")
    assert (part["floor_days"], part["floor_source"], part["ceiling_days"], part["purpose"]) == (
        5, "Of tests.", 20, "Testing.",
    )  # fmt: skip
    assert part["goes_at"] == arrived_at(record) + timedelta(days=20)
    put_in_force("quarantine", system, ceiling=None)
    assert due() == [], "nothing goes by itself any more"


def test_what_names_no_ai_system_is_shown_too(committed_db: None) -> None:
    several = make_sender("credit", "other")
    memory.refresh()
    with arrived(days=CEILING - 1):
        assert several.post(b"{not json").status_code == 422
    (part,) = due()
    assert (part["system"], part["count"]) == (None, 1)


def test_what_a_hold_keeps_is_counted_and_the_first_that_goes_is_told(sender: Sender, system: AISystem) -> None:
    refused(sender, days=CEILING + 5)
    free = refused(sender, days=CEILING - 2)
    hold_days_ago(system, CEILING + 5)
    (part,) = due()
    assert (part["count"], part["kept"]) == (2, 1)
    assert part["goes_at"] == arrived_at(free) + timedelta(days=CEILING)
    hold_days_ago(system, CEILING - 2)
    (part,) = due()
    assert (part["kept"], part["goes_at"]) == (2, None)


def test_a_record_that_became_a_decision_goes_likewise(sender: Sender) -> None:
    replayed(sender, days=CEILING - 1)
    assert [part["count"] for part in due()] == [1]


def test_nothing_that_is_gone_is_due(sender: Sender, system: AISystem) -> None:
    refused(sender, days=CEILING + 1)
    assert [part["count"] for part in due()] == [1]
    assert expire_quarantine() == 1
    assert due() == []


def test_many_that_are_held_are_looked_at_as_far_as_a_page_can_wait(
    sender: Sender, system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.retention.due.LOOKED_AT", 2)
    for days in (5, 4, 3):
        refused(sender, days=CEILING - days)
    (part,) = due()
    assert (part["count"], part["kept"]) == (3, 0)
    hold_days_ago(system, CEILING - 4)
    assert due()[0]["kept"] == 1


# --- where it is shown ------------------------------------------------------------------------------------------------
def page(person: Any) -> str:
    client = Client()
    client.force_login(person)
    answer = client.get("/admin/retention/")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_the_page_shows_it_with_the_rest(sender: Sender, system: AISystem) -> None:
    refused(sender, days=CEILING - 3)
    put_in_force("payloads", system, ceiling=30)
    old(system)
    text = page(officer())
    assert "Records in quarantine" in text and "By itself, the first" in text and QUARANTINE_PURPOSE in text
    assert "Payloads of decisions" in text and "With the next purge" in text
    assert "No floor: Of tests." in text and "30 days at most: Testing." in text
    assert announce_purge() is not None
    assert "With the purge of" in page(officer())


def test_whoever_is_accountable_elsewhere_is_not_told(sender: Sender, system: AISystem) -> None:
    refused(sender, days=CEILING - 3)
    assert "By itself, the first" in page(agreeing(system))
    elsewhere = make_person(accountable=make_system(slug="other"))
    assert "By itself, the first" not in page(elsewhere)
    assert api(elsewhere) == []
    (part,) = api(agreeing(system))
    assert (part["kind"], part["count"], part["by_itself"]) == ("quarantine", 1, True)


def api(person: Any) -> list[dict[str, Any]]:
    token = create_token(actor=actor_of(person), name="test", proven_at=timezone.now())
    answer = APIClient(headers={"Authorization": f"Bearer {token.text}"}).get("/api/v1/retention/due")
    assert answer.status_code == 200, answer.content
    parts: list[dict[str, Any]] = answer.json()["parts"]
    return parts


def test_that_a_hold_keeps_records_back_is_told_to_those_alone_who_may_know(sender: Sender, system: AISystem) -> None:
    ends = arrived_at(refused(sender, days=CEILING - 3)) + timedelta(days=CEILING)
    owner = make_person(technical_owner=system)
    (free,) = api(owner)
    hold_days_ago(system, CEILING - 3)
    (part,) = api(owner)
    assert part | {"before": free["before"]} == free, "nothing tells that there is a hold now"
    assert (part["count"], part["kept"], datetime.fromisoformat(part["goes_at"])) == (1, None, ends)
    text = page(owner)
    assert "By itself, the first" in text and "not told" in text
    for person in (officer(), make_person(auditor=True), make_person(investigator=system)):
        (part,) = api(person)
        assert (part["count"], part["kept"], part["goes_at"], len(part["holds"])) == (1, 1, None, 1)
    assert "Not while it is kept back" in page(officer()) and "Not while" not in page(owner)


def test_of_records_past_their_day_that_are_held_no_day_is_told(sender: Sender, system: AISystem) -> None:
    refused(sender, days=CEILING + 3)
    hold_days_ago(system, CEILING + 3)
    owner = agreeing(system)
    (part,) = api(owner)
    assert (part["kept"], part["goes_at"], part["holds"]) == (None, None, [])
    text = page(owner)
    assert "By itself" in text and "Not while" not in text


def test_the_api_says_under_which_class_and_when(sender: Sender, system: AISystem) -> None:
    rule = put_in_force("payloads", system, floor=10, ceiling=30)
    old(system)
    (part,) = api(officer())
    assert part["class_id"] == str(rule.retention_class_id) and part["goes_at"] is None
    assert (part["floor_source"], part["purpose"], part["by_itself"]) == ("Of tests.", "Testing.", False)
    purge = announce_purge()
    assert purge is not None
    assert datetime.fromisoformat(api(officer())[0]["goes_at"]) == purge.runs_at
    hold_purge(actor=actor_of(officer()), purge_id=purge.pk, reason="A claim.")
    assert api(officer())[0]["goes_at"] is None


def told(*options: str) -> str:
    out = StringIO()
    call_command("retention_due", *options, stdout=out)
    return out.getvalue()


def test_the_command_says_the_same(sender: Sender, system: AISystem) -> None:
    assert told() == "Nothing is due.\n"
    refused(sender, days=CEILING - 3)
    put_in_force("payloads", system, ceiling=30)
    old(system)
    lines = told().splitlines()
    assert re.fullmatch(r"payloads of decisions of credit: 1 from before \S+; goes with the next purge", lines[0])
    assert lines[1] == "  by 0 to 30: floor 0 days (Of tests.), ceiling 30 days (Testing.)"
    assert re.fullmatch(r"records in quarantine of credit: 1 from before \S+; goes by itself, the first \S+", lines[2])
    assert lines[3] == f"  by the default: floor 0 days, ceiling {CEILING} days ({QUARANTINE_PURPOSE})"
    said = json.loads(told("--json"))
    assert [part["kind"] for part in said["due"]] == [DataKind.PAYLOADS, DataKind.QUARANTINE]
    assert said["due"][0]["goes_at"] is None and datetime.fromisoformat(said["due"][1]["goes_at"]) > timezone.now()


def test_words_of_a_class_that_were_erased_are_told_as_erased(sender: Sender, system: AISystem) -> None:
    rule = put_in_force("payloads", system, ceiling=30)
    old(system)
    type(rule.retention_class).objects.filter(pk=rule.retention_class_id).update(name="", purpose="", floor_source="")
    assert "by (erased): floor 0 days, ceiling 30 days" in told()

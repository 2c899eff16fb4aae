"""A log that is gone altogether is named by its AI system wherever it is spoken of, and its row is gone as well."""

import io
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from config.ids import new_id
from evidence.log_standing import logs_lost_whole, name_systems
from evidence.services.custody import close_log
from evidence.services.self_audit import alert_discontinued, alert_lost_logs
from evidence.verification import verify_everything
from governance.models import AISystem, Person
from ledger.entries import COMMAND, SERVER
from ledger.heads import NamedSystem, head_store
from ledger.models import Entry, Log
from ledger.selectors import open_log, registry_log
from notices.letters import letter_for
from notices.models import Alert, Event, Message
from tests.browser.opening import signed_in
from tests.evidence.conftest import Organisation
from tests.factories.register import make_person, make_system


@pytest.fixture
def administrators(organisation: Organisation) -> list[Person]:
    return [make_person(administrator=True) for _ in range(2)]


@pytest.fixture
def lost(administrators: list[Person]) -> Log:
    """The log of an AI system that was registered after the backup that came back."""
    before = transaction.savepoint()
    log = open_log(make_system(slug="fraud-check").pk)
    transaction.savepoint_rollback(before)
    assert not AISystem.objects.filter(slug="fraud-check").exists()
    return log


def shown(person: Person, page: str) -> str:
    return signed_in(person).get(page).content.decode()


def page_of(alert: Alert) -> str:
    return f"/admin/notices/alert/{alert.pk}/change/"


def test_the_alert_its_page_its_letter_and_its_event_name_the_ai_system(
    lost: Log, administrators: list[Person]
) -> None:
    alert_discontinued(actor=SERVER)
    assert [alert_lost_logs(actor=SERVER) for _ in range(3)] == [1, 1, 1]
    alert = Alert.objects.get(kind="ledger.log_lost")
    assert (alert.about_id, alert.system_id, alert.occurrences) == (lost.pk, None, 1)
    signed = head_store().heads()[lost.pk].tree_size
    text = shown(administrators[0], page_of(alert))
    for words in ("AI system: fraud-check", f"Log: {lost.pk}", f"Entries of it that were signed: {signed}"):
        assert words in text, words
    letter = letter_for(Message.objects.filter(facts__alert=str(alert.pk))[0])
    assert letter.subject == "A whole log is gone (fraud-check)"
    event = Event.objects.get(about_id=alert.pk)
    assert event.facts["lost_system"] == "fraud-check"


def test_the_pages_and_the_command_name_it(lost: Log, administrators: list[Person]) -> None:
    for page in ("/admin/logs/", "/admin/logs/custody/"):
        text = shown(administrators[0], page)
        assert "AI system fraud-check" in text and str(lost.pk) in text, page
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("logs", stdout=out)
    assert f"log {lost.pk} of AI system fraud-check: gone;" in out.getvalue()


@pytest.fixture
def reader(organisation: Organisation) -> Person:
    return make_person(viewer=organisation.system)


def test_somebody_who_may_not_see_all_ai_systems_is_not_told_of_it(reader: Person, lost: Log) -> None:
    text = shown(reader, "/admin/logs/")
    assert "credit-limits" in text.lower().replace(" ", "-") and "fraud-check" not in text


def test_the_self_audit_and_then_the_entry_name_it(lost: Log, administrators: list[Person]) -> None:
    found = [str(each) for each in verify_everything() if each.code == "log-missing"]
    assert len(found) == 1 and "fraud-check" in found[0] and str(lost.pk) in found[0]
    first, second = administrators
    close_log(actor=COMMAND, asked_by=first, approved_by=second, log=registry_log())
    [entry] = Entry.objects.filter(about_id=lost.pk, kind="log.lost")
    body = json.loads(bytes(entry.data))["body"]
    assert (body["slug"], body["system"]) == ("fraud-check", str(lost.system_id))
    assert alert_lost_logs(actor=SERVER) == 0
    assert list(verify_everything()) == []


def test_of_an_ai_system_that_is_still_there_the_name_leads_to_it(
    organisation: Organisation, administrators: list[Person]
) -> None:
    log, system = organisation.log, organisation.system
    gone = new_id()
    head_store().name_system(gone, NamedSystem(system.pk, system.slug))
    head_store().advance(gone, 7, bytes(32))
    alert_lost_logs(actor=SERVER)
    alert = Alert.objects.get(kind="ledger.log_lost")
    assert (alert.system_id, alert.about_id) == (system.pk, gone) and log.pk != gone
    assert f'AI system: <a href="/admin/governance/aisystem/{system.pk}/change/">' in shown(
        administrators[0], page_of(alert)
    )


def test_a_successor_is_named_when_it_is_opened(organisation: Organisation, administrators: list[Person]) -> None:
    head_store().advance(organisation.log.pk, 10_000, bytes(32))
    first, second = administrators
    successor = close_log(actor=COMMAND, asked_by=first, approved_by=second, log=organisation.log)
    assert head_store().systems()[successor.pk] == NamedSystem(organisation.system.pk, organisation.system.slug)


def test_logs_that_were_opened_before_hosts_kept_names_are_named_within_the_minute(organisation: Organisation) -> None:
    with closing(sqlite3.connect(settings.HEAD_STORE)) as older, older:
        older.execute("DROP TABLE systems")
    head_store().close()  # as another process, or the next version, opens it
    assert alert_lost_logs(actor=SERVER) == 0
    named = head_store().systems()[organisation.log.pk]
    assert named == NamedSystem(organisation.system.pk, "credit-limits")
    assert name_systems() == 0


def test_one_that_nobody_named_is_told_all_the_same(organisation: Organisation, administrators: list[Person]) -> None:
    gone = new_id()
    head_store().advance(gone, 7, bytes(32))
    [found] = logs_lost_whole()
    assert found.words == "an AI system, or a registry, that this host has no name of"
    alert_lost_logs(actor=SERVER)
    alert = Alert.objects.get(kind="ledger.log_lost")
    assert alert.facts["lost_system"] is None
    assert f"Log: {gone}" in shown(administrators[0], page_of(alert))
    assert letter_for(Message.objects.filter(facts__alert=str(alert.pk))[0]).subject == "A whole log is gone"


def test_a_head_store_that_cannot_be_read_alerts_and_tells_of_none(
    organisation: Organisation, settings: Any, tmp_path: Any
) -> None:
    settings.HEAD_STORE = tmp_path  # a folder, no file
    assert alert_lost_logs(actor=SERVER) == 0
    assert Alert.objects.get().facts["check"] == "logs"
    assert connection.in_atomic_block

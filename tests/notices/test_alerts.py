"""Alerts: repeated ones count, somebody owns each, closing says how."""

import threading

import pytest
from django.db import connections

from config.errors import Forbidden, InvalidInput
from governance.acts import Role
from governance.models import AISystem
from governance.scopes import Scope
from governance.services.people import deactivate_person
from ledger.entries import COMMAND, SERVER
from ledger.models import Entry
from notices.errors import AlertClosed
from notices.models import Alert
from notices.selectors import alerts_for, not_closed, recipients
from notices.services import acknowledge_alert, close_alert, open_alert
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


def alert(system: AISystem | None = None, kind: str = "decision.breach", fingerprint: str = "one") -> Alert:
    return open_alert(
        actor=SERVER,
        kind=kind,
        severity=Alert.Severity.WARNING,
        fingerprint=fingerprint,
        system_id=system.pk if system else None,
    )


def test_a_repeated_alert_counts_and_adds_no_entry() -> None:
    system = make_system()
    first, second = alert(system), alert(system)
    assert (first.pk, second.occurrences) == (second.pk, 2)
    assert Entry.objects.filter(about_id=first.pk).count() == 1


def test_after_closing_the_same_thing_opens_a_new_alert() -> None:
    owner, system = make_person(), make_system()
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    first = alert(system)
    close_alert(actor=actor_of(owner), alert_id=first.pk, note="dealt with")
    assert alert(system).pk != first.pk


@pytest.mark.committing
def test_two_that_notice_the_same_at_once_open_one_alert() -> None:
    system = make_system()

    def run() -> None:
        alert(system)
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.occurrences for each in Alert.objects.all()] == [4]


def test_an_alert_belongs_to_who_is_accountable_at_that_moment() -> None:
    asked, system = make_person(), make_system()
    assert alert(system, fingerprint="nobody").owner_id is None
    system = make_system(accountable=asked)
    assert alert(system, fingerprint="asked").owner_id == asked.pk
    holder = make_person(accountable=system)
    assert alert(system, fingerprint="accepted").owner_id == holder.pk


def test_administrators_are_told_where_no_owner_is_here() -> None:
    admin, owner = make_person(administrator=True), make_person()
    opened = alert(make_system(accountable=owner))
    assert list(recipients(opened)) == [owner]
    deactivate_person(actor=COMMAND, person_id=owner.pk)
    assert list(recipients(opened)) == [admin]


def test_an_alert_about_a_log_is_written_to_another_log() -> None:
    system = make_system()
    opened = alert(system, kind="ledger.mismatch")
    assert Entry.objects.get(about_id=opened.pk).log.kind == "registry"
    opened = alert(system, fingerprint="two")
    assert Entry.objects.get(about_id=opened.pk).log.system_id == system.pk


def test_acknowledging_twice_is_said_once() -> None:
    system = make_system()
    operator = make_person(operator=system)
    opened = alert(system)
    for _ in range(2):
        acknowledge_alert(actor=actor_of(operator), alert_id=opened.pk)
    assert Entry.objects.filter(about_id=opened.pk, kind="alert.acknowledged").count() == 1


def test_an_alert_is_not_closed_without_a_note_and_not_twice() -> None:
    system = make_system()
    operator, opened = make_person(operator=system), alert(system)
    with pytest.raises(InvalidInput):
        close_alert(actor=actor_of(operator), alert_id=opened.pk, note="  ")
    close_alert(actor=actor_of(operator), alert_id=opened.pk, note="False alarm: a test.")
    with pytest.raises(AlertClosed):
        close_alert(actor=actor_of(operator), alert_id=opened.pk, note="Again.")


def test_the_note_is_in_no_entry() -> None:
    system = make_system()
    opened = alert(system)
    close_alert(actor=actor_of(make_person(operator=system)), alert_id=opened.pk, note="Unmistakable note")
    entries = b"".join(bytes(data) for data in Entry.objects.values_list("data", flat=True))
    assert b"nmistakable" not in entries


def test_somebody_of_another_system_sees_and_handles_nothing() -> None:
    system = make_system()
    stranger, opened = make_person(operator=make_system()), alert(system)
    assert not alerts_for(stranger).exists()
    with pytest.raises(Forbidden):
        acknowledge_alert(actor=actor_of(stranger), alert_id=opened.pk)


def test_the_worst_come_first() -> None:
    make_system()
    for severity in Alert.Severity:
        open_alert(actor=SERVER, kind="test.kind", severity=severity, fingerprint=severity)
    admin = make_person(administrator=True)
    assert [each.severity for each in not_closed(alerts_for(admin))] == ["critical", "warning", "info"]

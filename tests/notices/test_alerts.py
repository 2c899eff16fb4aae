"""Alerts: repeated ones count, somebody owns each, closing says how."""

import threading

import pytest
from django.db import connection, connections
from django.test import Client

from config.errors import Forbidden, InvalidInput
from evidence.services.custody import close_log
from governance.acts import Role
from governance.models import AISystem
from governance.scopes import Scope
from governance.services.people import deactivate_person
from ledger.entries import COMMAND, SERVER
from ledger.errors import LedgerRolledBack
from ledger.heads import head_store
from ledger.models import Entry
from ledger.sealing import sealing
from ledger.selectors import open_log
from notices.errors import AlertClosed
from notices.models import Alert
from notices.selectors import alerts_for, not_closed, recipients
from notices.services import acknowledge_alert, close_alert, open_alert, seal_waiting_alerts
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


def test_whoever_it_was_given_to_handles_it_whatever_their_role() -> None:
    owner, system = make_person(), make_system()
    given = open_alert(
        actor=SERVER,
        kind="review.deadline_missed",
        severity=Alert.Severity.WARNING,
        fingerprint="x",
        system_id=system.pk,
        owner_id=owner.pk,
    )
    browser = Client()
    browser.force_login(owner)
    assert browser.post(f"/admin/notices/alert/{given.pk}/acknowledge/").status_code == 302
    close_alert(actor=actor_of(owner), alert_id=given.pk, note="Two more reviewers.")
    given.refresh_from_db()
    assert (given.status, given.acknowledged_by_id) == ("closed", owner.pk)


def test_the_worst_come_first() -> None:
    make_system()
    for severity in Alert.Severity:
        open_alert(actor=SERVER, kind="test.kind", severity=severity, fingerprint=severity)
    admin = make_person(administrator=True)
    assert [each.severity for each in not_closed(alerts_for(admin))] == ["critical", "warning", "info"]


# --- a log that takes no entry ---------------------------------------------------------------------------------------
def in_trouble(system: AISystem) -> None:
    """Its log holds less than was signed."""
    head_store().advance(open_log(system.pk).id, 10_000, bytes(32))


def test_an_alert_whose_log_takes_no_entry_opens_waits_and_counts() -> None:
    system = make_system()
    in_trouble(system)
    opened = [alert(system) for _ in range(3)]
    (stored,) = Alert.objects.all()
    assert (stored.occurrences, stored.seal_pending, stored.revision) == (3, True, 0)
    assert {each.pk for each in opened} == {stored.pk}
    assert not Entry.objects.filter(about_id=stored.pk).exists()
    assert seal_waiting_alerts() == 0


def test_it_is_sealed_by_the_sweep_when_the_log_goes_on() -> None:
    system, people = make_system(), [make_person(administrator=True) for _ in range(2)]
    in_trouble(system)
    opened = alert(system)
    close_log(actor=COMMAND, asked_by=people[0], approved_by=people[1], log=open_log(system.pk))
    assert [seal_waiting_alerts(), seal_waiting_alerts()] == [1, 0]
    opened.refresh_from_db()
    assert (opened.seal_pending, opened.revision) == (False, 1)
    assert Entry.objects.get(about_id=opened.pk).log == open_log(system.pk)


def test_nobody_acknowledges_what_cannot_be_sealed() -> None:
    system = make_system()
    operator = make_person(operator=system)
    in_trouble(system)
    opened = alert(system)
    with pytest.raises(LedgerRolledBack):
        acknowledge_alert(actor=actor_of(operator), alert_id=opened.pk)
    assert Alert.objects.get().status == Alert.Status.OPEN


def test_an_alert_in_the_admin_says_that_it_waits_for_its_entry() -> None:
    system = make_system()
    client = Client(SERVER_NAME="localhost")
    client.force_login(make_person(operator=system))
    in_trouble(system)
    page = client.get(f"/admin/notices/alert/{alert(system).pk}/change/").content
    assert b"its log takes no entry at the moment" in page


@pytest.mark.committing
def test_an_alert_whose_log_somebody_holds_opens_too() -> None:
    system = make_system()
    held, done = threading.Event(), threading.Event()

    def hold_the_log() -> None:
        with sealing() as seal:
            seal.lock(open_log(system.pk).id)
            held.set()
            done.wait(30)
        connections.close_all()

    holder = threading.Thread(target=hold_the_log)
    holder.start()
    assert held.wait(10)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        assert alert(system).seal_pending
    finally:
        done.set()
        holder.join()
    assert seal_waiting_alerts() == 1


def test_what_happened_once_is_told_once() -> None:
    system, operator = make_system(), make_person(administrator=True)

    def tell() -> Alert:
        return open_alert(
            actor=SERVER,
            kind="test.event",
            severity=Alert.Severity.INFO,
            fingerprint="event:1",
            system_id=system.pk,
            once=True,
        )

    first = tell()
    assert (tell().pk, tell().occurrences) == (first.pk, 1)
    close_alert(actor=actor_of(operator), alert_id=first.pk, note="Seen.")
    assert (tell().pk, tell().status) == (first.pk, Alert.Status.CLOSED)

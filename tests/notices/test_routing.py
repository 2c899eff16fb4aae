"""Alerts reach whoever answers for them: once each, higher up where nobody acknowledges, and never as a flood."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from ledger.entries import SERVER
from ledger.heads import head_store
from ledger.models import Entry
from ledger.selectors import open_log
from notices.models import Alert, Event, GatheredAlert, Message
from notices.services import acknowledge_alert, close_alert, open_alert, seal_waiting_alerts
from notices.services.alerts import STORM
from notices.services.escalation import escalate_alerts
from notices.services.gaps import alert_gaps
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


def alert(number: int = 1, system: AISystem | None = None, *, kind: str = "source.silent", once: bool = False) -> Alert:
    return open_alert(
        actor=SERVER,
        kind=kind,
        severity=Alert.Severity.WARNING,
        fingerprint=f"{kind}:{number}",
        system_id=system.pk if system else None,
        once=once,
    )


def written_to(person: Person, kind: str = "alert.opened") -> int:
    return Message.objects.filter(person_id=person.pk, kind=kind).count()


def events() -> list[str]:
    return list(Event.objects.order_by("id").values_list("type", flat=True))


def test_the_owner_is_told_once_however_often_it_happens() -> None:
    admin, owner, system = make_person(administrator=True), make_person(), make_system()
    system = make_system(accountable=owner)
    for _ in range(5):
        alert(1, system)
    assert (written_to(owner), written_to(admin)) == (1, 0)
    assert events() == ["alert.opened"]


def test_without_an_owner_the_administrators_are_told() -> None:
    admins = [make_person(administrator=True) for _ in range(2)]
    alert(1, make_system())
    assert [written_to(admin) for admin in admins] == [1, 1]


def test_an_alert_that_cannot_be_sealed_is_told_all_the_same_and_not_twice() -> None:
    admin, system = make_person(administrator=True), make_system()
    head_store().advance(open_log(system.pk).id, 10_000, bytes(32))
    assert alert(1, system).seal_pending
    seal_waiting_alerts()
    alert(1, system)
    assert (written_to(admin), events()) == (1, ["alert.opened"])


def test_what_becomes_of_it_is_announced() -> None:
    operator = make_person(operator=make_system())
    system = AISystem.objects.get()
    opened = alert(1, system)
    acknowledge_alert(actor=actor_of(operator), alert_id=opened.pk)
    close_alert(actor=actor_of(operator), alert_id=opened.pk, note="A test.")
    assert events() == ["alert.opened", "alert.acknowledged", "alert.closed"]
    last = Event.objects.order_by("id").last()
    assert last
    assert (last.system_id, last.about_id) == (system.pk, opened.pk)
    assert last.facts == {"kind": "source.silent", "severity": "warning", "status": "closed"}


# --- a storm ---------------------------------------------------------------------------------------------------------
def storm(size: int, system: AISystem | None = None, *, once: bool = False) -> list[Alert]:
    return [alert(number, system, once=once) for number in range(size)]


def test_the_twentieth_of_a_kind_in_an_hour_becomes_a_counted_one() -> None:
    admin = make_person(administrator=True)
    gathering = storm(50)[-1]
    assert Alert.objects.count() == STORM
    assert (gathering.occurrences, GatheredAlert.objects.count()) == (31, 31)
    assert written_to(admin) == STORM
    assert Entry.objects.filter(about_id=gathering.pk).count() == 1


def test_what_was_gathered_counts_once_however_often_it_is_seen() -> None:
    gathering = storm(25, once=True)[-1]
    for _ in range(3):
        assert alert(24, once=True).pk == gathering.pk
        assert alert(24).pk == gathering.pk
    gathering.refresh_from_db()
    assert gathering.occurrences == 6
    admin = make_person(administrator=True)
    close_alert(actor=actor_of(admin), alert_id=gathering.pk, note="The network was down.")
    assert alert(24, once=True).status == Alert.Status.CLOSED
    assert Alert.objects.count() == STORM


def test_a_storm_of_one_kind_or_system_hides_no_other() -> None:
    mine, other = make_system(), make_system()
    storm(25, mine)
    assert alert(1, mine, kind="switch.unconfirmed").fingerprint == "switch.unconfirmed:1"
    assert alert(99, other).fingerprint == "source.silent:99"


def test_a_storm_ends() -> None:
    storm(25)
    with time_machine.travel(timezone.now() + timedelta(hours=1, minutes=1)):
        assert alert(100).fingerprint == "source.silent:100"


def test_a_storm_about_a_log_in_trouble_is_gathered_too() -> None:
    system = make_system()
    head_store().advance(open_log(system.pk).id, 10_000, bytes(32))
    last = storm(30, system)[-1]
    assert (Alert.objects.count(), last.occurrences, last.seal_pending) == (STORM, 11, True)


# --- nobody looks ----------------------------------------------------------------------------------------------------
def test_what_nobody_acknowledges_is_told_to_deputies_and_administrators_once() -> None:
    admin, system = make_person(administrator=True), make_system()
    owner, deputy = make_person(accountable=system), make_person(deputy=system)
    stranger = make_person(deputy=make_system())
    opened = alert(1, system)
    assert escalate_alerts() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=4, minutes=1)):
        assert (escalate_alerts(), escalate_alerts()) == (1, 0)
    told = [written_to(each, "alert.escalated") for each in (owner, deputy, admin, stranger)]
    assert told == [0, 1, 1, 0]
    assert Entry.objects.filter(about_id=opened.pk, kind="alert.escalated").count() == 1
    assert events() == ["alert.opened", "alert.escalated"]


def test_what_somebody_looks_at_is_not_told_higher_up() -> None:
    admin = make_person(administrator=True)
    acknowledge_alert(actor=actor_of(admin), alert_id=alert().pk)
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        assert escalate_alerts() == 0


def test_one_that_waits_for_its_seal_does_not_keep_others_waiting() -> None:
    make_person(administrator=True)
    broken, well = make_system(), make_system()
    head_store().advance(open_log(broken.pk).id, 10_000, bytes(32))
    alert(1, broken)
    second = alert(2, well)
    with time_machine.travel(timezone.now() + timedelta(hours=5)):
        assert escalate_alerts() == 1
    second.refresh_from_db()
    assert second.escalated_at


# --- nobody answers --------------------------------------------------------------------------------------------------
def test_a_live_system_that_nobody_answers_for_raises_one_alert() -> None:
    admin = make_person(administrator=True)
    draft, held, gap = make_system(), make_system(), make_system()
    make_person(accountable=held)
    AISystem.objects.filter(pk__in=[held.pk, gap.pk]).update(status=AISystem.Status.LIVE)
    assert (alert_gaps(), alert_gaps()) == (1, 1)
    opened = Alert.objects.get()
    assert (opened.kind, opened.system_id, opened.occurrences) == ("accountability.gap", gap.pk, 1)
    assert draft.pk != gap.pk
    assert written_to(admin) == 1


def test_a_gap_is_told_to_deputies_and_its_alert_closes_itself_once_somebody_accepts() -> None:
    admin, deputy, next_one = make_person(administrator=True), make_person(), make_person()
    gap = make_system()
    give_role(deputy, Role.DEPUTY, Scope.system(gap.pk))
    AISystem.objects.filter(pk=gap.pk).update(status=AISystem.Status.LIVE)
    assert alert_gaps() == 1
    assert (written_to(admin), written_to(deputy)) == (1, 1)
    give_role(next_one, Role.ACCOUNTABLE, Scope.system(gap.pk))
    assert (alert_gaps(), alert_gaps()) == (0, 0)
    closed = Alert.objects.get()
    assert (closed.status, closed.closed_by_id) == ("closed", None)
    assert Entry.objects.filter(about_id=closed.pk, kind="alert.closed").count() == 1


def test_the_page_of_a_gathering_names_what_it_stands_for() -> None:
    admin = make_person(administrator=True)
    gathering = storm(25)[-1]
    client = Client()
    client.force_login(admin)
    page = client.get(f"/admin/notices/alert/{gathering.pk}/change/").content.decode()
    assert "6 of this kind came within an hour" in page
    assert "source.silent:24" in page

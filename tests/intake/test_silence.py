"""Which sources are silent, who is told of it, and how often."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from config.errors import Forbidden, InvalidInput
from console.metrics import DatabaseCollector
from evidence.verification import verify_everything
from governance.models import AISystem
from intake.models import Source, SourceState
from intake.selectors import silent_sources, watched_sources
from intake.services.sources import (
    alert_silence,
    end_source,
    expect_source,
    place_sources,
    register_source,
)
from intake.services.tailing import tail_sources
from ledger.entries import COMMAND, Actor
from ledger.errors import LogNotFound
from ledger.heads import head_store
from ledger.models import Entry
from ledger.selectors import open_log, registry_log
from notices.models import Alert
from notices.services import close_alert, seal_waiting_alerts
from tests.factories.register import actor_of, make_account, make_person, make_system
from tests.intake.conftest import Sender

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


def heard(system: AISystem | None, *, heartbeat: timedelta | None = None, decision: timedelta | None = None) -> Source:
    """A source that was heard so long ago."""
    account = Actor("service", make_account().pk)
    source = register_source(actor=account, slug="spool", system_id=system.pk if system else None)
    now = timezone.now()
    SourceState.objects.filter(pk=source.pk).update(
        last_heartbeat_at=now - heartbeat if heartbeat else None, last_seen_at=now - decision if decision else None
    )
    return source


def silent() -> set[Any]:
    return set(silent_sources().values_list("pk", flat=True))


MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def test_a_heartbeat_or_a_decision_is_a_sign_of_life(system: AISystem) -> None:
    heard(system, heartbeat=MINUTE)
    heard(system, heartbeat=MINUTE, decision=HOUR)
    heard(system, heartbeat=HOUR, decision=MINUTE)
    assert silent() == set()
    quiet = heard(system, heartbeat=HOUR, decision=2 * HOUR)
    assert silent() == {quiet.pk}


def test_of_a_source_that_promised_nothing_silence_says_nothing(system: AISystem) -> None:
    source = heard(system, decision=HOUR)
    assert silent() == set()
    expect_source(actor=COMMAND, source_id=source.pk, every_s=1800)
    assert silent() == {source.pk}
    expect_source(actor=COMMAND, source_id=source.pk, every_s=7200)
    assert silent() == set()


def test_after_a_week_a_source_has_ended_unless_it_is_expected(system: AISystem) -> None:
    old = heard(system, heartbeat=8 * DAY)
    assert silent() == set()
    expect_source(actor=COMMAND, source_id=old.pk, every_s=3600)
    assert silent() == {old.pk}


def test_an_ended_source_is_watched_again_when_it_is_heard_again(system: AISystem) -> None:
    source = heard(system, heartbeat=HOUR)
    end_source(actor=COMMAND, source_id=source.pk, reason="replaced")
    assert (silent(), alert_silence()) == (set(), 0)
    SourceState.objects.filter(pk=source.pk).update(last_heartbeat_at=timezone.now())
    with time_machine.travel(timezone.now() + HOUR, tick=False):
        assert silent() == {source.pk}


def test_expectations_and_ends_are_sealed(system: AISystem) -> None:
    source = heard(system, heartbeat=HOUR)
    expect_source(actor=COMMAND, source_id=source.pk, every_s=90, reason="It reports by the minute.")
    end_source(actor=COMMAND, source_id=source.pk)
    kinds = Entry.objects.filter(about_id=source.pk).order_by("leaf_index").values_list("kind", flat=True)
    assert list(kinds) == ["source.registered", "source.expected", "source.ended"]
    assert list(verify_everything()) == []


@pytest.mark.parametrize("every_s", [0, 59, 10**9])
def test_an_expectation_has_bounds(system: AISystem, every_s: int) -> None:
    source = heard(system, heartbeat=HOUR)
    with pytest.raises(InvalidInput):
        expect_source(actor=COMMAND, source_id=source.pk, every_s=every_s)


def test_only_those_who_may_edit_the_system_decide_about_its_sources(system: AISystem) -> None:
    source = heard(system, heartbeat=HOUR)
    stranger = make_person(technical_owner=make_system())
    for attempt in (expect_source, end_source):
        extra: dict[str, Any] = {"every_s": 90} if attempt is expect_source else {}
        with pytest.raises(Forbidden):
            attempt(actor=actor_of(stranger), source_id=source.pk, **extra)
    owner = make_person(technical_owner=system)
    assert end_source(actor=actor_of(owner), source_id=source.pk).ended_at is not None


def test_the_admin_sets_the_expectation_and_ends_a_source(system: AISystem) -> None:
    source = heard(system, decision=HOUR)
    client = Client(SERVER_NAME="localhost")
    client.force_login(make_person(technical_owner=system))
    page = f"/admin/intake/source/{source.pk}"
    assert client.post(f"{page}/expect/", {"every_s": "1800", "reason": ""}).status_code == 302
    assert b"1,800 seconds" in client.get(f"{page}/change/").content
    assert silent() == {source.pk}
    assert client.post(f"{page}/end/", {"reason": "replaced"}).status_code == 302
    assert silent() == set()
    client.force_login(make_person(auditor=True))
    assert client.get(f"{page}/change/").status_code == 200
    assert client.post(f"{page}/end/", {"reason": ""}).status_code == 403


def test_the_list_in_the_admin_shows_which_are_silent(system: AISystem) -> None:
    quiet, heard_of = heard(system, heartbeat=HOUR), heard(system, heartbeat=MINUTE)
    client = Client(SERVER_NAME="localhost")
    client.force_login(make_person(technical_owner=system))
    assert len(client.get("/admin/intake/source/").context["cl"].result_list) == 2
    for answer, expected in [("yes", quiet), ("no", heard_of)]:
        page = client.get(f"/admin/intake/source/?silent={answer}")
        assert list(page.context["cl"].result_list) == [expected]
    end_source(actor=COMMAND, source_id=quiet.pk)
    assert not client.get("/admin/intake/source/?silent=yes").context["cl"].result_list


def silent_in_the_overview(**roles: Any) -> int:
    client = Client(SERVER_NAME="localhost")
    client.force_login(make_person(**roles))
    return int(client.get("/admin/").context["silent"])


def test_the_overview_counts_the_viewers_sources_as_the_alert_does(system: AISystem) -> None:
    heard(system, heartbeat=HOUR, decision=2 * HOUR)
    heard(system, heartbeat=MINUTE, decision=DAY)
    heard(system, heartbeat=30 * DAY, decision=30 * DAY)
    other = make_system()
    assert alert_silence() == 1
    assert silent_in_the_overview(operator=system) == 1
    assert silent_in_the_overview(operator=other) == 0
    assert silent_in_the_overview(administrator=True) == 1


def test_the_metrics_count_the_same(system: AISystem) -> None:
    heard(system, heartbeat=HOUR, decision=2 * HOUR)
    heard(system, decision=DAY)
    heard(system, heartbeat=30 * DAY)
    with time_machine.travel(timezone.now(), tick=False):
        values = {family.name: family.samples[0].value for family in DatabaseCollector()._sources()}
    assert values["answerable_sources_silent"] == 1
    assert 3600 <= values["answerable_source_longest_silence_seconds"] < 3660
    assert watched_sources().count() == 1


# --- alerts ----------------------------------------------------------------------------------------------------------
def test_a_silence_is_told_once_and_stays_closed(system: AISystem) -> None:
    source = heard(system, heartbeat=HOUR)
    admin = make_person(administrator=True)
    for _ in range(3):
        assert alert_silence() == 1
    alert = Alert.objects.get()
    assert (alert.kind, alert.occurrences) == ("source.silent", 1)
    close_alert(actor=actor_of(admin), alert_id=alert.pk, note="Known: maintenance.")
    assert alert_silence() == 1
    assert Alert.objects.get().status == Alert.Status.CLOSED
    SourceState.objects.filter(pk=source.pk).update(last_heartbeat_at=timezone.now() - 20 * MINUTE)
    alert_silence()
    assert Alert.objects.filter(status=Alert.Status.OPEN).count() == 1  # it was heard, and fell silent again


@pytest.mark.parametrize("trouble", ["rolled back", "no open log"])
def test_a_log_in_trouble_keeps_no_other_system_from_its_alert(
    system: AISystem, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = heard(system, heartbeat=HOUR), heard(make_system(), heartbeat=HOUR)
    log = open_log(system.pk)
    if trouble == "rolled back":
        head_store().advance(log.id, 10_000, bytes(32))
    else:
        monkeypatch.setattr("notices.services.alerts.open_log", _none_for(system))
    assert alert_silence() == 2
    assert dict(Alert.objects.values_list("about_id", "seal_pending")) == {first.pk: True, second.pk: False}
    assert alert_silence() == 2
    assert seal_waiting_alerts() == 0
    assert Alert.objects.count() == 2
    assert Alert.objects.get(about_id=first.pk).occurrences == 1


def _none_for(system: AISystem) -> Any:
    def find(system_id: Any) -> Any:
        if system_id == system.pk:
            raise LogNotFound
        return open_log(system_id)

    return find


# --- the AI system of a source that began with a heartbeat -----------------------------------------------------------
@pytest.mark.committing
def test_a_source_that_began_with_a_heartbeat_gets_the_system_of_its_first_decision(sender: Sender) -> None:
    sender.raw("/api/v1/sources/heartbeat", b'{"source": "spool", "last_seq": 3}')
    tail_sources()
    assert (place_sources(), Source.objects.get().system_id) == (0, None)
    sender.post(sender.record(source={"id": "spool", "seq": 4}))
    tail_sources()
    assert (place_sources(), Source.objects.get().system_id) == (1, sender.systems[0].pk)
    assert place_sources() == 0
    assert Entry.objects.get(kind="source.placed").log == registry_log()
    assert list(verify_everything()) == []

"""A change is confirmed by whoever was expected to, and by nobody else; not by nobody."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.api.authentication import authenticate_key
from governance.errors import KeyOutOfScope
from governance.models import KeyAct, ServiceKey
from governance.usage import write_uses
from ledger.entries import timestamp
from ledger.errors import LogClosed
from ledger.models import Entry
from notices.models import Alert
from notices.services import close_alert
from overrides import memory
from overrides.clock import advance_epoch, current_epoch, hold_clock
from overrides.errors import ImplausibleEpoch
from overrides.models import ClientInstance, ControlRecovery, SwitchChange
from overrides.services import confirming
from overrides.services.acknowledging import Ack, forget_instances, note_seen, record_acks, seal_break_glass
from overrides.services.confirming import Confirmation, confirmation_of, watch_changes
from overrides.services.recovery import seal_recoveries
from overrides.standing import Epoch, Mode
from tests.factories.control import ack, clear, decided, operator_of, reading, stop
from tests.factories.register import actor_of, make_key, make_system

pytestmark = pytest.mark.django_db
Status = SwitchChange.Status


@pytest.fixture(autouse=True)
def _begun(db: None) -> None:
    """The clock runs: what clients hold at first is no epoch that they could not have."""
    with transaction.atomic():
        hold_clock()


def found(done: object) -> Confirmation:
    return confirmation_of(SwitchChange.objects.select_related("switch").get(pk=done.change.pk))  # type: ignore[attr-defined]


def a_minute_passes() -> None:
    SwitchChange.objects.update(requested_at=timezone.now() - timedelta(seconds=61))


def test_nobody_is_listening_is_never_confirmed() -> None:
    done = stop(make_system())
    assert (found(done).in_words, found(done).status) == ("nobody is listening", Status.UNCONFIRMED)


def test_all_that_were_heard_must_apply_it() -> None:
    system = make_system()
    grant = reading(system)
    for instance in ("a", "b"):
        ack(grant, system, Epoch(1, 0), instance=instance)
    done = stop(system)
    assert (found(done).expected, found(done).status) == (2, Status.REQUESTED)
    ack(grant, system, done.epoch, Mode.STOP, instance="a")
    assert (found(done).in_words, found(done).status) == ("1 of 2 confirmed", Status.PROPAGATING)
    ack(grant, system, done.epoch, Mode.STOP, instance="b")
    assert watch_changes() == 1
    change = SwitchChange.objects.get()
    assert (change.status, change.confirmed_count) == (Status.CONFIRMED, 2) and change.confirmed_at
    entry = bytes(Entry.objects.get(kind="switch.confirmed").data)
    assert b'"confirmed":2' in entry and b'"last_applied_at"' in entry
    assert watch_changes() == 0


def test_to_have_seen_it_is_not_to_obey_it() -> None:
    system = make_system()
    grant = reading(system)
    ack(grant, system, Epoch(1, 0))
    done = stop(system)
    ack(grant, system, done.epoch, None)
    assert ([each.instance for each in found(done).seen], found(done).confirmed) == (["host-1"], [])


def test_an_epoch_without_the_mode_confirms_nothing() -> None:
    system = make_system()
    grant = reading(system)
    ack(grant, system, Epoch(1, 0))
    done = stop(system)
    ack(grant, system, done.epoch, Mode.RUN)
    assert found(done).confirmed == []


def test_a_clients_clock_counts_for_nothing_and_an_overtaken_answer_takes_nothing_back() -> None:
    system = make_system()
    grant = reading(system)
    ack(grant, system, Epoch(1, 0))
    done = stop(system)
    ack(grant, system, done.epoch, Mode.STOP)
    applied = ClientInstance.objects.get().applied_at
    ack(grant, system, Epoch(1, 0), Mode.RUN)
    instance = ClientInstance.objects.get()
    assert (instance.applied_epoch, instance.applied_mode, instance.applied_at) == (done.epoch, "stop", applied)


def test_a_stock_client_is_seen_and_never_confirms() -> None:
    system = make_system()
    grant = reading(system)
    note_seen(grant=grant, instance="ofrep-1", epoch=Epoch(1, 0))
    done = stop(system)
    note_seen(grant=grant, instance="ofrep-1", epoch=done.epoch)
    a_minute_passes()
    assert (len(found(done).seen), found(done).status) == (1, Status.UNCONFIRMED)


def test_a_key_that_decides_and_never_asks_is_ungoverned() -> None:
    system = make_system()
    grant = reading(system)
    ack(grant, system, Epoch(1, 0))
    key = make_key(system, scopes=["decisions:write"])
    unused = make_key(system, scopes=["decisions:write"])
    decided(key.row)
    ServiceKey.objects.filter(pk=unused.row.pk).update(last_used_at=timezone.now())  # to read decisions
    done = stop(system)
    ack(grant, system, done.epoch, Mode.STOP)
    assert found(done).ungoverned == [key.row.account_id]
    assert (found(done).in_words, found(done).is_complete) == ("1 of 2 confirmed", False)


@pytest.mark.parametrize(
    "path", ["/api/v1/control/state", "/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/x.mode"]
)
def test_who_decides_and_reads_is_told_apart_from_who_never_asks(client: Client, path: str) -> None:
    system = make_system()
    key = make_key(system, scopes=["decisions:write", "control:read"])
    decided(key.row)
    assert found(stop(system, environment="production")).ungoverned == [key.row.account_id]
    ask = client.post if path.startswith("/ofrep") else client.get
    ask(path, headers={"Authorization": f"Bearer {key.text}"})
    write_uses()
    confirmation = found(stop(system))
    assert (confirmation.reading, confirmation.ungoverned) == ([key.row.account_id], [])
    assert confirmation.in_words == "0 of 1 confirmed"


def test_who_read_long_before_it_decided_is_ungoverned_and_who_acknowledges_is_a_client() -> None:
    system = make_system()
    key = make_key(system, scopes=["decisions:write", "control:read"])
    decided(key.row, reads=True)
    KeyAct.objects.filter(act="read-control").update(last_at=timezone.now() - timedelta(minutes=16))
    assert found(stop(system, environment="production")).ungoverned == [key.row.account_id]
    ack(authenticate_key(f"Bearer {key.text}"), system, Epoch(1, 0))
    confirmation = found(stop(system))
    assert (confirmation.ungoverned, confirmation.reading, confirmation.expected) == ([], [], 1)


def test_who_was_silent_for_longer_is_not_expected() -> None:
    system = make_system()
    ack(reading(system), system, Epoch(1, 0))
    ClientInstance.objects.update(heard_at=timezone.now() - timedelta(seconds=50))
    assert found(stop(system)).expected == 0


def test_a_switch_of_one_version_waits_for_those_that_run_it() -> None:
    from governance.services.versions import register_version
    from ledger.entries import COMMAND

    system = make_system()
    register_version(actor=COMMAND, system_id=system.pk, version="2.1")
    grant = reading(system)
    ack(grant, system, Epoch(1, 0), instance="old", model_version="1.0")
    ack(grant, system, Epoch(1, 0), instance="new", model_version="2.1")
    done = stop(system, model_version="2.1")
    assert [each.instance for each in found(done).silent] == ["new"]
    ack(grant, system, done.epoch, Mode.RUN, instance="new", model_version="2.1")
    assert found(done).confirmed == []
    ack(grant, system, done.epoch, Mode.STOP, instance="new", model_version="2.1")
    assert found(done).is_complete


def test_after_a_minute_the_accountable_person_is_told_once() -> None:
    system = make_system()
    owner = operator_of(system, "accountable")
    grant = reading(system)
    ack(grant, system, Epoch(1, 0))
    stop(system)
    watch_changes()
    assert Alert.objects.count() == 0
    a_minute_passes()
    for _ in range(3):
        watch_changes()
    alert = Alert.objects.get(kind="switch.unconfirmed")
    assert (alert.owner_id, alert.occurrences, alert.facts["silent"]) == (owner.pk, 1, 1)
    assert Entry.objects.filter(kind="switch.unconfirmed").count() == 1


def test_who_comes_late_confirms_all_the_same() -> None:
    system = make_system()
    grant = reading(system)
    ack(grant, system, Epoch(1, 0))
    done = stop(system)
    a_minute_passes()
    watch_changes()
    assert SwitchChange.objects.get().status == Status.UNCONFIRMED
    ack(grant, system, done.epoch, Mode.STOP)
    watch_changes()
    assert SwitchChange.objects.get().status == Status.CONFIRMED


def test_a_change_that_was_replaced_is_watched_no_more_and_alerts_nobody() -> None:
    system = make_system()
    ack(reading(system), system, Epoch(1, 0))
    clear(stop(system), system)
    a_minute_passes()
    watch_changes()
    assert SwitchChange.objects.filter(settled_at=None).count() == 1
    assert Alert.objects.count() == 0


def test_what_was_confirmed_stays_so_whatever_comes_after() -> None:
    system = make_system()
    grant = reading(system)
    for instance in ("a", "b"):
        ack(grant, system, Epoch(1, 0), instance=instance)
    done = stop(system)
    ack(grant, system, done.epoch, Mode.STOP, instance="a")
    watch_changes()
    first = ClientInstance.objects.get(instance="a").applied_at
    with transaction.atomic():
        later = advance_epoch()  # a probe, or anything else
    for instance in ("a", "b"):
        ack(grant, system, later, Mode.STOP, instance=instance)
    assert {each.instance: each.applied_at for each in found(done).confirmed}["a"] == first
    watch_changes()
    sealed = json.loads(bytes(Entry.objects.get(kind="switch.confirmed").data))["body"]
    assert first is not None and sealed["first_applied_at"] == timestamp(first)
    change = clear(done, system)
    for instance in ("a", "b"):
        ack(grant, system, change.epoch, Mode.RUN, instance=instance)
    assert (found(done).status, found(done).in_words) == (Status.CONFIRMED, "2 of 2 confirmed")
    ClientInstance.objects.all().delete()
    assert (found(done).status, found(done).in_words, found(done).gone) == (Status.CONFIRMED, "2 of 2 confirmed", 0)


def test_changes_that_nobody_will_confirm_keep_no_new_one_from_being_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    stop(make_system())
    system = make_system()
    grant = reading(system)
    ack(grant, system, Epoch(1, 0))
    done = stop(system)
    ack(grant, system, done.epoch, Mode.STOP)
    monkeypatch.setattr(confirming, "AT_ONCE", 1)
    watch_changes()
    assert SwitchChange.objects.get(pk=done.change.pk).status == Status.CONFIRMED


def test_what_its_log_never_takes_is_settled_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    stop(make_system())
    monkeypatch.setattr(confirming, "_seal", closed)
    a_minute_passes()
    assert (watch_changes(), SwitchChange.objects.get().settled_at) == (0, None)
    SwitchChange.objects.update(requested_at=timezone.now() - timedelta(hours=25))
    assert watch_changes() == 1
    assert SwitchChange.objects.get().settled_at is not None and SwitchChange.objects.get().status == "unconfirmed"
    assert Alert.objects.filter(kind="switch.unconfirmed").count() == 1


def test_what_no_entry_says_is_not_called_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    system = make_system()
    grant = reading(system)
    ack(grant, system, Epoch(1, 0))
    done = stop(system)
    ack(grant, system, done.epoch, Mode.STOP)
    monkeypatch.setattr(confirming, "_seal", closed)
    SwitchChange.objects.update(requested_at=timezone.now() - timedelta(hours=25))
    assert watch_changes() == 1
    change = SwitchChange.objects.get()
    assert (change.status, change.confirmed_count, change.settled_at is None) == ("partial", 1, False)


def test_of_two_sweeps_at_once_one_seals() -> None:
    stop(make_system())
    change = SwitchChange.objects.select_related("switch").get()
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        for _ in range(2):  # the second one has read the row before the first one wrote
            confirming._watch(confirmation_of(change))
    assert Entry.objects.filter(kind="switch.unconfirmed").count() == 1
    assert SwitchChange.objects.get().reported_at is not None


def closed(*args: object, **rest: object) -> None:
    raise LogClosed("closed")


def test_two_hundred_instances_are_one_statement() -> None:
    system = make_system()
    grant = reading(system)
    acks = [Ack(instance=f"host-{number}", system_id=system.pk, epoch=Epoch(1, 0)) for number in range(200)]
    with CaptureQueriesContext(connection) as queries:
        record_acks(grant=grant, acks=[*acks, *acks])
    assert (len(queries), ClientInstance.objects.count()) == (2, 200)  # the other one asks for the epoch


def test_instances_that_are_long_gone_are_forgotten() -> None:
    system = make_system()
    ack(reading(system), system, Epoch(1, 0))
    done = stop(system)
    ClientInstance.objects.update(heard_at=timezone.now() - timedelta(days=8))
    assert forget_instances() == 1
    assert (found(done).expected, found(done).gone) == (1, 1)


# --- epochs that we do not know ---------------------------------------------------------------------------------------
def test_a_higher_epoch_is_jumped_and_what_the_client_obeys_is_taken_over() -> None:
    system = make_system()
    epoch = ack(reading(system), system, Epoch(3, 42), Mode.STOP)
    assert epoch.generation == 4 and current_epoch() == epoch
    assert memory.current().control.mode(system.pk, "production") is Mode.STOP
    assert memory.current().control.mode(system.pk, "staging") is Mode.RUN
    assert ControlRecovery.objects.get().cause == "acknowledgement"


@pytest.mark.parametrize(("mode", "by"), [(Mode.RUN, "server"), (Mode.STOP, "file"), (Mode.STOP, "fail_policy")])
def test_a_higher_epoch_never_loosens_and_what_a_client_decided_stays_its_own(mode: Mode, by: str) -> None:
    system = make_system()
    stop(system, mode=Mode.REVIEW)
    ack(reading(system), system, Epoch(3, 42), mode, applied_by=by)
    assert memory.current().control.mode(system.pk, "production") is Mode.REVIEW
    assert current_epoch() > Epoch(3, 42)


def test_of_many_ahead_the_strictest_of_each_counts_and_it_is_one_recovery() -> None:
    one, other = make_system(), make_system()
    grant = reading(one, other)
    ahead = {"epoch": Epoch(3, 42), "has_applied": True, "applied_by": "server"}
    acks = [
        Ack(instance="a", system_id=one.pk, applied_mode=Mode.RUN, **ahead),  # type: ignore[arg-type]
        Ack(instance="b", system_id=other.pk, applied_mode=Mode.STOP, **ahead),  # type: ignore[arg-type]
    ]
    record_acks(grant=grant, acks=acks)
    modes = [memory.current().control.mode(each.pk, "production") for each in (one, other)]
    assert (modes, ControlRecovery.objects.count()) == ([Mode.RUN, Mode.STOP], 1)


def test_who_comes_after_the_jump_still_says_what_it_obeys() -> None:
    one, other = make_system(), make_system()
    grant = reading(one, other)
    jumped = ack(grant, one, Epoch(3, 42), Mode.RUN)
    ack(grant, other, Epoch(3, 42), Mode.STOP, instance="later")
    assert memory.current().control.mode(other.pk, "production") is Mode.STOP
    assert current_epoch() > jumped and ControlRecovery.objects.count() == 1


def test_an_old_epoch_that_is_known_here_brings_no_mode_back() -> None:
    system = make_system()
    done = stop(system)
    clear(done, system)
    grant = reading(system)
    ack(grant, system, Epoch(3, 1), Mode.RUN)
    ack(grant, system, done.epoch, Mode.STOP, instance="slow")
    assert memory.current().control.mode(system.pk, "production") is Mode.RUN


def test_an_epoch_that_uses_the_numbers_up_is_refused() -> None:
    system = make_system()
    with pytest.raises(ImplausibleEpoch):
        ack(reading(system), system, Epoch(999_999_999, 1), Mode.STOP)
    assert current_epoch() < Epoch(2, 0)


def test_a_mad_client_makes_a_few_jumps_a_day_and_one_alert_that_counts_them() -> None:
    system = make_system()
    grant = reading(system)
    for number in range(5):
        ack(grant, system, Epoch(current_epoch().generation + 1, number))
        seal_recoveries()
    with pytest.raises(ImplausibleEpoch):
        ack(grant, system, Epoch(current_epoch().generation + 1, 0))
    assert (ControlRecovery.objects.count(), Entry.objects.filter(kind="control.recovered").count()) == (5, 5)
    assert Alert.objects.get(kind="control.recovered").occurrences == 5
    ack(reading(system), system, Epoch(current_epoch().generation + 1, 0), instance="of another account")
    seal_recoveries()
    assert sorted(Alert.objects.values_list("occurrences", flat=True)) == [1, 5]
    ControlRecovery.objects.update(recovered_at=timezone.now() - timedelta(hours=25))
    assert ack(grant, system, Epoch(20, 0)).generation == 21


def test_one_whose_alert_was_closed_that_day_opens_no_other() -> None:
    system = make_system()
    grant, person = reading(system), operator_of(None, "administrator")
    ack(grant, system, Epoch(3, 0))
    seal_recoveries()
    close_alert(actor=actor_of(person), alert_id=Alert.objects.get().pk, note="a test client")
    ack(grant, system, Epoch(5, 0))
    seal_recoveries()
    assert Alert.objects.count() == 1


def test_an_epoch_that_is_too_far_ahead_is_refused() -> None:
    system = make_system()
    grant = reading(system)
    with pytest.raises(ImplausibleEpoch):
        ack(grant, system, Epoch(102, 0))
    assert ack(grant, system, Epoch(101, 0)).generation == 102


def test_what_a_file_said_is_sealed_on_contact_and_when_it_ends() -> None:
    system = make_system()
    grant = reading(system)
    ack(grant, system, Epoch(1, 0), Mode.STOP, applied_by="file", file_mode="stop")
    assert [seal_break_glass(), seal_break_glass()] == [1, 0]
    ack(grant, system, Epoch(1, 0), Mode.RUN)
    assert seal_break_glass() == 1
    entries = [bytes(each) for each in Entry.objects.filter(kind="break_glass.reported").values_list("data", flat=True)]
    assert [b'"mode":"stop"' in each for each in entries] == [True, False]


# --- over the API -----------------------------------------------------------------------------------------------------
def post(client: Client, key: str, body: object) -> tuple[int, dict[str, object]]:
    answer = client.post(
        "/api/v1/control/acks", body, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )
    return answer.status_code, answer.json()


def said(system: str, **rest: object) -> dict[str, object]:
    return {
        "instance": "host-4711-ab12",
        "system": system,
        "client": "answerable-python/0.1.0",
        "model_version": None,
        "epoch": "1.0",
        "seen_at": "2020-11-21T12:00:00Z",
        "applied_at": "2020-11-21T12:00:00Z",
        "applied_mode": "run",
        "applied_by": "server",
        "file_mode": None,
        "in_flight": 0,
        "drained_at": None,
    } | rest


def test_what_a_fail_policy_did_is_said_and_never_put_in_force(client: Client) -> None:
    system = make_system()
    key = make_key(system, scopes=["control:read"]).text
    for epoch in ("3.42", "3.41"):  # by the second one the database knows that it was restored
        ack = said(system.slug, epoch=epoch, applied_mode="stop", applied_by="fail_policy")
        assert post(client, key, ack)[0] == 200
    assert ClientInstance.objects.get().applied_by == "fail_policy"
    assert current_epoch().generation == 4
    assert memory.current().control.mode(system.pk, "production") is Mode.RUN


def test_one_or_many_over_the_api(client: Client) -> None:
    system = make_system()
    key = make_key(system, scopes=["control:read"]).text
    assert post(client, key, said(system.slug)) == (200, {"epoch": "1.0", "heartbeat_s": 15})
    status, _ = post(client, key, {"acks": [said(system.slug, instance=f"i{n}", epoch=None) for n in range(100)]})
    assert (status, ClientInstance.objects.count()) == (200, 101)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"epoch": "41"}, "/epoch"),
        ({"instance": "a b"}, "/instance"),
        ({"applied_mode": "off"}, "/applied_mode"),
        ({"aplied": 1}, "/aplied"),
        ({"in_flight": -1}, "/in_flight"),
    ],
)
def test_what_is_wrong_is_named(client: Client, wrong: dict[str, object], pointer: str) -> None:
    system = make_system()
    key = make_key(system, scopes=["control:read"]).text
    status, body = post(client, key, said(system.slug, **wrong))
    assert status == 422 and [each["pointer"] for each in body["errors"]] == [pointer]  # type: ignore[attr-defined]


def test_a_hundred_at_most(client: Client) -> None:
    system = make_system()
    key = make_key(system, scopes=["control:read"]).text
    assert post(client, key, {"acks": [said(system.slug)] * 101})[0] == 422


def test_a_key_answers_for_the_systems_it_reaches(client: Client) -> None:
    system, other = make_system(), make_system()
    key = make_key(system, scopes=["control:read"]).text
    assert post(client, key, said(other.slug))[0] == KeyOutOfScope.status
    assert post(client, make_key(system, scopes=["decisions:write"]).text, said(system.slug))[0] == 403

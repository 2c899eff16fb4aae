"""Without a service, without a disk, after an end: what was given is kept, sent later, and nobody is silent."""

from pathlib import Path

import pytest

from answerable import Client, NotDurable, NotRecorded, ServiceUnavailable, Warned
from answerable._sender import Sender
from answerable.testing import FakeServer
from tests.helpers import AWAY, FACTS, SYSTEM, client_for, numbers, record_number

BATCH = "/api/v1/decisions/batch"


pytestmark = pytest.mark.usefixtures("_quick_back_off")


@pytest.mark.parametrize("url", [AWAY, "", "no address", "ftp://x", "http://[", "http://name.invalid"])
def test_an_application_starts_whatever_the_address_is(tmp_path: Path, url: str) -> None:
    with client_for(url, tmp_path) as client:
        assert client.record(**FACTS)
        assert client.health().waiting == 1


@pytest.mark.parametrize("key", ["", "with\nnewline", "schlüssel"])
def test_an_application_starts_whatever_the_key_is(server: FakeServer, tmp_path: Path, key: str) -> None:
    with Client(server.url, key, system=SYSTEM, model_version="1", spool_dir=tmp_path, close_timeout=0) as client:
        client.record(**FACTS)
        server.wait_for(lambda _: client.health().is_paused)
        assert client.health().waiting == 1


def test_without_a_disk_records_live_in_memory_and_that_is_told(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    told: list[Exception] = []
    with client_for(server, tmp_path / "file", on_error=told.append) as client:
        record_number(client, 1)
        assert client.flush()
        assert not client.health().is_durable and not client.health().is_ok
    assert numbers(server) == [1]
    assert any(isinstance(each, NotDurable) for each in told)


def test_a_disk_that_fills_up_later_keeps_records_in_memory(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Exception] = []
    with client_for(server, tmp_path, on_error=told.append) as client:

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(client._engine_now().spool, "add", full)
        for n in range(5):
            record_number(client, n)
        assert client.flush()
        assert not client.health().is_durable
    assert numbers(server) == list(range(5))
    assert sum(isinstance(each, NotDurable) for each in told) == 5


def test_what_a_dead_process_left_is_sent_by_the_next_one(server: FakeServer, tmp_path: Path) -> None:
    url = server.url
    server.close()
    with client_for(url, tmp_path) as first:
        for n in range(10):
            record_number(first, n)
        source = first.health().source
    server.start()
    with client_for(server, tmp_path) as second:
        assert second.health().source == source
        record_number(second, 10)
        assert second.flush()
    assert numbers(server) == list(range(11))
    assert [each["source"]["seq"] for each in server.records] == list(range(1, 12))


def test_what_a_dead_process_left_is_sent_by_a_living_one(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable._sender.ADOPT_EVERY", 0.1)
    url = server.url
    server.close()
    with client_for(url, tmp_path) as living:
        with client_for(url, tmp_path) as dying:
            for n in range(10):
                record_number(dying, n)
        assert dying.health().source != living.health().source
        server.start()
        living._engine_now().sender.hurry()
        server.wait_for(lambda s: len(s.records) == 10)
    assert numbers(server) == list(range(10))


def test_own_records_do_not_wait_for_all_that_a_dead_process_left(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable._delivery.BATCH_RECORDS", 10)
    monkeypatch.setattr("answerable._sender.ADOPT_EVERY", 0.1)
    url = server.url
    server.close()
    with client_for(url, tmp_path) as living:
        with client_for(url, tmp_path) as dying:
            for n in range(200):
                record_number(dying, n)
        sender = living._engine_now().sender
        sender.delivery._most = 10
        server.fail(times=50, delay=0.05, path="/api/v1/decisions/batch")
        server.start()
        sender.hurry()
        server.wait_for(lambda s: len(s.records) >= 10)
        record_number(living, 1000)
        server.wait_for(lambda s: len(s.records) == 201)
    assert numbers(server).index(1000) < 190


def test_a_client_that_was_closed_loses_nothing_that_is_given_to_it_later(server: FakeServer, tmp_path: Path) -> None:
    client = client_for(server, tmp_path)
    record_number(client, 1)
    assert client.close(5)
    assert client.health().sealed == 1 and client.mode() is not None
    record_number(client, 2)
    assert client.close(5)
    assert numbers(server) == [1, 2]
    assert client.health().problems["Warned"] == 1


def test_what_comes_while_the_client_is_being_closed_is_sent_by_the_next_one(
    server: FakeServer, tmp_path: Path
) -> None:
    told: list[Exception] = []
    client = client_for(server, tmp_path, on_error=told.append)
    engine = client._engine_now()  # as another thread has it that was just about to record
    assert client.close(5)
    name = engine.record(FACTS)
    engine.confirm_effect(name, "approved", "")
    assert [type(each) for each in told] == [Warned, Warned]
    assert server.records == []
    with client_for(server, tmp_path) as after:
        assert after.flush()
    assert [each["id"] for each in server.records] == [name]
    assert [each["outcome"] for each in server.effects(name)] == ["approved"]


def test_what_comes_while_a_client_without_a_disk_is_being_closed_is_told_as_lost(
    server: FakeServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    told: list[Exception] = []
    client = client_for(server, tmp_path / "file", on_error=told.append)
    engine = client._engine_now()
    assert client.close(5)
    name = engine.record(FACTS)
    assert [each.decision_id for each in told if isinstance(each, NotRecorded)] == [name]


# --- a service that is back ---------------------------------------------------------------------------------------
def test_nobody_waits_long_to_see_whether_the_service_is_back(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable._sender.random.uniform", lambda low, high: high)
    with client_for(server, tmp_path) as client:
        engine = client._engine_now()
        engine.sender.attempts = engine.listener._attempts = 1000
        away = ServiceUnavailable("away")
        assert (engine.sender._back_off(away), engine.listener._back_off(away, None)) == (8.0, 5.0)


@pytest.mark.parametrize("control", [True, False], ids=["state or ack", "decide"])
def test_a_service_that_answers_anything_has_what_waits_at_once(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, control: bool
) -> None:
    back_off = Sender._back_off

    def for_ten_minutes(sender: Sender, error: ServiceUnavailable) -> float:
        back_off(sender, error)
        return 600.0

    monkeypatch.setattr(Sender, "_back_off", for_ten_minutes)
    with client_for(server, tmp_path, control=control) as client:
        assert client.flush()
        server.close()
        record_number(client, 1)
        server.wait_for(lambda _: client._engine_now().sender.attempts)
        server.start()
        if not control:
            assert client.decide(**FACTS).answered_by == "server"
        server.wait_for(lambda s: any(each["input"] == {"n": 1} for each in s.records), 10)

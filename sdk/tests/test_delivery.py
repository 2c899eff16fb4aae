"""Getting records to a service that does not always behave: nothing lost, nothing twice, nothing silent."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest

from answerable import Client, InvalidRecord, NotDurable, NotRecorded, ServiceUnavailable
from answerable._http import Transport
from answerable._ids import Ids, ServerClock, time_of
from answerable.testing import FakeServer
from tests.helpers import AWAY, FACTS, SYSTEM, client_for, numbers, record_number

BATCH = "/api/v1/decisions/batch"


@pytest.fixture(autouse=True)
def _quick_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("answerable._sender.random.uniform", lambda low, high: min(high, 0.02))
    monkeypatch.setattr("answerable._sender.PAUSE", 0.05)


def test_records_arrive_in_order_numbered_and_whole(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path, environment="production") as client:
        ids = [record_number(client, n) for n in range(2500)]
        assert client.flush()
        source = client.health().source
    assert [each["id"] for each in server.records] == ids == sorted(ids)
    assert [each["source"] for each in server.records] == [{"id": source, "seq": n} for n in range(1, 2501)]
    first = server.records[0]
    assert (first["system"], first["model_version"], first["environment"]) == (SYSTEM, "2.1", "production")
    assert first["phase"] == "effective"
    assert server.heartbeats[0]["source"] == source


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "retry_after": 0}, {"status": 503, "retry_after": 0}, {"status": 503}, {"status": 500},
        {"status": 502}, {"status": 408}, {"hang_up": True}, {"truncate": True}, {"body": b"<html>Hello</html>"},
        {"body": b"{"}, {"body": b"[]"}, {"body": b'{"counts": {}, "results": []}'},
        {"body": b'{"counts": {"accepted": 1, "duplicate": 0}, "results": [{"status": "rejected"}]}'},
        {"body": b'{"counts": {"accepted": 99999}, "results": [], "logs": []}'}, {"body": b""},
    ],
)  # fmt: skip
def test_an_answer_that_says_nothing_for_sure_sends_the_same_again(
    server: FakeServer, tmp_path: Path, fault: dict[str, Any]
) -> None:
    told: list[Exception] = []
    with client_for(server, tmp_path, on_error=told.append) as client:
        assert client.flush()
        server.fail(times=3, path=BATCH, **fault)
        for n in range(20):
            record_number(client, n)
        assert client.flush(10)
        assert client.health().retries >= 1
        assert client.health().is_ok
    assert numbers(server) == list(range(20))
    assert not server.conflicts
    assert any(isinstance(each, ServiceUnavailable) for each in told)


def test_a_service_that_drips_or_sleeps_is_given_up_in_time(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_for(server, tmp_path) as client:
        client._engine_now().delivery.timeout = 0.3
        assert client.flush()
        server.fail(path=BATCH, delay=1.0)
        record_number(client, 0)
        assert client.flush(5)
    assert numbers(server) == [0]


def test_retry_after_is_obeyed(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.flush()
        server.fail(path=BATCH, status=503, retry_after=1)
        record_number(client, 0)
        began = time.monotonic()
        server.wait_for(lambda s: s.records)
        assert time.monotonic() - began >= 0.95


def test_a_wrong_key_pauses_keeps_and_says_so(
    server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    right, server.key = server.key, "ans_other"
    with caplog.at_level(logging.ERROR, "answerable"), client_for(server, tmp_path) as client:
        server.key = right
        client._engine_now().transport._headers["Authorization"] = "Bearer wrong"
        record_number(client, 1)
        server.wait_for(lambda _: client.health().is_paused)
        health = client.health()
        assert (health.waiting, health.is_ok, health.dead_letters) == (1, False, 0)
        assert "401" in str(health.trouble)
        client._engine_now().transport._headers["Authorization"] = f"Bearer {right}"
        assert client.flush()
        assert not client.health().is_paused
    assert numbers(server) == [1]
    assert any("sending is paused" in line for line in caplog.messages)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 301])
def test_what_only_a_person_can_heal_never_loses_a_record(server: FakeServer, tmp_path: Path, status: int) -> None:
    with client_for(server, tmp_path) as client:
        assert client.flush()
        server.fail(times=2, path=BATCH, status=status)
        record_number(client, 1)
        assert client.flush()
    assert numbers(server) == [1]


def test_a_proxy_that_refuses_everything_with_400_is_not_believed(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.flush()
        server.fail(times=5, path=BATCH, status=400, body=b"<html>Bad request</html>")
        record_number(client, 1)
        assert client.flush()
        assert client.dead_letters() == []
    assert numbers(server) == [1]


def test_a_refused_record_is_kept_with_its_reason_and_its_neighbours_go_on(server: FakeServer, tmp_path: Path) -> None:
    told: list[Exception] = []
    server.refuse_when(lambda record: "odd" if record["input"]["n"] % 2 else None)
    with client_for(server, tmp_path, on_error=told.append) as client:
        for n in range(6):
            record_number(client, n)
        assert client.flush()
        letters = client.dead_letters()
        assert len(letters) == 3 and all("odd" in each.reason and each.quarantine_id for each in letters)
        assert client.health().turned_away == 3 and not client.health().is_ok
        server.refuse_when(lambda record: None)
        assert client.retry_dead_letters() == 3
        assert client.flush()
        assert client.dead_letters() == []
    assert sorted(numbers(server)) == list(range(6))
    assert sum(isinstance(each, NotRecorded) for each in told) == 3


def test_a_batch_too_large_for_the_server_is_halved(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.flush()
        server.fail(times=4, path=BATCH, status=413)
        with client._engine_now().spool.lock:
            for n in range(64):
                record_number(client, n)
        assert client.flush()
        assert client.dead_letters() == []
    assert numbers(server) == list(range(64))


def test_a_conflict_is_a_dead_letter(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        name = client.record(**FACTS)
        assert client.flush()
        client.record(**{**FACTS, "outcome": "refused"}, id=name)
        assert client.flush()
        [letter] = client.dead_letters()
        assert letter.id == name and letter.reason.startswith("conflict")
        assert client.forget_dead_letters([name]) == 1
    assert [each["outcome"] for each in server.records] == ["approved"]


def test_invalid_records_are_told_counted_numbered_and_never_raised(server: FakeServer, tmp_path: Path) -> None:
    told: list[Exception] = []
    with client_for(server, tmp_path, on_error=told.append) as client:
        before = record_number(client, 0)
        broken = client.record(input=object(), output={}, outcome="approved")
        client.record(input={}, outcome="approved")  # type: ignore[call-arg]
        client.record(input={}, output={}, outcome="not a category")
        record_number(client, 1)
        assert client.flush()
        assert client.health().invalid == 3 and not client.health().is_ok
    assert before < broken
    assert [each["source"]["seq"] for each in server.records] == [1, 5]
    assert [type(each) for each in told] == [InvalidRecord] * 3


def test_in_tests_an_invalid_record_may_raise(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path, strict=True) as client, pytest.raises(InvalidRecord, match="/confidence"):
        client.record(**FACTS, confidence=7)


def test_an_on_error_that_fails_harms_nobody(server: FakeServer, tmp_path: Path) -> None:
    def fails(error: Exception) -> None:
        raise RuntimeError("mine")

    with client_for(server, tmp_path, on_error=fails) as client:
        client.record(input=object(), output={}, outcome="approved")
        record_number(client, 1)
        assert client.flush()
    assert numbers(server) == [1]


# --- a service that is away --------------------------------------------------------------------------------------
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


# --- bounds -------------------------------------------------------------------------------------------------------
def full_client(tmp_path: Path, **settings: Any) -> Any:
    return client_for(AWAY, tmp_path, max_spool_bytes=5_000, control=False, **settings)


def test_a_full_spool_drops_the_oldest_when_told_so(tmp_path: Path) -> None:
    with full_client(tmp_path, overflow="drop_oldest") as client:
        for n in range(100):
            record_number(client, n)
        health = client.health()
        assert health.waiting_bytes <= 5_000 and health.waiting + health.dropped == 100
        kept = client._engine_now().spool.first(1000, 1 << 20)
        assert kept[-1].seq == 100 and b'"n":99' in kept[-1].body


def test_a_full_spool_drops_what_is_new_when_told_so_and_the_counter_shows_it(tmp_path: Path) -> None:
    told: list[Exception] = []
    with full_client(tmp_path, overflow="drop_new", on_error=told.append) as client:
        for n in range(100):
            record_number(client, n)
        health = client.health()
        assert health.dropped == 100 - health.waiting > 0
        assert client._engine_now().spool.last_seq == 100
    assert sum("was dropped" in str(each) for each in told) == health.dropped


def test_a_spool_full_of_effects_is_full(tmp_path: Path) -> None:
    told: list[Exception] = []
    with full_client(tmp_path, overflow="drop_new", on_error=told.append) as client:
        for n in range(100):
            client.confirm_effect(f"decision-{n}", "approved", "because " * 20)
        assert client.health().waiting_bytes <= 5_000
        assert client.health().waiting_effects < 100
    assert any("the spool is full" in str(each) for each in told)


def test_a_full_spool_blocks_no_longer_than_it_was_told(tmp_path: Path) -> None:
    with full_client(tmp_path, overflow="block", block_ms=100) as client:
        while not client.health().dropped:
            began = time.monotonic()
            record_number(client, 1)
        assert 0.09 < time.monotonic() - began < 0.5


def test_what_is_too_old_is_given_up_and_told(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Exception] = []
    server.fail(times=10_000, path="/api/v1/decisions", hang_up=True)
    with client_for(server, tmp_path, max_age_days=1e-9, on_error=told.append) as client:
        record_number(client, 1)
        client._engine_now().sender._expire()
        assert (client.health().waiting, client.health().dropped) == (0, 1)
    assert any("given up" in str(each) for each in told)


# --- clocks -------------------------------------------------------------------------------------------------------
def test_an_hour_of_clock_skew_does_not_make_ids_that_the_server_refuses(server: FakeServer, tmp_path: Path) -> None:
    server.clock_offset = -3600.0
    early = Ids(ServerClock()).new()  # as before the first answer
    with client_for(server, tmp_path) as client:
        server.wait_for(lambda _: client.health().clock_offset_s is not None)
        client.record(input={"n": 0}, output={}, outcome="approved", id=early)
        late = record_number(client, 1)
        server.wait_for(lambda s: len(s.records) >= 1)
        assert time_of(early) - time_of(late) == pytest.approx(3600, abs=5)
        # the first one lies in the server's future: it waits here rather than be refused
        time.sleep(0.1)
        assert numbers(server) == [1]
        assert client.health().waiting == 1


# --- checkpoints --------------------------------------------------------------------------------------------------
def test_a_log_that_goes_back_is_told(server: FakeServer, tmp_path: Path) -> None:
    told: list[Exception] = []
    with client_for(server, tmp_path, on_error=told.append) as client:
        for n in range(5):
            record_number(client, n)
        assert client.flush()
        assert [each.tree_size for each in client.checkpoints().values()] == [5]
        server.wait_for(lambda _: (client._settings.folder / "checkpoints.json").exists())
    server.book.by_id.clear()
    with client_for(server, tmp_path, on_error=told.append) as client:
        record_number(client, 6)
        assert client.flush()
        assert client.health().problems["LogWentBack"] == 1
    assert any("had 5 entries and now shows 1" in str(each) for each in told)


def test_a_client_that_was_closed_loses_nothing_that_is_given_to_it_later(server: FakeServer, tmp_path: Path) -> None:
    client = client_for(server, tmp_path)
    record_number(client, 1)
    assert client.close(5)
    assert client.health().sealed == 1 and client.mode() is not None
    record_number(client, 2)
    assert client.close(5)
    assert numbers(server) == [1, 2]
    assert client.health().problems["Warned"] == 1


def test_where_a_proxy_lets_less_pass_a_batch_is_halved(server: FakeServer, tmp_path: Path) -> None:
    server.fail(times=3, status=413, body=b"<html>too large</html>", path=BATCH)
    with client_for(server, tmp_path) as client:
        for n in range(100):
            record_number(client, n)
        assert client.flush()
        assert client.health().problems.get("NotRecorded", 0) == 0
    assert numbers(server) == list(range(100))


def test_of_two_threads_that_want_the_last_idle_connection_one_makes_another(server: FakeServer) -> None:
    class Taken(list[Any]):
        def __bool__(self) -> bool:
            return True  # as another thread sees it just before it is empty

    transport = Transport(server.url, server.key, agent="test", clock=ServerClock())
    transport._idle = Taken()
    assert transport.request("GET", "/api/v1/control/state").status == 200
    for each in list(transport._idle):
        each.close()

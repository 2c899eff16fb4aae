"""Getting records to a service that does not always behave: nothing lost, nothing twice, nothing silent."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest

from answerable import InvalidRecord, NotRecorded, ServiceUnavailable, _delivery
from answerable._http import Transport
from answerable._ids import ServerClock
from answerable.testing import FakeServer
from tests.helpers import FACTS, SYSTEM, client_for, numbers, record_number

BATCH = "/api/v1/decisions/batch"


pytestmark = pytest.mark.usefixtures("_quick_back_off")


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
    # on a busy machine the service may be slow, which is told too
    assert [type(each) for each in told if not isinstance(each, ServiceUnavailable)] == [InvalidRecord] * 3


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


def test_where_a_proxy_lets_less_pass_a_batch_is_halved(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.flush()
        server.fail(times=3, status=413, body=b"<html>too large</html>", path=BATCH)
        with client._engine_now().spool.lock:  # so that no batch is so small that it cannot be halved three times
            for n in range(100):
                record_number(client, n)
        assert client.flush()
        assert client.health().problems.get("NotRecorded", 0) == 0
    assert numbers(server) == list(range(100))


def test_a_record_too_large_for_a_proxy_holds_up_no_other(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Exception] = []
    monkeypatch.setattr(_delivery, "TRY_AGAIN", 0.2)
    with client_for(server, tmp_path, on_error=told.append) as client:
        assert client.flush()
        server.fail(times=60, status=413, body=b"<html>too large</html>", path=BATCH)
        record_number(client, 0)
        server.wait_for(lambda _: client.health().trouble is not None)
        health = client.health()
        assert not health.is_ok and not health.is_paused and health.waiting == 1
        assert "413" in (health.trouble or "") and not client.flush(0.5)
        server.faults.clear()
        for n in range(1, 20):
            record_number(client, n)
        client._engine_now().sender.hurry()
        server.wait_for(lambda _: len(server.records) >= 19)
        assert client.flush()
        assert client.health().trouble is None and client.dead_letters() == []
    assert sorted(numbers(server)) == list(range(20))
    assert [type(each) for each in told if "413" in str(each)] == [NotRecorded]


def test_of_two_threads_that_want_the_last_idle_connection_one_makes_another(server: FakeServer) -> None:
    class Taken(list[Any]):
        def __bool__(self) -> bool:
            return True  # as another thread sees it just before it is empty

    transport = Transport(server.url, server.key, agent="test", clock=ServerClock())
    transport._idle = Taken()
    assert transport.request("GET", "/api/v1/control/state").status == 200
    for each in list(transport._idle):
        each.close()


def test_letters_that_a_dead_process_left_are_shown_sent_and_dropped_too(server: FakeServer, tmp_path: Path) -> None:
    server.refuse_when(lambda record: "odd")
    with client_for(server, tmp_path) as living:
        with client_for(server, tmp_path) as dying:
            names = [record_number(dying, n) for n in range(3)]
            assert dying.flush()
            assert living.dead_letters() == []  # it lives, and shows them itself
        names.append(record_number(living, 3))
        assert living.flush()
        server.wait_for(lambda _: [each.id for each in living.dead_letters()] == names, 20)
        assert living.forget_dead_letters(iter([names[0], names[3]])) == 2
        server.refuse_when(lambda record: None)
        assert living.retry_dead_letters() == 2
        server.wait_for(lambda s: len(s.records) == 2, 20)
        assert living.dead_letters() == []
    assert numbers(server) == [1, 2]

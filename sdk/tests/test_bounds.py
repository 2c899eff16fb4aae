"""What ends: room, age, clocks, and logs that go back."""

import time
from pathlib import Path
from typing import Any

import pytest

from answerable._ids import Ids, ServerClock, time_of
from answerable.testing import FakeServer
from tests.helpers import AWAY, client_for, numbers, record_number

BATCH = "/api/v1/decisions/batch"


pytestmark = pytest.mark.usefixtures("_quick_back_off")


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
        time.sleep(0.01)  # older than what is allowed
        client._engine_now().sender._expire()
        assert (client.health().waiting, client.health().dropped) == (0, 1)
    assert any("given up" in str(each) for each in told)


def test_a_host_that_was_told_the_time_late_gives_up_nothing(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fail(times=10_000, path="/api/v1/decisions", hang_up=True)
    with client_for(server, tmp_path) as client, monkeypatch.context() as early:
        early.setattr(time, "time", lambda: 100.0)  # 1970
        record_number(client, 1)
        early.undo()
        sender = client._engine_now().sender
        sender._expire()
        assert (client.health().waiting, client.health().dropped) == (1, 0)
        oldest = client.health().oldest_age_s
        assert oldest is not None and oldest < 60  # and has its time from now on


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

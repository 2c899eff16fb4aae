"""What is in force: from the stream, the file and the fail policy; never an old run over a newer stop."""

import json
import os
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from answerable import Change, FailPolicy, Mode
from answerable._break_glass import BreakGlass
from answerable._control import Control
from answerable._last_known import LastKnownFile
from answerable._modes import Epoch
from answerable._state import read_state
from answerable.testing import FakeServer
from tests.helpers import AWAY, FACTS, SYSTEM, becomes, client_for

PATIENT = FailPolicy(max_staleness_s=1000, safe_mode=Mode.REVIEW, cold_start=Mode.REVIEW)


@pytest.mark.parametrize("stream", [True, False])
def test_a_stop_is_obeyed_and_acknowledged(server: FakeServer, tmp_path: Path, stream: bool) -> None:
    server.has_stream = stream
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        assert client.enabled()
        epoch = server.set_mode(SYSTEM, "stop")
        assert becomes(client, "stop") < (0.5 if stream else 1.0)
        server.wait_for(lambda s: s.acks and s.acks[-1]["applied_mode"] == "stop")
        ack = server.acks[-1]
        assert (ack["epoch"], ack["applied_by"], ack["in_flight"]) == (epoch, "server", 0)
        assert ack["instance"] == client.health().instance and ack["drained_at"]
        assert not client.enabled()


def test_what_is_obeyed_is_told_where_controls_are_read_and_not_at_the_port_of_records(
    server: FakeServer, tmp_path: Path
) -> None:
    with FakeServer(systems=(SYSTEM,)) as control, client_for(server, tmp_path, control_url=control.url) as client:
        assert client.wait_ready(3)
        control.set_mode(SYSTEM, "stop")
        control.wait_for(lambda s: s.acks and s.acks[-1]["applied_mode"] == "stop")
        client.record(**FACTS)
        assert client.flush()
    assert (server.acks, len(server.records), control.records) == ([], 1, [])


def test_the_most_restrictive_switch_counts(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        server.set_mode(SYSTEM, "review")
        server.set_mode(SYSTEM, "stop", model_version="2.0")
        server.set_mode(SYSTEM, "fallback", capability="increase")
        server.set_mode(SYSTEM, "stop", environment="staging")
        server.set_mode(None, "run")
        becomes(client, "fallback", capability="increase")
        assert client.mode() == "review"
        assert client.mode(model_version="2.0") == "stop"
        assert client.mode(model_version="2.0", capability="increase") == "stop"
        server.set_mode(None, "stop")
        becomes(client, "stop")


def test_parameters_and_fallbacks(server: FakeServer, tmp_path: Path) -> None:
    server.add_system("other", fallback={"kind": "model_version", "value": "1.9"})
    soon = (datetime.now(timezone.utc) + timedelta(seconds=0.4)).isoformat()
    server.set_parameter("other", "max-amount", 5000.0)
    server.set_parameter("other", "boost", 2.0, expires_at=soon, value_after=1.0)
    with client_for(server, tmp_path) as client:
        assert client.param("max-amount", 1.0, system="other") in (1.0, 5000.0)
        assert client.wait_ready(3)
        assert client.param("max-amount", 1.0, system="other") == 5000.0
        assert client.param("unknown", 7, system="other") == 7
        assert client.param("unknown", 7, system="nobody") == 7
        assert client.fallback(system="other") == {"kind": "model_version", "value": "1.9"}
        assert client.param("boost", 0, system="other") == 2.0
        server.wait_for(lambda _: client.param("boost", 0, system="other") == 1.0)


def test_listeners_hear_of_changes_and_may_fail(server: FakeServer, tmp_path: Path) -> None:
    heard: list[Change] = []
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        becomes(client, "run")

        def fails(change: Change) -> None:
            raise RuntimeError("mine")

        client.on_change(fails)
        client.on_change(heard.append)
        epoch = server.set_mode(SYSTEM, "stop")
        server.wait_for(lambda _: heard)
        assert heard[0] == Change(SYSTEM, Mode.RUN, Mode.STOP, epoch, "server")
        server.set_mode(SYSTEM, "run")
        server.wait_for(lambda _: len(heard) == 2)


# --- without contact ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("risk", "mode"), [("high", "stop"), ("medium", "review"), ("low", "run")])
def test_at_a_cold_start_the_safe_mode_holds(tmp_path: Path, risk: Any, mode: str) -> None:
    with client_for(AWAY, tmp_path, risk=risk) as client:
        assert client.mode() == mode
        assert client.health().is_stale


def test_the_last_known_state_counts_until_it_is_stale(server: FakeServer, tmp_path: Path) -> None:
    policy = FailPolicy(max_staleness_s=0.5, safe_mode=Mode.FALLBACK, cold_start=Mode.STOP)
    heard: list[Change] = []
    with client_for(server, tmp_path, fail_policy=policy) as client:
        client.on_change(heard.append)
        assert client.wait_ready(3)
        assert client.mode() == "run"
        server.close()
        assert client.mode() == "run"
        assert becomes(client, "fallback") <= 0.7
        server.wait_for(lambda _: any(each.applied_by == "fail_policy" for each in heard))
        server.start()
        becomes(client, "run")


def test_code_tightens_what_the_server_declares_and_never_loosens_it(server: FakeServer, tmp_path: Path) -> None:
    server.add_system(SYSTEM, fail_policy={"max_staleness_s": 0.3, "safe_mode": "stop"})
    with client_for(server, tmp_path, risk="low") as client:
        assert client.wait_ready(3)
        server.close()
        becomes(client, "stop")


def test_a_server_that_is_stale_itself_renews_nothing(server: FakeServer, tmp_path: Path) -> None:
    policy = FailPolicy(max_staleness_s=0.6, safe_mode=Mode.STOP)
    with client_for(server, tmp_path, fail_policy=policy) as client:
        assert client.wait_ready(3)
        with server.book.lock:
            server.book.is_stale = True
        becomes(client, "stop")
        server.wait_for(lambda s: s.acks[-1]["applied_mode"] == "stop", 15)
        assert server.acks[-1]["applied_by"] == "fail_policy"


def test_what_holds_for_a_system_that_the_service_says_nothing_about_is_not_its_word(
    server: FakeServer, tmp_path: Path
) -> None:
    with client_for(server, tmp_path, fail_policy=PATIENT) as client:
        assert client.wait_ready(3)
        assert client.mode("another") == "review"
        client.follow("another")
        server.wait_for(lambda s: any(each["system"] == "another" for each in s.acks), 30)
        said = {each["system"]: (each["applied_mode"], each["applied_by"]) for each in server.acks}
        assert said == {SYSTEM: ("run", "server"), "another": ("review", "fail_policy")}


def test_a_known_stop_survives_a_restart_without_the_service(server: FakeServer, tmp_path: Path) -> None:
    server.set_mode(SYSTEM, "stop")
    with client_for(server, tmp_path, fail_policy=PATIENT) as client:
        becomes(client, "stop")
    url = server.url
    server.close()
    with client_for(url, tmp_path, fail_policy=PATIENT) as client:
        assert client.mode() == "stop"
        assert not client.health().is_stale


def test_what_the_server_called_stale_is_stale_after_a_restart_too(server: FakeServer, tmp_path: Path) -> None:
    server.book.is_stale = True
    with client_for(server, tmp_path, fail_policy=PATIENT) as client:
        file = client._settings.folder / "control.json"
        server.wait_for(lambda _: file.exists())
    url = server.url
    server.close()
    with client_for(url, tmp_path, fail_policy=PATIENT) as client:
        assert (client.mode(), client.health().is_stale) == ("review", True)


def test_an_older_state_that_the_server_calls_stale_makes_nothing_fresh(server: FakeServer, tmp_path: Path) -> None:
    before = server.book.epoch
    with client_for(server, tmp_path, fail_policy=PATIENT) as client:
        assert client.wait_ready(3)
        server.set_mode(SYSTEM, "run", capability="another")
        control, file = client._engine_now().control, client._settings.folder / "control.json"
        server.wait_for(lambda _: file.exists() and json.loads(file.read_bytes())["epoch"] == client.epoch != before)
        state = control.state
        assert state is not None
        listener = client._engine_now().listener
        listener.stop()
        listener.thread.join(10)  # it may be about to confirm what it has just been told
        assert not listener.thread.is_alive()
        os.utime(file, (time.time() - 5000, time.time() - 5000))
        control.apply(read_state({**state.document, "epoch": before, "is_stale": True}))
    assert time.time() - file.stat().st_mtime > 4000


def test_a_stop_is_obeyed_and_told_before_the_disk_is_touched(tmp_path: Path) -> None:
    """A disk that takes seconds, and a listener that fails: neither keeps the other from its turn."""
    heard: list[str] = []

    class SlowDisk(LastKnownFile):
        def write(self, document: Any, epoch: Epoch) -> None:
            heard.append(f"written under {control.mode()}")

    control = Control(
        system=SYSTEM, environment=None, model_version=None, policy=PATIENT, report=print,
        last_known=SlowDisk(None, print), break_glass=BreakGlass(None, print),
    )  # fmt: skip

    def ends(change: Change) -> None:
        heard.append(f"told of {change.after}, obeying {control.mode()}")
        raise SystemExit

    control.on_change(ends)
    document = {"epoch": "1.1", "generated_at": "2026-11-21T12:00:00Z", "systems": {SYSTEM: {"mode": "stop"}}}
    with pytest.raises(SystemExit):
        control.apply(read_state(document))
    assert heard == ["told of stop, obeying stop", "written under stop"]


def test_an_old_file_is_stale_and_a_clock_that_went_back_makes_it_so(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path, fail_policy=PATIENT) as client:
        assert client.wait_ready(3)
        file = client._settings.folder / "control.json"
        server.wait_for(lambda _: file.exists())
    url = server.url
    server.close()
    for age in (2000, -3600):
        os.utime(file, (time.time() - age, time.time() - age))
        with client_for(url, tmp_path, fail_policy=PATIENT) as client:
            assert client.mode() == "review", age
            assert client.epoch is not None
    os.utime(file)
    with client_for(url, tmp_path, fail_policy=PATIENT) as client:
        assert client.mode() == "run"


def test_an_older_run_does_not_beat_a_newer_stop(server: FakeServer, tmp_path: Path) -> None:
    before = server.book.epoch
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        newest = server.set_mode(SYSTEM, "stop")
        becomes(client, "stop")
        acks = len(server.acks)
        server.forget_controls(epoch=before)
        server.wait_for(lambda s: len(s.acks) > acks + 1)
        assert client.mode() == "stop"
        # our acknowledgement made the server jump above what we knew, with the stop in force
        server.wait_for(lambda _: client.epoch is not None and client.epoch > newest)
        assert client.epoch is not None and client.epoch.startswith("2.")
        assert client.mode() == "stop"
        server.set_mode(SYSTEM, "run")
        becomes(client, "run")


def test_an_older_process_does_not_overwrite_the_newer_file(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        control = client._engine_now().control
        state = control.state
        assert state is not None
        server.set_mode(SYSTEM, "stop")
        becomes(client, "stop")
        file = client._settings.folder / "control.json"
        newest = client.epoch
        server.wait_for(lambda _: json.loads(file.read_bytes())["epoch"] == newest)
        control._last_known.write(state.document, state.epoch)
        assert json.loads(file.read_bytes())["epoch"] == newest


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"epoch": "1.1"}', b"\xff"])
def test_a_broken_file_is_told_of_and_means_that_nothing_is_known(
    server: FakeServer, tmp_path: Path, content: bytes
) -> None:
    with client_for(server, tmp_path) as client:
        file = client._settings.folder / "control.json"
        server.wait_for(lambda _: file.exists())
    file.write_bytes(content)
    told: list[Exception] = []
    url = server.url
    server.close()
    with client_for(url, tmp_path, on_error=told.append) as client:
        assert client.mode() == "stop"
    assert any("cannot be read" in str(each) for each in told)


def test_an_hour_of_clock_skew_changes_nothing_for_controls(server: FakeServer, tmp_path: Path) -> None:
    server.clock_offset = 3600.0
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        assert client.mode() == "run"
        server.set_mode(SYSTEM, "stop")
        becomes(client, "stop")
        assert not client.health().is_stale


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"epoch": "x", "systems": {}}', b"<html>", b'{"epoch":"1.1","systems":3}']
)
def test_a_state_that_cannot_be_read_is_no_contact(server: FakeServer, tmp_path: Path, body: bytes) -> None:
    server.has_stream = False
    server.fail(times=10_000, path="/api/v1/control/state", status=200, body=body)
    with client_for(server, tmp_path) as client:
        assert not client.wait_ready(0.4)
        assert client.mode() == "stop"
        assert client.health().control_trouble


def test_a_stream_that_cannot_be_reached_slows_no_polling(server: FakeServer, tmp_path: Path) -> None:
    server.fail(times=10_000, path="/api/v1/control/events", hang_up=True)
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        time.sleep(0.5)
        for mode in ("stop", "review", "run"):
            server.set_mode(SYSTEM, mode)
            assert becomes(client, mode) < 1.0
        assert "no stream" in str(client.health().control_trouble)


def test_a_stream_that_breaks_is_taken_up_again(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        for mode in ("stop", "review"):
            server.wait_for(lambda _: client.health().is_streaming, 15)
            server.restart()
            server.set_mode(SYSTEM, mode)
            becomes(client, mode, 10)


def test_what_a_lost_contact_made_us_do_is_not_told_as_a_stop_of_ours(server: FakeServer, tmp_path: Path) -> None:
    """The server was restored: our epoch is above its own, and it takes over the mode that we say we obey."""
    with client_for(server, tmp_path, fail_policy=PATIENT) as client:
        assert client.wait_ready(3)
        file = client._settings.folder / "control.json"
        server.wait_for(lambda _: file.exists())
    os.utime(file, (time.time() - 5000, time.time() - 5000))
    server.forget_controls(epoch="1.1")
    with client_for(server, tmp_path, fail_policy=PATIENT) as client:
        server.wait_for(lambda s: s.book.generation == 2)
        becomes(client, "run")
    assert not server.book.switches


def test_an_unknown_system_follows_the_fail_policy_and_is_told(server: FakeServer, tmp_path: Path) -> None:
    told: list[Exception] = []
    with client_for(server, tmp_path, on_error=told.append) as client:
        assert client.wait_ready(3)
        assert client.mode("typo") == "stop"
    assert any("'typo'" in str(each) for each in told)


def test_many_readers_and_many_changes_never_see_a_freer_mode(server: FakeServer, tmp_path: Path) -> None:
    """A stop that stands the whole time is seen by every read, whatever else changes."""
    server.set_mode(SYSTEM, "stop", model_version="2.1")
    seen: set[Mode] = set()
    with client_for(server, tmp_path) as client:
        becomes(client, "stop")
        over = threading.Event()

        def read() -> None:
            while not over.is_set():
                seen.add(client.mode())

        threads = [threading.Thread(target=read) for _ in range(3)]
        for each in threads:
            each.start()
        for n in range(40):
            server.set_mode(SYSTEM, ("run", "review", "fallback")[n % 3], capability="other")
            time.sleep(0.005)
        over.set()
        for each in threads:
            each.join()
    assert seen == {Mode.STOP}


def test_a_stream_that_the_client_itself_breaks_off_is_no_news(server: FakeServer, tmp_path: Path) -> None:
    told: list[Exception] = []
    server.fail(path="/api/v1/control/events", delay=1.0)
    client = client_for(server, tmp_path, on_error=told.append, close_timeout=2.0)
    server.wait_for(lambda each: "GET /api/v1/control/events" in each.requests)
    client.close()
    time.sleep(0.1)
    assert not told

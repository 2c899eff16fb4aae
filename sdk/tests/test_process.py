"""Processes: they end, they fork, they are killed."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from answerable import Client
from answerable._locks import FileLock, briefly
from answerable._shelf import Shelf
from answerable.testing import FakeServer
from tests.helpers import KEY, SYSTEM, client_for, numbers, record_number

ENDS = """
import sys
import multiprocessing.connection

from answerable import Client
url, key, folder = sys.argv[1:]
client = Client(url, key, system="credit-limit", model_version="1", spool_dir=folder, close_timeout=3)
for n in range(200):
    client.record(input={"n": n}, output={}, outcome="approved")
"""


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True, text=True, check=False, env={"PYTHONPATH": "src"}, timeout=30,
    )  # fmt: skip


def test_a_process_that_ends_sends_what_waits(server: FakeServer, tmp_path: Path) -> None:
    done = run(ENDS, server.url, KEY, str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(server) == list(range(200))


def test_a_process_ends_in_time_without_the_service_and_says_what_is_left(tmp_path: Path) -> None:
    began = time.monotonic()
    done = run(ENDS, "http://127.0.0.1:9", KEY, str(tmp_path))
    assert done.returncode == 0
    assert time.monotonic() - began < 10
    assert "200 records were not sent in 3 s" in done.stderr


def in_child(work: "multiprocessing.connection.Connection", client: Client) -> None:
    started = {each.name for each in threading.enumerate() if each.name.startswith("answerable")}
    record_number(client, 1000)
    work.send((client.flush(10), client.health().source, client.health().instance, started, str(client.mode())))
    client.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork_parent_and_child_have_their_own_spool_and_threads(server: FakeServer, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with client_for(server, tmp_path) as client:
        over = threading.Event()
        busy = [threading.Thread(target=lambda: [record_number(client, -1) for _ in iter(over.is_set, True)])]
        for each in busy:
            each.start()
        said = []
        for _ in range(5):
            ours, theirs = context.Pipe()
            child = context.Process(target=in_child, args=(theirs, client))
            child.start()
            assert ours.poll(20), "the child hangs"
            said.append(ours.recv())
            child.join(10)
            assert child.exitcode == 0
        over.set()
        for each in busy:
            each.join()
        record_number(client, 2000)
        assert client.flush(20)
        mine = client.health()
    assert all(flushed and mode == "run" for flushed, _, _, _, mode in said)
    assert all(not started for _, _, _, started, _ in said)
    assert mine.source not in {source for _, source, _, _, _ in said}
    assert len({instance for _, _, instance, _, _ in said} | {mine.instance}) == 6
    assert numbers(server).count(1000) == 5 and numbers(server).count(2000) == 1
    assert len({(r["source"]["id"], r["source"]["seq"]) for r in server.records}) == len(server.records)
    assert not server.conflicts


def test_a_child_that_never_uses_its_client_is_no_instance(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        pid = os.fork()
        if pid == 0:
            time.sleep(0.5)
            os._exit(0)
        os.waitpid(pid, 0)
        server.wait_for(lambda s: s.acks)
        assert len({each["instance"] for each in server.acks}) == 1
        assert SYSTEM in {each["system"] for each in server.acks}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_inherits_no_lock_on_a_file(server: FakeServer, tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    inside, go = threading.Event(), threading.Event()

    def hold() -> None:
        with briefly(path):
            inside.set()
            go.wait(5)

    thread = threading.Thread(target=hold)
    with client_for(server, tmp_path):
        thread.start()
        assert inside.wait(5)
        threading.Timer(0.2, go.set).start()
        child = os.fork()  # waits until nobody holds one
        if child == 0:
            time.sleep(3)
            os._exit(0)
        thread.join()
        lock = FileLock(path)
        assert lock.take()
        lock.leave()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_keeps_no_file_that_its_parent_was_emptying(server: FakeServer, tmp_path: Path) -> None:
    left = Shelf(tmp_path, power_safe=False, report=print).open()
    with client_for(server, tmp_path):
        child = os.fork()
        if child == 0:
            time.sleep(3)
            os._exit(0)
        path = left.path
        assert path is not None
        left.close()
        lock = FileLock(path.with_suffix(".lock"))
        assert lock.take()
        lock.leave()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_where_no_thread_can_be_started_records_stay_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    told: list[Exception] = []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        client = client_for("http://127.0.0.1:9", tmp_path, on_error=told.append)
    record_number(client, 1)
    assert client.health().waiting == 1
    client.close()
    assert "no thread could be started" in str(told[0])

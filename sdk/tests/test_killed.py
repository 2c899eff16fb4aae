"""Killed at any point, on either side: what `record()` returned for is recorded, and recorded once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers import KEY

RECORDS = int(os.environ.get("ANSWERABLE_SDK_RECORDS", "50000"))
KILLS_OF_THE_SERVICE = 10
ENVIRONMENT = {"PYTHONPATH": "src", "PATH": os.environ["PATH"]}

WRITER = """
import os, sys, threading
from answerable import Client

url, key, folder, last, *firsts = sys.argv[1:]
client = Client(url, key, system="credit-limit", model_version="1", spool_dir=folder, risk="low", overflow="block")
said = os.open(folder + "/said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def work(first):
    for n in range(int(first), int(last), 2):
        name = client.record(input={"n": n, "text": "x" * 300}, output={}, outcome="approved")
        os.write(said, f"{n} {name}\\n".encode())

threads = [threading.Thread(target=work, args=(first,)) for first in firsts]
for each in threads:
    each.start()
for each in threads:
    each.join()
sys.exit(0 if client.flush(120) else 3)
"""


class Service:
    """The fake service as a process that may be killed."""

    def __init__(self, store: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._store = store
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "answerable.testing", "--port", str(self.port), "--store", str(self._store)]
        self.process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def said(folder: Path) -> list[list[str]]:
    file = folder / "said"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def start_writer(service: Service, folder: Path) -> "subprocess.Popen[bytes]":
    done = [int(n) for n, _ in said(folder)]
    firsts = [str(max((n for n in done if n % 2 == part), default=part - 2) + 2) for part in (0, 1)]
    arguments = [f"http://127.0.0.1:{service.port}", KEY, str(folder), str(RECORDS), *firsts]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], env=ENVIRONMENT)


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_is_twice(tmp_path: Path) -> None:
    store = tmp_path / "store.ndjson"
    service = Service(store)
    writer = start_writer(service, tmp_path)
    kills, writer_kills = 0, 0
    until = time.monotonic() + 300
    try:
        while writer.poll() is None or kills < KILLS_OF_THE_SERVICE:
            assert time.monotonic() < until, "it does not come to an end"
            time.sleep(0.4)
            if kills < KILLS_OF_THE_SERVICE:
                service.kill()
                kills += 1
                time.sleep(0.2)
                service.start()
            if writer_kills < 2 and len(said(tmp_path)) > RECORDS * (writer_kills + 1) // 3 and writer.poll() is None:
                writer.kill()
                writer.wait()
                writer_kills += 1
                writer = start_writer(service, tmp_path)
        assert (writer.returncode, kills, writer_kills) == (0, KILLS_OF_THE_SERVICE, 2)
        time.sleep(0.2)
    finally:
        service.kill()
        writer.kill()
        writer.wait()
    records = [json.loads(line) for line in store.read_bytes().splitlines()]
    names = Counter(each["id"] for each in records)
    returned = [name for _, name in said(tmp_path)]
    assert [name for name in returned if name not in names] == []
    assert [name for name, number in names.items() if number > 1] == []
    # a kill between a commit and its being said makes that thread record the number again, as another decision
    assert 0 <= len(names) - len(returned) <= 4
    assert len(returned) >= RECORDS
    by_source: dict[str, list[int]] = {}
    for each in records:
        by_source.setdefault(each["source"]["id"], []).append(each["source"]["seq"])
    for numbers in by_source.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))

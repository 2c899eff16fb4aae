"""The witness as a process: over HTTP, killed in the middle, asked rudely, without a database or settings of ours."""

import hashlib
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from ledger.tlog import Verifier, open_checkpoint, read_cosignatures
from tests.ledger.witness.logs import ORIGIN, MadeUpLog
from tests.ledger.witness.processes import BARE, RunningWitness, new_witness, serving, watch, witness_command
from tests.running import PROJECT

LOG = MadeUpLog()
MANAGE = [sys.executable, str(PROJECT / "manage.py"), "witness"]
DIES = """
import os, signal, sys
from ledger.witness import command, judging

genuine = judging.Judge.cosign

def cosign(self, *arguments, **more):
    line = genuine(self, *arguments, **more)
    if os.path.exists({flag!r}):
        os.kill(os.getpid(), signal.SIGKILL)  # it is on disk, and nobody was answered
    return line

judging.Judge.cosign = cosign
sys.exit(command.main())
"""


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[RunningWitness]:
    new_witness(tmp_path / "w", f"log {LOG.vkey}")
    with serving(tmp_path / "w") as running:
        yield running


def digest(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def key_of(witness: RunningWitness) -> Verifier:
    return Verifier.from_vkey(witness.vkey)


def test_it_cosigns_and_shows_what_it_cosigned_last(witness: RunningWitness) -> None:
    assert witness.get(f"/{digest(ORIGIN)}/checkpoint").status_code == 404
    for old, new in ((0, 5), (5, 300)):
        answer = witness.post(LOG.request(old, new))
        assert answer.status_code == 200
        [found] = read_cosignatures(LOG.note(new), answer.content, [key_of(witness)])
        assert abs(found.timestamp - time.time()) < 60
    shown = witness.get(f"/{digest(ORIGIN)}/checkpoint")
    opened = open_checkpoint(
        shown.content, origin=ORIGIN, log_verifiers=[LOG.signers[0].verifier], witness_verifiers=[key_of(witness)]
    )
    assert (opened.checkpoint.tree_size, len(opened.cosignatures)) == (300, 1)
    assert shown.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_409_says_the_size_with_its_content_type(witness: RunningWitness) -> None:
    witness.post(LOG.request(0, 5))
    answer = witness.post(LOG.request(0, 9))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (409, b"5\n", "text/x.tlog.size")


def test_each_refusal_has_its_status(witness: RunningWitness) -> None:
    witness.post(LOG.request(0, 5))
    asked = {
        400: b"hello",
        403: MadeUpLog(seed=bytes(32)).request(5, 9),
        404: MadeUpLog(origin="log.example/logs/other").request(0, 9),
        422: MadeUpLog(branch=2).request(5, 9),
    }
    assert {status: witness.post(body).status_code for status, body in asked.items()} == {each: each for each in asked}


def test_one_connection_serves_many_requests(witness: RunningWitness) -> None:
    with httpx.Client(base_url=witness.url, timeout=15, trust_env=False) as client:
        sizes = [client.post("/add-checkpoint", content=LOG.request(n, n + 1)).status_code for n in range(5)]
        assert sizes == [200] * 5


def test_its_key_is_told_to_whoever_asks_and_nothing_else_is_there(witness: RunningWitness) -> None:
    assert witness.get("/").text == f"{witness.vkey}\n"
    for path in ("/add-checkpoint", "/logs", "/witness.key", f"/{digest(ORIGIN).upper()}/checkpoint", "/x/checkpoint"):
        assert witness.get(path).status_code == 404
    assert httpx.post(f"{witness.url}/", content=b"x", trust_env=False).status_code == 404
    assert httpx.put(f"{witness.url}/add-checkpoint", content=b"x", trust_env=False).status_code == 501


def test_a_body_without_a_length_or_too_large_is_not_read(witness: RunningWitness) -> None:
    def chunks() -> Iterator[bytes]:
        yield LOG.request(0, 5)

    chunked = httpx.post(f"{witness.url}/add-checkpoint", content=chunks(), timeout=15, trust_env=False)
    assert chunked.status_code == 411
    host, port = witness.url.removeprefix("http://").split(":")
    for length, status in (("65537", b" 413 "), ("9" * 30, b" 413 "), ("-5", b" 413 "), ("x", b" 413 ")):
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(f"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
            assert status in line.recv(4096).split(b"\r\n")[0]
    assert witness.post(LOG.request(0, 5)).status_code == 200


def test_whoever_hangs_up_in_the_middle_disturbs_nobody(witness: RunningWitness) -> None:
    host, port = witness.url.removeprefix("http://").split(":")
    for sent in (b"", b"POST /add-che", b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 500\r\n\r\nold 0\n"):
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(sent)
    assert witness.post(LOG.request(0, 5)).status_code == 200


def test_idle_connections_leave_room_for_those_that_ask(witness: RunningWitness) -> None:
    host, port = witness.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(100)]
    try:
        time.sleep(0.5)
        # those beyond the limit were closed at once, so nobody queues behind them for ever
        closed = [line for line in idle if _is_closed(line)]
        assert 20 <= len(closed) <= 60
    finally:
        for line in idle:
            line.close()
    for _ in range(50):
        try:
            assert witness.post(LOG.request(0, 5)).status_code == 200
            return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("it never answered again")


def _is_closed(line: socket.socket) -> bool:
    line.settimeout(0.05)
    try:
        return line.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_many_at_once_are_answered_one_after_the_other_and_never_rolled_back(witness: RunningWitness) -> None:
    witness.post(LOG.request(0, 10))

    def grow(new: int) -> tuple[int, int]:
        return new, witness.post(LOG.request(10, new)).status_code

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(grow, range(11, 43)))
    won = [new for new, status in answers if status == 200]
    assert len(won) == 1 and {status for _, status in answers} == {200, 409}
    assert witness.post(LOG.request(0, 50)).content == f"{won[0]}\n".encode()


def test_killed_between_writing_down_and_answering_it_remembers(tmp_path: Path) -> None:
    """The log asks again, is told the size that it did not know was reached, and gets its cosignature."""
    flag = tmp_path / "die"
    new_witness(tmp_path / "w", f"log {LOG.vkey}")
    program = [sys.executable, "-c", DIES.format(flag=str(flag))]
    with serving(tmp_path / "w", program=program) as dying:
        assert dying.post(LOG.request(0, 5)).status_code == 200
        flag.touch()
        with pytest.raises(httpx.TransportError):
            dying.post(LOG.request(5, 9))
        assert dying.process.wait(10) == -signal.SIGKILL
    with serving(tmp_path / "w") as again:
        answer = again.post(LOG.request(5, 9))
        assert (answer.status_code, answer.content) == (409, b"9\n")
        assert again.post(MadeUpLog(branch=2).request(9, 9)).status_code == 422
        assert again.post(LOG.request(9, 9)).status_code == 200


def test_killed_at_any_moment_it_never_signs_two_histories(tmp_path: Path) -> None:
    new_witness(tmp_path / "w", f"log {LOG.vkey}")
    answered = 0
    for round_ in range(4):
        with serving(tmp_path / "w") as running, ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(_grow, running, round_ * 1000 + n) for n in range(4)]
            time.sleep(0.3 + 0.1 * round_)
            running.kill()
            answered = max([answered, *(each.result() for each in asked)])
    with serving(tmp_path / "w") as running:
        asked_from_nothing = running.post(LOG.request(0, 5_000))
        assert asked_from_nothing.status_code == 409
        known = int(asked_from_nothing.content)
        assert known >= answered > 0
        assert running.post(LOG.request(known, 5_000)).status_code == 200


def _grow(running: RunningWitness, start: int) -> int:
    """Ask until it is dead; the largest size that it answered for."""
    largest, old = 0, 0
    for new in range(start + 1, start + 40):
        try:
            answer = running.post(LOG.request(min(old, new), new))
        except httpx.TransportError:
            return largest
        if answer.status_code == 200:
            largest = old = new
        elif answer.status_code == 409:
            old = int(answer.content)
            if old >= new:
                return largest
    return largest


def test_it_ends_when_it_is_told_to(witness: RunningWitness) -> None:
    witness.post(LOG.request(0, 5))
    witness.process.terminate()
    assert witness.process.wait(10) == 0


def test_a_second_one_on_the_same_address_says_so(witness: RunningWitness) -> None:
    listen = witness.url.removeprefix("http://")
    done = witness_command("serve", str(witness.folder), "--listen", listen)
    assert done.returncode == 2 and "in use" in done.stderr


# --- the command ------------------------------------------------------------------------------------------------------
def test_a_new_witness_has_a_key_that_its_owner_alone_reads(tmp_path: Path) -> None:
    vkey = new_witness(tmp_path / "w")
    assert vkey.startswith("witness.example/w1+")
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "w").iterdir()}
    assert modes == {"witness.key": 0o600, "memory.sqlite3": 0o600, "logs": 0o600}
    assert stat.S_IMODE((tmp_path / "w").stat().st_mode) == 0o700


def test_a_second_witness_is_never_made_over_the_first(tmp_path: Path) -> None:
    vkey = new_witness(tmp_path / "w")
    done = witness_command("init", str(tmp_path / "w"), "--name", "witness.example/w2")
    assert done.returncode == 2 and "one folder, one witness" in done.stderr
    assert witness_command("status", str(tmp_path / "w")).stdout.strip() == vkey


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["init", "{folder}/new"], "--name"),
        (["init", "{folder}/new", "--name", "two words"], "key name"),
        (["serve", "{folder}/nowhere"], "No such file"),
        (["serve", "{folder}", "--listen", "8010"], "HOST:PORT"),
        (["serve", "{folder}", "--listen", "127.0.0.1:x"], "HOST:PORT"),
        (["serve", "{folder}", "--listen", "127.0.0.1:70000"], "HOST:PORT"),
        (["serve", "{folder}", "--listen", ":8010"], "HOST:PORT"),
        (["watch", "{folder}", "--every", "-5"], "from 1 to"),
        (["watch", "{folder}", "--every", "nan"], "from 1 to"),
        (["watch", "{folder}", "--every", "often"], "from 1 to"),
        (["watch", "{folder}"], "No line of the list names an address"),
        (["watch", "{folder}", "--key-file", "{folder}/none"], "No such file"),
        (["nonsense", "{folder}"], "invalid choice"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(tmp_path: Path, arguments: list[str], problem: str) -> None:
    folder = tmp_path / "w"
    new_witness(folder, f"log {LOG.vkey}")
    done = witness_command(*(each.format(folder=folder) for each in arguments))
    assert done.returncode == 2 and problem in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("log", "line 1: it is neither"),
        ("log x", "line 1: not a verifier key"),
        (f"log {LOG.vkey} ftp://x", "line 1: the address begins with https://"),
        (f"log {LOG.vkey} https://x y", "line 1: it is neither"),
        (f"logs {LOG.vkey}", "line 1: it is neither"),
        (f"installation {MadeUpLog(origin='log.example/x').vkey}", "line 1: the key of an installation"),
        ("log w+b823916b+BK2+GSGKxhxBJfStToHvC97VgtXVxYv93hYUGNZA6Y8q", "line 1:"),
    ],
)
def test_a_list_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    folder = tmp_path / "w"
    new_witness(folder)
    watch(folder, line)
    done = witness_command("serve", str(folder))
    assert done.returncode == 2 and problem in done.stderr, done.stderr


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    new_witness(tmp_path / "w")
    (tmp_path / "w" / "witness.key").chmod(0o640)
    done = witness_command("serve", str(tmp_path / "w"))
    assert done.returncode == 2 and "chmod 600" in done.stderr


def test_status_tells_what_was_cosigned_and_what_was_refused(witness: RunningWitness) -> None:
    witness.post(LOG.request(0, 5))
    witness.post(MadeUpLog(branch=2).request(5, 9))
    done = witness_command("status", str(witness.folder))
    assert done.returncode == 0
    assert f"cosigned {ORIGIN} 5 {LOG.checkpoint(5).root_hash.hex()}" in done.stdout
    assert f"refused (422) {ORIGIN} from 5" in done.stdout
    assert MadeUpLog(branch=2).note(9) in done.stdout


def test_manage_py_runs_the_same_without_a_database(tmp_path: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "ANSWERABLE_DATA_DIR": str(tmp_path / "data")}
    env |= {"ANSWERABLE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    made = subprocess.run(
        [*MANAGE, "init", str(tmp_path / "w"), "--name", "w.example/1"], env=env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert Verifier.from_vkey(made.stdout.strip()).name == "w.example/1"
    wrong = subprocess.run(
        [*MANAGE, "serve", str(tmp_path / "x")], env=env, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2 and "No such file" in wrong.stderr


def test_it_needs_nothing_of_this_service(tmp_path: Path) -> None:
    """Neither Django nor any package but `cryptography` is loaded."""
    found = "import sys, ledger.witness.command; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", found], env=BARE, cwd="/", capture_output=True, text=True, check=True)
    assert not {"django", "celery", "psycopg", "config", "msgspec"} & set(eval(done.stdout))
    assert "cryptography" in done.stdout

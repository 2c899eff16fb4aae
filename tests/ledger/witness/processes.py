"""A witness as a process of its own, on a free port of loopback: ours, started as an auditor starts it."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.running import PROJECT

PATIENCE = 30.0
MODULE = [sys.executable, "-m", "ledger.witness"]
BARE = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT)}
"""No setting, no data folder: what an auditor's machine has."""


@dataclass
class RunningWitness:
    """`url` is its submission prefix and its monitoring prefix."""

    process: "subprocess.Popen[str]"
    folder: Path
    url: str
    vkey: str

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, headers=headers, timeout=15, trust_env=False)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=15, trust_env=False)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def witness_command(*arguments: str, program: Sequence[str] = MODULE) -> "subprocess.CompletedProcess[str]":
    """A command of the witness, to its end."""
    return subprocess.run([*program, *arguments], env=BARE, cwd="/", capture_output=True, text=True, check=False)


def new_witness(folder: Path, *lines: str, name: str = "witness.example/w1") -> str:
    """Make a folder and its list of logs; the verifier key."""
    done = witness_command("init", str(folder), "--name", name)
    assert done.returncode == 0, done.stderr
    watch(folder, *lines)
    return done.stdout.strip()


def watch(folder: Path, *lines: str) -> None:
    """Put these lines in the place of the list."""
    (folder / "logs").write_text("".join(f"{line}\n" for line in lines))


@contextmanager
def serving(folder: Path, *, program: Sequence[str] = MODULE, port: int = 0) -> Iterator[RunningWitness]:
    """Serve until the block ends."""
    process = subprocess.Popen(
        [*program, "serve", str(folder), "--listen", f"127.0.0.1:{port}"],
        env=BARE, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield _listening(process, folder)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def _listening(process: "subprocess.Popen[str]", folder: Path) -> RunningWitness:
    assert process.stdout is not None
    until = time.monotonic() + PATIENCE
    vkey = process.stdout.readline().strip()
    said = process.stdout.readline()
    found = re.search(r"listening on (\S+):(\d+)", said)
    assert found and time.monotonic() < until, (vkey, said, process.stderr and process.stderr.read())
    return RunningWitness(process, folder, f"http://127.0.0.1:{found[2]}", vkey)

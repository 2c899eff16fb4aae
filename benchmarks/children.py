"""Processes that act as callers: each is told what to do in one line of JSON, answers in lines, and ends at the end of
its input."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.installation import PROJECT

END_PATIENCE = 60.0
Said = dict[str, Any]


class Child:
    """One such process."""

    def __init__(self, module: str, told: Said) -> None:
        paths = os.pathsep.join(str(path) for path in (PROJECT, PROJECT / "sdk" / "src"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSWERABLE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | {"PYTHONPATH": paths},
            text=True,
        )
        self._said: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.tell(told)

    def tell(self, said: Said) -> None:
        """One line for it to read."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(json.loads(line))
        self._said.put(None)

    def hear(self, *, patience: float) -> Said:
        """The next line. Errors: `RuntimeError` where there is none, or not in time."""
        try:
            said = self._said.get(timeout=patience)
        except queue.Empty:
            raise RuntimeError(f"nothing was heard for {patience:.0f} s") from None
        if said is None:
            raise RuntimeError(f"the process ended: {self.process.wait()}")
        return said

    def end(self) -> None:
        """Let it come to its end. What it says last can still be heard."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        """End it, whether or not it has come to its end."""
        try:
            self.process.wait(timeout=END_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def child(module: str, told: Said) -> Iterator[Child]:
    found = Child(module, told)
    try:
        yield found
    finally:
        found.end()
        found.kill()


def told() -> Said:
    """In a child: what it is to do."""
    found: Said = json.loads(sys.stdin.readline())
    return found


def say(**said: Any) -> None:
    """In a child: one line. In one piece, since several threads may speak."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def wait_for_the_end() -> None:
    """In a child: until its input ends."""
    sys.stdin.read()


def left(until: float) -> float:
    """Seconds until then, and a little where it has passed."""
    return max(0.01, until - time.monotonic())

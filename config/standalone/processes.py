"""Child processes of the one-machine installation: they end with their parent, and together with what they started.

A child gets a session of its own, so that Ctrl-C in a terminal reaches only the supervisor, which then stops the rest
in order. On Linux the kernel tells a child when its parent is gone, so `kill -9` of the supervisor leaves nothing.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SUPERVISED = "ANSWERABLE_SUPERVISED"  # in the environment of every child: the data folder it works for
PR_SET_PDEATHSIG = 1
LOG_LIMIT = 10_000_000  # bytes; a longer log is set aside at the next start
LOGS_KEPT = 3

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class StandaloneError(RuntimeError):
    """Something the person at the terminal must know or do; shown without a traceback."""


@dataclass(frozen=True)
class Account:
    """An operating-system user."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of(cls, uid: int) -> "Account":
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            raise StandaloneError(
                f"User id {uid} has no name on this system (no passwd entry); PostgreSQL needs one to know its users."
            ) from None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)


def signal_at_parents_end(number: signal.Signals) -> Callable[[], None]:
    """What a child runs before exec: have the kernel send it `number` when this process ends, however it ends."""
    parent = os.getpid()

    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(number))
            if os.getppid() != parent:  # it ended before we asked
                os._exit(1)

    return prepare


def launch(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    end_signal: signal.Signals = signal.SIGTERM,
    account: Account | None = None,
    cwd: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a long-running child in its own session, writing to `log`; `account` is who runs it (None: ourselves)."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=signal_at_parents_end(end_signal),  # noqa: PLW1509 - this process has one thread
        )


def ending(process: "subprocess.Popen[bytes]") -> str | None:
    """How a child ended, in words, or None while it runs."""
    code = process.poll()
    if code is None:
        return None
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def end(process: "subprocess.Popen[bytes]", number: signal.Signals, *, patience: float) -> None:
    """Ask a child to end, wait up to `patience` seconds, then kill it."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def working_in(folder: Path) -> list[psutil.Process]:
    """Living processes whose working directory is `folder`: both servers go to their data."""
    wanted = str(folder.resolve())
    return [
        process
        for process in psutil.process_iter(["cwd", "status"])
        if process.info["cwd"] == wanted and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def supervised_for(data_dir: Path, *, session: int | None = None) -> list[psutil.Process]:
    """Living processes that were started for a data folder (of one session only, when given), except this one."""
    return [
        process
        for process in psutil.process_iter(["environ", "status"])
        if (process.info["environ"] or {}).get(SUPERVISED) == str(data_dir)
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.pid != os.getpid()
        and (session is None or _session_of(process.pid) == session)
    ]


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def end_all(processes: Iterable[psutil.Process], *, patience: float) -> None:
    """End processes that are not our children: SIGTERM, then SIGKILL to those that are still there."""
    asked = list(processes)
    for process in asked:
        _signal(process, signal.SIGTERM)
    _, left = psutil.wait_procs(asked, timeout=patience)
    for process in left:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=patience)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # ended by itself meanwhile: what we wanted


def wait_until(done: Callable[[], bool], *, patience: float, pause: float = 0.02) -> bool:
    """Whether `done` came true within `patience` seconds."""
    until = time.monotonic() + patience
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(pause)
    return True


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for a person who wants to know why something stopped."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def rotate(log: Path) -> None:
    """Set a log that has grown too long aside; the oldest of the kept ones goes."""
    if not log.exists() or log.stat().st_size < LOG_LIMIT:
        return
    for number in range(LOGS_KEPT - 1, 0, -1):
        older = log.with_suffix(f".{number}.log")
        if older.exists():
            older.replace(log.with_suffix(f".{number + 1}.log"))
    log.replace(log.with_suffix(".1.log"))

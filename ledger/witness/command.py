"""The command line of the witness.

    init FOLDER --name NAME      make a new witness; prints its verifier key
    serve FOLDER                 answer `add-checkpoint`, until it is told to stop
    watch FOLDER                 fetch checkpoints and tiles of logs that have an address; alarm on forks and rollbacks
    status FOLDER                the key, what was cosigned, what was refused, alarms; --acknowledge: looked at

Exit codes: 0 all continues, 1 an alarm (a fork or a rollback), 2 wrong usage, 3 a log could not be seen.
"""

import argparse
import datetime
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from ledger.witness.fetching import Fetcher
from ledger.witness.folder import FolderUnusable, WitnessFolder
from ledger.witness.judging import Judge
from ledger.witness.memory import Memory, MemoryLost
from ledger.witness.server import WitnessServer
from ledger.witness.watched import MalformedList, Watched
from ledger.witness.watching import ALARM, OK, UNSEEN, USAGE, Seen, look_at_all

DEFAULT_LISTEN = "127.0.0.1:8010"
EVERY_SECONDS = 60.0
LONGEST_PAUSE = 7 * 24 * 3600.0
LONGEST_STALE = 366 * 24.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. In: its arguments, else the process's. Out: the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ledger.witness", description="A witness for transparency logs.")
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments, for `python -m` and for `manage.py` alike."""
    parser.add_argument("act", choices=("init", "serve", "watch", "status"))
    parser.add_argument("folder", metavar="FOLDER", help="the witness's own folder")
    parser.add_argument("--name", help="init: the witness's name, a host of yours and a path: witness.example.org/w1")
    parser.add_argument(
        "--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help=f"serve: where ({DEFAULT_LISTEN}; port 0: any)"
    )
    parser.add_argument("--key-file", help="watch: file with the bearer key that may read the logs (ledger:read)")
    parser.add_argument("--ca-file", help="watch: certificates that the servers' are checked against")
    parser.add_argument("--every", type=_seconds, default=EVERY_SECONDS, help="watch: seconds between looks (60)")
    parser.add_argument(
        "--stale",
        type=_hours,
        metavar="HOURS",
        help="watch: a log without a new entry for so long counts as not seen (a registry log: 24)",
    )
    parser.add_argument("--acknowledge", action="store_true", help="status: every alarm there is was looked at")
    parser.add_argument("--once", action="store_true", help="watch: look once and end, as cron wants it")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= LONGEST_PAUSE:
        raise argparse.ArgumentTypeError(f"from 1 to {LONGEST_PAUSE:.0f} seconds")
    return seconds


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= LONGEST_STALE:
        raise argparse.ArgumentTypeError(f"up to {LONGEST_STALE:.0f} hours")
    return hours


def run(given: argparse.Namespace) -> int:
    """Do what was asked. Out: the exit code."""
    acts: dict[str, Callable[[argparse.Namespace], int]] = {
        "init": _init,
        "serve": _serve,
        "watch": _watch,
        "status": _status,
    }
    try:
        return acts[given.act](given)
    except (FolderUnusable, MemoryLost) as error:
        return _complain(str(error))
    except MalformedList as error:
        return _complain(f"{WitnessFolder(Path(given.folder)).list_file}: {error}")
    except OSError as error:
        return _complain(f"{error.filename or given.listen}: {error.strerror or error}")


def _init(given: argparse.Namespace) -> int:
    if not given.name:
        return _complain("Give it a --name, such as witness.example.org/w1.")
    folder = WitnessFolder(Path(given.folder))
    _say(folder.create(given.name).verifier.vkey)
    return OK


def _judge(given: argparse.Namespace) -> Judge:
    folder = WitnessFolder(Path(given.folder))
    cosigner = folder.cosigner()
    memory = Memory(folder.memory_file, vkey=cosigner.verifier.vkey)
    return Judge(cosigner, memory, Watched.read(folder.list_file))


def _serve(given: argparse.Namespace) -> int:
    host, separator, port = given.listen.rpartition(":")
    if not host or not separator or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        return _complain("--listen is HOST:PORT; 0.0.0.0:PORT for all addresses of this machine.")
    with WitnessServer((host.strip("[]"), int(port)), _judge(given)) as server:
        # shutdown waits for serve_forever, which this very thread runs
        _at_end(lambda: threading.Thread(target=server.shutdown, daemon=True).start())
        _say(f"{server.judge.cosigner.verifier.vkey}\nlistening on {host}:{server.server_address[1]}")
        server.serve_forever(poll_interval=0.2)
        server.judge.memory.close()
    return OK


def _watch(given: argparse.Namespace) -> int:
    judge = _judge(given)
    key = Path(given.key_file).read_text("utf-8").strip() if given.key_file else ""
    if not any(line.url for line in judge.watched.lines):
        return _complain("No line of the list names an address to watch.")
    fetcher, worst, ended = Fetcher(key, given.ca_file), OK, threading.Event()
    _at_end(ended.set)
    while not ended.is_set():
        seen = [_told(each) for each in look_at_all(judge, fetcher, now=int(time.time()), stale=given.stale)]
        codes = {each.code for each in seen}
        if given.once:
            return next(code for code in (ALARM, UNSEEN, OK) if code in codes | {OK})
        worst = ALARM if ALARM in codes else worst
        ended.wait(given.every)
    return worst


def _told(seen: Seen) -> Seen:
    moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    word = {OK: "ok", ALARM: "ALARM", UNSEEN: "not seen"}[seen.code]
    _say(f"{moment} {word} {seen.origin} {seen.text}", to=sys.stderr if seen.code else sys.stdout)
    return seen


def _status(given: argparse.Namespace) -> int:
    judge = _judge(given)
    _say(judge.cosigner.verifier.vkey)
    for origin in judge.memory.origins():
        known = judge.memory.known(origin)
        _say(f"{_moment(known.cosigned_at)} cosigned {origin} {known.tree_size} {known.root_hash.hex()}")
    for refusal in judge.memory.refusals():
        _say(
            f"{_moment(refusal.at)} refused ({refusal.status}) {refusal.origin} from {refusal.old_size}\n{refusal.note}"
        )
    if given.acknowledge:
        judge.memory.acknowledge(at=int(time.time()))
    alarms = judge.memory.alarms()
    for origin, at, what, is_acknowledged in alarms:
        _say(f"{_moment(at)} {'acknowledged' if is_acknowledged else 'ALARM'} {origin} {what}")
    return OK if all(is_acknowledged for *_, is_acknowledged in alarms) else ALARM


def _at_end(act: Callable[[], object]) -> None:
    def end(number: int, frame: FrameType | None) -> None:
        act()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def _moment(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="seconds")


def _say(text: str, *, to: TextIO | None = None) -> None:
    stream = to or sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


def _complain(text: str) -> int:
    _say(text, to=sys.stderr)
    return USAGE

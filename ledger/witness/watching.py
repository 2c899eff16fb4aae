"""Looking at logs by oneself: each newest checkpoint must continue the one seen before. Whatever does not is an alarm.

What was seen is kept, and cosigned, as if the log had asked: so `serve` answers with it, and the log's owner finds it.
"""

import datetime
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from ledger.tlog import (
    Checkpoint,
    InvalidProof,
    InvalidSignature,
    NoteError,
    Tile,
    TileReader,
    check_consistency,
    open_note,
    prove_consistency,
)
from ledger.tlog.add_checkpoint import AddCheckpoint
from ledger.witness.fetching import Fetcher, Listed, Unreachable
from ledger.witness.judging import Judge, Refused
from ledger.witness.memory import Known

OK, ALARM, USAGE, UNSEEN = range(4)
"""What was seen, by its exit code: all continues; somebody signed what they must not; (wrong usage;) not seen."""

LINE_SECONDS = 300.0
"""For all logs of one installation: it must not keep its watcher from the others by answering slowly."""
REGISTRY, REGISTRY_HOURS = "/logs/registry", 24.0
"""In the registry log something happens at least once a day."""
ROLLED_BACK = "rolled back: an older tree is served than was seen before"
FORKED = "forked: the tree that is served does not continue the one that was seen before"
VANISHED = "vanished: it is not listed any more"
FORGED = "not signed: what is served bears no valid signature of the log"


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of looking at one log: an exit code, and words."""

    origin: str
    code: int
    text: str


def look_at_all(judge: Judge, fetcher: Fetcher, *, now: int, stale: float | None = None) -> Iterator[Seen]:
    """Look once at every log that has an address. Logs that have none are the log's to send.

    `stale`: after so many hours without a new entry a log counts as not seen; None: a registry log after a day.
    """
    for line in judge.watched.lines:
        if not line.url:
            continue
        if not line.is_installation:
            yield look(judge, fetcher, Listed(line.verifier.name, line.url, is_closed=False), now=now, stale=stale)
            continue
        try:
            listed = [each for each in fetcher.logs(line.url) if line.key_for(each.origin)]
        except Unreachable as error:
            yield Seen(line.prefix, UNSEEN, str(error))
            continue
        if not listed:
            yield Seen(line.prefix, UNSEEN, "no log of it is listed to this key")
        until = time.monotonic() + LINE_SECONDS
        for number, each in enumerate(listed):
            if number and time.monotonic() >= until:
                left = f"{len(listed) - number:,} of its logs were not looked at: it answers too slowly"
                yield Seen(line.prefix, UNSEEN, left)
                break
            yield look(judge, fetcher, each, now=now, stale=stale)
        there = {each.origin for each in listed}
        for origin in judge.memory.origins():
            if line.key_for(origin) and origin not in there:
                yield _alarm(judge, origin, VANISHED, judge.memory.known(origin), "", now=now)


def look(judge: Judge, fetcher: Fetcher, log: Listed, *, now: int, stale: float | None = None) -> Seen:
    """Fetch the newest checkpoint of a log, compare it with the last one, and keep it if it continues that."""
    known = judge.memory.known(log.origin)
    try:
        note = fetcher.checkpoint(log.url)
        checkpoint = _opened(judge, log.origin, note)
        if checkpoint is None:
            return _alarm(judge, log.origin, FORGED, known, note, now=now)
        if what := _contradiction(fetcher, log, known, checkpoint):
            return _alarm(judge, log.origin, what, known, note, now=now, is_declared=log.is_closed)
        if known.note and checkpoint.tree_size == known.tree_size:
            return unchanged(log, checkpoint.tree_size, judge.memory.since(log.origin), now=now, stale=stale)
        return _keep(judge, fetcher, log, known, checkpoint, note, now=now)
    except Unreachable as error:
        return Seen(log.origin, UNSEEN, str(error))


def _opened(judge: Judge, origin: str, note: str) -> Checkpoint | None:
    """The checkpoint of this log in a note, None where its signature is missing or wrong. Errors: `Unreachable`."""
    try:
        opened = open_note(note, judge.watched.keys_for(origin))
        checkpoint = Checkpoint.from_text(opened.text)
    except InvalidSignature:
        return None
    except NoteError as error:
        raise Unreachable(f"no checkpoint of it is served: {error}") from error
    return checkpoint if checkpoint.origin == origin else None


def _contradiction(fetcher: Fetcher, log: Listed, known: Known, checkpoint: Checkpoint) -> str:
    """What is wrong between the last checkpoint and this one; empty where nothing is."""
    if checkpoint.tree_size < known.tree_size:
        return ROLLED_BACK
    if checkpoint.tree_size == known.tree_size:
        return "" if checkpoint.root_hash == known.root_hash else FORKED
    try:
        proof = _proof(fetcher, log, known, checkpoint)
        check_consistency(known.tree_size, checkpoint.tree_size, proof, known.root_hash, checkpoint.root_hash)
    except InvalidProof:
        return FORKED
    return ""


def _proof(fetcher: Fetcher, log: Listed, known: Known, checkpoint: Checkpoint) -> list[bytes]:
    def fetch(tiles: Sequence[Tile]) -> list[bytes]:
        return fetcher.tiles(log.url, tiles)

    try:
        return prove_consistency(TileReader(checkpoint.tree_size, fetch), known.tree_size, checkpoint.tree_size)
    except ValueError as error:
        raise Unreachable(f"a tile of it is not one: {error}") from error


def unchanged(log: Listed, size: int, since: int | None, *, now: int, stale: float | None) -> Seen:
    """What is said of a log that is as it was: whoever shows an old tree to some, and a new one to others, signs
    nothing that they must not. So that it goes on for long is no alarm, and is not called seen either."""
    words = f"{size:,} entries, as before"
    if since is None:
        return Seen(log.origin, OK, words)
    words += f": none more since {datetime.datetime.fromtimestamp(since, datetime.UTC).isoformat(timespec='seconds')}"
    hours = stale if stale is not None else REGISTRY_HOURS if log.origin.endswith(REGISTRY) else None
    if log.is_closed or hours is None or now - since <= hours * 3600:
        return Seen(log.origin, OK, words)
    return Seen(log.origin, UNSEEN, f"{words}. Ask its owner, or somebody else who watches it, for a newer checkpoint")


def _keep(
    judge: Judge, fetcher: Fetcher, log: Listed, known: Known, checkpoint: Checkpoint, note: str, *, now: int
) -> Seen:
    words = f"{checkpoint.tree_size:,} entries"
    proof = tuple(_proof(fetcher, log, known, checkpoint))
    try:
        judge.cosign(checkpoint, AddCheckpoint(known.tree_size, proof, note), now=now)
    except Refused as refused:
        if refused.answer.status != HTTPStatus.CONFLICT:
            return Seen(log.origin, UNSEEN, refused.answer.body.strip())
        return Seen(log.origin, OK, f"{words}; the log asked for a cosignature meanwhile")
    return Seen(log.origin, OK, f"{words}, {checkpoint.tree_size - known.tree_size:,} more than before")


def _alarm(
    judge: Judge, origin: str, what: str, known: Known, found: str, *, now: int, is_declared: bool = False
) -> Seen:
    """Keep both notes and say so. Of a log that its owner says is closed a loss is said until somebody has acknowledged
    it: that it is closed is no more than a word of whoever serves it."""
    judge.memory.alarm(origin, at=now, what=what, known=known.note, found=found)
    if is_declared and judge.memory.is_acknowledged(origin, what, found):
        return Seen(origin, OK, f"closed by its owner; acknowledged: {what}")
    return Seen(origin, ALARM, what)

"""The highest checkpoint seen of each log: a log that shows a smaller or other tree later has gone back.

The notes' signatures are not verified here, which needs a key and a library: `docs/log-format.md` of the service says
how. Kept in a file, so that a restart forgets nothing.
"""

import base64
import binascii
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from answerable._exceptions import LogWentBack, NotDurable
from answerable._locks import briefly


class Checkpoint(NamedTuple):
    """What a signed note states of a log."""

    origin: str
    tree_size: int
    root_hash: str
    note: str


def read_checkpoint(note: str) -> Checkpoint:
    """Errors: ValueError for what is no checkpoint in a signed note (C2SP tlog-checkpoint)."""
    text, separator, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) < 3 or not signatures.startswith("\N{EM DASH} ") or not signatures.endswith("\n"):
        raise ValueError("not a signed checkpoint")
    origin, size, root = lines[:3]
    if not origin or not (size.isascii() and size.isdigit()) or (len(size) > 1 and size[0] == "0") or len(size) > 19:
        raise ValueError("not a checkpoint's origin and size")
    try:
        digest = base64.b64decode(root, validate=True)
    except binascii.Error as error:
        raise ValueError("not a checkpoint's root") from error
    if len(digest) != 32:
        raise ValueError("not a checkpoint's root")
    return Checkpoint(origin, int(size), root, note)


class Checkpoints:
    """Remembers and compares."""

    def __init__(self, file: Path | None, report: Callable[[Exception], None]) -> None:
        self._file, self._report = file, report
        self._lock = threading.Lock()
        self._highest: dict[str, Checkpoint] = {}
        self._unsaved = False
        self._merge(self._read())

    def sizes(self) -> dict[str, int]:
        """Tree sizes by log: ask before a request, since answers of several processes may overtake each other."""
        return {origin: each.tree_size for origin, each in self._highest.items()}

    def highest(self) -> dict[str, Checkpoint]:
        return dict(self._highest)

    def see(self, note: object, before: dict[str, int]) -> None:
        """Compare a checkpoint that an answer brought with what was known when the request was sent."""
        try:
            seen = read_checkpoint(note if isinstance(note, str) else "")
        except ValueError as error:
            self._report(LogWentBack(f"a receipt without a readable checkpoint: {error}"))
            return
        if seen.tree_size < before.get(seen.origin, 0):
            was = before[seen.origin]
            self._report(LogWentBack(f"{seen.origin} had {was} entries and now shows {seen.tree_size}"))
        with self._lock:
            known = self._highest.get(seen.origin)
            if known is not None and known.tree_size == seen.tree_size and known.root_hash != seen.root_hash:
                self._report(LogWentBack(f"{seen.origin} shows two trees of {seen.tree_size} entries"))
            elif known is None or seen.tree_size > known.tree_size:
                self._highest[seen.origin] = seen
                self._unsaved = True

    def save(self) -> None:
        """Write the file, if there is something new, together with what other processes wrote."""
        if self._file is None or not self._unsaved:
            return
        try:
            with briefly(self._file.with_suffix(".lock")):
                with self._lock:
                    self._merge(self._read())
                    text = json.dumps({origin: each.note for origin, each in self._highest.items()})
                    self._unsaved = False
                write_atomically(self._file, text.encode())
        except OSError as error:
            self._report(NotDurable(f"checkpoints cannot be kept in {self._file}: {error}"))

    def _merge(self, notes: list[Checkpoint]) -> None:
        for each in notes:
            known = self._highest.get(each.origin)
            if known is None or each.tree_size > known.tree_size:
                self._highest[each.origin] = each

    def _read(self) -> list[Checkpoint]:
        if self._file is None or not self._file.exists():
            return []
        try:
            return [read_checkpoint(note) for note in json.loads(self._file.read_bytes()).values()]
        except (OSError, ValueError, AttributeError) as error:
            self._report(NotDurable(f"checkpoints in {self._file} cannot be read: {error}"))
            return []


def write_atomically(path: Path, content: bytes) -> None:
    """Either the old content or the new one, whenever the process or the machine ends. Errors: OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise

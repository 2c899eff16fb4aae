"""Which logs a witness works for: a file with a line for each.

    log <vkey> [<url>]              one log, named after its key; several lines where it has several keys
    installation <vkey> [<url>]     all logs of an Answerable installation, those to come too

One Ed25519 key signs for all logs of an installation: the `vkey` of any of them, `<origin>/logs/<log>+<id>+<key>`,
stands for this key under the name of every log below `<origin>/logs/`. `url` is where a log's checkpoint and tiles are
served, of an installation its site's address; it is needed for `watch` alone.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ledger.tlog import ED25519, MalformedKey, Verifier

LOGS = "/logs/"
_NAME = re.compile(r"[A-Za-z0-9._~-]{1,100}")


class MalformedList(ValueError):
    """Not a list of logs; the message names the line."""


@dataclass(frozen=True, slots=True)
class WatchedLog:
    """One line: a log's key, or an installation's."""

    verifier: Verifier
    url: str
    is_installation: bool

    @property
    def prefix(self) -> str:
        """What the origins of an installation's logs begin with."""
        return self.verifier.name.rpartition("/")[0] + "/"

    def key_for(self, origin: str) -> Verifier | None:
        """The key under the name of a log, None where the line is not about it."""
        if not self.is_installation:
            return self.verifier if origin == self.verifier.name else None
        if not origin.startswith(self.prefix) or not _NAME.fullmatch(origin.removeprefix(self.prefix)):
            return None
        return Verifier(origin, ED25519, self.verifier.public_key)


@dataclass(frozen=True, slots=True)
class Watched:
    """All lines of the file."""

    lines: tuple[WatchedLog, ...]

    def keys_for(self, origin: str) -> list[Verifier]:
        """The keys that may sign a log, none where nobody asked for it to be watched."""
        found = (line.key_for(origin) for line in self.lines)
        return list(dict.fromkeys(key for key in found if key is not None))

    @classmethod
    def read(cls, path: Path) -> "Watched":
        """Read the file. Errors: MalformedList, OSError."""
        return cls(tuple(_parsed(path.read_text("utf-8").split("\n"))))


def _parsed(lines: Iterable[str]) -> Iterable[WatchedLog]:
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            yield _line(words)
        except ValueError as error:
            raise MalformedList(f"line {number}: {error}") from error


def _line(words: list[str]) -> WatchedLog:
    kind, *rest = words
    if kind not in ("log", "installation") or not 1 <= len(rest) <= 2:
        raise ValueError("it is neither `log <vkey> [<url>]` nor `installation <vkey> [<url>]`")
    try:
        verifier = Verifier.from_vkey(rest[0])
    except MalformedKey as error:
        raise ValueError(str(error)) from error
    if verifier.key_type != ED25519:
        raise ValueError("a log's key is an Ed25519 key, of type 01")
    found = WatchedLog(verifier, rest[1].rstrip("/") if rest[1:] else "", kind == "installation")
    if found.is_installation and not found.prefix.endswith(LOGS):
        raise ValueError("the key of an installation is named <origin>/logs/<log>")
    if found.url and (urlsplit(found.url).scheme not in ("http", "https") or not urlsplit(found.url).hostname):
        raise ValueError("the address begins with https://")
    return found

"""Trust policies: which logs and witnesses are known, and how many cosignatures are enough (C2SP tlog-policy).

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...
    quorum <name>|none

A file of octets: names are compared as they stand. Keys are Ed25519: type 01 of logs, type 04 of witnesses.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.tlog.note import COSIGNATURE_V1, ED25519, MalformedKey, Verifier

NONE: Final = "none"
MAX_LINES: Final = 10_000
_LINE = re.compile(rb"[\x09\x20-\x7e\x80-\xff]*")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,4}")


class MalformedPolicy(ValueError):
    """Not a trust policy; the message names the line."""


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log that is accepted. `url` is the caller's to understand, empty where there is none."""

    verifier: Verifier
    url: str = ""


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness by its name in this file. `url` is its submission prefix, empty where there is none."""

    name: str
    verifier: Verifier
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and groups of which `threshold` must have cosigned."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy. `quorum` is a witness's or a group's name, or `none`."""

    logs: tuple[PolicyLog, ...] = ()
    witnesses: Mapping[str, PolicyWitness] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    def is_met_by(self, names: Collection[str]) -> bool:
        """Whether the quorum is met where these witnesses (names of this file) have cosigned. `none` always is."""
        cosigned = self.witnesses.keys() & set(names)
        for group in self.groups.values():  # each names only what stands above it
            if sum(member in cosigned for member in group.members) >= group.threshold:
                cosigned.add(group.name)
        return self.quorum == NONE or self.quorum in cosigned


class _Reader:
    def __init__(self) -> None:
        self.logs: list[PolicyLog] = []
        self.witnesses: dict[str, PolicyWitness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self.members: set[str] = set()

    def log(self, vkey: str, url: str = "") -> None:
        """`log <vkey> [<url>]`."""
        verifier = _key(vkey, ED25519)
        if any(each.verifier.public_key == verifier.public_key for each in self.logs):
            raise MalformedPolicy("a second log with the same public key")
        self.logs.append(PolicyLog(verifier, url))

    def witness(self, name: str, vkey: str, url: str = "") -> None:
        """`witness <name> <vkey> [<url>]`."""
        verifier = _key(vkey, COSIGNATURE_V1)
        self._new_name(name)
        if any(each.verifier.public_key == verifier.public_key for each in self.witnesses.values()):
            raise MalformedPolicy("a second witness with the same public key")
        self.witnesses[name] = PolicyWitness(name, verifier, url)

    def group(self, name: str, enough: str, *members: str) -> None:
        """`group <name> all|any|<k> <name>...`."""
        self._new_name(name)
        if not members:
            raise MalformedPolicy("a group without members")
        for member in members:
            self._known(member)
            if member in self.members:
                raise MalformedPolicy(f"{member} is a member already")
            self.members.add(member)
        self.groups[name] = Group(name, _threshold(enough, len(members)), members)

    def quorum_is(self, name: str) -> None:
        """`quorum <name>|none`."""
        if self.quorum is not None:
            raise MalformedPolicy("a second quorum")
        if name != NONE:
            self._known(name)
        self.quorum = name

    def _new_name(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise MalformedPolicy(f"the name {name} is taken")

    def _known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise MalformedPolicy(f"no witness and no group above is called {name}")


def parse_policy(data: bytes) -> Policy:
    """Parse a policy file. Errors: MalformedPolicy, with the number of the line. Source: tlog-policy."""
    reader = _Reader()
    items = {"log": reader.log, "witness": reader.witness, "group": reader.group, "quorum": reader.quorum_is}
    for number, words in _lines(data):
        kind, *rest = words
        try:
            if kind not in items:
                raise MalformedPolicy(f"{kind} is none of log, witness, group, quorum")
            items[kind](*rest)  # type: ignore[operator]
        except TypeError as error:
            raise MalformedPolicy(f"line {number}: {kind} has too few or too many words") from error
        except MalformedPolicy as error:
            raise MalformedPolicy(f"line {number}: {error}") from error
    if reader.quorum is None:
        raise MalformedPolicy("there is no quorum line (`quorum none` asks for no cosignature)")
    return Policy(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)


def _lines(data: bytes) -> list[tuple[int, list[str]]]:
    """The lines that say something, with their numbers, split at spaces and tabs alone."""
    if data and not data.endswith(b"\n"):
        raise MalformedPolicy("the last line does not end in a newline")
    lines = data.split(b"\n")[:-1]
    if len(lines) > MAX_LINES:
        raise MalformedPolicy(f"more than {MAX_LINES} lines")
    found = []
    for number, line in enumerate(lines, 1):
        if not _LINE.fullmatch(line):
            raise MalformedPolicy(f"line {number}: a control character")
        # octets that are no UTF-8 stay what they are, and come out again as they went in
        words = [word.decode("utf-8", "surrogateescape") for word in re.split(rb"[ \t]+", line.strip(b" \t")) if word]
        if words and not words[0].startswith("#"):
            found.append((number, words))
    return found


def _key(vkey: str, key_type: int) -> Verifier:
    try:
        verifier = Verifier.from_vkey(vkey)
    except (MalformedKey, ValueError) as error:
        raise MalformedPolicy(str(error)) from error
    if verifier.key_type != key_type:
        raise MalformedPolicy(f"a key of type {verifier.key_type:02x}, where one of type {key_type:02x} stands")
    return verifier


def _threshold(enough: str, members: int) -> int:
    if enough in ("any", "all"):
        return 1 if enough == "any" else members
    if not _THRESHOLD.fullmatch(enough) or int(enough) > members:
        raise MalformedPolicy(f"{enough} is neither all nor any, nor a number from 1 to {members}")
    return int(enough)

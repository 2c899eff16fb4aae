"""What the damage table is made of: a row is a way to make a bundle, and what both verifiers must say of it."""

import base64
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from answerable_verify import verify
from tests.bundles import stamping
from tests.bundles.building import Bundle, Wishes, build
from tests.bundles.merkle import Signer
from tests.bundles.world import Json, Log, World, timestamp

NOW = 1_780_000_000
"""What both verifiers take for the present: May 2026."""
WITNESS = Signer(bytes([77]) * 32)
WITNESS_NAME = "witness.example.org"


@dataclass(frozen=True)
class Made:
    """A bundle's bytes, and what the auditor brings."""

    data: bytes
    vkeys: tuple[str, ...] = ()
    policy: bytes | None = None
    heads: tuple[bytes, ...] = ()
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A damage: what it does, the codes that must be found, and the exit code."""

    name: str
    make: Callable[[], Made]
    codes: tuple[str, ...]
    exit_code: int

    @property
    def id(self) -> str:
        return self.name.replace("_", " ")


ROWS: list[Row] = []
Change = Callable[[Bundle], Made | bytes | None]


def damage(*codes: str, exit_code: int = 1) -> Callable[[Change], Change]:
    """A row that changes a copy of the `usual` bundle. It may return the container's bytes, or all of `Made`."""

    def note(change: Change) -> Change:
        def make() -> Made:
            bundle = usual().copy()
            found = change(bundle)
            return found if isinstance(found, Made) else usual_made(bundle, found)

        ROWS.append(Row(change.__name__, make, codes, exit_code))
        return change

    return note


def forgery(*codes: str, exit_code: int = 1) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """A row that makes a bundle of its own."""

    def note(make: Callable[[], Made]) -> Callable[[], Made]:
        ROWS.append(Row(make.__name__, make, codes, exit_code))
        return make

    return note


def usual_made(bundle: Bundle, data: bytes | None = None) -> Made:
    """The bundle as the auditor of the `usual` one gets it."""
    return Made(data or bundle.zip(), (bundle.vkey,), usual_policy(), (), (stamping.pem(authority()),))


@cache
def authority() -> Any:
    return stamping.certificate("p256", "Time of p256")


@cache
def usual_policy() -> bytes:
    return f"witness w {WITNESS.vkey(WITNESS_NAME, 4)}\nquorum w\n".encode()


@dataclass
class Usual:
    """The world of the usual bundle, and what in it tests name."""

    world: World
    log: Log
    other: Log
    decisions: list[str]
    question: Json
    before: int
    wishes: Wishes = field(default_factory=Wishes)


@cache
def usual_world() -> Usual:
    """Two AI systems, one of 300 entries; a rotated key, an erasure, an override, a source with gaps; fences."""
    world = World(1)
    log, other = world.open_system(), world.open_system()
    source = world.uuid()
    decisions = []
    for number in range(280):
        more: Json = {} if number % 3 else {"source_id": source, "source_seq": number // 3 * (2 if number > 200 else 1)}
        more |= {"adverse": True} if number % 5 == 0 else {}
        more |= {"flags": ["late"]} if number % 7 == 0 else {}
        more |= {"error_type": "timeout", "outcome": "failed"} if number % 11 == 0 else {}
        contents = {
            "input": b'{"n":%d}' % number,
            "output": b'{"ok":true}',
            "refs": b'{"subject":"s-%d"}' % (number % 9),
        }
        decisions.append(world.decide(log, contents, **more))
        if number == 150:
            world.rotate()
    world.decide(other)
    world.erase(log, decisions[20])
    world.override(log, decisions[21])
    for _ in range(14):
        world.decide(log, {"input": b"\xff\x00", "output": "café \N{EURO SIGN}".encode(), "context": b"{}"})
    world.record_checkpoint(log)
    since, until = (log.entries[at].json["at"] for at in (10, 290))
    question = {"kind": "range", "system": log.system, "since": since, "until": until}
    return Usual(world, log, other, decisions, question, before=7)


@cache
def usual() -> Bundle:
    """The honest bundle that most rows damage: verified under key, policy, time-stamp."""
    at = usual_world()
    wishes = Wishes(
        shows=lambda entry, part: part != "refs" or entry.json["id"] in at.decisions[:30],
        before={at.log.origin: at.before},
        heads=(100, 256),
        witnesses=((WITNESS_NAME, WITNESS, NOW - 1000),),
        stamps=lambda log, text: [stamping.Stamp(certificate=authority()).token(text)],
        file_bytes=100_000,
    )
    return build(at.world, at.question, wishes, approved=True)


def small(seed: int = 2, count: int = 5, origin: str = "answerable.example.com") -> tuple[World, Log]:
    """A world of one system with some decisions."""
    world = World(seed, origin)
    log = world.open_system()
    for _ in range(count):
        world.decide(log)
    return world, log


def whole_range(log: Log) -> Json:
    return {"kind": "range", "system": log.system, "since": None, "until": None}


def made(bundle: Bundle, *vkeys: str, **more: Any) -> Made:
    return Made(bundle.zip(), vkeys or (bundle.vkey,), **more)


# --- both verifiers ---------------------------------------------------------------------------------------------------
def options_of(given: Made) -> verify.Options:
    keys = [verify.parse_vkey(text) for text in given.vkeys]
    policy = verify.parse_policy(given.policy) if given.policy else None
    heads = [(f"head-{number}", verify.parse_checkpoint(data)) for number, data in enumerate(given.heads)]
    certificates = [each for text in given.certificates for each in verify.parse_pem(text)]
    return verify.Options([*keys, *(policy.logs if policy else ())], policy, heads, certificates, NOW)


def check(given: Made) -> Json:
    """What verify.py says, in process. A usage error is a report too."""
    options = options_of(given)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        path.write_bytes(given.data)
        try:
            container = verify.open_damaged(str(path))
        except verify.UsageError:
            return {"verdict": "usage", "exit_code": verify.USAGE, "counts": {}, "findings": []}
        if isinstance(container, verify.Report):
            return dict(verify.as_json(container))
        try:
            report = verify.check_bundle(container, options)
        finally:
            container.close()
        return dict(json.loads(json.dumps(verify.as_json(report))))


def as_request(given: Made) -> Json:
    """The same for the JavaScript modules (`check.mjs`)."""
    return {
        "data": base64.b64encode(given.data).decode(),
        "vkeys": list(given.vkeys),
        "policy": base64.b64encode(given.policy).decode() if given.policy else None,
        "heads": [base64.b64encode(data).decode() for data in given.heads],
        "certificates": list(given.certificates),
        "now": NOW,
    }


__all__ = ["replace", "timestamp"]

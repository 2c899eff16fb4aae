"""Whatever stands where something else should, signed by the key itself: no error of ours, and both verifiers agree."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from answerable_verify import verify
from tests.bundles import stamping
from tests.bundles.building import Bundle, Wishes, build
from tests.bundles.cases import Made, as_request, check, small, whole_range
from tests.bundles.javascript import JavaScript, with_node
from tests.bundles.world import Log, Sealed, World

HOSTILE: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64, 10**99, -0.0, 1.0, 1.5, 1e300),
    *("", " ", "0", "__proto__", "constructor", "toString", "<script>alert(1)</script>", "\u202egnp.exe", "\x1b[2J"),
    *("\ud800", "\U0001f600", "\ue000", "x" * 999, "x" * 1001, "é" * 501, "\U0001f600" * 501, "a.b", "registry"),
    *("answerable.example.com/logs/registry", "00000000-0000-7000-8000-000000000000", "2026-03-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999999Z", "0000-01-01T00:00:00.000000Z", "f" * 64, "A" * 64),
    *([], {}, [[]], [{}], [0, 1], [None] * 400, [1, 2, 3], {"a": 1}, {"kind": "range"}, {"origin": None}),
    {"__proto__": {"adverse": True}},
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value."""
    yield at
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in rows:
        yield from places(each, (*at, name))


def altered(value: Any, chance: Random) -> Any:
    """A value with something else somewhere: replaced, taken out, added, or the value of another place."""
    value = copy.deepcopy(value)
    every = [at for at in places(value) if at]
    at = chance.choice(every)
    held = value
    for step in at[:-1]:
        held = held[step]
    kind = chance.randrange(6)
    if kind == 0:
        del held[at[-1]]
    elif kind == 1 and isinstance(held, dict):
        name = chance.choice([each for each in HOSTILE if isinstance(each, str) and "\ud800" not in each])
        held[name] = chance.choice(HOSTILE)
    elif kind == 2:
        other: Any = value
        for step in chance.choice(every):
            other = other[step]
        held[at[-1]] = copy.deepcopy(other)
    else:
        held[at[-1]] = copy.deepcopy(chance.choice(HOSTILE))
    return value


def grown() -> tuple[World, Log]:
    """A world in which each kind of entry that a verifier reads stands."""
    world, log = small(seed=9, count=3)
    source = world.uuid()
    decisions = [
        world.decide(log, source_id=source, source_seq=number, flags=["late"], adverse=True, error_type="timeout")
        for number in (1, 2, 4, 4)
    ]
    world.record_checkpoint(log)
    world.rotate(finish=False)
    world.erase(log, decisions[0])
    world.override(log, decisions[1])
    log = world.close(log, lost=0)
    world.decide(log)
    world.rotate()
    world.record_checkpoint(log)
    return world, log


def bundle_of(world: World, log: Log) -> Bundle:
    wishes = Wishes(stamps=lambda log, text: [stamping.Stamp().token(text)])
    return build(world, whole_range(log), wishes, approved=True)


def hostile(seed: int) -> Made:
    """A bundle in which entries, manifest, contents or several of them hold what they never do."""
    chance = Random(seed)
    world, log = grown()
    if chance.random() < 0.6:
        for _ in range(chance.choice([1, 1, 3])):
            entry = chance.choice([each for log in world.logs.values() for each in log.entries])
            said = altered(entry.json, chance)
            data = json.dumps(said, separators=(",", ":")).encode()
            logs = [log for log in world.logs.values() if entry in log.entries]
            logs[0].entries[logs[0].entries.index(entry)] = Sealed(data, entry.parts, entry.json)
    bundle = bundle_of(world, log)
    if chance.random() < 0.3:
        lines = bundle.files["parts/000000.ndjson"].splitlines()
        number = chance.randrange(len(lines))
        said = altered(json.loads(lines[number]), chance)
        lines[number] = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        bundle.files["parts/000000.ndjson"] = b"".join(line + b"\n" for line in lines)
        bundle.seal()
    if chance.random() < 0.4:
        bundle.manifest = altered(bundle.manifest, chance)
        try:
            bundle.put_manifest()
        except (
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            ValueError,
        ):  # of what is no manifest there is no page, and no note
            bundle.files["manifest.json"] = (json.dumps(bundle.manifest, sort_keys=True, indent=2) + "\n").encode()
            bundle.sums()
    keys = [signer.vkey(world.registry.origin) for signer in world.signers]
    return Made(bundle.zip(deflated=chance.random() < 0.5), tuple(keys) if chance.random() < 0.9 else ())


@with_node
@pytest.mark.parametrize("batch", range(8))
def test_both_verifiers_say_the_same_of_hostile_values(batch: int, javascript: JavaScript) -> None:
    for seed in range(batch * 40, batch * 40 + 40):
        made = hostile(seed)
        ours, theirs = check(made), javascript.ask(as_request(made))
        words = theirs.pop("words", None)
        assert theirs == ours, seed
        said = json.dumps([ours["findings"], ours["proven"], words])
        assert said.isascii() and "\\u00" not in said.replace("\\\\u", ""), seed
        assert ours["exit_code"] != verify.VERIFIED or made.vkeys, seed

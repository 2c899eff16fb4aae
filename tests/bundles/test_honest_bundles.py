"""No honest bundle is ever refused: random logs, ranges, redactions, erasures, rotations, every edge."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable_verify import verify
from answerable_verify.verify import microseconds
from tests.bundles.building import ALL_PARTS, Bundle, Wishes, build
from tests.bundles.cases import Made, as_request, check, made, small, whole_range
from tests.bundles.javascript import JavaScript, with_node
from tests.bundles.merkle import root
from tests.bundles.world import Json, Log, World

CONTENTS = [b"", b"{}", b'{"a":1}', "é€😀".encode(), b"\xff\xfe", b'"' * 300, b"\\u0000\n\r\t", b"\0"]


def grow(world: World, log: Log, chance: Random, count: int) -> list[str]:
    """Some decisions, with everything that may happen around them. Out: their ids."""
    made_here, sources = [], [world.uuid() for _ in range(2)]
    number = chance.randrange(3)
    for _ in range(count):
        more: Json = {}
        if chance.random() < 0.6:
            number += chance.choice([0, 1, 1, 1, 2, 50, 10**15])
            more |= {"source_id": chance.choice(sources), "source_seq": min(number, 2**63 - 1)}
        if chance.random() < 0.3:
            more |= {"adverse": chance.random() < 0.7, "score": chance.random(), "latency_ms": 1e22, "confidence": 1e-7}
        if chance.random() < 0.2:
            more |= {
                "flags": ["late", "odd"][: chance.randrange(3)],
                "outcome": chance.choice(["declined", "1", "2", "a/b+c"]),
            }
        if chance.random() < 0.1:
            more |= {"error_type": "timeout", "model_version": chance.choice(["2.2", "10", "9"])}
        names = [name for name in ("input", "output", "explanation", "context", "refs") if chance.random() < 0.6]
        made_here.append(world.decide(log, {name: chance.choice(CONTENTS) for name in names}, **more))
        if chance.random() < 0.1:
            world.erase(log, chance.choice(made_here))
        if chance.random() < 0.1:
            world.override(log, chance.choice(made_here))
        if chance.random() < 0.05:
            world.record_checkpoint(log)
        if chance.random() < 0.05:
            world.now -= chance.choice([0.5, 30, 200])  # a clock that is set back
    return made_here


def honest(seed: int) -> tuple[Bundle, list[str]]:
    """A bundle of a random world that answers a random question. Out: with it, the keys with which it is verified."""
    chance = Random(seed)
    world = World(seed)
    vkeys = [world.vkey()]
    log = world.open_system()
    decisions: list[str] = []
    for _ in range(chance.choice([1, 1, 2, 3])):
        decisions += grow(world, log, chance, chance.choice([0, 1, 3, 40, 255, 256, 300]))
        happens = chance.randrange(5)
        if happens == 0:
            vkeys.append(world.rotate(finish=chance.random() < 0.7).vkey(world.registry.origin))
        elif happens == 1:
            log = world.close(log)
        elif happens == 2:
            world.close(world.registry)
        elif happens == 3 and log.entries:
            decisions += grow(world, world.open_system(), chance, 5)
    # whoever asks does so after what is asked for: the clock may have been set back
    world.now = max(microseconds(entry.json["at"]) for each in world.logs.values() for entry in each.entries) / 1e6 + 1
    return build(world, *_asked(chance, world, log, decisions), approved=chance.random() < 0.5), vkeys


def _asked(chance: Random, world: World, log: Log, decisions: list[str]) -> tuple[Json, Wishes]:
    withheld = chance.choice([0.0, 0.0, 0.4, 1.0])
    hidden = {name for name in ("input", "output", "refs", "state") if chance.random() < withheld}
    if "state" in hidden:
        hidden.add("particulars")  # what opens them is in the state
    asks = chance.random() < 0.8
    parts = tuple(name for name in ALL_PARTS if asks and name not in hidden)
    wishes = Wishes(
        shows=lambda entry, part: part in parts, parts=parts, file_bytes=chance.choice([2_000, 50_000, 64 << 20])
    )
    kind = chance.choice(["range", "range", "range", "case", "decision", "subject"])
    if kind == "range" or not decisions:
        times = sorted(entry.json["at"] for each in world.logs.values() for entry in each.entries)
        ends: list[Any] = sorted(chance.choice(times) for _ in range(2))
        since, until = (end if chance.random() < 0.7 else None for end in ends)
        return {"kind": "range", "system": log.system, "since": since, "until": until}, wishes
    chosen = decisions[:1] if kind == "decision" else chance.sample(decisions, chance.randrange(len(decisions)) + 1)
    wishes.decisions = frozenset(chosen)
    cut = chance.randrange(len(chosen) + 1) or len(chosen)
    case = world.open_case(*filter(None, (chosen[:cut], chosen[cut:]))) if kind == "case" else ""
    about = {"case": case} if kind == "case" else {"decision": chosen[0]} if kind == "decision" else {}
    return {"kind": kind, **about}, wishes


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_a_random_honest_bundle_is_verified(seed: int) -> None:
    bundle, vkeys = honest(seed)
    report = check(made(bundle, *vkeys))
    assert (report["exit_code"], report["findings"]) == (verify.VERIFIED, _notes(report)), seed


def _notes(report: Json) -> list[Json]:
    """A clock that was set back is told, and is no fault."""
    return [finding for finding in report["findings"] if finding["code"] == "clock-back"]


@with_node
@pytest.mark.parametrize("seed", range(40))
def test_the_page_verifies_it_too(seed: int, javascript: JavaScript) -> None:
    bundle, vkeys = honest(seed)
    given = Made(bundle.zip(deflated=seed % 2 == 0), tuple(vkeys))
    theirs = javascript.ask(as_request(given))
    del theirs["words"]
    assert theirs == check(given)
    assert theirs["exit_code"] == verify.VERIFIED


@with_node
@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513])
@pytest.mark.parametrize("redacted", [False, True], ids=["disclosed", "withheld"])
def test_every_edge_of_a_tile(size: int, redacted: bool, javascript: JavaScript) -> None:
    world, log = small(count=size)
    wishes = Wishes(sizes={log.origin: size}, discloses=lambda log, index, entry: not redacted or index < 3)
    given = made(build(world, whole_range(log), wishes))
    report = check(given)
    expected = verify.INCOMPLETE if redacted and size > 3 else verify.VERIFIED
    assert report["exit_code"] == expected, report["findings"]
    assert javascript.ask(as_request(given))["exit_code"] == expected


@pytest.fixture(scope="module")
def large() -> tuple[World, Log]:
    world, log = small(count=65_538)
    return world, log


@with_node
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
@pytest.mark.parametrize("first", [0, 60_000, 65_530])
def test_the_edges_of_a_tile_of_tiles(size: int, first: int, large: tuple[World, Log], javascript: JavaScript) -> None:
    world, log = large
    question = {
        "kind": "range",
        "system": log.system,
        "since": log.entries[first].json["at"] if first else None,
        "until": None,
    }
    before = {log.origin: min(first, 300)} if first else {}
    wishes = Wishes(
        sizes={log.origin: size}, before=before, discloses=lambda log, index, entry: index > 65_500 or index % 500 == 0
    )
    bundle = build(world, question, wishes)
    given = made(bundle)
    report = check(given)
    assert set(report["counts"]) <= {"entries-withheld", "not-whole"}, report["findings"]
    theirs = javascript.ask(as_request(given))
    assert (theirs["exit_code"], theirs["counts"]) == (report["exit_code"], report["counts"])


def test_a_clock_that_was_set_back_is_told_and_no_fault() -> None:
    world, log = small(count=5)
    world.now -= 100
    world.decide(log)
    report = check(made(build(world, whole_range(log))))
    assert (report["exit_code"], report["counts"]) == (verify.VERIFIED, {"clock-back": 1})


@with_node
@pytest.mark.parametrize("told", ["entry 0", "registry"])
def test_what_others_hold_and_fits_is_no_fault(told: str, javascript: JavaScript) -> None:
    """Also far behind: the tiles suffice for it."""
    world, log = small(count=600)
    tree = (300, root(log.leaves[:300]).hex())
    if told == "registry":
        world.contradict(log, *tree)
    stated: dict[str, Any] = {"contradicted": [tree]} if told == "entry 0" else {}
    successor = world.close(log, **stated)
    world.decide(successor)
    question = whole_range(log) | {"since": log.entries[-2].json["at"]}
    given = made(build(world, question))
    assert check(given)["exit_code"] == verify.VERIFIED
    assert javascript.ask(as_request(given))["exit_code"] == verify.VERIFIED


@with_node
def test_a_loss_is_told_where_it_touches_the_answer_alone(javascript: JavaScript) -> None:
    world, log = small(count=12)
    successor = world.close(log, lost=3, tail="unknown", contradicted=[[12, "ab" * 32]])
    for _ in range(4):
        world.decide(successor)
    for index, expected in ((0, verify.INCOMPLETE), (2, verify.VERIFIED)):
        question = whole_range(log) | {"since": successor.entries[index].json["at"]}
        given = made(build(world, question))
        assert check(given)["exit_code"] == expected
        assert javascript.ask(as_request(given))["exit_code"] == expected


def test_a_head_of_every_size_of_a_whole_log_is_its_beginning() -> None:
    world, log = small(count=300)
    bundle = build(world, whole_range(log))
    heads = tuple(world.checkpoint(log, size).encode() for size in range(0, len(log.entries) + 1, 7))
    report = check(made(bundle, heads=heads))
    assert report["exit_code"] == verify.VERIFIED
    assert sum(each["code"] == "p_head" for each in report["proven"]) == len(heads)

"""The small forms that both verifiers read: JSON, keys, policies, notes, times."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable_verify import verify
from ledger import tlog
from tests.bundles.cases import WITNESS, WITNESS_NAME
from tests.bundles.javascript import JavaScript, with_node
from tests.bundles.merkle import Signer
from tests.ledger.tlog.trees import vector

P, L = verify.P, verify.L
SIGNER = Signer(bytes([5]) * 32)
LOG = SIGNER.vkey("answerable.example.com/logs/registry")
W = WITNESS.vkey(WITNESS_NAME, 4)
V = Signer(bytes([6]) * 32).vkey("v.example.org", 4)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def reads(text: str) -> bool:
    try:
        verify.read_json(text)
    except verify.Malformed:
        return False
    return True


# --- JSON -------------------------------------------------------------------------------------------------------------
GOOD = [
    '{"a":[1,2.5e-3,"x",null,true,false,{}]}',
    " [ ] ",
    "0",
    "-0",
    "-1",
    '"\\ud83d\\ude00\\u0000\\/"',
    "1e999",
    '"\\ud800"',
    "[" * 64 + "]" * 64,
    "9" * 100,
]
BAD = [
    "",
    "{",
    '{"a":1,}',
    "[1,]",
    "01",
    "1.",
    ".5",
    "+1",
    "NaN",
    "-Infinity",
    "nul",
    "True",
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    "'a'",
    '"\t"',
    '"\\x41"',
    '"\\u12"',
    '"\\u 123"',
    '"',
    "{1:2}",
    "[1 2]",
    "1 2",
    "\ufeff1",
    "[" * 65 + "]" * 65,
    "9" * 101,
    "0x10",
    "\u00a01",
    '{"a"}',
    '{"a":}',
    "[,]",
    "tru",
    '{"__proto__":1,"__proto__":2}',
    "\x0b1",
    "1e",
    "--1",
    "1" * 60 + "." + "1" * 60,
]


@pytest.mark.parametrize("text", GOOD)
def test_json_that_is_read(text: str) -> None:
    assert reads(text)


@pytest.mark.parametrize("text", BAD)
def test_json_that_is_refused(text: str) -> None:
    assert not reads(text)


@with_node
def test_the_page_reads_the_same_json(javascript: JavaScript) -> None:
    chance = Random(2)
    texts = GOOD + BAD + ['{"__proto__":{"x":1}}', '{"constructor":1,"toString":2}']
    for _ in range(3000):
        text = list(chance.choice([*GOOD[:6], json.dumps({"k": [1.5, "é", {"n": -3}]})]))
        for _ in range(chance.randrange(3)):
            text[chance.randrange(len(text))] = chance.choice('{}[]",:\\u0123456789.eE+- \n\tantrufls')
        texts.append("".join(text))
    differing = [text for text in texts if javascript.ask({"do": "json", "text": text}) != reads(text)]
    assert differing == []


@settings(max_examples=200, deadline=None)
@given(text=st.text())
def test_what_is_shown_is_harmless(text: str) -> None:
    shown = verify.shown(text)
    assert all(" " <= char <= "~" for char in shown)


@with_node
def test_the_page_shows_the_same(javascript: JavaScript) -> None:
    for text in ["a\\b", "\x1b[31m", "\u202eabc", "😀" * 300, "é" * 199, "<b>&\"'", "x" * 201, "\ud800", "\n"]:
        assert javascript.ask({"do": "shown", "text": text}) == verify.shown(text)


# --- keys, policies, notes --------------------------------------------------------------------------------------------
def said_of(parse: Any, text: Any) -> str:
    try:
        parse(text)
    except verify.Malformed as error:
        return str(error)
    return ""


def with_key(public: bytes, kind: int = 1, name: str = "log.example.org") -> str:
    key = verify.Key(name, kind, public)
    return f"{name}+{key.id.hex()}+{b64(bytes([kind]) + public)}"


VKEYS = {
    "good": (LOG, True),
    "of a witness": (W, True),
    "with another id": (LOG.replace("+", "+0", 1), False),
    "with an id in capitals": ("+".join([LOG.split("+")[0], LOG.split("+")[1].upper(), LOG.split("+", 2)[2]]), False),
    "without an id": (LOG.split("+")[0], False),
    "with a space in its name": (with_key(SIGNER.public, name="a b"), False),
    "with a no-break space in its name": (with_key(SIGNER.public, name="a\u00a0b"), False),
    "without a name": (with_key(SIGNER.public, name=""), False),
    "of 31 bytes": (with_key(SIGNER.public[:31]), False),
    "of 33 bytes": (with_key(SIGNER.public + b"\0"), False),
    "of another type": (with_key(bytes(1312), 6), True),
    "of small order": (with_key(b"\1" + bytes(31)), False),
    "of order 8": (with_key(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")), False),
    "that is zero": (with_key(bytes(32)), False),
    "that is not reduced": (with_key((P + 1).to_bytes(32, "little")), False),
    "that is no point": (with_key(b"\2" + bytes(31)), False),
    "with a newline": (LOG + "\n", False),
    "that is empty": ("", False),
}


@with_node
@pytest.mark.parametrize("name", VKEYS)
def test_verifier_keys(name: str, javascript: JavaScript) -> None:
    text, is_good = VKEYS[name]
    said = said_of(verify.parse_vkey, text)
    assert (said == "") == is_good
    assert javascript.ask({"do": "vkey", "text": text}) == said


POLICIES = {
    "least": ("quorum none\n", True),
    "one witness": (f"witness w {W}\nquorum w\n", True),
    "a log and a comment": (f"# ours\n\n \t log\t{LOG} https://example.org \n#\nquorum none", True),
    "groups": (f"witness a {W}\nwitness b {V} https://b\ngroup g 1 a b\ngroup h all g\nquorum h\n", True),
    "names in latin-1": (f"witness \xe9 {W}\nquorum \xe9\n", True),
    "nothing": ("", False),
    "no quorum": (f"witness w {W}\n", False),
    "two quorums": ("quorum none\nquorum none\n", False),
    "an unknown quorum": ("quorum w\n", False),
    "a quorum before its witness": (f"quorum w\nwitness w {W}\n", False),
    "a name twice": (f"witness w {W}\nwitness w {V}\nquorum w\n", False),
    "one key under two names": (f"witness w {W}\nwitness v {W}\nquorum w\n", False),
    "a log twice": (f"log {LOG}\nlog {LOG}\nquorum none\n", False),
    "the name none": (f"witness none {W}\nquorum none\n", False),
    "a group of nobody": (f"witness w {W}\ngroup g all\nquorum g\n", False),
    "a group in a circle": (f"witness w {W}\ngroup g all g\nquorum g\n", False),
    "a group that comes later": (f"witness w {W}\ngroup g all h\ngroup h all w\nquorum g\n", False),
    "a member twice": (f"witness w {W}\ngroup g 2 w w\nquorum g\n", False),
    "a member in two groups": (f"witness w {W}\ngroup g 1 w\ngroup h 1 w\nquorum g\n", False),
    "a threshold of none": (f"witness w {W}\ngroup g 0 w\nquorum g\n", False),
    "a threshold too large": (f"witness w {W}\ngroup g 2 w\nquorum g\n", False),
    "a threshold with a zero": (f"witness w {W}\ngroup g 01 w\nquorum g\n", False),
    "the key of a log as a witness": (f"witness w {LOG}\nquorum w\n", False),
    "the key of a witness as a log": (f"log {W}\nquorum none\n", False),
    "a line of another kind": ("mirror x\nquorum none\n", False),
    "a carriage return": ("quorum none\r\n", False),
    "a nul": ("quorum none\0\n", False),
    "a member none": (f"witness w {W}\ngroup g any none\nquorum g\n", False),
    "too many words": (f"witness w {W} https://x more\nquorum w\n", False),
}


@with_node
@pytest.mark.parametrize("name", POLICIES)
def test_policies(name: str, javascript: JavaScript) -> None:
    text, is_good = POLICIES[name]
    said = said_of(verify.parse_policy, text.encode("latin-1"))
    assert (said == "") == is_good, said
    assert javascript.ask({"do": "policy", "text": b64(text.encode("latin-1"))}) == said


def test_deeply_nested_groups_are_counted_without_recursion() -> None:
    lines = [f"witness w {W}", "group g0 1 w", *(f"group g{n} 1 g{n - 1}" for n in range(1, 5000)), "quorum g4999", ""]
    policy = verify.parse_policy("\n".join(lines).encode())
    assert policy.is_met_by(["w"]) and not policy.is_met_by([])


def test_the_products_own_notes_are_read() -> None:
    trial, published = vector("trial_log"), vector("signed_note")
    checkpoint = verify.parse_checkpoint(trial["tlog_proof"].partition("\n\n")[2].encode())
    key = verify.parse_vkey(trial["vkey"])
    assert checkpoint.origin == key.name == trial["origin"]
    assert verify.signs(key, checkpoint.note, checkpoint.note.signatures[0])
    assert published


@pytest.mark.parametrize("size", [1, 2, 7, 255, 256, 257, 1000, 65_537])
def test_roots_from_tiles_are_those_of_the_product(size: int) -> None:
    leaves = [hashlib.sha256(b"%d" % n).digest() for n in range(size)]
    levels = [leaves]
    while len(levels[-1]) >= 256:
        row = levels[-1]
        levels.append([verify.fold_perfect(b"".join(row[at : at + 256])) for at in range(0, len(row) - 255, 256)])
    root = verify.root_of(size, lambda level, index: b"".join(levels[level][256 * index : 256 * index + 256]))
    assert root == tlog.root_from_leaf_hashes(leaves)


def test_tile_names_are_those_of_the_product() -> None:
    chance = Random(3)
    for _ in range(2000):
        tile = tlog.Tile(
            chance.randrange(64),
            chance.choice([chance.randrange(1200), chance.randrange(2**50)]),
            chance.randrange(1, 257),
        )
        assert verify.tile_name(*[getattr(tile, name) for name in ("level", "index", "width")]) == tlog.tile_path(tile)
        assert verify.parse_tile_name(tlog.tile_path(tile)) == (tile.level, tile.index, tile.width)


# --- times ------------------------------------------------------------------------------------------------------------
def test_microseconds_are_those_of_the_calendar() -> None:
    start, chance = datetime(1, 1, 1, tzinfo=UTC), Random(1)
    for _ in range(2000):
        moment = start + timedelta(microseconds=chance.randrange(315_000_000_000_000_000))
        text = moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S.%fZ")
        expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        assert verify.microseconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00.000000Z"),
        ("2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.500000Z"),
        *[
            (text, None)
            for text in (
                "2023-02-29T00:00:00Z",
                "2026-04-31T00:00:00Z",
                "2026-03-01",
                "2026-03-01T24:00:00Z",
                "2026-03-01T00:00:60Z",
            )
        ],
        *[
            (text, None)
            for text in (
                "2026-03-01T00:00:00",
                "2026-03-01T00:00:00+00:00",
                "2026-03-01T00:00:00.1234567Z",
                "٢026-03-01T00:00:00Z",
                None,
            )
        ],
    ],
)
def test_times(text: str | None, expected: str | None) -> None:
    assert verify.moment(text) == expected

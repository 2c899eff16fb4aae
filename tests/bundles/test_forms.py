"""The small forms that both verifiers read: JSON, keys, policies, notes, signatures, time-stamps, DEFLATE, digests."""

import base64
import hashlib
import json
import zlib
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable_verify import verify
from ledger import tlog
from tests.bundles import stamping
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


# --- signatures -------------------------------------------------------------------------------------------------------
def edge_signatures() -> list[tuple[bytes, bytes, bytes]]:
    """Key, message, signature: good ones, and each edge at which implementations differ."""
    found, chance = [], Random(8)
    for number in range(12):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), chance.randbytes(number * 7)
        signature = key.sign(message)
        s = int.from_bytes(signature[32:], "little")
        found.append((public, message, signature))
        for wrong in (
            signature[:32] + (s + L).to_bytes(32, "little"),
            b"\1" + bytes(31) + signature[32:],
            signature[:-1],
            signature + b"\0",
            bytes(64),
            signature[:32] + bytes(32),
            (int.from_bytes(signature[:32], "little") ^ 1 << 255).to_bytes(32, "little") + signature[32:],
        ):
            found.append((public, message, wrong))
        found.append((public, message + b"x", signature))
    small = [
        b"\1" + bytes(31),
        bytes(32),
        (P - 1).to_bytes(32, "little"),
        (P + 1).to_bytes(32, "little"),
        b"\1" + bytes(30) + b"\x80",
    ]
    # of a key of small order everything is a signature, to whoever does not look
    found += [(key, b"anything", b"\1" + bytes(63)) for key in small]
    return found


def test_ed25519_says_what_cryptography_says_and_refuses_what_is_not_canonical() -> None:
    good = [verify.ed25519_verifies(*each) for each in edge_signatures()]
    assert good[:108:9] == [True] * 12
    assert sum(good) == 12


@with_node
def test_the_page_says_the_same_of_signatures(javascript: JavaScript) -> None:
    for key, message, signature in edge_signatures():
        request = {"do": "ed25519", "key": b64(key), "message": b64(message), "signature": b64(signature)}
        assert javascript.ask(request) == verify.ed25519_verifies(key, message, signature)


# --- time-stamps ------------------------------------------------------------------------------------------------------
def said_of_token(token: bytes, text: bytes) -> str:
    try:
        return verify.check_timestamp(token, text).at
    except verify.Malformed as error:
        return str(error)


@with_node
@pytest.mark.parametrize("kind", ["p256", "rsa", "pss", "ed25519"])
def test_the_page_says_the_same_of_random_changes_of_a_token(kind: str, javascript: JavaScript) -> None:
    text = b"the text\n"
    token = stamping.Stamp(kind=kind, digest="sha512").token(text)
    chance = Random(7)
    for _ in range(150):
        data = bytearray(token)
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
        said = said_of_token(bytes(data), text)
        assert javascript.ask({"do": "token", "token": b64(bytes(data)), "text": b64(text)}) == said, at


@pytest.mark.parametrize("kind", ["p256", "rsa", "ed25519"])
def test_no_changed_bit_of_what_is_signed_is_accepted(kind: str) -> None:
    text = b"the text\n"
    token = stamping.Stamp(kind=kind, digest="sha512").token(text)
    start = token.index(stamping.oid(stamping.TST_INFO))
    info = token.index(hashlib.sha256(text).digest())
    for at in range(start, info + 60):
        data = bytearray(token)
        data[at] ^= 1
        with pytest.raises(verify.Malformed):
            verify.check_timestamp(bytes(data), text)


# --- DEFLATE and digests ----------------------------------------------------------------------------------------------
def inflated(data: bytes, most: int) -> bytes | None:
    inflate = zlib.decompressobj(-15)
    try:
        out = inflate.decompress(data, most + 1)
    except zlib.error:
        return None
    if len(out) > most or not inflate.eof or inflate.unused_data:
        return None
    return out


@with_node
def test_the_page_inflates_as_zlib_does(javascript: JavaScript) -> None:
    chance = Random(6)
    contents = [
        b"",
        b"a",
        bytes(3_000_000),
        chance.randbytes(200_000),
        b"".join(b"%d," % chance.randrange(10**6) for _ in range(200_000)),
    ]
    contents += [bytes(chance.choices(b"ab", k=5000)), b"abc" * 100_000, chance.randbytes(40_000) * 3]
    for content in contents:
        for level, strategy in [
            (0, 0),
            (1, 0),
            (6, 0),
            (9, 0),
            (6, zlib.Z_FIXED),
            (6, zlib.Z_HUFFMAN_ONLY),
            (6, zlib.Z_RLE),
        ]:
            deflate = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
            packed = (
                deflate.compress(content[:1000])
                + deflate.flush(zlib.Z_FULL_FLUSH)
                + deflate.compress(content[1000:])
                + deflate.flush()
            )
            found = javascript.ask({"do": "inflate", "data": b64(packed), "most": len(content)})
            assert found is not None and base64.b64decode(found) == content


@with_node
def test_the_page_refuses_what_zlib_refuses(javascript: JavaScript) -> None:
    chance = Random(9)
    text = b"".join(b'{"n":%d}' % chance.randrange(300) for _ in range(400))
    sources = []
    for strategy in (0, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY):
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy)
        sources.append(deflate.compress(text) + deflate.flush())
    stored = zlib.compressobj(0, zlib.DEFLATED, -15)
    sources.append(stored.compress(text[:300]) + stored.flush())
    accepted = 0
    for number in range(4000):
        data = bytearray(chance.choice(sources))
        for _ in range(chance.randrange(3)):
            data[chance.randrange(min(len(data), 120))] = chance.randrange(256)
        if number % 5 == 0:
            data = bytearray(chance.randbytes(chance.randrange(60)))
        if number % 7 == 0:
            del data[chance.randrange(len(data) + 1) :]
        expected = inflated(bytes(data), 100_000)
        accepted += expected is not None
        found = javascript.ask({"do": "inflate", "data": b64(bytes(data)), "most": 100_000})
        assert (None if found is None else base64.b64decode(found)) == expected, number
    assert accepted > 100


@with_node
def test_the_pages_digests(javascript: JavaScript) -> None:
    for length in [*range(0, 140), 1000, 65_535, 100_000]:
        data = Random(length).randbytes(length)
        digests = [getattr(hashlib, name)(data).hexdigest() for name in ("sha256", "sha1", "sha384", "sha512")]
        assert javascript.ask({"do": "hashes", "data": b64(data)}) == [*digests, zlib.crc32(data)]


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

"""Signatures, time-stamps, DEFLATE and digests: both verifiers say what those say who wrote the book on each."""

import base64
import hashlib
import zlib
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from answerable_verify import verify
from tests.bundles import stamping
from tests.bundles.cases import check, usual, usual_made
from tests.bundles.javascript import JavaScript, with_node

P, L = verify.P, verify.L


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


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


def test_a_bundle_does_not_take_more_work_than_a_bundle_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(verify.LIMITS, "work", 2)
    verify._keys.clear()
    report = check(usual_made(usual()))
    assert (report["exit_code"], report["counts"]) == (verify.TAMPERED, {"too-many-signatures": 1})
    assert verify.Work.left == float("inf")


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

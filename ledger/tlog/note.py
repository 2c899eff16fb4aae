"""Signed notes: a text, a blank line, and signature lines (C2SP signed-note v1).

Supported keys: Ed25519 (type 01), and, for verification, Ed25519 cosignatures v1 of witnesses (type 04,
C2SP tlog-cosignature). Errors:

    NoteError
    |- MalformedKey       a verifier key string that cannot be used
    |- MalformedNote      not a note: syntax, control characters, lengths
    |- InvalidSignature   a known key's signature does not verify: somebody changed text or signature
    `- UnverifiedNote     no signature by any known key: nothing in the note may be believed
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography import exceptions as crypto_exceptions
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519: Final = 0x01
"""Signature type of a plain Ed25519 signature over the note text (signed-note, "Signature types")."""

COSIGNATURE_V1: Final = 0x04
"""Signature type of a witness's timestamped Ed25519 cosignature (tlog-cosignature)."""

MAX_SIGNATURES: Final = 100
"""Signature lines accepted in one note. The specification asks for at least 16."""

_SIGNATURE_PREFIX = "\N{EM DASH} "
_CONTROL_CHARACTER = re.compile(r"[\x00-\x09\x0b-\x1f]")  # below U+0020, but for the newline


class NoteError(Exception):
    """Base of everything that can be wrong with a note or with a verifier key."""


class MalformedKey(NoteError):
    """The verifier key string is not `<name>+<key ID>+<base64>` with a consistent, supported key."""


class MalformedNote(NoteError):
    """The bytes are not a signed note."""


class InvalidSignature(NoteError):
    """A signature that names a known key does not verify."""


class UnverifiedNote(NoteError):
    """No signature of the note is by a known key."""


def encode_base64(data: bytes) -> str:
    """Encode as standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Decode standard base64, canonical form only (RFC 4648 sections 4 and 3.5).

    Errors: ValueError for any other alphabet, missing padding or stray trailing bits: two spellings of
    one value would let a signed or proven thing change without being noticed.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def is_key_name(name: str) -> bool:
    """Tell whether `name` may name a key: non-empty, no Unicode space, no `+` (signed-note, "Format")."""
    return bool(name) and not any(char == "+" or char.isspace() or char < " " for char in name)


def key_id(name: str, key_type: int, public_key: bytes) -> bytes:
    """Compute SHA-256(name || 0x0A || type || public key)[:4] (signed-note, "Signatures")."""
    return sha256(name.encode() + b"\n" + bytes([key_type]) + public_key).digest()[:4]


def encode_vkey(name: str, key_type: int, public_key: bytes) -> str:
    """Encode a verifier key: `<name>+<8 hex digits of key ID>+<base64(type || public key)>`.

    In: a valid key name, a type byte, the raw 32-byte public key. Source: signed-note, "Verifier keys".
    """
    identifier = key_id(name, key_type, public_key).hex()
    return f"{name}+{identifier}+{encode_base64(bytes([key_type]) + public_key)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: key name, 4-byte key ID, and the bytes after the ID.

    `timestamp` is set on verified cosignatures only: POSIX seconds, on the witness's word.
    """

    name: str
    key_id: bytes
    signature: bytes
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """An opened note: its text, the signatures that verified, and those of keys nobody here knows."""

    text: str
    signatures: tuple[Signature, ...]
    unverified: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with the name it signs under. In: name, type (01 or 04), raw 32-byte Ed25519 key.

    Errors: MalformedKey for an impossible name, an unsupported type or a key of another length.
    """

    name: str
    key_type: int
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise MalformedKey("the key name is empty or has a space or a plus sign in it")
        if self.key_type not in (ED25519, COSIGNATURE_V1):
            raise MalformedKey(f"signature type {self.key_type:02x} is not supported")
        if len(self.public_key) != 32:
            raise MalformedKey(f"an Ed25519 public key has 32 bytes, not {len(self.public_key)}")

    @classmethod
    def from_vkey(cls, vkey: str) -> "Verifier":
        """Parse a verifier key string. Errors: MalformedKey. Source: signed-note, "Verifier keys"."""
        # The base64 may hold "+" itself, so only the first two separate.
        try:
            name, identifier, encoded = vkey.split("+", 2)
            material = decode_base64(encoded)
            verifier = cls(name, material[0], material[1:])
            consistent = identifier == verifier.key_id.hex()
        except (ValueError, IndexError) as error:
            raise MalformedKey("not a verifier key of the form name+id+key") from error
        if not consistent:
            raise MalformedKey("the key ID does not belong to this name and key")
        return verifier

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that, with the name, say which key made a signature."""
        return key_id(self.name, self.key_type, self.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key string, as handed to those who verify."""
        return encode_vkey(self.name, self.key_type, self.public_key)

    def verify(self, text: str, signature: bytes) -> int | None:
        """Verify the signature bytes (after the key ID) of one line over the note text.

        In: the text with its final newline; 64 bytes, or 72 for a cosignature. Out: the cosignature's
        POSIX seconds, None for a plain signature. Errors: InvalidSignature.
        """
        timestamp, message = None, text
        if self.key_type == COSIGNATURE_V1:
            timestamp, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = cosigned_message(text, timestamp)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message.encode())
        except (crypto_exceptions.InvalidSignature, ValueError) as error:
            raise InvalidSignature(f"invalid signature by {self.name}+{self.key_id.hex()}") from error
        # tlog-cosignature, "Format": the timestamp MUST NOT exceed 2^63 - 1.
        if timestamp is not None and timestamp >= 1 << 63:
            raise InvalidSignature(f"impossible time in the cosignature by {self.name}")
        return timestamp


def cosigned_message(text: str, timestamp: int) -> str:
    """Build what a v1 cosignature signs. In: the checkpoint's note text; POSIX seconds.

    Source: tlog-cosignature, "Ed25519 signed message". It does not bind the witness's name.
    """
    return f"cosignature/v1\ntime {timestamp}\n{text}"


class Signer:
    """An Ed25519 private key with the name it signs under (type 01).

    In: key name; 32-byte seed (RFC 8032 section 5.1.5). Errors: ValueError for a bad name or length.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError(f"an Ed25519 seed has 32 bytes, not {len(seed)}")
        if not is_key_name(name):
            raise ValueError("the key name is empty or has a space or a plus sign in it")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public_key = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = Verifier(name, ED25519, public_key)
        self.name = name
        self.key_id = self.verifier.key_id
        self.vkey = self.verifier.vkey

    def __repr__(self) -> str:
        return f"Signer({self.vkey!r})"

    def sign(self, text: str) -> bytes:
        """Sign a note text. Out: the 64 bytes of the Ed25519 signature, without key ID."""
        return self._key.sign(text.encode())


def signature_line(name: str, identifier: bytes, signature: bytes) -> str:
    """Format one signature line, newline included. In: key name, 4-byte key ID, signature bytes."""
    return f"{_SIGNATURE_PREFIX}{name} {encode_base64(identifier + signature)}\n"


def sign_note(text: str, signers: Sequence[Signer]) -> str:
    """Sign a text and return the whole note, one line a signer, in their order.

    In: text ending in a newline, without other control characters; at least one signer. Errors:
    ValueError for another text or for no signer. Source: signed-note, "Format". Twin of `open_note`.
    """
    if not text.endswith("\n") or _has_control_characters(text):
        raise ValueError("a note text ends in a newline and has no other control character")
    if not signers:
        raise ValueError("a note needs a signature")
    text.encode()  # a lone surrogate is a UnicodeEncodeError, a ValueError, here and not at the reader's
    return text + "\n" + "".join(signature_line(s.name, s.key_id, s.sign(text)) for s in signers)


def open_note(note: str | bytes, verifiers: Iterable[Verifier]) -> Note:
    """Verify a signed note against known keys.

    In: the note; the keys to trust. Out: the note, every known signature in it checked; of several by
    one key the first is kept. Unknown (name, key ID) pairs are set aside, not trusted. Errors:
    MalformedNote; InvalidSignature if any known key's signature fails, whatever the others say;
    UnverifiedNote if no known key signed. ValueError if two different keys share name and ID.
    Source: signed-note, "Signatures".
    """
    known = _index_verifiers(verifiers)
    text, signatures = split_note(note)
    verified: dict[tuple[str, bytes], Signature] = {}
    unverified: dict[Signature, None] = {}
    for line in signatures:
        verifier = known.get((line.name, line.key_id))
        if verifier is None:
            unverified[line] = None
            continue
        timestamp = verifier.verify(text, line.signature)
        verified.setdefault((line.name, line.key_id), Signature(line.name, line.key_id, line.signature, timestamp))
    if not verified:
        raise UnverifiedNote("no signature by a known key")
    return Note(text, tuple(verified.values()), tuple(unverified))


def split_note(note: str | bytes) -> tuple[str, list[Signature]]:
    """Split a note into text and signature lines and believe neither: nothing is verified here.

    Errors: MalformedNote. Source: signed-note, "Format": the LAST blank line separates, since the text
    may have blank lines of its own.
    """
    decoded = _decode_utf8(note)
    if _has_control_characters(decoded):
        raise MalformedNote("a note has no control character but newline")
    body, separator, lines = decoded.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise MalformedNote("a note is a text, a blank line and signature lines, each ending in newline")
    rows = lines[:-1].split("\n")
    if len(rows) > MAX_SIGNATURES:
        raise MalformedNote(f"more than {MAX_SIGNATURES} signatures")
    return body + "\n", [_parse_signature_line(row) for row in rows]


def _parse_signature_line(row: str) -> Signature:
    name, space, encoded = row.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    if not row.startswith(_SIGNATURE_PREFIX) or not space or not is_key_name(name):
        raise MalformedNote("a signature line is an em dash, a key name and base64")
    try:
        data = decode_base64(encoded)
    except ValueError as error:
        raise MalformedNote("a signature is not base64") from error
    if len(data) < 5:
        raise MalformedNote("a signature is shorter than its key ID")
    return Signature(name, data[:4], data[4:])


def _index_verifiers(verifiers: Iterable[Verifier]) -> dict[tuple[str, bytes], Verifier]:
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise ValueError(f"two keys are called {verifier.name}+{verifier.key_id.hex()}")
    return known


def _decode_utf8(note: str | bytes) -> str:
    try:
        return note.encode().decode() if isinstance(note, str) else note.decode()
    except UnicodeError as error:
        raise MalformedNote("a note is UTF-8") from error


def _has_control_characters(text: str) -> bool:
    return _CONTROL_CHARACTER.search(text) is not None

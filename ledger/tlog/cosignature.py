"""Cosignatures: a witness's word that a checkpoint continues what it saw before (C2SP tlog-cosignature, Ed25519 v1).

A cosignature is one more signature line under the checkpoint's note. It signs the note's text with a time, and nothing
of the other lines: so the same line stands under whatever signatures of the log are there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.tlog.note import (
    COSIGNATURE_V1,
    MalformedNote,
    Signature,
    Verifier,
    cosigned_message,
    open_note,
    signature_line,
    split_note,
)

MAX_TIME = (1 << 63) - 1


class Cosigner:
    """A witness's Ed25519 private key with its name (type 04). One key is one witness: v1 does not bind the name.

    In: key name; 32-byte seed (RFC 8032 section 5.1.5). Errors: ValueError for a bad length, MalformedKey for a name.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError(f"an Ed25519 seed has 32 bytes, not {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public_key = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = Verifier(name, COSIGNATURE_V1, public_key)

    def __repr__(self) -> str:
        return f"Cosigner({self.verifier.vkey!r})"

    def cosign(self, text: str, timestamp: int) -> str:
        """Cosign a checkpoint's note text. Out: one signature line, newline included.

        In: the text with its final newline; POSIX seconds, 0..2^63-1 (ValueError otherwise). Whether the checkpoint may
        be cosigned is the caller's to know. Source: tlog-cosignature, "Format" and "Ed25519 signed message".
        """
        if not 0 <= timestamp <= MAX_TIME:
            raise ValueError("no cosignature has such a time")
        signature = self._key.sign(cosigned_message(text, timestamp).encode())
        return signature_line(self.verifier.name, self.verifier.key_id, timestamp.to_bytes(8, "big") + signature)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature: who, when by their clock (POSIX seconds), and the line as it stands under a note."""

    verifier: Verifier
    timestamp: int
    line: str


def read_cosignatures(note: str, lines: str | bytes, witnesses: Sequence[Verifier]) -> list[Cosignature]:
    """Verify the lines that a witness answered `add-checkpoint` with. Out: one for each of `witnesses` that signed.

    In: the note that was sent; the answer's body; the keys asked for, all of type 04 (ValueError otherwise). Lines of
    keys that nobody asked for are ignored. Errors: MalformedNote for anything but signature lines; InvalidSignature
    where a line by one of these keys fails; UnverifiedNote where none of them signed. Source: tlog-witness,
    "add-checkpoint".
    """
    if any(each.key_type != COSIGNATURE_V1 for each in witnesses):
        raise ValueError("a witness's key is of type 04")
    text, _ = split_note(note)
    answered = lines.decode("utf-8", "replace") if isinstance(lines, bytes) else lines
    if not answered.endswith("\n") or "\n\n" in answered or answered.startswith("\n"):
        raise MalformedNote("an answer is one or more signature lines")
    opened = open_note(f"{text}\n{answered}", witnesses)
    known = {(each.name, each.key_id): each for each in witnesses}
    return [_cosignature(known[each.name, each.key_id], each) for each in opened.signatures]


def _cosignature(verifier: Verifier, signature: Signature) -> Cosignature:
    assert signature.timestamp is not None  # verified under a key of type 04
    line = signature_line(signature.name, signature.key_id, signature.signature)
    return Cosignature(verifier, signature.timestamp, line)


def with_cosignatures(note: str, lines: Iterable[str]) -> str:
    """The note with more signature lines under it; one that stands there already is not repeated."""
    present = set(note.rpartition("\n\n")[2].splitlines(keepends=True))
    return note + "".join(line for line in dict.fromkeys(lines) if line not in present)

"""Checkpoints: a log's signed word about its tree (C2SP tlog-checkpoint v1).

Errors are NoteErrors:

    NoteError (see `ledger.tlog.note`)
    `- CheckpointError
       |- MalformedCheckpoint   the note text does not have the lines of a checkpoint
       `- WrongOrigin           a good checkpoint of another log
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.tlog.hashes import EMPTY_ROOT, HASH_SIZE
from ledger.tlog.note import (
    NoteError,
    Signature,
    Signer,
    UnverifiedNote,
    Verifier,
    decode_base64,
    encode_base64,
    open_note,
    sign_note,
)
from ledger.tlog.tree import MAX_TREE_SIZE, check_size

# [0-9], not \d, which takes any script's digits; no leading zero; and no longer than an honest number,
# so that nobody makes us parse a megabyte of digits.
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointError(NoteError):
    """Base of what can be wrong with a checkpoint in a note that is itself well-formed."""


class MalformedCheckpoint(CheckpointError):
    """The text is not origin, tree size, root hash and optional extension lines."""


class WrongOrigin(CheckpointError):
    """The checkpoint is another log's."""


def parse_decimal(text: str) -> int:
    """Parse an ASCII decimal of 0..2^63-1 without leading zeroes or sign. Errors: ValueError."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_TREE_SIZE:
        raise ValueError("not a decimal number without leading zeroes")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint states. In: origin; tree size in leaves; 32-byte root hash; extension lines.

    Extension lines are read but discouraged: witnesses sign them without an opinion on them. Errors:
    ValueError for values that no checkpoint can hold, such as an empty tree with another root than
    that of an empty tree. Source: tlog-checkpoint, "Note text".
    """

    origin: str
    tree_size: int
    root_hash: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_size(self.tree_size)
        if any(not line or min(line) < " " for line in (self.origin, *self.extensions)):
            raise ValueError("a line of a checkpoint is not empty and has no control characters")
        if len(self.root_hash) != HASH_SIZE:
            raise ValueError(f"a root hash has {HASH_SIZE} bytes, not {len(self.root_hash)}")
        if self.tree_size == 0 and self.root_hash != EMPTY_ROOT:
            raise ValueError("an empty tree has one root hash only")

    def to_text(self) -> str:
        """Format as note text, final newline included."""
        lines = (self.origin, str(self.tree_size), encode_base64(self.root_hash), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def from_text(cls, text: str) -> "Checkpoint":
        """Parse a note text; believe it only if its note was opened. Errors: MalformedCheckpoint."""
        if not text.endswith("\n"):
            raise MalformedCheckpoint("a checkpoint ends in a newline")
        try:
            origin, size, root, *extensions = text[:-1].split("\n")
            return cls(origin, parse_decimal(size), decode_base64(root), tuple(extensions))
        except ValueError as error:
            raise MalformedCheckpoint(f"not a checkpoint: {error}") from error


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose log signature was verified.

    `cosignatures` are the witnesses' verified signatures, with their times: how many are enough is the
    caller's policy. `note` is the signed note itself, verbatim.
    """

    checkpoint: Checkpoint
    log_signatures: tuple[Signature, ...]
    cosignatures: tuple[Signature, ...]
    note: str


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> str:
    """Sign a checkpoint and return the note. Twin of `open_checkpoint`.

    In: one signer, or two while a key is being rotated; each bears the origin as its name. Errors:
    ValueError otherwise: a key must never sign for a log that is not its own. Whether this log ever
    signed something inconsistent is the caller's to know. Source: tlog-checkpoint, "Signatures".
    """
    if any(signer.name != checkpoint.origin for signer in signers):
        raise ValueError("a log's key is named after its origin")
    return sign_note(checkpoint.to_text(), signers)


def open_checkpoint(
    note: str | bytes,
    *,
    origin: str,
    log_verifiers: Iterable[Verifier],
    witness_verifiers: Iterable[Verifier] = (),
) -> SignedCheckpoint:
    """Verify a signed checkpoint of the log `origin`.

    In: the note; the origin expected; the log's keys; the keys of witnesses. Out: the checkpoint, signed
    by at least one of the log's keys: a witness's word alone is not the log's. Errors: the NoteErrors of
    `open_note`; MalformedCheckpoint; WrongOrigin. Source: tlog-checkpoint, "Signatures".
    """
    log_keys = {(verifier.name, verifier.key_id): verifier for verifier in log_verifiers}
    opened = open_note(note, [*log_keys.values(), *witness_verifiers])
    by_log = tuple(s for s in opened.signatures if (s.name, s.key_id) in log_keys)
    if not by_log:
        raise UnverifiedNote("no signature by a key of the log")
    checkpoint = Checkpoint.from_text(opened.text)
    if checkpoint.origin != origin:
        raise WrongOrigin(f"the checkpoint is of another log than {origin}")
    by_witnesses = tuple(s for s in opened.signatures if (s.name, s.key_id) not in log_keys)
    verbatim = note if isinstance(note, str) else note.decode()
    return SignedCheckpoint(checkpoint, by_log, by_witnesses, verbatim)

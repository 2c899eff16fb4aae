"""The `.tlog-proof` file: an entry's inclusion, provable offline (C2SP tlog-proof v1)."""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.tlog.checkpoint import SignedCheckpoint, open_checkpoint, parse_decimal
from ledger.tlog.hashes import HASH_SIZE
from ledger.tlog.note import Verifier, decode_base64, encode_base64
from ledger.tlog.proofs import InvalidProof, check_inclusion

_HEADER = "c2sp.org/tlog-proof@v1"
_MAX_PATH = 63  # the longest path in a tree of 2^63 leaves


class MalformedProof(InvalidProof):
    """The bytes are not a `.tlog-proof`. An InvalidProof: whoever handles that handles this."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """The parts of a `.tlog-proof`.

    In: leaf index; inclusion path of 32-byte hashes, leaf end first; the signed checkpoint, verbatim,
    cosignatures included; `extra`, opaque bytes that NOTHING authenticates. Errors: ValueError for
    values that the format cannot hold. Source: tlog-proof, "Format".
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def __post_init__(self) -> None:
        parse_decimal(str(self.index))
        if len(self.hashes) > _MAX_PATH or any(len(hash_) != HASH_SIZE for hash_ in self.hashes):
            raise ValueError(f"a path is at most {_MAX_PATH} hashes of {HASH_SIZE} bytes")


def encode_tlog_proof(proof: TlogProof) -> str:
    """Format a `.tlog-proof`. Twin of `decode_tlog_proof`. Source: tlog-proof, "Format"."""
    extra = [] if proof.extra is None else [f"extra {encode_base64(proof.extra)}"]
    path = [encode_base64(hash_) for hash_ in proof.hashes]
    return "\n".join([_HEADER, *extra, f"index {proof.index}", *path, "", proof.checkpoint])


def decode_tlog_proof(data: str | bytes) -> TlogProof:
    """Parse a `.tlog-proof` and verify nothing. Errors: MalformedProof. Source: tlog-proof, "Format"."""
    try:
        text = data if isinstance(data, str) else data.decode()
        # The FIRST blank line ends the path; what follows is the checkpoint, blank lines and all.
        head, separator, checkpoint = text.partition("\n\n")
        header, *lines = head.split("\n")
        if header != _HEADER or not separator or not lines:
            raise ValueError("header, index line or checkpoint missing")
        extra = _field(lines.pop(0), "extra ") if lines[0].startswith("extra ") else None
        index = parse_decimal(_field(lines.pop(0), "index "))
        hashes = tuple(decode_base64(line) for line in lines)
        return TlogProof(index, hashes, checkpoint, None if extra is None else decode_base64(extra))
    except (ValueError, IndexError) as error:
        raise MalformedProof("not a tlog-proof") from error


def _field(line: str, name: str) -> str:
    if not line.startswith(name):
        raise ValueError(f"no {name}line")
    return line.removeprefix(name)


def verify_tlog_proof(
    data: str | bytes,
    leaf_hash: bytes,
    *,
    origin: str,
    log_verifiers: Iterable[Verifier],
    witness_verifiers: Iterable[Verifier] = (),
) -> SignedCheckpoint:
    """Verify that the log `origin` includes the entry with `leaf_hash`, where the proof says it is.

    In: the file; the 32-byte leaf hash, computed from the entry's own bytes; the log's origin and keys,
    known from elsewhere; keys of witnesses. Out: the verified checkpoint; its cosignatures are for the
    caller's policy to weigh. Errors: InvalidProof (MalformedProof among them); the NoteErrors of
    `open_checkpoint`; ValueError if the leaf hash has not 32 bytes. Source: tlog-proof.
    """
    proof = decode_tlog_proof(data)
    signed = open_checkpoint(
        proof.checkpoint, origin=origin, log_verifiers=log_verifiers, witness_verifiers=witness_verifiers
    )
    # The index is the file's claim, not the caller's: out of range is a false proof, not a bad call.
    if proof.index >= signed.checkpoint.tree_size:
        raise InvalidProof
    check_inclusion(leaf_hash, proof.index, signed.checkpoint.tree_size, proof.hashes, signed.checkpoint.root_hash)
    return signed

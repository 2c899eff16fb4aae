"""The body of `add-checkpoint`, with which a log asks a witness for a cosignature (C2SP tlog-witness).

old <size>
<consistency proof, a hash a line>

<signed checkpoint>
"""

from dataclasses import dataclass
from typing import Final

from ledger.tlog.checkpoint import parse_decimal
from ledger.tlog.hashes import HASH_SIZE
from ledger.tlog.note import decode_base64, encode_base64

MAX_PROOF: Final = 63
"""Lines of a consistency proof (tlog-witness, "add-checkpoint")."""

SIZE_TYPE: Final = "text/x.tlog.size"
"""Content type of a 409's body: the size that the witness cosigned last."""


class MalformedRequest(ValueError):
    """The body is not an `add-checkpoint` request."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A checkpoint for a witness, with the proof that it continues the one of `old_size`. `note` is the signed note."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str


def encode_add_checkpoint(request: AddCheckpoint) -> bytes:
    """Format the body. Twin of `decode_add_checkpoint`.

    Errors: ValueError for more than 63 hashes, or for one that has not 32 bytes.
    """
    if len(request.proof) > MAX_PROOF or any(len(each) != HASH_SIZE for each in request.proof):
        raise ValueError(f"a consistency proof is at most {MAX_PROOF} hashes of {HASH_SIZE} bytes")
    hashes = "".join(f"{encode_base64(each)}\n" for each in request.proof)
    return f"old {request.old_size}\n{hashes}\n{request.note}".encode()


def decode_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Parse a body and verify nothing. Errors: MalformedRequest."""
    # the FIRST blank line ends the proof: the note behind it has one of its own
    head, separator, note = body.partition(b"\n\n")
    try:
        first, *hashes = head.decode("ascii").split("\n")
        if not separator or not first.startswith("old ") or len(hashes) > MAX_PROOF:
            raise ValueError("no old size, or too long a proof")
        proof = tuple(decode_base64(line) for line in hashes)
        if any(len(each) != HASH_SIZE for each in proof):
            raise ValueError("not a hash")
        return AddCheckpoint(parse_decimal(first.removeprefix("old ")), proof, note.decode())
    except ValueError as error:
        raise MalformedRequest("not an add-checkpoint request") from error

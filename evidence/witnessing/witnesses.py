"""What a witness is asked (C2SP tlog-witness): to cosign a checkpoint, and what it has cosigned last."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from evidence.anchor_models import Outcome
from evidence.witnessing.asking import CLOCKS_DIFFER, NoAnswer, get, post
from evidence.witnessing.configured import Witness
from ledger.tlog import (
    SIZE_TYPE,
    AddCheckpoint,
    Checkpoint,
    Cosignature,
    NoteError,
    SignedCheckpoint,
    Verifier,
    encode_add_checkpoint,
    open_checkpoint,
    read_cosignatures,
)
from ledger.tlog.checkpoint import parse_decimal
from notices.webhooks.transport import Response

TURNS = 3
"""Requests in one attempt: the first, one with the size that the 409 named, and one more where it grew meanwhile."""
REFUSALS = {
    HTTPStatus.BAD_REQUEST: Outcome.MALFORMED,
    HTTPStatus.FORBIDDEN: Outcome.KEY_UNKNOWN,
    HTTPStatus.NOT_FOUND: Outcome.LOG_UNKNOWN,
    HTTPStatus.UNPROCESSABLE_ENTITY: Outcome.CONTRADICTS,
}
Prove = Callable[[int], Sequence[bytes]]
"""The consistency proof from a size to the checkpoint's."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of asking. `size`: what the witness says it has cosigned last, where it said so."""

    outcome: Outcome
    detail: str = ""
    cosignature: Cosignature | None = None
    size: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a witness shows to monitors: a checkpoint that bears the log's signature, and its own."""

    opened: SignedCheckpoint

    @property
    def checkpoint(self) -> Checkpoint:
        return self.opened.checkpoint


def ask_to_cosign(
    witness: Witness,
    note: str,
    *,
    tree_size: int,
    known_size: int,
    prove: Prove,
    sealed_at: datetime | None = None,
) -> Reply:
    """Ask for a cosignature, with proofs from wherever the witness says it is. Never raises for what it answers.

    In: the signed note of a tree of `tree_size`; what the witness cosigned last, as far as is known; when the tree's
    last entry came, before which nobody can have seen it.
    """
    old = min(known_size, tree_size)
    for _ in range(TURNS):
        body = encode_add_checkpoint(AddCheckpoint(old, tuple(prove(old)), note))
        try:
            answer = post(f"{witness.url}/add-checkpoint", body, "text/plain; charset=utf-8")
        except NoAnswer as error:
            return Reply(error.outcome, error.detail, retry_after=error.retry_after)
        if answer.status != HTTPStatus.CONFLICT:
            return _judged(witness, note, answer, tree_size, sealed_at)
        said = _said_size(answer)
        if said is None:  # as the first edition of the specification has it for the same size with another root
            return Reply(Outcome.CONTRADICTS, "HTTP 409 without a size")
        if said > tree_size:
            return Reply(Outcome.AHEAD, f"It says {said:,}.", size=said)
        if said == old:
            break
        old = said
    return Reply(Outcome.BEHIND, f"It says {old:,}.", size=old)


def _judged(witness: Witness, note: str, answer: Response, tree_size: int, sealed_at: datetime | None) -> Reply:
    if answer.status != HTTPStatus.OK:
        outcome = next((each for code, each in REFUSALS.items() if code == answer.status), Outcome.REFUSED)
        return Reply(outcome, f"HTTP {answer.status}")
    try:
        [cosignature] = read_cosignatures(note, answer.body, [witness.verifier])
    except NoteError as error:
        return Reply(Outcome.UNCOSIGNED, f"{type(error).__name__}: {error}")
    # a witness without a clock says nothing about time: neither that something was there, nor since when
    now = time.time()
    if cosignature.timestamp > now + CLOCKS_DIFFER.total_seconds():
        return Reply(Outcome.UNCOSIGNED, "Its clock is more than an hour ahead of this host's.")
    # an entry from the future is one of a clock of ours that was wrong then: what comes now is not before it
    if sealed_at and cosignature.timestamp < min(sealed_at.timestamp(), now) - CLOCKS_DIFFER.total_seconds():
        return Reply(Outcome.UNCOSIGNED, "By its clock it cosigned more than an hour before there was such a tree.")
    return Reply(Outcome.ANCHORED, cosignature=cosignature, size=tree_size)


def _said_size(answer: Response) -> int | None:
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != SIZE_TYPE:
        return None
    try:
        return parse_decimal(answer.body.decode("ascii").removesuffix("\n"))
    except ValueError:
        return None


def last_shown(witness: Witness, origin: str, log_verifiers: Sequence[Verifier]) -> Shown | None:
    """The largest checkpoint of a log that a witness shows to have cosigned; None where it shows none.

    Errors: `NoAnswer`, also for a note that does not bear both signatures.
    """
    digest = hashlib.sha256(origin.encode()).hexdigest()
    answer = get(f"{witness.url}/{digest}/checkpoint")
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return None
    if answer.status != HTTPStatus.OK:
        raise NoAnswer(Outcome.REFUSED, f"HTTP {answer.status}")
    try:
        note = answer.body.decode()
        opened = open_checkpoint(note, origin=origin, log_verifiers=log_verifiers, witness_verifiers=[witness.verifier])
    except (NoteError, UnicodeDecodeError) as error:
        raise NoAnswer(Outcome.UNCOSIGNED, f"{type(error).__name__}: {error}") from error
    if not opened.cosignatures:
        raise NoAnswer(Outcome.UNCOSIGNED, "What it shows does not bear its cosignature.")
    return Shown(opened)

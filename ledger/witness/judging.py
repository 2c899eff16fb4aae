"""What a witness answers to `add-checkpoint` (C2SP tlog-witness), and how it cosigns what it has fetched itself.

400  not a request, not a note, not a checkpoint; an old size above the checkpoint's
404  a log that nobody asked to have watched
403  no signature by a key of the log, or one that fails
409  the old size is not the one cosigned last, which the body then says
422  the proof does not show that the tree grew from that one; another root at the same size
200  cosigned: one signature line
"""

from dataclasses import dataclass
from http import HTTPStatus

from ledger.tlog import (
    SIZE_TYPE,
    Checkpoint,
    Cosigner,
    InvalidProof,
    InvalidSignature,
    MalformedCheckpoint,
    MalformedNote,
    MalformedRequest,
    UnverifiedNote,
    Verifier,
    check_consistency,
    decode_add_checkpoint,
    open_note,
    split_note,
    with_cosignatures,
)
from ledger.tlog.add_checkpoint import AddCheckpoint
from ledger.witness.memory import Known, Memory, MemoryFull, Refusal
from ledger.witness.watched import Watched

PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str
    content_type: str = PLAIN


class Refused(Exception):
    """Not cosigned; `answer` says why."""

    def __init__(self, status: HTTPStatus, text: str, content_type: str = PLAIN) -> None:
        self.answer = Answer(int(status), f"{text}\n", content_type)
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Judge:
    """A witness's key, its memory and the logs it works for."""

    cosigner: Cosigner
    memory: Memory
    watched: Watched

    def add_checkpoint(self, body: bytes, *, now: int) -> Answer:
        """Answer a request. In: its body; POSIX seconds. Nothing is answered before it is on disk."""
        try:
            request = decode_add_checkpoint(body)
        except MalformedRequest:
            return Answer(400, "This is not an add-checkpoint request.\n")
        try:
            checkpoint = self._opened(request.note)
        except Refused as refused:
            return refused.answer
        try:
            return Answer(200, self.cosign(checkpoint, request, now=now))
        except Refused as refused:
            answer = refused.answer
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            # it bears the log's own signature: perhaps the only copy of what the log should not have signed
            self.memory.refuse(Refusal(checkpoint.origin, now, answer.status, request.old_size, request.note))
        return answer

    def cosign(self, checkpoint: Checkpoint, request: AddCheckpoint, *, now: int) -> str:
        """Cosign a checkpoint that bears the log's signature, if it extends what is known. Out: the signature line.

        Errors: `Refused`.
        """
        if request.old_size > checkpoint.tree_size:
            raise Refused(HTTPStatus.BAD_REQUEST, "The old size is larger than the checkpoint's.")
        with self.memory.changing():
            known = self.memory.known(checkpoint.origin)
            if request.old_size != known.tree_size:
                raise Refused(HTTPStatus.CONFLICT, str(known.tree_size), SIZE_TYPE)
            _require_growth(known, checkpoint, request.proof)
            line = self.cosigner.cosign(checkpoint.to_text(), now)
            note = with_cosignatures(request.note, [line])
            try:
                self.memory.remember(
                    checkpoint.origin, Known(checkpoint.tree_size, checkpoint.root_hash, note, cosigned_at=now)
                )
            except MemoryFull as error:
                raise Refused(HTTPStatus.NOT_FOUND, "This witness keeps no more logs.") from error
        return line

    def _opened(self, note: str) -> Checkpoint:
        """The checkpoint in a note, once its signature was verified. Errors: `Refused`."""
        try:
            text, _ = split_note(note)
        except MalformedNote as error:
            raise Refused(HTTPStatus.BAD_REQUEST, "This is not a signed note.") from error
        origin = text.partition("\n")[0]
        keys = self.watched.keys_for(origin)
        if not keys:
            raise Refused(HTTPStatus.NOT_FOUND, "This witness does not know this log.")
        try:
            open_note(note, keys)
        except (InvalidSignature, UnverifiedNote) as error:
            raise Refused(HTTPStatus.FORBIDDEN, "It bears no valid signature of the log.") from error
        return _checkpoint(text, keys)


def _checkpoint(text: str, keys: list[Verifier]) -> Checkpoint:
    try:
        return Checkpoint.from_text(text)
    except MalformedCheckpoint as error:
        size = text.split("\n")[1:2]
        if size == ["0"]:  # it says which tree, and there is none of that size with that root
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "A tree of size 0 has one root only.") from error
        raise Refused(HTTPStatus.BAD_REQUEST, "This is not a checkpoint.") from error


def _require_growth(known: Known, checkpoint: Checkpoint, proof: tuple[bytes, ...]) -> None:
    try:
        check_consistency(known.tree_size, checkpoint.tree_size, proof, known.root_hash, checkpoint.root_hash)
    except InvalidProof as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "The proof does not show that the log only grew.") from error

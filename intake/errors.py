"""Why a decision is not taken in."""

from config.errors import BadRequest, Conflict, InvalidInput, MalformedBody, NotFound, PayloadTooLarge, Unavailable


class MalformedRecord(Exception):
    """The fast decoder refused a record. Never reaches a caller: `intake.diagnosis` turns it into `InvalidDecision`."""


class InvalidDecision(InvalidInput):
    code = "invalid-decision"
    title = "This is not a valid decision record"
    meaning = (
        "One or more fields of the decision record are wrong; `errors` names each with a JSON pointer. "
        "The record is kept in quarantine, where people can correct its envelope and replay it under `quarantine_id`."
    )


class DecisionTooOld(InvalidDecision):
    code = "id-too-old"
    title = "The id of this decision is too old"
    meaning = (
        "The time in a UUIDv7 decision id may lie at most 35 days back. The record is kept in quarantine; a replay "
        "records it under `quarantine_id`."
    )


class UnreadableBody(MalformedBody):
    code = "unreadable-body"
    title = "No decision record can be read from the body"
    meaning = (
        "The body is not UTF-8 JSON (or NDJSON), is cut off, or is not compressed as its headers say. "
        "The first 64 KiB and a digest of it are kept in quarantine."
    )

    def __init__(self, detail: str = "", *, body: bytes = b"") -> None:
        super().__init__(detail)
        self.body = body


class RecordTooLarge(PayloadTooLarge):
    code = "record-too-large"
    title = "The decision record is too large"
    meaning = (
        "One decision record may have 1 MiB. Store larger inputs where they are and send a reference and a digest."
    )
    default_detail = "One decision record may have 1 MiB."


class TooManyRecords(PayloadTooLarge):
    code = "too-many-records"
    title = "The batch holds too many records"
    meaning = "One batch may hold 5,000 records. Send it in smaller parts."
    default_detail = "One batch may hold 5,000 records."


class DigestKeyUnavailable(Unavailable):
    """Without it an `external_id` cannot be told from a new one; making another key would end what it stands for."""

    code = "digest-key-unavailable"
    title = "The key of the digests cannot be read"


class MissingBody(BadRequest):
    code = "body-missing"
    title = "The request has no body"
    meaning = "A decision record is sent as the body of the request."


class DecisionConflict(Conflict):
    code = "decision-conflict"
    title = "Another decision was recorded under this id"
    meaning = (
        "The id, or the caller's own key beside it, is taken by a decision with other content. The first record "
        "stands; the attempt was recorded too. Send a new decision under a new id and key."
    )


class IdTaken(Conflict):
    code = "id-taken"
    title = "This id cannot be used"
    meaning = "The id is in use. Send the decision under a new UUIDv7."
    default_detail = "The id is in use; send the decision under a new UUIDv7."


class IntakeBusy(Unavailable):
    code = "intake-busy"
    title = "More decisions are arriving than can be sealed"
    meaning = "The queue is full or the wait was too long. Nothing was acknowledged; send the same records again."
    default_detail = "More decisions are arriving than can be sealed. Send the same records again."


class LogBusy(Unavailable):
    code = "log-busy"
    title = "The log of this AI system is busy"
    meaning = (
        "Another process holds the log for longer than usual. Nothing was acknowledged; send the same records again."
    )
    default_detail = "The log of this AI system is busy. Send the same records again."


class SourceNotFound(NotFound):
    code = "source-not-found"
    title = "There is no such source"
    meaning = "No source of this id is there for whoever is asking."

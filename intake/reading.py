"""From bytes to one decision record, or to everything that is wrong with it."""

from intake.diagnosis import explain
from intake.errors import InvalidDecision, MalformedRecord, UnreadableBody
from intake.wire import DecisionRecord, decode_record


def read_record(raw: bytes) -> DecisionRecord:
    """One record. Errors: `InvalidDecision` with every problem named, `UnreadableBody` where it is not UTF-8."""
    if not raw.isascii():
        _check_utf8(raw)
    try:
        return decode_record(raw)
    except MalformedRecord as error:
        raise invalid_decision(raw) from error


def _check_utf8(raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise UnreadableBody(f"Byte {error.start} is not UTF-8.", body=raw) from error


def invalid_decision(raw: bytes) -> InvalidDecision:
    """What is wrong with a record, every problem named."""
    problems = explain(raw)
    count = "One field is" if len(problems) == 1 else f"{len(problems)} fields are"
    return InvalidDecision(f"{count} not valid; `errors` says which and why.", errors=problems)

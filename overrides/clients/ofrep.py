"""OFREP 0.3 (OpenFeature Remote Evaluation Protocol): single and bulk evaluation, as stock providers need them.

Written against what those providers do with an answer, not against the specification alone: they turn into the code's
default whatever lacks a member, is null, or is redirected. Every refusal has `errorCode` and `errorDetails`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings

from config.errors import ServiceError
from governance.register import KeyGrant
from overrides.clients import seen, stream_tokens, unknown_flags
from overrides.clients.answers import NEVER_KEPT, Answer, Question, conditional
from overrides.clients.errors import EvaluationTooLarge
from overrides.clients.flags import Narrowing, all_flags, flag_for
from overrides.clients.reach import Sight
from overrides.clients.shelf import document_for, sight_of
from overrides.clients.state import StateDocument

MAX_BODY = 64 << 10
MAX_NAME = 200
SILENCE_SECONDS = 30
"""For providers: a stream on which nothing, not even a heartbeat, was heard for so long is dead."""


class Refused(Exception):
    """An evaluation that is not answered with a value."""

    def __init__(self, status: int, code: str, details: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.details, self.headers = status, code, details, headers or {}


def evaluate_one(question: Question, grant: KeyGrant, key: str) -> Answer:
    """One flag. The same 404 for a key that is not there and for one out of reach; both are noted."""
    sight = sight_of(grant)
    narrowing = narrowing_in(question.body)
    name = ("ofrep", key, narrowing)
    body = document_for(name, sight, lambda each: _one(each, key, narrowing))
    if body is None:
        unknown_flags.note(grant.key.id, key)
        raise Refused(404, "FLAG_NOT_FOUND", "There is no flag of this key, or it is out of this key's reach.")
    return Answer(status=200, body=body, headers=NEVER_KEPT)


def _one(sight: Sight, key: str, narrowing: Narrowing) -> bytes | None:
    flag = flag_for(sight, key, narrowing)
    return orjson.dumps(flag.document()) if flag else None


def evaluate_all(question: Question, grant: KeyGrant) -> Answer:
    """Every flag within reach, with an ETag over all that stands in the answer, the stream's address too."""
    narrowing = narrowing_in(question.body)
    token = stream_tokens.stream_token(grant)
    name = ("ofrep", narrowing, token)
    sight = sight_of(grant)
    found = document_for(name, sight, lambda each: _all(each, narrowing, token))
    seen.note(grant, question.headers.get("if-none-match", ""), sight.controls.control.epoch)
    return conditional(found.etag, found.rest, question)


def _all(sight: Sight, narrowing: Narrowing, token: str) -> StateDocument:
    address = f"{settings.CONTROL_URL}/ofrep/v1/events?token={token}"
    stream = {"type": "sse", "url": address, "inactivityDelaySec": SILENCE_SECONDS}
    epoch = str(sight.controls.control.epoch)
    metadata = {"epoch": epoch, "is_stale": sight.is_stale}
    flags = [flag.document() for flag in all_flags(sight, narrowing)]
    body = orjson.dumps({"flags": flags, "metadata": metadata, "eventStreams": [stream]})
    return StateDocument(f"{epoch}-{hashlib.sha256(body).hexdigest()[:16]}", body)


def narrowing_in(body: bytes) -> Narrowing:
    """What the context says of model version and capability. All else in it is nobody's business here.

    Lenient where providers are: no body, no context, no targeting key are fine. Errors: `Refused`.
    """
    if len(body) > MAX_BODY:
        raise Refused(413, "GENERAL", EvaluationTooLarge.default_detail)
    if not body.strip():
        return Narrowing()
    context = _context_in(body)
    return Narrowing(*(_name_in(context, name) for name in Narrowing._fields))


def _context_in(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "PARSE_ERROR", "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise Refused(400, "PARSE_ERROR", "The body is not a JSON object.")
    context = found.get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise Refused(400, "INVALID_CONTEXT", "`context` is not a JSON object.")
    return context


def _name_in(context: dict[str, Any], name: str) -> str:
    found = context.get(name)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > MAX_NAME:
        # not passed over: a version given as a number would miss the switch that is meant for it
        raise Refused(400, "INVALID_CONTEXT", f"`{name}` in the context is not a string of at most {MAX_NAME}.")
    return found


def refusal(refused: Refused, key: str = "") -> Answer:
    """An error as OFREP has it."""
    document = {"key": key} if key else {}
    document |= {"errorCode": refused.code, "errorDetails": refused.details}
    headers = {"Cache-Control": "no-store", **refused.headers}
    return Answer(status=refused.status, body=orjson.dumps(document), headers=headers)


def refused_for(error: ServiceError) -> Refused:
    """A refusal of ours in OFREP's words. Its status and headers stand."""
    return Refused(error.status, "GENERAL", error.detail, error.headers)

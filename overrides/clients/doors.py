"""The one implementation behind both doors: a question in, an answer out, no I/O but the database at a first start."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from config.errors import InternalError, MethodNotAllowed, NotFound, ServiceError
from config.problems import as_service_error, note
from governance.api.authentication import authenticate_key
from governance.register import KeyGrant
from governance.usage import READ_CONTROL, note_act
from overrides.clients import metrics, notebook, ofrep
from overrides.clients.answers import Answer, Question, conditional, problem_answer
from overrides.clients.shelf import document_for, sight_of
from overrides.clients.state import StateDocument, state_document

log = structlog.get_logger(__name__)

COUNTED = (metrics.STREAMS, metrics.STREAM_EVENTS)
"""Declared in every process, though one alone counts: a scrape that reaches any other has to know them."""

STATE = "/api/v1/control/state"
EVENTS = "/api/v1/control/events"
BULK = "/ofrep/v1/evaluate/flags"
ONE = re.compile(r"/ofrep/v1/evaluate/flags/([^/]+)/?")
OFREP_EVENTS = "/ofrep/v1/events"
SCOPE = "control:read"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Retry-After, X-Request-ID",
}
PREFLIGHT = CORS | {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "content-type, authorization, x-api-key, if-none-match, last-event-id",
    "Access-Control-Max-Age": "7200",
}


def route_for(path: str) -> str:
    """The pattern of an address, for metrics and logs, as Django's own routes are written. Empty: not for us."""
    if path in (STATE, EVENTS, OFREP_EVENTS):
        return path[1:]
    if path.rstrip("/") == BULK:
        return BULK[1:]
    return f"{BULK[1:]}/<key>" if ONE.fullmatch(path) else ""


def answer(question: Question) -> Answer:
    """The answer to a question at one of these addresses, whatever happens."""
    if question.method == "OPTIONS" and question.path != STATE:
        return Answer(status=204, content_type="", headers=PREFLIGHT)
    try:
        return _state(question) if question.path == STATE else _with_cors(_evaluate(question))
    except Exception as error:  # noqa: BLE001 - said by `refusal`, and logged there where it is a fault of ours
        return refusal(question, error)


def refusal(question: Question, error: Exception) -> Answer:
    """What went wrong, in the words of whoever asked."""
    if not question.path.startswith("/ofrep/"):
        return problem_answer(_refused(error), question.request_id)
    found = error if isinstance(error, ofrep.Refused) else ofrep.refused_for(_refused(error))
    return _with_cors(ofrep.refusal(found, _key_in(question)))


def _refused(error: Exception) -> ServiceError:
    """Any exception as a refusal; one that is a fault of ours is logged."""
    found = as_service_error(error)
    if found is None:
        log.error("control.failed", exc_info=error)
        return InternalError()
    note(error, found)
    return found


def _with_cors(found: Answer) -> Answer:
    return replace(found, headers={**found.headers, **CORS})


# --- the state --------------------------------------------------------------------------------------------------------
def _state(question: Question) -> Answer:
    if question.method not in ("GET", "HEAD"):
        raise MethodNotAllowed(headers={"Allow": "GET, HEAD"})
    document = state_for(grant_for(question))
    return conditional(document.etag, document.at(datetime.now(UTC)), question)


def state_for(grant: KeyGrant) -> StateDocument:
    """The state as a key sees it now."""
    return document_for("state", sight_of(grant), state_document)


def grant_for(question: Question) -> KeyGrant:
    """Who asks, by a header of OFREP's kind or of ours. Goes on while the register is stale.

    Errors: `KeyNotAccepted`, `KeyOutOfScope`.
    """
    return reading(authenticate_key(credentials_of(question), stale_ok=True))


def credentials_of(question: Question) -> str:
    """What it sends of a key, as an `Authorization` header."""
    key = question.headers.get("x-api-key")
    return question.headers.get("authorization", "") or (f"Bearer {key}" if key else "")


def reading(grant: KeyGrant) -> KeyGrant:
    """A key that may read the controls; that it did is noted in memory. Errors: `KeyOutOfScope`."""
    grant.require(SCOPE)
    note_act(grant.key.id, READ_CONTROL, datetime.now(UTC))
    return grant


# --- OFREP ------------------------------------------------------------------------------------------------------------
def _evaluate(question: Question) -> Answer:
    key = _key_in(question)
    if not key and question.path.rstrip("/") != BULK:
        raise NotFound()
    if question.method != "POST":
        raise MethodNotAllowed(headers={"Allow": "POST, OPTIONS"})
    notebook.ensure_writing()
    grant = grant_for(question)
    return ofrep.evaluate_one(question, grant, key) if key else ofrep.evaluate_all(question, grant)


def _key_in(question: Question) -> str:
    found = ONE.fullmatch(question.path)
    return found[1] if found else ""

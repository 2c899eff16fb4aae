"""The one implementation behind both doors: a question in, an answer out, no I/O but the database at a first start."""

import re
from datetime import UTC, datetime

import structlog

from config.errors import InternalError, MethodNotAllowed, NotFound, ServiceError
from config.problems import as_service_error, note
from governance.api.authentication import authenticate_key
from governance.memory import KeyGrant
from overrides.clients import ofrep
from overrides.clients.answers import Answer, Question, conditional, problem_answer
from overrides.clients.shelf import document_for, sight_of
from overrides.clients.state import StateDocument, state_document

log = structlog.get_logger(__name__)

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
    if question.path == STATE:
        return answer_state(question)
    found = _answer_ofrep(question)
    return Answer(
        status=found.status, body=found.body, content_type=found.content_type, headers={**found.headers, **CORS}
    )


# --- the state --------------------------------------------------------------------------------------------------------
def answer_state(question: Question) -> Answer:
    try:
        return _state(question)
    except Exception as error:  # noqa: BLE001 - said by `refused`: logged where it is a fault of ours
        return problem_answer(refused(error), question.request_id)


def _state(question: Question) -> Answer:
    if question.method not in ("GET", "HEAD"):
        raise MethodNotAllowed(headers={"Allow": "GET, HEAD"})
    grant = grant_for(question)
    document = state_for(grant)
    return conditional(document.etag, document.at(datetime.now(UTC)), question)


def state_for(grant: KeyGrant) -> StateDocument:
    """The state as a key sees it now."""
    return document_for("state", sight_of(grant), state_document)


def grant_for(question: Question) -> KeyGrant:
    """Who asks, by a header of OFREP's kind or of ours. Goes on while the register is stale.

    Errors: `KeyNotAccepted`, `KeyOutOfScope`.
    """
    header = question.headers.get("authorization", "")
    if not header and (key := question.headers.get("x-api-key")):
        header = f"Bearer {key}"
    grant = authenticate_key(header, stale_ok=True)
    grant.require(SCOPE)
    return grant


def refused(error: Exception) -> ServiceError:
    """Any exception as a refusal; one that is a fault of ours is logged."""
    refusal = as_service_error(error)
    if refusal is None:
        log.error("control.failed", exc_info=error)
        return InternalError()
    note(error, refusal)
    return refusal


# --- OFREP ------------------------------------------------------------------------------------------------------------
def _answer_ofrep(question: Question) -> Answer:
    found = ONE.fullmatch(question.path)
    key = found[1] if found else ""
    if question.method == "OPTIONS":
        return Answer(status=204, content_type="", headers=PREFLIGHT)
    try:
        return _evaluate(question, key)
    except ofrep.Refused as error:
        return ofrep.refusal(error, key)
    except Exception as error:  # noqa: BLE001 - said by `refused`: logged where it is a fault of ours
        return ofrep.refusal(ofrep.refused_for(refused(error)), key)


def _evaluate(question: Question, key: str) -> Answer:
    if not key and question.path.rstrip("/") != BULK:
        raise NotFound()
    if question.method != "POST":
        raise MethodNotAllowed(headers={"Allow": "POST, OPTIONS"})
    grant = grant_for(question)
    return ofrep.evaluate_one(question, grant, key) if key else ofrep.evaluate_all(question, grant)

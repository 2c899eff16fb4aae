"""One request to a witness or an authority, with what went wrong in the words of `Outcome`."""

from datetime import timedelta
from http import HTTPStatus

from evidence.anchor_models import Outcome
from evidence.witnessing.configured import rules
from notices.models import Attempt
from notices.webhooks.transport import Response, Unanswered, ask

SECONDS = 10.0
"""For all of it. The lease of whoever asks lasts longer (evidence.services.anchoring)."""
LONGEST_ANSWER = 64 * 1024
CLOCKS_DIFFER = timedelta(hours=1)
"""By more than this no clock may be wrong whose word is kept: neither theirs, nor ours that theirs is compared with."""
WAIT = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)

UNANSWERED = {
    Attempt.Outcome.UNREACHABLE: Outcome.UNREACHABLE,
    Attempt.Outcome.UNKNOWN_HOST: Outcome.UNKNOWN_HOST,
    Attempt.Outcome.BAD_ADDRESS: Outcome.BAD_ADDRESS,
    Attempt.Outcome.TLS_FAILED: Outcome.TLS_FAILED,
    Attempt.Outcome.TIMED_OUT: Outcome.TIMED_OUT,
    Attempt.Outcome.BROKEN_OFF: Outcome.BROKEN_OFF,
}


class NoAnswer(Exception):
    """It did not answer with what can be read as an answer. `retry_after`: seconds that it asked for."""

    def __init__(self, outcome: Outcome, detail: str = "", retry_after: float | None = None) -> None:
        self.outcome, self.detail, self.retry_after = outcome, detail, retry_after
        super().__init__(detail or outcome.label)


def post(url: str, body: bytes, content_type: str) -> Response:
    """Post, and the answer, whatever it says. Errors: `NoAnswer`."""
    return _asked("POST", url, body, {"Content-Type": content_type})


def get(url: str) -> Response:
    """Get, and the answer, whatever it says. Errors: `NoAnswer`."""
    return _asked("GET", url, None, {})


def _asked(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Response:
    headers = {"User-Agent": "Answerable/1", "Connection": "close", **headers}
    try:
        answer = ask(method, url, rules=rules(), body=body, headers=headers, limit=LONGEST_ANSWER, seconds=SECONDS)
    except Unanswered as error:
        raise NoAnswer(UNANSWERED[error.outcome]) from error
    if 300 <= answer.status < 400:
        raise NoAnswer(Outcome.REDIRECTED, f"HTTP {answer.status}")
    if answer.status in WAIT:
        raise NoAnswer(Outcome.THROTTLED, f"HTTP {answer.status}", answer.retry_after)
    return answer

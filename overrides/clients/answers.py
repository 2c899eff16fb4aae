"""One question and one answer, as both doors know them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from config.errors import ServiceError
from config.problems import MEDIA_TYPE, problem_fields

JSON = "application/json"
NEVER_KEPT = {"Cache-Control": "private, no-store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, read in full. Header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_answer(error: ServiceError, request_id: str) -> Answer:
    """A refusal as everywhere else in the API (RFC 9457)."""
    document = problem_fields(error) | {"instance": f"urn:answerable:request:{request_id}"}
    headers = {"Cache-Control": "no-store", **error.headers}
    return Answer(status=error.status, body=orjson.dumps(document), content_type=MEDIA_TYPE, headers=headers)


def is_known(etag: str, if_none_match: str) -> bool:
    """Whether the caller has this already. Compared weakly: a proxy that compresses makes every ETag a weak one."""
    sent = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return f'"{etag}"' in sent or "*" in sent


def conditional(etag: str, body: bytes, question: Question) -> Answer:
    """200 with the body, or 304 by hand: Django's own way answers a conditional POST with 412."""
    headers = NEVER_KEPT | {"ETag": f'"{etag}"'}
    if is_known(etag, question.headers.get("if-none-match", "")):
        return Answer(status=304, content_type="", headers=headers)
    return Answer(status=200, body=body, headers=headers)

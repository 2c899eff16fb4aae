"""RFC 9457 problem documents: the one wire format of every refusal, from REST framework views and plain ones alike."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import psycopg
import structlog
from django.core import exceptions as django_errors
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from rest_framework import exceptions as drf
from rest_framework.views import set_rollback

from config.errors import (
    BadRequest,
    FieldProblem,
    Forbidden,
    InternalError,
    InvalidInput,
    MalformedBody,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    ServiceError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from config.pointers import pointer
from config.request_ids import request_id

MEDIA_TYPE = "application/problem+json"
API_PATHS = re.compile(r"/(api|ofrep|v1|logs|healthz|readyz|metrics)(/|$)")
"""Where programs call: every refusal there is a problem document, whatever made it. Elsewhere people get pages."""

log = structlog.get_logger(__name__)


def is_api_path(path: str) -> bool:
    return API_PATHS.match(path) is not None


def type_uri(kind: type[ServiceError] | ServiceError) -> str:
    """Stable and relative; leads to the page that explains the problem."""
    return f"/problems/{kind.code}"


def instance_of(request: HttpRequest) -> str:
    """Names this occurrence by the request's id, which is on the log line too."""
    return f"urn:answerable:request:{request_id(request)}"


def problem_document(error: ServiceError, request: HttpRequest) -> dict[str, Any]:
    return problem_fields(error) | {"instance": instance_of(request)}


def problem_fields(error: ServiceError) -> dict[str, Any]:
    """A problem without its occurrence: what a batch's result says about one record."""
    fields: dict[str, Any] = {
        "type": type_uri(error),
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    if error.errors:
        fields["errors"] = [_field(each) for each in error.errors]
    return fields


def _field(problem: FieldProblem) -> dict[str, str]:
    found = {"pointer": problem.pointer, "detail": problem.detail}
    return found | {"expected": problem.expected} if problem.expected is not None else found


def problem_response(error: ServiceError, request: HttpRequest) -> HttpResponse:
    """The answer to a request that was refused. Never cached: the next try may go well."""
    body = orjson.dumps(problem_document(error, request))
    headers = {"Cache-Control": "no-store", **error.headers}
    return HttpResponse(body, status=error.status, content_type=MEDIA_TYPE, headers=headers)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """For REST framework. What is not a refusal is a fault: None lets it become a logged 500."""
    refusal = as_service_error(error)
    if refusal is None:
        return None
    set_rollback()
    note(error, refusal)
    return problem_response(refusal, context["request"])


def note(error: BaseException, refusal: ServiceError) -> None:
    """One line for the operator where the service itself is at fault; its kind only, for messages may quote rows."""
    if refusal.status >= 500 and not isinstance(error, ServiceError):
        log.warning("request.unavailable", code=refusal.code, exception=type(error).__qualname__)


def as_service_error(error: BaseException) -> ServiceError | None:
    """The refusal an exception amounts to, or None where it is a fault of ours."""
    if isinstance(error, ServiceError):
        return error
    for kinds, translate in TRANSLATIONS:
        if isinstance(error, kinds):
            return translate(error)
    return None


def current_service_error() -> ServiceError:
    """For handlers that Django calls from inside an `except`: the refusal for the exception being handled."""
    error = sys.exc_info()[1]
    refusal = as_service_error(error) if error else None
    return refusal or InternalError()


def problem_for_status(status: int) -> ServiceError:
    """The problem for a bare status that somebody else's code answered with."""
    kind = STATUS_PROBLEMS.get(status) or (InternalError if status >= 500 else BadRequest)
    return kind()


def in_words(error: ServiceError | django_errors.ValidationError) -> str:
    """A refusal for the command line: each field with what is wrong with it, else the sentence."""
    refusal = as_service_error(error)
    found = refusal.errors if refusal else []
    lines = [f"{each.pointer.strip('/')}: {each.detail}".removeprefix(": ") for each in found]
    return "\n".join(lines) or str(refusal or error)


STATUS_PROBLEMS: dict[int, type[ServiceError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    503: Unavailable,
}

# --- translations, the most particular first -------------------------------------------------------------------------


def _from_django_validation(error: django_errors.ValidationError) -> ServiceError:
    if not hasattr(error, "error_dict"):
        return InvalidInput(errors=[FieldProblem(pointer="", detail=text) for text in error.messages])
    fields = {
        "" if name == django_errors.NON_FIELD_ERRORS else name: texts for name, texts in error.message_dict.items()
    }
    found = [
        FieldProblem(pointer=pointer(name) if name else "", detail=text)
        for name, texts in fields.items()
        for text in texts
    ]
    return InvalidInput(_counted(found), errors=found)


def _from_drf_validation(error: drf.ValidationError) -> ServiceError:
    found = list(_field_problems(error.detail, ()))
    return InvalidInput(_counted(found), errors=found)


def _counted(found: Sequence[FieldProblem]) -> str:
    if len(found) == 1:
        return "One field is not valid; `errors` says which and why."
    return f"{len(found)} fields are not valid; `errors` says which and why."


def _field_problems(detail: Any, path: tuple[str | int, ...]) -> Iterator[FieldProblem]:
    """Walk REST framework's nested details. A list of texts belongs to its field, a list of objects to its items."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _field_problems(inner, path if name == "non_field_errors" else (*path, name))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _field_problems(inner, path if isinstance(inner, str) else (*path, index))
    else:
        yield FieldProblem(pointer=pointer(*path), detail=str(detail))


def _from_unauthenticated(error: drf.APIException) -> ServiceError:
    header = getattr(error, "auth_header", None)
    return Unauthenticated(_own_words(error), headers={"WWW-Authenticate": header} if header else None)


def _from_throttled(error: drf.Throttled) -> ServiceError:
    return TooManyRequests(retry_after=int(getattr(error, "wait", None) or 1))


def _own_words(error: drf.APIException) -> str:
    """What the raiser said; nothing where it is REST framework's stock phrase and ours says more."""
    text = str(error.detail)
    return "" if text == str(type(error).default_detail) else text


def _from_other_api_exception(error: drf.APIException) -> ServiceError:
    if error.status_code >= 500:
        return Unavailable() if error.status_code == 503 else InternalError()
    return BadRequest(_own_words(error))


def _from_broken_json(error: drf.ParseError) -> ServiceError:
    return MalformedBody(str(error.detail))


def _is(kind: type[ServiceError]) -> Callable[[Any], ServiceError]:
    """A refusal in its own default words, whatever the exception said."""

    def translate(error: Any) -> ServiceError:
        return kind()

    return translate


Translation = tuple[tuple[type[BaseException], ...], Callable[[Any], ServiceError]]
TRANSLATIONS: list[Translation] = [
    ((drf.ValidationError,), _from_drf_validation),
    ((drf.ParseError,), _from_broken_json),
    ((drf.NotAuthenticated, drf.AuthenticationFailed), _from_unauthenticated),
    ((drf.PermissionDenied,), lambda error: Forbidden(_own_words(error))),
    ((drf.NotFound, Http404), _is(NotFound)),
    ((drf.MethodNotAllowed,), _is(MethodNotAllowed)),
    ((drf.NotAcceptable,), _is(NotAcceptable)),
    ((drf.UnsupportedMediaType,), _is(UnsupportedMediaType)),
    ((drf.Throttled,), _from_throttled),
    ((drf.APIException,), _from_other_api_exception),
    ((django_errors.ValidationError,), _from_django_validation),
    ((django_errors.PermissionDenied,), _is(Forbidden)),
    ((django_errors.RequestDataTooBig,), _is(PayloadTooLarge)),
    ((django_errors.TooManyFieldsSent, django_errors.TooManyFilesSent), _is(PayloadTooLarge)),
    ((django_errors.SuspiciousOperation,), _is(BadRequest)),
    ((django_errors.BadRequest,), _is(BadRequest)),
    ((UnreadablePostError,), lambda error: MalformedBody("The connection broke off before the whole body had come.")),
    # A value the database cannot hold: U+0000, a number out of range. It came from the caller; again won't help.
    ((DataError, psycopg.DataError), _is(InvalidInput)),
    # An overloaded, restarting or missing database. Exporters drop their batch on 500 and repeat it on 503.
    ((OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError), _is(Unavailable)),
]

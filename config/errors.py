"""The refusals of every floor: subclasses of `ServiceError`, turned into problem documents by `config.problems`.

A subclass is a few lines: a `code` that never changes once published, the HTTP `status`, a `title`, and `meaning`,
which the page at `/problems/<code>` shows to whoever meets it for the first time.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """What is wrong with one place of the request: a JSON pointer (RFC 6901), a sentence, what would have been right.

    Never quotes the value found there: it may be somebody's personal data, and problem documents end up in logs.
    """

    pointer: str
    detail: str
    expected: str | None = None


class ServiceError(Exception):
    """Something a caller asked for was not done, and the caller can be told why."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request was not carried out"
    meaning: ClassVar[str] = ""
    default_detail: ClassVar[str] = ""
    way_on: ClassVar[tuple[str, str] | None] = None
    """Where a person goes on instead: the words of a button, and its address."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not SLUG.fullmatch(cls.code) or not 400 <= cls.status <= 599:
            raise TypeError(f"{cls.__qualname__}: code is a kebab-case slug and status one of 400 to 599")

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Iterable[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or self.default_detail or f"{self.title}."
        self.errors = list(errors)
        self.headers = dict(headers or {})
        super().__init__(self.detail)

    @property
    def more(self) -> str:
        """What is said beyond the title, for pages that show both."""
        return "" if self.detail == f"{self.title}." else self.detail


class InvalidInput(ServiceError):
    code = "invalid-input"
    status = 422
    title = "Some of what was sent is not valid"
    meaning = "The request was understood, but one or more of its fields are wrong. `errors` names each with a pointer."


class BadRequest(ServiceError):
    code = "bad-request"
    status = 400
    title = "The request cannot be read"
    meaning = (
        "A header, the address or the way the request is put together is not valid. Sending it again will not help."
    )


class MalformedBody(ServiceError):
    code = "malformed-body"
    status = 400
    title = "The body cannot be read"
    meaning = "The body is not what its Content-Type says: broken JSON, a cut-off upload, text that is not UTF-8."


class Unauthenticated(ServiceError):
    code = "unauthenticated"
    status = 401
    title = "Who is asking is not known"
    meaning = (
        "The credential is missing, unknown, expired or revoked; the answer does not say which. "
        "Services send `Authorization: Bearer ans_<id>_<secret>`."
    )
    default_detail = "This needs a valid credential, and none came with the request."

    def __init__(
        self, detail: str = "", *, errors: Iterable[FieldProblem] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, errors=errors, headers={"WWW-Authenticate": "Bearer", **(headers or {})})


class Forbidden(ServiceError):
    code = "forbidden"
    status = 403
    title = "This is not allowed"
    meaning = (
        "Whoever is asking may not do this here. A refusal never tells whether the thing exists, "
        "so the same answer is given for what is not there."
    )
    default_detail = "You may not do this, or there is nothing here of that name. A refusal does not say which."


class NotFound(ServiceError):
    code = "not-found"
    status = 404
    title = "There is nothing here"
    meaning = "The address leads nowhere, or to nothing that the one who asks may know of."
    default_detail = "There is nothing at this address that you may see."


class MethodNotAllowed(ServiceError):
    code = "method-not-allowed"
    status = 405
    title = "This address does not take that method"
    meaning = "The `Allow` header of the answer lists the methods that this address takes."
    default_detail = "The `Allow` header lists the methods this address takes."


class NotAcceptable(ServiceError):
    code = "not-acceptable"
    status = 406
    title = "The answer is not available in that form"
    meaning = (
        "The `Accept` header asks for a media type that this address cannot give. Most of them speak application/json."
    )


class Conflict(ServiceError):
    code = "conflict"
    status = 409
    title = "This does not fit the present state"
    meaning = "Something changed, or was already there. Read the present state before trying again."


class PayloadTooLarge(ServiceError):
    code = "payload-too-large"
    status = 413
    title = "The body is too large"
    meaning = "The body is over the limit of this address, as sent or after decompression. Send it in smaller parts."
    default_detail = "The body is over the limit of this address. Send it in smaller parts."


class UnsupportedMediaType(ServiceError):
    code = "unsupported-media-type"
    status = 415
    title = "The body is of a type this address does not read"
    meaning = "Check `Content-Type` and `Content-Encoding`. JSON is application/json, in UTF-8."
    default_detail = "This address does not read a body of that Content-Type. JSON is application/json."


class Delayed(ServiceError):
    """A refusal that time heals: says when to come back."""

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: int = 1,
        errors: Iterable[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(detail, errors=errors, headers={"Retry-After": str(self.retry_after), **(headers or {})})


class TooManyRequests(Delayed):
    code = "too-many-requests"
    status = 429
    title = "Too many requests"
    meaning = (
        "The key has used up its allowance. Wait the seconds in `Retry-After`. "
        "Repeating the id of a decision that is already sealed is never refused for this reason."
    )
    default_detail = "This key has used up its allowance for the moment."


class Unavailable(Delayed):
    code = "unavailable"
    status = 503
    title = "The service cannot do this right now"
    meaning = (
        "The database is missing, overloaded or took too long. Nothing was acknowledged. "
        "The same request, with the same ids, may safely be sent again."
    )
    default_detail = "The service cannot do this right now. Nothing was acknowledged; send the same request again."


class InternalError(ServiceError):
    code = "internal-error"
    status = 500
    title = "Something went wrong here"
    meaning = "A fault of the service. Its operator finds it in the log by the request id in `instance`."
    default_detail = "A fault of this service kept it from answering. Its log has it under the id of this request."


def problem_types() -> dict[str, type[ServiceError]]:
    """Every declared problem by its code. Two classes with one code would make `type` ambiguous: refused."""
    found: dict[str, type[ServiceError]] = {}
    for kind in _declared(ServiceError):
        if found.setdefault(kind.code, kind) is not kind:
            raise TypeError(f"{kind.__qualname__} and {found[kind.code].__qualname__} both claim {kind.code!r}")
    return dict(sorted(found.items()))


def _declared(parent: type[ServiceError]) -> Iterator[type[ServiceError]]:
    """The subclasses that name a code of their own; one without shares its parent's and is the same problem."""
    for kind in parent.__subclasses__():
        if "code" in vars(kind):
            yield kind
        yield from _declared(kind)


def name_of(error: Exception) -> str:
    """An error as logs name it."""
    return error.code if isinstance(error, ServiceError) else type(error).__name__

"""What every request passes through, the outermost first: id, time and log line; refusals; security headers."""

import re
import time
from collections.abc import Callable
from functools import lru_cache

import structlog
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import ResolverMatch, get_urlconf, resolve

from config import error_pages, request_ids
from config.metrics import count_request
from config.problems import MEDIA_TYPE, as_service_error, is_api_path, note, problem_for_status, problem_response
from config.routes import ids_in, route_of

log = structlog.get_logger("answerable.requests")

GetResponse = Callable[[HttpRequest], HttpResponseBase]

DECISION_POSTS = {("POST", "/api/v1/decisions"), ("POST", "/api/v1/decisions/batch")}
"""The hot path."""
CONTROL_READS = re.compile(r"/ofrep/v1/|/api/v1/control/(state|events)$")
"""Asked by every client, for some of them at each decision."""
UNLOGGED = {
    # a line a decision would cost more than the decision; they are counted instead
    *DECISION_POSTS,
    # asked every few seconds by machines
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}
KEPT_HEADERS = ("Allow", "WWW-Authenticate", "Retry-After")
API_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class RequestMiddleware:
    """Names the request, times it, counts it and says so in one line, without its body, address or answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        name = request_ids.request_id(request)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=name)
        response = self.get_response(request)
        response.headers[request_ids.HEADER] = name
        self.record(request, response, time.perf_counter() - started)
        return response

    def record(self, request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        route = route_of(request)
        count_request(method=_method(request), route=route, status=response.status_code, seconds=seconds)
        if (request.method, request.path) not in UNLOGGED and not CONTROL_READS.match(request.path):
            log.info(
                "request.finished",
                method=_method(request),
                route=route,
                ids=ids_in(request),
                status=response.status_code,
                duration_ms=round(seconds * 1000, 1),
            )


def _method(request: HttpRequest) -> str:
    """A label of few values: the caller may invent methods, and each would be a new series for ever."""
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return request.method if request.method in known else "other"


class RefusalMiddleware:
    """Refusals of plain views, and Django's own HTML refusals where programs call, in the shape the reader expects."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code >= 400 and is_api_path(request.path) and _is_stock(response):
            return _as_problem(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        return refusal_response(request, error)


def refusal_response(request: HttpRequest, error: Exception) -> HttpResponseBase | None:
    """None lets a fault of ours become a logged 500, in its own shape (config.error_pages)."""
    refusal = as_service_error(error)
    if refusal is None:
        return None
    note(error, refusal)
    if is_api_path(request.path):
        return problem_response(refusal, request)
    return error_pages.page(request, refusal)


def _is_stock(response: HttpResponseBase) -> bool:
    """Django answers its own refusals (a method, a host, a token) in HTML; our floors never do to a program."""
    kind = response.headers.get("Content-Type", "")
    return not kind.startswith(MEDIA_TYPE) and (not kind or kind.startswith("text/html"))


def _as_problem(request: HttpRequest, stock: HttpResponseBase) -> HttpResponseBase:
    response = problem_response(problem_for_status(stock.status_code), request)
    for name in KEPT_HEADERS:
        if name in stock.headers:
            response.headers[name] = stock.headers[name]
    return response


class ProgramLaneMiddleware:
    """Decisions are posted and controls are read by programs with keys: static files, sessions, cookies and messages,
    which the middleware after this one brings to pages, are left out. (They cost more than taking in a decision does,
    and one of them redirects addresses that lack a slash: no OFREP provider survives that.)"""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not _is_programs(request):
            return self.get_response(request)
        request.get_host()  # refuses a host that is not ours
        response = self._answer(request)
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        response.headers.setdefault("X-Frame-Options", settings.X_FRAME_OPTIONS)
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        request.resolver_match = match = _match(request.path_info, get_urlconf())
        try:
            answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        except Exception as error:
            refusal = refusal_response(request, error)
            if refusal is None:
                raise
            return refusal
        return answer


def _is_programs(request: HttpRequest) -> bool:
    return (request.method, request.path) in DECISION_POSTS or CONTROL_READS.match(request.path) is not None


@lru_cache(maxsize=512)
def _match(path: str, urlconf: str | None) -> ResolverMatch:
    return resolve(path, urlconf)


class SecurityHeadersMiddleware(CSPMiddleware):
    """The content security policy: pages by django-csp, programs a constant one, since they render nothing."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if _is_page(response):
            return super().process_response(request, response)
        response.headers["Content-Security-Policy"] = API_POLICY
        return response


def _is_page(response: HttpResponseBase) -> bool:
    return response.headers.get("Content-Type", "").startswith(("text/html", "image/svg"))

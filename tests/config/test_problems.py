"""Every refusal as a program sees it."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core import exceptions as django_errors
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from rest_framework import exceptions as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import Delayed, FieldProblem, Forbidden, InvalidInput, ServiceError, problem_types
from config.pointers import pointer
from config.problems import as_service_error, exception_handler, problem_response
from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as real

__all__ = ["handler400", "handler403", "handler404", "handler500"]

RAISED: dict[str, BaseException] = {}
URN = r"urn:answerable:request:"


class RestView(APIView):
    permission_classes = ()

    def get(self, request: Request) -> Response:
        raise RAISED["now"]

    def post(self, request: Request) -> Response:
        return Response({"got": request.data})


@csrf_exempt
def plain(request: HttpRequest) -> HttpResponse:
    raise RAISED["now"]


@csrf_exempt
@require_POST
def only_post(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


urlpatterns = [
    path("api/test/rest", RestView.as_view()),
    path("api/test/plain", plain),
    path("api/test/only-post", only_post),
    path("test/page", plain),
    *real,
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def client() -> Iterator[Client]:
    yield Client(raise_request_exception=False)
    RAISED.clear()


def raising(client: Client, error: BaseException, address: str = "/api/test/rest") -> Any:
    RAISED["now"] = error
    return client.get(address)


@pytest.mark.parametrize("kind", problem_types().values(), ids=lambda kind: kind.code)
@pytest.mark.parametrize("address", ["/api/test/rest", "/api/test/plain"])
def test_every_problem_type_has_one_wire_format(client: Client, kind: type[ServiceError], address: str) -> None:
    problem = FieldProblem(pointer="/a/0", detail="Too long.", expected="at most 3 characters")
    error = kind.__new__(kind)
    ServiceError.__init__(error, "Because.", errors=[problem])

    answer = raising(client, error, address)

    assert answer.status_code == kind.status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "no-store"
    assert answer.json() == {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": "Because.",
        "errors": [{"pointer": "/a/0", "detail": "Too long.", "expected": "at most 3 characters"}],
        "instance": f"urn:answerable:request:{answer['X-Request-ID']}",
    }


@pytest.mark.parametrize("kind", problem_types().values(), ids=lambda kind: kind.code)
def test_type_leads_to_a_page_that_explains_it(client: Client, kind: type[ServiceError]) -> None:
    page = client.get(f"/problems/{kind.code}")

    assert page.status_code == 200
    assert f'id="{kind.code}" aria-current="true"'.encode() in page.content


TRANSLATED = [
    (drf.ParseError("no"), 400, "malformed-body"),
    (drf.NotAuthenticated(), 401, "unauthenticated"),
    (drf.AuthenticationFailed(), 401, "unauthenticated"),
    (drf.PermissionDenied(), 403, "forbidden"),
    (drf.NotFound(), 404, "not-found"),
    (Http404("Decision 7 does not exist"), 404, "not-found"),
    (drf.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
    (drf.NotAcceptable(), 406, "not-acceptable"),
    (drf.UnsupportedMediaType("text/x"), 415, "unsupported-media-type"),
    (drf.Throttled(wait=3.2), 429, "too-many-requests"),
    (drf.ValidationError({"a": ["Wrong."]}), 422, "invalid-input"),
    (django_errors.ValidationError({"a": ["Wrong."]}), 422, "invalid-input"),
    (django_errors.PermissionDenied("secret"), 403, "forbidden"),
    (django_errors.SuspiciousOperation("secret"), 400, "bad-request"),
    (django_errors.RequestDataTooBig(), 413, "payload-too-large"),
    (OperationalError("secret row"), 503, "unavailable"),
    (InterfaceError("secret row"), 503, "unavailable"),
    (psycopg.OperationalError("secret row"), 503, "unavailable"),
]


@pytest.mark.parametrize(("error", "status", "code"), TRANSLATED, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("address", ["/api/test/rest", "/api/test/plain"])
def test_exceptions_of_others_become_problems(
    client: Client, error: Exception, status: int, code: str, address: str
) -> None:
    answer = raising(client, error, address)

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    assert b"secret" not in answer.content
    assert b"Decision 7" not in answer.content


def test_a_missing_database_is_never_a_500_and_says_when_to_return(client: Client) -> None:
    assert raising(client, OperationalError("gone"))["Retry-After"] == "1"


def test_a_throttled_request_says_when_to_return(client: Client) -> None:
    assert raising(client, drf.Throttled(wait=3.2))["Retry-After"] == "4"


def test_a_fault_is_a_500_without_its_message(client: Client) -> None:
    answer = raising(client, ValueError("payload of somebody"), "/api/test/plain")

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert b"somebody" not in answer.content


def test_a_fault_in_a_rest_view_is_left_to_the_logged_500(client: Client) -> None:
    request = RequestFactory().get("/api/x")

    assert exception_handler(ValueError("x"), {"request": request}) is None


def test_unauthenticated_answers_name_the_scheme(client: Client) -> None:
    assert raising(client, drf.NotAuthenticated())["WWW-Authenticate"] == "Bearer"


def test_an_unknown_address_is_a_problem_for_programs(client: Client) -> None:
    answer = client.get("/api/v1/nothing")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("address", ["/v1/nothing", "/logs/nothing", "/api/nothing"])
def test_program_paths_never_answer_in_html(client: Client, address: str) -> None:
    assert client.get(address)["Content-Type"] == "application/problem+json"


def test_an_unknown_page_is_a_page_for_people(client: Client) -> None:
    answer = client.get("/admin/nothing-here/x", follow=False)
    missing = client.get("/nothing")

    assert answer.status_code in {302, 404}
    assert missing.status_code == 404
    assert missing["Content-Type"].startswith("text/html")
    assert b"ask an administrator for access" in missing.content


def test_a_refusal_of_a_page_shows_its_words_and_reference(client: Client) -> None:
    answer = raising(client, Forbidden(), "/test/page")

    assert answer.status_code == 403
    assert answer["X-Request-ID"].encode() in answer.content


def test_a_wrong_method_of_a_plain_view_keeps_allow(client: Client) -> None:
    answer = client.get("/api/test/only-post")

    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert answer.json()["type"] == "/problems/method-not-allowed"


def test_a_wrong_method_of_a_rest_view_keeps_allow(client: Client) -> None:
    answer = client.put("/api/test/rest", b"{}", content_type="application/json")

    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize("body", [b'{"a": ', b"\xff\xfe", b'{"a": NaN}', b""])
def test_broken_json_is_named_and_not_quoted(client: Client, body: bytes) -> None:
    answer = client.post("/api/test/rest", body or b"x", content_type="application/json")

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed-body")
    assert "line 1" in answer.json()["detail"]


def test_a_body_of_another_type_is_415(client: Client) -> None:
    answer = client.post("/api/test/rest", b"<a/>", content_type="application/xml")

    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10)
def test_a_body_over_the_limit_is_413(client: Client) -> None:
    answer = client.post("/api/test/only-post", b"x" * 11, content_type="application/json")

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/payload-too-large")


def test_an_unknown_host_is_a_problem_too(client: Client) -> None:
    answer = client.get("/api/test/only-post", headers={"Host": "evil.example"})

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")


def test_nested_details_get_pointers() -> None:
    detail: Any = {"name": ["Required."], "items": [{}, {"a/b": ["Bad."]}], "non_field_errors": ["Together wrong."]}

    found = as_service_error(drf.ValidationError(detail))

    assert found is not None
    assert [(each.pointer, each.detail) for each in found.errors] == [
        ("/name", "Required."),
        ("/items/1/a~1b", "Bad."),
        ("", "Together wrong."),
    ]


def test_pointers_escape_what_rfc_6901_says() -> None:
    assert pointer("records", 3, "a/b", "c~d") == "/records/3/a~1b/c~0d"


def test_errors_are_left_out_where_there_are_none() -> None:
    answer = problem_response(InvalidInput("No."), RequestFactory().get("/"))

    assert "errors" not in json.loads(answer.content)


def test_delayed_refusals_never_say_zero_seconds() -> None:
    class Later(Delayed):
        pass

    assert Later(retry_after=0).headers["Retry-After"] == "1"


def test_a_code_that_is_no_slug_is_refused_at_definition() -> None:
    with pytest.raises(TypeError, match="kebab-case"):
        type("Wrong", (ServiceError,), {"code": "Not A Slug"})


def test_the_page_of_a_problem_shows_that_one_and_leads_to_all(client: Client) -> None:
    page = client.get("/problems/not-found").content.decode()
    assert 'id="not-found"' in page
    assert 'id="forbidden"' not in page
    assert '<a href="/problems/">' in page
    assert 'id="forbidden"' in client.get("/problems/").content.decode()

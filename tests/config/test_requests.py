"""Request ids, log lines and headers of every answer."""

import json
import logging
import sys
import uuid

import pytest
import structlog
from django.db import IntegrityError
from django.test import Client
from structlog.testing import capture_logs

from config.logs import exceptions_without_messages, logging_config


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_sane_request_id_is_echoed(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "order-2026-000017"})["X-Request-ID"] == "order-2026-000017"


@pytest.mark.parametrize("sent", ["", "short", "has spaces inside", 'quote"quote"', "x" * 101, "новый-запрос-1"])
def test_another_request_id_is_replaced_by_a_uuid7(client: Client, sent: str) -> None:
    answered = client.get("/healthz", headers={"X-Request-ID": sent})["X-Request-ID"]

    assert uuid.UUID(answered).version == 7


def test_one_line_a_request_without_query_or_body(client: Client) -> None:
    with capture_logs() as lines:
        client.post("/api/nothing?subject=secret-1", {"secret": "secret-2"}, content_type="application/json")

    [line] = [line for line in lines if line["event"] == "request.finished"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "(none)", 404)
    assert "secret" not in json.dumps(line)


def test_a_line_names_the_route_and_the_ids_in_the_address(db: None, client: Client) -> None:
    decision = str(uuid.uuid4())
    with capture_logs() as lines:
        client.get(f"/api/v1/decisions/{decision}")

    [line] = [line for line in lines if line["event"] == "request.finished"]
    assert (line["route"], line["ids"]) == ("api/v1/decisions/<uuid:decision_id>", {"decision_id": decision})


@pytest.mark.parametrize("address", ["/api/v1/decisions", "/api/v1/decisions/batch"])
def test_no_line_a_decision(db: None, client: Client, address: str) -> None:
    with capture_logs() as lines:
        client.post(address, b"", content_type="application/json")

    assert not [line for line in lines if line["event"] == "request.finished"]


def test_an_exception_is_logged_by_type_and_place_alone() -> None:
    try:
        try:
            raise ValueError("what the model saw")
        except ValueError as cause:
            raise IntegrityError("Failing row contains (what the model saw)") from cause
    except IntegrityError:
        event = exceptions_without_messages(None, "error", {"event": "x", "exc_info": sys.exc_info()})

    assert [each["type"] for each in event["exception"]] == ["django.db.utils.IntegrityError", "builtins.ValueError"]
    assert "what the model saw" not in json.dumps(event)


def test_the_formatter_writes_json_without_messages(capsys: pytest.CaptureFixture[str]) -> None:
    made = logging_config(level="INFO", form="json")["formatters"]["structured"]
    formatter: logging.Formatter = made.pop("()")(**made)
    try:
        raise ValueError("what the model saw")
    except ValueError:
        record = logging.LogRecord("django.request", logging.ERROR, "f", 1, "Internal: %s", ("/x",), sys.exc_info())

    line = formatter.format(record)

    assert json.loads(line)["event"] == "Internal: /x"
    assert json.loads(line)["exception"][0]["type"] == "builtins.ValueError"
    assert "what the model saw" not in line


def test_the_request_id_is_on_lines_logged_below(client: Client) -> None:
    client.get("/healthz", headers={"X-Request-ID": "order-2026-000017"})

    assert structlog.contextvars.get_contextvars()["request_id"] == "order-2026-000017"


def test_pages_allow_only_scripts_of_their_own(client: Client) -> None:
    policy = client.get("/problems/")["Content-Security-Policy"]
    directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))

    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self'"
    assert directives["style-src"] == "'self'"
    assert directives["object-src"] == directives["base-uri"] == directives["frame-ancestors"] == "'none'"
    assert directives["form-action"] == "'self'"


def test_programs_get_a_policy_that_allows_nothing(client: Client) -> None:
    answer = client.get("/api/nothing")

    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]


def test_pages_hold_no_inline_script_or_style(client: Client) -> None:
    for address in ("/problems/", "/nothing", "/api/docs", "/admin/login/"):
        body = client.get(address).content.decode()
        assert "<style" not in body, address
        assert "<script>" not in body, address
        assert "://" not in body.replace("http://www.w3.org", ""), address


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/logs/registry/checkpoint", "/logs/registry/tile/0/000", "/api/docs"]
)
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_an_address_for_reading_says_so_before_it_asks_for_a_token(path: str, method: str) -> None:
    answer = getattr(Client(SERVER_NAME="localhost", enforce_csrf_checks=True), method)(path)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")

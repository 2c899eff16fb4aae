"""Flags over HTTP, by the web port: what stock providers stumble over (and ours does not do)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client

from governance import memory as register_memory
from overrides import memory
from overrides.clients import seen, stream_tokens, unknown_flags
from overrides.clients.errors import StreamTokenNotAccepted
from overrides.memory import Controls
from overrides.models import ClientInstance, UnknownFlag
from overrides.standing import Mode
from tests.factories.register import make_key, make_system
from tests.overrides.controls import controls, parameter, switch

pytestmark = pytest.mark.django_db
BULK = "/ofrep/v1/evaluate/flags"


class Caller:
    """A service with a key for the AI system `credit`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *scopes: str) -> None:
        self.system = make_system(slug="credit", risk_class="high")
        self.key = make_key(self.system, scopes=scopes or ("control:read",))
        self.client = Client(SERVER_NAME="localhost")
        self.monkeypatch = monkeypatch
        self.know(controls())

    def know(self, known: Controls, *, is_stale: bool = False) -> None:
        self.monkeypatch.setattr(memory, "current", lambda: known)
        self.monkeypatch.setattr(memory, "is_stale", lambda: is_stale)

    def ask(self, path: str = BULK, body: Any = b"{}", method: str = "POST", **headers: str) -> Any:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        held = {"Authorization": f"Bearer {self.key.text}", **headers}
        held = {name.replace("_", "-"): value for name, value in held.items() if value}
        return self.client.generic(method, path, sent, content_type="application/json", headers=held)

    def state(self, **headers: str) -> Any:
        return self.ask("/api/v1/control/state", b"", "GET", **headers)


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    seen._noted.clear()  # of other tests
    unknown_flags._noted.clear()
    return Caller(monkeypatch)


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"context":null}', b'{"context":{}}', b'{"context":{"targetingKey":"me","age":4}}', b" \n"]
)
def test_any_context_will_do_and_a_trailing_slash_too(caller: Caller, end: str, body: bytes) -> None:
    assert caller.ask(f"{BULK}{end}", body).status_code == 200
    one = caller.ask(f"{BULK}/credit.mode{end}", body)
    assert (one.status_code, one["Content-Type"]) == (200, "application/json")
    assert (one.json()["value"], one.json()["variant"], one.json()["reason"]) == ("run", "run", "STATIC")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"[]", "PARSE_ERROR"),
        (b"\xff", "PARSE_ERROR"),
        (b'{"context":[]}', "INVALID_CONTEXT"),
        (b'{"context":{"model_version":2.1}}', "INVALID_CONTEXT"),
    ],
)
def test_what_cannot_be_read_is_400_with_code_and_details(caller: Caller, body: bytes, code: str) -> None:
    for path in (BULK, f"{BULK}/credit.mode"):
        answer = caller.ask(path, body)
        assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
        assert answer.json()["errorDetails"]
    assert answer.json()["key"] == "credit.mode"


def test_a_body_that_is_too_large_is_413_in_ofreps_words(caller: Caller) -> None:
    answer = caller.ask(BULK, b" " * (70 << 10))
    assert (answer.status_code, answer.json()["errorCode"]) == (413, "GENERAL")


def test_the_same_404_for_what_is_not_there_and_what_is_forbidden(caller: Caller) -> None:
    make_system(slug="hiring")
    answers = [caller.ask(f"{BULK}/{key}") for key in ("hiring.mode", "nothing.mode")]
    assert [each.status_code for each in answers] == [404, 404]
    assert [{**each.json(), "key": ""} for each in answers] == [{**answers[0].json(), "key": ""}] * 2
    assert (answers[0].json()["errorCode"], answers[0].json()["key"]) == ("FLAG_NOT_FOUND", "hiring.mode")


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer ans_x"}, {"Authorization": ""}])
def test_a_wrong_key_is_401_with_a_body_that_providers_can_read(caller: Caller, headers: dict[str, str]) -> None:
    answer = caller.ask(f"{BULK}/credit.mode", **headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert set(answer.json()) == {"key", "errorCode", "errorDetails"}
    assert caller.state(**headers).json()["type"] == "/problems/key-not-accepted"


def test_a_key_without_the_scope_is_403(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(monkeypatch, "decisions:write")
    assert caller.ask(f"{BULK}/credit.mode").json()["errorCode"] == "GENERAL"
    assert (caller.ask(BULK).status_code, caller.state().status_code) == (403, 403)


def test_a_key_may_also_come_as_x_api_key(caller: Caller) -> None:
    headers = {"Authorization": "", "X_API_Key": caller.key.text}
    assert caller.ask(BULK, **headers).status_code == 200
    assert caller.state(**headers).status_code == 200


def test_the_etag_is_answered_with_304_by_hand_and_compared_weakly(caller: Caller) -> None:
    for ask in (caller.ask, caller.state):
        first = ask()
        assert first["Cache-Control"] == "private, no-store"
        for known in (first["ETag"], f"W/{first['ETag']}", f'"other", {first["ETag"]}'):
            again = ask(If_None_Match=known)
            assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert ask(If_None_Match='"other"').status_code == 200


def test_the_etag_changes_with_the_mode_the_context_and_the_streams_address(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = caller.ask()
    narrow = caller.ask(body={"context": {"model_version": "2.1", "capability": "refund"}})
    period = stream_tokens.period_at()
    monkeypatch.setattr(stream_tokens, "period_at", lambda at=None: period + 1)
    moved = caller.ask()
    caller.know(controls(switch(Mode.STOP, system_id=caller.system.pk)))
    stopped = caller.ask()
    caller.know(controls(switch(Mode.STOP, system_id=caller.system.pk)), is_stale=True)
    assert len({each["ETag"] for each in (first, narrow, moved, stopped, caller.ask())}) == 5
    assert stopped.json()["flags"][0]["value"] == "stop"


def test_the_stream_address_names_the_control_process_and_its_token_opens_it(caller: Caller) -> None:
    [stream] = caller.ask().json()["eventStreams"]
    assert stream["type"] == "sse"
    address, _, token = stream["url"].partition("?token=")
    assert address == f"{settings.CONTROL_URL}/ofrep/v1/events"
    assert stream_tokens.grant_by_token(token).key.key_id == caller.key.row.key_id
    day = stream_tokens.PERIOD_SECONDS
    now = (stream_tokens.period_at() + 0.5) * day
    assert stream_tokens.grant_by_token(token, now + day)
    for wrong, at in (
        (token, now + 2 * day),
        (token, now - day),
        (token[:-1] + "x", now),
        (token + "0", now),
        ("", now),
    ):
        with pytest.raises(StreamTokenNotAccepted):
            stream_tokens.grant_by_token(wrong, at)
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    with pytest.raises(StreamTokenNotAccepted):
        stream_tokens.grant_by_token(other, now)


def test_numbers_keep_their_point_and_nothing_is_null(caller: Caller) -> None:
    place = (caller.system.pk, "production")
    caller.know(controls(parameters={place: (parameter("limit", 5000), parameter("count", 3, "integer"))}))
    assert b'"value":5000.0,' in caller.ask(f"{BULK}/credit.param.limit").content
    assert b'"value":3,' in caller.ask(f"{BULK}/credit.param.count").content
    assert caller.ask(f"{BULK}/credit.params").json()["value"] == {"limit": 5000.0, "count": 3}
    assert b"null" not in caller.ask().content


def test_browsers_of_any_origin_may_ask(caller: Caller) -> None:
    asked = {"Origin": "https://shop.example", "Access_Control_Request_Method": "POST", "Authorization": ""}
    for path in (BULK, f"{BULK}/", f"{BULK}/credit.mode"):
        preflight = caller.ask(path, b"", "OPTIONS", **asked)
        allowed = preflight["Access-Control-Allow-Headers"].split(", ")
        assert preflight.status_code == 204
        assert {"content-type", "authorization", "x-api-key", "if-none-match"} <= set(allowed)
    for answer in (caller.ask(), caller.ask(f"{BULK}/nothing"), caller.ask(Authorization="")):
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert {"ETag", "Retry-After"} <= set(answer["Access-Control-Expose-Headers"].split(", "))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_405(caller: Caller, method: str) -> None:
    answer = caller.ask(BULK, b"", method)
    assert (answer.status_code, answer["Allow"], answer.json()["errorCode"]) == (405, "POST, OPTIONS", "GENERAL")


def test_a_stream_asked_of_the_web_port_says_where_streams_are(caller: Caller) -> None:
    for path in ("/api/v1/control/events", "/ofrep/v1/events"):
        answer = caller.ask(path, b"", "GET")
        assert (answer.status_code, answer.json()["control_url"]) == (421, settings.CONTROL_URL)
        assert answer.json()["type"] == "/problems/stream-elsewhere"


def test_reads_go_on_while_memory_is_stale_and_say_so(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    caller.state()
    monkeypatch.setattr(register_memory, "polling", True)
    monkeypatch.setattr(register_memory, "_start_polling", lambda: None)
    monkeypatch.setattr(register_memory, "is_stale", lambda: True)
    assert caller.state().json()["is_stale"] is True
    assert caller.ask(f"{BULK}/credit.mode").json()["metadata"]["is_stale"] is True


def test_no_read_asks_the_database(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    caller.state()
    monkeypatch.setattr(register_memory, "polling", True)
    monkeypatch.setattr(register_memory, "_start_polling", lambda: None)
    with django_assert_num_queries(0):
        assert caller.state().status_code == 200
        assert caller.ask().status_code == 200
        assert caller.ask(f"{BULK}/credit.mode").status_code == 200


def test_flags_that_nobody_has_are_noted_by_key_within_bounds(caller: Caller) -> None:
    for _ in range(3):
        caller.ask(f"{BULK}/credit.mod")
    caller.ask(f"{BULK}/Ärger")
    unknown_flags.write()
    caller.ask(f"{BULK}/credit.mod")
    unknown_flags.write()
    rows = {row.flag: row for row in UnknownFlag.objects.filter(key_id=caller.key.row.pk)}
    assert {flag: row.asked for flag, row in rows.items()} == {"credit.mod": 4, unknown_flags.NOT_A_KEY: 1}
    assert datetime.now(UTC) - rows["credit.mod"].last_asked_at < timedelta(minutes=1)
    for number in range(300):
        caller.ask(f"{BULK}/credit.x{number}")
    caller.ask(f"{BULK}/credit.mod")
    unknown_flags.write()
    assert 90 < UnknownFlag.objects.count() <= unknown_flags.MAX_A_KEY
    assert UnknownFlag.objects.get(flag="credit.mod").asked == 5


def test_what_could_not_be_written_is_kept(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    caller.ask(f"{BULK}/credit.mod")
    with connection.execute_wrapper(_away), pytest.raises(OperationalError):
        unknown_flags.write()
    caller.ask(f"{BULK}/credit.mod")
    unknown_flags.write()
    assert UnknownFlag.objects.get().asked == 2


def _away(*arguments: Any) -> None:
    raise OperationalError("away")


def test_the_etag_of_a_bulk_reader_shows_what_it_has_seen_and_no_more(caller: Caller) -> None:
    known = caller.ask()["ETag"]
    assert known.startswith('"1.42-')
    for sent in (known, f"W/{known}", '"9.9-0123456789abcdef"', '"nonsense"'):
        caller.ask(If_None_Match=sent)
    seen.write()
    row = ClientInstance.objects.get()
    assert (row.instance, row.learned_by) == (f"ofrep-{caller.key.row.key_id}", "ofrep-etag")
    assert (str(row.seen_epoch), row.applied_mode, row.system_id) == ("1.42", "", caller.system.pk)

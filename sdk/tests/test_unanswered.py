"""Asking a service that does not answer, or answers nonsense: the fail policy speaks, and the record waits."""

import time
from pathlib import Path
from typing import Any

import pytest

from answerable import (
    FailPolicy,
    Mode,
    ServiceRefused,
)
from answerable.testing import FakeServer
from tests.helpers import AWAY, FACTS, client_for


@pytest.mark.parametrize(("risk", "action"), [("high", "stop"), ("medium", "hold"), ("low", "proceed")])
def test_without_the_service_the_fail_policy_answers_and_the_record_waits(
    tmp_path: Path, risk: Any, action: str
) -> None:
    with client_for(AWAY, tmp_path, risk=risk) as client:
        directive = client.decide(**FACTS, timeout=0.3)
        assert (directive.action, directive.answered_by) == (action, "local")
        assert client.health().waiting == 1


def test_intake_that_fails_leaves_the_fresh_state_in_force(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        assert client.wait_ready(3)
        server.fail(times=50, path="/api/v1/decisions", status=503)
        began = time.monotonic()
        directive = client.decide(**FACTS, timeout=0.5)
        assert time.monotonic() - began < 1.0
        assert (directive.action, directive.mode, directive.answered_by) == ("proceed", Mode.RUN, "local")
        server.faults.clear()
        assert client.flush()
    assert [each["control_epoch"] for each in server.records] == [directive.epoch]


def test_code_may_be_stricter_about_what_nobody_answered(server: FakeServer, tmp_path: Path) -> None:
    policy = FailPolicy(1000, Mode.STOP, Mode.STOP, unanswered=Mode.REVIEW)
    with client_for(server, tmp_path, fail_policy=policy) as client:
        assert client.wait_ready(3)
        server.fail(times=50, path="/api/v1/decisions", hang_up=True)
        assert client.decide(**FACTS, timeout=0.3).action == "hold"


@pytest.mark.parametrize("fault", [{"body": b"{}"}, {"body": b"<html>"}, {"truncate": True}, {"delay": 2.0}])
def test_half_an_answer_is_no_permission(server: FakeServer, tmp_path: Path, fault: dict[str, Any]) -> None:
    policy = FailPolicy(1000, Mode.STOP, Mode.STOP, unanswered=Mode.STOP)
    with client_for(server, tmp_path, fail_policy=policy) as client:
        server.fail(times=50, path="/api/v1/decisions", **fault)
        began = time.monotonic()
        assert client.decide(**FACTS, timeout=0.5).action == "stop"
        assert time.monotonic() - began < 1.0
        server.faults.clear()


def test_a_directive_that_is_unknown_stops(server: FakeServer, tmp_path: Path) -> None:
    body = b'{"id": "x", "directive": {"action": "ponder", "mode": "dream"}}'
    with client_for(server, tmp_path) as client:
        server.fail(path="/api/v1/decisions", status=201, body=body)
        assert client.decide(**FACTS).action == "stop"


def test_a_decision_that_was_not_answered_is_asked_for_again_under_its_id(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client:
        server.fail(path="/api/v1/decisions", truncate=True)
        assert client.decide(**FACTS).action == "proceed"
        assert client.flush()
    assert (len(server.records), server.repeats, server.conflicts) == (1, 1, [])


def test_what_is_being_asked_is_not_sent_beside_it(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_for(server, tmp_path) as client:
        spool, sender = client._engine_now().spool, client._engine_now().sender
        add = spool.add

        def add_while_the_sender_looks(decision_id: str, body: bytes) -> int:
            number = add(decision_id, body)
            sender.hurry()
            time.sleep(0.3)
            return number

        monkeypatch.setattr(spool, "add", add_while_the_sender_looks)
        assert client.decide(**FACTS).action == "proceed"
        assert client.flush()
    assert (len(server.records), server.repeats) == (1, 0)
    assert not any("/batch" in each for each in server.requests), server.requests


def test_a_record_that_is_refused_is_not_permitted_by_that(server: FakeServer, tmp_path: Path) -> None:
    server.refuse_when(lambda record: "odd")
    policy = FailPolicy(1000, Mode.STOP, Mode.STOP, unanswered=Mode.REVIEW)
    with client_for(server, tmp_path, fail_policy=policy) as client:
        assert client.wait_ready(3)
        assert client.decide(**FACTS).action == "hold"
        assert client.decide(input=object(), output={}, outcome="x").action == "hold"
        assert len(client.dead_letters()) == 1


def test_an_effect_is_kept_until_its_decision_has_arrived(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path, risk="low") as client:
        assert client.wait_ready(3)
        server.close()
        with client.guard(**FACTS, timeout=0.2) as decision:
            pass
        assert client.health().waiting_effects == 1
        server.start()
        client.flush(15)
        assert client.health().waiting_effects == 0
    assert [each["outcome"] for each in server.effects(decision.id)] == ["approved"]


def test_asking_for_what_is_effective_may_raise(server: FakeServer, tmp_path: Path) -> None:
    with client_for(server, tmp_path) as client, pytest.raises(ServiceRefused):
        client.effective("01a1fd9c-bc38-7026-93b0-108ba8d1b7e3")

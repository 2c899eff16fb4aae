"""`manage.py stop`: from the host, with nothing but the database."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from ledger.models import Entry
from overrides import memory
from overrides.places import in_words, node_of
from overrides.standing import Epoch, Mode, Node
from tests.factories.control import ack, reading, stop
from tests.factories.register import make_system

pytestmark = pytest.mark.django_db


def run(*args: str, **options: Any) -> str:
    out = StringIO()
    given: dict[str, Any] = {"reason": "harm-reported", "wait": 0.0} | options
    call_command(*args, stdout=out, **given)
    return out.getvalue()


def test_it_stops_and_says_that_nobody_is_listening() -> None:
    system = make_system(slug="credit")
    said = run("stop", "credit")
    assert "credit: stop, harm-reported, epoch 1.1 (sealed)" in said and "nobody is listening" in said
    assert memory.current().control.mode(system.pk, "production") is Mode.STOP
    assert b'"actor":{"type":"command"}' in bytes(Entry.objects.get(kind="switch.stopped").data)


def test_it_says_who_is_silent() -> None:
    system = make_system(slug="credit")
    ack(reading(system), system, Epoch(1, 0))
    said = run("stop", "credit/production", mode="review")
    assert "0 of 1 confirmed" in said and "silent     host-1" in said


def test_it_stops_everything() -> None:
    system = make_system()
    assert run("stop", "*").startswith("*: stop")
    assert memory.current().control.mode(system.pk, "production") is Mode.STOP


def test_again_says_since_when() -> None:
    make_system(slug="credit")
    run("stop", "credit")
    assert "as it was since" in run("stop", "credit")


@pytest.mark.parametrize("scope", ["nobody", "", "credit/a/b", "credit@", "Credit", "credit staging", "*:"])
def test_a_scope_that_is_none_is_refused(scope: str) -> None:
    make_system(slug="credit")
    with pytest.raises(CommandError):
        run("stop", scope)


@pytest.mark.parametrize("options", [{"reason": "no free text"}, {"mode": "fallback"}])
def test_what_is_refused_is_said_in_words(options: dict[str, str]) -> None:
    make_system(slug="credit")
    with pytest.raises(CommandError, match=r"\w+"):
        run("stop", "credit", **options)


def test_scopes_as_they_are_written() -> None:
    system = make_system(slug="credit")
    written = {
        "*": Node(),
        "*/staging": Node(environment="staging"),
        "credit@2.1:limits": Node(system_id=system.pk, model_version="2.1", capability="limits"),
        "credit/production": Node(system_id=system.pk, environment="production"),
    }
    assert {text: node_of(text) for text in written} == written
    assert [in_words(node) for node in written.values()] == list(written)


def test_control_shows_what_is_in_force() -> None:
    out = StringIO()
    call_command("control", stdout=out)
    assert "everything may run" in out.getvalue()
    stop(make_system(slug="credit"))
    call_command("control", stdout=out)
    assert "credit: stop, harm-reported" in out.getvalue()


def test_without_the_database_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> Any:
        raise OperationalError("connection refused")

    monkeypatch.setattr("overrides.management.commands.stop.node_of", away)
    with pytest.raises(CommandError) as said:
        run("stop", "*")
    assert all(each in str(said.value) for each in ("NOTHING WAS STOPPED", "break-glass file", "connection refused"))

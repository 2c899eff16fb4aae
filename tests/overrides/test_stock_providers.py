"""Stock OpenFeature providers against the running service: what their users get, and where providers stumble."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from governance.services.versions import register_version
from ledger.entries import COMMAND
from overrides.services.switches import tighten
from overrides.standing import Mode, Node
from tests.factories.register import actor_of, make_key, make_person, make_system
from tests.overrides.serving import Servers, serving
from tests.running import free_port

pytestmark = [pytest.mark.committing, pytest.mark.slow]
FOLDER = Path(__file__).parents[1] / "js" / "ofrep"
ABOUT_A_VERSION = {"model_version": "2.1"}


class Situation:
    """Two AI systems, of which one's version 2.1 is stopped and the other whole one waits for reviews."""

    def __init__(self) -> None:
        self.credit, self.hiring = make_system(slug="credit"), make_system(slug="hiring")
        make_system(slug="foreign")
        register_version(actor=COMMAND, system_id=self.credit.pk, version="2.1")
        operator = actor_of(make_person(operator=True))
        for node, mode in (
            (Node(system_id=self.credit.pk, model_version="2.1"), Mode.STOP),
            (Node(system_id=self.hiring.pk), Mode.REVIEW),
        ):
            tighten(actor=operator, node=node, mode=mode, reason_code="drill", source="api")
        self.key = make_key(self.credit, self.hiring, scopes=("control:read",))


@pytest.fixture
def situation() -> Situation:
    return Situation()


@pytest.fixture
def servers(situation: Situation, database_url: str) -> Iterator[Servers]:
    with serving(database_url) as started:
        yield started


EXPECTED: list[tuple[dict[str, Any], Any, str | None]] = [
    # what is asked, the value, the error code
    ({"type": "boolean", "flag": "credit.enabled", "default": False}, True, None),
    ({"type": "boolean", "flag": "hiring.enabled", "default": True}, False, None),
    ({"type": "string", "flag": "credit.mode", "default": "stop"}, "run", None),
    ({"type": "string", "flag": "hiring.mode", "default": "stop"}, "review", None),
    ({"type": "string", "flag": "hiring.cap.anything", "default": "stop"}, "review", None),
    ({"type": "object", "flag": "credit.params", "default": {"none": True}}, {}, None),
    ({"type": "string", "flag": "credit.mod", "default": "stop"}, "stop", "FLAG_NOT_FOUND"),
    ({"type": "string", "flag": "foreign.mode", "default": "stop"}, "stop", "FLAG_NOT_FOUND"),
    ({"type": "boolean", "flag": "credit.mode", "default": False}, False, "TYPE_MISMATCH"),
]
IN_CONTEXT = [
    ({"type": "string", "flag": "credit.mode", "default": "run", "context": ABOUT_A_VERSION}, "stop", None),
    (
        {"type": "string", "flag": "credit.mode", "default": "x", "context": {"model_version": 2.1}},
        "x",
        "INVALID_CONTEXT",
    ),
    ({"type": "string", "flag": "credit.mode", "default": "x", "context": {"targetingKey": "me", "n": 1}}, "run", None),
]


# --- Python -----------------------------------------------------------------------------------------------------------
def python_client(url: str, key: str) -> OpenFeatureClient:
    provider = OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})
    api.set_provider(provider)
    return api.get_client()


def asked_of_python(client: OpenFeatureClient, asked: dict[str, Any]) -> tuple[Any, str | None]:
    context = dict(asked.get("context", {}))
    found = getattr(client, f"get_{asked['type']}_details")(
        asked["flag"], asked["default"], EvaluationContext(context.pop("targetingKey", None), context)
    )
    code = found.error_code
    return found.value, code.value if code else None


def test_the_python_provider_gets_every_flag(servers: Servers, situation: Situation) -> None:
    for base in (servers.web, servers.control, f"{servers.control}/"):
        client = python_client(base, situation.key.text)
        for asked, value, code in (*EXPECTED, *IN_CONTEXT):
            assert asked_of_python(client, asked) == (value, code), asked
        details = client.get_string_details("hiring.mode", "stop")
        assert (details.variant, str(details.reason)) == ("review", "STATIC")
        assert details.flag_metadata["scope"] == "system=hiring"


@pytest.mark.parametrize("kind", ["python", "server", "web"])
def test_parameters_come_as_the_types_they_were_declared_as(kind: str, situation: Situation, database_url: str) -> None:
    """Python's provider refuses `1` where a float is asked for, and takes `true` for an integer."""
    declared = [("limit", "number", 5000), ("share", "number", 0.25), ("count", "integer", 3), ("on", "boolean", True)]
    rows = [(str(situation.credit.pk), *each) for each in (*declared, ("text", "string", "ä"))]
    asked = [(f"credit.param.{name}", type_name, value) for _, name, type_name, value in rows]
    whole = {name: value for _, name, _, value in rows}
    extra = {"TEST_PARAMETERS": json.dumps(rows)}
    with serving(database_url, extra, control="tests.overrides.asgi:application") as servers:
        if kind == "python":
            client = python_client(servers.control, situation.key.text)
            for flag, type_name, value in asked:
                kind_asked = PYTHON_NAMES.get(type_name, type_name)
                found, code = asked_of_python(client, {"type": kind_asked, "flag": flag, "default": ZERO[type_name]})
                assert (found, code) == (value, None), flag
                assert type(found) is (float if type_name == "number" else type(value))
            assert client.get_object_value("credit.params", {}) == whole
        elif shutil.which("node"):
            lines = [
                {"type": NODE_NAMES.get(each, each), "flag": flag, "default": ZERO[each]} for flag, each, _ in asked
            ]
            lines.append({"type": "object", "flag": "credit.params", "default": {}})
            found_by_node = asked_of_node(kind, servers.control, situation.key.text, lines)
            assert found_by_node == [*((value, None) for *_, value in asked), (whole, None)]


PYTHON_NAMES = {"number": "float"}
NODE_NAMES = {"integer": "number"}
ZERO: dict[str, Any] = {"number": 0, "integer": 0, "boolean": False, "string": ""}


def test_with_a_wrong_key_or_a_server_away_the_codes_default_holds(servers: Servers, situation: Situation) -> None:
    for url, key in ((servers.control, "ans_wrong"), (f"http://localhost:{free_port()}", situation.key.text)):
        client = python_client(url, key)
        value, code = asked_of_python(client, {"type": "string", "flag": "credit.mode", "default": "stop"})
        assert (value, code) == ("stop", "GENERAL")


def test_a_stop_reaches_the_python_provider_with_its_next_question(servers: Servers, situation: Situation) -> None:
    client = python_client(servers.control, situation.key.text)
    assert client.get_boolean_value("credit.enabled", False) is True
    person = actor_of(make_person(operator=situation.credit))
    tighten(actor=person, node=Node(system_id=situation.credit.pk), mode=Mode.STOP, reason_code="drill", source="api")
    _until(lambda: client.get_boolean_value("credit.enabled", True) is False)


def _until(done: Callable[[], bool], seconds: float = 2.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


# --- JavaScript -------------------------------------------------------------------------------------------------------
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node 20 or later")


def asked_of_node(kind: str, url: str, key: str, asked: list[dict[str, Any]]) -> list[tuple[Any, str | None]]:
    assert (FOLDER / "node_modules").is_dir(), "run tools/install-js first"
    done = subprocess.run(
        ["node", "evaluate.mjs", kind, url, key],
        cwd=FOLDER, input="\n".join(map(json.dumps, asked)), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [(each["value"], each.get("errorCode")) for each in map(json.loads, done.stdout.splitlines())]


@needs_node
def test_the_javascript_server_provider_gets_every_flag(servers: Servers, situation: Situation) -> None:
    expected = [*EXPECTED, *IN_CONTEXT]
    found = asked_of_node("server", servers.control, situation.key.text, [asked for asked, *_ in expected])
    assert found == [(value, code) for _, value, code in expected]


@needs_node
def test_the_javascript_web_provider_gets_every_flag_that_is_listed(servers: Servers, situation: Situation) -> None:
    expected = [row for row in EXPECTED if ".cap." not in row[0]["flag"]]
    found = asked_of_node("web", servers.web, situation.key.text, [asked for asked, *_ in expected])
    assert found == [(value, code) for _, value, code in expected]


@needs_node
@pytest.mark.parametrize("kind", ["server", "web"])
def test_javascript_falls_back_to_the_codes_default(kind: str, servers: Servers, situation: Situation) -> None:
    asked = [{"type": "string", "flag": "credit.mode", "default": "stop"}]
    for url, key in ((servers.control, "ans_wrong"), (f"http://localhost:{free_port()}", situation.key.text)):
        [(value, code)] = asked_of_node(kind, url, key, asked)
        assert value == "stop" and code

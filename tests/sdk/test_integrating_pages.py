"""The pages on integrating over plain HTTP and over OFREP say what is so: their samples are run as they are written."""

import json
import re
import shlex
import subprocess
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openfeature import api

from governance.models import AISystem
from governance.services.versions import register_version
from ledger.entries import COMMAND
from overrides.models import Review
from overrides.services.overriding import override_decision
from overrides.services.parameters import define_parameter
from overrides.services.switches import tighten
from overrides.standing import Mode, Node
from tests.factories.register import actor_of, make_key, make_person, make_system
from tests.factories.reviews import open_review
from tests.overrides.serving import Servers, serving
from tests.overrides.test_stock_providers import FOLDER, needs_node
from tests.running import PROJECT

pytestmark = [pytest.mark.committing, pytest.mark.slow]
PAGES = PROJECT / "docs" / "integrating"
CONTROL = "http://localhost:8001"
"""The address of the control process on the pages."""


@pytest.fixture
def key() -> str:
    """To what the pages show: a stopped AI system with a parameter."""
    system: AISystem = make_system(slug="credit-limit")
    register_version(actor=COMMAND, system_id=system.pk, version="2.1")
    operator = actor_of(make_person(operator=True))
    define_parameter(
        actor=actor_of(make_person(technical_owner=system)), system_id=system.pk,
        name="max-amount", value_type="number", default=5000, safe_direction="lower", minimum=0, maximum=10_000,
    )  # fmt: skip
    node = Node(system_id=system.pk)
    tighten(actor=operator, node=node, mode=Mode.STOP, reason_code="harm-reported", source="api")
    return make_key(system, scopes=("control:read",)).text


@pytest.fixture
def servers(key: str, database_url: str) -> Iterator[Servers]:
    with serving(database_url) as started:
        yield started


def blocks(page: str, kind: str = "") -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == kind]


def curl(command: str, control: str, key: str, **variables: object) -> httpx.Request:
    """What the command asks for. Of its options these pages use few, and another one is an error here."""
    for name, value in ({"KEY": key} | variables).items():
        command = command.replace(f"${name}", str(value))
    words = shlex.split(command.replace(CONTROL, control).replace("\\\n", " "))
    assert words.pop(0) == "curl"
    headers, body, url = {}, None, ""
    while words:
        match words.pop(0):
            case "-i" | "-N":
                continue
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                body = words.pop(0)
            case address:
                assert address.startswith("http"), address
                url = address
    return httpx.Request("POST" if body else "GET", url, headers=headers, content=body)


def test_the_requests_of_the_http_page_are_answered_as_it_says(servers: Servers, key: str) -> None:
    state, events, acks = (curl(block, servers.control, key) for block in blocks("http.md")[:3])
    [shown] = [json.loads(block) for block in blocks("http.md", "json")]
    with httpx.Client(timeout=20) as client:
        found = client.send(state)
        assert found.status_code == 200
        _assert_named_alike(found.json(), shown)
        state.headers["If-None-Match"] = found.headers["ETag"]
        assert client.send(state).status_code == 304
        answer = client.send(events, stream=True)
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: state"
        told = next(line for line in lines if line.startswith("data:"))
        assert json.loads(told[5:])["epoch"] == found.json()["epoch"]
        answer.close()
        assert client.send(acks).status_code == 200
        elsewhere = curl(blocks("http.md")[1], servers.web, key)
        assert client.send(elsewhere).status_code == 421


@pytest.fixture
def held() -> Review:
    """A decision that a person has approved."""
    system = make_system(slug="loans")
    review = open_review(system)
    owner = actor_of(make_person(accountable=system))
    override_decision(actor=owner, decision_id=review.decision_id, outcome="approved", reason_code="wrong-input")
    return review


def test_what_a_person_approved_is_claimed_once_as_the_http_page_says(held: Review, servers: Servers) -> None:
    key = make_key(AISystem.objects.get(slug="loans"), scopes=("decisions:write",)).text
    look, claim, tell = blocks("http.md")[3:]
    said: dict[str, Any] = {"ID": held.decision_id, "EXECUTION": uuid.uuid4()}
    with httpx.Client(timeout=45) as client:
        found = _once_known(client, curl(look, servers.control, key, **said))
        assert (found["status"], found["action"]) == ("final", "proceed")
        said["VERSION"] = found["version"]
        taken = [client.send(curl(claim, servers.control, key, **said)) for _ in range(2)]
        assert [each.status_code for each in taken] == [201, 200]
        other = client.send(curl(claim, servers.control, key, **said | {"EXECUTION": uuid.uuid4()}))
        assert (other.status_code, other.json()["type"]) == (409, "/problems/already-executed")
        assert client.send(curl(tell, servers.control, key, **said)).status_code == 200


def _once_known(client: httpx.Client, asked: httpx.Request) -> dict[str, Any]:
    """The answer, when the servers have heard of the key."""
    until = time.monotonic() + 20
    while (answer := client.send(asked)).status_code == 401:
        assert time.monotonic() < until
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _assert_named_alike(found: Any, shown: Any) -> None:
    """The same members everywhere; what is null in one of the two has none."""
    if isinstance(found, dict) and isinstance(shown, dict):
        assert found.keys() == shown.keys()
        for name, each in shown.items():
            _assert_named_alike(found[name], each)
    if isinstance(found, list) and isinstance(shown, list):
        assert len(found) == len(shown)
        for mine, theirs in zip(found, shown, strict=True):
            _assert_named_alike(mine, theirs)


def test_the_python_sample_of_the_ofrep_page_reads_the_mode_and_the_parameter(servers: Servers, key: str) -> None:
    [sample] = blocks("ofrep.md", "python")
    names: dict[str, Any] = {"KEY": key}
    try:
        exec(sample.replace(CONTROL, servers.control), names)
    finally:
        api.clear_providers()
    assert names["limit"] == 5000.0


IN_A_BROWSER = "globalThis.localStorage = { getItem: () => null, setItem: () => {}, removeItem: () => {} };"


@needs_node
def test_the_javascript_samples_of_the_ofrep_page_read_the_stop(servers: Servers, key: str) -> None:
    on_server, in_browser = blocks("ofrep.md", "js")
    asked = 'console.log(OpenFeature.getClient().getStringValue("credit-limit.mode", "run"));'
    for sample, last in ((on_server, "console.log(mode);"), (in_browser, asked)):
        here = sample.replace(CONTROL, servers.control).replace("https://answerable.example.org", servers.control)
        code = f"const key = {json.dumps(key)};\n{IN_A_BROWSER}\n{here}\n{last}\nprocess.exit(0);"
        done = subprocess.run(
            ["node", "--input-type=module", "-e", code],
            cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "stop\n"), done.stderr

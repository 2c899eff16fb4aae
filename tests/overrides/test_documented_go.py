"""The Go program of docs/integrating/ofrep.md, as it stands there: it compiles, and it obeys."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from overrides.services.switches import tighten
from overrides.standing import Mode, Node
from tests.factories.register import actor_of, make_key, make_person, make_system
from tests.overrides.serving import serving
from tests.running import free_port

pytestmark = [
    pytest.mark.committing,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("go") is None, reason="needs the package golang-go"),
]
PAGE = Path(__file__).parents[2] / "docs/integrating/ofrep.md"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (source,) = re.findall(r"```go\n(package main\n.*?)```", PAGE.read_text(), re.DOTALL)
    folder = tmp_path_factory.mktemp("go")
    (folder / "mode.go").write_text(source)
    cache = os.environ.get("GOCACHE", str(Path(tempfile.gettempdir()) / "go-build-cache"))
    environment = os.environ | {"GO111MODULE": "off", "GOCACHE": cache}
    subprocess.run(["go", "vet", "mode.go"], cwd=folder, env=environment, check=True)
    subprocess.run(["go", "build", "-o", "mode", "mode.go"], cwd=folder, env=environment, check=True)
    return folder / "mode"


def asked(program: Path, url: str, key: str, system: str, version: str) -> tuple[str, str]:
    """What it prints, and what it says on standard error."""
    found = subprocess.run(
        [program, url, system, version],
        env={"ANSWERABLE_KEY": key},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return found.stdout.strip(), found.stderr.strip()


def test_it_obeys_and_stops_where_it_cannot_know(program: Path, database_url: str) -> None:
    credit, hiring = make_system(slug="credit"), make_system(slug="hiring")
    key = make_key(credit, hiring, scopes=("control:read",)).text
    operator = actor_of(make_person(operator=True))
    tighten(actor=operator, node=Node(system_id=hiring.pk), mode=Mode.REVIEW, reason_code="drill", source="api")
    with serving(database_url) as servers:
        for base in (servers.web, servers.control):
            assert asked(program, base, key, "credit", "2.1") == ("run", "")
            assert asked(program, base, key, "hiring", "2.1") == ("review", "")
        tighten(actor=operator, node=Node(system_id=credit.pk), mode=Mode.STOP, reason_code="drill", source="api")
        with serving(database_url) as restarted:
            assert asked(program, restarted.control, key, "credit", "2.1") == ("stop", "")
        value, said = asked(program, servers.control, "ans_wrong", "credit", "2.1")
        assert (value, said.split(": ")[-1]) == ("stop", "401 Unauthorized")
        value, said = asked(program, servers.control, key, "no such", "2.1")
        assert (value, said.split(": ")[-1]) == ("stop", "404 Not Found")
    value, said = asked(program, f"http://localhost:{free_port()}", key, "credit", "2.1")
    assert (value, "refused" in said) == ("stop", True)

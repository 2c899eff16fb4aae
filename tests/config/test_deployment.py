"""What operators read and start, held against what the code reads: the table of variables, compose file, entrypoint."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.checks import registry
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client
from pytest_django.fixtures import Settings

from config.standalone import options
from config.standalone.options import Options
from config.standalone.processes import StandaloneError
from config.standalone.supervisor import control_module, web_module

PROJECT = Path(__file__).resolve().parents[2]
DOCKER = PROJECT / "docker"
OPERATIONS = (PROJECT / "docs" / "operations.md").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("setup", "web", "control", "worker", "outgoing", "exports", "beat")
IN_THE_IMAGE = {"DATA_DIR", "STATIC_DIR", "PORT", "CONTROL_PORT", "PROCESS"}
"""Set by the Dockerfile and the entrypoint, or 8000 and 8001."""
DEMO_ALONE = {"DEMO"}
"""Set by `make demo`; containers are no demonstration."""


def read_by_settings() -> set[str]:
    """The variables that config/settings.py reads, without their prefix."""
    tree = ast.walk(ast.parse((PROJECT / "config/settings.py").read_text()))
    calls = [node for node in tree if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("env.")]
    return {str(ast.literal_eval(call.args[0])) for call in calls if call.args}


def read_elsewhere() -> set[str]:
    """Those that the supervisor and the container's entrypoint read by themselves."""
    files = [*(PROJECT / "config/standalone").glob("*.py"), DOCKER / "entrypoint"]
    return {name for file in files for name in re.findall(r"ANSWERABLE_([A-Z0-9_]+)", file.read_text())}


def documented() -> set[str]:
    return set(re.findall(r"^\| `ANSWERABLE_([A-Z0-9_]+)`", OPERATIONS, re.MULTILINE))


def environment(service: str) -> dict[str, Any]:
    """Its variables without their prefix, by the name that the settings know."""
    found = SERVICES[service]["environment"].items()
    return {name.removeprefix("ANSWERABLE_"): value for name, value in found}


def test_every_variable_stands_in_the_table_and_none_that_nobody_reads() -> None:
    read = read_by_settings()
    assert len(read) > 20
    assert read - documented() == set()
    assert documented() - read - read_elsewhere() == set()


def test_every_check_stands_in_the_table_and_none_that_is_not_made() -> None:
    modules = {check.__module__ for check in registry.registry.get_checks()}
    kept = ("config.checks", "governance.checks", "evidence.checks")
    ours = [PROJECT / f"{name.replace('.', '/')}.py" for name in modules if name in kept]
    made = {name for file in ours for name in re.findall(r'id="answerable\.([EW]\d+)"', file.read_text())}
    assert len(ours) == 3
    listed = {
        name
        for row in re.findall(r"^\| `answerable\..*", OPERATIONS, re.MULTILINE)
        for name in re.findall(r"`(?:answerable\.)?([EW]\d+)`", row)
    }
    assert made == listed


@pytest.mark.parametrize("service", OURS)
def test_the_compose_file_passes_every_setting_through(service: str) -> None:
    passed = {name if name in read_by_settings() else name.removesuffix("_FILE") for name in environment(service)}
    only_setup = set() if service == "setup" else {"ADMIN_DATABASE_URL", "BACKUP_DATABASE_URL"}
    assert read_by_settings() - passed - IN_THE_IMAGE - DEMO_ALONE == only_setup
    assert passed - read_by_settings() - read_elsewhere() == set()


def test_only_the_setup_gets_the_owners_address() -> None:
    for service in OURS:
        has_it = "admin_database_url" in SERVICES[service]["secrets"]
        assert has_it == (service == "setup") == ("ADMIN_DATABASE_URL_FILE" in environment(service))


@pytest.mark.parametrize("service", OURS)
def test_our_containers_can_write_to_the_volume_and_nothing_else(service: str) -> None:
    settings = SERVICES[service]
    assert (settings["read_only"], settings["cap_drop"]) == (True, ["ALL"])
    assert settings["volumes"] == ["data:/data"]
    for name in ("HEAD_STORE", "SIGNING_KEY_FILE"):
        assert environment(service)[name].startswith("/data/")


def test_every_secret_is_declared_made_and_given_to_its_reader(tmp_path: Path) -> None:
    shutil.copy2(DOCKER / "make-secrets", tmp_path)
    subprocess.run(["sh", tmp_path / "make-secrets"], check=True, capture_output=True)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    subprocess.run(["sh", tmp_path / "make-secrets"], check=True, capture_output=True)
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made
    assert {Path(each["file"]).name for each in COMPOSE["secrets"].values()} == made.keys()
    assert min(len(made[name]) for name in ("secret_key", "digest_key")) >= 32

    assert {name for service in SERVICES.values() for name in service.get("secrets", ())} == COMPOSE["secrets"].keys()
    for service in OURS:
        files = {value for value in environment(service).values() if str(value).startswith("/run/secrets/")}
        assert files == {f"/run/secrets/{name}" for name in SERVICES[service]["secrets"]}


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_special() -> None:
    lines = (DOCKER / "Dockerfile").read_text()
    assert "pip install --require-hashes -r requirements-s3.lock" in lines
    last_stage = lines.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last_stage, re.MULTILINE)
    assert "/healthz" in last_stage
    assert SERVICES["setup"]["build"] == {"context": "..", "dockerfile": "docker/Dockerfile"}


@pytest.mark.parametrize(("name", "module"), [("web", web_module), ("control", control_module)])
def test_the_container_starts_both_servers_as_the_supervisor_does(name: str, module: Any, tmp_path: Path) -> None:
    options = Options("run", tmp_path, 8000, "0.0.0.0", 3, None, None, None)
    said = tmp_path / "granian"
    said.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    said.chmod(0o755)
    done = _entrypoint(name, tmp_path, ANSWERABLE_WEB_WORKERS="3")
    expected = module(options)[2:]
    assert sorted(done.split()) == sorted(expected)


def test_anything_else_is_a_command_of_manage_py(tmp_path: Path) -> None:
    said = tmp_path / "python"
    said.write_text('#!/bin/sh\nprintf "%s " "$@"; echo\n')
    said.chmod(0o755)
    assert _entrypoint("setup_link", tmp_path) == "manage.py setup_link \n"
    assert _entrypoint("setup", tmp_path) == "manage.py setup_database \nmanage.py check --database default \n"


def _entrypoint(argument: str, programs: Path, **environment: str) -> str:
    command = ["sh", str(DOCKER / "entrypoint"), argument]
    path = f"{programs}:/usr/bin:/bin"
    return subprocess.run(command, env={"PATH": path} | environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.django_db
def test_the_setup_ends_where_the_origin_is_not_that_of_the_logs(settings: Settings) -> None:
    call_command("check", databases=["default"])
    settings.ORIGIN = "elsewhere.example.org"
    with pytest.raises(SystemCheckError, match=r"answerable\.E012"):
        call_command("check", databases=["default"])


@pytest.mark.django_db
def test_every_metric_stands_in_the_table_and_none_that_is_not_exported(client: Client) -> None:
    body = client.get("/metrics").content.decode()
    exported = set(re.findall(r"^# TYPE (\w+) ", body, re.MULTILINE))
    section = OPERATIONS.partition("\n## Watching it\n")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in re.findall(r"^\| `answerable_.*", section, re.MULTILINE)]
    assert exported == {name for row in rows for name in re.findall(r"`(answerable_\w+)`", row)}


@pytest.mark.django_db
def test_every_check_of_readiness_stands_in_the_page(client: Client) -> None:
    said = re.search(r"names each check \(([^)]*)\)", OPERATIONS)
    assert said
    assert client.get("/readyz").json()["checks"].keys() == set(re.findall(r"`(\w+)`", said[1]))


def test_the_folder_of_the_program_is_no_data_folder() -> None:
    """Or its keys would stand among the sources, and go wherever those go."""
    with pytest.raises(StandaloneError, match="among its sources"):
        options.read(["run", "--data-dir", str(PROJECT)], {})
    command = [sys.executable, "-c", "import config.settings"]
    env = {"PATH": os.environ["PATH"], "ANSWERABLE_DATA_DIR": f"{PROJECT}/docs/.."}
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "among its sources" in done.stderr
    assert not (PROJECT / "secret.key").exists()

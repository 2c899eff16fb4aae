"""The one-machine installation, from outside: what it starts, what it survives, what it leaves behind (nothing)."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from config.standalone import layout
from config.standalone.cluster import Cluster
from tests.running import PROJECT, Product, free_port, launch, running

AS_NOBODY: dict[str, Any] = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
STREAMS, STOPS_WITHIN = 50, 30.0
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".data", ".demo", ".*_cache", "__pycache__", "node_modules")

pytestmark = pytest.mark.e2e


def _status(product: Product, path: str = "/readyz", *, port: int = 0) -> int:
    with urllib.request.urlopen(f"http://localhost:{port or product.port}{path}", timeout=10) as answer:
        return int(answer.status)


def _wait_until(done: Callable[[], bool], patience: float = 60.0) -> None:
    until = time.monotonic() + patience
    while not done():
        assert time.monotonic() < until
        time.sleep(0.1)


def _answers(product: Product, port: int = 0) -> bool:
    try:
        return _status(product, port=port) == 200
    except OSError:
        return False


def test_web_runs_as_app_and_the_tables_belong_to_keeper(product: Product) -> None:
    assert _status(product) == 200
    with Cluster(product.data_dir).connect("answerable") as connection:
        roles = connection.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name IN ('web', 'worker', 'beat')"
            " AND usename IS NOT NULL"  # a connection that is being made has none yet
        ).fetchall()
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert roles == [("app",)]
    assert owners == [("keeper",)]


def test_app_is_a_member_of_nothing_and_makes_nothing(product: Product) -> None:
    with psycopg.connect(layout.database_url(product.data_dir, role="app"), autocommit=True) as connection:
        assert connection.execute(
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR EXISTS (SELECT FROM pg_auth_members WHERE member = oid)"
            " FROM pg_roles WHERE rolname = 'app'"
        ).fetchone() == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE keeper")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (id int)")


def test_no_child_but_setup_sees_the_keepers_address(product: Product) -> None:
    seen = []
    for process in product.processes():
        with suppress(psutil.NoSuchProcess):  # the database ends connections that nobody uses
            seen.append(process.environ())
    assert len(seen) > 10
    assert not [each for each in seen if "ANSWERABLE_ADMIN_DATABASE_URL" in each]


def test_manage_py_talks_to_the_one_that_runs(product: Product) -> None:
    out = product.manage("shell", "--no-imports", "-c", "from django.conf import settings; print(settings.BASE_URL)")
    assert out.strip() == product.url


def test_manage_py_says_in_a_sentence_that_nothing_runs(data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "clearsessions"],
        env={**os.environ, "ANSWERABLE_DATA_DIR": str(data_dir)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"Nothing runs on {data_dir}")
    assert "Traceback" not in done.stderr


def test_a_second_start_names_the_first(product: Product) -> None:
    second = _refused(product.data_dir)
    assert f"already runs on {product.data_dir} (process {product.process.pid})" in second


def test_a_taken_port_is_named(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = f"Port {port} on 127.0.0.1 is taken"
        assert said in _refused(data_dir, ANSWERABLE_PORT=str(port))
        refused = _refused(data_dir, ANSWERABLE_PORT=str(free_port()), ANSWERABLE_CONTROL_PORT=str(port))
        assert said in refused and "CONTROL_PORT" in refused


def test_a_port_that_is_none_is_refused(data_dir: Path) -> None:
    assert "PORT must be" in _refused(data_dir, ANSWERABLE_PORT="eighty")


def _refused(data_dir: Path, **extra: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "config.standalone", "run"],
        cwd=PROJECT, env={**os.environ, "ANSWERABLE_DATA_DIR": str(data_dir), **extra},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_stops_cleanly_and_starts_again(installed_dir: Path) -> None:
    for number in (signal.SIGHUP, signal.SIGTERM):  # SIGINT: see the streams
        with running(installed_dir) as product:
            assert _answers(product)
            assert product.stop(number) == 0
            assert product.processes() == []


def test_open_streams_are_told_and_hold_up_no_stop(installed_dir: Path) -> None:
    with running(installed_dir) as product, ExitStack() as stack:
        words = ("--slug", "credit", "--name", "Credit", "--accountable", "owner@example.org")
        product.manage("create_system", *words)
        key = product.manage("create_service_key", "--system", "credit", "--scope", "control:read").strip()
        _wait_until(lambda: _first_event(stack, product, key)[1].startswith(b"HTTP/1.1 200"))
        lines = [_first_event(stack, product, key)[0] for _ in range(STREAMS)]
        began = time.monotonic()
        assert product.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < STOPS_WITHIN
        assert product.processes() == []
        assert [line.recv(65536).count(b"event: end") for line in lines] == [1] * STREAMS


def _first_event(stack: ExitStack, product: Product, key: str) -> tuple[socket.socket, bytes]:
    """An open stream that has said its first, or why there is none."""
    line = stack.enter_context(socket.create_connection(("127.0.0.1", product.control_port), timeout=20))
    path = "/api/v1/control/events"
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    said = line.recv(65536)
    while said.startswith(b"HTTP/1.1 200") and b"event: state" not in said:
        said += line.recv(65536)
    return line, said


def test_it_stops_cleanly_in_the_middle_of_its_start(data_dir: Path) -> None:
    product = launch(data_dir)
    product.wait_said("Preparing the database")
    assert product.stop(signal.SIGINT) == 0
    assert product.processes() == []
    product.output_file.unlink()


def test_nothing_outlives_a_killed_supervisor_and_it_starts_again_then_or_at_once(installed_dir: Path) -> None:
    product = launch(installed_dir)
    product.wait_started()
    product.process.kill()
    product.process.wait()
    _wait_until(lambda: product.processes() == [])
    again = launch(installed_dir)
    again.wait_started()
    assert _answers(again)
    again.process.kill()
    with running(installed_dir) as at_once:
        assert _answers(at_once)
    again.process.wait()


def test_whatever_is_killed_comes_back(installed_dir: Path) -> None:
    with running(installed_dir) as product:
        server = product.service("config.wsgi:application")
        server.children()[0].kill()
        _wait_until(lambda: len(server.children()) >= 2)
        server.kill()
        product.wait_said("web ended .*SIGKILL")
        product.wait_said("web runs again")
        _wait_until(lambda: _answers(product))
        product.service("config.asgi:application").kill()
        product.wait_said("control runs again")
        _wait_until(lambda: _answers(product, product.control_port))
        product.service("prefork").kill()
        product.wait_said("worker runs again")
        for folder, name in (("pg/data", "PostgreSQL"), ("broker", "the broker")):
            _leader(product, installed_dir / folder).kill()
            product.wait_said(f"{name} runs again")
            _wait_until(lambda: _answers(product))
        assert product.stop() == 0
        assert product.processes() == []


def _leader(product: Product, folder: Path) -> psutil.Process:
    [found] = [child for child in psutil.Process(product.process.pid).children() if child.cwd() == str(folder)]
    return found


def test_a_data_folder_with_a_long_and_odd_name(data_dir: Path) -> None:
    odd = data_dir / ("long" * 30) / "with space, comma and 'quote' 100%"
    odd.mkdir(parents=True)
    with running(odd) as product:
        assert _answers(product)
        product.manage("clearsessions")


@pytest.mark.drill
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_installs_and_runs_it_with_make(data_dir: Path) -> None:
    project, port = data_dir / "project", free_port()
    shutil.copytree(PROJECT, project, ignore=NOT_COPIED)
    shutil.chown(data_dir, "nobody")
    shutil.chown(project, "nobody")
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(data_dir)}
    environment |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    output = data_dir / "out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["make", "run", f"PORT={port}", f"CONTROL_PORT={port + 1}", f"DATA_DIR={data_dir / 'data'}"],
            cwd=project,
            env=environment,
            **AS_NOBODY,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    product = Product(process, data_dir / "data", port, output, port + 1)
    try:
        product.wait_started()
        assert _answers(product)
        assert {found.username() for found in product.processes()} == {"nobody"}
    finally:
        product.stop()
    assert product.processes() == []

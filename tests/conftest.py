"""Fixtures for all tests: the database (see tests/databases.py) and the running product (see tests/running.py).

- `django_db` (or the fixture `db`): a transaction on the process's own clone, rolled back.
- `@pytest.mark.committing` (or `transactional_db`, `committed_db`, `live_server`): a clone for that one test.
- `database_url`, `keeper_url`: the address of the test's database for threads and other processes.
"""

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import ScryptPasswordHasher
from django.db import connections
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

from config.standalone import layout
from tests import databases, running
from tests.environment import INSTALLATION

BROWSER_FLAGS = [
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
COMMITTING_FIXTURES = {"transactional_db", "committed_db", "live_server"}
_run = ExitStack()  # what the main process of a run started


# --- one cluster for a run -------------------------------------------------------------------------------------------
@pytest.hookimpl(optionalhook=True)  # xdist's
def pytest_configure_node(node: Any) -> None:
    """In the controller of `-n`, before each worker: it outlives them all, so the cluster is its child."""
    _start_cluster_once()


def _start_cluster_once() -> None:
    if not (INSTALLATION / "pg").exists():
        _run.callback(databases.start_cluster().stop)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _run.close()
        shutil.rmtree(INSTALLATION, ignore_errors=True)


def pytest_collection_finish() -> None:
    """All tests and modules stay to the end: no collection need look at them again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("committing"):
            item.add_marker(pytest.mark.django_db(transaction=True))


# --- Django's database -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def throwaway_cluster(request: pytest.FixtureRequest) -> None:
    """The run's PostgreSQL with its migrated database."""
    if not hasattr(request.config, "workerinput"):
        _start_cluster_once()


@pytest.fixture(scope="session")
def django_db_setup(
    throwaway_cluster: None, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """This process's own clone, with Django connected to it as the role `app`."""
    with (
        django_db_blocker.unblock(),
        databases.clone() as name,
        databases.connected_to(name),
        django_db_blocker.block(),
    ):
        yield


@pytest.fixture
def _django_db_helper(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[None]:
    """pytest-django's way to the database, with a head store of the test's own and clones in place of TRUNCATE."""
    with databases.own_head_store(tmp_path):
        if _commits(request):
            with django_db_blocker.unblock(), databases.clone() as name, databases.connected_to(name):
                yield
        else:
            request.getfixturevalue("_django_db_helper")
            yield


def _commits(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("django_db")
    return bool(marker and marker.kwargs.get("transaction")) or not COMMITTING_FIXTURES.isdisjoint(request.fixturenames)


@pytest.fixture
def committed_db(transactional_db: None) -> None:
    """A database of this test's own, in which commits are real."""


@pytest.fixture
def database_url() -> str:
    """The address of this test's database for the role `app`."""
    return layout.database_url(INSTALLATION, role="app", name=connections["default"].settings_dict["NAME"])


@pytest.fixture
def keeper_url() -> str:
    """The address of this test's database for the role that owns the tables."""
    return layout.database_url(INSTALLATION, role="keeper", name=connections["default"].settings_dict["NAME"])


@pytest.fixture(autouse=True, scope="session")
def _no_search_for_static_files() -> None:
    """Each test client would look for all of them; the server of `live_server` finds them by itself."""
    settings.WHITENOISE_USE_FINDERS = False


@pytest.fixture(autouse=True, scope="session")
def _passwords_are_hashed_quickly() -> Iterator[None]:
    """By the product's own algorithm with less work: tests guess, and sign in, some thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScryptPasswordHasher, "work_factor", 16)
        patch.setattr(ScryptPasswordHasher, "parallelism", 1)
        yield


@pytest.fixture(autouse=True)
def _no_second_factor_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """People of tests do their work with a password; tests of the second factor force it."""
    monkeypatch.setattr(settings, "SECOND_FACTOR_FORCED", False)


# --- the register in memory ------------------------------------------------------------------------------------------
@pytest.fixture(autouse=True)
def _register_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread and no memory of another test's database: each look-up reads what this test has written."""
    from governance import memory

    monkeypatch.setattr(memory, "polling", False)
    memory.forget()


@pytest.fixture(autouse=True)
def _control_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for switches, parameters and review rules."""
    from overrides import memory

    monkeypatch.setattr(memory, "polling", False)
    memory.forget()


# --- the running product and a browser -------------------------------------------------------------------------------
@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty data folder for an installation of the test's own (start it with tests.running)."""
    with running.data_folder() as folder:
        yield folder


@pytest.fixture
def installed_dir(throwaway_cluster: None) -> Iterator[Path]:
    """The same after its first start, which is what takes longest of a test that is of something else."""
    with running.data_folder(installed=True) as folder:
        yield folder


@pytest.fixture(scope="session")
def product(throwaway_cluster: None) -> Iterator[running.Product]:
    """The running product, shared by all tests of this process. Mark the test `e2e` (or `browser`)."""
    with running.data_folder(installed=True) as folder, running.running(folder) as started:
        yield started


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or that of CHROMIUM. Mark the test `browser`."""
    names = filter(None, (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"))
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.fail("There is no Chromium here: run tools/chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a window of its own, without cookies; errors in its console fail the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert not errors, "\n".join(errors)

"""`make demo` without its content would be taken for the product: it ends with an error that says what to do."""

import os
from pathlib import Path

import pytest
from django.conf import settings

from config.standalone.options import Options, child_environment
from config.standalone.processes import StandaloneError
from config.standalone.supervisor import Supervisor, load_demonstration
from governance.services.people import bootstrap_administrator, bootstrap_token

pytestmark = pytest.mark.committing


@pytest.fixture
def supervisor(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """One whose commands talk to this test's database; it starts nothing."""
    for name, value in {"DATABASE_URL": database_url, "HEAD_STORE": settings.HEAD_STORE}.items():
        monkeypatch.setenv(f"ANSWERABLE_{name}", str(value))
    monkeypatch.setenv("ANSWERABLE_SIGNING_KEY_FILE", str(settings.SIGNING_KEY_FILE))
    monkeypatch.setenv("ANSWERABLE_ORIGIN", settings.ORIGIN)
    made = Supervisor(Options("demo", tmp_path, 8000, "127.0.0.1", 1, database_url, None, None, settings.ORIGIN))
    made.logs.mkdir()
    assert child_environment(made.options)["ANSWERABLE_DATA_DIR"] == str(tmp_path) != os.environ["ANSWERABLE_DATA_DIR"]
    return made


def test_what_somebody_works_with_is_not_made_a_demonstration(supervisor: Supervisor) -> None:
    token = bootstrap_token()
    assert token
    bootstrap_administrator(token=token, name="Anna", email="anna@example.org", password="a long enough pass phrase")

    with pytest.raises(StandaloneError) as ended:
        load_demonstration(supervisor._manage, supervisor.options)

    said = str(ended.value)
    assert "everything was stopped" in said
    assert "has an administrator of its own" in said
    assert f"make run DATA_DIR={supervisor.options.data_dir}" in said
    assert "Traceback" not in said


def test_an_empty_one_becomes_a_demonstration_and_shows_how_to_get_in(supervisor: Supervisor) -> None:
    said = load_demonstration(supervisor._manage, supervisor.options)
    assert "This is a demonstration" in said
    credentials, curl, _ = said.partition("curl -X POST")
    assert "Password" in credentials
    assert curl
    assert load_demonstration(supervisor._manage, supervisor.options).startswith(credentials)

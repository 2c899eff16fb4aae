"""A restored database brings the name of its logs; the supervisor holds its own against it before web starts."""

from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from config.standalone import layout
from config.standalone.naming import agree_on_origin
from config.standalone.options import Options
from config.standalone.processes import StandaloneError

pytestmark = pytest.mark.committing


def options(data_dir: Path, database_url: str, origin: str | None = None) -> Options:
    return Options("run", data_dir, 8000, "127.0.0.1", 1, database_url, None, None, origin)


def test_a_name_that_was_made_up_gives_way_to_that_of_the_logs(
    tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert layout.origin(tmp_path) != settings.ORIGIN
    agree_on_origin(options(tmp_path, database_url))
    assert layout.origin(tmp_path) == settings.ORIGIN
    assert f"those of {settings.ORIGIN}" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["environment", "file"])
def test_a_name_that_was_chosen_and_is_not_that_of_the_logs_ends_the_start(
    tmp_path: Path, database_url: str, how: str
) -> None:
    chosen = None
    if how == "environment":
        chosen = "log.example.org"
    else:
        (tmp_path / "origin").write_text("log.example.org")
    with pytest.raises(StandaloneError, match=rf"those of {settings.ORIGIN}, but .* says log\.example\.org"):
        agree_on_origin(options(tmp_path, database_url, chosen))


def test_a_name_that_is_that_of_the_logs_is_left_alone(
    tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    agree_on_origin(options(tmp_path, database_url, settings.ORIGIN))
    assert not (tmp_path / "origin").exists()
    assert capsys.readouterr().out == ""


def test_a_database_that_nobody_has_set_up_asks_for_no_name(tmp_path: Path, keeper_url: str) -> None:
    with psycopg.connect(keeper_url) as connection:
        connection.execute("ALTER TABLE ledger_log RENAME TO ledger_log_away")
    agree_on_origin(options(tmp_path, keeper_url, "log.example.org"))


def test_a_database_that_does_not_answer_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(StandaloneError, match="does not answer"):
        agree_on_origin(options(tmp_path, layout.database_url(tmp_path, role="app"), "log.example.org"))

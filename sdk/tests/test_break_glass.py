"""The break-glass file: without the service, only tighter, and a mistake in it never leaves things running."""

import time
from pathlib import Path

import pytest

from answerable import FailPolicy, Mode
from answerable._break_glass import STOP_ALL, BreakGlass, Line, read_lines
from answerable.testing import FakeServer
from tests.helpers import AWAY, SYSTEM, becomes, client_for


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("* stop", Line(Mode.STOP)), ("credit review", Line(Mode.REVIEW, "credit")),
        ("credit/prod stop", Line(Mode.STOP, "credit", "prod")),
        ("credit@2.1 fallback", Line(Mode.FALLBACK, "credit", None, "2.1")),
        ("credit/prod@a/b:c stop", Line(Mode.STOP, "credit", "prod", "a/b:c")),
        ("credit:increase  STOP  # now", Line(Mode.STOP, "credit", None, None, "increase")),
        ("\ufeff* stop".lstrip("\ufeff"), Line(Mode.STOP)),
    ],
)  # fmt: skip
def test_lines_are_read(text: str, line: Line) -> None:
    assert read_lines(f"# a comment\n\n{text}\n") == ((line,), [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("credit stpo", Line(Mode.STOP, "credit")), ("credit", Line(Mode.STOP, "credit")),
        ("my credit system stop", Line(Mode.STOP)), ("Credit! review", Line(Mode.REVIEW)),
        ("stop", Line(Mode.STOP)), ("review", Line(Mode.REVIEW)),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_told_and_tightens(text: str, line: Line) -> None:
    lines, wrong = read_lines(text)
    assert lines == (line,)
    assert wrong


def test_a_file_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    told: list[Exception] = []
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_text("# x\n" * 20_000)
    for name in ("folder", "binary", "large"):
        glass = BreakGlass(tmp_path / name, told.append)
        assert glass.look() and glass.lines == STOP_ALL
    assert len(told) == 3


def test_breaking_the_glass_works_without_the_service_and_is_told_on_contact(
    server: FakeServer, tmp_path: Path
) -> None:
    glass = tmp_path / "glass"
    with client_for(server, tmp_path, break_glass=glass) as client:
        assert client.wait_ready(3)
        server.close()
        glass.write_text(f"{SYSTEM} stop\n")
        assert becomes(client, "stop") < 1.5
        server.start()
        server.wait_for(lambda s: any(a["applied_by"] == "file" and a["file_mode"] == "stop" for a in s.acks), 15)
        glass.write_text(f"{SYSTEM} run\n")
        becomes(client, "run")
        server.set_mode(SYSTEM, "stop")
        becomes(client, "stop")
        glass.unlink()
        time.sleep(1.1)
        assert client.mode() == "stop"


def test_who_does_not_say_what_runs_is_stopped_by_a_line_for_any_version(tmp_path: Path) -> None:
    """It may be that one. A capability is part of the question, so a line for another one is not meant."""
    glass = tmp_path / "glass"
    glass.write_text(f"{SYSTEM}/staging@2.1 stop\n{SYSTEM}:increase stop\n")
    policy = FailPolicy(cold_start=Mode.RUN)
    with client_for(AWAY, tmp_path, break_glass=glass, model_version=None, fail_policy=policy) as client:
        assert client.mode() == "stop"
        assert (client.mode(model_version="2.0"), client.mode(model_version="2.1")) == ("run", "stop")
        assert client.mode(model_version="2.0", capability="increase") == "stop"
    with client_for(AWAY, tmp_path, break_glass=glass, environment="production", fail_policy=policy) as client:
        assert client.mode() == "run"

"""`verify_logs`: says how far it is, and is taken up again after an interruption."""

import io
import json
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from config.ids import new_id
from evidence.management.commands import verify_logs
from evidence.verification import LogVerification
from evidence.verification.findings import Finding
from ledger.selectors import registry_log
from tests.evidence.conftest import Organisation, record

STEP = LogVerification.step


class Interrupted(Exception):
    """The power went."""


@pytest.fixture(autouse=True)
def at_every_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence.verification.engine.SLICE", 256)
    monkeypatch.setattr(verify_logs, "KEPT_EVERY", 0.0)
    monkeypatch.setattr(verify_logs, "SAID_EVERY", 0.0)


def verify(*arguments: str) -> tuple[str, str, int]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("verify_logs", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return out.getvalue(), err.getvalue(), int(str(ended.code))
    return out.getvalue(), err.getvalue(), 0


def interrupt_at(monkeypatch: pytest.MonkeyPatch, log_id: object, size: int) -> None:
    def step(verification: LogVerification) -> list[Finding]:
        if verification.log.id == log_id and verification.frontier.size >= size:
            raise Interrupted
        return STEP(verification)

    monkeypatch.setattr(LogVerification, "step", step)


def slices_seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    seen: list[tuple[str, int]] = []

    def step(verification: LogVerification) -> list[Finding]:
        seen.append((str(verification.log.id), verification.frontier.size))
        return STEP(verification)

    monkeypatch.setattr(LogVerification, "step", step)
    return seen


def test_without_a_terminal_progress_is_lines_and_quiet_is_quiet(organisation: Organisation) -> None:
    _, said, code = verify()
    assert code == 0
    assert f"{organisation.log.origin}: 256 of {organisation.log.entries.count():,} entries\n" in said
    assert verify("--quiet")[1] == ""


def test_an_interrupted_verification_goes_on_where_it_stopped(
    organisation: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(organisation.log, organisation.account, 700)
    file = tmp_path / "verified.json"
    interrupt_at(monkeypatch, organisation.log.id, 512)
    with pytest.raises(Interrupted):
        verify("--resume", str(file))
    assert json.loads(file.read_text())["logs"][str(organisation.log.id)]["size"] == 512
    seen = slices_seen(monkeypatch)
    out, said, code = verify("--resume", str(file))
    assert code == 0
    assert "Verified" in out
    assert "Going on from" in said
    assert [size for log_id, size in seen if log_id == str(organisation.log.id)] == [512, 768]
    assert str(registry_log().id) not in dict(seen)  # it had been verified whole
    assert not list(tmp_path.glob("*verified.json*"))  # a finished one is not gone on from


def test_what_was_found_before_the_interruption_is_said_again(
    organisation: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(organisation.log, organisation.account, 700)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE governance_aisystem SET status = 'live' WHERE id = %s", [organisation.system.id])
    file = tmp_path / "verified.json"
    interrupt_at(monkeypatch, organisation.log.id, 512)
    with pytest.raises(Interrupted):
        verify("--resume", str(file))
    monkeypatch.setattr(LogVerification, "step", STEP)
    out, _, code = verify("--resume", str(file), "--json")
    assert code == 1
    assert [json.loads(line)["code"] for line in out.splitlines()] == ["row-altered"]


@pytest.mark.parametrize("change", ["garbage", "installation", "other logs"])
def test_a_file_that_does_not_fit_is_ignored_and_said(organisation: Organisation, tmp_path: Path, change: str) -> None:
    file = tmp_path / "verified.json"
    stated = {
        "format": 1,
        "origin": "elsewhere.example" if change == "installation" else settings.ORIGIN,
        "only": str(new_id()) if change == "other logs" else None,
        "logs": {},
        "walks": {},
        "findings": [],
        "finished": [str(organisation.log.id), "governance_aisystem:rows"],
    }
    file.write_text("{" if change == "garbage" else json.dumps(stated))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE governance_aisystem SET status = 'live' WHERE id = %s", [organisation.system.id])
    _, said, code = verify("--resume", str(file))
    assert "is ignored, and everything verified from its beginning" in said
    assert code == 1


def test_a_log_that_is_another_one_by_now_is_verified_from_its_beginning(
    organisation: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(organisation.log, organisation.account, 700)
    file = tmp_path / "verified.json"
    interrupt_at(monkeypatch, organisation.log.id, 512)
    with pytest.raises(Interrupted):
        verify("--resume", str(file))
    stated = json.loads(file.read_text())
    kept = stated["logs"][str(organisation.log.id)]
    kept["frontier"] = kept["frontier"][:-2] + ("00" if kept["frontier"][-2:] != "00" else "01")
    file.write_text(json.dumps(stated))
    seen = slices_seen(monkeypatch)
    _, said, code = verify("--resume", str(file))
    assert code == 0
    assert f"{organisation.log.origin} is not the log that was verified then" in said
    assert (str(organisation.log.id), 0) in seen


def test_a_file_that_cannot_be_written_is_said_at_once(organisation: Organisation, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        verify("--resume", str(tmp_path / "no such folder" / "verified.json"))

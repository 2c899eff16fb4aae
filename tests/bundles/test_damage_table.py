"""Every damage is found and named, by both verifiers alike; and what both say does not depend on who says it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import answerable_verify
from answerable_verify import verify
from tests.bundles.cases import Made, Row, as_request, check, usual, usual_made
from tests.bundles.damages import ROWS
from tests.bundles.javascript import JavaScript, with_node

PRINTABLE = {chr(code) for code in range(0x20, 0x7F)} | {"\n"}
SAMPLE = [row for number, row in enumerate(ROWS) if number % 29 == 0]


def as_words(report: dict[str, Any]) -> list[Any]:
    """What verify.py prints of a report, from the report's own JSON."""
    found = verify.Report()
    found.counts = report["counts"]
    found.findings = [verify.Finding(each["code"], each["place"], each["detail"]) for each in report["findings"]]
    return [verify.verdict_line(found)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_it_is_found_and_named(row: Row) -> None:
    report = check(row.make())
    assert (report["exit_code"], set(row.codes) - set(report["counts"])) == (row.exit_code, set()), report["findings"]
    if row.exit_code == verify.TAMPERED:
        assert report["proven"] == report["not_proven"] == []
    for finding in report["findings"]:
        assert set(finding["place"] + finding["detail"]) <= PRINTABLE, finding


@with_node
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_page_says_the_same(row: Row, javascript: JavaScript) -> None:
    made = row.make()
    ours, theirs = check(made), javascript.ask(as_request(made))
    words = theirs.pop("words", [None])
    assert theirs == ours
    assert ours["exit_code"] == verify.USAGE or words[-1:] == as_words(ours)


def test_a_row_has_a_name_of_its_own() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names) > 300


def test_every_finding_is_in_the_table() -> None:
    """Each code is what some damage must be called. (A folder's and a caller's own are tested elsewhere.)"""
    named = {code for row in ROWS for code in row.codes}
    assert set(verify.FINDINGS) - named == {"clock-back", "too-many-signatures", "file-beside"}


@pytest.mark.parametrize("row", SAMPLE, ids=lambda row: row.id)
def test_the_command_says_so_too(row: Row, tmp_path: Path) -> None:
    made = row.make()
    result = run(made, tmp_path)
    assert result.returncode == row.exit_code, result.stdout + result.stderr
    assert set(result.stdout + result.stderr) <= PRINTABLE
    assert "Traceback" not in result.stderr
    for code in row.codes:
        assert f"[{code}]" in result.stdout


def run(made: Made, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The command, as an auditor runs it: isolated from whatever Python packages are installed."""
    (folder / "bundle.zip").write_bytes(made.data)
    arguments = [each for vkey in made.vkeys for each in ("--vkey", vkey)]
    if made.policy:
        (folder / "policy").write_bytes(made.policy)
        arguments += ["--policy", str(folder / "policy")]
    for number, head in enumerate(made.heads):
        (folder / f"head-{number}").write_bytes(head)
        arguments += ["--head", str(folder / f"head-{number}")]
    for number, certificate in enumerate(made.certificates):
        (folder / f"tsa-{number}.pem").write_text(certificate)
        arguments += ["--tsa", str(folder / f"tsa-{number}.pem")]
    command = [
        sys.executable,
        "-I",
        str(answerable_verify.source_path()),
        str(folder / "bundle.zip"),
        *arguments,
        *more,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_usual_bundle_is_verified_in_every_form(tmp_path: Path) -> None:
    made = usual_made(usual())
    assert run(made, tmp_path).returncode == 0
    report = json.loads(run(made, tmp_path, "--json").stdout)
    assert (report["format"], report["verdict"], report["findings"]) == ("answerable-verification/1", "verified", [])
    assert run(made, tmp_path, "--quiet").stdout == verify.WORDS["verdict_verified"] + "\n"
    assert run(Made(usual().zip(deflated=True), made.vkeys), tmp_path).returncode == 0
    assert run(Made(usual().zip(), made.vkeys), tmp_path).returncode == 0

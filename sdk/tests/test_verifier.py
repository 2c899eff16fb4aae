"""The package brings the offline verifier. (`tests/bundles` beside the server tests that it is right.)"""

import subprocess
import sys
from pathlib import Path

import answerable_verify

PACKAGE = Path(__file__).resolve().parents[1]


def test_the_command_is_there_and_needs_nothing_of_the_client() -> None:
    project = (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.scripts]\nanswerable-verify = "answerable_verify.verify:main"\n' in project
    assert 'packages = ["src/answerable", "src/answerable_verify"]\n' in project
    code = "import sys; from answerable_verify.verify import main; print('answerable' in sys.modules); main(['--help'])"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(PACKAGE / 'src')!r}); {code}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("False\n") and "--vkey" in result.stdout


def test_the_files_that_bundles_carry_are_there() -> None:
    assert answerable_verify.source_path().read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")
    assert answerable_verify.page_path().read_text(encoding="utf-8").startswith("<!doctype html>\n")


def test_what_is_no_bundle_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"hello")
    command = [sys.executable, "-I", str(answerable_verify.source_path()), str(tmp_path / "x.zip")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "") and "not an evidence bundle" in result.stderr

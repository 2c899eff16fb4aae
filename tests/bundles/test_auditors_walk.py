"""An auditor with the bundle, the key and a machine without a network, who does what the text in the bundle says."""

import io
import re
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from answerable_verify import verify
from tests.bundles.cases import usual
from tests.interop import verifiers

ALONE = ["unshare", "--map-root-user", "--net"]


def _can_be_alone() -> bool:
    if shutil.which("unshare") is None or shutil.which("python3") is None:
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _can_be_alone(), reason="needs unshare, and user namespaces")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """What the auditor has: the zip, and beside it what was taken out of it."""
    data = usual().zip(deflated=True)
    (tmp_path / "evidence.zip").write_bytes(data)
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        bundle.extractall(tmp_path / "unpacked")
        bundle.extract("verify.py", tmp_path)
    return tmp_path


def commands(desk: Path) -> list[str]:
    """The lines of VERIFYING.txt that are commands: those that stand in by seven blanks."""
    text = (desk / "unpacked" / "VERIFYING.txt").read_text(encoding="ascii")
    return [line.strip() for line in text.partition("-- check.go")[0].splitlines() if line.startswith(" " * 7)]


def alone(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command as it stands, in a shell with no network, no settings and nothing of ours."""
    shell = [*ALONE, "env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", command]
    return subprocess.run(shell, cwd=folder, capture_output=True, text=True, check=False)


def test_there_is_no_network(desk: Path) -> None:
    devices = alone("cat /proc/net/dev", desk).stdout
    assert re.findall(r"^ *(\w+):", devices, re.MULTILINE) == ["lo"]
    assert alone("python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 1), 1)'", desk).returncode != 0


def test_the_command_in_the_bundle_reaches_a_verdict(desk: Path) -> None:
    (command,) = [each for each in commands(desk) if each.startswith("python3 ") and "--vkey" in each]
    command = command.replace("BUNDLE.zip", "evidence.zip").replace("'THE VERIFIER KEY'", shlex.quote(usual().vkey))
    done = alone(command, desk)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith(verify.WORDS["verdict_verified"])
    assert verify.WORDS["n_true"] in done.stdout  # and what is not proven


def test_without_the_key_it_prints_what_to_compare_and_is_incomplete(desk: Path) -> None:
    done = alone("python3 -I verify.py evidence.zip", desk)
    assert done.returncode == verify.INCOMPLETE and "VERIFIED." not in done.stdout.replace("not verified.", "")
    assert verify.fingerprint(usual().note_signers[0].public) in done.stdout


def test_the_unpacked_folder_is_a_bundle_too_and_sha256sum_accepts_it(desk: Path) -> None:
    assert alone(f"python3 -I verify.py unpacked --vkey {shlex.quote(usual().vkey)}", desk).returncode == 0
    assert '(cd "$BUNDLE" && sha256sum -c SHA256SUMS)' in commands(desk)
    done = recipe(desk, "(cd ")
    assert (done.returncode, done.stdout.count(": OK")) == (0, len(usual().files) - 1)
    (desk / "unpacked" / "README.html").write_bytes(b"changed")
    assert alone("cd check; (cd ../unpacked && sha256sum -c SHA256SUMS)", desk).returncode == 1


def recipe(desk: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    """The commands that lead there and those that begin so, in their order, in one shell as an auditor has it."""
    before = ("mkdir ", "cd ", "BUNDLE=", "LOG=")
    lines = [each for each in commands(desk) if each.startswith((*before, *wanted))]
    assert len(lines) >= len(before) + len(wanted)
    lines[lines.index("BUNDLE=../bundle")] = "BUNDLE=../unpacked"
    return alone("\n".join(["set -e", *lines]).replace("'THE VERIFIER KEY'", shlex.quote(usual().vkey)), desk)


@pytest.mark.skipif(not verifiers.go_available(), reason="needs the packages golang-go and golang-golang-x-mod-dev")
def test_the_go_program_runs_without_a_network_by_the_command_in_the_bundle(desk: Path) -> None:
    text = (desk / "unpacked" / "VERIFYING.txt").read_text(encoding="ascii")
    found = re.search(r"-+ check\.go\n(.*?)\n-{20,}\n", text, re.DOTALL)
    assert found
    (desk / "check").mkdir()
    (desk / "check" / "check.go").write_text(found[1] + "\n")
    lines = [each for each in commands(desk) if each.startswith(("cd ", "BUNDLE=", "LOG=", "GO111MODULE="))]
    lines[lines.index("BUNDLE=../bundle")] = "BUNDLE=../unpacked"
    script = "\n".join(["set -e", "export HOME=$PWD", *lines]).replace("'THE VERIFIER KEY'", shlex.quote(usual().vkey))
    done = alone(script, desk)
    assert done.returncode == 0 and done.stdout.startswith("verified: "), done.stderr


def test_nothing_that_the_text_says_is_added_to_the_bundle(desk: Path) -> None:
    assert recipe(desk, "(cd ", "sed ").returncode == 0
    done = alone(f"python3 -I verify.py unpacked --vkey {shlex.quote(usual().vkey)} --json", desk)
    assert done.returncode == 0 and '"file-beside"' not in done.stdout


def test_the_meaning_of_a_code_is_there_without_a_network(desk: Path) -> None:
    (command,) = [each for each in commands(desk) if each.endswith("--explain")]
    done = alone(command, desk)
    assert done.returncode == 0 and [code for code in verify.FINDINGS if f"  {code}\n" not in done.stdout] == []


def test_a_changed_entry_is_named_to_the_auditor(desk: Path) -> None:
    path = min(desk.glob("unpacked/logs/*/entries/000000.ndjson"))
    path.write_bytes(path.read_bytes().replace(b"approved", b"declined", 1))
    done = alone(f"python3 -I verify.py unpacked --vkey {shlex.quote(usual().vkey)}", desk)
    assert done.returncode == verify.TAMPERED
    assert "[entry-altered]" in done.stdout and str(path.relative_to(desk / "unpacked")) in done.stdout


def test_the_recipe_for_the_time_stamp_is_of_the_text_that_was_stamped(desk: Path) -> None:
    assert recipe(desk, "sed ").returncode == 0
    text = (desk / "check" / "text").read_bytes()
    token = min(desk.glob("unpacked/logs/*/timestamps/000000.tsr")).read_bytes()
    assert verify.check_timestamp(token, text).at


def test_whoever_stops_reading_does_not_make_it_tampering(desk: Path) -> None:
    command = f"(python3 -I verify.py evidence.zip --vkey {shlex.quote(usual().vkey)}; echo $? >&2) | true"
    assert alone(command, desk).stderr in ("0\n", "2\n")  # what fitted into the pipe was written; else nobody knows

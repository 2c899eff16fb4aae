"""The command: folders, heads that are kept, usage, one entry's proof; and the file that auditors carry."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import answerable_verify
from answerable_verify import verify
from ledger import tlog
from ledger.tlog.verify import main as product_main
from tests.bundles import merkle
from tests.bundles.building import build
from tests.bundles.cases import small, usual, whole_range
from tests.bundles.world import Log, Sealed, World
from tests.ledger.tlog.trees import ListReader, vector

SOURCE = answerable_verify.source_path()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(SOURCE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(usual().zip())
    return path


# --- the file ---------------------------------------------------------------------------------------------------------
def test_it_is_python_3_9_of_the_standard_library_alone() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {
        (name.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported <= set(sys.stdlib_module_names)
    # spellings of later versions, which 3.9 reads and then stumbles over
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    strict = [node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg in ("strict", "slots")]
    methods = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not strict and not methods & {"bit_count", "pairwise", "file_digest", "UTC"} and "aiter" not in called
    assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)


def test_it_asks_no_network_and_starts_nothing() -> None:
    text = SOURCE.read_text(encoding="utf-8")
    for word in ("import socket", "urllib", "http.client", "subprocess", "eval(", "exec(", "pickle", "__import__"):
        assert word not in text


def test_it_is_the_entry_point_of_the_package() -> None:
    assert answerable_verify.main is verify.main
    assert answerable_verify.page_path().read_text(encoding="utf-8").startswith("<!doctype html>")
    package = SOURCE.parents[2] / "pyproject.toml"
    assert 'answerable-verify = "answerable_verify.verify:main"' in package.read_text(encoding="utf-8")


# --- usage ------------------------------------------------------------------------------------------------------------
def test_wrong_usage_is_exit_code_2_and_says_what(zipped: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("hello\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, word in (
        ([tmp_path / "nowhere.zip"], "cannot be read"),
        ([bad], "not an evidence bundle"),
        ([empty], "not an evidence bundle"),
        ([zipped, "--vkey", "hello"], "not a verifier key"),
        ([zipped, "--vkey", merkle.Signer(bytes(32)).vkey("w", 4)], "key of a witness"),
        ([zipped, "--policy", bad], "--policy: line 1"),
        ([zipped, "--policy", tmp_path / "nowhere"], "cannot be read"),
        ([zipped, "--head", bad], "--head"),
        ([zipped, "--tsa", bad], "no certificate"),
    ):
        result = run(*arguments)
        assert (result.returncode, result.stdout) == (2, ""), arguments
        assert word in result.stderr and "Traceback" not in result.stderr
    result = run(zipped, "--vkey", "hello", "--json")
    assert json.loads(result.stdout)["verdict"] == "usage" and json.loads(result.stdout)["exit_code"] == 2
    assert run().returncode == 2 and run(zipped, "--frobnicate").returncode == 2
    assert run("--help").returncode == 0


def test_a_policy_whose_witness_is_the_given_key_is_refused(zipped: Path, tmp_path: Path) -> None:
    signer = usual().note_signers[0]
    (tmp_path / "policy").write_text(f"witness w {signer.vkey('w.example.org', 4)}\nquorum w\n")
    result = run(zipped, "--vkey", usual().vkey, "--policy", tmp_path / "policy")
    assert result.returncode == 2 and "a witness has the key of a log" in result.stderr


def test_it_says_what_a_code_means() -> None:
    every = run("--explain")
    assert every.returncode == 0 and all(words in every.stdout for _, words in verify.FINDINGS.values())
    one = run("--explain", "head-forked", "n_true")
    assert one.returncode == 0 and one.stdout.startswith("tampering: ")
    assert verify.FINDINGS["head-forked"][1] in one.stdout and verify.WORDS["n_true"] in one.stdout
    assert "head-elsewhere" not in one.stdout
    unknown = run("--explain", "no-such\x1bcode")
    assert (unknown.returncode, unknown.stdout) == (2, "") and "There is no code no-such\\u001bcode." in unknown.stderr


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), RuntimeError("a fault")], ids=repr)
def test_what_fails_here_is_never_called_tampering(
    error: BaseException, zipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(verify, "check_bundle", fail)
    assert verify.main([str(zipped), "--json"]) == verify.USAGE
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert (report["verdict"], report["exit_code"]) == ("usage", verify.USAGE) and report["error"]
    assert said.err.endswith(f"NOT CHECKED. {report['error']}\n")
    assert ("a fault" in said.err) == isinstance(error, RuntimeError)  # of a fault of ours the place is shown


def test_a_reader_that_has_gone_is_no_tampering(zipped: Path) -> None:
    command = [sys.executable, "-I", str(SOURCE), str(zipped), "--vkey", usual().vkey, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (verify.USAGE, b"")


def test_what_an_announced_key_has_signed_is_proven_where_a_given_key_leads_to_it(tmp_path: Path) -> None:
    world, log = small(count=2)
    first = world.vkey()
    world.rotate()
    path = tmp_path / "bundle.zip"
    path.write_bytes(build(world, whole_range(log)).zip())
    said = run(path, "--vkey", first, "--save-head", tmp_path / "heads")
    assert said.returncode == 0 and verify.WORDS["head_proven"] in said.stdout
    assert verify.WORDS["head_fits"] not in said.stdout and verify.WORDS["head_keys"] not in said.stdout
    assert len(list((tmp_path / "heads").iterdir())) == 2
    without = run(path, "--save-head", tmp_path / "none")
    assert without.returncode == verify.INCOMPLETE and not (tmp_path / "none").exists()
    assert verify.WORDS["head_fits"] in without.stdout and verify.WORDS["head_keys"] in without.stdout


# --- folders ----------------------------------------------------------------------------------------------------------
def test_a_folder_with_the_same_files_is_the_same_bundle(tmp_path: Path) -> None:
    folder = usual().write(tmp_path / "bundle")
    assert run(folder, "--vkey", usual().vkey).returncode == 0
    (folder / "parts" / "000000.ndjson").write_bytes(b"{}\n")
    result = run(folder, "--vkey", usual().vkey)
    assert result.returncode == 1 and "[file-altered]" in result.stdout


REFUSED = ["link", "folder link", "pipe", "hidden file", "other case", "a log that nobody lists"]


@pytest.mark.parametrize("kind", REFUSED)
def test_a_folder_with_something_else_in_it_is_refused(kind: str, tmp_path: Path) -> None:
    folder = usual().write(tmp_path / "bundle")
    outside = tmp_path / "outside"
    outside.write_bytes((folder / "VERIFYING.txt").read_bytes())
    if kind == "link":
        (folder / "VERIFYING.txt").unlink()
        (folder / "VERIFYING.txt").symlink_to(outside)
    elif kind == "folder link":
        (folder / "parts" / "more").symlink_to(tmp_path, target_is_directory=True)
    elif kind == "pipe":
        os.mkfifo(folder / "logs" / "pipe")
    elif kind == "hidden file":
        (folder / "logs" / ".DS_Store").write_bytes(b"x")
    elif kind == "a log that nobody lists":
        (folder / "logs" / "more").mkdir()
        (folder / "logs" / "more" / "checkpoint").write_bytes(b"x")
    else:
        (folder / "Verify.py").write_bytes(b"x")
    result = run(folder, "--vkey", usual().vkey)
    extra = {"hidden file": "file-extra", "a log that nobody lists": "file-extra"}
    expected = {**extra, "other case": "name-repeated"}.get(kind, "name-refused")
    assert result.returncode == 1 and f"[{expected}]" in result.stdout


def test_what_an_auditor_leaves_beside_the_bundle_is_noted_and_not_looked_at(tmp_path: Path) -> None:
    folder = usual().write(tmp_path / "bundle")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "check.go").write_text("package main\n")
    (folder / "heads").mkdir()
    (folder / "heads" / "a b\x1b[2J").write_bytes(b"x")
    (folder / "elsewhere").symlink_to(tmp_path, target_is_directory=True)
    result = run(folder, "--vkey", usual().vkey, "--json")
    report = json.loads(result.stdout)
    assert (result.returncode, report["counts"]["file-beside"]) == (0, 4)
    assert [each["place"] for each in report["findings"] if each["code"] == "file-beside"] == [
        ".DS_Store", "check.go", "elsewhere", "heads",
    ]  # fmt: skip
    only = tmp_path / "only"
    only.mkdir()
    (only / "check.go").write_text("package main\n")
    assert run(only).returncode == verify.USAGE


def test_a_file_that_grows_while_it_is_read_is_found(tmp_path: Path) -> None:
    folder = usual().write(tmp_path / "bundle")
    container = verify.open_container(str(folder))
    with (folder / "verify.py").open("ab") as file:
        file.write(b"# more\n")
    report = verify.check_bundle(container, verify.Options())
    assert "content-damaged" in report.counts


# --- heads that are kept ----------------------------------------------------------------------------------------------
def bundle_of(world: World, log: Log, folder: Path) -> Path:
    path = folder / f"bundle-{len(log.entries)}.zip"
    path.write_bytes(build(world, whole_range(log)).zip())
    return path


def test_a_head_that_is_kept_finds_a_log_that_was_rewritten(tmp_path: Path) -> None:
    world, log = small(count=30)
    heads = tmp_path / "heads"
    first = run(bundle_of(world, log, tmp_path), "--vkey", world.vkey(), "--save-head", heads)
    assert first.returncode == 0
    kept = [each for path in sorted(heads.iterdir()) for each in ("--head", path)]
    assert len(kept) == 4 and log.name in first.stdout
    for _ in range(300):
        world.decide(log)
    grown = run(bundle_of(world, log, tmp_path), "--vkey", world.vkey(), *kept, "--save-head", heads)
    assert grown.returncode == 0 and "head of 31 entries" in grown.stdout
    assert len(list(heads.iterdir())) == 4
    # a backup is restored, and the log goes on from there, signed with the right key
    del log.entries[20:]
    for _ in range(400):
        world.decide(log)
    restored = run(bundle_of(world, log, tmp_path), "--vkey", world.vkey(), *kept)
    assert restored.returncode == 1 and "[head-forked]" in restored.stdout
    assert len(list(heads.iterdir())) == 4


def test_a_rollback_alone_cannot_be_compared(tmp_path: Path) -> None:
    world, log = small(count=30)
    assert (
        run(bundle_of(world, log, tmp_path), "--vkey", world.vkey(), "--save-head", tmp_path / "heads").returncode == 0
    )
    del log.entries[20:]
    kept = [each for path in (tmp_path / "heads").iterdir() if log.name in path.name for each in ("--head", path)]
    result = run(bundle_of(world, log, tmp_path), "--vkey", world.vkey(), *kept)
    assert result.returncode == 3 and "[head-not-comparable]" in result.stdout


def test_no_head_is_kept_without_a_key_or_of_a_damaged_bundle(tmp_path: Path) -> None:
    world, log = small()
    path = bundle_of(world, log, tmp_path)
    assert run(path, "--save-head", tmp_path / "heads").returncode == 3
    damaged = build(world, whole_range(log))
    damaged.files["README.html"] += b" "
    (tmp_path / "damaged.zip").write_bytes(damaged.zip())
    assert run(tmp_path / "damaged.zip", "--vkey", world.vkey(), "--save-head", tmp_path / "heads").returncode == 1
    assert not (tmp_path / "heads").exists()


def test_without_a_key_the_fingerprint_is_printed_and_nothing_is_called_verified(zipped: Path) -> None:
    result = run(zipped)
    public = usual().note_signers[0].public
    assert result.returncode == 3
    assert verify.fingerprint(public) in result.stdout
    assert "VERIFIED." not in result.stdout.replace("NOT VERIFIED.", "")
    assert verify.WORDS["head_proven"] not in result.stdout.splitlines()


# --- one entry's proof ------------------------------------------------------------------------------------------------
def test_a_proof_is_verified_as_the_product_verifies_it(tmp_path: Path) -> None:
    trial = vector("trial_log")
    proof, entry = tmp_path / "x.tlog-proof", tmp_path / "entry.json"
    entry.write_text(trial["entry"])
    other = merkle.Signer(bytes([3]) * 32).vkey(trial["origin"])
    text = trial["tlog_proof"]
    for changed in (
        text, text.replace("index 1", "index 2", 1), text.replace("\n70000\n", "\n70001\n"),
        text.replace("v1", "v2"), text[:-30], "hello",
    ):  # fmt: skip
        proof.write_text(changed)
        for keys in ([trial["vkey"]], [], [other], [other, trial["vkey"]], ["hello"]):
            arguments = [each for key in keys for each in ("--vkey", key)]
            ours = run("proof", proof, "--entry", entry, *arguments).returncode
            assert ours == product_main([str(proof), str(entry), *arguments]), (changed[:40], keys)
    proof.write_text(text)
    entry.write_text(trial["entry"] + " ")
    assert run("proof", proof, "--entry", entry, "--vkey", trial["vkey"]).returncode == 1


def test_the_key_of_any_log_of_the_installation_verifies_a_proof(tmp_path: Path) -> None:
    """One key signs for all logs: a bundle is checked with it as it is published, and so is a proof."""
    world, log = small()
    leaves = log.leaves
    path = tlog.prove_inclusion(ListReader(leaves), 3, len(leaves))
    checkpoint = world.checkpoint(log)
    (tmp_path / "proof").write_text(tlog.encode_tlog_proof(tlog.TlogProof(3, tuple(path), checkpoint)))
    (tmp_path / "entry").write_bytes(log.entries[3].data)
    signer = world.signers[0]
    for keys, expected in (
        ([world.vkey()], 0),
        ([signer.vkey(log.origin)], 0),
        ([signer.vkey(log.origin), world.vkey()], 0),
        ([world.vkey(merkle.Signer(bytes(32))), world.vkey()], 0),
        ([world.vkey(merkle.Signer(bytes(32)))], 1),
        ([signer.vkey("another.example.com/logs/registry")], 1),
        ([signer.vkey("another.example.com/logs/registry"), world.vkey()], 2),
    ):
        arguments = [each for key in keys for each in ("--vkey", key)]
        result = run("proof", tmp_path / "proof", "--entry", tmp_path / "entry", *arguments)
        assert result.returncode == expected, (keys, result.stdout + result.stderr)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100])
def test_every_proof_of_a_small_tree_is_verified(size: int) -> None:
    leaves = [tlog.leaf_hash(b"%d" % n) for n in range(size)]
    root = tlog.root_from_leaf_hashes(leaves)
    reader = ListReader(leaves)
    for index in range(size):
        path = tlog.prove_inclusion(reader, index, size)
        assert verify.check_inclusion(leaves[index], index, size, path, root)
        assert not verify.check_inclusion(leaves[index], index + 1, size, path, root)
        assert not verify.check_inclusion(leaves[index], index, size, [*path, root], root)


MEASURED = """
import re, runpy, sys
source, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_path(source, run_name="__main__")
finally:  # of this program alone: getrusage counts what its parent had before it began
    print(re.search("VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1])
"""


def test_memory_does_not_grow_with_the_bundle(tmp_path: Path) -> None:
    """The largest resident size (kB) of the command over a small bundle, and over one of 60 MB."""
    sizes = []
    for count in (10, 60_000):
        world, log = small(count=10)
        template = log.entries[-1]
        for number in range(count):
            data = template.data.replace(template.json["id"].encode(), b"01890a5d-ac96-774b-bcce-%012x" % number)
            log.entries.append(Sealed(data + b" " * 400))
        bundle = build(world, whole_range(log))
        path = tmp_path / f"{count}.zip"
        path.write_bytes(bundle.zip())
        command = [sys.executable, "-I", "-c", MEASURED, str(SOURCE), str(path), "--vkey", bundle.vkey, "--quiet"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        sizes.append(int(result.stdout.split()[-1]))
    assert sizes[1] - sizes[0] < 12_000, sizes  # a fifth of the file; seen: 2,000

"""A bundle verifies with other people's tools, by the commands in its VERIFYING.txt; and they find what was changed."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from answerable_verify import verify
from ledger.tlog import TlogProof, encode_tlog_proof, prove_inclusion
from tests.bundles import stamping
from tests.bundles.building import Bundle, Wishes, build
from tests.bundles.cases import authority, small, usual, whole_range
from tests.bundles.merkle import Signer
from tests.interop import verifiers
from tests.ledger.tlog.trees import ListReader

SOURCES = Path("/usr/share/gocode")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return usual().write(tmp_path / "bundle")


def log_of(bundle: Bundle) -> tuple[str, str]:
    """Folder of the AI system's log, and the verifier key under its name."""
    row = bundle.manifest["logs"][0]
    return f"logs/{row['log']}", bundle.note_signers[0].vkey(row["origin"])


# --- sha256sum --------------------------------------------------------------------------------------------------------
@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_sha256sum_accepts_the_files_and_finds_a_changed_one(folder: Path) -> None:
    def says() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
        )

    assert says().returncode == 0
    assert says().stdout.count(": OK") == len(usual().files) - 1
    (folder / "README.html").write_bytes(b"changed")
    assert says().returncode == 1


# --- Go ---------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that stands in VERIFYING.txt, as it stands there, built against Debian's golang.org/x/mod."""
    if not verifiers.go_available():
        pytest.skip("needs the packages golang-go and golang-golang-x-mod-dev")
    place = tmp_path_factory.mktemp("check")
    found = re.search(r"-+ check\.go\n(.*?)\n-{20,}\n", usual().files["VERIFYING.txt"].decode(), re.DOTALL)
    assert found
    (place / "check.go").write_text(found[1] + "\n")
    environment = {
        **os.environ, "GO111MODULE": "off", "GOPATH": str(SOURCES), "GOFLAGS": "", "CGO_ENABLED": "0",
        "GOCACHE": os.environ.get("GOCACHE", str(place / "cache")),
    }  # fmt: skip
    subprocess.run(["go", "build", "-o", "check", "."], cwd=place, env=environment, check=True)
    return place / "check"


def go(checker: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(checker), *map(str, arguments)], capture_output=True, text=True, check=False)


def test_go_accepts_every_disclosed_entry_of_each_log(folder: Path, checker: Path) -> None:
    for row in usual().manifest["logs"]:
        result = go(checker, folder / "logs" / row["log"], usual().vkey)
        assert result.returncode == 0, result.stderr
        assert (
            result.stdout
            == f"verified: {row['disclosed']} entries of {row['origin']} in a tree of {row['tree_size']}\n"
        )


@pytest.mark.parametrize(
    "path", ["checkpoint", "entries/000000.ndjson", "tile/0/000", "tile/1/000.p/1", "tile/0/001.p/43"]
)
def test_go_finds_a_changed_byte(path: str, folder: Path, checker: Path) -> None:
    place, vkey = log_of(usual())
    data = bytearray((folder / place / path).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / place / path).write_bytes(data)
    assert go(checker, folder / place, vkey).returncode == 1


def test_go_finds_an_entry_that_was_left_out_and_another_key(folder: Path, checker: Path) -> None:
    place, vkey = log_of(usual())
    foreign = usual().note_signers[0].vkey("another.example.com/logs/registry")
    for other in (Signer(bytes(32)).vkey(usual().world.registry.origin), foreign, vkey.replace("+", "", 1)):
        assert go(checker, folder / place, other).returncode == 1
    assert go(checker, folder / place, vkey).returncode == 0
    (folder / place / "disclosed").write_text("0 1\n10 282\n")
    assert go(checker, folder / place, vkey).returncode == 1


def test_go_finds_another_logs_checkpoint(folder: Path, checker: Path) -> None:
    place, vkey = log_of(usual())
    shutil.copy(folder / "logs/registry/checkpoint", folder / place / "checkpoint")
    assert "another log" in go(checker, folder / place, vkey).stderr


@pytest.mark.parametrize("size", [1, 256, 257])
def test_go_accepts_bundles_at_the_edges_of_a_tile(size: int, tmp_path: Path, checker: Path) -> None:
    world, log = small(count=size - 1)
    bundle = build(world, whole_range(log), Wishes(discloses=lambda log, index, entry: index % 3 == 0))
    place, vkey = log_of(bundle)
    assert go(checker, bundle.write(tmp_path / "bundle") / place, vkey).returncode == 0


# --- sigstore, and the product's own proofs ---------------------------------------------------------------------------
@pytest.mark.skipif(not verifiers.sigstore_available(), reason="needs the package sigstore")
def test_sigstore_accepts_an_entry_with_a_path_cut_from_the_bundle() -> None:
    bundle = usual()
    place, vkey = log_of(bundle)
    tree = [line for path in ("tile/0/000", "tile/0/001.p/43") for line in _hashes(bundle.files[f"{place}/{path}"])]
    entry = bundle.files[f"{place}/entries/000000.ndjson"].split(b"\n")[3]
    index = 11  # entry 0, then the fence at 9
    checkpoint = bundle.files[f"{place}/checkpoint"].decode().rsplit("— witness", 1)[0]
    path = tuple(prove_inclusion(ListReader(tree), index, len(tree)))
    proof = encode_tlog_proof(TlogProof(index, path, checkpoint))
    verifiers.verify_tlog_proof_with_sigstore(proof, vkey, entry)
    with pytest.raises(verifiers.Refused):
        verifiers.verify_tlog_proof_with_sigstore(proof, vkey, entry.replace(b"approved", b"declined"))


def _hashes(tile: bytes) -> list[bytes]:
    return [tile[at : at + 32] for at in range(0, len(tile), 32)]


# --- OpenSSL ----------------------------------------------------------------------------------------------------------
with_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@with_openssl
def test_openssl_accepts_the_time_stamp_and_finds_another_text(folder: Path, tmp_path: Path) -> None:
    place, _ = log_of(usual())
    (tmp_path / "authority.pem").write_text(stamping.pem(authority()))
    subprocess.run(f"sed '/^$/,$d' {place}/checkpoint > text", cwd=folder, shell=True, check=True)
    command = ["openssl", "ts", "-verify", "-in", f"{place}/timestamps/000000.tsr", "-data", "text"]
    at = ["-attime", "1772452800"]  # while the certificate is in force, whenever this test runs
    command += ["-CAfile", str(tmp_path / "authority.pem"), "-partial_chain", *at]
    assert "Verification: OK" in _run(command, folder)
    (folder / "text").write_bytes((folder / "text").read_bytes() + b"x")
    assert "Verification: OK" not in _run(command, folder)


def _run(command: list[str], folder: Path) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


AUTHORITY = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = {chain}
ess_cert_id_alg = {digest}
"""


@with_openssl
@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
@pytest.mark.parametrize(("chain", "digest"), [("no", "sha1"), ("yes", "sha256")])
def test_the_tokens_of_openssl_are_read(kind: str, chain: str, digest: str, tmp_path: Path) -> None:
    root = stamping.certificate("p384", "Authority", number=5, authority=True, stamps=False)
    leaf = stamping.certificate(
        kind, "Leaf", issuer=(stamping.private_key("p384", 5), root), ends=root.not_valid_after_utc
    )
    key = stamping.private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, data in (
        ("key.pem", key),
        ("leaf.pem", stamping.pem(leaf).encode()),
        ("root.pem", stamping.pem(root).encode()),
    ):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "conf").write_text(AUTHORITY.format(folder=tmp_path, chain=chain, digest=digest))
    text = b"answerable.example.com/logs/registry\n1\nroot\n"
    (tmp_path / "text").write_bytes(text)
    _run(["openssl", "ts", "-query", "-data", "text", "-sha256", "-cert", "-out", "query"], tmp_path)
    made = [
        "openssl",
        "ts",
        "-reply",
        "-queryfile",
        "query",
        "-signer",
        "leaf.pem",
        "-inkey",
        "key.pem",
        "-chain",
        "root.pem",
    ]
    _run([*made, "-config", "conf", "-out", "reply"], tmp_path)
    token = (tmp_path / "reply").read_bytes()
    certificates = verify.parse_pem((tmp_path / "root.pem").read_text())
    stamp = verify.check_timestamp(token, text)
    assert verify.is_by_authority(stamp, certificates)
    with pytest.raises(verify.Malformed):
        verify.check_timestamp(token, text + b"x")


def test_a_json_reader_finds_what_the_entry_committed_to() -> None:
    """The recipe for contents, by hand."""
    bundle = usual()
    place, _ = log_of(bundle)
    part = json.loads(bundle.files["parts/000000.ndjson"].split(b"\n")[0])
    entries = [json.loads(line) for line in bundle.files[f"{place}/entries/000000.ndjson"].splitlines()]
    entry = entries[part["index"] - 8]  # entry 0, then those from 9 on
    digest = hashlib.sha256(bytes.fromhex(part["key"]) + part["text"].encode()).hexdigest()
    assert entry["body"]["commitments"][part["part"]] == digest

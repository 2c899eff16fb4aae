"""Verifiers that other people wrote, for tests to hold our proofs against.

Two, and neither shares code with `ledger.tlog`, which this module must not import:

go      golang.org/x/mod/sumdb/{note,tlog}: notes, checkpoints, inclusion, consistency, whole tile
        directories. Needs the Debian packages golang-go and golang-golang-x-mod-dev, no network.
PyPI    sigstore (tried: 4.5.1): checkpoint signature and inclusion. Its modules for this are private,
        hence the exact version in the test dependencies. It has no consistency check.

Every `verify_...` returns None or raises `Refused` with the verifier's own words. `..._available()`
tells whether that verifier is here.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_SOURCES = Path("/usr/share/gocode")  # where Debian's golang-*-dev packages put their sources


class Refused(Exception):
    """The other verifier does not accept it; the message is its reason."""


def go_available() -> bool:
    """Tell whether the Go verifier can be built here."""
    return shutil.which("go") is not None and (_SOURCES / "src/golang.org/x/mod/sumdb/tlog").is_dir()


def sigstore_available() -> bool:
    """Tell whether the sigstore package is installed."""
    return find_spec("sigstore") is not None


def verify_tlog_proof_with_go(proof: str, vkey: str, entry: bytes, origin: str | None = None) -> None:
    """Verify a `.tlog-proof` for an entry's bytes. The origin is the key's name unless given."""
    _ask_one(inclusion_request(proof, vkey, entry, origin))


def verify_checkpoint_with_go(checkpoint: str, vkey: str, origin: str | None = None) -> None:
    """Verify a signed checkpoint."""
    _ask_one({"check": "checkpoint", "checkpoint": checkpoint, **_key(vkey, origin)})


def verify_note_with_go(note: str, vkey: str) -> None:
    """Verify a signed note of any text."""
    _ask_one({"check": "note", "checkpoint": note, "vkey": vkey})


def verify_consistency_with_go(
    older: str, newer: str, hashes: Sequence[bytes], vkey: str, origin: str | None = None
) -> None:
    """Verify that the log grew from one signed checkpoint to another. Both sizes must be at least 1."""
    encoded = [base64.b64encode(hash_).decode() for hash_ in hashes]
    request = {"check": "consistency", "older": older, "checkpoint": newer, "hashes": encoded}
    _ask_one({**request, **_key(vkey, origin)})


def verify_tiles_with_go(directory: Path, vkey: str, origin: str | None = None) -> None:
    """Verify a whole log: `checkpoint`, `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]` as files."""
    _ask_one({"check": "tiles", "directory": str(directory), **_key(vkey, origin)})


def verify_cosigned_with_go(note: str, vkey: str, witness: str, origin: str | None = None) -> None:
    """Verify a checkpoint that its log and a witness (its vkey, of type 04) have signed."""
    _ask_one({"check": "cosigned", "checkpoint": note, "witness": witness, **_key(vkey, origin)})


def inclusion_request(proof: str, vkey: str, entry: bytes, origin: str | None = None) -> dict[str, Any]:
    """One request for `ask_go`, which takes many at once: for runs over very many proofs."""
    encoded = base64.b64encode(entry).decode()
    return {"check": "inclusion", "proof": proof, "entry": encoded, **_key(vkey, origin)}


def ask_go(requests: Iterable[dict[str, Any]]) -> list[str | None]:
    """Send requests to one run of the Go verifier. Out: for each, None or the reason of refusal."""
    lines = [json.dumps(request) for request in requests]
    result = subprocess.run([_go_verifier()], input="\n".join(lines), capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    if len(answers) != len(lines):
        raise RuntimeError(f"{len(answers)} answers to {len(lines)} requests: {result.stderr}")
    return [None if answer["ok"] else answer["error"] for answer in answers]


def _ask_one(request: dict[str, Any]) -> None:
    (reason,) = ask_go([request])
    if reason is not None:
        raise Refused(reason)


def _key(vkey: str, origin: str | None) -> dict[str, str]:
    return {"vkey": vkey, "origin": origin or vkey.split("+", 1)[0]}


@cache
def _go_verifier() -> str:
    # Built once a process into a folder of its own, so that parallel test workers never share a
    # half-written file; Go's build cache makes every build but the first take well under a second.
    folder = Path(tempfile.mkdtemp(prefix="tlog-verifier-"))
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(_SOURCES),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
        "GOCACHE": os.environ.get("GOCACHE", str(Path(tempfile.gettempdir()) / "go-build-cache")),
    }
    binary = folder / "verifier"
    subprocess.run(
        ["go", "build", "-o", str(binary), "."],
        cwd=Path(__file__).parent / "golang",
        env=environment,
        check=True,
    )
    return str(binary)


def verify_tlog_proof_with_sigstore(proof: str, vkey: str, entry: bytes, origin: str | None = None) -> None:
    """Verify a `.tlog-proof` for an entry's bytes with sigstore's checkpoint and Merkle code."""
    from sigstore._internal.merkle import verify_merkle_inclusion
    from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint
    from sigstore.errors import VerificationError

    index, hashes, note = _split_proof(proof)
    name, key_id, public_key = _split_vkey(vkey)
    try:
        checkpoint = SignedCheckpoint.from_text(note).checkpoint
        size, root = checkpoint.log_size, bytes.fromhex(checkpoint.log_hash)
        if checkpoint.origin != (origin or name) or not 0 <= index < size:
            raise Refused("another origin, or an index outside the tree")
        inclusion = SimpleNamespace(
            log_index=index,
            tree_size=size,
            root_hash=root,
            hashes=hashes,
            checkpoint=SimpleNamespace(envelope=note),
        )
        log_id = SimpleNamespace(key_id=key_id)
        inner = SimpleNamespace(inclusion_proof=inclusion, canonicalized_body=entry, log_id=log_id)
        logged: Any = SimpleNamespace(_inner=inner)
        verify_checkpoint(_sigstore_keyring(public_key), logged)
        verify_merkle_inclusion(logged)
    except VerificationError as error:
        raise Refused(str(error)) from error


def _sigstore_keyring(public_key: bytes) -> Any:
    from sigstore._internal.trust import Keyring
    from sigstore_models.common.v1 import PublicKey, PublicKeyDetails

    # RFC 8410: the SubjectPublicKeyInfo of an Ed25519 key is this prefix and the 32 bytes.
    spki = bytes.fromhex("302a300506032b6570032100") + public_key
    encoded = base64.b64encode(spki).decode()
    return Keyring([PublicKey.from_dict({"rawBytes": encoded, "keyDetails": PublicKeyDetails.PKIX_ED25519})])


def _split_vkey(vkey: str) -> tuple[str, bytes, bytes]:
    name, key_id, encoded = vkey.split("+", 2)
    material = base64.b64decode(encoded)
    if material[:1] != b"\x01" or hashlib.sha256(name.encode() + b"\n" + material).hexdigest()[:8] != key_id:
        raise Refused("not an Ed25519 verifier key")
    return name, bytes.fromhex(key_id), material[1:]


def _split_proof(proof: str) -> tuple[int, list[bytes], str]:
    head, _, note = proof.partition("\n\n")
    lines = [line for line in head.split("\n") if not line.startswith("extra ")]
    if lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("index "):
        raise Refused("not a tlog-proof")
    return int(lines[1][6:]), [base64.b64decode(line, validate=True) for line in lines[2:]], note

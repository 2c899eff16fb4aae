"""Verifiers written by others accept what we prove, and refuse it as soon as it is changed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ledger.tlog import (
    Checkpoint,
    Cosigner,
    Node,
    Signer,
    Tile,
    TileReader,
    TlogProof,
    bundle_path,
    completed_tiles,
    encode_bundle,
    encode_tile,
    encode_tlog_proof,
    leaf_hash,
    partial_tiles,
    prove_consistency,
    prove_inclusion,
    root_from_leaf_hashes,
    sign_checkpoint,
    sign_note,
    tile_path,
    with_cosignatures,
)
from tests.interop import verifiers
from tests.ledger.tlog.trees import ListReader, vector

Verify = Callable[[str, str, bytes, str | None], None]

with_go = pytest.mark.skipif(
    not verifiers.go_available(), reason="needs the packages golang-go and golang-golang-x-mod-dev"
)
with_sigstore = pytest.mark.skipif(not verifiers.sigstore_available(), reason="needs the package sigstore")
each_verifier = pytest.mark.parametrize(
    "verify",
    [
        pytest.param(verifiers.verify_tlog_proof_with_go, marks=with_go, id="go"),
        pytest.param(verifiers.verify_tlog_proof_with_sigstore, marks=with_sigstore, id="sigstore"),
    ],
)

ORIGIN = "ledger.example/logs/1"
KEY = Signer(ORIGIN, bytes([3]) * 32)
ENTRIES = [b'{"v":1,"n":%d}' % i for i in range(66_000)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
READER = ListReader(LEAVES)


def signed(size: int) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, size, root_from_leaf_hashes(LEAVES[:size])), [KEY])


def proof_of(index: int, size: int) -> str:
    return encode_tlog_proof(TlogProof(index, tuple(prove_inclusion(READER, index, size)), signed(size)))


def write_log(directory: Path, size: int) -> None:
    """Write a log as tlog-tiles serves it."""
    (directory / "checkpoint").write_text(signed(size), encoding="utf-8")
    for tile in completed_tiles(0, size) + partial_tiles(size):
        nodes = [Node(8 * tile.level, tile.index * 256 + i) for i in range(tile.width)]
        write(directory / tile_path(tile), encode_tile(READER.read(nodes)))
        if tile.level == 0:
            first = tile.index * 256
            bundle = encode_bundle(ENTRIES[first : first + tile.width])
            write(directory / bundle_path(tile.index, tile.width), bundle)


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_at_least_one_verifier_of_other_people_is_here() -> None:
    assert verifiers.go_available() or verifiers.sigstore_available()


@each_verifier
def test_the_trial_proof_is_accepted(verify: Verify) -> None:
    trial = vector("trial_log")
    verify(trial["tlog_proof"], trial["vkey"], trial["entry"].encode(), None)


@each_verifier
@pytest.mark.parametrize("size", [1, 2, 3, 7, 255, 256, 257, 1000, 65_536, 65_537])
def test_proofs_of_first_middle_and_last_entry_are_accepted(verify: Verify, size: int) -> None:
    for index in {0, size // 2, size - 1}:
        verify(proof_of(index, size), KEY.vkey, ENTRIES[index], ORIGIN)


@each_verifier
def test_a_changed_entry_index_hash_size_or_origin_is_refused(verify: Verify) -> None:
    proof = proof_of(500, 1000)
    hash_line = proof.split("\n")[2]
    for text, entry, origin in (
        (proof, ENTRIES[500] + b" ", ORIGIN),
        (proof.replace("index 500", "index 501"), ENTRIES[500], ORIGIN),
        (proof.replace("index 500", "index 1500"), ENTRIES[500], ORIGIN),
        (proof.replace(hash_line + "\n", ""), ENTRIES[500], ORIGIN),
        (proof.replace(hash_line, "A" * 43 + "="), ENTRIES[500], ORIGIN),
        (proof.replace("\n1000\n", "\n1001\n"), ENTRIES[500], ORIGIN),
        (proof, ENTRIES[500], "ledger.example/logs/2"),
    ):
        with pytest.raises(verifiers.Refused):
            verify(text, KEY.vkey, entry, origin)


@each_verifier
def test_another_key_is_refused(verify: Verify) -> None:
    with pytest.raises(verifiers.Refused):
        verify(proof_of(5, 9), Signer(ORIGIN, bytes(32)).vkey, ENTRIES[5], ORIGIN)


@each_verifier
def test_a_checkpoint_that_two_keys_signed_is_accepted_with_either_and_with_no_third(verify: Verify) -> None:
    successor, third = (Signer(ORIGIN, bytes([number]) * 32) for number in (4, 5))
    tree = Checkpoint(ORIGIN, 300, root_from_leaf_hashes(LEAVES[:300]))
    path = tuple(prove_inclusion(READER, 123, 300))
    for signers in ([successor, KEY], [KEY, successor]):
        note = sign_checkpoint(tree, signers)
        proof = encode_tlog_proof(TlogProof(123, path, note))
        for signer in signers:
            verify(proof, signer.vkey, ENTRIES[123], ORIGIN)
            with pytest.raises(verifiers.Refused):
                verify(proof.replace("index 123", "index 124"), signer.vkey, ENTRIES[124], ORIGIN)
        with pytest.raises(verifiers.Refused):
            verify(proof, third.vkey, ENTRIES[123], ORIGIN)


@with_go
def test_go_accepts_every_inclusion_and_consistency_proof_of_every_small_tree() -> None:
    checkpoints = [signed(size) for size in range(41)]
    requests = []
    for size in range(1, 41):
        for index in range(size):
            requests.append(verifiers.inclusion_request(proof_of(index, size), KEY.vkey, ENTRIES[index]))
    assert verifiers.ask_go(requests) == [None] * len(requests)
    for new in (1, 2, 8, 27, 40):
        for old in range(1, new + 1):
            growth = prove_consistency(READER, old, new)
            verifiers.verify_consistency_with_go(checkpoints[old], checkpoints[new], growth, KEY.vkey)


@with_go
def test_go_accepts_growth_across_tiles_and_refuses_a_changed_proof() -> None:
    growth = prove_consistency(READER, 1000, 66_000)
    verifiers.verify_consistency_with_go(signed(1000), signed(66_000), growth, KEY.vkey)
    for wrong in (growth[1:], growth[::-1], [*growth, bytes(32)], [bytes(32), *growth[1:]]):
        with pytest.raises(verifiers.Refused):
            verifiers.verify_consistency_with_go(signed(1000), signed(66_000), wrong, KEY.vkey)


@with_go
def test_go_opens_our_notes_and_refuses_a_changed_text() -> None:
    note = sign_note("some\n\ntext é\n", [KEY])
    verifiers.verify_note_with_go(note, KEY.vkey)
    verifiers.verify_checkpoint_with_go(signed(12), KEY.vkey)
    with pytest.raises(verifiers.Refused):
        verifiers.verify_note_with_go(note.replace("some", "same"), KEY.vkey)


@with_go
@pytest.mark.parametrize("size", [1, 256, 300, 66_000])
def test_go_reads_a_whole_log_through_our_tiles_and_bundles(tmp_path: Path, size: int) -> None:
    write_log(tmp_path, size)
    verifiers.verify_tiles_with_go(tmp_path, KEY.vkey)


@with_go
@pytest.mark.parametrize("path", ["tile/0/000", "tile/1/000.p/1", "tile/entries/001.p/44", "checkpoint"])
def test_go_finds_one_changed_byte_anywhere_in_a_log(tmp_path: Path, path: str) -> None:
    write_log(tmp_path, 300)
    data = bytearray((tmp_path / path).read_bytes())
    data[20] ^= 1
    (tmp_path / path).write_bytes(data)
    with pytest.raises(verifiers.Refused):
        verifiers.verify_tiles_with_go(tmp_path, KEY.vkey)


@with_go
def test_go_accepts_our_cosignatures_and_refuses_each_that_was_changed() -> None:
    witness, other = Cosigner("witness.example/w1", bytes([9]) * 32), Cosigner("witness.example/w2", bytes([8]) * 32)
    note = signed(300)
    text = note.partition("\n\n")[0] + "\n"
    cosigned = with_cosignatures(note, [witness.cosign(text, 1_800_000_000)])
    verifiers.verify_cosigned_with_go(cosigned, KEY.vkey, witness.verifier.vkey)
    both = with_cosignatures(cosigned, [other.cosign(text, 0)])
    for each in (witness, other):
        verifiers.verify_cosigned_with_go(both, KEY.vkey, each.verifier.vkey)
    for wrong, vkey in (
        (note, witness.verifier.vkey),
        (cosigned, other.verifier.vkey),
        (with_cosignatures(note, [witness.cosign(text.replace("300", "301"), 5)]), witness.verifier.vkey),
        (cosigned.replace("\n300\n", "\n301\n"), witness.verifier.vkey),
    ):
        with pytest.raises(verifiers.Refused):
            verifiers.verify_cosigned_with_go(wrong, KEY.vkey, vkey)


def test_proofs_cut_from_files_are_those_cut_from_memory(tmp_path: Path) -> None:
    write_log(tmp_path, 66_000)

    def fetch(tiles: Sequence[Tile]) -> list[bytes]:
        return [(tmp_path / tile_path(tile)).read_bytes() for tile in tiles]

    reader = TileReader(66_000, fetch)
    for index in (0, 12_345, 65_535, 65_536, 65_999):
        assert prove_inclusion(reader, index, 66_000) == prove_inclusion(READER, index, 66_000)

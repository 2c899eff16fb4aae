import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tlog import (
    Checkpoint,
    InvalidProof,
    InvalidSignature,
    MalformedProof,
    NoteError,
    Signer,
    TlogProof,
    UnverifiedNote,
    Verifier,
    WrongOrigin,
    check_consistency,
    decode_tlog_proof,
    encode_tlog_proof,
    leaf_hash,
    prove_inclusion,
    sign_checkpoint,
    verify_tlog_proof,
)
from ledger.tlog.note import decode_base64
from tests.ledger.tlog.test_notes import cosign
from tests.ledger.tlog.trees import NaiveReader, leaf, mth, vector

TRIAL = vector("trial_log")
ORIGIN = "ledger.example/logs/1"
KEY = Signer(ORIGIN, bytes([3]) * 32)
CHECKPOINT = Checkpoint(ORIGIN, 21, mth(0, 21))
SIGNED = sign_checkpoint(CHECKPOINT, [KEY])
PROOF = TlogProof(13, tuple(prove_inclusion(NaiveReader(), 13, 21)), SIGNED)
GOOD = encode_tlog_proof(PROOF)


def verify(data: str | bytes, hash_: bytes = leaf(13)) -> None:
    verify_tlog_proof(data, hash_, origin=ORIGIN, log_verifiers=[KEY.verifier])


def test_the_trial_logs_proofs_verify_from_its_vkey_and_the_entrys_bytes() -> None:
    verifier = Verifier.from_vkey(TRIAL["vkey"])
    signed = verify_tlog_proof(
        TRIAL["tlog_proof"],
        leaf_hash(TRIAL["entry"].encode()),
        origin=TRIAL["origin"],
        log_verifiers=[verifier],
    )
    assert signed.checkpoint.tree_size == 70_000
    assert len(decode_tlog_proof(TRIAL["tlog_proof"]).hashes) == 17
    growth = [decode_base64(hash_) for hash_ in TRIAL["consistency_1000_70000"]]
    assert len(growth) == 15
    old_root = decode_base64(TRIAL["roots"]["1000"])
    check_consistency(1000, 70_000, growth, old_root, signed.checkpoint.root_hash)


def test_a_proof_file_has_the_lines_of_the_specification() -> None:
    lines = GOOD.split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 13"]
    assert [decode_base64(line) for line in lines[2 : 2 + len(PROOF.hashes)]] == list(PROOF.hashes)
    assert GOOD.endswith("\n\n" + SIGNED)


def test_every_leaf_of_every_small_tree_verifies_from_its_file_alone() -> None:
    for size in range(1, 20):
        signed = sign_checkpoint(Checkpoint(ORIGIN, size, mth(0, size)), [KEY])
        for index in range(size):
            path = tuple(prove_inclusion(NaiveReader(), index, size))
            verify(encode_tlog_proof(TlogProof(index, path, signed)), leaf(index))


@pytest.mark.parametrize("extra", [None, b"", b"opaque \xff bytes"])
def test_extra_data_travels_and_proves_nothing(extra: bytes | None) -> None:
    data = encode_tlog_proof(TlogProof(13, PROOF.hashes, SIGNED, extra))
    assert decode_tlog_proof(data).extra == extra
    verify(data)


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.text(),
    st.none() | st.binary(),
)
def test_a_proof_file_is_read_back_as_written(
    index: int, hashes: list[bytes], checkpoint: str, extra: bytes | None
) -> None:
    proof = TlogProof(index, tuple(hashes), checkpoint, extra)
    assert decode_tlog_proof(encode_tlog_proof(proof)) == proof


def test_cosignatures_are_verified_and_handed_to_the_caller() -> None:
    witness, line = cosign(bytes([9]) * 32, "witness.example/w1", CHECKPOINT.to_text(), 42)
    data = encode_tlog_proof(TlogProof(13, PROOF.hashes, SIGNED + line))
    signed = verify_tlog_proof(data, leaf(13), origin=ORIGIN, log_verifiers=[KEY.verifier], witness_verifiers=[witness])
    assert [s.timestamp for s in signed.cosignatures] == [42]


def test_another_entry_index_origin_or_key_does_not_verify() -> None:
    with pytest.raises(InvalidProof):
        verify(GOOD, leaf(12))
    for index in ("12", "14", "20", "21", str(2**63 - 1)):
        with pytest.raises(InvalidProof):
            verify(GOOD.replace("index 13", f"index {index}"))
    with pytest.raises(WrongOrigin):
        verify_tlog_proof(GOOD, leaf(13), origin="other.example", log_verifiers=[KEY.verifier])
    with pytest.raises(UnverifiedNote):
        verify_tlog_proof(GOOD, leaf(13), origin=ORIGIN, log_verifiers=[Signer(ORIGIN, bytes(32)).verifier])
    with pytest.raises(ValueError, match="32 bytes"):
        verify(GOOD, b"short")


def test_a_changed_checkpoint_is_an_invalid_signature() -> None:
    with pytest.raises(InvalidSignature):
        verify(GOOD.replace("\n21\n", "\n22\n"))


@pytest.mark.parametrize(
    "data",
    [
        "", "\n", "c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1\n", "c2sp.org/tlog-proof@v1\n\n" + SIGNED,
        "wrong-header\nindex 0\n\ncheckpoint\n", GOOD.replace("@v1", "@v2"), "\n" + GOOD, "\ufeff" + GOOD,
        "c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra AA==\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex notanumber\n\ncheckpoint\n",
        GOOD.replace("index 13", "index -5"), GOOD.replace("index 13", "index 013"),
        GOOD.replace("index 13", "index +13"), GOOD.replace("index 13", "index 13 "),
        GOOD.replace("index 13", f"index {2**63}"), GOOD.replace("index 13", "index " + "9" * 9000),
        GOOD.replace("index 13", "index ١٣"), GOOD.replace("index 13", "index 13\nindex 13"),
        GOOD.replace("index 13", "index 13\nextra AA=="), GOOD.replace("index 13", "index 13\nAAAA"),
        GOOD.replace("index 13", "index 13\n!!notbase64!!"), GOOD.replace("\n", "\r\n"),
        GOOD.replace("index 13", "index 13" + ("\n" + "A" * 43 + "=") * 60), b"\xff" + GOOD.encode(), b"",
        GOOD.replace("\n\n", "\n"),
    ],
)  # fmt: skip
def test_what_is_not_a_proof_file_is_malformed(data: str | bytes) -> None:
    with pytest.raises(MalformedProof):
        verify(data)


def test_no_line_of_a_proof_file_can_be_dropped_doubled_or_swapped() -> None:
    lines = GOOD.split("\n")[:-1]
    changed = [[*lines[:i], *lines[i + 1 :]] for i in range(len(lines))]
    changed += [[*lines[: i + 1], *lines[i:]] for i in range(len(lines) - 1)]
    changed += [[*lines[:i], lines[i + 1], lines[i], *lines[i + 2 :]] for i in range(len(lines) - 1)]
    for wrong in changed:
        with pytest.raises((InvalidProof, NoteError)):
            verify("\n".join(wrong) + "\n")


@given(st.integers(0, len(GOOD.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_proof_file_goes_unnoticed(at: int, mask: int) -> None:
    data = bytearray(GOOD.encode())
    data[at] ^= mask
    with pytest.raises((InvalidProof, NoteError)):
        verify(bytes(data))


@given(st.binary(max_size=300))
def test_hostile_proof_files_raise_invalid_proof_or_note_errors(data: bytes) -> None:
    for form in (data, b"c2sp.org/tlog-proof@v1\n" + data, b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + data):
        with pytest.raises((InvalidProof, NoteError)):
            verify(form)


def test_a_proof_that_the_format_cannot_hold_is_not_made() -> None:
    for index, hashes in ((-1, ()), (2**63, ()), (0, (b"short",)), (0, (bytes(32),) * 64)):
        with pytest.raises(ValueError, match=r"."):
            TlogProof(index, hashes, SIGNED)

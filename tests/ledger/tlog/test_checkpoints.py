import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tlog import (
    EMPTY_ROOT,
    Checkpoint,
    Frontier,
    InvalidSignature,
    MalformedCheckpoint,
    MalformedNote,
    NoteError,
    Signer,
    UnverifiedNote,
    WrongOrigin,
    leaf_hash,
    open_checkpoint,
    root_from_leaf_hashes,
    sign_checkpoint,
    sign_note,
)
from tests.ledger.tlog.test_notes import cosign
from tests.ledger.tlog.trees import mth, vector

TRIAL = vector("trial_log")
ORIGIN = "ledger.example/logs/1"
KEY = Signer(ORIGIN, bytes([3]) * 32)
CHECKPOINT = Checkpoint(ORIGIN, 7, mth(0, 7))


@pytest.fixture(scope="module")
def trial_leaf_hashes() -> list[bytes]:
    outcomes = ("deny", "approve")
    return [leaf_hash(b'{"seq": %d, "d": "%s"}' % (i, outcomes[i % 2].encode())) for i in range(70_000)]


def test_the_trial_logs_roots_are_reproduced(trial_leaf_hashes: list[bytes]) -> None:
    first = Frontier().extend(trial_leaf_hashes[:1000])
    assert base64.b64encode(first.root()).decode() == TRIAL["roots"]["1000"]
    whole = first.extend(trial_leaf_hashes[1000:])
    assert base64.b64encode(whole.root()).decode() == TRIAL["roots"]["70000"]


def test_the_trial_logs_checkpoint_is_signed_byte_for_byte(trial_leaf_hashes: list[bytes]) -> None:
    signer = Signer(TRIAL["origin"], bytes.fromhex(TRIAL["seed"]))
    assert signer.key_id.hex() == TRIAL["key_id"]
    checkpoint = Checkpoint(TRIAL["origin"], 70_000, root_from_leaf_hashes(trial_leaf_hashes))
    note = sign_checkpoint(checkpoint, [signer])
    assert note.endswith(f"\n\n— {TRIAL['origin']} {TRIAL['signature_70000']}\n")
    assert note == TRIAL["checkpoint_70000"]


def test_a_checkpoint_is_three_lines() -> None:
    root = base64.b64encode(mth(0, 7)).decode()
    assert CHECKPOINT.to_text() == f"{ORIGIN}\n7\n{root}\n"
    assert Checkpoint.from_text(CHECKPOINT.to_text()) == CHECKPOINT


def test_extension_lines_are_read_and_written_back() -> None:
    extended = Checkpoint(ORIGIN, 7, mth(0, 7), ("one", "and two"))
    assert Checkpoint.from_text(extended.to_text()) == extended


ROOT = base64.b64encode(mth(0, 7)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "o\n", "o\n7\n", f"o\n7\n{ROOT}", f"\n7\n{ROOT}\n", f"o\n07\n{ROOT}\n", f"o\n+7\n{ROOT}\n",
        f"o\n-7\n{ROOT}\n", f"o\n 7\n{ROOT}\n", f"o\n7 \n{ROOT}\n", f"o\n\n{ROOT}\n", f"o\n1_0\n{ROOT}\n",
        f"o\n٧\n{ROOT}\n", f"o\n0x7\n{ROOT}\n", f"o\n7.0\n{ROOT}\n", f"o\n{2**63}\n{ROOT}\n",
        f"o\n{'9' * 5000}\n{ROOT}\n", f"o\n00\n{base64.b64encode(EMPTY_ROOT).decode()}\n", f"o\n0\n{ROOT}\n",
        f"o\n7\n{ROOT[:-1]}\n", f"o\n7\n{ROOT} \n", f"o\n7\n{ROOT[:-4]}\n", f"o\n7\n{ROOT}AAAA\n", "o\n7\n\n",
        f"o\n7\n{ROOT}\n\n", f"o\n7\n{ROOT}\next\n\n", f"o\n7\n{ROOT}\n\next\n", f"o\r\n7\r\n{ROOT}\r\n",
        f"o\n7\n{ROOT}\nex\tt\n",
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_checkpoint_is_malformed(text: str) -> None:
    with pytest.raises(MalformedCheckpoint):
        Checkpoint.from_text(text)


def test_the_largest_and_the_empty_tree_have_checkpoints() -> None:
    for checkpoint in (Checkpoint("o", 2**63 - 1, mth(0, 7)), Checkpoint("o", 0, EMPTY_ROOT)):
        assert Checkpoint.from_text(checkpoint.to_text()) == checkpoint


@given(st.text(max_size=200))
def test_hostile_checkpoint_texts_raise_malformed_checkpoint_or_are_canonical(text: str) -> None:
    try:
        assert Checkpoint.from_text(text).to_text() == text
    except MalformedCheckpoint:
        pass


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 7, mth(0, 7), ()), ("a\nb", 7, mth(0, 7), ()), ("o", -1, mth(0, 7), ()), ("o", 2**63, mth(0, 7), ()),
        ("o", 7, b"short", ()), ("o", 0, mth(0, 7), ()), ("o", 7, mth(0, 7), ("",)), ("o", 7, mth(0, 7), ("a\nb",)),
    ],
)  # fmt: skip
def test_a_checkpoint_that_nobody_could_parse_is_not_made(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        Checkpoint(origin, size, root, extensions)


def test_a_signed_checkpoint_opens_with_the_logs_key() -> None:
    note = sign_checkpoint(CHECKPOINT, [KEY])
    for form in (note, note.encode()):
        opened = open_checkpoint(form, origin=ORIGIN, log_verifiers=[KEY.verifier])
        assert opened.checkpoint == CHECKPOINT
        assert opened.note == note
        assert [s.name for s in opened.log_signatures] == [ORIGIN] and opened.cosignatures == ()


def test_while_a_key_is_rotated_old_and_new_key_each_suffice() -> None:
    new_key = Signer(ORIGIN, bytes([4]) * 32)
    note = sign_checkpoint(CHECKPOINT, [KEY, new_key])
    for verifiers, count in (
        ([KEY.verifier], 1),
        ([new_key.verifier], 1),
        ([KEY.verifier, new_key.verifier], 2),
    ):
        opened = open_checkpoint(note, origin=ORIGIN, log_verifiers=verifiers)
        assert len(opened.log_signatures) == count


def test_a_key_does_not_sign_for_another_log() -> None:
    with pytest.raises(ValueError, match="origin"):
        sign_checkpoint(CHECKPOINT, [KEY, Signer("ledger.example/logs/2", bytes(32))])


def test_a_checkpoint_of_another_log_is_refused_even_with_a_good_signature() -> None:
    note = sign_checkpoint(CHECKPOINT, [KEY])
    with pytest.raises(WrongOrigin):
        open_checkpoint(note, origin="ledger.example/logs/2", log_verifiers=[KEY.verifier])


def test_a_witness_alone_does_not_speak_for_the_log() -> None:
    witness, line = cosign(bytes([9]) * 32, "witness.example/w1", CHECKPOINT.to_text(), 42)
    signed = sign_checkpoint(CHECKPOINT, [KEY])
    opened = open_checkpoint(signed + line, origin=ORIGIN, log_verifiers=[KEY.verifier], witness_verifiers=[witness])
    assert [(s.name, s.timestamp) for s in opened.cosignatures] == [("witness.example/w1", 42)]
    assert [s.name for s in opened.log_signatures] == [ORIGIN]
    with pytest.raises(UnverifiedNote):
        open_checkpoint(
            CHECKPOINT.to_text() + "\n" + line,
            origin=ORIGIN,
            log_verifiers=[KEY.verifier],
            witness_verifiers=[witness],
        )


def test_an_unknown_witness_is_ignored() -> None:
    _, line = cosign(bytes([9]) * 32, "witness.example/w1", CHECKPOINT.to_text(), 42)
    note = sign_checkpoint(CHECKPOINT, [KEY]) + line
    assert open_checkpoint(note, origin=ORIGIN, log_verifiers=[KEY.verifier]).cosignatures == ()


def test_a_changed_size_or_root_is_an_invalid_signature() -> None:
    note = sign_checkpoint(CHECKPOINT, [KEY])
    for changed in (note.replace("\n7\n", "\n8\n"), note.replace(ROOT, base64.b64encode(mth(0, 8)).decode())):
        with pytest.raises(InvalidSignature):
            open_checkpoint(changed, origin=ORIGIN, log_verifiers=[KEY.verifier])


def test_a_signed_note_that_is_no_checkpoint_is_malformed() -> None:
    with pytest.raises(MalformedCheckpoint):
        open_checkpoint(sign_note("hello\n", [KEY]), origin=ORIGIN, log_verifiers=[KEY.verifier])
    with pytest.raises(MalformedNote):
        open_checkpoint(CHECKPOINT.to_text(), origin=ORIGIN, log_verifiers=[KEY.verifier])


@given(st.binary(max_size=200))
def test_hostile_signed_checkpoints_raise_note_errors(data: bytes) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(data, origin=ORIGIN, log_verifiers=[KEY.verifier])

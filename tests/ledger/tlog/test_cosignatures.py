"""Cosignatures as C2SP tlog-cosignature has them: byte for byte, and nothing else is taken for one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.tlog import (
    Checkpoint,
    Cosigner,
    InvalidSignature,
    MalformedKey,
    MalformedNote,
    Signer,
    UnverifiedNote,
    Verifier,
    open_checkpoint,
    read_cosignatures,
    sign_checkpoint,
    split_note,
    with_cosignatures,
)
from tests.ledger.tlog.test_notes import cosign
from tests.ledger.tlog.trees import mth

ORIGIN = "log.example/logs/1"
LOG = Signer(ORIGIN, bytes([7]) * 32)
WITNESS, OTHER = Cosigner("witness.example/w1", bytes([8]) * 32), Cosigner("witness.example/w2", bytes([9]) * 32)
CHECKPOINT = Checkpoint(ORIGIN, 12, mth(0, 12))
NOTE = sign_checkpoint(CHECKPOINT, [LOG])
TEXT = CHECKPOINT.to_text()


def test_a_cosignature_is_what_the_specification_writes() -> None:
    verifier, line = cosign(bytes([8]) * 32, "witness.example/w1", TEXT, 1_700_000_000)
    assert WITNESS.verifier == verifier
    assert WITNESS.cosign(TEXT, 1_700_000_000) == line
    name, encoded = line.removeprefix("— ").rstrip("\n").split(" ")
    data = base64.b64decode(encoded)
    assert (name, len(data)) == ("witness.example/w1", 4 + 8 + 64)
    assert data[:4] == verifier.key_id and int.from_bytes(data[4:12], "big") == 1_700_000_000


@pytest.mark.parametrize("timestamp", [0, 1, (1 << 63) - 1])
def test_any_time_there_is_can_be_signed(timestamp: int) -> None:
    [found] = read_cosignatures(NOTE, WITNESS.cosign(TEXT, timestamp), [WITNESS.verifier])
    assert found.timestamp == timestamp


@pytest.mark.parametrize("timestamp", [-1, 1 << 63])
def test_no_other_time_can(timestamp: int) -> None:
    with pytest.raises(ValueError, match="no cosignature has such a time"):
        WITNESS.cosign(TEXT, timestamp)


def test_a_name_that_cannot_name_a_key_and_a_seed_of_another_length_are_refused() -> None:
    with pytest.raises(MalformedKey):
        Cosigner("two words", bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        Cosigner("w", bytes(31))


def test_its_name_is_shown_and_its_key_is_not() -> None:
    assert repr(WITNESS) == f"Cosigner({WITNESS.verifier.vkey!r})"


class TestReadingAnAnswer:
    def test_of_several_lines_those_asked_for_are_taken(self) -> None:
        lines = OTHER.cosign(TEXT, 5) + WITNESS.cosign(TEXT, 6)
        [found] = read_cosignatures(NOTE, lines.encode(), [WITNESS.verifier])
        assert (found.verifier, found.timestamp, found.line) == (WITNESS.verifier, 6, WITNESS.cosign(TEXT, 6))

    def test_of_a_key_that_signed_twice_the_first_is_taken(self) -> None:
        lines = WITNESS.cosign(TEXT, 5) + WITNESS.cosign(TEXT, 6)
        assert [each.timestamp for each in read_cosignatures(NOTE, lines, [WITNESS.verifier])] == [5]

    def test_a_second_signature_that_fails_refuses_all(self) -> None:
        lines = WITNESS.cosign(TEXT, 5) + WITNESS.cosign(TEXT.replace("12", "13"), 6)
        with pytest.raises(InvalidSignature):
            read_cosignatures(NOTE, lines, [WITNESS.verifier])

    def test_a_line_of_nobody_asked_for_is_none(self) -> None:
        with pytest.raises(UnverifiedNote):
            read_cosignatures(NOTE, OTHER.cosign(TEXT, 5), [WITNESS.verifier])

    def test_a_plain_signature_under_the_witnesss_name_is_none(self) -> None:
        plain = sign_checkpoint(CHECKPOINT, [Signer(ORIGIN, bytes([8]) * 32)]).rpartition("\n\n")[2]
        with pytest.raises(UnverifiedNote):
            read_cosignatures(NOTE, plain.replace(ORIGIN, "witness.example/w1"), [WITNESS.verifier])

    @pytest.mark.parametrize(
        "answer",
        ["", "\n", "— w1 AAAA", "ok\n", TEXT + "\n" + WITNESS.cosign(TEXT, 5), WITNESS.cosign(TEXT, 5) + "\nmore\n"],
    )
    def test_what_is_no_signature_lines_is_malformed(self, answer: str) -> None:
        with pytest.raises(MalformedNote):
            read_cosignatures(NOTE, answer, [WITNESS.verifier])

    def test_carriage_returns_and_bytes_that_are_no_text_are_malformed(self) -> None:
        for answer in (WITNESS.cosign(TEXT, 5).replace("\n", "\r\n").encode(), b"\xff\xfe\n"):
            with pytest.raises(MalformedNote):
                read_cosignatures(NOTE, answer, [WITNESS.verifier])

    def test_a_key_that_is_no_witnesss_is_a_mistake_of_the_caller(self) -> None:
        with pytest.raises(ValueError, match="type 04"):
            read_cosignatures(NOTE, "x\n", [LOG.verifier])

    @given(st.integers(0, 75), st.integers(0, 7))
    def test_one_flipped_bit_is_refused_or_no_longer_its_line(self, place: int, bit: int) -> None:
        name, encoded = WITNESS.cosign(TEXT, 1_700_000_000).rstrip("\n").rsplit(" ", 1)
        data = bytearray(base64.b64decode(encoded))
        data[place] ^= 1 << bit
        changed = f"{name} {base64.b64encode(data).decode()}\n"
        with pytest.raises((InvalidSignature, UnverifiedNote)):
            read_cosignatures(NOTE, changed, [WITNESS.verifier])


class TestANoteWithCosignatures:
    def test_it_opens_with_log_and_witnesses(self) -> None:
        note = with_cosignatures(NOTE, [WITNESS.cosign(TEXT, 5), OTHER.cosign(TEXT, 6)])
        opened = open_checkpoint(
            note,
            origin=ORIGIN,
            log_verifiers=[LOG.verifier],
            witness_verifiers=[WITNESS.verifier, OTHER.verifier],
        )
        assert [each.timestamp for each in opened.cosignatures] == [5, 6]

    def test_a_line_that_stands_there_is_not_repeated(self) -> None:
        line = WITNESS.cosign(TEXT, 5)
        once = with_cosignatures(NOTE, [line, line])
        assert with_cosignatures(once, [line]) == once and len(split_note(once)[1]) == 2

    def test_the_same_line_stands_under_a_note_that_another_key_signed(self) -> None:
        line = WITNESS.cosign(TEXT, 5)
        newer = Signer(ORIGIN, bytes([10]) * 32)
        for signers in ([newer], [newer, LOG]):
            note = with_cosignatures(sign_checkpoint(CHECKPOINT, signers), [line])
            opened = open_checkpoint(
                note, origin=ORIGIN, log_verifiers=[newer.verifier], witness_verifiers=[WITNESS.verifier]
            )
            assert len(opened.cosignatures) == 1

    def test_a_witness_alone_is_not_the_log(self) -> None:
        note = TEXT + "\n" + WITNESS.cosign(TEXT, 5)
        with pytest.raises(UnverifiedNote):
            open_checkpoint(note, origin=ORIGIN, log_verifiers=[LOG.verifier], witness_verifiers=[WITNESS.verifier])


def test_a_vkey_of_a_witness_is_read_back() -> None:
    assert Verifier.from_vkey(WITNESS.verifier.vkey) == WITNESS.verifier

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.tlog import (
    COSIGNATURE_V1,
    ED25519,
    InvalidSignature,
    MalformedKey,
    MalformedNote,
    NoteError,
    Signer,
    UnverifiedNote,
    Verifier,
    encode_vkey,
    open_note,
    sign_note,
    split_note,
)
from ledger.tlog.note import cosigned_message, decode_base64, signature_line
from tests.ledger.tlog.trees import vector

PUBLISHED = vector("signed_note")
PETER, ENOCH = (Verifier.from_vkey(vkey) for vkey in PUBLISHED["notes"][1]["vkeys"])
TEXT = PUBLISHED["notes"][1]["text"]
BOTH = PUBLISHED["notes"][1]["note"]
PETER_LINE, ENOCH_LINE = (line + "\n" for line in BOTH[:-1].split("\n")[-2:])
ALICE, BOB = Signer("alice.example", bytes(32)), Signer("bob.example", bytes([1]) * 32)


def cosign(seed: bytes, name: str, text: str, timestamp: int) -> tuple[Verifier, str]:
    """A witness: its verifier and its signature line over a checkpoint's text."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    verifier = Verifier(name, COSIGNATURE_V1, public)
    message = b"cosignature/v1\ntime %d\n" % timestamp + text.encode()
    signature = timestamp.to_bytes(8, "big") + private.sign(message)
    return verifier, signature_line(name, verifier.key_id, signature)


@pytest.mark.parametrize("case", PUBLISHED["notes"])
def test_published_notes_open_with_their_published_keys(case: dict[str, object]) -> None:
    verifiers = [Verifier.from_vkey(vkey) for vkey in case["vkeys"]]  # type: ignore[attr-defined]
    for note in (case["note"], str(case["note"]).encode()):
        opened = open_note(note, verifiers)  # type: ignore[arg-type]
        assert opened.text == case["text"]
        assert [s.name for s in opened.signatures] == [v.name for v in verifiers]
        assert opened.unverified == ()


def test_signing_reproduces_the_published_signature_byte_for_byte() -> None:
    published = PUBLISHED["signing"]
    signer = Signer(published["name"], base64.b64decode(published["private_key"])[1:])
    assert signer.vkey == published["vkey"]
    assert sign_note(published["text"], [signer]) == published["text"] + "\n" + published["signature_line"]


@pytest.mark.parametrize("vkey", PUBLISHED["vkeys_valid"])
def test_published_verifier_keys_are_read_and_written_back(vkey: str) -> None:
    assert Verifier.from_vkey(vkey).vkey == vkey


@pytest.mark.parametrize("vkey", PUBLISHED["vkeys_invalid"])
def test_published_broken_verifier_keys_are_refused(vkey: str) -> None:
    with pytest.raises(MalformedKey):
        Verifier.from_vkey(vkey)


def test_no_part_and_no_changed_character_of_a_verifier_key_is_a_key() -> None:
    vkey = PETER.vkey
    mangled = {vkey[i:j] for i in range(len(vkey) + 1) for j in range(i, len(vkey) + 1)} - {vkey}
    mangled |= {vkey[:i] + chr(ord(vkey[i]) + 1) + vkey[i + 1 :] for i in range(len(vkey))}
    mangled |= {vkey + "\n", " " + vkey, vkey.replace("c74f20a3", "C74F20A3"), vkey + "="}
    for bad in mangled:
        with pytest.raises(MalformedKey):
            Verifier.from_vkey(bad)


@given(st.text(), st.integers(0, 255), st.binary(max_size=40))
def test_hostile_verifier_keys_raise_malformed_key(name: str, key_type: int, key: bytes) -> None:
    for vkey in (name, f"{name}+00000000+{base64.b64encode(key).decode()}"):
        with pytest.raises(MalformedKey):
            Verifier.from_vkey(vkey)
    if key_type not in (ED25519, COSIGNATURE_V1):
        with pytest.raises(MalformedKey):
            Verifier.from_vkey(encode_vkey("n", key_type, key))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\u3000", "a\tb", "a\nb", "\u0085"])
def test_a_key_name_has_no_space_and_no_plus(name: str) -> None:
    with pytest.raises(ValueError, match="key name"):
        Signer(name, bytes(32))
    with pytest.raises(MalformedKey):
        Verifier(name, ED25519, bytes(32))
    with pytest.raises(MalformedNote):
        split_note(f"text\n\n— {name} {base64.b64encode(bytes(68)).decode()}\n")


def test_the_seed_does_not_show_in_a_signers_repr() -> None:
    signer = Signer("alice.example", bytes(range(32)))
    assert repr(signer) == f"Signer({signer.vkey!r})"
    with pytest.raises(ValueError, match="32 bytes"):
        Signer("alice.example", bytes(31))


def test_signatures_of_unknown_keys_are_set_aside_and_not_trusted() -> None:
    opened = open_note(BOTH, [PETER])
    assert [s.name for s in opened.signatures] == ["PeterNeumann"]
    assert [s.name for s in opened.unverified] == ["EnochRoot"]


def test_a_note_without_a_known_key_is_not_believed() -> None:
    for verifiers in ([], [ALICE.verifier]):
        with pytest.raises(UnverifiedNote):
            open_note(BOTH, verifiers)


def test_a_key_that_shares_only_the_name_or_only_the_id_is_unknown() -> None:
    other = Signer(PETER.name, bytes(32)).verifier
    with pytest.raises(UnverifiedNote):
        open_note(TEXT + "\n" + PETER_LINE, [other])
    renamed = PETER_LINE.replace("PeterNeumann", "CarmenSandiego")
    with pytest.raises(UnverifiedNote):
        open_note(TEXT + "\n" + renamed, [PETER])
    assert open_note(TEXT + "\n" + renamed + PETER_LINE, [PETER]).unverified[0].name == "CarmenSandiego"


def test_one_bad_signature_of_a_known_key_rejects_the_whole_note() -> None:
    bad_peter = signature_line(PETER.name, PETER.key_id, bytes(64))
    for lines in (bad_peter, ENOCH_LINE + bad_peter, bad_peter + ENOCH_LINE, PETER_LINE + bad_peter):
        with pytest.raises(InvalidSignature):
            open_note(TEXT + "\n" + lines, [PETER, ENOCH])


@pytest.mark.parametrize("length", [1, 63, 65, 72])
def test_a_known_keys_signature_of_another_length_rejects_the_note(length: int) -> None:
    line = signature_line(PETER.name, PETER.key_id, bytes(length))
    with pytest.raises(InvalidSignature):
        open_note(TEXT + "\n" + line + ENOCH_LINE, [PETER, ENOCH])


def test_a_changed_text_is_an_invalid_signature() -> None:
    with pytest.raises(InvalidSignature):
        open_note(BOTH.replace("problem", "Problem", 1), [PETER])


def test_a_repeated_signature_counts_once() -> None:
    opened = open_note(TEXT + "\n" + PETER_LINE * 2 + ENOCH_LINE * 2, [PETER])
    assert len(opened.signatures) == len(opened.unverified) == 1


def test_sixteen_and_even_a_hundred_signatures_are_accepted_but_not_more() -> None:
    signers = [Signer(f"key{i}.example", i.to_bytes(32, "big")) for i in range(101)]
    for count in (16, 100):
        note = sign_note("text\n", signers[:count])
        assert len(open_note(note, [s.verifier for s in signers]).signatures) == count
    with pytest.raises(MalformedNote):
        open_note(sign_note("text\n", signers), [signers[0].verifier])


def test_the_last_blank_line_separates_text_from_signatures() -> None:
    text = "one\n\ntwo\n\n\nthree\n"
    assert open_note(sign_note(text, [ALICE]), [ALICE.verifier]).text == text
    blank = sign_note("\n", [ALICE])
    assert open_note(blank, [ALICE.verifier]).text == "\n"


def test_a_signature_line_inside_the_text_is_text() -> None:
    text = f"one\n\n{PETER_LINE}"
    opened = open_note(sign_note(text, [ALICE]), [ALICE.verifier, PETER])
    assert opened.text == text and [s.name for s in opened.signatures] == ["alice.example"]


@pytest.mark.parametrize(
    "note",
    [
        "", "\n", "\n\n", TEXT, TEXT + "\n", TEXT + "\n" + PETER_LINE[:-1], TEXT + PETER_LINE,
        "\n" + PETER_LINE, "\x01" + TEXT + "\n" + PETER_LINE, "\t" + TEXT + "\n" + PETER_LINE,
        (TEXT + "\n" + PETER_LINE).replace("\n", "\r\n"), TEXT + "\n" + PETER_LINE + "Unexpected line.\n",
        TEXT + "\n" + PETER_LINE + "\n", TEXT + "\n" + PETER_LINE.replace("—", "-"),
        TEXT + "\n" + PETER_LINE.replace("— ", "—"), TEXT + "\n" + PETER_LINE.replace("— ", "—  "),
        TEXT + "\n" + PETER_LINE.replace("=", ""), TEXT + "\n" + PETER_LINE.replace("=\n", "= \n"),
        TEXT + "\n— PeterNeumann\n", TEXT + "\n— PeterNeumann \n", TEXT + "\n— PeterNeumann x08gow==\n",
        TEXT + "\n— PeterNeumann AAAA\n", "\ud800" + TEXT + "\n" + PETER_LINE,
        b"\xff" + (TEXT + "\n" + PETER_LINE).encode(), b"",
    ],
)  # fmt: skip
def test_what_is_not_a_note_is_malformed(note: str | bytes) -> None:
    with pytest.raises(MalformedNote):
        open_note(note, [PETER])


def test_a_signature_has_one_spelling_in_base64() -> None:
    assert decode_base64("AA==") == b"\0"
    for text in ("AB==", "AA", "AA=", "AA==\n", " AA==", "AA==AA==", "A-_=", "ÄA=="):
        with pytest.raises(ValueError, match="base64"):
            decode_base64(text)


@given(st.binary(max_size=300) | st.text(max_size=300))
@example(b"a\n\n\xe2\x80\x94 a AAAAAAAA\n")
def test_hostile_notes_raise_nothing_but_note_errors(note: str | bytes) -> None:
    with pytest.raises(NoteError):
        open_note(note, [ALICE.verifier])


@given(st.binary(min_size=1, max_size=3), st.integers(0, 300))
def test_a_note_with_overwritten_bytes_never_opens_as_another_text(patch: bytes, at: int) -> None:
    good = sign_note(TEXT, [ALICE, BOB]).encode()
    at %= len(good)
    try:
        opened = open_note(good[:at] + patch + good[at + len(patch) :], [ALICE.verifier, BOB.verifier])
    except NoteError:
        return
    assert opened.text == TEXT


@given(st.text().map(lambda text: text + "\n"))
def test_any_text_that_may_be_signed_is_opened_as_it_was(text: str) -> None:
    try:
        note = sign_note(text, [ALICE, BOB])
    except ValueError:
        return
    assert open_note(note, [BOB.verifier, ALICE.verifier]).text == text


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "cr\r\n", "nul\0\n", "\ud800\n"])
def test_a_text_that_readers_would_refuse_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        sign_note(text, [ALICE])


def test_a_note_without_signers_is_not_made() -> None:
    with pytest.raises(ValueError, match="signature"):
        sign_note("text\n", [])


def test_two_keys_of_one_name_and_id_are_the_callers_mistake_and_one_key_twice_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert open_note(BOTH, [PETER, PETER]).signatures[0].name == PETER.name
    clash = Verifier(PETER.name, ED25519, bytes(32))
    monkeypatch.setattr("ledger.tlog.note.key_id", lambda *_: b"same")
    with pytest.raises(ValueError, match="two keys"):
        open_note(BOTH, [PETER, clash])


CHECKPOINT_TEXT = "ledger.example/logs/1\n7\nIaz0Oif4t7n0mlxLnJ5VjoHGJfXZyqXI2UGWZpU5Hzw=\n"


def test_a_cosignature_verifies_and_says_when() -> None:
    witness, line = cosign(bytes([9]) * 32, "witness.example/w1", CHECKPOINT_TEXT, 1_679_315_147)
    note = sign_note(CHECKPOINT_TEXT, [ALICE]) + line
    opened = open_note(note, [ALICE.verifier, Verifier.from_vkey(witness.vkey)])
    assert [s.timestamp for s in opened.signatures] == [None, 1_679_315_147]


def test_a_cosignature_signs_what_its_specification_says() -> None:
    assert cosigned_message("example.com/behind-the-sofa\n20852163\n", 1_679_315_147) == (
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
    )


def test_the_time_of_a_published_cosignature_is_its_first_eight_bytes() -> None:
    published = PUBLISHED["cosignature_timestamp"]
    signature = decode_base64(published["base64"])[4:]
    assert len(signature) == 72
    assert int.from_bytes(signature[:8], "big") == published["timestamp"]


def test_a_cosignature_for_another_time_or_tree_rejects_the_note() -> None:
    witness, line = cosign(bytes([9]) * 32, "witness.example/w1", CHECKPOINT_TEXT, 100)
    signature = decode_base64(line.split(" ")[2].strip())[4:]
    later = signature_line(witness.name, witness.key_id, (101).to_bytes(8, "big") + signature[8:])
    for text, cosignature in ((CHECKPOINT_TEXT, later), (CHECKPOINT_TEXT.replace("\n7\n", "\n8\n"), line)):
        with pytest.raises(InvalidSignature):
            open_note(sign_note(text, [ALICE]) + cosignature, [ALICE.verifier, witness])


def test_a_cosignature_after_the_year_of_2_to_the_63_is_invalid() -> None:
    witness, line = cosign(bytes([9]) * 32, "witness.example/w1", CHECKPOINT_TEXT, 1 << 63)
    with pytest.raises(InvalidSignature, match="time"):
        open_note(sign_note(CHECKPOINT_TEXT, [ALICE]) + line, [ALICE.verifier, witness])


def test_a_plain_signature_is_no_cosignature_of_the_same_key() -> None:
    as_witness = Verifier(ALICE.name, COSIGNATURE_V1, ALICE.verifier.public_key)
    assert as_witness.key_id != ALICE.key_id
    with pytest.raises(UnverifiedNote):
        open_note(sign_note(CHECKPOINT_TEXT, [ALICE]), [as_witness])
    forged = signature_line(ALICE.name, as_witness.key_id, bytes(8) + ALICE.sign(CHECKPOINT_TEXT))
    with pytest.raises(InvalidSignature):
        open_note(CHECKPOINT_TEXT + "\n" + forged, [as_witness])

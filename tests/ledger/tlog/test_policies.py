"""Trust policies as C2SP tlog-policy has them."""

import itertools

import pytest

from ledger.tlog import Cosigner, MalformedPolicy, Signer, parse_policy

KEYS = {
    name: Cosigner(f"{name}.example", bytes([number]) * 32).verifier.vkey for number, name in enumerate("abcdef", 1)
}
LOG = Signer("log.example/logs/1", bytes(32)).vkey


def written(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def witnesses(names: str) -> list[str]:
    return [f"witness {name} {KEYS[name]}" for name in names]


def test_the_example_of_the_specification() -> None:
    policy = parse_policy(
        written(
            f"log {LOG}",
            *witnesses("abcdef"),
            "group X-witnesses 2 a b c",
            "group Y-witnesses any d e f",
            "group X-and-Y all X-witnesses Y-witnesses",
            "quorum X-and-Y",
        )
    )
    for size in range(7):
        for names in itertools.combinations("abcdef", size):
            enough = len(set(names) & set("abc")) >= 2 and bool(set(names) & set("def"))
            assert policy.is_met_by(names) is enough, names
    assert policy.logs[0].verifier.name == "log.example/logs/1"


def test_a_single_witness_can_be_the_quorum_and_none_asks_for_nobody() -> None:
    one = parse_policy(written(*witnesses("ab"), "quorum b"))
    assert (one.is_met_by(["a"]), one.is_met_by(["b"]), one.is_met_by([])) == (False, True, False)
    nobody = parse_policy(written("quorum none"))
    assert nobody.is_met_by([]) and nobody.witnesses == {}


def test_a_name_that_is_none_of_its_witnesses_counts_for_nothing() -> None:
    policy = parse_policy(written(*witnesses("ab"), "group g any a b", "quorum g"))
    assert not policy.is_met_by(["c", "g"])


def test_blank_lines_comments_tabs_and_addresses() -> None:
    policy = parse_policy(
        b"\n  # a comment\n\twitness\ta  " + KEYS["a"].encode() + b" https://a.example/w \t\n\n quorum a\n#\xff\xfe\n"
    )
    assert policy.witnesses["a"].url == "https://a.example/w"
    assert policy.is_met_by(["a"])


def test_names_are_octets_that_look_alike_and_are_not_the_same() -> None:
    kelvin, letter = "\u212a", "K"
    policy = parse_policy(written(f"witness {kelvin} {KEYS['a']}", f"witness {letter} {KEYS['b']}", f"quorum {letter}"))
    assert policy.is_met_by([letter]) and not policy.is_met_by([kelvin])
    latin = parse_policy(b"witness \xe9 " + KEYS["a"].encode() + b"\nquorum \xe9\n")
    assert latin.is_met_by(list(latin.witnesses))


MANY = [f"witness w{n} {Cosigner('w', n.to_bytes(32, 'big')).verifier.vkey}" for n in range(40)]
NESTED = [f"group g{n} any {'w0' if n == 0 else f'g{n - 1}'}" for n in range(2_000)]


def test_many_witnesses_and_groups_within_groups() -> None:
    policy = parse_policy(
        written(*MANY, f"group all-of-them all {' '.join(f'w{n}' for n in range(40))}", "quorum all-of-them")
    )
    assert policy.is_met_by([f"w{n}" for n in range(40)]) and not policy.is_met_by([f"w{n}" for n in range(39)])
    deep = parse_policy(written(MANY[0], *NESTED, "quorum g1999"))
    assert deep.is_met_by(["w0"]) and not deep.is_met_by([])


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "no quorum"),
        (["quorum none", "quorum none"], "line 2: a second quorum"),
        (["quorum a"], "line 1: no witness and no group above is called a"),
        ([*witnesses("a"), "group g any a b", "quorum g"], "line 2: no witness and no group above is called b"),
        (["group g any g", "quorum g"], "line 1: no witness"),
        ([*witnesses("a"), "group g any", "quorum g"], "line 2: a group without members"),
        ([*witnesses("a"), "group g 0 a", "quorum g"], "line 2: 0 is neither"),
        ([*witnesses("a"), "group g 2 a", "quorum g"], "line 2: 2 is neither"),
        ([*witnesses("a"), "group g 01 a", "quorum g"], "line 2: 01 is neither"),
        ([*witnesses("a"), "group g some a", "quorum g"], "line 2: some is neither"),
        ([*witnesses("ab"), "group g any a a", "quorum g"], "line 3: a is a member already"),
        ([*witnesses("ab"), "group g any a", "group h any a", "quorum h"], "line 4: a is a member already"),
        ([*witnesses("a"), f"witness a {KEYS['b']}", "quorum a"], "line 2: the name a is taken"),
        ([f"witness none {KEYS['a']}", "quorum none"], "line 1: the name none is taken"),
        ([*witnesses("a"), "group a any a", "quorum a"], "line 2: the name a is taken"),
        ([*witnesses("a"), f"witness b {KEYS['a']}", "quorum a"], "line 2: a second witness with the same"),
        ([f"log {LOG}", f"log {LOG}", "quorum none"], "line 2: a second log with the same"),
        ([f"log {KEYS['a']}", "quorum none"], "line 1: a key of type 04, where one of type 01 stands"),
        ([f"witness a {LOG}", "quorum a"], "line 1: a key of type 01, where one of type 04 stands"),
        (["witness a nonsense", "quorum a"], "line 1: not a verifier key"),
        (["witness a", "quorum a"], "line 1: witness has too few or too many words"),
        (["log", "quorum none"], "line 1: log has too few"),
        ([f"log {LOG} https://x y", "quorum none"], "line 1: log has too few or too many"),
        (["quorum", "quorum none"], "line 1: quorum has too few"),
        (["quorum none x"], "line 1: quorum has too few or too many"),
        (["mirror x", "quorum none"], "line 1: mirror is none of"),
        (["# a \x07 bell", "quorum none"], "line 1: a control character"),
        (["quorum none\r"], "line 1: a control character"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_line(lines: list[str], problem: str) -> None:
    with pytest.raises(MalformedPolicy, match=problem):
        parse_policy(written(*lines))


def test_a_file_that_was_cut_off_is_refused() -> None:
    whole = written(*witnesses("abc"), "group g 2 a b c", "quorum g")
    with pytest.raises(MalformedPolicy, match="does not end in a newline"):
        parse_policy(whole[:-1])


def test_a_key_of_a_kind_that_is_not_supported_is_named() -> None:
    import base64
    import hashlib

    material = b"\x06" + bytes(1312)
    identifier = hashlib.sha256(b"w\n" + material).digest()[:4].hex()
    with pytest.raises(MalformedPolicy, match="line 1"):
        parse_policy(written(f"witness w w+{identifier}+{base64.b64encode(material).decode()}", "quorum w"))

"""What is wrong with the operator's files is said at each start, and the page says it where it went wrong later."""

from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django.fixtures import Settings

from evidence.witnessing.configured import Misconfigured, configured
from ledger.tlog import Cosigner

KEYS = [Cosigner(f"w{n}.example", bytes([n]) * 32).verifier.vkey for n in (1, 2)]


@pytest.fixture
def policy(tmp_path: Path, settings: Settings) -> Path:
    file = tmp_path / "policy"
    settings.WITNESS_POLICY_FILE = str(file)
    return file


def found() -> dict[str, str]:
    return {str(each.id): each.msg for each in run_checks() if str(each.id).startswith("answerable.")}


def test_a_policy_with_addresses_is_no_finding(policy: Path) -> None:
    policy.write_text(f"witness a {KEYS[0]} https://a.example.org/\nquorum a\n")
    assert found() == {}
    [witness] = configured().witnesses
    assert (witness.name, witness.url) == ("a", "https://a.example.org")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("quorum a\n", "line 1"),
        (f"witness a {KEYS[0]} ftp://a.example.org/\nquorum a\n", "must begin with https"),
        (f"witness a {KEYS[0]} http://127.0.0.1:8010/\nquorum a\n", "not public"),
        (f"witness a {KEYS[0]} https://a:b@a.example.org/\nquorum a\n", "password"),
        (f"witness {'a' * 101} {KEYS[0]}\nquorum none\n", "too long"),
        ("", "no quorum line"),
    ],
)
def test_one_that_cannot_be_used_ends_every_command(policy: Path, text: str, problem: str) -> None:
    policy.write_text(text)
    assert problem in found()["answerable.E016"]
    with pytest.raises(Misconfigured, match=problem):
        configured()


def test_one_that_is_not_there(policy: Path) -> None:
    assert "No such file" in found()["answerable.E016"]


def test_a_quorum_that_nobody_is_asked_for_is_a_warning(policy: Path) -> None:
    policy.write_text(f"witness a {KEYS[0]} https://a.example.org/\nwitness b {KEYS[1]}\ngroup g all a b\nquorum g\n")
    assert "never be met" in found()["answerable.W003"]
    policy.write_text(f"witness a {KEYS[0]} https://a.example.org/\nwitness b {KEYS[1]}\ngroup g any a b\nquorum g\n")
    assert found() == {}


def test_authorities_that_cannot_be_used_end_every_command(tmp_path: Path, settings: Settings) -> None:
    settings.TIMESTAMP_AUTHORITIES_FILE = str(tmp_path / "authorities")
    assert "No such file" in found()["answerable.E017"]


def test_a_loopback_witness_is_fine_where_the_operator_says_so(policy: Path, settings: Settings) -> None:
    settings.ANCHOR_NETWORKS = ["127.0.0.0/8"]
    policy.write_text(f"witness a {KEYS[0]} http://127.0.0.1:8010/\nquorum a\n")
    assert found() == {}


def test_a_policy_that_was_changed_is_read_again(policy: Path) -> None:
    policy.write_text(f"witness a {KEYS[0]} https://a.example.org/\nquorum a\n")
    assert [each.name for each in configured().witnesses] == ["a"]
    policy.write_text(f"witness bb {KEYS[0]} https://a.example.org/\nquorum bb\n")
    assert [each.name for each in configured().witnesses] == ["bb"]
    policy.unlink()
    with pytest.raises(Misconfigured):
        configured()

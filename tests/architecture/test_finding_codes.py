"""What the self-audit can find is declared, and each of it stands in a table of tests that do the damage."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from evidence.verification.engine import walks
from evidence.verification.findings import MEANINGS
from tests.evidence.damage_attacks import KNOWN
from tests.evidence.damage_tables import ROWS, TREES
from tests.running import PROJECT

VERIFICATION = PROJECT / "evidence" / "verification"
CODE = re.compile(r"[a-z]+(-[a-z]+)+")


def texts(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def named() -> set[str]:
    """Every text in the modules of the self-audit, but for the one that declares the codes."""
    modules = [file for file in VERIFICATION.rglob("*.py") if file.name != "findings.py"]
    return {text for file in modules for text in texts(file)}


def first_arguments() -> Iterator[str]:
    """What stands first in each `Finding(...)` of the product, where it is a text."""
    for file in sorted((PROJECT / "evidence").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                named = [each.value for each in node.args[:1] if isinstance(each, ast.Constant)]
                yield from (each for each in named if isinstance(each, str))


def test_every_code_that_is_emitted_is_declared() -> None:
    """Those that are passed on have the form of one; so have the names of walks."""
    passed_on = {text for text in named() if CODE.fullmatch(text)} - {walk.name for walk in walks()}
    assert (passed_on | set(first_arguments())) - set(MEANINGS) == set()


def test_every_code_that_is_declared_is_emitted() -> None:
    assert set(MEANINGS) - named() == set()


def test_every_code_stands_in_a_table_of_damages_that_are_done_and_named() -> None:
    done = {code for table in (TREES, ROWS, KNOWN) for each in table.values() for code in each.codes}
    assert set(MEANINGS) - done == set(), "a damage of this code belongs into tests/evidence/damage_tables.py"
    assert done - set(MEANINGS) == set()


def test_no_code_is_declared_twice() -> None:
    text = (VERIFICATION / "findings.py").read_text()
    declared = re.findall(r'^    "([a-z-]+)":', text, re.MULTILINE)
    assert len(declared) == len(set(declared)) == len(MEANINGS)

"""What pages and docs say is to be typed can be typed so, and is the safe way."""

import re
from pathlib import Path

import pytest

from tests.running import PROJECT

TOLD = sorted(
    path
    for folder, pattern in (("docs", "*.md"), ("templates", "*.html"), ("sdk", "README.md"), ("evidence", "*.py"))
    for path in (PROJECT / folder).rglob(pattern)
)
RUN = re.compile(r"python3? +(?!-I )\S*verify\.py")


@pytest.mark.parametrize("path", [path for path in TOLD if "verify.py" in path.read_text()], ids=lambda path: path.name)
def test_a_verifier_is_run_isolated(path: Path) -> None:
    """Without -I Python imports what lies in the folder: an attacker's `json.py` beside the bundle, for one."""
    assert RUN.findall(path.read_text()) == []


def test_the_search_finds_what_it_is_for() -> None:
    assert RUN.search("python3 verify.py bundle.zip")
    assert not RUN.search("python3 -I verify.py bundle.zip")
    assert any(path.name == "export.html" for path in TOLD)

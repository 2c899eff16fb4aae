"""What the documentation leads to is there: pages, headings' files and pictures."""

import re
from pathlib import Path

import pytest

from tests.running import PROJECT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md"), *(PROJECT / "sdk").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_what_a_page_leads_to_is_there(page: Path) -> None:
    found = {each for each in LINK.findall(page.read_text()) if "://" not in each and not each.startswith("/")}
    assert sorted(each for each in found if not (page.parent / each).exists()) == []


def test_every_picture_is_shown_somewhere() -> None:
    said = "".join(page.read_text() for page in PAGES)
    drawn = {each.name for each in (PROJECT / "docs" / "pictures").glob("*.png")}
    assert drawn and sorted(name for name in drawn if f"pictures/{name}" not in said) == []

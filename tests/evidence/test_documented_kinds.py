"""Auditors read what kinds of entries there are in docs/log-format.md: each stands there, and no other."""

import re

from tests.running import PROJECT

DECLARED = re.compile(r'Kind\(\s*"([a-z_.]+)"')


def test_every_kind_of_entry_is_documented() -> None:
    text = (PROJECT / "docs" / "log-format.md").read_text()
    declared = {
        kind
        for path in PROJECT.glob("*/**/*kinds.py")
        if "tests" not in path.parts and ".venv" not in path.parts
        for kind in DECLARED.findall(path.read_text())
    }
    assert len(declared) > 100
    assert sorted(kind for kind in declared if f"`{kind}`" not in text) == []
    listed = text.partition("### All kinds")[2].partition("\n###")[0]
    named = {kind for line in listed.splitlines() for kind in re.findall(r"`([a-z_]+\.[a-z_]+)`", line)}
    assert named - declared == set()

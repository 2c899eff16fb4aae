"""The tables of docs/roles-and-rights.md, which people are promised and tests are held against."""

from pathlib import Path

from tests.personas.people import PERSONAS

PAGE = Path(__file__).parents[2] / "docs" / "roles-and-rights.md"
LETTERS = {"–": ".", "may": "a", "if": "c", "2nd": "v", "may, 2nd": "b", "if, 2nd": "w"}
"""What stands in the table of acts. a: may, or may ask. c: only under a condition. v: approves somebody else's.
b: a and v. w: c and v."""


def _section(title: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its own head."""
    _, _, below = PAGE.read_text().partition(f"\n## {title}\n")
    lines = [line for line in below.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _rows(title: str) -> dict[str, list[str]]:
    """Cells by the name in the second column; rows that only head a group have none."""
    return {name.strip("`"): cells for _, name, *cells in _section(title) if name}


ACTS: dict[str, dict[str, str]] = {
    act: dict(zip(PERSONAS, (LETTERS[cell] for cell in cells), strict=True)) for act, cells in _rows("Acts").items()
}
"""Each act: what each persona may, as a letter."""
WORDS: dict[str, str] = {act.strip("`"): words for words, act, *_ in _section("Acts") if act}
"""Each act in the words that people know it by."""
SIGHT: dict[str, frozenset[str]] = {
    mark: frozenset(persona for persona, cell in zip(PERSONAS, cells, strict=True) if cell == "reads")
    for mark, cells in _rows("Who reads what").items()
}
"""Each sort of thing: which personas read it."""
BY_PROGRAM: dict[str, tuple[frozenset[str], bool]] = {
    act.strip("`"): (frozenset(each.strip("` ") for each in scopes.split(",") if each != "–"), command == "yes")
    for act, scopes, command in _section("What a service's key may do")
}
"""Each act that a program may do: the scopes of its key, and whether it may be done at the command line."""
OF_EVERYBODY = frozenset({"people", "org"})
"""What belongs to no AI system: whoever has any role knows of it."""
EVERYWHERE = frozenset({"administrator", "approver", "dpo"})
"""Whose role is for the whole organisation."""


def may_read(persona: str, sort: str, *, in_scope: bool) -> bool:
    """Whether somebody of that role may be shown this sort of thing, of their AI system or of another."""
    return persona in SIGHT[sort] and (in_scope or sort in OF_EVERYBODY or persona in EVERYWHERE)

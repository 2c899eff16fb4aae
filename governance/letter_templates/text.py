"""The text of a letter: placeholders in braces, and the little structure it has. Plain text, never markup.

A line that begins with `# ` is a heading, one that begins with `- ` an item of a list; an empty line ends a paragraph.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from config.errors import FieldProblem
from governance.letter_templates.facts import BY_NAME

MAX_TEXT = 12_000
PLACEHOLDER = re.compile(r"\{([a-z_]{1,40})\}")
BRACE = re.compile(r"[{}]")
# what no letter needs, and what could make text read otherwise than it is written
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
HEADING, ITEM = "# ", "- "
MARKS = re.compile(r"^([#-]+ )+")

Value = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with what is known put in. What is not known still stands there as its placeholder."""

    text: str
    missing: tuple[str, ...]


class BlockKind(StrEnum):
    HEADING = "heading"
    LIST = "list"
    PARAGRAPH = "paragraph"


@dataclass(frozen=True, slots=True)
class Block:
    """A heading or a paragraph (its lines), or a list (its items)."""

    kind: BlockKind
    lines: tuple[str, ...]


def tidy(text: str) -> str:
    """One kind of line end, no space at the ends of lines, one line end at the end."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join(lines).strip("\n") + "\n"


# --- checking ---------------------------------------------------------------------------------------------------------
def text_problems(text: str, field: str = "text") -> Iterator[FieldProblem]:
    """What no letter's text may hold, and whether there is any."""
    if not text.strip():
        yield _problem(field, "Write the letter.")
    if len(text) > MAX_TEXT:
        yield _problem(field, "The text is too long.", f"at most {MAX_TEXT:,} characters")
    for number, line in enumerate(text.split("\n"), 1):
        if found := UNPRINTABLE.search(line):
            yield _problem(field, f"{_place(number, found.start())}: a character that no letter needs.")


def template_problems(text: str) -> Iterator[FieldProblem]:
    """Everything that is wrong with a template's text, each with its place."""
    yield from text_problems(text)
    for number, line in enumerate(text.split("\n"), 1):
        yield from _line_problems(number, line)


def _line_problems(number: int, line: str) -> Iterator[FieldProblem]:
    for found in PLACEHOLDER.finditer(line):
        fact, place = BY_NAME.get(found[1]), _place(number, found.start())
        if fact is None:
            near = get_close_matches(found[1], BY_NAME, 1)
            hint = f" Did you mean {{{near[0]}}}?" if near else ""
            yield _problem("text", f"{place}: there is no fact called {{{found[1]}}}.{hint}")
        elif fact.is_list and line.strip() != found[0]:
            yield _problem("text", f"{place}: {found[0]} becomes several lines, so it stands on a line of its own.")
    if stray := BRACE.search(PLACEHOLDER.sub(lambda match: " " * len(match[0]), line)):
        yield _problem("text", f"{_place(number, stray.start())}: a brace that belongs to no fact.")


def left_in(text: str) -> Iterator[FieldProblem]:
    """The placeholders that still stand in a text, each with its place: no letter is issued with one."""
    for number, line in enumerate(text.split("\n"), 1):
        for found in PLACEHOLDER.finditer(line):
            about = BY_NAME[found[1]].about if found[1] in BY_NAME else "It is no fact of a decision."
            detail = f"{_place(number, found.start())}: {found[0]} is not known. Write it, or take the place out."
            yield _problem("text", detail, about)


def _place(line: int, index: int) -> str:
    return f"Line {line}, column {index + 1}"


def _problem(field: str, detail: str, expected: str | None = None) -> FieldProblem:
    return FieldProblem(pointer=f"/{field}", detail=detail, expected=expected)


# --- filling ----------------------------------------------------------------------------------------------------------
def filled(text: str, values: Mapping[str, Value]) -> Filled:
    """The text with its facts put in. An empty list leaves its place out; what has no value stays and is named."""
    missing: dict[str, None] = {}
    lines = [line for each in text.split("\n") for line in _filled_line(each, values, missing)]
    return Filled(tidy("\n".join(lines)), tuple(missing))


def _filled_line(line: str, values: Mapping[str, Value], missing: dict[str, None]) -> list[str]:
    alone = PLACEHOLDER.fullmatch(line.strip())
    if alone and not isinstance(found := values.get(alone[1], ""), str):
        return [f"{ITEM}{plain(item)}" for item in found]

    def put(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if isinstance(value, str) and value.strip():
            return plain(value)
        missing[match[1]] = None
        return match[0]

    return [PLACEHOLDER.sub(put, line)]


def plain(value: str) -> str:
    """A fact as one line of a text: what came with a decision makes no heading and no list, and no placeholder."""
    one_line = " ".join(UNPRINTABLE.sub(" ", value).split())
    return MARKS.sub("", one_line).replace("{", "(").replace("}", ")")


# --- reading ----------------------------------------------------------------------------------------------------------
def blocks_of(text: str) -> list[Block]:
    """The text as it is shown and printed."""
    blocks: list[Block] = []
    for line in [*text.split("\n"), ""]:
        kind, said = _read_line(line)
        last = blocks[-1] if blocks else None
        if last and said and kind == last.kind != BlockKind.HEADING:
            blocks[-1] = Block(kind, (*last.lines, said))
        else:
            blocks.append(Block(kind, (said,) if said else ()))
    return [block for block in blocks if block.lines]


def _read_line(line: str) -> tuple[BlockKind, str]:
    if line.startswith(HEADING):
        return BlockKind.HEADING, line.removeprefix(HEADING).strip()
    if line.startswith(ITEM):
        return BlockKind.LIST, line.removeprefix(ITEM).strip()
    return BlockKind.PARAGRAPH, line.strip()

"""The dictionary of a template: `name = plain words`, one a line, for features, reasons, outcomes and phrases."""

import re
from collections.abc import Container, Iterator

from config.errors import FieldProblem
from governance.letter_templates.text import UNPRINTABLE

MAX_LINES, MAX_WORDS = 500, 400
NAME = re.compile(r"[A-Za-z0-9_.:/+-]{1,100}")
OUTCOME, PHRASE = "outcome:", "say:"
"""Before the name of an outcome, and of a phrase that is said otherwise than we would."""


def read_words(text: str) -> dict[str, str]:
    """The dictionary of a text that was checked."""
    return dict(_split(line) for _, line in _lines(text))


def words_problems(text: str, phrases: Container[str]) -> Iterator[FieldProblem]:
    """What is wrong with it, by line. `phrases`: those that can be said otherwise."""
    lines, seen = list(_lines(text)), set()
    if len(lines) > MAX_LINES:
        yield _problem(f"At most {MAX_LINES} lines.")
    for number, line in lines:
        name, said = _split(line)
        if "=" not in line or not NAME.fullmatch(name) or not said:
            yield _problem(f"Line {number}: write it as  late_payments = Payments that came late.")
        elif len(said) > MAX_WORDS or UNPRINTABLE.search(said):
            yield _problem(f"Line {number}: plain words, at most {MAX_WORDS} characters.")
        elif name.startswith(PHRASE) and name.removeprefix(PHRASE) not in phrases:
            yield _problem(f"Line {number}: there is no phrase {name}.")
        elif name in seen:
            yield _problem(f"Line {number}: {name} stands there already.")
        seen.add(name)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    numbered = enumerate(text.replace("\r\n", "\n").split("\n"), 1)
    return ((number, line) for number, line in numbered if line.strip())


def _split(line: str) -> tuple[str, str]:
    name, _, said = line.partition("=")
    return name.strip(), said.strip()


def _problem(detail: str) -> FieldProblem:
    return FieldProblem(pointer="/words", detail=detail)

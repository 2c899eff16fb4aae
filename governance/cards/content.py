"""The content of a card: read from JSON, checked as a whole, kept as one canonical document."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from config.errors import FieldProblem, InvalidInput
from config.pointers import pointer
from governance.cards.fields import problems_of, schema_of, tidied
from governance.cards.sections import BY_NAME, SCHEMA, SECTIONS

Content = dict[str, Any]
"""Sections by name, each an object of its fields; what says nothing is not there."""

MAX_BYTES = 250_000
_encode = msgspec.json.Encoder(order="sorted").encode


def checked_content(given: object) -> Content:
    """A document as it is kept. Errors: `InvalidInput` with everything that is wrong, each at its pointer."""
    if found := list(_problems(given)):
        raise InvalidInput(errors=found)
    assert isinstance(given, dict)
    sections = {each.name: tidied(each.fields, given.get(each.name) or {}) for each in SECTIONS}
    content = {name: found for name, found in sections.items() if found}
    size = len(canonical(content))
    if size > MAX_BYTES:
        expected = f"at most {MAX_BYTES:,} bytes"
        raise InvalidInput(errors=[FieldProblem(pointer="", detail=f"The card has {size:,} bytes.", expected=expected)])
    return content


def _problems(given: object) -> Iterator[FieldProblem]:
    if not isinstance(given, Mapping):
        yield FieldProblem(pointer="", detail="This is an object.", expected=", ".join(BY_NAME))
        return
    for name, section in given.items():
        if name == "schema":
            yield from _schema_problems(section)
        elif name not in BY_NAME:
            detail = "There is no such section."
            yield FieldProblem(pointer=pointer(name), detail=detail, expected=", ".join(BY_NAME))
        elif section is not None:
            yield from problems_of(BY_NAME[name].fields, section, (name,))


def _schema_problems(given: object) -> Iterator[FieldProblem]:
    if given != SCHEMA or isinstance(given, bool):
        detail = "Another version of the schema than this server writes."
        yield FieldProblem(pointer="/schema", detail=detail, expected=str(SCHEMA))


def canonical(content: Mapping[str, Any]) -> bytes:
    """The document's one form: compact JSON with sorted names, its schema's number in it."""
    return _encode({**content, "schema": SCHEMA})


def digest_of(document: str) -> str:
    """What whoever publishes names the content by: sha256 over the canonical document."""
    return "sha256:" + hashlib.sha256(document.encode()).hexdigest()


def read_document(document: str) -> Content:
    """The content out of a kept document; nothing where there is none (any more)."""
    found: Content = msgspec.json.decode(document) if document else {}
    found.pop("schema", None)
    return found


def json_schema() -> dict[str, Any]:
    """The content as JSON Schema, for the description of the API."""
    sections = {each.name: schema_of(each.fields) | {"description": each.about} for each in SECTIONS}
    numbered = {"schema": {"type": "integer", "enum": [SCHEMA], "description": "The version of this schema."}}
    return {"type": "object", "additionalProperties": False, "properties": numbered | sections}

"""JSON as a tree that people read: folded by keyboard, numbers as they were written, nothing reordered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

MAX_NODES = 2_000
LONG_TEXT = 240
OPEN_DEPTH = 3
OPEN_ITEMS = 30
MORE = SafeString('<p class="a-muted">Too large to show whole: the rest is in the download.</p>')


class _Number(str):
    """A number's own spelling: 1.10 is not made into 1.1."""


class _Members(list[tuple[str, Any]]):
    """An object's members in order, twice where a name stands twice."""


@dataclass(slots=True)
class _Budget:
    left: int = MAX_NODES

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def tree_of(data: bytes) -> SafeString:
    """A part of a payload as HTML. What is no JSON after all is shown as text."""
    try:
        value = json.loads(
            data, parse_float=_Number, parse_int=_Number, object_pairs_hook=_Members, parse_constant=_Number
        )
    except (ValueError, RecursionError):
        return format_html('<pre class="c-code" tabindex="0">{}</pre>', data[:20_000].decode("utf-8", "replace"))
    budget = _Budget()
    body = _node(None, value, 0, budget)
    return format_html("{}{}", body, MORE if budget.left < 0 else "")


def _node(name: str | None, value: Any, depth: int, budget: _Budget) -> SafeString:
    if not budget.take():
        return SafeString("")
    if isinstance(value, list) and value:
        return _branch(name, value, depth, budget)
    label = format_html("<b>{}</b> ", name) if name is not None else ""
    return format_html("<div>{}{}</div>", label, _leaf(value))


def _branch(name: str | None, value: list[Any], depth: int, budget: _Budget) -> SafeString:
    members: Iterator[tuple[str | None, Any]]
    if isinstance(value, _Members):
        members, what = iter(value), "field"
    else:
        members, what = ((str(number), item) for number, item in enumerate(value)), "item"
    inner = format_html_join("", "{}", ((_node(key, item, depth + 1, budget),) for key, item in members))
    opened = SafeString(" open") if depth < OPEN_DEPTH and len(value) <= OPEN_ITEMS else ""
    label = format_html("<b>{}</b> ", name) if name is not None else ""
    count = f"{len(value):,} {what}{'' if len(value) == 1 else 's'}"
    return format_html("<details{}><summary>{}<i>{}</i></summary>{}</details>", opened, label, count, inner)


def _leaf(value: Any) -> SafeString:
    match value:
        case None:
            return SafeString('<span data-type="null">null</span>')
        case bool():
            return format_html('<span data-type="boolean">{}</span>', "true" if value else "false")
        case _Number():
            return format_html('<span data-type="number">{}</span>', str(value))
        case list():
            return SafeString("<i>empty</i>")
        case str() if len(value) > LONG_TEXT:
            return _folded(value)
    return format_html('<span data-type="string">{}</span>', value)


def _folded(text: str) -> SafeString:
    return format_html(
        '<details class="c-long"><summary><span data-type="string">{}…</span> <i>{} characters</i></summary>'
        '<span data-type="string">{}</span></details>',
        text[:LONG_TEXT],
        f"{len(text):,}",
        text,
    )

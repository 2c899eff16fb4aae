"""The stored explanation and the input in plain words: what weighed most, and what kinds of data there were."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from audit.explanations import Bar, read_explanation
from governance.letter_templates.wording import Side, Wording

MOST_FIELDS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """The main reasons, the weightiest first. `unspoken`: names for which the template has no words."""

    summary: str = ""
    told: tuple[str, ...] = ()
    unspoken: tuple[str, ...] = ()
    is_mixed: bool = False
    """Whether some of those told weigh one way and some the other."""
    is_of_other_side: bool = False
    """There are reasons, and none of them weighs to the side that is told."""


def reasons_of(explanation: bytes | None, wording: Wording, adverse: bool | None = None) -> Reasons:
    """Of the stored explanation, as far as it has the recommended shape. What weighs nothing is no reason.

    `adverse`: whether the outcome is, by which its side is known.
    """
    found = read_explanation(explanation) if explanation is not None else None
    if found is None:
        return Reasons()
    weighing, side = [bar for bar in found.bars if bar.weight], _side(wording.reasons_side, adverse)
    bars = [bar for bar in weighing if _is_on(bar, side)][: wording.reasons_most]
    said = [_words_for(bar, wording.words) for bar in bars]
    return Reasons(
        summary=found.summary,
        told=tuple(words or bar.text for bar, words in zip(bars, said, strict=True)),
        unspoken=tuple(bar.code or bar.text for bar, words in zip(bars, said, strict=True) if not words),
        is_mixed=any(bar.weight > 0 for bar in bars) and any(bar.weight < 0 for bar in bars),
        is_of_other_side=bool(weighing) and not bars,
    )


def _side(chosen: Side | str, adverse: bool | None) -> Side | str:
    if chosen != Side.OUTCOME:
        return chosen
    return {True: Side.NEGATIVE, False: Side.POSITIVE, None: Side.ALL}[adverse]


def _is_on(bar: Bar, side: Side | str) -> bool:
    return side == Side.ALL or (bar.weight < 0 if side == Side.NEGATIVE else bar.weight > 0)


def _words_for(bar: Bar, words: Mapping[str, str]) -> str:
    """Those for its direction first: what speaks for somebody is said otherwise than what speaks against them."""
    return words.get(f"{bar.code}{'-' if bar.weight < 0 else '+'}") or words.get(bar.code) or ""


def data_kinds(data: bytes | None, words: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The names of the input's fields in plain words, and those for which there are none. Never a value."""
    names = list(_names(_decoded(data)))[:MOST_FIELDS]
    said = [words.get(name) or words.get(name.rpartition("/")[2]) for name in names]
    told = [spoken or _spelt(name) for name, spoken in zip(names, said, strict=True)]
    return list(dict.fromkeys(told)), [name for name, spoken in zip(names, said, strict=True) if not spoken]


def _names(said: Any, before: str = "") -> Iterator[str]:
    """Top-level fields; of an object the fields in it."""
    for name, value in said.items() if isinstance(said, dict) else ():
        if isinstance(value, dict) and value and not before:
            yield from _names(value, f"{name}/")
        else:
            yield f"{before}{name}"


def _decoded(data: bytes | None) -> Any:
    try:
        return msgspec.json.decode(data) if data is not None else None
    except (msgspec.DecodeError, RecursionError):
        return None


def _spelt(name: str) -> str:
    return name.rpartition("/")[2].replace("_", " ").replace("-", " ")

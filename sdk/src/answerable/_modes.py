"""Modes and epochs, as the server orders them."""

import re
from enum import Enum
from typing import NamedTuple


class Mode(str, Enum):
    """What an AI system may do; the later one is the more restrictive."""

    RUN = "run"
    REVIEW = "review"
    FALLBACK = "fallback"
    STOP = "stop"

    __str__ = str.__str__

    @property
    def severity(self) -> int:
        """0 for run to 3 for stop."""
        return _SEVERITY[self]

    @property
    def action(self) -> str:
        """The directive that the mode amounts to."""
        return _ACTIONS[self]


_SEVERITY = {mode: number for number, mode in enumerate(Mode)}
_ACTIONS = {Mode.RUN: "proceed", Mode.REVIEW: "hold", Mode.FALLBACK: "fallback", Mode.STOP: "stop"}
ACTIONS = tuple(_ACTIONS.values())


def strictest(*modes: Mode) -> Mode:
    """The most restrictive of all."""
    return max(modes, key=_SEVERITY.__getitem__)


def read_mode(text: object) -> Mode:
    """The mode that a word names. One that we do not know was made after us, and can only be obeyed by stopping."""
    try:
        return Mode(text)
    except ValueError:
        return Mode.STOP


class Epoch(NamedTuple):
    """A state of all controls, ordered."""

    generation: int
    number: int

    def __str__(self) -> str:
        return f"{self.generation}.{self.number}"

    @classmethod
    def parse(cls, text: object) -> "Epoch":
        """Errors: ValueError."""
        found = _EPOCH.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError("not an epoch")
        return cls(int(found[1]), int(found[2]))


_EPOCH = re.compile(r"([0-9]{1,9})\.([0-9]{1,18})", re.ASCII)

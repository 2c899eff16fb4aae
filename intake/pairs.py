"""JSON read without losing anything: repeated names stay, and so do NaN and Infinity. Slow: for what is refused."""

import json
from collections import Counter
from typing import Any


class Pairs(list[tuple[str, Any]]):
    """A JSON object with its names in order, repeated ones too."""

    def repeated(self) -> list[str]:
        """The names that occur more than once, sorted."""
        return sorted(name for name, times in Counter(name for name, _ in self).items() if times > 1)


class NotANumber:
    """Stands where NaN or Infinity was written: JSON has no such numbers."""


def read_pairs(raw: bytes) -> Any:
    """Any JSON value, objects as `Pairs`. Errors: `ValueError` with the place, `RecursionError`."""
    return json.loads(
        raw,
        object_pairs_hook=Pairs,
        parse_constant=lambda name: NotANumber(),
        # Python refuses to read integers of more than 4,300 digits
        parse_int=lambda digits: int(digits) if len(digits) < 400 else float(digits),
    )


def has_repeated_names(raw: bytes) -> bool:
    """Whether a name occurs twice in the record itself, its source or its labels. (Inside payload parts it may.)"""
    record = read_pairs(raw)
    inner = [value for name, value in record if name in ("source", "labels") and isinstance(value, Pairs)]
    return any(pairs.repeated() for pairs in (record, *inner))

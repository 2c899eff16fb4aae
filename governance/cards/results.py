"""Test results: whether they are as good as they must be."""

from collections.abc import Mapping
from typing import Any

from governance.cards.sections import AT_LEAST


def is_met(result: Mapping[str, Any]) -> bool | None:
    """Whether a test result is as good as it must be; None where nothing was fixed before the test."""
    value, threshold, direction = result.get("value"), result.get("threshold"), result.get("direction")
    if value is None or threshold is None or direction is None:
        return None
    return bool(value >= threshold if direction == AT_LEAST else value <= threshold)

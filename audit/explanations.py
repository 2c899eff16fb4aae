"""An explanation as a chart, where it has the recommended shape: a summary, a method, reasons with weights."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec

MAX_REASONS = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One reason. `share` is its length in percent of the heaviest."""

    text: str
    code: str
    weight: float
    share: str

    @property
    def sign(self) -> str:
        return "-" if self.weight < 0 else "+"


@dataclass(frozen=True, slots=True)
class Explanation:
    summary: str
    method: str
    bars: list[Bar]
    signed: bool


def read_explanation(data: bytes) -> Explanation | None:
    """The chart, or None for any other JSON, which is shown as a tree."""
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("reasons", []), list):
        return None
    reasons = [found for each in said.get("reasons", [])[:MAX_REASONS] if (found := _reason(each))]
    summary, method = said.get("summary"), said.get("method")
    if not reasons and not isinstance(summary, str):
        return None
    heaviest = max((abs(weight) for _, _, weight in reasons), default=0.0) or 1.0
    bars = [Bar(text, code, weight, f"{abs(weight) / heaviest * 100:.1f}%") for text, code, weight in reasons]
    return Explanation(
        summary if isinstance(summary, str) else "",
        method if isinstance(method, str) else "",
        sorted(bars, key=lambda bar: -abs(bar.weight)),
        any(bar.weight < 0 for bar in bars),
    )


def _reason(said: Any) -> tuple[str, str, float] | None:
    if not isinstance(said, dict):
        return None
    weight, code = said.get("weight"), said.get("code")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
        return None
    text = said.get("text") or code
    return (str(text), str(code) if code else "", float(weight)) if text else None

"""What is answered: the directive to a proposed decision, and what became of it in the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from answerable._modes import ACTIONS, Mode, read_mode


@dataclass(frozen=True)
class Directive:
    """What the caller must do: `proceed`, `hold`, `fallback` or `stop`."""

    decision_id: str
    action: str
    mode: Mode
    reason_code: str | None = None
    epoch: str | None = None
    valid_for_s: float | None = None
    review_id: str | None = None
    answered_by: str = "server"
    """`server`; `local` where the service did not answer and the last known state and the fail policy did."""

    @property
    def may_proceed(self) -> bool:
        return self.action == "proceed"

    def at_least(self, other: "Directive") -> "Directive":
        """The more restrictive of the two."""
        return other if ACTIONS.index(other.action) > ACTIONS.index(self.action) else self


def read_directive(decision_id: str, receipt: Mapping[str, Any]) -> Directive:
    """The directive of a receipt. Errors: ValueError. A word we do not know can only be obeyed by stopping."""
    found = receipt.get("directive")
    if not isinstance(found, Mapping) or "action" not in found:
        raise ValueError("the receipt has no directive")
    action = found["action"] if found["action"] in ACTIONS else "stop"
    return Directive(
        decision_id=receipt.get("id") or decision_id,
        action=action,
        mode=read_mode(found.get("mode")),
        reason_code=found.get("reason_code"),
        epoch=found.get("epoch"),
        valid_for_s=found.get("valid_for_s"),
        review_id=found.get("review_id"),
    )


@dataclass(frozen=True)
class Effective:
    """What holds for a decision now, after review, override and appeal."""

    decision_id: str
    status: str
    """`pending` (a human has to decide), `final`, or `frozen` (approved, but a stop is in force)."""
    action: str
    effective_outcome: str | None = None
    output: Any = None
    source: str | None = None
    reason_code: str | None = None
    review_id: str | None = None
    version: int | None = None
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_pending(self) -> bool:
        return self.status == "pending"

    @property
    def may_proceed(self) -> bool:
        return self.status == "final" and self.action == "proceed"


def read_effective(decision_id: str, document: Mapping[str, Any]) -> Effective:
    """Read the answer. Errors: ValueError."""
    status, action = document.get("status"), document.get("action")
    if status not in ("pending", "final", "frozen"):
        raise ValueError(f"a decision is pending, final or frozen, not {status!r}")
    return Effective(
        decision_id=decision_id,
        status=status,
        action=action if action in ACTIONS else "stop",
        effective_outcome=document.get("effective_outcome"),
        output=document.get("output"),
        source=document.get("source"),
        reason_code=document.get("reason_code"),
        review_id=(document.get("review") or {}).get("id"),
        version=document.get("version"),
        document=document,
    )

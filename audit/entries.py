"""The body of a decision's entry, to read. (`audit.services.recording` writes it, on the hot path, by hand.)"""

import msgspec


class Holder(msgspec.Struct, frozen=True):
    """Who answered for a decision: a person by id, the assignment that says so, and whether it was accepted."""

    person: str
    assignment: str
    accepted: bool


class SealedDirective(msgspec.Struct, frozen=True):
    """What the caller was told."""

    action: str
    mode: str
    epoch: str
    reason_code: str | None = None


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a decision's entry says in clear, and its commitments, in hex, by part."""

    system: str
    account: str | None = None
    """Who sent it, where a person replayed it from quarantine and is the actor."""
    environment: str
    model_version: str
    model_version_id: str | None = None
    card: int | None = None
    """The number of the system card that was in force when it was recorded."""
    capability: str | None = None
    outcome: str
    error_type: str | None = None
    ai_role: str
    adverse: bool | None = None
    phase: str
    config_digest: str | None = None
    model_digest: str | None = None
    prompt_version: str | None = None
    control_epoch: str | None = None
    accountable: Holder | None = None
    occurred_accountable: Holder | None = None
    directive: SealedDirective
    flags: list[str] = []
    occurred_at: str
    confidence: float | None = None
    score: float | None = None
    threshold: float | None = None
    latency_ms: float | None = None
    parent_id: str | None = None
    source_id: str | None = None
    source_seq: int | None = None
    review_id: str | None = None
    commitments: dict[str, str]


class DecisionActor(msgspec.Struct, frozen=True):
    type: str
    id: str | None = None


class DecisionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A decision's entry as it stands in the log."""

    v: int
    id: str
    kind: str
    at: str
    actor: DecisionActor
    body: DecisionBody


read_entry = msgspec.json.Decoder(DecisionEntry).decode

SENT_FIELDS = (
    "system",
    "environment",
    "model_version",
    "capability",
    "outcome",
    "error_type",
    "ai_role",
    "adverse",
    "phase",
    "config_digest",
    "model_digest",
    "prompt_version",
    "control_epoch",
    "occurred_at",
    "confidence",
    "score",
    "threshold",
    "latency_ms",
    "parent_id",
    "source_id",
    "source_seq",
)
"""The fields that come from the caller. A repeat is the same decision when these and the parts are equal."""


def sent_equally(one: DecisionBody, other: DecisionBody) -> bool:
    """Whether two entries say the same of what their callers sent: times as instants, numbers as doubles."""
    return all(getattr(one, name) == getattr(other, name) for name in SENT_FIELDS)

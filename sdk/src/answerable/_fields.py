"""The fields of a decision record, for type checkers. The service's `docs/sending-decisions.md` says what each is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict


class OptionalFields(TypedDict, total=False):
    """What a record may say."""

    id: str
    external_id: str | None
    system: str
    environment: str | None
    model_version: str
    capability: str | None
    occurred_at: datetime | str
    confidence: float | None
    score: float | None
    threshold: float | None
    explanation: Any
    context: Any
    subject: str | None
    labels: Mapping[str, str] | None
    ai_role: Literal["sole", "determinative", "advisory", "triage"] | None
    adverse: bool | None
    config_digest: str | None
    model_digest: str | None
    prompt_version: str | None
    trace_id: str | None
    span_id: str | None
    conversation_id: str | None
    parent_id: str | None
    latency_ms: float | None
    error_type: str | None
    control_epoch: str | None


class _Required(TypedDict):
    input: Any
    output: Any
    outcome: str


class RecordFields(_Required, OptionalFields):
    """A whole record; `system` and `model_version` may come from the client."""


class GuardFields(OptionalFields, total=False):
    """The same for a guard, whose record may also be described by a function."""

    input: Any
    output: Any
    outcome: str

"""Decisions, recorded as intake records them."""

import itertools
import json
import os
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from audit.entries import Holder, SealedDirective
from audit.selectors import SealedDecision, decision_by_id
from audit.services.preparing import FacetValues, PreparedDecision, Receipt, Refs, encode_facets, prepare
from audit.services.recording import record_decisions
from config.ids import new_id
from governance.models import AISystem, Assignment
from ledger.sealing import sealing
from ledger.selectors import open_log

_numbers = itertools.count(1)
REASONS = [{"code": "LATE", "text": "Late payments", "weight": -0.4}, {"code": "INC", "text": "Income", "weight": 0.2}]
EXPLANATION = {"summary": "Late payments weigh against it.", "method": "SHAP", "reasons": REASONS}


def record_decision(
    system: AISystem,
    *,
    at: datetime | None = None,
    subject: str | None = None,
    labels: dict[str, str] | None = None,
    confidence: float | None = 0.8,
    directive: str = "proceed",
    parts: dict[str, Any] | None = None,
    raw_parts: dict[str, bytes] | None = None,
    conversation_id: str | None = None,
    trace_id: str | None = None,
    score: float | None = None,
    parent_id: uuid.UUID | None = None,
    source_seq: int | None = None,
    **facets: Any,
) -> SealedDecision:
    """One decision, sealed. `parts` are JSON values, `raw_parts` their bytes; `facets` are fields of `FacetValues`."""
    refs = Refs(subject=subject, labels=labels, conversation_id=conversation_id, trace_id=trace_id)
    made = _prepared(
        system, at=at or timezone.now(), refs=refs if refs != Refs() else None, confidence=confidence, score=score,
        directive=directive, parts=parts, raw_parts=raw_parts, parent_id=parent_id, source_seq=source_seq, **facets,
    )  # fmt: skip
    with sealing() as seal:
        record_decisions(seal, log_id=open_log(system.pk).id, decisions=[made])
    return decision_by_id(uuid.UUID(made.id))


def record_many(system: AISystem, count: int, *, at: datetime | None = None, **facets: Any) -> None:
    """So many decisions alike, as batches bring them."""
    now = at or timezone.now()
    for _ in range(0, count, 1_000):
        with sealing() as seal:
            made = [_prepared(system, at=now, **facets) for _ in range(min(count, 1_000))]
            record_decisions(seal, log_id=open_log(system.pk).id, decisions=made)


def _prepared(
    system: AISystem,
    *,
    at: datetime,
    refs: Refs | None = None,
    confidence: float | None = 0.8,
    directive: str = "proceed",
    parts: dict[str, Any] | None = None,
    raw_parts: dict[str, bytes] | None = None,
    score: float | None = None,
    parent_id: uuid.UUID | None = None,
    source_seq: int | None = None,
    **facets: Any,
) -> PreparedDecision:
    number = next(_numbers)
    values = {"environment": "production", "model_version": "1.0", "outcome": "approved"} | facets
    sent = parts or {"input": {"number": number}, "output": {"limit": 5000}, "explanation": EXPLANATION}
    return prepare(
        encode_facets(
            FacetValues(
                log_id=open_log(system.pk).id,
                system_id=system.pk,
                account_id=new_id(),
                accountable=_holder(system),
                directive=SealedDirective(action=directive, mode="run", epoch="0"),
                **values,
            )
        ),
        decision_id=str(new_id()),
        is_own_id=True,
        received=Receipt.of(at),
        occurred_at=at - timedelta(seconds=1),
        secret=os.urandom(32),
        parts=list((raw_parts or {name: json.dumps(value).encode() for name, value in sent.items()}).items()),
        refs=refs,
        score=score,
        parent_id=str(parent_id) if parent_id else None,
        confidence=confidence,
        source_seq=source_seq,
    )


def _holder(system: AISystem) -> Holder | None:
    held = Assignment.objects.filter(system=system, role="accountable").first()
    return Holder(str(held.person_id), str(held.pk), held.status == "accepted") if held else None

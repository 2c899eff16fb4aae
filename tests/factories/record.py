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
from audit.services.preparing import FacetValues, Receipt, Refs, encode_facets, prepare
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
    **facets: Any,
) -> SealedDecision:
    """One decision, sealed. `parts` are JSON values; `facets` are fields of `FacetValues`."""
    number, at, decision_id = next(_numbers), at or timezone.now(), str(new_id())
    values = {"environment": "production", "model_version": "1.0", "outcome": "approved"} | facets
    sent = parts or {"input": {"number": number}, "output": {"limit": 5000}, "explanation": EXPLANATION}
    prepared = prepare(
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
        decision_id=decision_id,
        is_own_id=True,
        received=Receipt.of(at),
        occurred_at=at - timedelta(seconds=1),
        secret=os.urandom(32),
        parts=[(name, json.dumps(value).encode()) for name, value in sent.items()],
        refs=Refs(subject=subject, labels=labels) if subject or labels else None,
        confidence=confidence,
    )
    with sealing() as seal:
        record_decisions(seal, log_id=open_log(system.pk).id, decisions=[prepared])
    return decision_by_id(uuid.UUID(decision_id))


def _holder(system: AISystem) -> Holder | None:
    held = Assignment.objects.filter(system=system, role="accountable").first()
    return Holder(str(held.person_id), str(held.pk), held.status == "accepted") if held else None

"""Reviews, opened as intake opens them."""

import itertools
import json
import os
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from audit.entries import SealedDirective
from audit.services.preparing import FacetValues, Receipt, Refs, encode_facets, prepare
from audit.services.recording import record_decisions
from config.ids import new_id
from governance.models import AISystem, Person
from ledger.sealing import sealing
from ledger.selectors import open_log
from overrides.models import Review, ReviewQueue, ReviewRule
from overrides.review_rules import NewReview
from overrides.services.opening import open_reviews
from overrides.services.queues import register_queue
from overrides.services.rules import register_rule
from tests.factories.register import actor_of, make_person

_numbers = itertools.count(1)


def open_review(
    system: AISystem,
    *,
    rule: ReviewRule | None = None,
    phase: str = "proposed",
    outcome: str = "refused",
    parts: dict[str, Any] | None = None,
    at: datetime | None = None,
    probability: float = 1.0,
    **facets: Any,
) -> Review:
    """A decision that is held, recorded with its review in one sealing."""
    at, review_id, decision_id = at or timezone.now(), new_id(), new_id()
    values: dict[str, Any] = {"environment": "production", "model_version": "1.0", "account_id": new_id()} | facets
    sent = parts or {"input": {"income": 3000}, "output": {"limit": 0}, "explanation": {"summary": "Low income."}}
    directive = SealedDirective(
        action="hold", mode="run" if rule else "review", epoch="1.1", reason_code="review-rule" if rule else "testing"
    )
    prepared = prepare(
        encode_facets(
            FacetValues(
                log_id=open_log(system.pk).id,
                system_id=system.pk,
                accountable=None,
                directive=directive,
                outcome=outcome,
                phase=phase,
                **values,
            )
        ),
        decision_id=str(decision_id),
        is_own_id=True,
        received=Receipt.of(at),
        occurred_at=at - timedelta(seconds=1),
        secret=os.urandom(32),
        parts=[(name, json.dumps(value).encode()) for name, value in sent.items()],
        refs=Refs(subject=f"subject-{next(_numbers)}"),
        review_id=review_id,
    )
    with sealing() as seal:
        record_decisions(seal, log_id=open_log(system.pk).id, decisions=[prepared])
        new = _new(review_id, decision_id, system, rule, phase, at, values["environment"])
        open_reviews([replace(new, probability=probability)])
    return Review.objects.get(pk=review_id)


def _new(
    review_id: uuid.UUID,
    decision_id: uuid.UUID,
    system: AISystem,
    rule: ReviewRule | None,
    phase: str,
    at: datetime,
    environment: str,
) -> NewReview:
    return NewReview(
        review_id=review_id,
        decision_id=decision_id,
        system_id=system.pk,
        environment=environment,
        rule_id=rule.pk if rule else None,
        mode_epoch="1.1",
        phase=phase,
        recorded_at=at,
    )


def make_queue(owner: Person, *, slug: str = "", system: AISystem | None = None, **described: Any) -> ReviewQueue:
    manager = make_person(administrator=True)
    return register_queue(
        actor=actor_of(manager),
        slug=slug or f"queue-{next(_numbers)}",
        owner_id=owner.pk,
        system_id=system.pk if system else None,
        **described,
    )


def make_rule(system: AISystem, queue: ReviewQueue, **values: Any) -> ReviewRule:
    """A rule in force, which catches all that is refused unless told otherwise."""
    described = {"name": f"rule-{next(_numbers)}", "condition": {"outcome_in": ["refused"]}, "deadline_s": 3600}
    asked = register_rule(
        actor=actor_of(make_person(operator=system)),
        system_id=system.pk,
        values={"queue_id": queue.pk, **described, **values},
    )
    assert asked.rule is not None, "this rule waits for a second person"
    return asked.rule

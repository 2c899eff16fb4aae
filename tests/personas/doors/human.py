"""The doors of human review: overrides, reviews and appeals, queues and rules."""

import uuid

from django.http import HttpResponse

from governance.acts import Act
from overrides.models import Review, ReviewAssignment
from overrides.services.overriding import override_decision
from tests.factories.register import actor_of
from tests.factories.versions import owner_of
from tests.personas.crawling import Visitor
from tests.personas.doors.knocking import AGREE, AS_IT_IS, ASK, REFUSED, Door, after, now, opens, sends, slug
from tests.personas.world import World


def _own_work(visitor: Visitor, world: World) -> HttpResponse:
    """Confirms: of an item that one has claimed, or claims now."""
    taken = visitor.send("POST", f"/api/v1/reviews/{world.held.pk}/claim", {})
    if taken.status_code in REFUSED:
        return taken
    work = ReviewAssignment.objects.get(review=world.held, person=visitor.persona.person)
    visitor.open(f"/api/v1/reviews/work/{work.token}")
    said = {"version": 1, "decision": "confirm"}
    return visitor.send("POST", f"/api/v1/reviews/work/{work.token}/submit", said)


def _asked_for_second(world: World) -> None:
    """An override whose rule asks for two."""
    Review.objects.filter(pk=world.held.pk).update(reviews_required=2)
    override_decision(
        actor=actor_of(owner_of(world.system)),
        decision_id=world.held.decision_id,
        outcome="refused",
        reason_code="other",
    )


HUMAN: list[Door] = [
    Door(
        Act.DECISION_OVERRIDE,
        ASK,
        sends("POST", "/api/v1/decisions/{untouched}/override", outcome="refused", reason_code="other"),
    ),
    Door(
        Act.DECISION_OVERRIDE,
        AGREE,
        after(_asked_for_second, sends("POST", "/api/v1/overrides/{override_asked}/agree")),
    ),
    Door(Act.DECISION_CONFIRM, ASK, _own_work, meets=AS_IT_IS),
    Door(
        Act.APPEAL_DECIDE,
        ASK,
        sends("POST", "/api/v1/appeals/{appeal}/decide", verdict="upheld", reason_code="other"),
        meets=AS_IT_IS,
    ),
    Door(
        Act.APPEAL_OPEN,
        ASK,
        sends("POST", "/api/v1/decisions/{untouched}/appeals", ground_code="wrong-data", statement="It is not so."),
    ),
    Door(
        Act.OVERRIDE_REPORT,
        ASK,
        sends("POST", "/api/v1/decisions/{decision}/override-reports", outcome="refused", occurred_at=now()),
    ),
    Door(
        Act.EFFECT_CONFIRM,
        ASK,
        sends("POST", "/api/v1/decisions/{decision}/effect", outcome="refused", occurred_at=now()),
    ),
    Door(
        Act.EXECUTION_CLAIM,
        ASK,
        sends(
            "POST", "/api/v1/decisions/{decision}/execution", execution_id=lambda world: str(uuid.uuid4()), version=1
        ),
    ),
    Door(
        Act.OUTCOME_REPORT,
        ASK,
        sends("POST", "/api/v1/decisions/{decision}/outcomes", outcome="repaid", observed_at=now()),
    ),
    Door(
        Act.REVIEW_QUEUE_MANAGE,
        ASK,
        sends(
            "POST",
            "/api/v1/review-queues",
            slug="another",
            owner_id=lambda world: str(world.staff.owner.pk),
            system_id=lambda world: str(world.system.pk),
        ),
    ),
    Door(Act.REVIEW_QUEUE_LOOSEN, ASK, sends("PATCH", "/api/v1/review-queues/{queue}", deadline_s=9000)),
    Door(Act.REVIEW_QUEUE_LOOSEN, AGREE, sends("POST", "/api/v1/queue-changes/{queue_change}/approve")),
    Door(
        Act.REVIEW_RULE_TIGHTEN,
        ASK,
        sends(
            "POST",
            "/api/v1/review-rules",
            system=slug,
            name="another",
            condition={"outcome_in": ["refused"]},
            queue_id=lambda world: str(world.queue.pk),
            deadline_s=3600,
        ),
    ),
    Door(
        Act.REVIEW_RULE_LOOSEN,
        ASK,
        sends("PATCH", "/api/v1/review-rules/{overrides__reviewrule}", deadline_s=9000),
    ),
    Door(Act.REVIEW_RULE_LOOSEN, AGREE, sends("POST", "/api/v1/rule-changes/{overrides__rulechange}/approve")),
    Door(Act.OVERSIGHT_VIEW, ASK, opens("/api/v1/systems/{slug}/oversight")),
]

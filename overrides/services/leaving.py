"""What human control holds of somebody who leaves: inner steps of `evidence.services.leaving`, which asks the right."""

import uuid

from django.utils import timezone

from governance.changes import write
from governance.locks import hold
from governance.models import Person
from ledger.entries import Actor
from ledger.sealing import Seal
from overrides.models import (
    Override,
    ParameterVersion,
    Review,
    ReviewAssignment,
    ReviewerSkill,
    ReviewQueue,
    RuleChange,
)
from overrides.review_kinds import OVERRIDE_REFUSED, QUEUE_UPDATED, REVIEW_RELEASED, SKILL_ENDED
from overrides.services.loosening import void_requests_of
from overrides.services.overriding import write_override
from overrides.services.parameter_writing import void
from overrides.services.rule_requests import end
from overrides.services.work import locked_review, settle, write_work

Work = ReviewAssignment.Status
LIVE = (Work.CLAIMED, Work.OFFERED)


def release_claims(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Give back the reviews they work on or were offered; drafts stay. Returns how many."""
    hold(f"reviewer:{person_id}")
    held = Review.objects.filter(assignments__person_id=person_id, assignments__status__in=LIVE)
    reviews = [locked_review(each) for each in held.order_by("pk").values_list("pk", flat=True)]
    return sum(_release(seal, actor, review, person_id) for review in reviews)


def void_requests(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """What they asked a second person for counts no more. Returns how many."""
    return (
        void_requests_of(seal, person_id)
        + _void_parameters(seal, actor, person_id)
        + _void_rules(seal, actor, person_id)
        + _void_overrides(seal, actor, person_id)
    )


def hand_over_queues(seal: Seal, actor: Actor, person_id: uuid.UUID, heir: Person) -> int:
    """Somebody else answers for their review queues. Returns how many."""
    queues = list(
        ReviewQueue.objects.select_for_update(no_key=True, of=("self",)).filter(owner_id=person_id).order_by("pk")
    )
    for queue in queues:
        queue.owner = heir
        facts = {"queue": queue.slug, "owner": str(heir.pk)}
        write(seal, actor=actor, kind=QUEUE_UPDATED, row=queue, system_id=queue.system_id, facts=facts)
    return len(queues)


def end_skills(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    rows = list(ReviewerSkill.objects.select_for_update(no_key=True).filter(person_id=person_id, ended_at=None))
    for row in rows:
        row.ended_at = timezone.now()
        facts = {"person": str(person_id), "skill": row.skill}
        write(seal, actor=actor, kind=SKILL_ENDED, row=row, facts=facts)
    return len(rows)


def _release(seal: Seal, actor: Actor, review: Review, person_id: uuid.UUID) -> int:
    held = review.assignments.select_for_update(no_key=True, of=("self",)).filter(person_id=person_id, status__in=LIVE)
    for work in held:
        work.status, work.ended_at = Work.RELEASED, timezone.now()
        write_work(seal, actor, REVIEW_RELEASED, review, work)
    settle(seal, actor, review)
    return len(held)


def _void_parameters(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    rows = ParameterVersion.objects.select_for_update(no_key=True, of=("self",)).select_related("parameter")
    waiting = list(rows.filter(requested_by_id=person_id, status=ParameterVersion.Status.PROPOSED).order_by("pk"))
    for version in waiting:
        void(seal, actor=actor, version=version, at=timezone.now())
    return len(waiting)


def _void_rules(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    rows = RuleChange.objects.select_for_update(no_key=True, of=("self",)).filter(status=RuleChange.Status.REQUESTED)
    waiting = list(rows.filter(requested_by_id=person_id).order_by("pk"))
    for change in waiting:
        end(seal, actor, change, RuleChange.Status.WITHDRAWN)
    return len(waiting)


def _void_overrides(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    rows = Override.objects.select_for_update(no_key=True, of=("self",)).filter(status=Override.Status.REQUESTED)
    waiting = list(rows.filter(person_id=person_id).order_by("pk"))
    for made in waiting:
        made.status = Override.Status.REFUSED
        write_override(seal, actor, made, OVERRIDE_REFUSED)
    return len(waiting)

"""Who may judge what: nobody their own request, what they said before, or what they declined."""

import uuid

import msgspec
from django.db.models import Q, QuerySet

from audit.flags import Flag
from audit.kinds import DECISION_RECORDED
from audit.models import CaseDecision, Decision
from audit.selectors import SealedDecision
from audit.services.disclosure import scope_of
from governance import rights
from governance.acts import Act, Condition
from ledger.entries import Actor
from ledger.models import Entry
from overrides.models import Appeal, Override, Review, ReviewAssignment, ReviewerSkill

Work = ReviewAssignment.Status
ON_A_CLAIMED_ITEM = frozenset({Condition.CLAIMED_ITEM})
SECOND_ASKED = frozenset({Condition.SECOND_REVIEW_ASKED})


def may_judge(actor: Actor, review: Review, decision: SealedDecision) -> bool:
    """Whether this person may take a review. That a place is free is another question."""
    if actor.type != "person" or actor.id is None:
        return False
    # once it was escalated, only those who may without a claim decide
    given = frozenset() if review.escalated_at else ON_A_CLAIMED_ITEM
    if not rights.can(actor, Act.DECISION_CONFIRM, scope_of(decision), given=given):
        return False
    if review.required_skill and not has_skill(actor.id, review.required_skill):
        return False
    declined = review.assignments.filter(person_id=actor.id, status=Work.DECLINED).exists()
    return not declined and not had_part(actor.id, decision.id)


def had_part(person_id: uuid.UUID, decision_id: uuid.UUID) -> bool:
    """Whether somebody brought a decision here, reviewed it, overrode it or had to do with an appeal against it."""
    return (
        _sent(person_id, decision_id)
        or ReviewAssignment.objects.filter(
            review__decision_id=decision_id, person_id=person_id, status=Work.SUBMITTED
        ).exists()
        or Override.objects.filter(
            Q(person_id=person_id) | Q(second_person_id=person_id), decision_id=decision_id
        ).exists()
        or Appeal.objects.filter(
            Q(opened_by_id=person_id) | Q(decided_by_id=person_id), decision_id=decision_id
        ).exists()
    )


def had_part_in_case(person_id: uuid.UUID, case_id: uuid.UUID) -> bool:
    """Whether somebody had a part in any decision that is in a case, as `had_part` means it."""
    inside = CaseDecision.current().filter(case_id=case_id).values_list("decision_id", flat=True)
    reviewed = ReviewAssignment.objects.filter(person_id=person_id, status=Work.SUBMITTED)
    overrode = Override.objects.filter(Q(person_id=person_id) | Q(second_person_id=person_id))
    appealed = Appeal.objects.filter(Q(opened_by_id=person_id) | Q(decided_by_id=person_id))
    return (
        reviewed.filter(review__decision_id__in=inside).exists()
        or overrode.filter(decision_id__in=inside).exists()
        or appealed.filter(decision_id__in=inside).exists()
        or _sent_any(person_id, inside)
    )


def _sent_any(person_id: uuid.UUID, decision_ids: QuerySet[CaseDecision, uuid.UUID]) -> bool:
    """Whether they replayed one of the records: such a decision carries the flag, and its entry names them."""
    replayed = Decision.objects.filter(id__in=decision_ids, flags__contains=[Flag.REPLAYED])
    return any(_sent(person_id, decision_id) for decision_id in replayed.values_list("id", flat=True).iterator())


def _sent(person_id: uuid.UUID, decision_id: uuid.UUID) -> bool:
    """Whether they replayed the record themselves: then the entry names them as its actor."""
    data = Entry.objects.filter(id=decision_id, kind=DECISION_RECORDED.name).values_list("data", flat=True).first()
    return data is not None and msgspec.json.decode(bytes(data))["actor"].get("id") == str(person_id)


def has_skill(person_id: uuid.UUID, skill: str) -> bool:
    return ReviewerSkill.objects.filter(person_id=person_id, skill=skill, ended_at=None).exists()


def skills_of(person_id: uuid.UUID) -> list[str]:
    """What somebody was found able to judge."""
    return list(ReviewerSkill.objects.filter(person_id=person_id, ended_at=None).values_list("skill", flat=True))

"""What a reviewer has before them: one item, as far as it may be seen yet, and the words for what became of it."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from audit.errors import PayloadErased, PayloadRestricted
from audit.restricted_texts import barred_rows
from audit.restrictions import is_barred
from audit.selectors import SealedDecision
from console.blind import countable
from console.deadlines import Due, due_of
from console.figures import recent_outcomes
from console.parts import ShownPart, shown_part, subject_in
from governance import rights
from governance.acts import RULES, Act
from governance.models import AISystem, ModelVersion, Person
from governance.rights import as_actor
from ledger.entries import Actor
from overrides.conditions import condition_in_words
from overrides.models import Review, ReviewAssignment, ReviewRule
from overrides.reasons import reason_in_words, reasons_in_force
from overrides.selectors import hidden_from, judgements_between
from overrides.services.claiming import BEFORE_JUDGING, begin_item, parts_to_judge
from overrides.services.deciding import UNDO_SPAN
from overrides.services.work import JUDGEMENTS

Work = ReviewAssignment.Status
OFFERED_OUTCOMES = 9
"""As many as there are number keys."""
COLLEAGUES = 200
DECISION_WORDS = {
    "confirm": "confirmed",
    "modify": "modified",
    "reject": "rejected",
    "escalate": "escalated",
    "abstain": "abstained from",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason to choose from, and the decisions it fits."""

    code: str
    words: str
    fits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One claimed review, for its reviewer."""

    review: Review
    work: ReviewAssignment
    decision: SealedDecision
    system: AISystem | None
    version: ModelVersion | None
    rule: ReviewRule | None
    due: Due
    before: list[ShownPart]
    """What the model saw."""
    after: list[ShownPart]
    """What it made of it: nothing while that is hidden."""
    output_text: str
    """The model's output as it was sent, to start a corrected one from."""
    subject: str | None
    is_erased: bool
    is_restricted: bool
    reasons: list[Reason]
    outcomes: list[str]
    judgements: list[tuple[ReviewAssignment, str]]
    """What both reviewers said, and why, for who decides between them."""
    draft: dict[str, Any] = field(default_factory=dict)

    @property
    def is_unseen(self) -> bool:
        return self.work.is_unseen

    @property
    def condition(self) -> str:
        """What the rule asks for, in words."""
        return condition_in_words(self.rule.condition) if self.rule else ""

    @property
    def first_is_the_models(self) -> bool:
        return bool(self.work.first_outcome) and self.work.first_outcome == self.decision.body.outcome


def item_for(person: Person, token: uuid.UUID) -> Item:
    """The item of a claim. The look is sealed, and the lease runs anew. Errors: `ReviewNotFound`, `ClaimLost`."""
    actor = as_actor(person)
    review, work, decision = begin_item(actor=actor, token=token)
    try:
        parts, is_erased, is_restricted = parts_to_judge(actor, work, decision), False, False
    except PayloadErased:
        parts, is_erased, is_restricted = [], True, False
    except PayloadRestricted:
        parts, is_erased, is_restricted = [], False, True
    version_id, codes = decision.body.model_version_id, reasons_in_force(review.queue_id)
    return Item(
        review=review,
        work=work,
        decision=decision,
        system=AISystem.objects.filter(pk=review.system_id).first(),
        version=ModelVersion.objects.filter(pk=version_id).first() if version_id else None,
        rule=ReviewRule.objects.filter(pk=review.rule_id).first() if review.rule_id else None,
        due=due_of(review),
        before=[shown_part(part) for part in parts if part.name in BEFORE_JUDGING],
        after=[shown_part(part) for part in parts if part.name not in BEFORE_JUDGING],
        output_text=next((part.data.decode() for part in parts if part.name == "output"), ""),
        subject=subject_in(parts),
        is_erased=is_erased,
        is_restricted=is_restricted,
        reasons=[_reason(each) for each in codes],
        outcomes=recent_outcomes(countable(Q(system_id=review.system_id), hidden_from(person.pk)), OFFERED_OUTCOMES),
        judgements=[
            (each, reason_in_words(each.reason_code, codes)) for each in judgements_between(actor, review, work)
        ],
        draft=work.draft if isinstance(work.draft, dict) and not _is_draft_barred(actor, work, decision) else {},
    )


def _is_draft_barred(actor: Actor, work: ReviewAssignment, decision: SealedDecision) -> bool:
    return is_barred(actor, decision.id) or bool(barred_rows(actor, [work.pk]))


def colleagues(person: Person, system_id: uuid.UUID) -> list[Person]:
    """Who else reviews this AI system: to hand something to. Whether they may judge just this is asked then."""
    place = Q(system_id=system_id) | Q(scope="organisation")
    held = rights.in_force().filter(place, role__in=RULES[Act.DECISION_CONFIRM].asks)
    ids = held.exclude(person_id=person.pk).values("person_id")
    return list(Person.objects.filter(pk__in=ids).order_by("name")[:COLLEAGUES])


# --- what became of it ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Work that cannot be handed in any more: why, and whether it can be taken again."""

    title: str
    text: str
    may_claim_again: bool


def ended_in_words(review: Review, work: ReviewAssignment) -> Ended:
    """For the page, and for whoever was typing when it happened."""
    if work.status == Work.SUBMITTED:
        said = DECISION_WORDS.get(work.decision, "handed in")
        return Ended(
            title="You have handed this in", text=f"You {said} it. One claim makes one decision.", may_claim_again=False
        )
    if not review.is_open:
        return Ended(title="This review is over", text=_closed_in_words(review), may_claim_again=False)
    kept = " What you had written is kept as a draft." if work.draft else ""
    why = {
        Work.RELEASED: "You gave it back, or handed it to somebody else.",
        Work.DECLINED: "You said that you will not judge this one, and that stays so.",
        Work.WITHDRAWN: "Another reviewer left it to those who answer for the AI system.",
    }.get(Work(work.status), "The time to work on it ran out, so it waits for the next reviewer.")
    again = work.status != Work.DECLINED
    return Ended(title="This is no longer with you", text=why + kept, may_claim_again=again)


def _closed_in_words(review: Review) -> str:
    status, applied = Review.Status, review.get_action_display() or "nothing was held"
    words = {
        status.SUPERSEDED: "Somebody who answers for the AI system has overridden the decision meanwhile.",
        status.TIMED_OUT: f"Nobody decided in time, so the rule was applied: {applied}.",
        status.OVERFLOWED: f"The queue was full, so what it says was applied: {applied}.",
        status.WITHDRAWN: f"There is nothing to decide any more: {review.get_closing_display()}.",
    }
    return words.get(status(review.status), "Others have decided it meanwhile.") + " Nothing you wrote was sent."


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What one has just handed in, while it can be taken back."""

    token: uuid.UUID
    words: str
    until: datetime


def just_handed_in(person: Person, token: str | uuid.UUID | None) -> HandedIn | None:
    """None for anything but one's own judgement of the last ten seconds."""
    try:
        wanted = uuid.UUID(str(token))
    except ValueError:
        return None
    work = ReviewAssignment.objects.filter(token=wanted, person=person, status=Work.SUBMITTED).first()
    if work is None or work.ended_at is None or work.decision not in JUDGEMENTS:
        return None
    until = work.ended_at + UNDO_SPAN
    if until <= timezone.now():
        return None
    return HandedIn(token=work.token, words=f"You {DECISION_WORDS[work.decision]} the last one.", until=until)


def _reason(said: dict[str, Any]) -> Reason:
    return Reason(code=said["code"], words=said["words"], fits=" ".join(said["for"]))

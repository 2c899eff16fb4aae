"""Reading reviews, overrides and appeals; and what must not be seen while somebody judges blind."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from audit.restricted_texts import for_reading
from audit.restrictions import is_barred
from audit.selectors import SealedDecision, decision_by_id
from audit.services.disclosure import scope_of
from governance import rights
from governance.actors import person_id_of
from governance.acts import RULES, Act
from governance.models import Person
from governance.rights import as_actor
from ledger.entries import Actor
from ledger.models import Entry
from ledger.rows import GovernedRow
from overrides.claimable import claimable
from overrides.effective import Effective
from overrides.eligibility import ON_A_CLAIMED_ITEM, SECOND_ASKED, had_part
from overrides.models import (
    ONE_DECIDES,
    OPEN,
    Appeal,
    Effect,
    Execution,
    Override,
    ReportedOverride,
    Review,
    ReviewAssignment,
    ReviewQueue,
)
from overrides.review_errors import HiddenWhileBlind, QueueNotFound, ReviewNotFound

Work = ReviewAssignment.Status


JUDGEMENT_KINDS = frozenset({"review.submitted", "review.judged_blind"})
"""Entries that say what one reviewer thinks, while others may still be asked."""


# --- blind ------------------------------------------------------------------------------------------------------------
def hidden_from(person_id: uuid.UUID | None) -> frozenset[uuid.UUID]:
    """Decisions whose outcome, and what others said of them, this person must not see yet. One query.

    From the first claim of a blind review until a judgement or the review's end: also after it was given back, or one
    could look in between and take it again.
    """
    if person_id is None:
        return frozenset()
    mine = ReviewAssignment.objects.filter(person_id=person_id)
    # of several claims of one review any judgement ends it
    judged = mine.filter(Q(first_at__isnull=False) | Q(status=Work.SUBMITTED)).values("review_id")
    blind = mine.filter(is_blind=True, review__status__in=OPEN).exclude(review_id__in=judged)
    return frozenset(blind.values_list("review__decision_id", flat=True))


def is_hidden(person_id: uuid.UUID | None, decision_id: uuid.UUID) -> bool:
    """Whether this one is."""
    return decision_id in hidden_from(person_id)


def require_unhidden(actor: Actor, decision_id: uuid.UUID) -> None:
    """Errors: `HiddenWhileBlind`."""
    if actor.type == "person" and is_hidden(actor.id, decision_id):
        raise HiddenWhileBlind()


# --- a reviewer's own -------------------------------------------------------------------------------------------------
def my_work(person_id: uuid.UUID) -> QuerySet[ReviewAssignment]:
    """What somebody has claimed or was offered, the one due first first."""
    live = ReviewAssignment.objects.filter(
        person_id=person_id, status__in=[Work.CLAIMED, Work.OFFERED], lease_until__gt=timezone.now()
    )
    return live.select_related("review", "review__queue").order_by("review__deadline_at")


def my_drafts(person_id: uuid.UUID) -> QuerySet[ReviewAssignment]:
    """Work that was lost with something written: to go on with, as long as the review is open."""
    lost = [Work.EXPIRED, Work.RELEASED, Work.WITHDRAWN]
    kept = ReviewAssignment.objects.filter(person_id=person_id, status__in=lost, draft__isnull=False)
    return kept.filter(review__status__in=OPEN).select_related("review").order_by("-draft_saved_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeable:
    """How much somebody could take."""

    mine: int
    claimable: int
    overdue_soon: int
    oldest_at: datetime | None
    by_queue: dict[str, int]


def takeable_by(actor: Actor) -> Takeable:
    """Counts for a reviewer's page."""
    found = claimable(actor)
    queues = found.order_by().values_list("queue__slug").annotate(Count("pk"))
    by_queue = {slug or "": number for slug, number in queues}
    oldest = found.order_by("opened_at").values_list("opened_at", flat=True).first()
    soon = timezone.now() + timedelta(hours=1)
    return Takeable(
        mine=my_work(actor.id).count() if actor.id else 0,
        claimable=sum(by_queue.values()),
        overdue_soon=found.filter(deadline_at__lt=soon).count(),
        oldest_at=oldest,
        by_queue=by_queue,
    )


def reviews_for(actor: Actor) -> QuerySet[Review]:
    """The reviews of AI systems in which somebody may judge or answers for it; other states than open too."""
    systems = rights.systems_where(actor, Act.DECISION_CONFIRM, given=ON_A_CLAIMED_ITEM)
    hidden = Q(decision_id__in=hidden_from(actor.id)) & ~Q(status__in=OPEN)
    found = Review.objects.select_related("queue").exclude(hidden)
    if systems is None:
        return found
    part = rights.systems_in_part(actor, Act.DECISION_CONFIRM, given=ON_A_CLAIMED_ITEM)
    return found.filter(Q(system_id__in=systems | part) | Q(queue__owner_id=person_id_of(actor)))


def visible_review(actor: Actor, review_id: uuid.UUID) -> Review:
    """Errors: `ReviewNotFound`, the same for one elsewhere."""
    found = reviews_for(actor).filter(pk=review_id).first()
    if found is None:
        raise ReviewNotFound()
    return found


def visible_queues(actor: Actor) -> QuerySet[ReviewQueue]:
    """The queues that somebody may know of: their own, and those of AI systems that they see, if only in part; whoever
    sees one sees those that are for all."""
    systems = rights.systems_where(actor, Act.SYSTEM_VIEW)
    if systems is None:
        return ReviewQueue.objects.all()
    systems |= rights.systems_in_part(actor, Act.SYSTEM_VIEW)
    for_all = Q(system=None) if systems else Q(pk__in=[])
    return ReviewQueue.objects.filter(Q(owner_id=actor.id) | Q(system_id__in=systems) | for_all)


def queue_in_use(actor: Actor, slug: str) -> ReviewQueue:
    """Errors: `QueueNotFound`, also where it is out of sight, or archived: nothing waits in it any more."""
    found = visible_queues(actor).filter(slug=slug, archived_at=None).first()
    if found is None:
        raise QueueNotFound()
    return found


def work_shown_on(actor: Actor, review: Review) -> list[ReviewAssignment]:
    """The work on a review that somebody may see: their own; that of others once it has ended, or to decide between."""
    found, person_id = review.assignments.select_related("person").order_by("created_at"), person_id_of(actor)
    between = found.filter(person_id=person_id, seat=ONE_DECIDES, status=Work.CLAIMED, lease_until__gt=timezone.now())
    if not review.is_open or (between.exists() and not is_hidden(person_id, review.decision_id)):
        return list(found)
    return list(found.filter(person_id=person_id))


def judgements_between(actor: Actor, review: Review, work: ReviewAssignment) -> list[ReviewAssignment]:
    """What both reviewers said, for the third person who decides between them while they do, and for nobody else.

    Of a decision that is restricted without their words: the rows are for showing, never to be saved. Of words that
    are restricted by themselves with a notice in their place.
    """
    is_theirs = work.person_id == actor.id and work.seat == ONE_DECIDES and work.is_live(timezone.now())
    if not is_theirs or work.is_unseen:
        return []
    handed_in = review.assignments.filter(status=Work.SUBMITTED).exclude(pk=work.pk)
    said = list(handed_in.select_related("person").order_by("seat", "ended_at"))
    if is_barred(actor, review.decision_id):
        for each in said:
            each.note = each.output = ""
    return for_reading(actor, said)


def may_see_dwell(actor: Actor, work: ReviewAssignment) -> bool:
    """A person's own time on task is shown to that person and the queue's owner only."""
    queue = work.review.queue
    return actor.id is not None and (work.person_id == actor.id or (queue is not None and queue.owner_id == actor.id))


def is_output_barred(actor: Actor, holds: Effective) -> bool:
    """Whether the corrected output that holds is restricted by itself until it is erased, and not for this one."""
    if not holds.output:
        return False
    rows: list[GovernedRow] = []
    if holds.override_id:
        rows += Override.objects.filter(pk=holds.override_id)
    elif holds.review and holds.review.decisive_id:
        rows += holds.review.assignments.filter(pk=holds.review.decisive_id)
    return any("output" in row.covered for row in for_reading(actor, rows))


# --- what there is about a decision -----------------------------------------------------------------------------------
def people_trail_of(decision_id: uuid.UUID) -> list[Entry]:
    """The entries about a decision's reviews, overrides, appeals, executions and effects, oldest first."""
    ids = people_rows_of([decision_id])
    return sorted(Entry.objects.filter(about_id__in=ids).order_by(), key=lambda entry: entry.id) if ids else []


def people_rows_of(decision_ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """The ids of the reviews of decisions, of the work on them, and of overrides, appeals, executions and effects."""
    ids: list[uuid.UUID] = []
    for model in (Review, Override, Appeal, Execution, Effect, ReportedOverride):
        ids += model._base_manager.filter(decision_id__in=decision_ids).values_list("pk", flat=True)
    ids += ReviewAssignment.objects.filter(review__decision_id__in=decision_ids).values_list("pk", flat=True)
    return ids


def judged_in_secret(
    viewer_id: uuid.UUID | None, *, system_id: uuid.UUID | None = None, decision_ids: Collection[uuid.UUID] = ()
) -> list[uuid.UUID]:
    """The work of others on open reviews, of an AI system or of decisions: not told to whoever may be asked next."""
    about = Q(review__system_id=system_id) if system_id else Q(review__decision_id__in=decision_ids)
    open_work = ReviewAssignment.objects.filter(about, review__status__in=OPEN)
    if viewer_id is not None:
        open_work = open_work.exclude(person_id=viewer_id)
    return list(open_work.values_list("pk", flat=True))


def overridden_among(decision_ids: Iterable[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Of these decisions those in whose place people have put another outcome. Two queries."""
    wanted = list(decision_ids)
    reviewed = Review.objects.filter(
        decision_id__in=wanted, verdict__in=["modify", "reject"], visible_at__lte=timezone.now()
    )
    overridden = Override.objects.filter(decision_id__in=wanted, status=Override.Status.IN_FORCE)
    return frozenset(reviewed.values_list("decision_id", flat=True)) | frozenset(
        overridden.values_list("decision_id", flat=True)
    )


def is_overridden() -> Q:
    """For lists of decisions: whether people have put another outcome in a decision's place."""
    return Q(Exists(_reviewed())) | Q(Exists(_overridden()))


def is_overridden_elsewhere() -> Q:
    """Whether the customer's own tool reported a human decision about it."""
    return Q(Exists(ReportedOverride.objects.filter(decision_id=OuterRef("pk"))))


def ends_otherwise() -> Q:
    """Whether the outcome that people put in its place is another than the model's."""
    # whoever rejects says that nothing is to be done: that is never the model's outcome
    rejected = _reviewed().filter(verdict="reject")
    modified = _reviewed().filter(verdict="modify").exclude(outcome=OuterRef("outcome"))
    return Q(Exists(rejected)) | Q(Exists(modified)) | Q(Exists(_overridden().exclude(outcome=OuterRef("outcome"))))


def _reviewed() -> QuerySet[Review]:
    return Review.objects.filter(
        decision_id=OuterRef("pk"), verdict__in=["modify", "reject"], visible_at__lte=timezone.now()
    )


def _overridden() -> QuerySet[Override]:
    return Override.objects.filter(decision_id=OuterRef("pk"), status=Override.Status.IN_FORCE)


def appeals_to_decide(actor: Actor) -> list[Appeal]:
    """Open appeals that somebody may decide: none of a decision they had a part in."""
    given = frozenset().union(*RULES[Act.APPEAL_DECIDE].only_if.values())
    systems = rights.systems_where(actor, Act.APPEAL_DECIDE, given=given)
    found = Appeal.objects.filter(status=Appeal.Status.OPEN).order_by("received_at")
    if systems is not None:
        found = found.filter(system_id__in=systems)
    hidden = hidden_from(actor.id)
    return [each for each in found[:200] if each.decision_id not in hidden and not _had_part(actor, each.decision_id)]


def overrides_to_agree(person: Person) -> list[Override]:
    """Requested overrides that somebody may agree to as the second person, oldest first: none they had a part in."""
    actor, since, hidden = as_actor(person), timezone.now() - Override.REQUEST_COUNTS, hidden_from(person.pk)
    waiting = Override.objects.filter(status=Override.Status.REQUESTED, at__gt=since).order_by("at")
    systems = rights.held_by(person).systems_touched()
    if systems is not None:  # before they are cut: those of others must not push out one's own
        waiting = waiting.filter(system_id__in=systems)
    waiting = waiting.exclude(person_id=person.pk)
    return [each for each in waiting[:200] if each.decision_id not in hidden and _may_agree(actor, each)]


def _may_agree(actor: Actor, made: Override) -> bool:
    scope = scope_of(decision_by_id(made.decision_id))
    may = rights.may_approve(actor, Act.DECISION_OVERRIDE, scope, requested_by=made.person_id, given=SECOND_ASKED)
    return may and not _had_part(actor, made.decision_id)


def _had_part(actor: Actor, decision_id: uuid.UUID) -> bool:
    return actor.id is None or had_part(actor.id, decision_id)


def may_override(actor: Actor, decision: SealedDecision) -> bool:
    """Whether somebody may override this: who answers for it any, a reviewer what they have claimed."""
    if rights.can(actor, Act.DECISION_OVERRIDE, scope_of(decision)):
        return True
    if actor.id is None or not has_live_claim(actor.id, decision.id):
        return False
    return rights.can(actor, Act.DECISION_OVERRIDE, scope_of(decision), given=ON_A_CLAIMED_ITEM)


def has_live_claim(person_id: uuid.UUID, decision_id: uuid.UUID) -> bool:
    """Whether somebody works on a review of it now."""
    return ReviewAssignment.objects.filter(
        person_id=person_id,
        review__decision_id=decision_id,
        status=Work.CLAIMED,
        lease_until__gt=timezone.now(),
    ).exists()

"""Reviews: what is mine, what waits and why I may not take the rest; taking the next one."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from config.errors import Forbidden, ServiceError
from console.deadlines import due_of, next_due
from console.desk import just_handed_in
from console.fragments import is_fragment, refused
from console.pages import page, show, viewer
from console.views.review_work import answer_with_item, answer_with_list
from governance import rights
from governance.acts import Act
from governance.models import AISystem, Person
from governance.rights import as_actor
from overrides.effective import unconfirmed_effects
from overrides.eligibility import ON_A_CLAIMED_ITEM, skills_of
from overrides.models import ReviewAssignment, ReviewQueue
from overrides.selectors import appeals_to_decide, hidden_from, my_drafts, my_work, overrides_to_agree
from overrides.services.claiming import claim, claim_next
from overrides.waiting import owned_queues, what_waits

SHOWN_DRAFTS = 20
SHOWN_EFFECTS = 100


@page
@require_safe
def reviews(request: HttpRequest) -> HttpResponse:
    return desk_page(request)


def desk_page(request: HttpRequest, *, refusal: ServiceError | None = None) -> HttpResponse:
    """The list of what there is to do, below what was refused."""
    person = viewer(request)
    _require_part(person)
    waits = what_waits(as_actor(person))
    work = list(my_work(person.pk))
    drafts = list(my_drafts(person.pk)[:SHOWN_DRAFTS])
    agreeable = overrides_to_agree(person)
    systems = AISystem.objects.in_bulk(
        {each.review.system_id for each in [*work, *drafts]} | {each.system_id for each in agreeable}
    )
    people = Person.objects.in_bulk({each.person_id for each in agreeable})
    return show(
        request,
        "reviews/list.html",
        title="Reviews",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        mine=[(each, due_of(each.review), systems.get(each.review.system_id)) for each in work],
        agreeable=[(each, systems.get(each.system_id), people.get(each.person_id)) for each in agreeable],
        drafts=[(each, systems.get(each.review.system_id)) for each in drafts],
        waits=[(each, next_due(each.next_deadline_at)) for each in waits.queues],
        is_cut=waits.is_cut,
        free=waits.free,
        owned=[(each, next_due(each.next_deadline_at), _share(each)) for each in owned_queues(person.pk)],
        skills=skills_of(person.pk),
        appeals=len(appeals_to_decide(as_actor(person))),
        unconfirmed=_unconfirmed(person),
        handed_in=just_handed_in(person, request.GET.get("handed_in")),
    )


@page
@require_POST
def take_next(request: HttpRequest) -> HttpResponse:
    """The one due first among those one may judge, of one queue or of all."""
    queue = ReviewQueue.objects.filter(slug=request.POST.get("queue", ""), archived_at=None).first()
    try:
        work = claim_next(actor=as_actor(viewer(request)), queue_id=queue.pk if queue else None)
    except ServiceError as refusal:
        return refused(request, refusal, desk_page)
    return answer_with_item(request, work.token) if work else answer_with_list(request, "Nothing else waits for you.")


@page
@require_POST
def take(request: HttpRequest, review_id: uuid.UUID) -> HttpResponse:
    """One's own offer, or one that was lost and waits again."""
    try:
        work = claim(actor=as_actor(viewer(request)), review_id=review_id)
    except ServiceError as refusal:
        return refused(request, refusal, desk_page)
    if is_fragment(request):
        return answer_with_item(request, work.token)
    return redirect("admin:review_work", token=work.token)


def may_review(person: Person) -> bool:
    """Whether the page is of any use to them: they review, answer for an AI system, or own a queue."""
    systems = rights.systems_where(person, Act.DECISION_CONFIRM, given=ON_A_CLAIMED_ITEM)
    part = rights.systems_in_part(person, Act.DECISION_CONFIRM, given=ON_A_CLAIMED_ITEM)
    return systems is None or bool(systems | part) or ReviewQueue.objects.filter(owner_id=person.pk).exists()


def _require_part(person: Person) -> None:
    has_work = ReviewAssignment.objects.filter(person=person).exists()
    if not has_work and not may_review(person):
        raise Forbidden("Reviews are shown to reviewers, to those who answer for an AI system, and to queues' owners.")


def _unconfirmed(person: Person) -> int:
    found = unconfirmed_effects(rights.systems_where(person, Act.DECISION_VIEW), limit=SHOWN_EFFECTS)
    hidden = hidden_from(person.pk)
    return sum(each["decision_id"] not in hidden for each in found)


def _share(queue: ReviewQueue) -> float | None:
    held: int = getattr(queue, "held", 0)
    return min(1.0, held / queue.capacity) if queue.capacity else None

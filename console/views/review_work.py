"""One item: looking at it, writing about it, handing it in, and the next one at once."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from config.errors import ServiceError
from console.desk import colleagues, ended_in_words, item_for, just_handed_in
from console.fragments import is_fragment, refused, told
from console.pages import page, show, viewer
from governance.rights import as_actor
from overrides.models import ReviewAssignment
from overrides.review_errors import ClaimLost, ReviewNotFound, TooManyClaims
from overrides.services.claiming import claim_next, decline, hand_over, hold_review, release, save_draft
from overrides.services.deciding import Answer, judge_blind, submit, undo

WRITTEN = ("decision", "outcome", "output", "reason_code", "note")
KEPT_FOR = timedelta(hours=1)
OVER = frozenset({"claim-lost", "review-not-open", "review-submitted"})
"""Refusals after which there is nothing more to type on this page."""


@page
@require_safe
def work(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """The item, or what became of it."""
    return item_page(request, token=token)


def item_page(
    request: HttpRequest,
    *,
    token: uuid.UUID,
    refusal: ServiceError | None = None,
    typed: dict[str, Any] | None = None,
    notice: str = "",
    done: ReviewAssignment | None = None,
) -> HttpResponse:
    """As a whole page, or as the part that a script swaps in."""
    person = viewer(request)
    try:
        item = item_for(person, token)
    except ClaimLost:
        return _ended(request, token)
    handed_in = just_handed_in(person, done.token if done else request.GET.get("handed_in"))
    context = {
        "item": item,
        "body": item.decision.body,
        "typed": typed or item.draft,
        "colleagues": colleagues(person, item.review.system_id),
        "refusal": refusal,
        "notice": notice,
        "handed_in": handed_in,
    }
    return _answer(request, "item.html", "work.html", context, refusal.status if refusal else 200, token)


@page
@require_POST
def draft(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Keep what is being written, every few seconds; says until when the item is one's own."""
    try:
        kept = save_draft(actor=as_actor(viewer(request)), token=token, draft=_written(request))
    except ClaimLost as lost:
        return _lost(token, lost, viewer(request).pk)
    except ServiceError as refusal:
        return refused(request, refusal, item_page, token=token)
    if not is_fragment(request):
        return redirect("admin:review_work", token=token)
    return told({"lease_until": kept.lease_until.isoformat() if kept.lease_until else None})


@page
@require_POST
def judge(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """The first judgement of a blind review; then all of it is shown."""
    outcome = request.POST.get("other_outcome") or request.POST.get("outcome", "")
    return _act(
        request, token, lambda: judge_blind(actor=as_actor(viewer(request)), token=token, outcome=outcome.strip())
    )


@page
@require_POST
def hand_in(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Hand in, and be given the next one of this queue, else of any."""
    actor, given = as_actor(viewer(request)), _written(request)
    try:
        version = int(request.POST.get("version", "0"))
    except ValueError:
        version = 0
    answer = Answer(**{name: given.get(name, "") for name in WRITTEN})
    try:
        done = submit(actor=actor, token=token, version=version, answer=answer)
        following = _following(request, done)
    except ServiceError as refusal:
        return _refused(request, refusal, token)
    return answer_with_item(request, following.token, done) if following else answer_with_list(request, "", done)


@page
@require_POST
def take_back(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Within ten seconds what was handed in is one's own again, as a draft."""
    return _act(request, token, lambda: undo(actor=as_actor(viewer(request)), token=token))


@page
@require_POST
def keep(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """For an hour longer, to ask somebody; not past the deadline."""
    return _act(request, token, lambda: _hold(request, token))


@page
@require_POST
def give_back(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    try:
        release(actor=as_actor(viewer(request)), token=token)
    except ServiceError as refusal:
        return _refused(request, refusal, token)
    return answer_with_list(request, "You gave it back. It waits for the next reviewer.")


@page
@require_POST
def refuse(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Say that one will not judge this one."""
    review = _own(request, token).review
    try:
        decline(
            actor=as_actor(viewer(request)), review_id=review.pk, reason_code=request.POST.get("decline_reason", "")
        )
    except ServiceError as refusal:
        return _refused(request, refusal, token)
    return answer_with_list(request, "You will not be asked about that one again.")


@page
@require_POST
def hand_on(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """To a named person, who is told."""
    try:
        to = uuid.UUID(request.POST.get("to", ""))
    except ValueError:
        return item_page(request, token=token, notice="Choose the person to hand it to.")
    try:
        hand_over(actor=as_actor(viewer(request)), token=token, to_person_id=to)
    except ServiceError as refusal:
        return _refused(request, refusal, token)
    return answer_with_list(request, "It is with them for 24 hours, and they are told by e-mail.")


# --- answers ----------------------------------------------------------------------------------------------------------
def answer_with_item(request: HttpRequest, token: uuid.UUID, done: ReviewAssignment | None = None) -> HttpResponse:
    """An item: at once for a script, by its address otherwise."""
    if is_fragment(request):
        return item_page(request, token=token, done=done)
    return redirect(_address("admin:review_work", done, token=token))


def answer_with_list(request: HttpRequest, notice: str, done: ReviewAssignment | None = None) -> HttpResponse:
    """Nothing more to judge."""
    if not is_fragment(request):
        return redirect(_address("admin:reviews", done))
    handed_in = just_handed_in(viewer(request), done.token) if done else None
    context = {"notice": notice, "handed_in": handed_in}
    return _answer(request, "nothing.html", "work.html", context, 200, None)


def _address(name: str, done: ReviewAssignment | None, **kwargs: Any) -> str:
    return reverse(name, kwargs=kwargs) + (f"?handed_in={done.token}" if done else "")


def _answer(
    request: HttpRequest,
    fragment: str,
    whole: str,
    context: dict[str, Any],
    status: int,
    token: uuid.UUID | None,
) -> HttpResponse:
    if not is_fragment(request):
        return show(request, f"reviews/{whole}", title="Review", status=status, fragment=fragment, **context)
    address = reverse("admin:review_work", kwargs={"token": token}) if token else reverse("admin:reviews")
    part = render(request, f"console/reviews/{fragment}", context, status=status)
    part.headers["X-Address"] = address
    return part


def _ended(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    found = _own(request, token)
    context = {
        "ended": ended_in_words(found.review, found),
        "review": found.review,
        "work": found,
        "handed_in": just_handed_in(viewer(request), found.token),
    }
    return _answer(request, "ended.html", "work.html", context, 200, token)


def _act(request: HttpRequest, token: uuid.UUID, act: Callable[[], object]) -> HttpResponse:
    try:
        act()
    except ServiceError as refusal:
        return _refused(request, refusal, token)
    return answer_with_item(request, token)


def _refused(request: HttpRequest, refusal: ServiceError, token: uuid.UUID) -> HttpResponse:
    if is_fragment(request) and refusal.code in OVER:
        return _lost(token, refusal, viewer(request).pk)
    if refusal.code == ReviewNotFound.code:
        raise refusal
    return refused(request, refusal, item_page, token=token, typed=_written(request))


def _lost(token: uuid.UUID, refusal: ServiceError, person_id: uuid.UUID) -> HttpResponse:
    """What happened to the work meanwhile, in words, for whoever is typing."""
    found = ReviewAssignment.objects.select_related("review").get(token=token, person_id=person_id)
    ended = ended_in_words(found.review, found)
    body = {"code": refusal.code, "title": ended.title, "detail": ended.text, "fields": [], "is_over": True}
    again = reverse("admin:review_take", kwargs={"review_id": found.review_id}) if ended.may_claim_again else None
    return told(body | {"claim_again": again}, refusal.status)


# --- parts of the above -----------------------------------------------------------------------------------------------
def _own(request: HttpRequest, token: uuid.UUID) -> ReviewAssignment:
    found = ReviewAssignment.objects.select_related("review", "review__queue").filter(
        token=token, person=viewer(request)
    )
    work = found.first()
    if work is None:
        raise ReviewNotFound()
    return work


def _written(request: HttpRequest) -> dict[str, Any]:
    """What stands in the form. What belongs to another decision than the one chosen is left out when handed in."""
    given = {name: request.POST.get(name, "").strip() for name in WRITTEN}
    if request.resolver_match and request.resolver_match.url_name == "review_hand_in" and given["decision"] != "modify":
        given["outcome"] = given["output"] = ""
    return {name: value for name, value in given.items() if value}


def _following(request: HttpRequest, done: ReviewAssignment) -> ReviewAssignment | None:
    """The next one: of the same queue first. Too many claims are no reason to refuse what was handed in."""
    if request.POST.get("stay"):
        return None
    actor, queue_id = as_actor(viewer(request)), done.review.queue_id
    try:
        return (claim_next(actor=actor, queue_id=queue_id) if queue_id else None) or claim_next(actor=actor)
    except TooManyClaims:
        return None


def _hold(request: HttpRequest, token: uuid.UUID) -> None:
    until = min(timezone.now() + KEPT_FOR, _own(request, token).review.deadline_at)
    hold_review(actor=as_actor(viewer(request)), token=token, until=until)

"""Reviews over the API, for people. A token of one's work leads to what is to be judged, and hands it in."""

import base64
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import orjson
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.restricted_texts import barred_rows
from audit.restrictions import barred_among
from audit.selectors import SealedDecision
from audit.services.disclosure import DisclosedPart
from config.errors import FieldProblem, InvalidInput
from config.pagination import KeysetPagination
from governance.api.authentication import IsPerson, actor_of, person_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from ledger.entries import Actor
from overrides.api.effective import with_raw_output
from overrides.models import Review, ReviewAssignment
from overrides.reasons import reasons_in_force
from overrides.selectors import (
    may_see_dwell,
    my_drafts,
    my_work,
    queue_in_use,
    reviews_for,
    takeable_by,
    visible_review,
    work_shown_on,
)
from overrides.services.claiming import (
    claim,
    claim_next,
    decline,
    hand_over,
    hold_review,
    release,
    save_draft,
    show_item,
)
from overrides.services.deciding import Answer, judge_blind, submit, undo

TAGS = ["reviews"]


class ReviewOutput(serializers.Serializer[Any]):
    """A review. What was decided is told once it is over."""

    id = serializers.UUIDField()
    decision_id = serializers.UUIDField()
    system_id = serializers.UUIDField()
    environment = serializers.CharField()
    queue: Any = serializers.SlugField(source="queue.slug", default=None, allow_null=True)
    phase = serializers.CharField()
    status = serializers.ChoiceField(choices=Review.Status.choices)
    version = serializers.IntegerField()
    opened_at = serializers.DateTimeField()
    deadline_at = serializers.DateTimeField()
    on_timeout = serializers.CharField()
    reviews_required = serializers.IntegerField()
    is_blind = serializers.BooleanField()
    required_skill = serializers.CharField(allow_blank=True)
    is_escalated = serializers.SerializerMethodField()
    verdict = serializers.CharField(allow_blank=True)
    action = serializers.CharField(allow_blank=True)
    closing = serializers.CharField(allow_blank=True)
    closed_at = serializers.DateTimeField(allow_null=True)

    def get_is_escalated(self, review: Review) -> bool:
        return review.escalated_at is not None


class WorkOutput(serializers.Serializer[Any]):
    """Somebody's work on a review."""

    id = serializers.UUIDField()
    review_id = serializers.UUIDField()
    person_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=ReviewAssignment.Status.choices)
    seat = serializers.IntegerField()
    is_blind = serializers.BooleanField()
    claimed_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    decision = serializers.CharField(allow_blank=True)
    outcome = serializers.CharField(allow_blank=True)
    reason_code = serializers.CharField(allow_blank=True)
    dwell_s = serializers.SerializerMethodField(
        help_text="From being shown it to handing it in; for that person and the queue's owner, else null."
    )

    def get_dwell_s(self, work: ReviewAssignment) -> float | None:
        if not (work.shown_at and work.ended_at and may_see_dwell(self.context["actor"], work)):
            return None
        return round((work.ended_at - work.shown_at).total_seconds(), 1)


class MyWorkOutput(WorkOutput):
    """One's own work: with the token that hands it in, and the draft."""

    token = serializers.UUIDField()
    lease_until = serializers.DateTimeField(allow_null=True)
    held_until = serializers.DateTimeField(allow_null=True)
    draft = serializers.JSONField(allow_null=True, help_text="Null, too, while the decision is restricted.")
    review = ReviewOutput()


class PartOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    data: Any = serializers.JSONField(help_text="The part as it was sent.")
    raw = serializers.CharField(help_text="Its exact bytes in base64.")


class ItemOutput(serializers.Serializer[Any]):
    """What is to be judged. Of a blind review the model's outcome, output and explanation are null until judged."""

    work = MyWorkOutput()
    original_outcome = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True)
    adverse = serializers.BooleanField(allow_null=True)
    model_version = serializers.CharField()
    capability = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    parts = PartOutput(many=True)
    reasons = serializers.JSONField()


class ReviewPage(serializers.Serializer[Any]):
    items = ReviewOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class MineOutput(serializers.Serializer[Any]):
    work = MyWorkOutput(many=True)
    drafts = MyWorkOutput(many=True)


class CountsOutput(serializers.Serializer[Any]):
    mine = serializers.IntegerField()
    claimable = serializers.IntegerField()
    overdue_soon = serializers.IntegerField(help_text="Due within the hour.")
    oldest_at = serializers.DateTimeField(allow_null=True)
    by_queue = serializers.DictField(child=serializers.IntegerField())


class ReviewDetail(serializers.Serializer[Any]):
    review = ReviewOutput()
    work = WorkOutput(many=True, help_text="Others' is told once the review is over.")


def _work(work: ReviewAssignment, actor: Actor) -> dict[str, Any]:
    return _works([work], actor)[0]


def _works(rows: Iterable[ReviewAssignment], actor: Actor) -> list[dict[str, Any]]:
    """One's own work; of what is restricted without the draft, which tells what the decision is about."""
    found = list(rows)
    barred = barred_among(actor, [each.review.decision_id for each in found])
    told = [dict(MyWorkOutput(each, context={"actor": actor}).data) for each in found]
    own = barred_rows(actor, [each.pk for each in found])
    return [
        said | {"draft": None} if each.review.decision_id in barred or each.pk in own else said
        for each, said in zip(found, told, strict=True)
    ]


def _item(work: ReviewAssignment, decision: SealedDecision, parts: list[DisclosedPart], actor: Actor) -> dict[str, Any]:
    is_unseen = work.is_unseen
    body = decision.body
    return {
        "work": _work(work, actor),
        "original_outcome": None if is_unseen else body.outcome,
        "confidence": None if is_unseen else body.confidence,
        "adverse": None if is_unseen else body.adverse,
        "model_version": body.model_version,
        "capability": body.capability,
        "occurred_at": decision.occurred_at,
        "parts": [
            {"name": part.name, "data": orjson.loads(part.data), "raw": base64.b64encode(part.data).decode()}
            for part in parts
        ],
        "reasons": reasons_in_force(work.review.queue_id),
    }


class People(APIView):
    """Reviews are people's."""

    permission_classes: Any = (IsPerson,)


class ReviewsApi(People):
    """The reviews of AI systems in which one reviews or answers for it, newest first."""

    @extend_schema(
        operation_id="list_reviews",
        tags=TAGS,
        responses=ReviewPage,
        parameters=[
            OpenApiParameter("status", str, enum=list(Review.Status.values)),
            OpenApiParameter("queue", str, description="A queue, by slug."),
        ],
    )
    def get(self, request: Request) -> Response:
        found, status = reviews_for(actor_of(request)), request.query_params.get("status")
        if status and status not in Review.Status.values:
            expected = ", ".join(Review.Status.values)
            raise InvalidInput(errors=[FieldProblem(pointer="/status", detail="Unknown.", expected=expected)])
        found = found.filter(status=status) if status else found
        queue = request.query_params.get("queue")
        found = found.filter(queue__slug=queue) if queue else found
        pages = KeysetPagination()
        return pages.get_paginated_response(ReviewOutput(pages.paginate_queryset(found, request), many=True).data)


class MyReviewsApi(People):
    """What one has claimed or was offered, and what one has written of work that was lost."""

    @extend_schema(operation_id="my_reviews", tags=TAGS, responses=MineOutput)
    def get(self, request: Request) -> Response:
        actor, person_id = actor_of(request), person_of(request).pk
        return Response(
            {"work": _works(my_work(person_id), actor), "drafts": _works(my_drafts(person_id)[:100], actor)}
        )


class ReviewCountsApi(People):
    """How much one could take."""

    @extend_schema(operation_id="count_reviews", tags=TAGS, responses=CountsOutput)
    def get(self, request: Request) -> Response:
        return Response(CountsOutput(takeable_by(actor_of(request))).data)


class ReviewItem(People):
    """One review, and the work on it that one may see."""

    @extend_schema(operation_id="read_review", tags=TAGS, responses=ReviewDetail)
    def get(self, request: Request, review_id: uuid.UUID) -> Response:
        actor = actor_of(request)
        review = visible_review(actor, review_id)
        work = WorkOutput(work_shown_on(actor, review), many=True, context={"actor": actor}).data
        return Response({"review": ReviewOutput(review).data, "work": work})


class ClaimNextApi(People):
    """Take the review that is due first among those one may judge. 204 where there is none."""

    class Where(StrictSerializer):
        queue = StrictCharField(required=False, allow_null=True, max_length=100)

    @extend_schema(operation_id="claim_next_review", tags=TAGS, request=Where, responses={201: MyWorkOutput, 204: None})
    def post(self, request: Request) -> Response:
        slug = checked(self.Where, request).get("queue")
        work = claim_next(actor=actor_of(request), queue_id=queue_in_use(actor_of(request), slug).pk if slug else None)
        if work is None:
            return Response(status=HTTPStatus.NO_CONTENT)
        return Response(_work(work, actor_of(request)), HTTPStatus.CREATED)


class ClaimApi(People):
    """Take this review. Again is the same claim."""

    @extend_schema(operation_id="claim_review", tags=TAGS, request=None, responses={201: MyWorkOutput})
    def post(self, request: Request, review_id: uuid.UUID) -> Response:
        work = claim(actor=actor_of(request), review_id=review_id)
        return Response(_work(work, actor_of(request)), HTTPStatus.CREATED)


class DeclineApi(People):
    """Say that one will not judge this one; it stays so."""

    class Why(StrictSerializer):
        reason_code = StrictCharField(max_length=100)

    @extend_schema(operation_id="decline_review", tags=TAGS, request=Why, responses={204: None})
    def post(self, request: Request, review_id: uuid.UUID) -> Response:
        decline(actor=actor_of(request), review_id=review_id, **checked(self.Why, request))
        return Response(status=HTTPStatus.NO_CONTENT)


class WorkItem(People):
    """What is to be judged, for whoever holds the claim."""

    @extend_schema(operation_id="read_review_work", tags=TAGS, responses=ItemOutput)
    def get(self, request: Request, token: uuid.UUID) -> Response:
        actor = actor_of(request)
        _, work, decision, parts = show_item(actor=actor, token=token)
        return Response(_item(work, decision, parts, actor), headers={"Cache-Control": "no-store"})


class DraftApi(People):
    """Keep what one is writing. 409 where the claim is lost: it is kept all the same."""

    class Draft(StrictSerializer):
        draft = serializers.DictField()

    @extend_schema(operation_id="save_review_draft", tags=TAGS, request=Draft, responses=MyWorkOutput)
    def put(self, request: Request, token: uuid.UUID) -> Response:
        work = save_draft(actor=actor_of(request), token=token, **checked(self.Draft, request))
        return Response(_work(work, actor_of(request)))


class JudgeApi(People):
    """A first judgement, before the model's outcome is seen."""

    class Judgement(StrictSerializer):
        outcome = StrictCharField(max_length=100)

    @extend_schema(operation_id="judge_review_blind", tags=TAGS, request=Judgement, responses=MyWorkOutput)
    def post(self, request: Request, token: uuid.UUID) -> Response:
        work = judge_blind(actor=actor_of(request), token=token, **checked(self.Judgement, request))
        return Response(_work(work, actor_of(request)))


class SubmitApi(People):
    """Hand in. The same again is the same answer; callers are told ten seconds later, or with one's next one."""

    class Submission(StrictSerializer):
        version = serializers.IntegerField(min_value=1)
        decision = serializers.ChoiceField(choices=ReviewAssignment.Decision.choices)
        outcome = StrictCharField(max_length=100, required=False, allow_blank=True)
        output = serializers.JSONField(required=False, allow_null=True)
        reason_code = StrictCharField(max_length=100, required=False, allow_blank=True)
        note = StrictCharField(max_length=10_000, required=False, allow_blank=True)

    @extend_schema(operation_id="submit_review", tags=TAGS, request=Submission, responses=MyWorkOutput)
    def post(self, request: Request, token: uuid.UUID) -> Response:
        values = with_raw_output(checked(self.Submission, request))
        version = values.pop("version")
        work = submit(actor=actor_of(request), token=token, version=version, answer=Answer(**values))
        return Response(_work(work, actor_of(request)))


class UndoApi(People):
    """Take back what one has just handed in."""

    @extend_schema(operation_id="undo_review", tags=TAGS, request=None, responses=MyWorkOutput)
    def post(self, request: Request, token: uuid.UUID) -> Response:
        return Response(_work(undo(actor=actor_of(request), token=token), actor_of(request)))


class ReleaseApi(People):
    """Give a review back."""

    @extend_schema(operation_id="release_review", tags=TAGS, request=None, responses={204: None})
    def post(self, request: Request, token: uuid.UUID) -> Response:
        release(actor=actor_of(request), token=token)
        return Response(status=HTTPStatus.NO_CONTENT)


class HoldApi(People):
    """Keep a review for longer."""

    class Hold(StrictSerializer):
        until = serializers.DateTimeField()

    @extend_schema(operation_id="hold_review", tags=TAGS, request=Hold, responses=MyWorkOutput)
    def post(self, request: Request, token: uuid.UUID) -> Response:
        work = hold_review(actor=actor_of(request), token=token, **checked(self.Hold, request))
        return Response(_work(work, actor_of(request)))


class HandOverApi(People):
    """Give a review to a named person."""

    class HandOver(StrictSerializer):
        person_id = serializers.UUIDField()

    @extend_schema(operation_id="hand_over_review", tags=TAGS, request=HandOver, responses={204: None})
    def post(self, request: Request, token: uuid.UUID) -> Response:
        to = checked(self.HandOver, request)["person_id"]
        hand_over(actor=actor_of(request), token=token, to_person_id=to)
        return Response(status=HTTPStatus.NO_CONTENT)

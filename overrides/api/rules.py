"""Queues and review rules over the API, for people."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api.authentication import actor_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from overrides.api.reviews import People
from overrides.models import OnTimeout, ReviewQueue, ReviewRule, RuleChange
from overrides.reasons import reasons_in_force
from overrides.selectors import queue_in_use, visible_queues
from overrides.services.queues import approve_queue_change, publish_reasons, register_queue, update_queue
from overrides.services.rule_requests import refuse_rule_change
from overrides.services.rules import Asked, approve_rule_change, change_rule, register_rule

TAGS = ["review rules"]


class QueueOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.SlugField()
    owner_id = serializers.UUIDField()
    system_id = serializers.UUIDField(allow_null=True)
    is_default = serializers.BooleanField()
    when_full = serializers.ChoiceField(choices=ReviewQueue.WhenFull.choices)
    capacity = serializers.IntegerField(allow_null=True)
    lease_s = serializers.IntegerField()
    claims_per_person = serializers.IntegerField()
    deadline_s = serializers.IntegerField()
    blind_share = serializers.FloatField()
    dwell_floor_s = serializers.IntegerField()


class RuleOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    system_id = serializers.UUIDField()
    environment = serializers.CharField(allow_blank=True)
    name = serializers.SlugField()
    condition = serializers.JSONField()
    queue_id = serializers.UUIDField()
    deadline_s = serializers.IntegerField()
    required_skill = serializers.CharField(allow_blank=True)
    reviews_required = serializers.IntegerField()
    is_blind = serializers.BooleanField()
    on_timeout = serializers.ChoiceField(choices=OnTimeout.choices)
    order = serializers.IntegerField()
    archived_at = serializers.DateTimeField(allow_null=True)


class RuleChangeOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    rule_id = serializers.UUIDField(allow_null=True)
    queue_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=RuleChange.Status.choices)
    changes = serializers.JSONField()
    loosens = serializers.ListField(child=serializers.CharField())
    requested_by_id = serializers.UUIDField()
    expires_at = serializers.DateTimeField()


class AskedOutput(serializers.Serializer[Any]):
    """What became of it: in force, or waiting for a second person (`request`)."""

    rule = RuleOutput(allow_null=True)
    request = RuleChangeOutput(allow_null=True)


class QueueAskedOutput(serializers.Serializer[Any]):
    """What became of it: in force, or waiting for a second person (`request`)."""

    queue = QueueOutput()
    request = RuleChangeOutput(allow_null=True)


class _QueueFields(StrictSerializer):
    is_default = serializers.BooleanField(required=False)
    when_full = serializers.ChoiceField(choices=ReviewQueue.WhenFull.choices, required=False)
    capacity = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1_000_000)
    lease_s = serializers.IntegerField(required=False, min_value=60, max_value=4 * 3600)
    claims_per_person = serializers.IntegerField(required=False, min_value=1, max_value=100)
    deadline_s = serializers.IntegerField(required=False, min_value=30, max_value=90 * 86400)
    blind_share = serializers.FloatField(required=False, min_value=0, max_value=1)
    dwell_floor_s = serializers.IntegerField(required=False, min_value=0, max_value=3600)


class _RuleFields(StrictSerializer):
    environment = StrictCharField(required=False, allow_blank=True, max_length=100)
    condition = serializers.JSONField(required=False)
    queue_id = serializers.UUIDField(required=False)
    deadline_s = serializers.IntegerField(required=False, min_value=30, max_value=90 * 86400)
    required_skill = StrictCharField(required=False, allow_blank=True, max_length=100)
    reviews_required = serializers.IntegerField(required=False, min_value=1, max_value=2)
    is_blind = serializers.BooleanField(required=False)
    on_timeout = serializers.ChoiceField(choices=OnTimeout.choices, required=False)
    order = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)


class QueuesApi(People):
    """The queues of reviews."""

    class NewQueue(_QueueFields):
        slug = StrictCharField(max_length=100)
        owner_id = serializers.UUIDField()
        system_id = serializers.UUIDField(required=False, allow_null=True)

    @extend_schema(operation_id="list_review_queues", tags=TAGS, responses=QueueOutput(many=True))
    def get(self, request: Request) -> Response:
        found = visible_queues(actor_of(request)).filter(archived_at=None)
        return Response(QueueOutput(found, many=True).data)

    @extend_schema(operation_id="register_review_queue", tags=TAGS, request=NewQueue, responses={201: QueueOutput})
    def post(self, request: Request) -> Response:
        queue = register_queue(actor=actor_of(request), **checked(self.NewQueue, request))
        return Response(QueueOutput(queue).data, HTTPStatus.CREATED)


class QueueItem(People):
    """One queue. What would have less looked at waits for a second person: 202."""

    class Changes(_QueueFields):
        owner_id = serializers.UUIDField(required=False)

    @extend_schema(
        operation_id="update_review_queue",
        tags=TAGS,
        request=Changes,
        responses={200: QueueAskedOutput, 202: QueueAskedOutput},
    )
    def patch(self, request: Request, slug: str) -> Response:
        asked = update_queue(
            actor=actor_of(request),
            queue_id=queue_in_use(actor_of(request), slug).pk,
            changes=checked(self.Changes, request),
            before_asking=lambda: require_fresh(request),
        )
        return Response(QueueAskedOutput(asked).data, HTTPStatus.ACCEPTED if asked.request else HTTPStatus.OK)


class QueueChangeApproveApi(People):
    """A second person agrees that a queue looks at less."""

    @extend_schema(operation_id="approve_queue_change", tags=TAGS, request=None, responses=QueueOutput)
    def post(self, request: Request, change_id: uuid.UUID) -> Response:
        require_fresh(request)
        return Response(QueueOutput(approve_queue_change(actor=actor_of(request), change_id=change_id)).data)


class ReasonsApi(People):
    """The reasons that people choose from in a queue."""

    class NewList(StrictSerializer):
        codes = serializers.JSONField()

    @extend_schema(operation_id="list_reasons", tags=TAGS, responses=serializers.JSONField)
    def get(self, request: Request, slug: str) -> Response:
        return Response({"codes": reasons_in_force(queue_in_use(actor_of(request), slug).pk)})

    @extend_schema(operation_id="publish_reasons", tags=TAGS, request=NewList, responses=serializers.JSONField)
    def post(self, request: Request, slug: str) -> Response:
        actor, codes = actor_of(request), checked(self.NewList, request)["codes"]
        listed = publish_reasons(actor=actor, queue_id=queue_in_use(actor, slug).pk, codes=codes)
        return Response({"codes": listed.codes, "version": listed.version}, HTTPStatus.CREATED)


class RulesApi(People):
    """Which decisions of an AI system a person must look at."""

    class NewRule(_RuleFields):
        system = StrictCharField(max_length=100)
        name = StrictCharField(max_length=100)
        condition = serializers.JSONField()
        queue_id = serializers.UUIDField()
        deadline_s = serializers.IntegerField(min_value=30, max_value=90 * 86400)

    @extend_schema(
        operation_id="list_review_rules",
        tags=TAGS,
        responses=RuleOutput(many=True),
        parameters=[OpenApiParameter("system", str, required=True, description="AI system, by slug.")],
    )
    def get(self, request: Request) -> Response:
        system = visible_system(request, request.query_params.get("system", ""))
        return Response(RuleOutput(ReviewRule.objects.filter(system=system, archived_at=None), many=True).data)

    @extend_schema(operation_id="register_review_rule", tags=TAGS, request=NewRule, responses={201: AskedOutput})
    def post(self, request: Request) -> Response:
        values = checked(self.NewRule, request)
        system = visible_system(request, values.pop("system"))
        asked = register_rule(
            actor=actor_of(request),
            system_id=system.pk,
            values=values,
            before_asking=lambda: require_fresh(request),
        )
        return Response(_told(asked), HTTPStatus.ACCEPTED if asked.request else HTTPStatus.CREATED)


class RuleItem(People):
    """One rule. What asks for less waits for a second person: 202."""

    class Changes(_RuleFields):
        name = StrictCharField(max_length=100, required=False)
        archived = serializers.BooleanField(required=False)

    @extend_schema(
        operation_id="change_review_rule", tags=TAGS, request=Changes, responses={200: AskedOutput, 202: AskedOutput}
    )
    def patch(self, request: Request, rule_id: uuid.UUID) -> Response:
        asked = change_rule(
            actor=actor_of(request),
            rule_id=rule_id,
            changes=checked(self.Changes, request),
            before_asking=lambda: require_fresh(request),
        )
        return Response(_told(asked), HTTPStatus.ACCEPTED if asked.request else HTTPStatus.OK)


class RuleChangeApproveApi(People):
    """A second person agrees to loosen a rule."""

    @extend_schema(operation_id="approve_rule_change", tags=TAGS, request=None, responses=RuleOutput)
    def post(self, request: Request, change_id: uuid.UUID) -> Response:
        require_fresh(request)
        return Response(RuleOutput(approve_rule_change(actor=actor_of(request), change_id=change_id)).data)


class RuleChangeRefuseApi(People):
    """A second person refuses what a rule or a queue was to look at less, or whoever asked takes it back."""

    @extend_schema(operation_id="refuse_rule_change", tags=TAGS, request=None, responses=RuleChangeOutput)
    def post(self, request: Request, change_id: uuid.UUID) -> Response:
        return Response(RuleChangeOutput(refuse_rule_change(actor=actor_of(request), change_id=change_id)).data)


def _told(asked: Asked) -> dict[str, Any]:
    return {
        "rule": RuleOutput(asked.rule).data if asked.rule else None,
        "request": RuleChangeOutput(asked.request).data if asked.request else None,
    }

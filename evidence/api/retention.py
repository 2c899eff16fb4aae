"""Retention over the API: classes, where they hold, what is due, purges and their reports."""

import uuid
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import DataKind, Purge, RetentionRule
from audit.models.cases import MAX_TEXT
from audit.models.retention import LONGEST_DAYS
from config.errors import Forbidden
from config.pagination import KeysetPagination
from evidence.api.cases import ForPeople
from evidence.api.erasures import Answer, Reason
from evidence.api.paged import PAGED, page_of, paged
from evidence.erasure.errors import RetentionNotFound
from evidence.retention.due import everything_due, ruled
from evidence.retention.reading import (
    may_view,
    parts_told,
    require_report,
    visible_classes,
    visible_purges,
    visible_rules,
)
from evidence.retention.reports import report_of
from evidence.services.purges import hold_purge
from evidence.services.retention import (
    approve_rule,
    archive_class,
    refuse_rule,
    register_class,
    request_rule,
    withdraw_rule,
)
from governance.api.authentication import actor_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system

TAGS = ["retention"]


class ClassOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=DataKind.choices)
    name = serializers.CharField()
    floor_days = serializers.IntegerField()
    floor_source = serializers.CharField()
    ceiling_days = serializers.IntegerField(allow_null=True)
    purpose = serializers.CharField(allow_blank=True)
    why_lower = serializers.CharField(allow_blank=True)
    made_by_id = serializers.UUIDField()
    archived_at = serializers.DateTimeField(allow_null=True)


class RuleOutput(serializers.Serializer[Any]):
    """That a class holds somewhere, or was asked to."""

    id = serializers.UUIDField()
    retention_class = ClassOutput()
    kind = serializers.ChoiceField(choices=DataKind.choices)
    system_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=RetentionRule.Status.choices)
    requested_by_id = serializers.UUIDField()
    requested_at = serializers.DateTimeField()
    reason = serializers.CharField(allow_blank=True)
    decided_by_id = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    answer = serializers.CharField(allow_blank=True)


class PartOutput(serializers.Serializer[Any]):
    """What of one place is past its time, and under which class."""

    kind = serializers.ChoiceField(choices=DataKind.choices)
    system = serializers.UUIDField(allow_null=True)
    class_id = serializers.UUIDField(
        source="class", allow_null=True, help_text="Null: the default of quarantine, where no class is in force."
    )
    class_name = serializers.CharField(help_text="Empty where it was erased, and of the default.")
    floor_days = serializers.IntegerField(allow_null=True)
    floor_source = serializers.CharField(help_text="The law that asks for the floor, as the class has it.")
    ceiling_days = serializers.IntegerField(allow_null=True)
    purpose = serializers.CharField(help_text="What it is kept for until the ceiling, as the class has it.")
    before = serializers.DateTimeField(help_text="What is older goes.")
    count = serializers.IntegerField(help_text="Above 50,000: so many at least.")
    kept = serializers.IntegerField(
        allow_null=True,
        help_text="Kept back by a legal hold, or still worked on, as far as looked. Null: not told, since nothing but "
        "a legal hold keeps any of this kind, and you may not know of all of them there.",
    )
    replaced = serializers.BooleanField(
        default=False, help_text="Another class holds there since it was announced: the rest was left."
    )
    holds = serializers.ListField(
        child=serializers.UUIDField(), help_text="Which legal holds keep some of it, of those that you may know of."
    )


class DuePartOutput(PartOutput):
    """What of one place is due."""

    by_itself = serializers.BooleanField(
        help_text="Records of quarantine go by themselves, hour by hour; the rest goes with a purge that is announced."
    )
    goes_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the first of it goes: with the purge that was announced, or by itself. Null: no purge of it is "
        "announced yet, or all that was looked at is kept back, or has reached its ceiling where `kept` is not told.",
    )


class DonePartOutput(PartOutput):
    """What of one place went, and what was kept back."""

    held = serializers.IntegerField(
        required=False,
        help_text="Kept back by a legal hold, as it was passed by. Absent where that was not counted, and for who may "
        "not know of every legal hold there.",
    )
    in_process = serializers.IntegerField(
        required=False, help_text="Kept back since it was in an open review, appeal or case. Absent likewise."
    )
    digest = serializers.CharField(help_text="SHA-256, in hex, over the 16-byte ids of what went, in ascending order.")


class PurgeOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Purge.Status.choices)
    announced_at = serializers.DateTimeField()
    runs_at = serializers.DateTimeField()
    done_at = serializers.DateTimeField(allow_null=True)
    held_at = serializers.DateTimeField(allow_null=True)
    why = serializers.CharField(allow_blank=True, help_text="Why it was stopped.")
    kept_out = serializers.ListField(
        child=serializers.UUIDField(), help_text="AI systems that whoever answers for them keeps out of it."
    )
    parts = PartOutput(many=True, help_text="As it was announced.")
    done = DonePartOutput(many=True, help_text="As it went.")


class DueOutput(serializers.Serializer[Any]):
    parts = DuePartOutput(many=True)


def told(request: Request, purge: Purge) -> dict[str, Any]:
    names = [name for name in map(str, PurgeOutput().fields) if name != "kept_out"]
    parts = shown(request, ruled(purge.parts))
    kept_out = sorted({part["system"] for part in parts} & set(purge.stopped))
    said = {name: getattr(purge, name) for name in names}
    return said | {"parts": parts, "done": shown(request, ruled(purge.done)), "kept_out": kept_out}


def shown(request: Request, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told = parts_told(actor_of(request), parts)
    return [part | {"holds": [each.pk for each in part["holds"]]} for part in told]


class RetentionClassesApi(ForPeople):
    """Classes to choose from."""

    class NewClass(StrictSerializer):
        kind = serializers.ChoiceField(choices=DataKind.choices)
        name = StrictCharField(max_length=100)
        floor_days = serializers.IntegerField(min_value=0, max_value=LONGEST_DAYS)
        floor_source = StrictCharField(max_length=MAX_TEXT, help_text="The law that asks for it.")
        ceiling_days = serializers.IntegerField(min_value=1, max_value=LONGEST_DAYS, required=False, allow_null=True)
        purpose = StrictCharField(max_length=MAX_TEXT, required=False, allow_blank=True)
        why_lower = StrictCharField(max_length=MAX_TEXT, required=False, allow_blank=True)

    @extend_schema(operation_id="list_retention_classes", tags=TAGS, responses=ClassOutput(many=True))
    def get(self, request: Request) -> Response:
        _require(request)
        return Response(ClassOutput(visible_classes(actor_of(request)), many=True).data)

    @extend_schema(operation_id="register_retention_class", tags=TAGS, request=NewClass, responses={201: ClassOutput})
    def post(self, request: Request) -> Response:
        """It holds nowhere before two people say so."""
        made = register_class(actor=actor_of(request), **checked(self.NewClass, request))
        return Response(ClassOutput(made).data, HTTPStatus.CREATED)


class RetentionClassArchiveApi(ForPeople):
    """Taking a class from those to choose from."""

    @extend_schema(operation_id="archive_retention_class", tags=TAGS, request=None, responses=ClassOutput)
    def post(self, request: Request, class_id: uuid.UUID) -> Response:
        return Response(ClassOutput(archive_class(actor=actor_of(request), class_id=class_id)).data)


class RetentionRulesApi(ForPeople):
    """Where which class holds."""

    class NewRule(StrictSerializer):
        class_id = serializers.UUIDField()
        system = serializers.SlugField(required=False, help_text="Not of kinds that belong to the organisation.")
        reason = StrictCharField(max_length=MAX_TEXT)

    @extend_schema(operation_id="list_retention_rules", tags=TAGS, parameters=PAGED, responses=page_of(RuleOutput))
    def get(self, request: Request) -> Response:
        """The newest first, those that were superseded or refused too."""
        _require(request)
        return paged(request, visible_rules(actor_of(request)).order_by("-id"), RuleOutput)

    @extend_schema(operation_id="request_retention_rule", tags=TAGS, request=NewRule, responses={201: RuleOutput})
    def post(self, request: Request) -> Response:
        values = checked(self.NewRule, request)
        if slug := values.pop("system", None):
            values["system_id"] = visible_system(request, slug).pk
        made = request_rule(actor=actor_of(request), **values)
        return Response(RuleOutput(made).data, HTTPStatus.CREATED)


class RetentionRuleApproveApi(ForPeople):
    """Agreeing, as the second person, with a factor of the last ten minutes."""

    @extend_schema(operation_id="approve_retention_rule", tags=TAGS, request=Answer, responses=RuleOutput)
    def post(self, request: Request, rule_id: uuid.UUID) -> Response:
        require_fresh(request)
        made = approve_rule(actor=actor_of(request), rule_id=rule_id, **checked(Answer, request))
        return Response(RuleOutput(made).data)


class RetentionRuleRefuseApi(ForPeople):
    """Saying no, as the second person."""

    @extend_schema(operation_id="refuse_retention_rule", tags=TAGS, request=Answer, responses=RuleOutput)
    def post(self, request: Request, rule_id: uuid.UUID) -> Response:
        made = refuse_rule(actor=actor_of(request), rule_id=rule_id, **checked(Answer, request))
        return Response(RuleOutput(made).data)


class RetentionRuleWithdrawApi(ForPeople):
    """Taking a request back."""

    @extend_schema(operation_id="withdraw_retention_rule", tags=TAGS, request=None, responses=RuleOutput)
    def post(self, request: Request, rule_id: uuid.UUID) -> Response:
        return Response(RuleOutput(withdraw_rule(actor=actor_of(request), rule_id=rule_id)).data)


class RetentionDueApi(ForPeople):
    """What is due: past its time now, whether a purge was announced or not; and what goes from quarantine by itself
    within the days that a purge is announced ahead. Each under its class."""

    @extend_schema(operation_id="read_retention_due", tags=TAGS, responses=DueOutput)
    def get(self, request: Request) -> Response:
        _require(request)
        parts = shown(request, everything_due(timezone.now()))
        return Response(DueOutput({"parts": parts}).data)


class PurgesApi(ForPeople):
    """Purges, announced, under way and over."""

    @extend_schema(operation_id="list_purges", tags=TAGS, parameters=PAGED, responses=page_of(PurgeOutput))
    def get(self, request: Request) -> Response:
        """The newest first."""
        _require(request)
        pages = KeysetPagination()
        rows = pages.paginate_queryset(visible_purges(actor_of(request)), request)
        return pages.get_paginated_response(PurgeOutput([told(request, each) for each in rows], many=True).data)


class PurgeApi(ForPeople):
    """One purge."""

    @extend_schema(operation_id="read_purge", tags=TAGS, responses=PurgeOutput)
    def get(self, request: Request, purge_id: uuid.UUID) -> Response:
        return Response(PurgeOutput(told(request, _purge(request, purge_id))).data)


class PurgeHoldApi(ForPeople):
    """Stopping one that was announced, or that goes on."""

    @extend_schema(operation_id="hold_purge", tags=TAGS, request=Reason, responses=PurgeOutput)
    def post(self, request: Request, purge_id: uuid.UUID) -> Response:
        made = hold_purge(actor=actor_of(request), purge_id=purge_id, **checked(Reason, request))
        return Response(PurgeOutput(told(request, made)).data)


class PurgeReportApi(ForPeople):
    """The signed report of a purge that is over."""

    @extend_schema(operation_id="read_purge_report", tags=TAGS, responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request, purge_id: uuid.UUID) -> HttpResponse:
        """A signed note under the registry log's name: what went of which AI system, under which class, how many, their
        digest, and what was kept back by what. For those who may know of every AI system in it and of every legal hold
        there: a data protection officer, or an auditor of the whole organisation."""
        row = _purge(request, purge_id)
        require_report(actor_of(request), row)
        note = report_of(row)
        return HttpResponse(note, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _require(request: Request) -> None:
    if not may_view(actor_of(request)):
        raise Forbidden()


def _purge(request: Request, purge_id: uuid.UUID) -> Purge:
    row = visible_purges(actor_of(request)).filter(pk=purge_id).first()
    if row is None:
        raise RetentionNotFound()
    return row

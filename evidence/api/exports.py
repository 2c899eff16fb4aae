"""Exports over the API, for people: asked for, agreed to, watched, given up, fetched."""

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from config.media import JSONRenderer
from config.pagination import KeysetPagination
from evidence.api.cases import ForPeople
from evidence.api.paged import PAGED, page_of
from evidence.exports.access import exports_for, may_read_words
from evidence.exports.codes import FAILURES, LEFT_OUT, TROUBLES
from evidence.exports.contents import PARTS
from evidence.exports.models import Export
from evidence.exports.progress import Progress
from evidence.exports.requesting import (
    MAX_HEAD_TEXT,
    MAX_SUBJECT,
    Asked,
    approve_export,
    cancel_export,
    refuse_export,
    request_export,
    visible_export,
    withdraw_export,
)
from evidence.exports.responses import file_response
from evidence.exports.running import RUNS
from governance.api.authentication import actor_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from ledger.entries import Actor
from notices.nudging import nudge

TAGS = ["exports"]


class ProgressOutput(serializers.Serializer[Any]):
    """How far the making has come."""

    state = serializers.ChoiceField(["waiting", "running"])
    phase = serializers.CharField(allow_blank=True)
    done = serializers.IntegerField(help_text="Entries read so far.")
    total = serializers.IntegerField(allow_null=True, help_text="Entries to be read; null until that is known.")
    trouble = serializers.CharField(allow_blank=True, help_text="Why it waits to be tried again.")
    trouble_words = serializers.SerializerMethodField()

    def get_trouble_words(self, found: Progress) -> str:
        return TROUBLES.get(found.trouble, "")


class ExportOutput(serializers.Serializer[Any]):
    """An export. What it was asked for, and whom it is about, is told to whoever asked and to those who agree."""

    id = serializers.UUIDField()
    question = serializers.ChoiceField(Export.Question.choices)
    system_id = serializers.UUIDField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    case_id = serializers.UUIDField(allow_null=True)
    decision_id = serializers.UUIDField(allow_null=True)
    form = serializers.ChoiceField(Export.Form.choices)
    parts = serializers.ListField(child=serializers.ChoiceField(PARTS))
    status = serializers.ChoiceField(Export.Status.choices)
    asked_by_id = serializers.UUIDField()
    asked_at = serializers.DateTimeField()
    decided_by_id = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    failure = serializers.CharField(allow_blank=True)
    failure_words = serializers.SerializerMethodField()
    is_whole = serializers.BooleanField(allow_null=True, help_text="False: something that was asked for is not in it.")
    left_out = serializers.SerializerMethodField()
    file_name = serializers.CharField(allow_blank=True)
    size = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField(allow_blank=True, help_text="SHA-256 of the file, in hex; also its ETag.")
    decisions = serializers.IntegerField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When its file is deleted.")
    progress = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField()

    def get_failure_words(self, export: Export) -> str:
        return FAILURES.get(export.failure, "")

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_left_out(self, export: Export) -> dict[str, str]:
        """Why it is not whole: codes, and what they say."""
        return {code: LEFT_OUT.get(code, "") for code in export.left_out}

    @extend_schema_field(ProgressOutput(allow_null=True))
    def get_progress(self, export: Export) -> Any:
        found = Progress.of(export)
        return ProgressOutput(found).data if found else None

    @extend_schema_field(serializers.DictField(child=serializers.CharField(), allow_null=True))
    def get_words(self, export: Export) -> Mapping[str, str] | None:
        """`reason`, `answer`, `subject`; null for others."""
        if not may_read_words(self.context["actor"], export):
            return None
        return {"reason": export.reason, "answer": export.answer, "subject": export.subject}


def _told(actor: Actor, export: Export) -> Any:
    return ExportOutput(export, context={"actor": actor}).data


class NewExport(StrictSerializer):
    """What is asked for: one question, one form, the contents, and why."""

    question = serializers.ChoiceField(Export.Question.choices)
    system = serializers.SlugField(required=False, help_text="Of a range.")
    since = serializers.DateTimeField(required=False, help_text="Received at or after this.")
    until = serializers.DateTimeField(required=False, help_text="Received before this.")
    case_id = serializers.UUIDField(required=False)
    decision_id = serializers.UUIDField(required=False)
    subject = StrictCharField(required=False, max_length=MAX_SUBJECT, trim_whitespace=False)
    form = serializers.ChoiceField(Export.Form.choices)
    parts = serializers.ListField(
        child=serializers.ChoiceField(PARTS), required=False, help_text="Contents: then a second person must agree."
    )
    reason = StrictCharField(max_length=20_000)
    head = StrictCharField(
        required=False,
        max_length=MAX_HEAD_TEXT,
        trim_whitespace=False,
        help_text="Signed checkpoints that you keep, one below the other: the bundle proves itself against them.",
    )
    key = serializers.UUIDField(required=False, help_text="Makes a repeat the same export: a uuid of your own.")


class ExportsApi(ForPeople):
    """The exports that one may know of; asking for one."""

    @extend_schema(
        operation_id="list_exports",
        tags=TAGS,
        parameters=[*PAGED, OpenApiParameter("status", str, enum=Export.Status.values)],
        responses=page_of(ExportOutput),
    )
    def get(self, request: Request) -> Response:
        """The newest first."""
        actor, rows = actor_of(request), exports_for(actor_of(request))
        if status := request.query_params.get("status"):
            rows = rows.filter(status=status)
        paging = KeysetPagination()
        found = [_told(actor, each) for each in paging.paginate_queryset(rows, request)]
        return paging.get_paginated_response(found)

    @extend_schema(operation_id="request_export", tags=TAGS, request=NewExport, responses={201: ExportOutput})
    def post(self, request: Request) -> Response:
        """Without contents it is made at once; with contents when a data protection officer has agreed."""
        values, actor = checked(NewExport, request), actor_of(request)
        slug = values.pop("system", None)
        system_id = visible_system(request, slug).pk if slug else None
        names = ("question", "since", "until", "case_id", "decision_id", "subject")
        given = {name: values.pop(name) for name in names if name in values}
        if values.get("parts"):
            require_fresh(request)  # contents leave with it
        made = request_export(actor=actor, asked=Asked(system_id=system_id, **given), **values)
        nudge(RUNS)
        return Response(_told(actor, made), HTTPStatus.CREATED)


class ExportApi(ForPeople):
    """One export, and how far it is."""

    @extend_schema(operation_id="read_export", tags=TAGS, responses=ExportOutput)
    def get(self, request: Request, export_id: uuid.UUID) -> Response:
        actor = actor_of(request)
        return Response(_told(actor, visible_export(actor, export_id)))


class Answer(StrictSerializer):
    answer = StrictCharField(max_length=20_000, required=False, allow_blank=True)


class ExportApproveApi(ForPeople):
    """Agree, as the second person, with a factor of the last ten minutes."""

    @extend_schema(operation_id="approve_export", tags=TAGS, request=Answer, responses=ExportOutput)
    def post(self, request: Request, export_id: uuid.UUID) -> Response:
        require_fresh(request)
        actor = actor_of(request)
        made = approve_export(actor=actor, export_id=export_id, **checked(Answer, request))
        nudge(RUNS)
        return Response(_told(actor, made))


class ExportRefuseApi(ForPeople):
    """Say no, as the second person."""

    @extend_schema(operation_id="refuse_export", tags=TAGS, request=Answer, responses=ExportOutput)
    def post(self, request: Request, export_id: uuid.UUID) -> Response:
        actor = actor_of(request)
        return Response(_told(actor, refuse_export(actor=actor, export_id=export_id, **checked(Answer, request))))


class ExportWithdrawApi(ForPeople):
    """Take one's own request back before it is answered."""

    @extend_schema(operation_id="withdraw_export", tags=TAGS, request=None, responses=ExportOutput)
    def post(self, request: Request, export_id: uuid.UUID) -> Response:
        actor = actor_of(request)
        return Response(_told(actor, withdraw_export(actor=actor, export_id=export_id)))


class ExportCancelApi(ForPeople):
    """Give up what waits to be made, or is being made: whoever asked, or may have agreed."""

    @extend_schema(operation_id="cancel_export", tags=TAGS, request=None, responses=ExportOutput)
    def post(self, request: Request, export_id: uuid.UUID) -> Response:
        actor = actor_of(request)
        return Response(_told(actor, cancel_export(actor=actor, export_id=export_id)))


class ZipRenderer(BaseRenderer):
    """For `Accept: application/zip`; the response is made already."""

    media_type = "application/zip"
    format = "zip"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return JSONRenderer().render(data)


class ExportFileApi(ForPeople):
    """The file of an export, for whoever asked for it."""

    renderer_classes = (JSONRenderer, ZipRenderer)

    @extend_schema(
        operation_id="fetch_export",
        tags=TAGS,
        parameters=[
            OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="`bytes=FIRST-LAST`, one range."),
            OpenApiParameter(
                "If-Range", str, OpenApiParameter.HEADER, description="The ETag of what is there already."
            ),
        ],
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (206, "application/zip"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, export_id: uuid.UUID) -> HttpResponseBase:
        """Whole, or one range of it. That a download began is sealed; going on with it is the same download."""
        return file_response(request._request, actor_of(request), export_id)

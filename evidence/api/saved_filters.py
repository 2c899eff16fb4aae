"""Saved filters over the API, for people."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.models import SavedFilter
from audit.services.saved_filters import (
    FilterValues,
    delete_filter,
    save_filter,
    update_filter,
    visible_filter,
    visible_filters,
)
from evidence.api.askers import Asker
from evidence.questions import KeptConditions, KeptTerms, filter_of_kept, kept_conditions
from governance.api.authentication import IsPerson
from governance.api.strict import StrictCharField, StrictSerializer, checked

TAGS = ["saved filters"]


class FilterOutput(serializers.ModelSerializer[SavedFilter]):
    """A filter that somebody keeps. `conditions` are those of the list, with the AI system by its slug."""

    is_search = serializers.SerializerMethodField(help_text="There is more, which its owner reads one by one.")

    class Meta:
        model = SavedFilter
        fields: tuple[str, ...] = (
            "id", "name", "conditions", "is_search", "shared", "owner_id", "created_at", "updated_at",
        )  # fmt: skip

    def get_is_search(self, row: SavedFilter) -> bool:
        return bool(row.terms)


class OneFilterOutput(FilterOutput):
    """With what is searched for."""

    class Meta(FilterOutput.Meta):
        fields = (*FilterOutput.Meta.fields, "terms")


class FilterBody(StrictSerializer):
    """The filter of the list, and `terms` to search for in it. A subject is a term: conditions stand in addresses."""

    name = StrictCharField(max_length=100)
    conditions = KeptConditions(required=False)
    terms = KeptTerms(required=False)
    shared = serializers.ChoiceField(choices=SavedFilter.Shared.choices, required=False, default="nobody")


class SavedFiltersApi(APIView):
    """Filters of one's own, and those that others share."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="list_saved_filters", tags=TAGS, responses=FilterOutput(many=True))
    def get(self, request: Request) -> Response:
        asker = Asker.of(request)
        return Response(FilterOutput(visible_filters(asker.actor, asker.reach)[:500], many=True).data)

    @extend_schema(operation_id="save_filter", tags=TAGS, request=FilterBody, responses={201: OneFilterOutput})
    def post(self, request: Request) -> Response:
        asker = Asker.of(request)
        kept = save_filter(actor=asker.actor, reach=asker.reach, values=_values(request, asker))
        return Response(OneFilterOutput(kept).data, HTTPStatus.CREATED)


class SavedFilterApi(APIView):
    """One saved filter."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="read_saved_filter", tags=TAGS, responses=OneFilterOutput)
    def get(self, request: Request, filter_id: uuid.UUID) -> Response:
        asker = Asker.of(request)
        return Response(OneFilterOutput(visible_filter(asker.actor, asker.reach, filter_id)).data)

    @extend_schema(operation_id="update_saved_filter", tags=TAGS, request=FilterBody, responses=OneFilterOutput)
    def put(self, request: Request, filter_id: uuid.UUID) -> Response:
        asker = Asker.of(request)
        values = _values(request, asker)
        row = update_filter(actor=asker.actor, reach=asker.reach, filter_id=filter_id, values=values)
        return Response(OneFilterOutput(row).data)

    @extend_schema(operation_id="delete_saved_filter", tags=TAGS, responses={204: None})
    def delete(self, request: Request, filter_id: uuid.UUID) -> Response:
        delete_filter(actor=Asker.of(request).actor, filter_id=filter_id)
        return Response(status=HTTPStatus.NO_CONTENT)


def _values(request: Request, asker: Asker) -> FilterValues:
    """Errors: `SystemNotFound`, `CaseNotFound`, `Forbidden` where it names what is out of reach."""
    sent = checked(FilterBody, request)
    conditions = kept_conditions(sent.pop("conditions", {}))
    asked = filter_of_kept(asker.actor, asker.reach, conditions)
    return FilterValues(
        conditions=conditions,
        terms=sent.pop("terms", {}),
        system_ids=frozenset({asked.system_id}) if asked.system_id else frozenset(),
        is_personal=asked.case_id is not None,
        **sent,
    )

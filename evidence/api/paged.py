"""Lists of the API, a page at a time."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.restricted_texts import for_reading, to_read
from config.pagination import KeysetPagination
from governance.api.authentication import actor_of
from ledger.rows import GovernedRow

PAGED = [OpenApiParameter("cursor", str), OpenApiParameter("limit", int)]


def page_of(output: type[serializers.Serializer[Any]]) -> Any:
    """The shape of a page."""
    return inline_serializer(
        f"{output.__name__.removesuffix('Output')}Page",
        {
            "items": output(many=True),
            "next_cursor": serializers.CharField(allow_null=True),
            "previous_cursor": serializers.CharField(allow_null=True),
        },
    )


def paged(request: Request, rows: QuerySet[Any], output: type[serializers.Serializer[Any]]) -> Response:
    """The newest first, as whoever asks may read them."""
    paging = KeysetPagination()
    found = for_reading(actor_of(request), paging.paginate_queryset(rows, request))
    return paging.get_paginated_response(output(found, many=True).data)


def answered(request: Request, row: GovernedRow, output: type[serializers.BaseSerializer[Any]]) -> Any:
    """One row, as whoever asks may read it."""
    actor = actor_of(request)
    return output(to_read(actor, row), context={"actor": actor}).data

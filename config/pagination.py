"""Keyset paging, both ways: a page starts after a place, not after a count, so writes never shift or repeat rows.

A cursor is encrypted: it says "before or after these key values" for one ordering of one model to us, and to whoever
holds it nothing: the row that it names may be one that they may not know of.
The key's last field must be unique; `id`, a UUIDv7, is both the recorded order and the tie-break.
"""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, Self, TypeVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.utils.crypto import salted_hmac
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import FieldProblem, InvalidInput

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
NONCE_BYTES = 12

M = TypeVar("M", bound=Model)


class InvalidCursor(InvalidInput):
    code = "invalid-cursor"
    status = 400
    title = "The cursor does not lead anywhere"
    meaning = "A cursor is taken unchanged from an earlier answer to the same question; it cannot be made or edited."
    default_detail = "This cursor was not given out for this list. Start again without one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[M]):
    """Some rows, in the list's order, and the cursors to the pages beside it."""

    items: list[M]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place between rows. `inclusive`: the row of that key itself still belongs to the page."""

    forward: bool
    inclusive: bool
    values: tuple[str, ...]

    def encode(self, scope: str) -> str:
        body, nonce = orjson.dumps([int(self.forward), int(self.inclusive), *self.values]), os.urandom(NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + _cipher().encrypt(nonce, body, scope.encode())).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, scope: str) -> Self:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            body = _cipher().decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], scope.encode())
        except (ValueError, InvalidTag) as error:
            raise InvalidCursor(errors=[_field_problem()]) from error
        forward, inclusive, *values = orjson.loads(body)
        return cls(forward=bool(forward), inclusive=bool(inclusive), values=tuple(values))


def _cipher() -> AESGCM:
    """The scope is authenticated beside what is encrypted, so a cursor serves its own list alone."""
    return AESGCM(salted_hmac("answerable.cursor", "", algorithm="sha256").digest())


def _field_problem() -> FieldProblem:
    return FieldProblem(
        pointer="/cursor", detail="Not a cursor of this list.", expected="a cursor from an earlier page"
    )


def keyset_page(
    queryset: QuerySet[M],
    *,
    key: Sequence[str] = ("id",),
    descending: bool = True,
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
    scope: str = "",
) -> Page[M]:
    """One page of `queryset`, which may be filtered but not sliced; the newest first unless told otherwise.

    `key` are concrete, never-null fields of the model that an index covers in this order. `scope` ties cursors to a
    question (for example a digest of its filters); a cursor of another scope, order or model is refused.
    """
    reader = _Reader(model=queryset.model, key=tuple(key), descending=descending, scope=scope)
    place = Cursor.decode(cursor, reader.full_scope) if cursor else None
    backward = place is not None and not place.forward
    rows = queryset.order_by(*reader.order(reverse=backward))
    if place is not None:
        rows = rows.filter(reader.beyond(place))
    found = list(rows[: limit + 1])
    more, items = len(found) > limit, found[:limit]
    return reader.page(items[::-1] if backward else items, place=place, more=more)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    model: type[Model]
    key: tuple[str, ...]
    descending: bool
    scope: str

    @property
    def full_scope(self) -> str:
        return orjson.dumps([self.model._meta.label_lower, *self.key, self.descending, self.scope]).decode()

    def order(self, *, reverse: bool) -> list[str]:
        sign = "-" if self.descending != reverse else ""
        return [sign + name for name in self.key]

    def beyond(self, place: Cursor) -> Q:
        """(a, b) < (x, y), written out as a < x OR (a = x AND b < y): PostgreSQL walks the index from there."""
        compare = "lt" if self.descending == place.forward else "gt"
        values = [self._value(name, text) for name, text in zip(self.key, place.values, strict=True)]
        condition, equal = Q(), Q()
        for position, (name, value) in enumerate(zip(self.key, values, strict=True)):
            last = position == len(self.key) - 1
            step = compare + "e" if last and place.inclusive else compare
            condition |= equal & Q(**{f"{name}__{step}": value})
            equal &= Q(**{name: value})
        # the plain bound on the first field is implied, but lets the planner use it as an index condition
        return Q(**{f"{self.key[0]}__{compare}e": values[0]}) & condition

    def _value(self, name: str, text: str) -> Any:
        try:
            return _field(self.model, name).to_python(text)
        except ValidationError as error:
            raise InvalidCursor(errors=[_field_problem()]) from error

    def page(self, items: list[Any], *, place: Cursor | None, more: bool) -> Page[Any]:
        backward = place is not None and not place.forward
        if not items:
            return self._empty_page(place)
        after = self._cursor(items[-1], forward=True) if (more or backward) else None
        before = self._cursor(items[0], forward=False) if (place and (more or not backward)) else None
        return Page(items=items, next_cursor=after, previous_cursor=before)

    def _empty_page(self, place: Cursor | None) -> Page[Any]:
        """Nothing beyond the place any more: the way back starts with the row the reader came from."""
        if place is None:
            return Page(items=[], next_cursor=None, previous_cursor=None)
        back = Cursor(forward=not place.forward, inclusive=True, values=place.values).encode(self.full_scope)
        return Page(
            items=[], next_cursor=None if place.forward else back, previous_cursor=back if place.forward else None
        )

    def _cursor(self, row: Any, *, forward: bool) -> str:
        values = tuple(_field(self.model, name).value_to_string(row) for name in self.key)
        return Cursor(forward=forward, inclusive=False, values=values).encode(self.full_scope)


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    found = model._meta.get_field(name)
    if not isinstance(found, Field):
        raise TypeError(f"{model.__qualname__}.{name} is not a concrete field: it cannot be a key")
    return found


class KeysetPagination(BasePagination):
    """For REST framework lists: `?limit=` and `?cursor=`; the answer is `{items, next_cursor, previous_cursor}`."""

    key: Sequence[str] = ("id",)
    descending = True
    limit_description = f"Rows a page: 1 to {MAX_LIMIT}, {DEFAULT_LIMIT} when not given."
    cursor_description = "`next_cursor` or `previous_cursor` of an earlier answer, unchanged."

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.page: Page[Any] = keyset_page(
            queryset,
            key=self.key,
            descending=self.descending,
            cursor=request.query_params.get("cursor"),
            limit=limit_of(request.query_params.get("limit")),
            scope=filters_digest(request),
        )
        return self.page.items

    def get_paginated_response(self, data: Any) -> Response:
        cursors = {"next_cursor": self.page.next_cursor, "previous_cursor": self.page.previous_cursor}
        return Response({"items": data} | cursors)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        cursor = {"type": ["string", "null"], "description": "Opaque; null where there is no such page."}
        properties = {"items": schema, "next_cursor": cursor, "previous_cursor": cursor}
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limits = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        return [
            _parameter("limit", limits, self.limit_description),
            _parameter("cursor", {"type": "string"}, self.cursor_description),
        ]


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def limit_of(text: str | None) -> int:
    """A page's size as asked for; refused outside its bounds rather than quietly changed."""
    if text is None or text == "":
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT):
        expected = f"a whole number from 1 to {MAX_LIMIT}"
        problem = FieldProblem(pointer="/limit", detail="This is not a page size.", expected=expected)
        raise InvalidInput("The page size is not valid.", errors=[problem])
    return int(text)


def filters_digest(request: Request) -> str:
    """The question a cursor belongs to: a cursor of one filter would skip rows of another."""
    asked = sorted((name, value) for name, values in request.query_params.lists() for value in values)
    kept = [pair for pair in asked if pair[0] not in {"cursor", "limit"}]
    return sha256(orjson.dumps(kept)).hexdigest() if kept else ""

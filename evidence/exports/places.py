"""The entries that an export discloses beside its ranges, or withholds inside one: rows, as there may be a million."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from django.db import connection
from django.db.models import QuerySet

from evidence.exports.models import Export, ExportPlace
from evidence.exports.trails import Place

AT_ONCE = 2_000
T = TypeVar("T")

PUT = """
    INSERT INTO evidence_exportplace (export_id, log_id, leaf_index, is_withheld, is_asked_for)
    SELECT %s, p.log_id, p.leaf_index, %s, %s FROM unnest(%s::uuid[], %s::int8[]) AS p(log_id, leaf_index)
    ON CONFLICT (export_id, log_id, leaf_index) DO UPDATE
        SET is_withheld = evidence_exportplace.is_withheld OR EXCLUDED.is_withheld,
            is_asked_for = evidence_exportplace.is_asked_for OR EXCLUDED.is_asked_for
"""


def put(export: Export, places: Iterable[Place], *, asked_for: bool = False, withheld: bool = False) -> None:
    """Put places down; one that stands there already gets what is new of it."""
    for slice_ in sliced(set(places)):
        logs, indexes = zip(*slice_, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(PUT, [export.pk, withheld, asked_for, list(logs), list(indexes)])


def clear(export_id: uuid.UUID) -> bool:
    """Forget some of the places of an export; whether there were any left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM evidence_exportplace WHERE (export_id, log_id, leaf_index) IN"
            " (SELECT export_id, log_id, leaf_index FROM evidence_exportplace WHERE export_id = %s LIMIT %s)",
            [export_id, 10 * AT_ONCE],
        )
        cleared: int = cursor.rowcount
    return cleared > 0


def owners() -> Iterator[uuid.UUID]:
    """The exports that have places: one look into the index for each, however many places there are."""
    last = uuid.UUID(int=0)
    rows = ExportPlace.objects.order_by("export_id", "log_id", "leaf_index").values_list("export_id", flat=True)
    while (found := rows.filter(export_id__gt=last).first()) is not None:
        yield found
        last = found


def highest(export: Export, log_id: uuid.UUID) -> int | None:
    """The highest place of a log."""
    return _of(export, log_id).order_by("-leaf_index").values_list("leaf_index", flat=True).first()


def next_places(export: Export, log_id: uuid.UUID, first: int, end: int, limit: int) -> list[tuple[int, bool, bool]]:
    """The next places (index, withheld, asked for) of a log from an index on, below `end`."""
    rows = _of(export, log_id).filter(leaf_index__gte=first, leaf_index__lt=end).order_by("leaf_index")
    return list(rows.values_list("leaf_index", "is_withheld", "is_asked_for")[:limit])


def withheld_between(export: Export, log_id: uuid.UUID, first: int, end: int) -> int:
    return _of(export, log_id).filter(is_withheld=True, leaf_index__gte=first, leaf_index__lt=end).count()


def _of(export: Export, log_id: uuid.UUID) -> QuerySet[ExportPlace]:
    return ExportPlace.objects.filter(export_id=export.pk, log_id=log_id)


def sliced(rows: Iterable[T]) -> Iterator[Sequence[T]]:
    left = iter(rows)
    while part := list(islice(left, AT_ONCE)):
        yield part

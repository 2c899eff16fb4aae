"""What came since: texts that name somebody and were written after an erasure was looked for.

Nobody agreed to erase them, so they stay; but whoever asked is told how many there are before the request's own words
go, by which alone they can be told. In slices, of rows that are newer than the request; drafts and filters are changed
in place, so of those all are looked at.
"""

import json
import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from audit.models import ErasureRequest, ErasureScan
from config.ids import id_at
from evidence.erasure.finding import Pattern, plain
from evidence.erasure.places import QUARANTINE_PLACE, TEXT_PLACE, TEXTS, WORDS, Words
from governance.services.erasing import NAMING
from intake.models import QuarantinedRecord
from ledger.models import Particulars

AT_ONCE = 1_000
BEHIND = timedelta(hours=1)
"""Clocks of hosts differ, and ids are made by them. What was found already is not counted again."""
Slice = tuple[set[uuid.UUID], uuid.UUID | None]
"""Which rows of a slice name somebody, and where it ends; None at the end of all."""


def look_for_newer(request: ErasureRequest) -> int | None:
    """Look through the next slice. Returns how many there are, once all was looked through. Errors: the database's."""
    pattern = Pattern.of(request)
    with transaction.atomic():
        scan = ErasureScan.objects.select_for_update().get(request=request)
        places = _places(request) if pattern.texts else {}
        place = scan.newer.get("place") or next(iter(places), "")
        found = int(scan.newer.get("found", 0))
        if place and not scan.newer.get("is_over"):
            after = scan.newer.get("cursor")
            named, end = places[place](pattern, uuid.UUID(after) if after else None)
            known = request.finds.filter(item_id__in=named).values_list("item_id", flat=True)
            found += len(named - set(known))
            names = list(places)
            following = place if end else next(iter(names[names.index(place) + 1 :]), "")
            scan.newer = {"place": following, "cursor": str(end) if end else None, "found": found}
        scan.newer["is_over"] = not scan.newer.get("place")
        scan.save(update_fields=["newer"])
    return found if scan.newer["is_over"] else None


def forget_newer(request: ErasureRequest) -> None:
    """Begin anew the next time: it is asked for again."""
    ErasureScan.objects.filter(request=request).update(newer={})


def _places(request: ErasureRequest) -> dict[str, Callable[[Pattern, uuid.UUID | None], Slice]]:
    since = id_at(request.created_at - BEHIND)
    found: dict[str, Callable[[Pattern, uuid.UUID | None], Slice]] = {
        TEXT_PLACE: partial(_texts, request, since),
        QUARANTINE_PLACE: partial(_records, since),
    }
    return found | {words.name: partial(_words, words) for words in WORDS}


def _texts(request: ErasureRequest, since: uuid.UUID, pattern: Pattern, after: uuid.UUID | None) -> Slice:
    """Versions of texts; not the request's own, nor the register's names of staff, nor those about its decisions that
    are kept because somebody refused.
    """
    rows = Particulars.objects.filter(pk__gt=after or since, data__isnull=False)
    slice_ = list(rows.order_by("pk").values_list("pk", "row_id", "data")[:AT_ONCE])
    named = {pk: row for pk, row, data in slice_ if pattern.names_in([plain(bytes(data or b""))])}
    own = {request.pk, *request.consents.values_list("pk", flat=True)}
    for model in NAMING if named else ():
        own |= set(model._base_manager.filter(pk__in=named.values()).values_list("pk", flat=True))
    refused = request.targets.exclude(decision_id__in=request.steps.values("item_id"))
    kept = list(refused.values_list("decision_id", flat=True)) if named else []
    for place in TEXTS if named else ():
        own |= set(place.rows(kept).filter(pk__in=named.values()).values_list("pk", flat=True))
    return {pk for pk, row in named.items() if row not in own}, _end(pk for pk, _, _ in slice_)


def _records(since: uuid.UUID, pattern: Pattern, after: uuid.UUID | None) -> Slice:
    rows = QuarantinedRecord.objects.filter(pk__gt=after or since, original__isnull=False)
    slice_ = list(rows.order_by("pk").values_list("pk", "original", "problems")[:AT_ONCE])
    named = {
        pk
        for pk, original, problems in slice_
        if pattern.names_in([plain(bytes(original or b"")), _strung(problems or {})])
    }
    return named, _end(pk for pk, _, _ in slice_)


def _words(words: Words, pattern: Pattern, after: uuid.UUID | None) -> Slice:
    rows: QuerySet[Any] = words.model._default_manager.filter(words.kept)
    rows = rows.filter(pk__gt=after) if after else rows
    slice_ = list(rows.order_by("pk").values_list("pk", *words.columns)[:AT_ONCE])
    named = {pk for pk, *said in slice_ if pattern.names_in([_strung(each) for each in said])}
    return named, _end(pk for pk, *_ in slice_)


def _strung(said: Any) -> str:
    return plain(said.encode() if isinstance(said, str) else json.dumps(said, ensure_ascii=False).encode())


def _end(ids: Iterable[uuid.UUID]) -> uuid.UUID | None:
    """Where to go on; None where the slice was not full."""
    seen = list(ids)
    return seen[-1] if len(seen) == AT_ONCE else None

"""Texts that are restricted: found by their words, and inside a floor of their own, until they may be erased.

A data protection officer alone reads them; to everybody else `NOTICE` stands in their place. One place decides, this
one, and rows are given out by `for_reading`. What a later version of a row says as the restricted one said it stays
restricted; what was written anew is readable.
"""

import copy
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, TextField

from audit.models import ErasureConsent, ErasureFind, ErasureStep, TextRestriction
from audit.models.erasures import RESTRICTING
from audit.restrictions import AT_ONCE, reads_restricted
from config.ids import id_at
from ledger.entries import Actor
from ledger.erasing import emptied
from ledger.models import Particulars
from ledger.rows import PARTICULARS_PART, GovernedRow

NOTICE = "Restricted: this is about to be erased, and only a data protection officer reads it until then."
Columns = frozenset[str]
WHOLE: Columns = frozenset({""})
"""Of a version that has no columns: a reason."""
NONE: Columns = frozenset()
R = TypeVar("R", bound=GovernedRow)


def texts_in_force() -> QuerySet[TextRestriction]:
    """The restrictions that hold: without those of words whose accountable person, asked again, refused, and of what
    was erased since."""
    refused = ErasureConsent.objects.filter(request_id=OuterRef("request_id"), status=ErasureConsent.Status.REFUSED)
    freed = ErasureFind.objects.filter(
        Q(system_id__in=refused.values("system_id")) | Q(Exists(refused.filter(system_id=None)), system_id=None),
        request_id=OuterRef("request_id"),
        item_id=OuterRef("item_id"),
    )
    erased = ErasureStep.objects.filter(request_id=OuterRef("request_id"), item_id=OuterRef("item_id"))
    return TextRestriction.objects.filter(~Exists(freed), ~Exists(erased), request__status__in=RESTRICTING)


# --- rows -------------------------------------------------------------------------------------------------------------
def for_reading(actor: Actor | None, rows: Iterable[R]) -> list[R]:
    """These rows as somebody may read them: `restricted` names the columns of each that are restricted, for everybody;
    to whoever does not read those, `NOTICE` stands in their place, and `covered` names them. Such a row is a copy for
    showing, and is refused where it is saved.

    `actor` None: whoever it may be. One query where nothing of them is restricted.
    """
    given = list(rows)
    found = _columns_by_version([row.pk for row in given])
    if not found:
        return given
    show = _marked if actor is not None and reads_restricted(actor) else _covered
    return [show(row, found.get(row.particulars_id or row.pk, NONE)) for row in given]


def to_read(actor: Actor | None, row: R) -> R:
    """The same of one row."""
    return for_reading(actor, [row])[0]


def as_they_stood(actor: Actor, row: GovernedRow, given: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that somebody sends for a row: in whose place they send the notice that they were shown stays as it is,
    whoever they are by now; and of what they may not read that in whose place they send nothing."""
    covered = to_read(actor, row).covered
    return {
        name: getattr(row, name) if value == NOTICE or (name in covered and value == "") else value
        for name, value in given.items()
    }


def _covered(row: R, columns: Columns) -> R:
    if not columns:
        return row
    shown, nothing = copy.copy(row), emptied(type(row))
    for name in columns & nothing.keys():
        is_text = isinstance(row._meta.get_field(name), CharField | TextField)
        setattr(shown, name, NOTICE if is_text else nothing[name])
    shown.restricted = shown.covered = columns
    return shown


def _marked(row: R, columns: Columns) -> R:
    row.restricted = columns
    return row


# --- versions of texts ------------------------------------------------------------------------------------------------
def restricted_versions(row_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Of these rows the versions that are restricted, or say something of one that is; reasons among them."""
    return frozenset(_columns_by_version(row_ids))


def barred_versions(actor: Actor, row_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """The same, for whoever does not read what is restricted."""
    found = restricted_versions(row_ids)
    return frozenset() if found and reads_restricted(actor) else found


def barred_rows(actor: Actor, row_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Of rows without a trail (records of quarantine, drafts of reviews) those that are restricted from somebody."""
    rows = texts_in_force().filter(row_id__in=row_ids, item_id__in=row_ids)
    found = frozenset(rows.values_list("row_id", flat=True)) if row_ids else frozenset()
    return frozenset() if found and reads_restricted(actor) else found


def _columns_by_version(row_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Columns]:
    """Of each version of these rows which of its columns are restricted; without those of which none is."""
    items = set(texts_in_force().filter(row_id__in=row_ids).values_list("item_id", flat=True)) if row_ids else set()
    if not items:
        return {}
    found: dict[uuid.UUID, Columns] = {}
    said: dict[uuid.UUID, dict[uuid.UUID, dict[str, Any]]] = defaultdict(dict)
    about = Particulars.objects.filter(pk__in=items).values("row_id")
    for version in Particulars.objects.filter(row_id__in=about, data__isnull=False):
        if version.part == PARTICULARS_PART:
            said[version.row_id][version.pk] = json.loads(bytes(version.data or b"{}"))
        elif version.pk in items:
            found[version.pk] = WHOLE
    for versions in said.values():
        restricted = [words for pk, words in versions.items() if pk in items]
        for pk, words in versions.items():
            if columns := _restricted_of(words, restricted):
                found[pk] = columns
    return found


def _restricted_of(words: dict[str, Any], restricted: Iterable[dict[str, Any]]) -> Columns:
    return frozenset(
        name for name, value in words.items() if value and any(each.get(name) == value for each in restricted)
    )


# --- by the entries that restricted them ------------------------------------------------------------------------------
def entries_restricting_texts() -> list[uuid.UUID]:
    """The entries by which a text is restricted now."""
    return sorted(texts_in_force().order_by().values_list("entry_id", flat=True).distinct())


def texts_restricted_by(entry_ids: Collection[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    """The versions that these entries restricted, as far as they still are; some at a time."""
    yield from _versions_at_a_time(texts_in_force().filter(entry_id__in=entry_ids))


def texts_restricted_since(
    entry_ids: Collection[uuid.UUID], since: datetime | None = None
) -> Iterator[list[uuid.UUID]]:
    """The versions that are restricted by other entries than these, and by none before `since`; some at a time."""
    found = texts_in_force().exclude(entry_id__in=entry_ids)
    if since:
        found = found.filter(entry_id__gte=id_at(since))
    yield from _versions_at_a_time(found)


def _versions_at_a_time(found: QuerySet[TextRestriction]) -> Iterator[list[uuid.UUID]]:
    rows, last = found.order_by("row_id").values_list("row_id", flat=True).distinct(), uuid.UUID(int=0)
    while ids := list(rows.filter(row_id__gt=last)[:AT_ONCE]):
        last = ids[-1]
        yield sorted(restricted_versions(ids))

"""Emptying governed rows: what stands in the row. Its versions go by functions of the database, by a warrant.

A row whose texts were erased has nothing in its erasable columns, and its version in `Particulars` neither bytes nor
secret. The next sealed change of it begins a new version.
"""

import uuid
from collections.abc import Collection, Iterable
from hashlib import sha256
from typing import Any

from django.db import models

from ledger.models import Particulars
from ledger.rows import GovernedRow


def digest_of(ids: Iterable[uuid.UUID]) -> str:
    """SHA-256, in hex, over the sixteen bytes of each id, in ascending order.

    >>> digest_of([])[:8]
    'e3b0c442'
    """
    return sha256(b"".join(each.bytes for each in sorted(ids))).hexdigest()


def counted(ids: Iterable[uuid.UUID]) -> dict[str, Any]:
    """What an entry says of the rows that it erases beside the one it is about; nothing where there are none."""
    found = list(ids)
    return {"with": {"count": len(found), "digest": digest_of(found)}} if found else {}


def emptied(model: type[GovernedRow]) -> dict[str, Any]:
    """What the erasable columns of a model hold once erased."""
    return {name: _nothing(model._meta.get_field(name)) for name in model.ERASABLE_FIELDS}


def _nothing(field: Any) -> Any:
    if field.null:
        return None
    if isinstance(field, models.JSONField):
        return field.get_default()
    if isinstance(field, models.CharField | models.TextField):
        return ""
    raise TypeError(f"{field} has no value that says nothing")


def empty_rows(model: type[GovernedRow], ids: Collection[uuid.UUID]) -> int:
    """Empty the erasable columns of rows whose newest version is erased in this transaction. Returns how many.

    No change of a governed row: its state commits to the version, and that stays.
    """
    return model._base_manager.filter(pk__in=ids).update(**emptied(model)) if ids and model.ERASABLE_FIELDS else 0


def kept_versions(row_ids: Collection[uuid.UUID]) -> list[Particulars]:
    """All versions of texts about these rows that were not erased, reasons among them; without what they say."""
    rows = Particulars.objects.filter(row_id__in=row_ids, secret__isnull=False)
    return list(rows.defer("data", "secret").order_by("id"))

"""What is past its time: of each place the rows that a purge would take, how many, and what keeps others back."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Greatest

from audit.models import DataKind, Decision, Payload, Purge
from audit.retention import Place, Terms, terms_in_force
from audit.services.search_runs import TERMS_PART
from evidence.erasure.places import TEXTS, Texts
from evidence.models import ExplanationLetter
from evidence.retention.keeping import IN_CASES, kept_back
from ledger.entries import timestamp
from ledger.models import Particulars

PURGED = (DataKind.PAYLOADS, DataKind.PEOPLE_SAID, DataKind.LETTERS, DataKind.CASES, DataKind.SEARCHES)
"""Kinds that go by a purge. Quarantine goes by itself, hour by hour; names of people take two people each."""
COUNTED = 50_000
"""Rows are counted as far as this; more is told as so many at least."""
LOOKED_AT = 2_000
"""So many of them are asked for what keeps them back."""
MOST_PARTS = 150
"""Of one purge: its entry has room for so many; the rest has its turn next time, and is told as due meanwhile."""
NEXT_TIME = timedelta(days=2)
"""Beside the days of notice, how long a purge and the announcement of the next one may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What of one place is past its time."""

    kind: DataKind
    system_id: uuid.UUID | None
    class_id: uuid.UUID
    before: datetime
    since: datetime | None
    """What is older was taken by earlier purges, or kept back there."""
    count: int
    kept: int
    """Of those that were looked at: kept by a hold, or still worked on."""

    def said(self) -> dict[str, Any]:
        """As an entry and a purge's row say it."""
        return {
            "kind": str(self.kind),
            "system": str(self.system_id) if self.system_id else None,
            "class": str(self.class_id),
            "before": timestamp(self.before),
            "since": timestamp(self.since) if self.since else None,
            "count": self.count,
            "kept": self.kept,
        }


def ahead() -> timedelta:
    """How long it is from one purge to the next."""
    return timedelta(days=settings.PURGE_NOTICE_DAYS) + NEXT_TIME


def due_at(at: datetime) -> list[Due]:
    """What a purge at a moment would take, by place."""
    found = (_due(place, terms, at) for place, terms in sorted(terms_in_force().items(), key=lambda each: str(each[0])))
    return [each for each in found if each is not None and each.count]


def _due(place: Place, terms: Terms, at: datetime) -> Due | None:
    kind, system_id = place
    before = terms.due_before(at, ahead())
    if before is None or kind not in PURGED or terms.rule is None:
        return None
    since = swept_to(kind, system_id)
    count = sum(rows[: COUNTED + 1].count() for rows in candidates(kind, system_id, since, before))
    kept = sum(len(kept_back(kind, rows[:LOOKED_AT])) for rows in candidates(kind, system_id, since, before))
    return Due(
        kind=kind,
        system_id=system_id,
        class_id=terms.rule.retention_class_id,
        before=before,
        since=since,
        count=count,
        kept=kept,
    )


def swept_to(kind: DataKind, system_id: uuid.UUID | None) -> datetime | None:
    """How far earlier purges have taken everything of a place."""
    system = str(system_id) if system_id else None
    for purge in Purge.objects.filter(status=Purge.Status.DONE).order_by("-id")[:200]:
        for part in purge.done:
            if (part["kind"], part["system"]) == (str(kind), system) and part.get("swept_to"):
                return datetime.fromisoformat(part["swept_to"])
    return None


# --- the rows ---------------------------------------------------------------------------------------------------------
def candidates(
    kind: DataKind, system_id: uuid.UUID | None, since: datetime | None, before: datetime
) -> Iterator[QuerySet[Any]]:
    """What of a place has something left in it and is that old, table by table, each in the order of its ids."""
    mine: dict[str, Any] = {"system_id": system_id}
    match kind:
        case DataKind.PAYLOADS:
            kept = Exists(Payload.objects.filter(id=OuterRef("id"), secret__isnull=False))
            yield _between(Decision.objects.filter(kept, **mine), "recorded_at", since, before)
        case DataKind.PEOPLE_SAID:
            for place in said():
                found = place.model._base_manager.filter(_has_words(), **{_system_of(place): system_id})
                yield _between(_written(found, "created_at", before), "written", since, before)
        case DataKind.LETTERS:
            issued = ExplanationLetter.objects.filter(_has_words(), **mine)
            yield _between(_written(issued, "issued_at", before), "written", since, before)
        case DataKind.CASES:
            # newer words may be written of a case that is closed: a cursor would pass them by
            for model, path in IN_CASES.items():
                case = path.removesuffix("pk").removesuffix("_id")
                closed = {f"{case}__closed_at__lt".lstrip("_"): before}
                yield model._base_manager.filter(_has_words(), **closed).order_by("pk")
        case DataKind.SEARCHES:
            terms = Particulars.objects.filter(part=TERMS_PART, secret__isnull=False)
            yield _between(terms, "created_at", since, before)


def said() -> Iterator[Texts]:
    """Rows in which people wrote about decisions; letters are a kind of their own."""
    return (each for each in TEXTS if each.model is not ExplanationLetter)


def _system_of(place: Texts) -> str:
    return place.path.replace("decision_id", "system_id")


def _has_words() -> Q:
    return Q(Exists(Particulars.objects.filter(row_id=OuterRef("pk"), secret__isnull=False)))


def _written(rows: QuerySet[Any], column: str, before: datetime) -> QuerySet[Any]:
    """With when somebody last wrote into a row: what came later is kept as long as if the row had been made then."""
    versions = Particulars.objects.filter(row_id=OuterRef("pk")).order_by()
    last = versions.values("row_id").annotate(last=Max("created_at")).values("last")
    old: QuerySet[Any] = rows.filter(**{f"{column}__lt": before}).annotate(written=Greatest(column, Subquery(last)))
    return old


def _between(rows: QuerySet[Any], column: str, since: datetime | None, before: datetime) -> QuerySet[Any]:
    rows = rows.filter(**{f"{column}__lt": before})
    rows = rows.filter(**{f"{column}__gte": since}) if since else rows
    return rows.order_by(column, "pk")


After = tuple[Any, ...]
"""Where in the order of such rows somebody is: the values that they are ordered by."""


def place_in(rows: QuerySet[Any], row: Any) -> After:
    return tuple(getattr(row, str(column)) for column in rows.query.order_by)


def following(rows: QuerySet[Any], after: After | None) -> QuerySet[Any]:
    """Those behind a place in their order."""
    if after is None:
        return rows
    *moments, pk = after
    if not moments:
        return rows.filter(pk__gt=pk)
    column, (at,) = str(rows.query.order_by[0]), moments
    return rows.filter(Q(**{f"{column}__gt": at}) | Q(**{column: at, "pk__gt": pk}), **{f"{column}__gte": at})

"""Filters that people keep and share. No evidence: what a filter finds is decided anew each time, by who asks."""

import json
import uuid
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.errors import FilterNameTaken, FilterNotFound, TooManyFilters
from audit.filters import SAID_AS, DecisionFilter
from audit.models import Payload, SavedFilter
from audit.reach import Reach
from audit.search_terms import Terms
from audit.services.searching import payloads_with
from config.errors import FieldProblem, Forbidden, InvalidInput
from config.pointers import pointer
from governance.models import Person
from ledger.entries import SERVER, Actor

MOST = 50
MAX_NAME, MAX_BYTES = 100, 4_000
CONDITIONS = frozenset({SAID_AS.get(each.name, each.name) for each in fields(DecisionFilter)}) - {"system_id", "also"}
CONDITIONS |= {"system", "period", "overridden"}
TERMS = frozenset(each.name for each in fields(Terms))
SETTLED = timedelta(days=1)
TEXT_KEPT = timedelta(days=180)
"""Whom a text is about cannot be told, so it is not kept for ever; nor what nothing was ever sent for."""
Shared = SavedFilter.Shared


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterValues:
    """What is kept. `conditions`: a filter by the names of the API, as clear JSON values, which whoever calls has
    checked; `terms`: of a search, as `Terms.kept` has them; `system_ids`: the AI systems that it names."""

    name: str
    conditions: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    system_ids: frozenset[uuid.UUID] = frozenset()
    shared: str = Shared.NOBODY
    is_personal: bool = False
    """It names what only some may know of, such as a case: never shared."""


def visible_filters(actor: Actor, reach: Reach) -> QuerySet[SavedFilter]:
    """One's own, and those shared by others that name no AI system out of reach."""
    if actor.type != "person" or actor.id is None:
        return SavedFilter.objects.none()
    shared = ~Q(shared=Shared.NOBODY)
    if reach.system_ids is not None:
        # what is known by a case alone is no membership of an AI system
        shared &= Q(system_ids__contained_by=sorted(reach.system_ids))
        shared = shared if reach.system_ids else Q(pk__in=[])
    return SavedFilter.objects.filter(Q(owner_id=actor.id) | shared)


def visible_filter(actor: Actor, reach: Reach, filter_id: uuid.UUID) -> SavedFilter:
    """Errors: `FilterNotFound`, the same for one out of sight and for none."""
    found = visible_filters(actor, reach).filter(pk=filter_id).first()
    if found is None:
        raise FilterNotFound()
    return found


def save_filter(*, actor: Actor, reach: Reach, values: FilterValues) -> SavedFilter:
    """Keep a filter. Errors: `Forbidden` for whoever sees no decisions, `InvalidInput`, `FilterNameTaken`,
    `TooManyFilters`."""
    if actor.type != "person" or actor.id is None or reach.is_empty:
        raise Forbidden()
    _check(reach, values)
    with transaction.atomic():
        # the owner's row, so that of two at once one waits and the limit holds
        Person.objects.select_for_update().get(pk=actor.id)
        if SavedFilter.objects.filter(owner_id=actor.id).count() >= MOST:
            raise TooManyFilters()
        return _written(SavedFilter(owner_id=actor.id), values)


def update_filter(*, actor: Actor, reach: Reach, filter_id: uuid.UUID, values: FilterValues) -> SavedFilter:
    """Put something else under a filter of one's own. Errors: as `save_filter`, `FilterNotFound`."""
    _check(reach, values)
    with transaction.atomic():
        return _written(_own(actor, filter_id), values)


def delete_filter(*, actor: Actor, filter_id: uuid.UUID) -> None:
    """Errors: `FilterNotFound`, also for somebody else's."""
    with transaction.atomic():
        _own(actor, filter_id).delete()


def forget_filters_of_leavers(*, actor: Actor = SERVER) -> int:
    """Delete what people who left had kept for themselves. What they shared stays, for those who use it."""
    left = Person.objects.filter(is_active=False).values("pk")
    deleted, _ = SavedFilter.objects.filter(shared=Shared.NOBODY, owner_id__in=left).delete()
    return deleted


def forget_searches_of_nobody(*, actor: Actor = SERVER) -> int:
    """Delete kept searches for a subject, label, link or decision of which no payload is left: they go with these.

    Those for a text alone, or for what no payload was ever there of, are deleted half a year after they were last
    changed. The server's own work.
    """
    now = timezone.now()
    kept = SavedFilter.objects.exclude(terms={}).filter(updated_at__lt=now - SETTLED)
    found = {row.pk: (row, _is_of_somebody(row.terms)) for row in kept.iterator()}
    now_there = [pk for pk, (row, is_there) in found.items() if is_there and not row.was_of_somebody]
    SavedFilter.objects.filter(pk__in=now_there).update(was_of_somebody=True)
    over = [pk for pk, (row, is_there) in found.items() if not is_there and _is_over(row, now - TEXT_KEPT)]
    deleted, _ = SavedFilter.objects.filter(pk__in=over).delete()
    return deleted


def _is_over(row: SavedFilter, long_ago: datetime) -> bool:
    return row.was_of_somebody or row.updated_at < long_ago


def _is_of_somebody(kept: dict[str, Any]) -> bool:
    """Whether a payload is there that it is for; of a text alone, that cannot be told."""
    terms = Terms.of(kept)
    if terms.same_as:
        return Payload.objects.filter(pk=terms.same_as, secret__isnull=False).exists()
    return bool(terms.subject or terms.columns()) and payloads_with(terms).exists()


def _own(actor: Actor, filter_id: uuid.UUID) -> SavedFilter:
    found = None
    if actor.type == "person" and actor.id:
        found = SavedFilter.objects.select_for_update().filter(owner_id=actor.id, pk=filter_id).first()
    if found is None:
        raise FilterNotFound()
    return found


def _written(row: SavedFilter, values: FilterValues) -> SavedFilter:
    row.name, row.shared = values.name.strip(), values.shared
    row.conditions, row.terms = values.conditions, values.terms
    row.system_ids = sorted(values.system_ids)
    row.was_of_somebody = _is_of_somebody(values.terms)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if "saved_filter_name_once" in str(error):
            raise FilterNameTaken() from error
        raise
    return row


def _check(reach: Reach, values: FilterValues) -> None:
    problems = [*_shape(values), *_sharing(reach, values)]
    if problems:
        raise InvalidInput(errors=problems)


def _shape(values: FilterValues) -> list[FieldProblem]:
    name = values.name.strip()
    problems = [*_unknown("conditions", values.conditions, CONDITIONS), *_unknown("terms", values.terms, TERMS)]
    if not name or len(name) > MAX_NAME or "\0" in name:
        problems.append(FieldProblem(pointer="/name", detail=f"Give it a name of up to {MAX_NAME} characters."))
    text = json.dumps([values.conditions, values.terms])
    if len(text) > MAX_BYTES or "\\u0000" in text:
        problems.append(FieldProblem(pointer="/conditions", detail="This is more than a filter of the list can hold."))
    return problems


def _unknown(part: str, given: dict[str, Any], known: frozenset[str]) -> list[FieldProblem]:
    """A subject among the conditions would end up in addresses."""
    detail = "The list has no such field."
    return [FieldProblem(pointer=pointer(part, name), detail=detail) for name in sorted(set(given) - known)]


def _sharing(reach: Reach, values: FilterValues) -> list[FieldProblem]:
    if values.shared == Shared.NOBODY:
        return []
    if values.shared not in Shared.values:
        return [FieldProblem(pointer="/shared", detail="This is not known.", expected=", ".join(Shared.values))]
    if values.terms:
        detail = "What was searched for is yours alone. Share the filter without it."
        return [FieldProblem(pointer="/shared", detail=detail)]
    if values.is_personal:
        return [FieldProblem(pointer="/shared", detail="It names a case, which others may not know of.")]
    if values.shared == Shared.SYSTEM and not values.system_ids:
        detail = "To share it with the people of one AI system, let the filter name that system."
        return [FieldProblem(pointer="/shared", detail=detail)]
    if reach.system_ids is not None and not values.system_ids <= reach.system_ids:
        return [FieldProblem(pointer="/shared", detail="You have no role in the AI system that it names.")]
    return []

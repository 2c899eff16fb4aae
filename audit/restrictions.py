"""What is restricted: inside a floor nothing is erased, so a data protection officer alone reads it until it may be.

Restricted is all that an erasure will take: the payload, and what people wrote about the decision. What the entry says
in clear stays readable: it outlives the erasure, too. What was erased is restricted no more, though its request may go
on for other decisions.
"""

import uuid
from collections.abc import Collection, Iterator

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.models import ErasureConsent, ErasureStep, ErasureTarget, Restriction
from audit.models.erasures import RESTRICTING
from governance import rights
from governance.acts import Act
from ledger.entries import Actor

AT_ONCE = 1_000


def in_force() -> QuerySet[Restriction]:
    """The restrictions that hold: without those of AI systems whose accountable person, asked again, refused, and of
    decisions that were erased since."""
    refused = ErasureConsent.objects.filter(request_id=OuterRef("request_id"), status=ErasureConsent.Status.REFUSED)
    freed = ErasureTarget.objects.filter(
        request_id=OuterRef("request_id"),
        decision_id=OuterRef("decision_id"),
        system_id__in=refused.values("system_id"),
    )
    erased = ErasureStep.objects.filter(request_id=OuterRef("request_id"), item_id=OuterRef("decision_id"))
    return Restriction.objects.filter(~Exists(freed), ~Exists(erased), request__status__in=RESTRICTING)


def restricted_among(ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Of these decisions those that are restricted. One query."""
    found = in_force().filter(decision_id__in=ids)
    return frozenset(found.values_list("decision_id", flat=True))


def restricting_entries() -> list[uuid.UUID]:
    """The entries by which something is restricted now."""
    found = in_force().order_by()
    return sorted(found.values_list("entry_id", flat=True).distinct())


def restrictions_in_force(entry_ids: Collection[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    """The decisions that these entries restricted, as far as they still are; some at a time."""
    yield from _some_at_a_time(in_force().filter(entry_id__in=entry_ids))


def restricted_since(entry_ids: Collection[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    """The decisions that are restricted by other entries than these; some at a time."""
    yield from _some_at_a_time(in_force().exclude(entry_id__in=entry_ids))


def _some_at_a_time(rows: QuerySet[Restriction]) -> Iterator[list[uuid.UUID]]:
    rows, last = rows.order_by("decision_id"), uuid.UUID(int=0)
    while found := list(rows.filter(decision_id__gt=last).values_list("decision_id", flat=True)[:AT_ONCE]):
        last = found[-1]
        yield list(dict.fromkeys(found))


def is_restricted(decision_id: uuid.UUID) -> bool:
    return bool(restricted_among([decision_id]))


def is_barred(actor: Actor, decision_id: uuid.UUID) -> bool:
    """Whether it is restricted, and this one is nobody who reads what is."""
    return bool(barred_among(actor, [decision_id]))


def barred_among(actor: Actor, ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Of these decisions those that are restricted, for whoever does not read what is."""
    found = restricted_among(ids)
    return frozenset() if found and reads_restricted(actor) else found


def reads_restricted(actor: Actor) -> bool:
    return rights.can(actor, Act.RESTRICTED_READ)


def unrestricted(actor: Actor) -> Q | None:
    """Of decisions those that are not restricted; None for whoever reads them all."""
    if reads_restricted(actor):
        return None
    return ~Q(Exists(in_force().filter(decision_id=OuterRef("id"))))

"""When the contents of one decision go by themselves, by which class and why; what keeps them; or by what they went.

For whoever may read the decision. That a legal hold covers it is told to those alone who may know of that hold: to
others it is kept back, once its day has come, for one of several reasons.
"""

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db.models import Q
from django.utils import timezone

from audit.case_selectors import held, holds_for
from audit.erasing import floor_ends, in_process
from audit.models import CaseDecision, DataKind, LegalHold, Purge, RetentionClass
from audit.retention import Terms, terms_in_force, terms_of
from audit.selectors import SealedDecision
from ledger.entries import Actor
from ledger.models import Entry, Erasure

PURGED = "retention.purged"
"""The kind of entry that a purge says a slice by. Declared by the floor above, where purges are."""
OTHERS = (DataKind.PEOPLE_SAID, DataKind.LETTERS)


class Fate(enum.StrEnum):
    """What becomes of the contents of a decision, in one word."""

    ENDLESS = "endless"
    RUNNING = "running"
    ANNOUNCED = "announced"
    DUE = "due"
    KEPT_BACK = "kept_back"
    HELD = "held"
    RESTRICTED = "restricted"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Of one decision's payload. Days are counted from when it was recorded."""

    fate: Fate
    class_id: uuid.UUID | None = None
    """The class in force, or by which it went; None: the default holds, or no class took it."""
    class_name: str = ""
    floor_days: int | None = None
    floor_source: str = ""
    floor_ends_at: datetime | None = None
    ceiling_days: int | None = None
    purpose: str = ""
    ends_at: datetime | None = None
    """When the ceiling is reached; a purge takes it around then."""
    purge_id: uuid.UUID | None = None
    purge_runs_at: datetime | None = None
    """Of the purge that was announced and takes it."""
    holds: tuple[LegalHold, ...] = ()
    gone_at: datetime | None = None
    gone_by: str = ""
    """`purge` or `erasure`; empty where nothing says how it went."""
    others: tuple[tuple[DataKind, Terms], ...] = ()
    """Of what people wrote about it, and letters: where a class makes them go by themselves."""

    @property
    def is_over(self) -> bool:
        """Whether its ceiling is reached by now."""
        return self.ends_at is not None and self.ends_at <= timezone.now()


def expiry_of(actor: Actor, decision: SealedDecision, *, is_gone: bool, is_restricted: bool) -> Expiry:
    """What becomes of it, as one who may see this decision may know. A few queries, whatever there is."""
    if is_gone:
        return _gone(decision)
    known = terms_in_force(decision.system_id)
    found = _counted(decision, terms_of(DataKind.PAYLOADS, decision.system_id, known))
    found = replace(found, others=_others(known, decision.system_id))
    is_held = bool(held([decision.id]))
    if is_held and (holds := _holds_known(actor, decision)):
        return replace(found, fate=Fate.HELD, holds=holds)
    if is_restricted:
        ends = floor_ends([decision.id]).get(decision.id)
        return replace(found, fate=Fate.RESTRICTED, floor_ends_at=ends)
    return _timed(found, decision, is_held=is_held)


def _counted(decision: SealedDecision, terms: Terms) -> Expiry:
    """By the terms that hold for it."""
    rule, at = terms.rule, decision.recorded_at
    held_by = rule.retention_class if rule else None
    return Expiry(
        fate=Fate.ENDLESS if terms.ceiling is None else Fate.RUNNING,
        class_id=held_by.pk if held_by else None,
        class_name=held_by.name if held_by else "",
        floor_days=terms.floor,
        floor_source=held_by.floor_source if held_by else terms.source,
        floor_ends_at=at + timedelta(days=terms.floor),
        ceiling_days=terms.ceiling,
        purpose=held_by.purpose if held_by else "",
        ends_at=None if terms.ceiling is None else at + timedelta(days=terms.ceiling),
    )


def _others(known: Mapping[Any, Terms], system_id: uuid.UUID) -> tuple[tuple[DataKind, Terms], ...]:
    found = ((kind, terms_of(kind, system_id, known)) for kind in OTHERS)
    return tuple((kind, terms) for kind, terms in found if terms.ceiling is not None)


def _timed(found: Expiry, decision: SealedDecision, *, is_held: bool) -> Expiry:
    """Whether a purge is announced that takes it, or its day has come; and whether something keeps it back by then."""
    if found.ends_at is None:
        return found
    purge = _announced(found, decision)
    if purge is None and not found.is_over:
        return found
    if is_held or in_process([decision.id]):
        return replace(found, fate=Fate.KEPT_BACK)
    if purge is None:
        return replace(found, fate=Fate.DUE)
    return replace(found, fate=Fate.ANNOUNCED, purge_id=purge.pk, purge_runs_at=purge.runs_at)


def _announced(found: Expiry, decision: SealedDecision) -> Purge | None:
    """The purge under way that takes it: by the class that holds there still, not kept out by who answers for it."""
    purge = Purge.objects.filter(status__in=[Purge.Status.ANNOUNCED, Purge.Status.RUNNING]).first()
    if purge is None or str(decision.system_id) in purge.stopped:
        return None
    place = (str(DataKind.PAYLOADS), str(decision.system_id), str(found.class_id))
    mine = (part for part in purge.parts if (part["kind"], part["system"], part["class"]) == place)
    return purge if any(decision.recorded_at < datetime.fromisoformat(part["before"]) for part in mine) else None


def _holds_known(actor: Actor, decision: SealedDecision) -> tuple[LegalHold, ...]:
    """The legal holds on it that somebody may know of. A program knows of none."""
    if actor.type != "person":
        return ()
    cases = CaseDecision.objects.filter(decision_id=decision.id).values("case_id")
    at = decision.recorded_at
    covering = Q(case_id__in=cases) | Q(system_id=decision.system_id, since__lte=at, until__gt=at)
    rows = LegalHold.objects.filter(covering, pk__in=holds_for(actor).values("pk"))
    return tuple(rows.exclude(status=LegalHold.Status.LIFTED).select_related("case").order_by("pk"))


def _gone(decision: SealedDecision) -> Expiry:
    """By the entry that erased it; a purge's names the class."""
    erased = Erasure.objects.filter(row_id=decision.id).order_by("-id").first()
    entry = Entry.objects.filter(id=erased.entry_id).first() if erased else None
    if erased is None or entry is None:
        return Expiry(fate=Fate.GONE)
    found = Expiry(fate=Fate.GONE, gone_at=erased.erased_at, gone_by="erasure")
    if entry.kind != PURGED:
        return found
    class_id = uuid.UUID(msgspec.json.decode(bytes(entry.data))["body"]["class"])
    held_by = RetentionClass.objects.filter(pk=class_id).first()
    found = replace(found, gone_by="purge", class_id=class_id, purge_id=entry.about_id)
    if held_by is None:
        return found
    return replace(found, class_name=held_by.name, ceiling_days=held_by.ceiling_days, purpose=held_by.purpose)

"""What happened to an erasure or a purge, from its entries."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from audit.models import ErasureRequest, Purge
from console.timelines import actor_name, names_of
from evidence.kinds import ERASURE_REQUESTED
from ledger.kinds import Kind
from ledger.models import Entry, Particulars

STEPS = (
    "erasure.performed",
    "person.erased",
    "retention.purged",
)
"""One for each row or slice: their counts stand on the page, and each in the log."""
TONES = {
    "erasure.held": "bad",
    "retention.held": "bad",
    "retention.part_held": "bad",
    "erasure.completed": "ok",
    "retention.concluded": "ok",
}


@dataclass(frozen=True, slots=True)
class Happened:
    at: datetime
    what: str
    who: str
    tone: str
    why: str = ""


def story_of(row: ErasureRequest | Purge) -> list[Happened]:
    """The oldest first. Of each AI system its answer: that it was asked stands in the entry of the request."""
    entries = list(Entry.objects.filter(about_id=row.pk).exclude(kind__in=STEPS))
    if isinstance(row, ErasureRequest):
        consents = list(row.consents.values_list("pk", flat=True))
        entries += Entry.objects.filter(about_id__in=consents).exclude(kind__in=[*STEPS, ERASURE_REQUESTED.name])
    return _story(entries, _reasons(row))


def _reasons(row: ErasureRequest | Purge) -> dict[uuid.UUID, str]:
    """By entry why somebody did it, in their words; nothing where they are erased."""
    given = dict(row.history.filter(reason_id__isnull=False).values_list("history_id", "reason_id"))
    kept = Particulars.objects.filter(pk__in=given.values(), data__isnull=False).in_bulk()
    return {entry: bytes(kept[of].data or b"").decode() for entry, of in given.items() if of in kept}


def _story(entries: Iterable[Entry], reasons: Mapping[uuid.UUID, str]) -> list[Happened]:
    entries = sorted(entries, key=lambda each: each.id)
    said = [(entry.kind, msgspec.json.decode(bytes(entry.data))) for entry in entries]
    names = names_of([each["actor"] for _, each in said])
    found = []
    for kind, each in said:
        words = Kind.declared[kind].about if kind in Kind.declared else kind
        who = actor_name(each["actor"], names)
        found.append(
            Happened(
                datetime.fromisoformat(each["at"]),
                words[:1].upper() + words[1:],
                who[:1].upper() + who[1:],
                TONES.get(kind, "info"),
                reasons.get(uuid.UUID(each["id"]), ""),
            )
        )
    return found

"""What happened in a case, in words: from its entries alone."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from audit.case_document import EVERYTHING, Seen, entry_seen
from audit.case_selectors import trail_of_case, trail_page
from audit.models import Case
from console.cases.sentences import Step, sentence_of
from console.timelines import Event, actor_name, names_of
from ledger.models import Entry

TITLES = {
    "case.opened": "Opened",
    "case.updated": "Described anew",
    "case.moved": "Moved",
    "case.lead_assigned": "Lead assigned",
    "case.attached": "Decisions put in",
    "case.detached": "Decisions taken out",
    "case.noted": "Note",
    "case.finding_recorded": "Finding",
    "case.action_recorded": "Corrective action",
    "incident.declared": "Declared to be a serious incident",
    "incident.updated": "Incident completed",
    "incident.extended": "A deadline moved later",
    "incident.signed_off": "Incident signed off",
    "incident.reported": "Reported to the authority",
    "case.recounted": "Counts put right",
    "case.listed": "List of decisions taken out",
    "hold.placed": "Legal hold placed",
    "hold.lift_requested": "Lifting of the legal hold asked for",
    "hold.lift_refused": "Legal hold stays",
    "hold.lifted": "Legal hold lifted",
}
TONES = {
    "incident.declared": "bad",
    "incident.reported": "ok",
    "hold.placed": "warn",
    "hold.lifted": "warn",
    "incident.extended": "warn",
    "case.detached": "warn",
}


@dataclass(frozen=True, slots=True)
class Told:
    """Some of what happened, oldest first; `earlier`: the entry before which there is more."""

    events: list[Event]
    earlier: uuid.UUID | None


def trail(case: Case, seen: Seen = EVERYTHING) -> list[Event]:
    """All of it, oldest first, as far as somebody may know of it."""
    return _events(trail_of_case(case), seen)


def latest(case: Case, before: uuid.UUID | None, seen: Seen = EVERYTHING) -> Told:
    """The newest of it, or the newest before an entry."""
    found = trail_page(case, before)
    return Told(_events(found.entries, seen), found.earlier)


def _events(entries: list[Entry], seen: Seen) -> list[Event]:
    said = [(entry, msgspec.json.decode(bytes(entry.data))) for entry in entries]
    people = [body["actor"] for _, body in said]
    named = [body["body"].get(name) for _, body in said for name in ("lead", "before", "owner")]
    names = names_of([*people, *({"type": "person", "id": each} for each in named if _is_uuid(each))])
    return [_event(entry, body | {"body": entry_seen(body["body"], seen)}, names) for entry, body in said]


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and len(value) == len(str(uuid.NAMESPACE_DNS))  # a state is shorter


def _event(entry: Entry, said: dict[str, Any], names: dict[str, str]) -> Event:
    return Event(
        at=datetime.fromisoformat(said["at"]),
        title=TITLES.get(entry.kind, entry.kind),
        text=sentence_of(entry.kind, Step(actor_name(said["actor"], names), said["body"], names)),
        tone=TONES.get(entry.kind, "info"),
        kind=entry.kind,
        entry_id=entry.id,
    )

"""The history of a governed row, as people read it: who changed what, when, under which entry, and why."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.models import Person, ServiceAccount
from ledger.models import Entry, Particulars
from ledger.rows import PARTICULARS_PART

LIMIT = 200
HIDDEN = frozenset({"id", "created_at", "particulars_id", "particulars"})
ERASED = "(erased)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One column before and after."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One sealed change."""

    at: datetime
    kind: str
    who: str
    entry_id: uuid.UUID
    differences: list[Difference]
    reason: str


def moments(row: Any, hidden: frozenset[str] = frozenset()) -> list[Moment]:
    """The sealed changes of a row, the newest first, at most 200; of the fields that are `hidden`, nothing."""
    records = list(row.history.order_by("-history_date", "-history_id")[: LIMIT + 1])
    entries = {each.id: each for each in Entry.objects.filter(id__in=[record.history_id for record in records])}
    texts = _texts(row, records)
    states = [_state(record, texts) for record in records] + [{}]
    return [
        Moment(
            at=record.history_date,
            kind=entries[record.history_id].kind if record.history_id in entries else "(no entry)",
            who=_who(entries.get(record.history_id)),
            entry_id=record.history_id,
            differences=_differences(states[place + 1], states[place], hidden),
            reason=texts.get(record.reason_id, {}).get("", ""),
        )
        for place, record in enumerate(records[:LIMIT])
    ]


def _texts(row: Any, records: list[Any]) -> dict[uuid.UUID | None, dict[str, Any]]:
    """Erasable values by the id of their version; a reason stands under the empty name."""
    wanted = {record.particulars_id for record in records} | {record.reason_id for record in records}
    found: dict[uuid.UUID | None, dict[str, Any]] = {}
    for version in Particulars.objects.filter(pk__in=wanted - {None}):
        data = bytes(version.data) if version.data is not None else None
        if version.part == PARTICULARS_PART:
            found[version.pk] = dict.fromkeys(row.ERASABLE_FIELDS, ERASED) if data is None else json.loads(data)
        else:
            found[version.pk] = {"": ERASED if data is None else data.decode()}
    return found


def _state(record: Any, texts: dict[uuid.UUID | None, dict[str, Any]]) -> dict[str, Any]:
    sealed = json.loads(bytes(record.state))
    return {name: value for name, value in sealed.items() if name not in HIDDEN} | texts.get(record.particulars_id, {})


def _differences(before: dict[str, Any], after: dict[str, Any], hidden: frozenset[str]) -> list[Difference]:
    return [
        Difference(name.removesuffix("_id").replace("_", " "), _words(before.get(name)), _words(after.get(name)))
        for name in after
        if name not in hidden
        if before.get(name) != after.get(name) and _words(before.get(name)) != _words(after.get(name))
    ]


def _words(value: Any) -> str:
    if value in (None, "", [], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _who(entry: Entry | None) -> str:
    if entry is None:
        return ""
    actor = json.loads(bytes(entry.data))["actor"]
    match actor["type"]:
        case "person":
            return str(Person.objects.filter(pk=actor["id"]).first() or "former member of staff")
        case "service":
            return str(ServiceAccount.objects.filter(pk=actor["id"]).first() or "a service account")
        case "command":
            return "command line"
    return "Answerable itself"

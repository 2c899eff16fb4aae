"""Changes of switches and recoveries: rows that pages and confirmations work with, against the entries that say them.

The switch itself is a governed row (`rows`). Of a change beside it the switch's entry states a digest, and what was
sealed of its confirmation stands in entries about it. Not sealed is what came in after a minute was not enough, and
when nobody looked any more; of that it is checked that the row agrees with itself.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from psycopg import sql

from evidence.verification.findings import Finding
from evidence.verification.trees import StoredEntry, as_uuid, said_by
from evidence.verification.walks import Slice, Walk, rows_of
from ledger.entries import timestamp
from ledger.models import Entry, Log
from overrides.change_digests import applied_digest, change_digest
from overrides.kinds import CONTROL_RECOVERED, SWITCH_CONFIRMED, SWITCH_UNCONFIRMED
from overrides.models import ControlRecovery, Switch, SwitchChange
from overrides.services.recovery import said_of_recovery
from overrides.standing import BEGINNING, Epoch

CHANGES, RECOVERIES = SwitchChange._meta.db_table, ControlRecovery._meta.db_table
CONFIRMATIONS = (SWITCH_CONFIRMED.name, SWITCH_UNCONFIRMED.name)
AT_ONCE = 500
Status = SwitchChange.Status


# --- from entries to rows ---------------------------------------------------------------------------------------------
def check_controls(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    """The rows that these entries are about: there, and as sealed."""
    yield from _check_changes(log, entries)
    yield from _check_confirmations(log, [each for each in entries if each.kind in CONFIRMATIONS])
    yield from _check_recoveries(log, [each for each in entries if each.kind == CONTROL_RECOVERED.name])


def _check_changes(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    stated = [(entry, *said) for entry in entries for said in _stated(entry.body)]
    rows = SwitchChange.objects.in_bulk([name for _, name, _ in stated])
    found = {str(row.pk): row for row in rows.values()}
    for entry, name, digest in stated:
        if name not in found:
            yield _finding("change-missing", log, entry, name)
        elif change_digest(found[name]) != digest:
            yield _finding("change-altered", log, entry, name)


def _stated(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Ids and digests of changes that the entry of a switch states. What has not the form of one states none."""
    changes = body.get("changes") if body.get("table") == Switch._meta.db_table else None
    for each in changes if isinstance(changes, list) else ():
        name = as_uuid(each.get("id")) if isinstance(each, dict) else None
        if name:
            yield str(name), str(each.get("digest"))


def _check_confirmations(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    rows = SwitchChange.objects.filter(pk__in=[each.about_id for each in entries])
    found = {str(row.pk): row for row in rows}
    for entry in entries:
        row = found.get(entry.about_id or "")
        if row is None:
            yield _finding("change-missing", log, entry, entry.about_id or "")
        elif not (_is_confirmed_as(row, entry) if entry.kind == SWITCH_CONFIRMED.name else _is_reported_as(row, entry)):
            yield _finding("change-altered", log, entry, str(row.pk))


def _is_confirmed_as(row: SwitchChange, entry: StoredEntry) -> bool:
    said = entry.body
    return (
        row.status == Status.CONFIRMED
        and applied_digest(row.applied) == said.get("applied")
        and row.confirmed_count == said.get("confirmed")
        and _text(row.confirmed_at) == said.get("last_applied_at")
        and _text(row.settled_at) == (entry.said or {}).get("at")
    )


def _is_reported_as(row: SwitchChange, entry: StoredEntry) -> bool:
    """More may have confirmed it since; nobody who had is taken back."""
    confirmed = entry.body.get("confirmed")
    is_dated = _text(row.reported_at) == (entry.said or {}).get("at")
    return is_dated and isinstance(confirmed, int) and row.confirmed_count >= confirmed


def _text(moment: Any) -> str | None:
    return None if moment is None else timestamp(moment)


def _check_recoveries(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    found = {str(row.pk): row for row in ControlRecovery.objects.filter(pk__in=[each.about_id for each in entries])}
    for entry in entries:
        row = found.get(entry.about_id or "")
        if row is None:
            yield _finding("recovery-missing", log, entry, entry.about_id or "", RECOVERIES)
        elif said_of_recovery(row) | {"about": entry.about_id} != entry.body or str(row.entry_id) != entry.id:
            yield _finding("recovery-altered", log, entry, str(row.pk), RECOVERIES)


def _finding(code: str, log: Log, entry: StoredEntry, row: str, table: str = CHANGES) -> Finding:
    return Finding(code, log.origin, entry.index, table=table, row=row)


# --- from rows to entries ---------------------------------------------------------------------------------------------
def walks() -> list[Walk]:
    """Changes and recoveries that no entry leads to."""
    return [
        # by switch: its entries, each of which may state any of its changes, are read once for all of them
        Walk("changes-of-switches", CHANGES, "switch_id", _loose_changes),
        Walk("control-recoveries", RECOVERIES, "id", _loose_recoveries),
    ]


def _loose_changes(part: Slice) -> Iterator[Finding]:
    stated = _stated_of(part)
    ids = [row_id for (row_id,) in rows_of(_changes_of(part, "id"))]
    for start in range(0, len(ids), AT_ONCE):
        for row_id, code in _judge_changes(ids[start : start + AT_ONCE], stated):
            yield Finding(code, table=CHANGES, row=row_id)


def _changes_of(part: Slice, column: str) -> sql.Composable:
    """What stands in a column of the changes of these switches, each value once."""
    return sql.SQL("SELECT DISTINCT {} FROM {} c WHERE {}").format(
        sql.Identifier("c", column), sql.Identifier(CHANGES), part.holds("c", "switch_id")
    )


def _stated_of(part: Slice) -> set[str]:
    """The changes that any entry of these switches states."""
    switches = [switch_id for (switch_id,) in rows_of(_changes_of(part, "switch_id"))]
    stated = Entry.objects.filter(about_id__in=switches).values_list("data", flat=True).iterator(AT_ONCE)
    return {name for data in stated for name, _ in _stated(said_by(data))}


def _judge_changes(ids: Sequence[uuid.UUID], stated: set[str]) -> Iterator[tuple[str, str]]:
    rows = SwitchChange.objects.filter(pk__in=ids).select_related("switch").order_by("id")
    confirmed, reported = (_about(ids, kind) for kind in CONFIRMATIONS)
    for row in rows:
        name = str(row.pk)
        if name not in stated and not _waits(row):
            yield name, "change-without-entry"
        elif not _agrees_with_itself(row, name in confirmed, name in reported):
            yield name, "change-altered"


def _about(ids: Sequence[uuid.UUID], kind: str) -> set[str]:
    return {str(each) for each in Entry.objects.filter(about_id__in=ids, kind=kind).values_list("about_id", flat=True)}


def _waits(row: SwitchChange) -> bool:
    """Whether its switch was set while the log took no entry, and what was sealed last is older."""
    if not row.switch.seal_pending:
        return False
    sealed: Iterable[Any] = Switch.history.filter(id=row.switch_id).order_by("-revision")[:1]
    last = next((Epoch(each.generation, each.number) for each in sealed), BEGINNING)
    return last < row.epoch <= row.switch.epoch


def _agrees_with_itself(row: SwitchChange, is_confirmed: bool, is_reported: bool) -> bool:
    known = row.applied.keys() <= set(row.expected.get("instances", []))
    counted = row.confirmed_count == len(row.applied)
    sealed = (row.status == Status.CONFIRMED, row.reported_at is not None) == (is_confirmed, is_reported)
    return known and counted and sealed and (row.confirmed_at is None) != is_confirmed and _is_status_of(row)


def _is_status_of(row: SwitchChange) -> bool:
    """Whether it is in a state that it can have with so many confirmations."""
    if row.status == Status.CONFIRMED:
        return row.settled_at is not None
    if row.status == (Status.PARTIAL if row.applied else Status.UNCONFIRMED):
        return True
    is_over = row.settled_at is not None or row.reported_at is not None
    return not is_over and (row.status == Status.PROPAGATING or (row.status == Status.REQUESTED and not row.applied))


def _loose_recoveries(part: Slice) -> Iterator[Finding]:
    """Those that wait for their entry have none yet; the sweep adds it."""
    query = sql.SQL(
        "SELECT r.id FROM {} r WHERE {} AND r.entry_id IS NOT NULL AND NOT EXISTS"
        " (SELECT FROM ledger_entry e WHERE e.id = r.entry_id AND e.about_id = r.id AND e.kind = %s) LIMIT 100"
    ).format(sql.Identifier(RECOVERIES), part.holds("r", "id"))
    for (row_id,) in rows_of(query, [CONTROL_RECOVERED.name]):
        yield Finding("recovery-without-entry", table=RECOVERIES, row=str(row_id))

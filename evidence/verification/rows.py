"""Governed rows: what an entry sealed, what history keeps, what stands now. All three must agree."""

import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any

from django.apps import apps
from django.db import connection
from psycopg import sql

from audit.services.search_runs import TERMS_PART
from evidence.models import CustodyRequest
from evidence.verification.erasures import sealed_erasures
from evidence.verification.findings import Finding
from evidence.verification.trees import StoredEntry, stored
from evidence.verification.walks import Slice, Walk, rows_of
from ledger.commitments import SECRET_BYTES, commitment
from ledger.models import Entry, Log, Particulars
from ledger.rows import (
    PARTICULARS_PART,
    REASON_PART,
    STATE_PART,
    GovernedRow,
    erasable_columns,
    sealed_columns,
)
from notices.models import Alert
from overrides.models import Review, Switch
from overrides.standing import Epoch, Mode


def governed_models() -> dict[str, Any]:
    """Every governed model by its table."""
    return {model._meta.db_table: model for model in apps.get_models() if issubclass(model, GovernedRow)}


@cache
def history_table(model: type[GovernedRow]) -> str:
    """Where its past states are. Asked once of each model: `history` makes a class anew whenever it is read."""
    return str(model.history.model._meta.db_table)


def check_changes(log: Log, entries: Sequence[StoredEntry]) -> Iterator[Finding]:
    """For each sealed change: its history row, state and reason; and the row as it stands, where it is the last."""
    models = governed_models()
    by_table: dict[str, list[StoredEntry]] = {}
    for entry in entries:
        if _is_change(entry) and entry.body["table"] in models:
            by_table.setdefault(entry.body["table"], []).append(entry)
    for table, changes in by_table.items():
        yield from _check_table(log, models[table], changes)


def check_rows(model: type[GovernedRow], row_ids: Collection[uuid.UUID]) -> Iterator[Finding]:
    """Of some rows, whether each stands as its last change was sealed: before something is said, or signed, of them.

    Of the rows alone: that the entries are those of their log, and that none was lost, the self-audit asks.
    """
    table, last = model._meta.db_table, _last_changes(model, map(str, row_ids))
    for row_id in set(map(str, row_ids)) - last.keys():
        yield Finding("row-without-history", table=table, row=row_id)
    for entry in Entry.objects.filter(id__in=last.values()).select_related("log"):
        change = stored(entry)
        if not _is_change(change) or change.body["table"] != table or last.get(change.body["about"]) != change.id:
            yield Finding("history-without-entry", table=history_table(model), row=change.id)
        else:
            yield from check_changes(entry.log, [change])


def _is_change(entry: StoredEntry) -> bool:
    """Whether the bytes have the form of a sealed change: they may be anything, if somebody wrote them."""
    said, body = entry.said or {}, entry.body
    texts = [said.get("at"), *(body.get(name) for name in ("table", "about", "state", "change"))]
    return isinstance(said.get("actor"), dict) and all(isinstance(text, str) for text in texts)


def _check_table(log: Log, model: Any, changes: Sequence[StoredEntry]) -> Iterator[Finding]:
    # unordered: the order of some tables joins others, and a row that refers to nothing would seem to be missing
    kept_of = model.history.filter(history_id__in=[change.id for change in changes]).order_by()
    history = {str(row.history_id): row for row in kept_of}
    row_ids = {change.body["about"] for change in changes}
    current = {str(row.pk): row for row in model._base_manager.filter(pk__in=row_ids).order_by()}
    last = _last_changes(model, row_ids)
    versions = _versions(history.values())
    for change in changes:
        kept = history.get(change.id)
        about = change.body["about"]
        if kept is None:
            yield _finding("history-missing", log, change)
            if about not in current and about not in last:
                yield _finding("row-missing", log, change)  # and no history either that would miss it
            continue
        yield from _check_history(log, change, kept, versions)
        if last.get(about) == change.id:
            yield from _check_current(log, change, kept, current.get(about))


def _check_history(log: Log, change: StoredEntry, kept: Any, versions: dict[str, Particulars]) -> Iterator[Finding]:
    state = _load(bytes(kept.state))
    sealed = _commitment(kept.state_secret, STATE_PART, kept.state) == change.body["state"]
    said = change.said or {}
    trail = (kept.history_user_id and str(kept.history_user_id), str(kept.log_id), kept.history_type)
    expected = (said["actor"].get("id"), str(log.id), "+" if change.body["change"] == "created" else "~")
    dated = kept.history_date.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == said["at"]
    if not sealed or not _is_in_state(kept, state) or (trail[0] or None, *trail[1:]) != expected or not dated:
        yield _finding("history-altered", log, change)
    if PARTICULARS_PART in state:
        yield from _check_particulars(
            log, change, versions.get(str(kept.particulars_id)), PARTICULARS_PART, state[PARTICULARS_PART]
        )
    if "reason" in change.body:
        reason = versions.get(str(kept.reason_id))
        yield from _check_particulars(log, change, reason, REASON_PART, change.body["reason"])


def _is_in_state(kept: Any, state: dict[str, Any]) -> bool:
    """Whether the columns of a history row are what was sealed.

    A column that the table got after the change is not in its state: there the row holds what the column began with.
    """
    sealed = {key: value for key, value in state.items() if key != PARTICULARS_PART}
    found = sealed_columns(kept)
    later = found.keys() - sealed.keys()
    began = sealed_columns(kept.instance_type()) if later else {}
    return found == sealed | {name: began[name] for name in later}


def _check_particulars(
    log: Log, change: StoredEntry, version: Particulars | None, part: str, sealed: str
) -> Iterator[Finding]:
    if version is None:
        yield _finding("particulars-missing", log, change)
    elif version.data is None or version.secret is None:
        if not sealed_erasures([version.id]):
            yield _finding("particulars-gone", log, change)
    elif version.part != part or _commitment(version.secret, part, version.data) != sealed:
        yield _finding("particulars-altered", log, change)


def _commitment(secret: bytes | memoryview, part: str, data: bytes | memoryview) -> str | None:
    """A commitment in hex, None where what stands as the secret cannot be one."""
    return commitment(bytes(secret), part, bytes(data)).hex() if len(secret) == SECRET_BYTES else None


def _check_current(log: Log, change: StoredEntry, kept: Any, row: Any) -> Iterator[Finding]:
    if row is None:
        yield _finding("row-missing", log, change)
    elif _waits_for_its_entry(row, kept):
        return
    elif sealed_columns(row) != sealed_columns(kept) or not _particulars_agree(row):
        yield _finding("row-altered", log, change)


def _waits_for_its_entry(row: Any, kept: Any) -> bool:
    """Whether the last change could not be sealed, says so, and is one that may be made so."""
    if isinstance(row, Switch):
        return row.seal_pending and _only_tightened(row, kept)
    return isinstance(row, CustodyRequest) and row.seal_pending and _only_went_on(row, kept)


def _only_tightened(row: Switch, kept: Any) -> bool:
    """Whether a switch that waits for its entry says no less than the one before. Nothing else can be set unsealed."""
    before, now = sealed_columns(kept), sealed_columns(row)
    changed = {name for name, value in now.items() if value != before[name]}
    is_stricter = Mode(row.mode).severity >= Mode(kept.mode).severity
    return changed <= SET_BY_A_TIGHTENING and is_stricter and row.epoch > Epoch(kept.generation, kept.number)


def _only_went_on(row: CustodyRequest, kept: Any) -> bool:
    """Whether a request that waits for its entry asks for what it asked for, and was answered at most."""
    before, now = sealed_columns(kept), sealed_columns(row)
    return {name for name, value in now.items() if value != before[name]} <= ANSWERED_BY_A_STEP


ANSWERED_BY_A_STEP = {"status", "decided_by_id", "decided_at", "expires_at", "carried_out_at"}
SET_BY_A_TIGHTENING = {
    "mode",
    "reason_code",
    "in_flight",
    "generation",
    "number",
    "changed_at",
    "changed_by_type",
    "changed_by_id",
    "source",
    "drill_id",
    "expires_at",
}


def _particulars_agree(row: GovernedRow) -> bool:
    """Whether the erasable columns are what the row's version holds.

    A column that the table got after the change, or that became erasable since, is not in the version, and a table that
    had none gave its rows no version: there the row holds what the column began with.
    """
    if not row.ERASABLE_FIELDS:
        return True
    if row.particulars_id is None:  # as was sealed: it is a column like others
        return erasable_columns(row) == erasable_columns(type(row)())
    version = Particulars.objects.filter(pk=row.particulars_id).first()
    if version is None:
        return False
    if version.data is None:
        return all(not getattr(row, name) for name in row.ERASABLE_FIELDS)
    return erasable_columns(row) == erasable_columns(type(row)()) | _load(bytes(version.data))


def _last_changes(model: type[GovernedRow], row_ids: Iterable[str]) -> dict[str, str]:
    """The entry that changed each row last: of the history rows that an entry of this very row leads to.

    Order is the sealed revision: ids come from several clocks, and a row's changes may stand in several logs.
    """
    query = sql.SQL("SELECT DISTINCT ON (h.id) h.id, h.history_id FROM {} h WHERE h.id = ANY(%s::uuid[])").format(
        sql.Identifier(history_table(model))
    )
    query += sql.SQL(" AND EXISTS ({}) ORDER BY h.id, h.revision DESC").format(_ITS_CHANGE)
    with connection.cursor() as cursor:
        cursor.execute(query, [list(row_ids), _mark(model._meta.db_table)])
        return {str(row_id): str(entry_id) for row_id, entry_id in cursor.fetchall()}


def _versions(history: Iterable[Any]) -> dict[str, Particulars]:
    wanted = {id_ for row in history for id_ in (row.particulars_id, row.reason_id) if id_}
    return {str(version.id): version for version in Particulars.objects.filter(pk__in=wanted)}


def _load(state: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(state)
    except (ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _finding(code: str, log: Log, change: StoredEntry) -> Finding:
    return Finding(code, log.origin, change.index, table=change.body["table"], row=change.body["about"])


def walks() -> list[Walk]:
    """Governed rows that no history leads to, history rows that no entry leads to, texts of no row."""
    found = [Walk("particulars", "ledger_particulars", "id", _loose_particulars)]
    for table, model in governed_models().items():
        past = history_table(model)
        found += [
            Walk(f"{table}:rows", table, "id", partial(_rows_without_history, model)),
            Walk(f"{table}:history", past, "history_id", partial(_forged_history, table, past)),
            Walk(f"{table}:revisions", past, "id", partial(_lost_revisions, past)),
        ]
    return found


# A history row's entry: a change of this very row of this very table, in the log that the history row names. Searched
# for as bytes: an altered entry must not be able to break the query.
_ITS_CHANGE = sql.SQL(
    "SELECT FROM ledger_entry e WHERE e.id = h.history_id AND e.about_id = h.id AND e.log_id = h.log_id"
    " AND position(%s::bytea IN e.data) > 0"
)


def _mark(table: str) -> bytes:
    return f'"table":"{table}"'.encode()


def _forged_history(table: str, past: str, part: Slice) -> Iterator[Finding]:
    query = sql.SQL("SELECT h.history_id, h.id FROM {} h WHERE {} AND NOT EXISTS ({}) LIMIT 100").format(
        sql.Identifier(past), part.holds("h", "history_id"), _ITS_CHANGE
    )
    forged = rows_of(query, [_mark(table)])
    for history_id, _ in forged:
        yield Finding("history-without-entry", table=past, row=str(history_id))
    for row_id in _with_forged_history_alone(table, past, {row_id for _, row_id in forged}):
        yield Finding("row-without-history", table=table, row=str(row_id))


def _with_forged_history_alone(table: str, past: str, row_ids: set[uuid.UUID]) -> list[uuid.UUID]:
    """Of rows with a forged history those that stand, and of which nothing was ever sealed."""
    query = sql.SQL(
        "SELECT a.id FROM {} a WHERE a.id = ANY(%s) AND NOT EXISTS (SELECT FROM {} h WHERE h.id = a.id AND EXISTS ({}))"
    ).format(sql.Identifier(table), sql.Identifier(past), _ITS_CHANGE)
    return [row_id for (row_id,) in rows_of(query, [list(row_ids), _mark(table)])] if row_ids else []


def _lost_revisions(past: str, part: Slice) -> Iterator[Finding]:
    """Revisions count from 1 without a gap: a change that was never sealed, or sealed twice, shows."""
    query = sql.SQL(
        "SELECT h.id FROM {} h WHERE {} GROUP BY h.id"
        " HAVING max(h.revision) <> count(*) OR min(h.revision) <> 1 LIMIT 100"
    )
    for (row_id,) in rows_of(query.format(sql.Identifier(past), part.holds("h", "id"))):
        yield Finding("history-missing", table=past, row=str(row_id))


def _loose_particulars(part: Slice) -> Iterator[Finding]:
    """Versions of personal or free text that no history row of their row refers to. Terms are a search's."""
    # one search in all of them, not one for each: of sixty the planner would think for half a second
    versions = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT id, particulars_id, reason_id FROM {}").format(sql.Identifier(history_table(model)))
        for model in governed_models().values()
    )
    query = sql.SQL(
        "SELECT p.id FROM ledger_particulars p WHERE {} AND p.part <> %s AND NOT EXISTS (SELECT FROM ({}) h"
        " WHERE h.id = p.row_id AND (h.particulars_id = p.id OR h.reason_id = p.id)) LIMIT 100"
    ).format(part.holds("p", "id"), versions)
    for (version_id,) in rows_of(query, [TERMS_PART]):
        yield Finding("particulars-loose", table="ledger_particulars", row=str(version_id))


def _rows_without_history(model: Any, part: Slice) -> Iterator[Finding]:
    table, past = model._meta.db_table, history_table(model)
    query = sql.SQL(
        "SELECT a.id FROM {} a WHERE {} AND NOT EXISTS (SELECT FROM {} b WHERE b.id = a.id) AND {} LIMIT 100"
    ).format(sql.Identifier(table), part.holds("a", "id"), sql.Identifier(past), _not_waiting(model))
    for (row_id,) in rows_of(query):
        yield Finding("row-without-history", table=table, row=str(row_id))


def _not_waiting(model: Any) -> sql.Composable:
    """Rows may stand without an entry of their own: an alert, a stop or a request for custody while its log takes none,
    and says so (the sweep seals it); a review that nothing has happened to yet, where the entry of its decision names
    it."""
    return _WITHOUT_ENTRY.get(model, sql.SQL("true"))


_WITHOUT_ENTRY: dict[Any, sql.Composable] = {
    Alert: sql.SQL("NOT (a.seal_pending AND a.revision = 0)"),
    Switch: sql.SQL("NOT (a.seal_pending AND a.revision = 0 AND a.mode <> 'run')"),
    CustodyRequest: sql.SQL("NOT (a.seal_pending AND a.revision = 0)"),
    Review: sql.SQL(
        "NOT (a.revision = 0 AND EXISTS (SELECT FROM ledger_entry e WHERE e.id = a.decision_id"
        " AND position(convert_to('\"review_id\":\"' || a.id || '\"', 'UTF8') IN e.data) > 0))"
    ),
}

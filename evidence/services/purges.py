"""Purges: what is past its time is announced, and goes some days later, unless somebody who was told stops it."""

import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from audit.erasing import database_now, erase_payloads, erase_texts, forget_statistics, lock_holds
from audit.models import Case, DataKind, Purge
from audit.patient_statements import as_long_as_it_takes
from audit.retention import terms_in_force
from audit.services.case_writing import text_of
from config.errors import Forbidden
from evidence.erasure.errors import RetentionNotFound, RetentionNotOpen
from evidence.erasure.files import forget_exports
from evidence.erasure.places import BESIDE, STATISTICS, TEXTS
from evidence.kinds import (
    RETENTION_ANNOUNCED,
    RETENTION_CONCLUDED,
    RETENTION_HELD,
    RETENTION_PART_HELD,
    RETENTION_PURGED,
    RETENTION_STARTED,
)
from evidence.retention.keeping import ONLY_HELD, Kept, holds_over, kept_back
from evidence.retention.planning import MOST_PARTS, After, candidates, due_at, following, place_in
from evidence.retention.reading import may_stop_purge, stoppable_systems, stops_all, visible_purges
from evidence.retention.telling import tell_of_purge
from evidence.services.erasure_runs import lock_cases, now_by_both
from governance.actors import person_id_of
from governance.changes import write
from ledger.entries import SERVER, Actor, draft_entry, timestamp
from ledger.erasing import counted, digest_of, empty_rows, kept_versions
from ledger.kinds import Kind
from ledger.models import Entry
from ledger.rows import GovernedRow
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log, registry_log
from overrides.services.sweeping import each_by_itself

logger = structlog.get_logger(__name__)
Status = Purge.Status
AFTER_A_STOP = timedelta(days=7)
ROWS_AT_ONCE, LOOKED_AT = 100, 1_000
LOOKED_BACK = 200
"""Purges; one is announced at a time, two weeks ahead."""
HOLDS_NAMED = 50
"""Of a part of a report; of more it says how many."""
CONCLUDED = ("kind", "system", "class", "count", "kept", "digest")
"""What the entry of its end says of each part in clear. By what it was kept back is sealed with the row alone."""


# --- announcing and stopping ------------------------------------------------------------------------------------------
def announce_purge(*, actor: Actor = SERVER) -> Purge | None:
    """Announce what is past its time by the day that it will go. None where nothing is, or another one is under way."""
    now = max(timezone.now(), database_now())
    if Purge.objects.filter(status__in=[Status.ANNOUNCED, Status.RUNNING]).exists():
        return None
    if _is_stopped(now):
        return None
    runs_at, kept_out = now + timedelta(days=settings.PURGE_NOTICE_DAYS), _kept_out(now)
    due = [each.said() for each in due_at(runs_at) if str(each.system_id) not in kept_out]
    if not due:
        return None
    # what has something to take goes first: places where all is kept back never crowd out the others
    parts = sorted(due, key=lambda part: part["count"] <= part["kept"])[:MOST_PARTS]
    with sealing() as seal:
        purge = Purge(announced_at=now, runs_at=runs_at, parts=parts)
        clear = [_in_clear(part, part.keys()) for part in parts]
        said = {"runs_at": timestamp(runs_at), "parts": clear, "left": len(due) - len(parts)}
        _write(seal, actor, RETENTION_ANNOUNCED, purge, said)
        tell_of_purge(purge, "retention.announced")
    return purge


def _is_stopped(now: datetime) -> bool:
    """Whether somebody who may stop all of a purge did within the last week."""
    held = Purge.objects.filter(status=Status.HELD, held_at__gt=now - AFTER_A_STOP)
    return any(any(part["system"] not in purge.stopped for part in purge.parts) for purge in held)


def _kept_out(now: datetime) -> set[str]:
    """The AI systems that whoever answers for them kept out of a purge within the last week."""
    since = now - AFTER_A_STOP
    rows = Purge.objects.exclude(stopped={}).order_by("-id").values_list("stopped", flat=True)[:LOOKED_BACK]
    return {system for stopped in rows for system, at in stopped.items() if datetime.fromisoformat(at) > since}


def hold_purge(*, actor: Actor, purge_id: uuid.UUID, reason: str) -> Purge:
    """Stop it. A data protection officer stops all of it; whoever is accountable keeps their AI systems out of it, and
    the rest goes on. What is gone stays gone.

    Errors: `RetentionNotFound`, `Forbidden`, `RetentionNotOpen`, `InvalidInput` without a reason.
    """
    reason = text_of("reason", reason, ask="Write why it is stopped.")
    with sealing() as seal:
        purge = visible_purges(actor).select_for_update(no_key=True).filter(pk=purge_id).first()
        if purge is None:
            raise RetentionNotFound()
        if purge.status not in (Status.ANNOUNCED, Status.RUNNING):
            raise RetentionNotOpen()
        if not may_stop_purge(actor, purge):
            raise Forbidden()
        systems = [] if stops_all(actor) else stoppable_systems(actor, purge)
        now, by = timezone.now(), person_id_of(actor)
        purge.stopped = purge.stopped | dict.fromkeys(systems, timestamp(now))
        if systems and any(part["system"] not in purge.stopped for part in purge.parts):
            _write(seal, actor, RETENTION_PART_HELD, purge, {"systems": systems}, reason=reason)
            tell_of_purge(purge, "retention.part_held")
            return purge
        purge.status, purge.held_at, purge.held_by_id, purge.why = Status.HELD, now, by, reason
        _write(seal, actor, RETENTION_HELD, purge)
        tell_of_purge(purge, "retention.held")
    return purge


# --- running ----------------------------------------------------------------------------------------------------------
def run_purges(*, actor: Actor = SERVER, seconds: float) -> int:
    """Go on with a purge whose time has come by both clocks. Returns how many rows were emptied."""
    until = time.monotonic() + seconds
    ids = list(Purge.objects.filter(status__in=[Status.ANNOUNCED, Status.RUNNING]).values_list("pk", flat=True))
    return each_by_itself("purge", lambda purge_id: _go_on(actor, purge_id, until), ids)


def _go_on(actor: Actor, purge_id: uuid.UUID, until: float) -> int:
    purge = Purge.objects.get(pk=purge_id)
    if purge.status == Status.ANNOUNCED and not _start(actor, purge_id):
        return 0
    left = [number for number in range(len(purge.parts)) if not _Walk.of(purge, number).is_over]
    gone, is_over = 0, True
    for place, number in enumerate(left):
        last = place == len(left) - 1
        # each part has its share of the time, so that one with much to pass by keeps no other waiting
        share = until if last else (now := time.monotonic()) + (until - now) / (len(left) - place)
        done, over = _run_part(actor, purge_id, number, share)
        gone, is_over = gone + done, is_over and over
    if is_over:
        _conclude(actor, purge_id)
    return gone


def _start(actor: Actor, purge_id: uuid.UUID) -> bool:
    with sealing() as seal:
        purge = _locked(purge_id)
        if purge.status != Status.ANNOUNCED or purge.runs_at > now_by_both():
            return False
        purge.status = Status.RUNNING
        _write(seal, actor, RETENTION_STARTED, purge)
    return True


@dataclass(slots=True)
class _Walk:
    """How far a part has been gone through, table by table: what is kept back is passed by, not looked at again.

    Kept with its purge, so that however much is kept back, the next run goes on behind it.
    """

    table: int = 0
    after: After | None = None
    is_over: bool = False
    passed: dict[str, Any] | None = field(default_factory=lambda: {"held": 0, "in_process": 0, "holds": {}})
    """What was kept back so far, and by which holds. None: it began before that was counted."""

    @classmethod
    def of(cls, purge: Purge, number: int) -> "_Walk":
        said = purge.walk.get(str(number))
        if said is None:
            return cls()
        *moments, pk = said["after"] or [None]
        after = (*map(datetime.fromisoformat, moments), uuid.UUID(pk)) if pk else None
        return cls(said["table"], after, said["is_over"], said.get("passed"))

    def keep(self, purge: Purge, number: int) -> None:
        *moments, pk = self.after or (None,)
        after = [*(each.isoformat() for each in moments), str(pk)] if pk else None
        said = {"table": self.table, "after": after, "is_over": self.is_over, "passed": self.passed}
        purge.walk = purge.walk | {str(number): said}
        Purge.objects.filter(pk=purge.pk).update(walk=purge.walk)

    def pass_by(self, kind: DataKind, kept: Kept) -> None:
        """Count what was kept back, once: the walk goes on behind it."""
        if self.passed is None or not kept:
            return
        self.passed["held"] += len(kept.held)
        self.passed["in_process"] += len(kept.in_process)
        for hold_id, number in holds_over(kind, kept.held).items():
            self.passed["holds"][str(hold_id)] = self.passed["holds"].get(str(hold_id), 0) + number

    def step(self, rows: Sequence[QuerySet[Any]]) -> list[Any]:
        """The next rows; none once all were seen."""
        while self.table < len(rows):
            found = list(following(rows[self.table], self.after)[:LOOKED_AT])
            if found:
                return found
            self.table, self.after = self.table + 1, None
        return []


def _run_part(actor: Actor, purge_id: uuid.UUID, number: int, until: float) -> tuple[int, bool]:
    """Returns how many rows went, and whether the part is over: all is gone but what is kept back."""
    gone = 0
    while time.monotonic() < until:
        taken, is_over = _slice(actor, purge_id, number)
        gone += taken
        if is_over:
            return gone, True
    return gone, False


def _slice(actor: Actor, purge_id: uuid.UUID, number: int) -> tuple[int, bool]:
    """Take some of what may go of the next rows. Returns how many, and whether there was nothing left.

    Of a place where two people put another class in force since it was announced: nothing more.
    """
    with sealing() as seal:
        purge = _locked(purge_id)
        if purge.status != Status.RUNNING:
            return 0, True
        part, walk = purge.parts[number], _Walk.of(purge, number)
        is_kept = part["system"] in purge.stopped or _is_replaced(part)
        kind = DataKind(part["kind"])
        tables = list(candidates(kind, _system_of(part), _moment(part["since"]), _before(part)))
        found = [] if is_kept else walk.step(tables)
        if not found:
            walk.is_over = True
            walk.keep(purge, number)
            return 0, True
        lock_cases([row.pk for row in found if isinstance(row, Case)])
        lock_holds()
        rows, kept = tables[walk.table], kept_back(kind, found)
        free = [row for row in found if row.pk not in kept][:ROWS_AT_ONCE]
        if free:
            _take(seal, actor, purge, part, rows.model, [row.pk for row in free])
        last = free[-1] if len(free) == ROWS_AT_ONCE else found[-1]
        walk.pass_by(kind, kept.among(row.pk for row in found[: found.index(last) + 1]))
        walk.after = place_in(rows, last)
        walk.keep(purge, number)
    return len(free), False


def _take(
    seal: Seal, actor: Actor, purge: Purge, part: dict[str, Any], model: type[Any], ids: Sequence[uuid.UUID]
) -> None:
    kind = DataKind(part["kind"])
    system_id = _system_of(part)
    log_id = open_log(system_id).id if system_id else registry_log().id
    if kind == DataKind.PAYLOADS:
        for forget in BESIDE.values():
            forget(ids)
        erase_payloads(purge.pk, dict.fromkeys(ids, _say(seal, actor, purge, part, log_id, ids)))
        return
    versions = list(ids) if kind == DataKind.SEARCHES else [each.pk for each in kept_versions(ids)]
    erase_texts(purge.pk, dict.fromkeys(versions, _say(seal, actor, purge, part, log_id, versions)))
    if issubclass(model, GovernedRow):
        empty_rows(model, ids)
        for place in TEXTS:
            if place.model is model and place.beside:
                model._base_manager.filter(pk__in=ids).update(**place.beside)


def _say(
    seal: Seal, actor: Actor, purge: Purge, part: dict[str, Any], log_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> uuid.UUID:
    body = {"data": part["kind"], "system": part["system"], "class": part["class"]} | counted(ids)
    draft = draft_entry(kind=RETENTION_PURGED, actor=actor, at=timezone.now(), body=body, about_id=purge.pk)
    seal.add(log_id, draft)
    return draft.id


# --- its end ----------------------------------------------------------------------------------------------------------
TAKEN = """
    SELECT said.body->>'data', said.body->>'system', count(*),
        encode(sha256(string_agg(uuid_send(r.row_id), ''::bytea ORDER BY r.row_id)), 'hex')
    FROM ledger_entry e, LATERAL (SELECT convert_from(e.data, 'UTF8')::jsonb->'body' AS body) said
    JOIN ledger_erasure r ON true
    WHERE e.about_id = %s AND e.kind = %s AND r.entry_id = e.id GROUP BY 1, 2
"""


def _conclude(actor: Actor, purge_id: uuid.UUID) -> None:
    emptied = Entry.objects.filter(about_id=purge_id, kind=RETENTION_PURGED.name).values_list("id", flat=True)
    if not forget_exports(list(emptied)):
        logger.warning("evidence.purge_waits_for_files", purge=str(purge_id))
        return
    with as_long_as_it_takes(connection):
        forget_statistics(*STATISTICS)
    with sealing() as seal:
        purge = _locked(purge_id)
        if purge.status != Status.RUNNING:
            return
        purge.status, purge.done_at, purge.done = Status.DONE, timezone.now(), _done(purge)
        totals = [_in_clear(part, CONCLUDED) for part in purge.done]
        _write(seal, actor, RETENTION_CONCLUDED, purge, {"parts": totals})
        tell_of_purge(purge, "retention.done")


def _done(purge: Purge) -> list[dict[str, Any]]:
    """Of each part what went, by the entries of its slices; and how far all of it is gone."""
    with connection.cursor() as cursor:
        cursor.execute(TAKEN, [purge.pk, RETENTION_PURGED.name])
        taken = {(kind, system): (count, digest) for kind, system, count, digest in cursor.fetchall()}
    nothing = (0, digest_of([]))
    return [
        _over(part, *taken.get((part["kind"], part["system"]), nothing), _Walk.of(purge, number).passed)
        for number, part in enumerate(purge.parts)
    ]


def _over(part: dict[str, Any], count: int, digest: str, passed: dict[str, Any] | None) -> dict[str, Any]:
    kind = DataKind(part["kind"])
    left = list(candidates(kind, _system_of(part), _moment(part["since"]), _before(part)))
    kept = sum(rows.count() for rows in left)
    # what is kept back now is looked at again by the next one, which begins with the oldest of it
    swept = part["before"] if not kept else _oldest(left, part["since"])
    said = {name: part[name] for name in ("kind", "system", "class", "before")}
    said |= {"replaced": True} if _is_replaced(part) else {}
    return said | {"count": count, "digest": digest, "kept": kept, "swept_to": swept} | _why_kept(passed)


def _why_kept(passed: dict[str, Any] | None) -> dict[str, Any]:
    """By what it was kept back as it was passed by, the holds that keep most first; nothing where nobody counted."""
    if passed is None:
        return {}
    holds = sorted(passed["holds"].items(), key=lambda each: (-each[1], each[0]))
    named = [{"id": hold_id, "count": count} for hold_id, count in holds[:HOLDS_NAMED]]
    said = {"held": passed["held"], "in_process": passed["in_process"]}
    return said | {"holds": named, "more_holds": len(holds) - len(named)}


def _oldest(left: Sequence[QuerySet[Any]], since: str | None) -> str | None:
    """When the oldest row that is left is counted from; as before where rows are in no order of time."""
    first = [place_in(rows, row) for rows in left if (row := rows.first()) is not None]
    moments = [moment for moment, *rest in first if rest]
    return timestamp(min(moments)) if len(moments) == len(first) else since


# --- parts of the above -----------------------------------------------------------------------------------------------
def _locked(purge_id: uuid.UUID) -> Purge:
    return Purge.objects.select_for_update(no_key=True).get(pk=purge_id)


def _is_replaced(part: dict[str, Any]) -> bool:
    """Whether two people chose another class there since it was announced: what they agreed to by then holds."""
    found = terms_in_force().get((DataKind(part["kind"]), _system_of(part)))
    return found is None or found.rule is None or str(found.rule.retention_class_id) != part["class"]


def _system_of(part: dict[str, Any]) -> uuid.UUID | None:
    return uuid.UUID(part["system"]) if part["system"] else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _before(part: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(part["before"])


def _in_clear(part: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """What an entry says of a part: everybody who is given the log reads it, so nothing that tells of a legal hold."""
    hidden = {"kept"} if DataKind(part["kind"]) in ONLY_HELD else set()
    return {name: part[name] for name in names if name in part and name not in hidden}


def _write(
    seal: Seal, actor: Actor, kind: Kind, purge: Purge, facts: dict[str, Any] | None = None, *, reason: str = ""
) -> None:
    said = {"status": str(purge.status)} | (facts or {})
    write(seal, actor=actor, kind=kind, row=purge, facts=said, reason=reason)

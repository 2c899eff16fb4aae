"""What was erased or restricted after an export read it: a finished file goes at once, and one that is being made is
begun anew.

Every erasure leaves a row, whose id has its time. They are looked through from when the export was planned on, each
once; so nobody who erases has to know of exports. So are restrictions of texts, by the time in the id of their entry.
Restrictions of decisions are few: those that came after the plan are told by it.
"""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from audit.kinds import DECISION_RECORDED
from audit.restricted_texts import texts_restricted_by, texts_restricted_since
from audit.restrictions import reads_restricted, restricted_since, restrictions_in_force
from audit.selectors import PARTS as PAYLOAD_PARTS
from evidence.erasure.places import TEXTS
from evidence.exports.access import asker_of
from evidence.exports.contents import ROW_PARTS, WRITTEN_PARTS
from evidence.exports.disclosed import Disclosed
from evidence.exports.models import Export, ExportWork
from evidence.exports.parts import ROWS_OF_DECISIONS
from evidence.exports.plans import Plan
from evidence.verification.rows import governed_models
from ledger.models import Entry, Particulars

AT_ONCE = 2_000
LATEST_COMMIT = timedelta(minutes=10)
"""What erases may be committed so long after the time in its id."""


class ErasedMeanwhile(Exception):
    """Something that was read for it was erased or restricted since: it is begun anew."""


def snapshot_now() -> tuple[str, int]:
    """What is committed now, and of which database cluster that is said."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text, system_identifier FROM pg_control_system()")
        snapshot, cluster = cursor.fetchone()
    return str(snapshot), int(cluster)


def is_of_another_cluster(work: ExportWork) -> bool:
    """Whether it was planned in another database cluster, as before a restore: what was erased since cannot be told."""
    return work.plan is not None and Plan.of(work.plan).cluster != snapshot_now()[1]


def why_it_goes(work: ExportWork) -> str:
    """As a code (`evidence.exports.codes`) why its file cannot be kept as it is; empty where it can."""
    if work.export.parts and is_of_another_cluster(work):
        return "restored"
    looked_at = timezone.now()
    if holds_erased(work):
        return "erased"
    if holds_restricted(work):
        return "restricted"
    if work.plan is not None and work.export.parts:
        # not where somebody else has begun it anew meanwhile
        ExportWork.objects.filter(pk=work.pk, plan__made_at=work.plan["made_at"]).update(looked_at=looked_at)
    return ""


def holds_restricted(work: ExportWork) -> bool:
    """Whether its file holds, or may hold, what is restricted, and is not for whoever reads that: it was restricted
    since it was planned, or whoever asked read it then and does not any more."""
    if work.plan is None or not work.export.parts:
        return False
    plan = Plan.of(work.plan)
    if plan.reads_restricted and reads_restricted(asker_of(work.export)):
        return False
    looker = _Looker(work.export, plan)
    # whoever does not read it any more may hold all that is restricted, whenever that was
    known = [] if plan.reads_restricted else plan.restrictions
    since = None if plan.reads_restricted else _looked_since(work, plan)
    return any(looker.may_hold_about(ids) for ids in restricted_since(known)) or (
        looker.holds_words and any(looker.may_hold_texts(ids) for ids in texts_restricted_since(known, since))
    )


def restricts(export: Export, plan: Plan) -> bool:
    """Whether contents that it asks for are left out of it because they are restricted."""
    if not export.parts or not plan.restrictions or plan.reads_restricted:
        return False
    looker = _Looker(export, plan)
    return any(looker.may_hold_about(ids) for ids in restrictions_in_force(plan.restrictions)) or (
        looker.holds_words and any(looker.may_hold_texts(ids) for ids in texts_restricted_by(plan.restrictions))
    )


def holds_erased(work: ExportWork) -> bool:
    """Whether something was erased, since it was looked last, that its file holds or may hold."""
    if work.plan is None or not work.export.parts:
        return False
    plan = Plan.of(work.plan)
    looker = _Looker(work.export, plan)
    return any(looker.may_hold(ids) for ids in _erased_since(_looked_since(work, plan), plan.snapshot))


def _looked_since(work: ExportWork, plan: Plan) -> datetime:
    """What has an earlier time in its id was looked at before."""
    return (work.looked_at or plan.begun_at) - LATEST_COMMIT


LATER = (
    "SELECT id, row_id, NOT pg_visible_in_snapshot(transaction::text::xid8, %s::pg_snapshot) FROM ledger_erasure"
    " WHERE id > %s ORDER BY id LIMIT %s"
)


def _erased_since(at: datetime, snapshot: str) -> Iterator[list[uuid.UUID]]:
    """The rows, some at a time: those that the snapshot does not know to be erased."""
    last = uuid.UUID(int=max(0, int(at.timestamp() * 1000)) << 80)
    while found := _next(last, snapshot):
        last = found[-1][0]
        yield [row_id for _, row_id, is_later in found if is_later]


def _next(last: uuid.UUID, snapshot: str) -> list[tuple[uuid.UUID, uuid.UUID, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(LATER, [snapshot, last, AT_ONCE])
        found: list[tuple[uuid.UUID, uuid.UUID, bool]] = cursor.fetchall()
    return found


class _Looker:
    def __init__(self, export: Export, plan: Plan) -> None:
        self.export = export
        self.disclosed = Disclosed(export.pk, plan)
        self.holds_payloads = any(name in PAYLOAD_PARTS for name in export.parts)
        self.holds_rows = any(name in ROW_PARTS for name in export.parts)
        self.holds_words = any(name in WRITTEN_PARTS for name in export.parts)

    def may_hold(self, ids: list[uuid.UUID]) -> bool:
        """Of rows that were erased, whether the file may hold one: a payload, or a version of what people wrote."""
        return (self.holds_payloads and self._are_disclosed(ids, [DECISION_RECORDED.name])) or (
            self.holds_rows and self._are_disclosed(self._changes_with(ids))
        )

    def may_hold_about(self, decision_ids: list[uuid.UUID]) -> bool:
        """Of decisions whether the file may hold a payload, or what people wrote about one."""
        return (self.holds_payloads and self._are_disclosed(decision_ids, [DECISION_RECORDED.name])) or (
            self.holds_words and self._are_disclosed(_changes_about(decision_ids))
        )

    def may_hold_texts(self, version_ids: list[uuid.UUID]) -> bool:
        """Of versions of texts whether the file, which holds words, may hold one."""
        return self._are_disclosed(self._changes_with(version_ids))

    def _changes_with(self, version_ids: list[uuid.UUID]) -> list[uuid.UUID]:
        """The changes of rows, which their entries share their ids with, that have these versions of texts."""
        versions = list(Particulars.objects.filter(id__in=version_ids).values_list("id", flat=True))
        if not versions:
            return []
        of_version = Q(particulars_id__in=versions) | Q(reason_id__in=versions)
        models = (governed_models()[table] for table in sorted(ROWS_OF_DECISIONS))
        return [each for model in models for each in _changes(model, of_version)]

    def _are_disclosed(self, entry_ids: list[uuid.UUID], kinds: list[str] | None = None) -> bool:
        if not entry_ids:
            return False
        rows = Entry.objects.filter(id__in=entry_ids, log_id__in=list(self.disclosed.logs))
        rows = rows.filter(kind__in=kinds) if kinds else rows
        places = set(rows.order_by().values_list("log_id", "leaf_index"))
        return bool(places) and bool(self.disclosed.asked_for(places) if kinds else self.disclosed.among(places))


def _changes(model: type, of_version: Q) -> list[uuid.UUID]:
    history = model.history  # type: ignore[attr-defined]
    return list(history.filter(of_version).values_list("history_id", flat=True))


def _changes_about(decision_ids: list[uuid.UUID]) -> list[uuid.UUID]:
    """The changes of rows in which people wrote about decisions."""
    found: list[uuid.UUID] = []
    for place in TEXTS:
        rows = list(place.rows(decision_ids).values_list("pk", flat=True))
        history = place.model.history.filter(id__in=rows) if rows else ()
        found += [each.history_id for each in history]
    return found

"""Deciding, once, what an export holds: which entries, of which logs, under which checkpoints; what is left out.

Planned anew where its worker died over it; once it is kept with the work it does not change. Nothing here is one long
statement or one long transaction: a case of a million decisions is put down in slices.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db import connection
from django.utils import timezone
from msgspec.structs import replace

from audit.case_access import readable_case
from audit.case_selectors import trail_ids
from audit.kinds import DECISION_RECORDED
from audit.models import Case, Decision
from audit.restricted_texts import entries_restricting_texts
from audit.restrictions import reads_restricted, restricting_entries
from evidence.case_reports import seen_by
from evidence.exports import places
from evidence.exports.access import asker_of, require_may_have
from evidence.exports.anchors import (
    Anchored,
    Unwitnessed,
    best_checkpoint,
    checkpoint_before,
    has_witnesses,
    is_seen,
    reach_of,
)
from evidence.exports.erasing import restricts, snapshot_now
from evidence.exports.members import Members
from evidence.exports.models import Export
from evidence.exports.plans import Plan, PlannedLog
from evidence.exports.proving import (
    has_newer_head,
    noted_outside,
    proving,
    proving_as_asked,
    proving_before,
    proving_heads,
)
from evidence.exports.ranges import index_range, received_before
from evidence.exports.trails import Place, case_trail, places_about, places_of, trail_places
from evidence.kinds import CHECKPOINT_CONTRADICTED, EXPORT_APPROVED, EXPORT_REQUESTED, LOG_CLOSED
from ledger.kinds import CHECKPOINT_RECORDED, KEY_ANNOUNCED, KEY_RETIRED, SYSTEM_LOG_OPENED
from ledger.models import Checkpoint, Entry, Log
from ledger.selectors import latest_head
from overrides.selectors import JUDGEMENT_KINDS, hidden_from, judged_in_secret

Question = Export.Question
KEYS = (KEY_ANNOUNCED.name, KEY_RETIRED.name)
ASKED = (EXPORT_REQUESTED.name, EXPORT_APPROVED.name)
ERASURES_AT_ONCE = 5_000


def make_plan(export: Export, beat: Callable[[], None] = lambda: None, *, is_patient: bool = False) -> Plan:
    """Decide what it holds, as whoever asked may know of it now; `beat` is called between slices. `is_patient`: where
    witnesses are asked, it is decided once they have seen what it needs.

    Errors: those of asking, where whoever asked may not have it any more; those of signing a checkpoint; `Unwitnessed`.
    """
    require_may_have(asker_of(export), export)
    waits = is_patient and has_witnesses()
    if waits and not _is_seen_as_asked(export):
        raise Unwitnessed()
    while True:
        while places.clear(export.pk):
            beat()
        try:
            return _Planner(export, beat, waits=waits).plan()
        except _Moved:
            beat()


class _Moved(Exception):
    """Something happened while it was looked for: an entry beside a range became secret, or decisions were put into the
    case. It is looked for again."""


def _is_seen_as_asked(export: Export) -> bool:
    """Whether witnesses have seen what it surely needs, as it was asked for; all that they lack is sent to them."""
    logs = Log.objects.filter(kind=Log.Kind.REGISTRY)
    if export.system_id:
        logs = logs | Log.objects.filter(system_id=export.system_id)
    seen = [is_seen(log, _size_as_asked(export, log, latest_head(log.pk).tree_size)) for log in logs]
    return all(seen)


def _size_as_asked(export: Export, log: Log, size: int) -> int:
    """The tree of a log that holds everything up to the moment when it was asked for, or agreed to: also that entry."""
    entries = Entry.objects.filter(about_id=export.pk, log_id=log.pk, kind__in=ASKED).values_list(
        "leaf_index", flat=True
    )
    said = max(entries, default=-1) + 1
    return max(said, 1, received_before(log.pk, export.decided_at or export.asked_at, size))


@dataclass(slots=True)
class _Reach:
    """A log on its way into the plan."""

    log: Log
    size: int
    """As far as it can be looked into now."""
    range: tuple[int, int] | None = None
    fences: list[int] = field(default_factory=list)
    """Beside the range, and disclosed."""


@dataclass(slots=True)
class _Planner:
    export: Export
    beat: Callable[[], None]
    left_out: set[str] = field(default_factory=set)
    hidden: frozenset[uuid.UUID] = frozenset()
    waits: bool = False
    """For witnesses who have not seen all that it needs."""
    is_unseen: bool = False
    systems: set[uuid.UUID] = field(default_factory=set)
    """That something is disclosed of, by case or by subject."""

    def plan(self) -> Plan:
        export, asker = self.export, asker_of(self.export)
        begun_at, (snapshot, cluster) = timezone.now(), snapshot_now()
        restrictions = [*restricting_entries(), *entries_restricting_texts()]
        self.hidden = hidden_from(asker.id)
        asked = self._entry(EXPORT_REQUESTED.name)
        approval = self._entry(EXPORT_APPROVED.name)
        if asked is None:
            raise LookupError(f"no entry says that {export.pk} was asked for")
        for entry in filter(None, (asked, approval)):
            places.put(export, [(entry.log_id, entry.leaf_index)])
        reaches = self._system_logs(self._put_members())
        if export.question == Question.RANGE:
            self._put_ranges(reaches)
        planned = [found for reach in reaches if (found := self._planned(reach)) is not None]
        planned += self._registries(planned)
        if self.is_unseen:
            raise Unwitnessed()
        if export.question == Question.RANGE:
            self._withhold_again(reaches)
        if has_newer_head(planned, export.heads):
            self.left_out.add("head_newer")
        planned = proving_as_asked(proving_before(proving_heads(planned, export.heads), asked), asked)
        withheld = sum(self._withheld(log) for log in planned)
        plan = Plan(
            made_at=timezone.now(),
            begun_at=begun_at,
            snapshot=snapshot,
            cluster=cluster,
            logs=planned,
            request_entry=asked.id,
            approval_entry=approval.id if approval else None,
            restrictions=restrictions,
            systems=sorted(self.systems),
            reads_restricted=reads_restricted(asker),
            left_out=sorted(self.left_out),
            withheld=withheld,
            total=sum(self._to_read(log) for log in planned) - withheld,
        )
        return replace(plan, left_out=sorted({*plan.left_out, "restricted"})) if restricts(export, plan) else plan

    def _entry(self, kind: str) -> Entry | None:
        return Entry.objects.filter(about_id=self.export.pk, kind=kind).first()

    # --- what is asked for --------------------------------------------------------------------------------------------
    def _put_members(self) -> frozenset[uuid.UUID]:
        """The decisions and what is said of them; returns the AI systems that it is about."""
        export = self.export
        if export.question == Question.RANGE:
            assert export.system_id is not None
            return frozenset({export.system_id})
        if export.system_id:
            self.systems.add(export.system_id)
        found = Members(export, asker_of(export))
        case = readable_case(asker_of(export), export.case_id) if export.case_id else None
        happened = trail_ids(case) if case else []
        for chunk in found.chunks():
            own = places_of(chunk)
            places.put(export, own.values(), asked_for=True)
            trail = trail_places(chunk)
            secret = trail & self._secret(chunk)  # looked up after it: what is judged meanwhile is secret, too
            if secret:
                self.left_out.add("judged_blind")
            places.put(export, trail - secret)
            self.systems |= set(Decision.objects.filter(id__in=chunk).values_list("system_id", flat=True))
            self.beat()
        self.left_out |= found.left_out
        if case:
            self._put_case(case)
            if trail_ids(case) != happened:  # what is counted in it is to be what is there
                raise _Moved()
        return frozenset(self.systems)

    def _put_case(self, case: Case) -> None:
        """What was done in it, as far as whoever asked may know of the decisions that are counted by it."""
        seen = seen_by(asker_of(self.export), case)
        told = list[Place]()
        for place, body, is_known in case_trail(case, seen):
            if is_known:
                told.append(place)
                self.systems |= {uuid.UUID(each) for each in body.get("systems", ()) if "count" in body}
            else:
                self.left_out.add("judged_blind" if seen.is_blind else "beyond_reach")
        places.put(self.export, told)

    def _secret(self, decision_ids: list[uuid.UUID]) -> set[Place]:
        work = judged_in_secret(asker_of(self.export).id, decision_ids=decision_ids)
        return places_about(work, JUDGEMENT_KINDS)

    def _system_logs(self, system_ids: frozenset[uuid.UUID]) -> list[_Reach]:
        rows = Log.objects.filter(system_id__in=system_ids).select_related("predecessor")
        logs = sorted(rows, key=lambda log: (str(log.system_id), log.sequence))
        return [_Reach(log, _size(log)) for log in logs]

    # --- ranges -------------------------------------------------------------------------------------------------------
    def _put_ranges(self, reaches: list[_Reach]) -> None:
        export, system_id = self.export, self.export.system_id
        assert system_id is not None
        self._put_withheld()
        for reach in reaches:
            reach.range = self._between(reach)
            self.beat()
        for found in self._erasures([reach.log.pk for reach in reaches]):
            places.put(export, found)
            self.beat()

    def _withhold_again(self, reaches: list[_Reach]) -> None:
        """What became secret until the trees were fixed: a range without an end holds what was sealed meanwhile.
        Errors: `_Moved`."""
        self.hidden = hidden_from(asker_of(self.export).id)
        self._put_withheld()
        if any(self._is_withheld(reach, index) for reach in reaches for index in reach.fences):
            raise _Moved()

    def _put_withheld(self) -> None:
        """What whoever asked must not see yet: decisions that they judge blind, and what others judge meanwhile."""
        export = self.export
        work = judged_in_secret(asker_of(export).id, system_id=export.system_id)
        for some in places.sliced(work):
            places.put(export, places_about(some, JUDGEMENT_KINDS), withheld=True)
            self.beat()
        for some in places.sliced(self.hidden):
            places.put(export, {*places_of(some).values(), *trail_places(some)}, withheld=True)
            self.beat()

    def _between(self, reach: _Reach) -> tuple[int, int]:
        export, system_id = self.export, self.export.system_id
        assert system_id is not None
        reach.range = index_range(reach.log.pk, system_id, export.since, export.until, reach.size, beat=self.beat)
        return self._fenced(reach)

    def _fenced(self, reach: _Reach) -> tuple[int, int]:
        """The range with a fence on either side. A fence is disclosed: where that may not be, the range is wider."""
        assert reach.range is not None
        first, end = reach.range
        while first > 0 and self.export.since and self._is_withheld(reach, first - 1):
            first -= 1
        while end < reach.size and self.export.until and self._is_withheld(reach, end):
            end += 1
        fences = [index for index in (first - 1, end) if 0 <= index < reach.size]
        if self.export.until is None:  # it goes on to the end of the tree, which is decided when it is signed
            fences = fences[:1] if first > 0 else []
        places.put(self.export, ((reach.log.pk, index) for index in fences))
        reach.fences = [*reach.fences, *fences]
        return first, end

    def _is_withheld(self, reach: _Reach, index: int) -> bool:
        return places.withheld_between(self.export, reach.log.pk, index, index + 1) > 0

    def _erasures(self, log_ids: list[uuid.UUID]) -> Iterator[set[Place]]:
        """Where it stands that the contents of decisions of these logs were erased, wherever that is."""
        last = uuid.UUID(int=0)
        while True:
            with connection.cursor() as cursor:
                cursor.execute(ERASURES, [last, ERASURES_AT_ONCE, DECISION_RECORDED.name, log_ids])
                rows = cursor.fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield {(log_id, index) for _, log_id, index in rows if log_id}

    # --- logs ---------------------------------------------------------------------------------------------------------
    def _planned(self, reach: _Reach) -> PlannedLog | None:
        """The log under its checkpoint; None where none can be had of what it would have to prove."""
        log, highest = reach.log, places.highest(self.export, reach.log.pk)
        is_closed = reach_of(log) is not None
        needed = [1, (highest or 0) + 1, *self._needed_of_range(reach, is_closed=is_closed)]
        needed += [size for origin, size, _ in self.export.heads if origin == log.origin and size <= reach.size]
        if is_closed:
            needed = [min(max(needed), reach.size)]
            if latest_head(log.pk).tree_size > reach.size:
                self.left_out.add("log_unsigned")
        if not max(needed):
            self.left_out.add("log_unsigned")
            return None
        signed = best_checkpoint(log, max(needed))
        if self.waits and not signed.is_witnessed and not is_seen(log, max(needed)):
            self.is_unseen = True
        places.put(self.export, [(log.pk, 0)])
        found = _under(log, signed)
        if reach.range is None:
            return found
        first, end = self._under_fence(reach, signed.tree_size)
        return _with_range(log, found, (first, end if self.export.until else max(first, signed.tree_size)))

    def _needed_of_range(self, reach: _Reach, *, is_closed: bool) -> list[int]:
        if reach.range is None:
            return []
        if self.export.until is not None:
            return [reach.range[1]]
        return [reach.size if is_closed else _size_as_asked(self.export, reach.log, reach.size)]

    def _under_fence(self, reach: _Reach, size: int) -> tuple[int, int]:
        """The range in the tree that proves it: what was received since it was looked into stands behind its end."""
        assert reach.range is not None
        if self.export.until is not None and reach.range[1] == reach.size < size:
            reach.size = size
            reach.range = self._between(reach)
        return reach.range

    def _registries(self, planned: list[PlannedLog]) -> list[PlannedLog]:
        logs = list(Log.objects.filter(kind=Log.Kind.REGISTRY).order_by("sequence").select_related("predecessor"))
        own = {log.pk for log in logs}
        about = [*own, *(log.id for log in planned)]
        about += noted_outside(planned)
        kinds = (*KEYS, SYSTEM_LOG_OPENED.name, LOG_CLOSED.name, CHECKPOINT_CONTRADICTED.name)
        places.put(self.export, (place for place in places_about(about, kinds) if place[0] in own))
        places.put(self.export, self._recorded(planned, own))
        found = [self._planned(_Reach(log, _size(log))) for log in logs]
        return [each for each in found if each is not None]

    def _recorded(self, planned: list[PlannedLog], registries: set[uuid.UUID]) -> Iterator[Place]:
        """The newest checkpoint of each log that the registry log has, at or below the size that is proven; the tiles
        are to suffice for it."""
        for at, log in enumerate(planned):
            rows = Checkpoint.objects.filter(log_id=log.id, tree_size__lte=log.tree_size).order_by("-tree_size", "-id")
            for checkpoint_id, size in rows.values_list("id", "tree_size")[:20]:
                entry = Entry.objects.filter(id=checkpoint_id, kind=CHECKPOINT_RECORDED.name).first()
                if entry and entry.log_id in registries:
                    planned[at] = proving(log, size)
                    yield entry.log_id, entry.leaf_index
                    break

    def _withheld(self, log: PlannedLog) -> int:
        return places.withheld_between(self.export, log.id, *log.range) if log.range else 0

    def _to_read(self, log: PlannedLog) -> int:
        rows = self.export.places.filter(log_id=log.id, is_withheld=False)
        if log.range:
            rows = rows.exclude(leaf_index__gte=log.range[0], leaf_index__lt=log.range[1])
        return log.range_size + rows.count()


ERASURES = """
    WITH slice AS MATERIALIZED (
        SELECT id, row_id, entry_id FROM ledger_erasure WHERE id > %s ORDER BY id LIMIT %s
    )
    SELECT slice.id, e.log_id, e.leaf_index FROM slice
    LEFT JOIN ledger_entry d ON d.id = slice.row_id AND d.kind = %s AND d.log_id = ANY(%s)
    LEFT JOIN ledger_entry e ON e.id = slice.entry_id AND e.about_id = d.id
    ORDER BY slice.id
"""


def _size(log: Log) -> int:
    reach = reach_of(log)
    return latest_head(log.pk).tree_size if reach is None else reach


def _under(log: Log, signed: Anchored) -> PlannedLog:
    return PlannedLog(
        id=log.pk,
        origin=log.origin,
        is_registry=log.kind == Log.Kind.REGISTRY,
        system_id=log.system_id,
        predecessor=log.predecessor.origin if log.predecessor else None,
        tree_size=signed.tree_size,
        root_hash=signed.root_hash.hex(),
        note=signed.note,
        timestamps=list(signed.timestamps),
    )


def _with_range(log: Log, planned: PlannedLog, found: tuple[int, int]) -> PlannedLog:
    before = checkpoint_before(log.pk, found[0])
    if before is None:
        return replace(planned, range=found)
    size = before.tree_size
    return replace(planned, range=found, before_size=size, before_note=before.note, proves=[size])

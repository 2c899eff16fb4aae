"""Making exports: claimed, worked at in slices, gone on with after a worker's death, finished or failed.

One worker is at an export at a time. It says so every second; where it was not heard of for a minute, another one
takes over and goes on from its last mark if it is on the same host, or begins anew. Whoever finds that the work is not
theirs any more stops and touches nothing. What cannot be helped by trying again ends it; what can, such as a storage
that is away, is tried again later, and the export's page says so.
"""

import errno
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import F, Q
from django.utils import timezone

from config.errors import ServiceError
from evidence.exports import scratch, storage
from evidence.exports.anchors import PATIENCE, Unwitnessed
from evidence.exports.bundle import BundleMaker
from evidence.exports.endings import Ending, TooLarge, TooManyGaps
from evidence.exports.erased_by import SubjectErased, is_of_nobody
from evidence.exports.erasing import ErasedMeanwhile, why_it_goes
from evidence.exports.models import Export, ExportWork
from evidence.exports.names import file_name
from evidence.exports.pace import Pace
from evidence.exports.planning import make_plan
from evidence.exports.plans import Plan
from evidence.exports.reading import RecordDamaged
from evidence.exports.requesting import tell_asker, write_export
from evidence.exports.tables import TableMaker
from evidence.exports.watching import RightLost, RightNarrowed, SliceOver, Watch, WorkGone
from evidence.exports.writing import ZipWriter, dos_time
from evidence.kinds import EXPORT_FAILED, EXPORT_FINISHED
from governance.locks import hold
from ledger.entries import SERVER
from ledger.errors import LedgerRolledBack
from ledger.sealing import sealing

logger = structlog.get_logger(__name__)
RUNS = "evidence.tasks.run_exports_task"
"""What has `run_exports` called: whoever leaves work may nudge it (`notices.nudging`)."""
SLICE_SECONDS = 15.0
SILENT = timedelta(seconds=60)
"""So long after its last sign of life a worker counts as dead."""
SOON, FIRST_PAUSE, LONGEST_PAUSE = 5, 15, 900
"""Seconds until what failed is tried again."""
TRIES = {"storage_full": 12, "storage_away": 60, "unsigned": 60, "fault": 3}
INTERRUPTIONS = 20
"""So often it may be begun without coming further."""
ANEW = 12
"""So often it may be begun anew, each time after a longer pause but the first."""


def run_exports(*, seconds: float = SLICE_SECONDS, pace: Pace | None = None) -> int:
    """Work at what waits, for about so long. The server's own work. Returns how many slices were worked."""
    until, worked = time.monotonic() + seconds, 0
    while time.monotonic() < until and (work := claim()) is not None:
        run_slice(work, pace=pace or Pace(), until=until)
        worked += 1
    return worked


def claim(only: uuid.UUID | None = None) -> ExportWork | None:
    """Take on the export that was longest without care; None where none waits, or enough are being made.

    One that was begun on another host is left to that one for a minute after it could go on: here it is made twice.
    """
    now, home = timezone.now(), scratch.home()
    with transaction.atomic():
        hold("exports")
        at_work = ExportWork.objects.filter(worker__isnull=False, worked_at__gt=now - SILENT)
        if only is None and at_work.count() >= settings.EXPORTS_AT_ONCE:
            return None
        waits = ExportWork.objects.select_for_update(of=("self",)).select_related("export")
        waits = waits.filter(export__status=Export.Status.QUEUED, not_before__lte=now)
        waits = waits.filter(Q(worker=None) | Q(worked_at__lte=now - SILENT))
        is_near = Q(plan__isnull=True) | Q(host__in=("", home))
        waits = waits.filter(is_near | Q(worked_at__lte=now - SILENT, not_before__lte=now - SILENT))
        waits = waits.filter(export_id=only) if only else waits
        found = waits.order_by(F("worked_at").asc(nulls_first=True), "export_id").first()
        if found is None:
            return None
        found.worker, found.worked_at, found.attempts = uuid.uuid4(), now, found.attempts + 1
        found.host = home
        found.begun_at = found.begun_at or now
        found.save(update_fields=["worker", "host", "worked_at", "attempts", "begun_at"])
    return found


def run_slice(work: ExportWork, *, pace: Pace, until: float | None) -> None:
    """Work at a claimed export until `until` (monotonic clock) or its end. What comes of it stands in its rows."""
    export, worker = work.export, work.worker
    assert worker is not None
    watch = Watch(export=export, worker=worker, pace=pace, until=until, done=work.done)
    try:
        if work.attempts > INTERRUPTIONS:
            raise _Interrupted()
        if work.begun_anew > ANEW:
            raise _Restless()
        with scratch.locked(export.pk) as folder:
            _Work(work, watch, folder).go_on()
        scratch.discard(export.pk)
    except SliceOver:
        _release(work, watch.done, attempts=0)
    except (ErasedMeanwhile, RightNarrowed):
        logger.info("evidence.export_begun_anew", export=str(export.pk))
        begin_anew(work)
    except Unwitnessed:
        _release(work, 0, trouble="unwitnessed", pause=SOON, attempts=0)
    except scratch.Busy:  # somebody on this host is at it, only slow: no beginning of ours
        _release(work, work.done, trouble=work.trouble, pause=FIRST_PAUSE, attempts=work.attempts - 1)
    except WorkGone:
        logger.info("evidence.export_gone", export=str(export.pk))
        if _is_given_up(work):  # else somebody else is at it
            scratch.discard(export.pk)
    except (OperationalError, InterfaceError) as error:
        logger.warning("evidence.export_interrupted", export=str(export.pk), error=str(error).split("\n")[0])
        _release(work, watch.done, trouble="database_away", pause=FIRST_PAUSE)
    except Exception as error:  # noqa: BLE001 - told in the log and in the rows, whatever it is
        _settle(work, watch, error)


class _Interrupted(Exception):
    """It was begun again and again, and never came further: whoever works at it dies of it."""


class _Restless(Exception):
    """What is in it was erased or restricted again and again before it was finished."""


def _settle(work: ExportWork, watch: Watch, error: Exception) -> None:
    """End it, or have it tried again, for what went wrong."""
    code, is_final = _meaning(error)
    if code == "fault":
        logger.exception("evidence.export_fault", export=str(work.export_id))
    else:
        logger.warning("evidence.export_trouble", export=str(work.export_id), code=code, error=str(error))
    came_further = watch.done > work.done and code != "fault"
    attempts = 1 if came_further else work.attempts
    if is_final or attempts >= TRIES.get(code, 1):
        _fail(work, code)
        return
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempts - 1))
    _release(work, watch.done, trouble=code, pause=pause, attempts=attempts)


def _meaning(error: Exception) -> tuple[str, bool]:
    """The code of what went wrong, and whether trying again is of no use."""
    match error:
        case RightLost():
            return "right_lost", True
        case RecordDamaged() | LedgerRolledBack():
            return "record_damaged", True
        case TooLarge():
            return "too_large", True
        case TooManyGaps():
            return "too_many_gaps", True
        case SubjectErased():
            return "subject_erased", True
        case _Interrupted():
            return "interrupted", True
        case _Restless():
            return "begun_anew", True
        case storage.StorageFull():
            return "storage_full", False
        case storage.StorageAway():
            return "storage_away", False
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "storage_full", False
        case ServiceError() if error.status >= 500:
            return "unsigned", False
        case ServiceError():  # of asking: what they could see when they asked is out of their reach
            return "right_lost", True
    return "fault", False


@dataclass(slots=True)
class _Work:
    """One export under this worker's hands, its folder locked."""

    work: ExportWork
    watch: Watch
    folder: Path

    def go_on(self) -> None:
        """From where it is to its end. Errors: `SliceOver` and whatever stands in the way."""
        if self.work.plan is not None:
            self.watch.plan = Plan.of(self.work.plan)
        self.watch.ask()
        known = scratch.kept(self.folder) if self.work.plan is not None else None
        if known is None or not self._keep_again(known):
            known = self._make()
            self._keep(known)
        self._finish(known)

    def _plan(self) -> Plan:
        if self.work.plan is None:
            self.watch.phase, self.watch.done = "planning", 0
            scratch.empty(self.folder)  # it may be begun anew
            if is_of_nobody(self.work.export):
                raise SubjectErased()
            plan = make_plan(self.work.export, self.watch.rest, is_patient=self._is_patient)
            ours = ExportWork.objects.filter(export_id=self.work.export_id, worker=self.work.worker)
            if not ours.update(plan=plan.kept(), total=plan.total * (2 if self._reads_twice else 1)):
                raise WorkGone()
            self.work.plan, self.watch.plan = plan.kept(), plan
        return Plan.of(self.work.plan)

    @property
    def _is_patient(self) -> bool:
        begun_at = self.work.begun_at
        return begun_at is not None and timezone.now() - begun_at < PATIENCE

    @property
    def _reads_twice(self) -> bool:
        return self.work.export.form == Export.Form.BUNDLE and bool(self.work.export.parts)

    def _make(self) -> dict[str, Any]:
        export, plan = self.work.export, self._plan()
        stamp = dos_time(*plan.made_at.timetuple()[:6])
        tag = plan.made_at.isoformat()
        with ZipWriter(self.folder, dos_time=stamp, tag=tag, beat=self.watch.beat) as writer:
            kind = BundleMaker if export.form == Export.Form.BUNDLE else TableMaker
            maker = kind(export, plan, writer, self.watch)
            maker.make()
            writer.close()
            left_out = Ending(maker).left_out
            return {
                "planned": plan.made_at.isoformat(),
                "size": writer.size,
                "digest": self._digest(writer.path),
                "manifest_digest": maker.manifest_digest,
                "decisions": maker.figures.decisions,
                "parts": {name: count for name, count in maker.disclosed_parts.items() if count},
                "left_out": left_out,
            }

    def _digest(self, path: Path) -> str:
        found = sha256()
        with path.open("rb") as file:
            while data := file.read(1 << 20):
                found.update(data)
                self.watch.beat()
        return found.hexdigest()

    def _keep(self, known: dict[str, Any]) -> None:
        self.watch.phase = "keeping"
        scratch.note_kept(self.folder, known)
        storage.put(self.work.export, self.folder / "export.zip", self.watch.beat)

    def _keep_again(self, known: dict[str, Any]) -> bool:
        """Where a worker died between making the file and saying so: it is there, or here, whole; or it is not."""
        if known["planned"] != Plan.of(self.work.plan).made_at.isoformat():  # of before it was begun anew elsewhere
            scratch.empty(self.folder)
            return False
        path = self.folder / "export.zip"
        if path.exists() and path.stat().st_size == known["size"] and self._digest(path) == known["digest"]:
            self._keep(known)
            return True
        if not path.exists() and storage.is_there(self.work.export):
            return True
        scratch.forget_kept(self.folder)
        return False

    def _finish(self, known: dict[str, Any]) -> None:
        try:
            self.watch.ask()
            if why_it_goes(self.work):
                raise ErasedMeanwhile()
            _finish(self.work, known)
        except (RightLost, RightNarrowed, ErasedMeanwhile):
            storage.remove(self.work.export)
            raise
        except WorkGone:
            if _is_given_up(self.work):  # else somebody else is at it, or has finished it: the file is theirs
                storage.remove(self.work.export)
            raise


def _finish(work: ExportWork, known: dict[str, Any]) -> None:
    plan = Plan.of(work.plan)
    with sealing() as seal:
        export = _locked(work)
        export.status, export.ended_at = Export.Status.FINISHED, timezone.now()
        export.is_whole, export.left_out = not known["left_out"], known["left_out"]
        export.file_name = file_name(export, is_whole=export.is_whole)
        export.size, export.digest = known["size"], known["digest"]
        export.manifest_digest, export.decisions = known["manifest_digest"], known["decisions"]
        export.disclosed_parts = sum(known["parts"].values())
        export.expires_at = export.ended_at + timedelta(days=settings.EXPORT_DAYS)
        facts = {
            "digest": export.digest,
            "manifest": export.manifest_digest,
            "size": export.size,
            "is_whole": export.is_whole,
            "left_out": export.left_out,
            "decisions": export.decisions,
            "disclosed": known["parts"],
            "logs": [_log(each) for each in plan.logs],
        }
        write_export(seal, SERVER, EXPORT_FINISHED, export, facts)
        ExportWork.objects.filter(export=export).update(worker=None, trouble="")
        tell_asker(export)


def _log(log: Any) -> dict[str, Any]:
    return {"origin": log.origin, "tree_size": log.tree_size, "range": list(log.range) if log.range else None}


def _fail(work: ExportWork, code: str) -> None:
    try:
        with sealing() as seal:
            export = _locked(work)
            export.status, export.ended_at, export.failure = Export.Status.FAILED, timezone.now(), code
            write_export(seal, SERVER, EXPORT_FAILED, export, {"failure": code})
            ExportWork.objects.filter(export=export).update(worker=None)  # the sweep does the rest
            tell_asker(export)
    except WorkGone:
        logger.info("evidence.export_gone", export=str(work.export_id))
    scratch.discard(work.export_id)


def _locked(work: ExportWork) -> Export:
    """The export, if it is still this worker's. Errors: `WorkGone`."""
    export = Export.objects.select_for_update(no_key=True).get(pk=work.export_id)
    if not ExportWork.objects.select_for_update().filter(export_id=work.export_id, worker=work.worker).exists():
        raise WorkGone()
    return export


def begin_anew(work: ExportWork) -> None:
    """Forget what was decided and made so far; whoever is at it stops. It goes on at once the first time, then after a
    while: where much is erased, it would not come to its end before that is over."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (work.begun_anew - 1)) if work.begun_anew else 0
    now = timezone.now()
    rows = ExportWork.objects.filter(export_id=work.export_id, export__status=Export.Status.QUEUED)
    rows.update(
        worker=None, worked_at=now, plan=None, looked_at=None, phase="", done=0, total=None,
        begun_anew=F("begun_anew") + 1, trouble="begun_anew", not_before=now + timedelta(seconds=pause),
    )  # fmt: skip


def _is_given_up(work: ExportWork) -> bool:
    kept = (Export.Status.QUEUED, Export.Status.FINISHED)
    return not Export.objects.filter(pk=work.export_id, status__in=kept).exists()


def _release(
    work: ExportWork, done: int, *, trouble: str = "", pause: float = 0.0, attempts: int | None = None
) -> None:
    """Let somebody go on with it: at once, or after a pause. Without the database its silence says the same later."""
    came_further = done > work.done
    said: dict[str, Any] = {
        "worker": None,
        "worked_at": timezone.now(),
        "trouble": trouble,
        "not_before": timezone.now() + timedelta(seconds=pause),
        "attempts": attempts if attempts is not None else 0 if came_further else work.attempts,
    }
    try:
        ExportWork.objects.filter(export_id=work.export_id, worker=work.worker).update(**said)
    except DatabaseError as error:
        logger.warning("evidence.export_not_released", export=str(work.export_id), error=str(error).split("\n")[0])

"""What the beat does about exports: files whose time is over go, files that hold what was erased, and what is left."""

import time
import uuid
from collections.abc import Collection

import structlog
from django.db.models import F
from django.utils import timezone

from evidence.exports import places, scratch, storage
from evidence.exports.erased_by import must_go, works_with_something
from evidence.exports.erasing import is_of_another_cluster, why_it_goes
from evidence.exports.models import Export, ExportDownload, ExportWork
from evidence.exports.requesting import tell_asker, write_export
from evidence.exports.running import begin_anew
from evidence.kinds import EXPORT_EXPIRED
from ledger.entries import SERVER, Actor
from ledger.sealing import sealing

logger = structlog.get_logger(__name__)
AT_ONCE = 100
Status = Export.Status


def expire_exports(*, actor: Actor = SERVER) -> int:
    """Delete the files whose time is over, and seal that. The server's own work. Returns how many.

    Where the storage is away they are deleted later; nobody is given them meanwhile.
    """
    due = Export.objects.filter(status=Status.FINISHED, expires_at__lte=timezone.now()).order_by("expires_at")
    expired = 0
    for export in due.exclude(work__kept_in__in=_elsewhere())[:AT_ONCE]:
        if not _removed(export):
            break
        expired += _expire(actor, export)
    return expired


def forget_erased(*, actor: Actor = SERVER, seconds: float | None = None) -> int:
    """Delete finished files that hold what was erased or restricted since; have begun anew what is being made with it.
    How many.

    `seconds`: for about so long; those that were looked at longest ago come first, so the next time goes on.
    """
    works = ExportWork.objects.filter(plan__isnull=False).exclude(export__parts=[]).select_related("export")
    works = works.filter(export__status__in=(Status.QUEUED, Status.FINISHED))
    found, until = 0, None if seconds is None else time.monotonic() + seconds
    for work_id in list(works.order_by(F("looked_at").asc(nulls_first=True), "pk").values_list("pk", flat=True)):
        if until is not None and time.monotonic() >= until:
            break
        work = works.filter(pk=work_id).first()
        if work is None:  # over meanwhile
            continue
        why = why_it_goes(work)
        if not why:
            continue
        if work.export.status == Status.QUEUED:
            begin_anew(work)
        elif _removed(work.export):
            _expire(actor, work.export, why)
        found += 1
    return found


def _removed(export: Export) -> bool:
    try:
        storage.remove(export)
    except storage.StorageAway as error:
        logger.warning("evidence.export_not_deleted", export=str(export.pk), error=str(error))
        return False
    return True


def _elsewhere() -> list[str]:
    """Places of files that this host cannot delete: others do. Where it cannot be said which those are, all."""
    found = []
    for kept_in in ExportWork.objects.exclude(kept_in="").order_by().values_list("kept_in", flat=True).distinct():
        try:
            is_here = storage.is_here(kept_in)
        except storage.StorageAway as error:
            logger.warning("evidence.exports_away", error=str(error))
            is_here = False
        found += [] if is_here else [kept_in]
    return found


def _expire(actor: Actor, export: Export, why: str = "") -> int:
    with sealing() as seal:
        held = Export.objects.select_for_update(no_key=True).get(pk=export.pk)
        if held.status != Status.FINISHED:
            return 0
        held.status, held.failure = Status.EXPIRED, why
        write_export(seal, actor, EXPORT_EXPIRED, held, {"why": why} if why else {})
        ExportDownload.objects.filter(export=held).delete()
        if why:
            tell_asker(held)
    return 1


def clear_up() -> int:
    """Forget what the making of ended exports left behind, wherever it is. Returns of how many."""
    cleared = 0
    over = ExportWork.objects.exclude(export__status__in=(Status.QUEUED, Status.FINISHED)).select_related("export")
    for work in over.exclude(kept_in__in=_elsewhere()).order_by("pk")[:AT_ONCE]:
        if not _removed(work.export):  # its maker may have died, or been told, just after the file was put there
            break
        work.delete()
    owners = list(places.owners())
    known = set(ExportWork.objects.filter(pk__in=owners).values_list("pk", flat=True))
    for export_id in [each for each in owners if each not in known][:AT_ONCE]:
        while places.clear(export_id):
            cleared += 1
    return cleared + clear_scratch()


def forget_unknown() -> int:
    """Delete files that no export is known of, as after a restore of an older database: nobody could fetch them, and no
    erasure would reach them. In a folder of this installation alone: a store may be shared. Returns how many.

    Errors: `StorageAway`.
    """
    clear_scratch()
    there = storage.own_names()  # before the rows: whoever makes one has its row first
    known = set(Export.objects.filter(pk__in=there).values_list("pk", flat=True))
    unknown = there.keys() - known
    for export_id in unknown:
        storage.remove_named(there[export_id])
    return len(unknown)


def forget_of_before_a_restore() -> int:
    """Delete the files with contents that were planned in another database cluster, as far as they are here. Their rows
    follow with the sweep, which seals that: right after a restore it may not be able to. Returns how many. Errors:
    `StorageAway`."""
    works = works_with_something(Status.FINISHED).exclude(export__parts=[])
    there = [work.export for work in works if is_of_another_cluster(work) and storage.is_here(work.kept_in)]
    for export in there:
        storage.remove(export)
    return len(there)


def kept_elsewhere(*, are_gone: bool = False) -> int:
    """How many exports have their file in a place that is not this host's: nothing here can delete them. `are_gone`:
    those places are no more, so neither are the files."""
    works = ExportWork.objects.filter(kept_in__in=_elsewhere())
    return works.update(kept_in="") if are_gone else works.count()


def clear_scratch() -> int:
    """Delete what is on this host of exports that nobody makes any more. Returns of how many."""
    left = set(scratch.there())
    made = ExportWork.objects.filter(export_id__in=left, export__status=Status.QUEUED)
    over = left - set(made.values_list("export_id", flat=True))
    for export_id in over:
        scratch.discard(export_id)
    return len(over)


# --- before an erasure is said to be done -----------------------------------------------------------------------------
def forget_erased_by(entry_ids: Collection[uuid.UUID], *, actor: Actor = SERVER) -> bool:
    """Have gone what holds something that these entries erased, or lists somebody's decisions whose name is erased.

    Returns whether nothing of it is left: else a storage is away, or a maker is at it; come back in a while.
    """
    forget_erased(actor=actor)
    for work in works_with_something(Status.QUEUED, Status.FINISHED):
        if not must_go(work, entry_ids):
            continue
        if work.export.status == Status.QUEUED:
            begin_anew(work)
        elif _removed(work.export):
            _expire(actor, work.export, "erased")
    clear_up()
    _empty_begun_anew()
    kept = works_with_something(Status.FINISHED, Status.FAILED, Status.CANCELLED)
    return not any(must_go(work, entry_ids) for work in kept)


def _empty_begun_anew() -> None:
    """What was made on this host of exports that were begun anew, and that nobody has taken on again yet."""
    works = ExportWork.objects.filter(plan__isnull=True, worker=None, export__status=Status.QUEUED)
    for export_id in works.filter(export_id__in=scratch.there()).values_list("export_id", flat=True):
        try:
            with scratch.locked(export_id) as folder:
                scratch.empty(folder)
        except scratch.Busy:
            logger.info("evidence.export_busy", export=str(export_id))  # whoever is at it notices, and empties it

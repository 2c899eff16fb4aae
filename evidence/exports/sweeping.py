"""What the beat does about exports: files whose time is over go, files that hold what was erased, and what is left."""

import uuid
from collections.abc import Collection

import structlog
from django.db.models import Q, QuerySet
from django.utils import timezone

from evidence.exports import places, scratch, storage
from evidence.exports.erasing import why_it_goes
from evidence.exports.models import Export, ExportDownload, ExportPlace, ExportWork
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
    for export in due[:AT_ONCE]:
        if not _removed(export):
            break
        expired += _expire(actor, export)
    return expired


def forget_erased(*, actor: Actor = SERVER, by: Collection[uuid.UUID] = ()) -> int:
    """Delete finished files that hold what was erased or restricted since; have begun anew what is being made with it.
    How many. `by`: entries that erased something."""
    found = 0
    for work in _holding(Status.QUEUED, Status.FINISHED):
        why = why_it_goes(work, by)
        if not why:
            continue
        if work.export.status == Status.QUEUED:
            begin_anew(work)
        elif _removed(work.export):
            _expire(actor, work.export, why)
        found += 1
    return found


def left_with_erased(by: Collection[uuid.UUID] = ()) -> bool:
    """Whether a file is kept still that holds what was erased: where its storage is away, until it is back."""
    kept = _holding(Status.FINISHED, Status.FAILED, Status.CANCELLED)
    return any(why_it_goes(work, by) == "erased" for work in kept)


def _holding(*statuses: Export.Status) -> QuerySet[ExportWork]:
    """What may hold something: contents, or the list of somebody's decisions."""
    works = ExportWork.objects.filter(plan__isnull=False, export__status__in=statuses).select_related("export")
    return works.exclude(~Q(export__question=Export.Question.SUBJECT), export__parts=[]).order_by("pk")


def _removed(export: Export) -> bool:
    try:
        storage.remove(export)
    except storage.StorageAway as error:
        logger.warning("evidence.export_not_deleted", export=str(export.pk), error=str(error))
        return False
    return True


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
    over = ExportWork.objects.exclude(export__status__in=(Status.QUEUED, Status.FINISHED)).select_related("export")
    for work in over.order_by("pk")[:AT_ONCE]:
        if not _removed(work.export):  # its maker may have died, or been told, just after the file was put there
            break
        work.delete()
    ended = ExportPlace.objects.exclude(export_id__in=ExportWork.objects.values("export_id"))
    cleared = 0
    for export_id in ended.order_by().values_list("export_id", flat=True).distinct()[:AT_ONCE]:
        while places.clear(export_id):
            cleared += 1
    return cleared + clear_scratch()


def clear_scratch() -> int:
    """Delete what is on this host of exports that nobody makes any more. Returns of how many."""
    left = set(scratch.there())
    made = ExportWork.objects.filter(export_id__in=left, export__status=Status.QUEUED)
    over = left - set(made.values_list("export_id", flat=True))
    for export_id in over:
        scratch.discard(export_id)
    # begun anew, perhaps on another host: what was made here holds what was erased since
    anew = list(made.filter(plan=None, worker=None).values_list("export_id", flat=True))
    for export_id in anew:
        _empty(export_id)
    return len(over)


def _empty(export_id: uuid.UUID) -> None:
    try:
        with scratch.locked(export_id) as folder:
            scratch.empty(folder)
    except scratch.Busy:  # whoever is at it notices, and empties it
        logger.info("evidence.export_busy", export=str(export_id))

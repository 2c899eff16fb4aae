"""What the beat does about exports: files whose time is over are deleted, and what the making left behind."""

import structlog
from django.utils import timezone

from evidence.exports import places, scratch, storage
from evidence.exports.models import Export, ExportDownload, ExportPlace, ExportWork
from evidence.exports.requesting import write_export
from evidence.kinds import EXPORT_EXPIRED
from ledger.entries import SERVER, Actor
from ledger.sealing import sealing

logger = structlog.get_logger(__name__)
AT_ONCE = 100


def expire_exports(*, actor: Actor = SERVER) -> int:
    """Delete the files whose time is over, and seal that. The server's own work. Returns how many.

    Where the storage is away they are deleted later; nobody is given them meanwhile.
    """
    due = Export.objects.filter(status=Export.Status.FINISHED, expires_at__lte=timezone.now()).order_by("expires_at")
    expired = 0
    for export in due[:AT_ONCE]:
        try:
            storage.remove(export)
        except storage.StorageAway as error:
            logger.warning("evidence.export_not_deleted", export=str(export.pk), error=str(error))
            break
        with sealing() as seal:
            held = Export.objects.select_for_update(no_key=True).get(pk=export.pk)
            if held.status == Export.Status.FINISHED:
                held.status = Export.Status.EXPIRED
                write_export(seal, actor, EXPORT_EXPIRED, held)
                ExportDownload.objects.filter(export=held).delete()
                expired += 1
    return expired


def clear_up() -> int:
    """Forget what the making of ended exports left behind, wherever it is. Returns of how many."""
    given_up = ExportWork.objects.exclude(export__status=Export.Status.QUEUED).select_related("export")
    for work in given_up.order_by("pk")[:AT_ONCE]:
        try:
            storage.remove(work.export)  # its maker may have died, or been told, just after it was put there
        except storage.StorageAway as error:
            logger.warning("evidence.export_not_deleted", export=str(work.pk), error=str(error))
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
    over = left - set(ExportWork.objects.filter(export_id__in=left).values_list("export_id", flat=True))
    for export_id in over:
        scratch.discard(export_id)
    return len(over)

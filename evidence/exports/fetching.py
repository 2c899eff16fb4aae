"""Fetching the file of an export: whole, or a part of it, as HTTP says (RFC 9110, section 14). Each download is sealed.

A request for the beginning begins a download, and that is sealed before the first byte is given. What is asked for from
a later byte on belongs to the download that the same person began last, within a day, as long as no more is given of it
than the file has, and a little that was lost on the way; so a download that broke off and is gone on with is one, and
nobody has the file twice for one entry. Rights are asked for each request.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from config.errors import Forbidden
from config.ids import new_id
from evidence.exports import storage
from evidence.exports.access import may_fetch
from evidence.exports.codes import FAILURES
from evidence.exports.erased_by import is_of_nobody
from evidence.exports.erasing import why_it_goes
from evidence.exports.errors import FileNotReady, FileNotThere, RangeNotSatisfiable, StorageUnavailable
from evidence.exports.models import Export, ExportDownload
from evidence.exports.requesting import visible_export
from evidence.kinds import EXPORT_DOWNLOADED
from governance.actors import person_id_of
from ledger.entries import Actor, draft_entry
from ledger.sealing import sealing
from ledger.selectors import open_log, registry_log

logger = structlog.get_logger(__name__)
GOES_ON = timedelta(days=1)
LOST = 4 << 20
"""So much of what was given may have been lost on the way, where a download broke off: at most half of the file."""
NEVER_MADE = "This export was given up, taken back or refused: it never had a file. Its page says which."
ELSEWHERE = (
    "The file lies in a folder of another host, or where exports were kept before. With several hosts the operator has"
    " them share one folder, or keep exports in an S3-compatible store (ANSWERABLE_EXPORT_STORAGE)."
)
RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of the file is given: `size` bytes from `first` on."""

    export: Export
    first: int
    size: int
    is_whole: bool

    @property
    def etag(self) -> str:
        return f'"{self.export.digest}"'

    @property
    def content_range(self) -> str:
        return f"bytes {self.first}-{self.first + self.size - 1}/{self.export.size}"


def part_of(*, actor: Actor, export_id: uuid.UUID, wanted: str = "", if_range: str = "") -> Part:
    """What a request with these headers is given; nothing is sealed yet.

    `wanted`: the header `Range`; one that is malformed, or asks for several ranges, is answered with the whole.
    `if_range`: where that is not the file's ETag, too. Errors: `ExportNotFound`, `Forbidden`, `FileNotReady`,
    `FileNotThere`, `RangeNotSatisfiable`.
    """
    export = visible_export(actor, export_id)
    if not may_fetch(actor, export):
        raise Forbidden("The file is for whoever asked for it, as long as they may have it. Ask for one yourself.")
    if export.is_open:
        raise FileNotReady()
    if why := _why_gone(export):
        raise FileNotThere(why)
    total = export.size or 0
    whole = Part(export=export, first=0, size=total, is_whole=True)
    if if_range and if_range != whole.etag:
        return whole
    match = RANGE.fullmatch(wanted.strip())
    if match is None:
        return whole
    start, last, suffix = (int(each) if each else None for each in match.groups())
    if start is not None and last is not None and last < start:
        return whole
    if start is None:
        start, last = max(0, total - (suffix or 0)), total - 1
    end = total if last is None else min(last + 1, total)
    if start >= end:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{total}"})
    return Part(export=export, first=start, size=end - start, is_whole=False)


def _why_gone(export: Export) -> str:
    """Why it has no file, or none that is given out; empty where it has one."""
    if export.status in (Export.Status.CANCELLED, Export.Status.REFUSED, Export.Status.WITHDRAWN):
        return NEVER_MADE
    if export.status == Export.Status.FAILED:
        return f"This export could not be made: {FAILURES.get(export.failure, export.failure)}."
    why = export.failure
    if export.status == Export.Status.FINISHED and export.expires_at and export.expires_at > timezone.now():
        why = "subject_erased" if is_of_nobody(export) else why_it_goes(export.work) if export.disclosed_parts else ""
        if not why:
            return ""
    return f"The file of this export is gone: {FAILURES.get(why, why)}." if why else FileNotThere.default_detail


def fetch(*, actor: Actor, part: Part) -> Iterator[bytes]:
    """The bytes; `export.downloaded` is sealed before, where this begins a download. To be closed by whoever gives them
    out. Errors: `StorageUnavailable`; what sealing raises."""
    try:
        if not storage.is_there(part.export):
            raise storage.StorageAway("the file is not there")
        download_id = _note(actor, part)
        return _Given(storage.read(part.export, part.first, part.size), download_id, part.size)
    except storage.StorageElsewhere as error:
        raise StorageUnavailable(ELSEWHERE) from error
    except storage.StorageAway as error:
        logger.warning("evidence.export_not_given", export=str(part.export.pk), error=str(error))
        raise StorageUnavailable() from error


class _Given(Iterator[bytes]):
    """What is given out. The whole part counts as given from the beginning; what was not is taken off at the end."""

    def __init__(self, pieces: Iterator[bytes], download_id: uuid.UUID, size: int) -> None:
        self._pieces, self._download_id, self._left = pieces, download_id, size

    def __next__(self) -> bytes:
        data = next(self._pieces)
        self._left -= len(data)
        return data

    def close(self) -> None:
        getattr(self._pieces, "close", lambda: None)()
        left, self._left = self._left, 0
        if not left:
            return
        try:
            ExportDownload.objects.filter(pk=self._download_id).update(given=F("given") - left)
        except DatabaseError as error:  # what goes on is then sealed as another one
            logger.warning("evidence.export_given_unknown", error=str(error).split("\n")[0])


def _note(actor: Actor, part: Part) -> uuid.UUID:
    """Which download this belongs to: one that was begun, or a new one, which is sealed."""
    export, now, person_id = part.export, timezone.now(), person_id_of(actor)
    if part.first and (found := _gone_on_with(part, person_id)):
        return found
    log = open_log(export.system_id) if export.system_id else registry_log()
    with sealing() as seal:
        # two requests at once that go on are one download
        Export.objects.select_for_update(no_key=True).get(pk=export.pk)
        if part.first and (found := _gone_on_with(part, person_id)):
            return found
        download = ExportDownload.objects.create(
            id=new_id(), export=export, person_id=person_id, begun_at=now, given=part.size
        )
        body = {"digest": export.digest, "size": export.size, "asked_by": str(export.asked_by_id)}
        draft = draft_entry(
            kind=EXPORT_DOWNLOADED, actor=actor, at=now, body=body, about_id=export.pk, entry_id=download.pk
        )
        seal.add(log.pk, draft)
    return download.pk


def _gone_on_with(part: Part, person_id: uuid.UUID) -> uuid.UUID | None:
    """The download of theirs that has room for this part, which is counted then. One statement: also of requests at the
    same time none takes another's room."""
    export, since = part.export, timezone.now() - GOES_ON
    size = export.size or 0
    begun = ExportDownload.objects.filter(export=export, person_id=person_id, begun_at__gt=since)
    last = begun.order_by("-begun_at", "-pk").values_list("pk", flat=True).first()
    if last is None:
        return None
    most = size + min(LOST, size // 2) - part.size
    room = ExportDownload.objects.filter(pk=last, given__lte=most)
    return last if room.update(given=F("given") + part.size) else None

"""Fetching the file of an export: whole, or a part of it, as HTTP says (RFC 9110, section 14). Sealed once a download.

A request for the beginning begins a download, and that is sealed before the first byte is given. What is asked for from
a later byte on belongs to the download that the same person began last, within a day; so a download that broke off and
is gone on with is one. Rights are asked for each request.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

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

GOES_ON = timedelta(days=1)
ONE_DOWNLOAD = timedelta(minutes=1)
"""Begun again within this time it is the same: programs ask twice."""
NEVER_MADE = "This export was given up, taken back or refused: it never had a file. Its page says which."
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
    """The bytes; `export.downloaded` is sealed before, where this begins a download. Errors: `StorageUnavailable`; what
    sealing raises."""
    try:
        if not storage.is_there(part.export):
            raise StorageUnavailable()
        _note(actor, part)
        return storage.read(part.export, part.first, part.size)
    except storage.StorageAway as error:
        raise StorageUnavailable() from error


def _note(actor: Actor, part: Part) -> None:
    export, now, person_id = part.export, timezone.now(), person_id_of(actor)
    begun = ExportDownload.objects.filter(export=export, person_id=person_id)
    lately = now - (GOES_ON if part.first else ONE_DOWNLOAD)
    if begun.filter(begun_at__gt=lately).exists():
        return
    log = open_log(export.system_id) if export.system_id else registry_log()
    with sealing() as seal:
        # two requests at once are one download
        Export.objects.select_for_update(no_key=True).get(pk=export.pk)
        if begun.filter(begun_at__gt=lately).exists():
            return
        download = ExportDownload.objects.create(id=new_id(), export=export, person_id=person_id, begun_at=now)
        body = {"digest": export.digest, "size": export.size, "asked_by": str(export.asked_by_id)}
        draft = draft_entry(
            kind=EXPORT_DOWNLOADED, actor=actor, at=now, body=body, about_id=export.pk, entry_id=download.pk
        )
        seal.add(log.pk, draft)

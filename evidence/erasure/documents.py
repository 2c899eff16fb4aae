"""Documents that this installation signs about its own acts: what an erasure took. (Of purges: evidence.retention.)

A signed note (C2SP signed-note) under the name of the registry log, of lines `name: value`. Its first line is no
origin, so it can never be taken for a checkpoint. Nothing personal stands in it, only ids, counts and times.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction

from audit.models import ErasureConsent, ErasureRequest, ErasureStep
from evidence.erasure.errors import ErasureDiffers
from evidence.kinds import ERASURE_COMPLETED
from evidence.models import SignedDocument
from ledger.entries import timestamp
from ledger.erasing import digest_of
from ledger.models import Entry
from ledger.selectors import registry_log
from ledger.signing import signers_for
from ledger.tlog import sign_note

RECEIPT = "answerable/erasure-receipt/v1"
FIRST_REPORT = "answerable/purge-report/v1"
"""Of purges, as long as they were kept. Now: `evidence.retention.reports`."""
LISTED = 10_000
"""Entries that a receipt names one by one; of more their digest stands in the log alone."""
UNREACHED = (
    "write-ahead logs and replicas, until they have replayed or recycled what was written before",
    "files and dumps that were handed out before; the log says to whom",
    "e-mails that a mail server was given, in which reasons and answers are quoted",
    "older versions of exports in an S3-compatible store, where its operator has it keep what is deleted",
    "freed places in the database's own files, until they are written over",
)


def taken(request: ErasureRequest) -> dict[str, Any]:
    """What the entry of an erasure's end says that it took: which rows, and how much of what."""
    ids = list(request.steps.values_list("item_id", flat=True))
    return {"steps": len(ids), "steps_digest": digest_of(ids), "took": dict(sorted(_sums(request.steps.all()).items()))}


def sign_receipt(request: ErasureRequest) -> SignedDocument:
    """Sign what an erasure took, once: the same document for whoever asks again.

    Errors: `ErasureDiffers` where the stored steps are not those that were sealed; those of signing.
    """
    said, now = _sealed(request.pk), taken(request)
    if any(name in said and said[name] != value for name, value in now.items()):
        raise ErasureDiffers()
    note = signed_note(RECEIPT, _receipt(request))
    kind = SignedDocument.Kind.ERASURE
    with transaction.atomic():
        made, _ = SignedDocument.objects.get_or_create(about_id=request.pk, defaults={"kind": kind, "note": note})
    return made


def signed_note(first: str, lines: Iterable[str]) -> str:
    """A note under the registry log's name. `first`: what it is, in which version. Errors: those of signing."""
    origin = registry_log().origin
    return sign_note("\n".join([first, f"by: {origin}", *lines]) + "\n", signers_for(origin))


def document_about(about_id: uuid.UUID) -> SignedDocument | None:
    return SignedDocument.objects.filter(about_id=about_id).first()


@dataclass(frozen=True, slots=True)
class Since:
    """How much about the same person came after an erasure was looked for: it is kept, as nobody agreed to it."""

    decisions: int
    texts: int
    is_searched: bool = False
    """Whether anything was looked for by words at all."""

    @property
    def words(self) -> str:
        """For people; empty where nothing came."""
        counts = ((self.decisions, "decision"), (self.texts, "text"))
        return " and ".join(f"{count:,} {name}{'' if count == 1 else 's'}" for count, name in counts if count)


def came_since(request_id: uuid.UUID) -> Since:
    """As the entry of its end says."""
    body = _sealed(request_id)
    return Since(int(body.get("came_since", 0)), int(body.get("texts_since", 0)), bool(body.get("by_words")))


def _sealed(request_id: uuid.UUID) -> dict[str, Any]:
    """What the entry of its end says; nothing before there is one."""
    entry = Entry.objects.filter(about_id=request_id, kind=ERASURE_COMPLETED.name).order_by("-id").first()
    return msgspec.json.decode(bytes(entry.data), type=dict[str, Any])["body"] if entry else {}


def _receipt(request: ErasureRequest) -> Iterator[str]:
    yield f"request: {request.pk}"
    yield f"erases: {request.kind}"
    yield f"basis: {request.basis}"
    yield f"asked: {timestamp(request.requested_at or request.created_at)} by {request.requested_by_id}"
    for consent in request.consents.filter(status=ErasureConsent.Status.APPROVED):
        at = timestamp(consent.decided_at) if consent.decided_at else ""
        yield f"agreed: {at} by {consent.decided_by_id} of {consent.system_id or 'the organisation'}"
    for consent in request.consents.filter(status=ErasureConsent.Status.REFUSED):
        at = timestamp(consent.decided_at) if consent.decided_at else ""
        place, kept = consent.system_id or "the organisation", f"{consent.decisions} decisions are kept"
        yield f"refused: {at} by {consent.decided_by_id} of {place}; {kept}"
    yield f"done: {timestamp(request.ended_at) if request.ended_at else ''}"
    steps = list(request.steps.order_by("item_id"))
    yield f"decisions: {request.decisions} {request.decisions_digest}"
    yield f"finds: {request.texts} {request.texts_digest}"
    decisions, finds = request.restrictions.count(), request.text_restrictions.count()
    if decisions or finds:
        yield f"restricted: {decisions} decisions and {finds} finds, as long as a floor kept them"
    for name, number in sorted(_sums(steps).items()):
        yield f"took: {name} {number}"
    entries = sorted({step.entry_id for step in steps})
    yield f"entries: {len(entries)}"
    yield from _entries(entries[:LISTED])
    since = came_since(request.pk)
    if since.words:
        yield f"since: {since.words} came after it was looked for; kept until somebody asks for them"
    yield "files: no export that is kept here holds any of it"
    if since.is_searched:
        yield "e-mails: those in a folder of this installation that name them were deleted"
    else:
        yield "e-mails: not looked through, as nothing was said that names them in texts"
    yield from unreached(request.ended_at)


def _sums(steps: Iterable[ErasureStep]) -> Counter[str]:
    found: Counter[str] = Counter()
    for step in steps:
        found.update(step.counts)
    return found


def _entries(ids: list[uuid.UUID]) -> Iterator[str]:
    rows = Entry.objects.filter(id__in=ids).select_related("log").order_by("log__origin", "leaf_index")
    yield from (f"entry: {row.id} {row.log.origin} {row.leaf_index}" for row in rows)


def unreached(at: datetime | None) -> Iterator[str]:
    """What no statement of ours reaches, and until when it may hold something."""
    if settings.BACKUP_DAYS and at:
        until = timestamp(at + timedelta(days=settings.BACKUP_DAYS))
        yield f"unreached: backups made before, kept until the first one that is made after {until}"
    else:
        yield "unreached: backups made before, kept for a time that nobody stated here"
    yield from (f"unreached: {each}" for each in UNREACHED)

"""What a data protection officer is shown of an erasure: what was found, with its words; the receipt."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.models import ErasureFind, ErasureRequest
from audit.services.search_runs import TERMS_PART
from config.errors import Forbidden
from config.pagination import keyset_page
from evidence.erasure.documents import document_about, sign_receipt
from evidence.erasure.errors import NoDocument
from evidence.erasure.finding import Pattern, excerpts, plain
from evidence.erasure.places import QUARANTINE_PLACE, TEXT_PLACE, WORDS
from evidence.erasure.reading import is_officer
from evidence.models import SignedDocument
from evidence.verification.rows import governed_models
from ledger.entries import Actor
from ledger.models import Particulars
from ledger.rows import REASON_PART

SHOWN = 200
"""A page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFinds:
    """A page of finds, out of how many; of how many nobody was shown yet."""

    items: list["ShownFind"]
    total: int
    unseen: int
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFind:
    """One find as it stands now."""

    find: ErasureFind
    label: str
    excerpts: list[str]


def finds_shown(actor: Actor, request: ErasureRequest, *, cursor: str | None = None, limit: int = SHOWN) -> ShownFinds:
    """A page of them, each with the words around what names somebody.

    What is somebody's alone (drafts, filters, terms) is told by what it is; a record of quarantine is read on its page,
    which seals the look. While it is being prepared what is shown is noted: all of it is, before it is asked for.
    Errors: `Forbidden` to whoever but agrees, `InvalidCursor`.
    """
    if not is_officer(actor, request):
        raise Forbidden("What was found is shown to data protection officers alone.")
    order, scope = ("place", "item_id"), str(request.pk)
    page = keyset_page(request.finds.all(), key=order, descending=False, cursor=cursor, limit=limit, scope=scope)
    finds = page.items
    if request.status == ErasureRequest.Status.DRAFT:
        unseen = request.finds.filter(item_id__in=[find.item_id for find in finds], is_shown=False)
        unseen.update(is_shown=True)
    pattern, words, labels = Pattern.of(request), _words(finds), labels_of(finds)
    items = [
        ShownFind(
            find=find,
            label=labels.get(find.item_id, find.place),
            excerpts=list(excerpts(words[find.item_id], pattern)) if find.item_id in words else [],
        )
        for find in finds
    ]
    return ShownFinds(
        items=items,
        total=request.finds.count(),
        unseen=request.finds.filter(is_shown=False).count(),
        next_cursor=page.next_cursor,
        previous_cursor=page.previous_cursor,
    )


def _words(finds: Sequence[ErasureFind]) -> dict[uuid.UUID, str]:
    """Of what people wrote where a data protection officer reads it anyway."""
    ids = [find.item_id for find in finds if find.place == TEXT_PLACE]
    rows = Particulars.objects.filter(pk__in=ids, data__isnull=False).exclude(part=TERMS_PART)
    return {row.pk: plain(bytes(row.data or b"")) for row in rows}


def labels_of(finds: Sequence[ErasureFind]) -> dict[uuid.UUID, str]:
    """Of finds by their item what each is, in words."""
    named = {words.name: words.label for words in WORDS} | {QUARANTINE_PLACE: "a record in quarantine"}
    labels = {find.item_id: named[find.place] for find in finds if find.place in named}
    texts = [find for find in finds if find.place == TEXT_PLACE]
    kinds = _kinds({find.row_id for find in texts})
    versions = Particulars.objects.filter(pk__in=[find.item_id for find in texts], part=REASON_PART)
    reasons = set(versions.values_list("pk", flat=True))
    for find in texts:
        kind = kinds.get(find.row_id, "the terms of a search")
        labels[find.item_id] = f"a reason given for {kind}" if find.item_id in reasons else kind
    return labels


def _kinds(row_ids: set[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    """Of governed rows what they are, in words."""
    found: dict[uuid.UUID, str] = {}
    for model in governed_models().values():
        if row_ids:
            there = model._base_manager.filter(pk__in=row_ids).values_list("pk", flat=True)
            found |= dict.fromkeys(there, str(model._meta.verbose_name))
    return found


# --- documents --------------------------------------------------------------------------------------------------------
def receipt_of(actor: Actor, request: ErasureRequest) -> SignedDocument:
    """The receipt, for data protection officers. Errors: `Forbidden`, `NoDocument` before it is performed."""
    if not is_officer(actor, request):
        raise Forbidden("The receipt is for data protection officers.")
    if request.status != ErasureRequest.Status.PERFORMED:
        raise NoDocument()
    return document_about(request.pk) or sign_receipt(request)

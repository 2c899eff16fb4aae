"""The checkpoint that an export is proven against: anchored outside where there is one, else signed now."""

import base64
from dataclasses import dataclass

from django.db.models import Count

from evidence.models import Cosignature, Timestamp
from ledger.models import Checkpoint, Log, LogClosure
from ledger.selectors import had_tree, latest_checkpoint


@dataclass(frozen=True, slots=True)
class Anchored:
    """A signed checkpoint with what others say of it."""

    tree_size: int
    root_hash: bytes
    note: str
    """With its witnesses' cosignatures."""
    timestamps: tuple[str, ...] = ()
    """RFC 3161 tokens, in base64."""


def best_checkpoint(log: Log, at_least: int) -> Anchored:
    """Of a log's checkpoints of at least this size the one that most have witnessed, and of those the smallest; one
    that is signed now where nobody outside knows of any.

    Errors: those of `latest_checkpoint`; `LookupError` where a closed log has none of that size.
    """
    found = _anchored(log, at_least)
    if found is not None:
        return found
    signed = latest_checkpoint(log)
    if signed.tree_size < at_least:
        raise LookupError(f"{log.origin} has no checkpoint of {at_least} entries")
    return Anchored(signed.tree_size, signed.root_hash, signed.note)


def reach_of(log: Log) -> int | None:
    """Up to which size a closed log can be proven; None: it is open."""
    closure = LogClosure.objects.filter(log=log).first()
    if closure is None:
        return None
    stored = Checkpoint.objects.filter(log=log, tree_size__lte=closure.tree_size).order_by("-tree_size").first()
    return stored.tree_size if stored else 0


def checkpoint_before(log: Log, size: int) -> Checkpoint | None:
    """The newest stored checkpoint of at most this size: the asker's auditor may know it from somewhere."""
    rows = Checkpoint.objects.filter(log=log, tree_size__lte=size, tree_size__gt=0)
    return rows.order_by("-tree_size", "-id").first()


def _anchored(log: Log, at_least: int) -> Anchored | None:
    rows = Checkpoint.objects.filter(log=log, tree_size__gte=at_least)
    rows = rows.annotate(witnessed=Count("cosignatures", distinct=True), stamped=Count("timestamps", distinct=True))
    found = rows.exclude(witnessed=0, stamped=0).order_by("-witnessed", "-stamped", "tree_size", "id").first()
    # a stored row is only a row: the entries must lead to the tree it states
    if found is None or not had_tree(log.pk, found.tree_size, bytes(found.root_hash)):
        return None
    lines = Cosignature.objects.filter(checkpoint=found).order_by("witness", "id").values_list("line", flat=True)
    tokens = Timestamp.objects.filter(checkpoint=found).order_by("authority", "id").values_list("token", flat=True)
    note = found.note + "".join(line.rstrip("\n") + "\n" for line in lines)
    stamps = tuple(base64.b64encode(bytes(token)).decode() for token in tokens)
    return Anchored(found.tree_size, bytes(found.root_hash), note, stamps)

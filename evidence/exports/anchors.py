"""The checkpoint that an export is proven against: anchored outside where there is one, else signed now.

Where witnesses are asked, an export waits a little for them: they are sent what it needs at once, and have mostly
seen it within seconds. After that it is made without them, and whoever verifies it by a policy is told so.
"""

import base64
import uuid
from dataclasses import dataclass
from datetime import timedelta

from evidence import anchors
from evidence.models import AnchorKind
from evidence.services.anchoring import choose_target, parties
from ledger.models import Checkpoint, Log, LogClosure
from ledger.selectors import had_tree, latest_checkpoint

PATIENCE = timedelta(minutes=2)
"""So long an export waits for witnesses, from when it was first taken on."""


class Unwitnessed(Exception):
    """The witnesses were sent what it needs, and have not seen it yet: it is tried again soon."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """A signed checkpoint with what others say of it."""

    tree_size: int
    root_hash: bytes
    note: str
    """With its witnesses' cosignatures."""
    timestamps: tuple[str, ...] = ()
    """RFC 3161 tokens, in base64."""
    is_witnessed: bool = False
    """Enough witnesses have cosigned it, by the policy as it is now."""


def best_checkpoint(log: Log, at_least: int) -> Anchored:
    """Of a log's checkpoints of at least this size the one that others say most of (`anchors.best_checkpoint`); one
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


def has_witnesses() -> bool:
    """Whether anybody is asked to cosign."""
    return bool(parties().witnesses)


def is_seen(log: Log, at_least: int) -> bool:
    """Whether witnesses have seen an open log at this size. Where they have not, it is sent to them next."""
    found = _anchored(log, at_least)
    if reach_of(log) is not None or (found is not None and found.is_witnessed):
        return True
    choose_target(log, AnchorKind.WITNESS, at_least=at_least)
    return False


def reach_of(log: Log) -> int | None:
    """Up to which size a closed log can be proven; None: it is open."""
    closure = LogClosure.objects.filter(log=log).first()
    if closure is None:
        return None
    stored = Checkpoint.objects.filter(log=log, tree_size__lte=closure.tree_size).order_by("-tree_size").first()
    return stored.tree_size if stored else 0


def checkpoint_before(log_id: uuid.UUID, size: int) -> Checkpoint | None:
    """The newest stored checkpoint of at most this size: the asker's auditor may know it from somewhere."""
    rows = Checkpoint.objects.filter(log_id=log_id, tree_size__lte=size, tree_size__gt=0)
    return rows.order_by("-tree_size", "-id").first()


def _anchored(log: Log, at_least: int) -> Anchored | None:
    reach = reach_of(log)
    found = anchors.best_checkpoint(log, at_least, below=None if reach is None else reach + 1)
    # a stored row is only a row: the entries must lead to the tree it states
    if found is None or not had_tree(log.pk, found.tree_size, found.root_hash):
        return None
    stamps = tuple(base64.b64encode(each.token).decode() for each in found.timestamps)
    is_witnessed = found.meets_policy and bool(found.cosignatures)
    return Anchored(found.tree_size, found.root_hash, found.note, stamps, is_witnessed)

"""The earlier trees that the tiles of a bundle are to suffice for: as asked for, as others hold, as kept."""

import uuid
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from evidence.exports.anchors import checkpoint_before
from evidence.exports.as_asked import sizes_as_asked
from evidence.exports.plans import PlannedLog
from ledger.models import Contradiction, Entry


def has_newer_head(planned: Sequence[PlannedLog], heads: Sequence[Sequence[Any]]) -> bool:
    """Whether one of the heads, each origin, size and root hash, is of a larger tree than the one that is proven."""
    sizes = {log.origin: log.tree_size for log in planned}
    return any(size > sizes.get(origin, size) for origin, size, _ in heads)


def proving_heads(planned: Sequence[PlannedLog], heads: Sequence[Sequence[Any]]) -> list[PlannedLog]:
    """The tiles are to suffice for the checkpoints that whoever asked keeps. Of a log that it does not take to answer
    nothing is said, so that whoever keeps checkpoints can give them all."""
    found = []
    for log in planned:
        sizes = {size for origin, size, _ in heads if origin == log.origin and 0 < size <= log.tree_size}
        found.append(replace(log, proves=sorted({*log.proves, *sizes})))
    return found


def noted_outside(planned: list[PlannedLog]) -> list[uuid.UUID]:
    """What others hold against the logs, as far as it can be compared: the tiles are to suffice for it."""
    found = list(Contradiction.objects.filter(log_id__in=[log.id for log in planned]))
    for at, log in enumerate(planned):
        for each in found:
            if each.log_id == log.id and 0 < each.tree_size <= log.tree_size:
                planned[at] = proving(planned[at], each.tree_size)
    return [each.pk for each in found]


def proving_before(planned: list[PlannedLog], asked: Entry) -> list[PlannedLog]:
    """The tiles are to suffice for the newest checkpoint of each registry log from before it was asked for: whoever
    keeps checkpoints may have it, without having given it."""
    found = []
    for log in planned:
        size = asked.leaf_index if asked.log_id == log.id else log.tree_size
        before = checkpoint_before(log.id, size) if log.is_registry else None
        found.append(proving(log, before.tree_size) if before else log)
    return found


def proving_as_asked(planned: list[PlannedLog], asked: Entry) -> list[PlannedLog]:
    """The tiles are to suffice for what the entry of asking says of the logs."""
    sizes = sizes_as_asked(asked)
    return [
        proving(log, sizes[log.origin]) if 0 < sizes.get(log.origin, 0) <= log.tree_size else log for log in planned
    ]


def proving(log: PlannedLog, size: int) -> PlannedLog:
    """The tiles of a log are to suffice for the tree of this size."""
    return replace(log, proves=sorted({*log.proves, size}))

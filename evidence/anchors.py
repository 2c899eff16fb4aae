"""What is anchored outside: stored checkpoints with their cosignatures and time-stamps, and what is not covered yet."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from evidence.models import Cosignature, Timestamp
from evidence.witnessing.configured import Misconfigured, configured
from ledger.models import Checkpoint, Log
from ledger.tlog import Policy, with_cosignatures

ANCHORING = (Cosignature.objects, Timestamp.objects)
LOOKED_BACK = 200
"""How many anchored sizes of a log are looked through for one that meets the policy."""


@dataclass(frozen=True, slots=True)
class StoredStamp:
    """A time-stamp: whose, when by their clock, and the whole TimeStampResp in DER."""

    authority: str
    stamped_at: datetime
    token: bytes


@dataclass(frozen=True, slots=True)
class StoredCosignature:
    """A cosignature: whose, when by their clock, and its line."""

    witness: str
    vkey: str
    cosigned_at: datetime
    line: str


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """An anchored checkpoint. `note` has the cosignatures' lines below the log's; `meets_policy`: they are a quorum."""

    log_id: uuid.UUID
    tree_size: int
    root_hash: bytes
    note: str
    cosignatures: tuple[StoredCosignature, ...]
    timestamps: tuple[StoredStamp, ...]
    meets_policy: bool


def best_checkpoint(log: Log, at_least: int = 0, *, below: int | None = None) -> StoredCheckpoint | None:
    """The checkpoint to prove something against: the newest that meets the policy and is time-stamped, else the newest
    that meets the policy, else the newest that is anchored.

    In: the smallest tree that will do; the smallest that is too large. None where none such is anchored. (Without a
    policy, or with `quorum none`, every one meets it.) A policy that cannot be read asks for nothing: what is stored
    was verified when it came.
    """
    stamps = Timestamp.objects.filter(log=log, tree_size__gte=at_least)
    is_stamped = (stamps if below is None else stamps.filter(tree_size__lt=below)).exists()
    best: StoredCheckpoint | None = None
    for each in islice(anchored_checkpoints(log, at_least=at_least, below=below), LOOKED_BACK):
        if each.meets_policy and (each.timestamps or not is_stamped):
            return each
        if best is None or (each.meets_policy and not best.meets_policy):
            best = each
    return best


def witnessed_checkpoint(log: Log) -> StoredCheckpoint | None:
    """The newest checkpoint whose cosignatures meet the policy; without a quorum, the newest that has one."""
    newest = _newest_sizes(Cosignature.objects.filter(log=log))
    every = (_assembled(log, size) for size in newest)
    return next((each for each in every if each and each.cosignatures and each.meets_policy), None)


def checkpoint_of_size(log: Log, tree_size: int) -> StoredCheckpoint | None:
    """The anchored checkpoint of one size."""
    found = _assembled(log, tree_size)
    return found if found and (found.cosignatures or found.timestamps) else None


def anchored_checkpoints(log: Log, *, at_least: int = 0, below: int | None = None) -> Iterator[StoredCheckpoint]:
    """Every anchored checkpoint of a log, the largest tree first, below a size where one is given."""
    while True:
        end = {} if below is None else {"tree_size__lt": below}
        asked = [every.filter(log=log, tree_size__gte=at_least, **end) for every in ANCHORING]
        # each has its newest ones there, so the newest of both are among them
        sizes = sorted({size for each in asked for size in _newest_sizes(each)}, reverse=True)[:LOOKED_BACK]
        for size in sizes:
            if found := _assembled(log, size):
                yield found
        if not sizes:
            return
        below = sizes[-1]


def with_known_cosignatures(log: Log, tree_size: int, note: str) -> str:
    """A note of ours with the lines of who has cosigned this very tree: they sign its text, not our signature."""
    stored = _assembled(log, tree_size)
    if stored is None or stored.note.partition("\n\n")[0] != note.partition("\n\n")[0]:
        return note
    return with_cosignatures(note, (each.line for each in stored.cosignatures))


def _newest_sizes(rows: QuerySet[Any]) -> list[int]:
    return list(rows.order_by("-tree_size").values_list("tree_size", flat=True).distinct()[:LOOKED_BACK])


def _assembled(log: Log, tree_size: int) -> StoredCheckpoint | None:
    """What is known of one tree. Of rows that contradict each other, the newest row's tree alone."""
    rows = Checkpoint.objects.filter(log=log, tree_size=tree_size).order_by("-created_at", "-id")
    stored = list(rows.prefetch_related("cosignatures", "timestamps"))
    if not stored:
        return None
    root = bytes(stored[0].root_hash)
    same = [row for row in stored if bytes(row.root_hash) == root]
    cosignatures = {each.vkey: each for row in same for each in row.cosignatures.all()}
    stamps = {each.authority: each for row in same for each in row.timestamps.all()}
    ordered = [cosignatures[vkey] for vkey in sorted(cosignatures)]
    return StoredCheckpoint(
        log_id=log.id,
        tree_size=tree_size,
        root_hash=root,
        note=with_cosignatures(stored[0].note, (each.line for each in ordered)),
        cosignatures=tuple(StoredCosignature(e.witness, e.vkey, e.cosigned_at, e.line) for e in ordered),
        timestamps=tuple(
            StoredStamp(name, stamps[name].stamped_at, bytes(stamps[name].token)) for name in sorted(stamps)
        ),
        meets_policy=is_quorum([each.vkey for each in ordered]),
    )


def is_quorum(vkeys: Collection[str]) -> bool:
    """Whether witnesses with these keys are enough by the policy as it is now. Without one, any is."""
    return quorum_of(policy_in_force(), vkeys)


def policy_in_force() -> Policy | None:
    """The policy; None without one, or where it cannot be read."""
    try:
        found = configured()
    except Misconfigured:
        return None
    return found.policy if found.has_policy else None


def is_anchored() -> bool:
    """Whether anybody outside is asked, or should be: a file that cannot be read is no decision to ask nobody."""
    try:
        return configured().is_any
    except Misconfigured:
        return True


def asked_identities() -> list[str]:
    """Of the witnesses and authorities that are asked now."""
    try:
        found = configured()
    except Misconfigured:
        return []
    return [*(each.identity for each in found.witnesses), *(each.identity for each in found.authorities)]


def quorum_of(policy: Policy | None, vkeys: Collection[str]) -> bool:
    """Whether witnesses with these keys are enough by a policy."""
    if policy is None:
        return True
    return policy.is_met_by([each.name for each in policy.witnesses.values() if each.verifier.vkey in vkeys])

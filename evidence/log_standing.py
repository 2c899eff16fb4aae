"""How each log stands on this host: whether the database goes on where this host signed last."""

import enum
import uuid
from dataclasses import dataclass

from governance.models import AISystem
from ledger.heads import NamedSystem, StoredHead, head_store
from ledger.kinds import LOG_LOST
from ledger.models import Contradiction, Entry, Log
from ledger.selectors import LogHead, had_tree, latest_head
from ledger.tlog import EMPTY_ROOT


class Standing(enum.StrEnum):
    """In words, as they go on behind a log's name."""

    CONTINUES = "continues what was signed"
    BEHIND = "lost its tail"
    REWRITTEN = "is not the log that was signed"
    FORKED = "is one of two histories that were signed"
    NO_HEAD = "is not known to this host"


@dataclass(frozen=True, slots=True)
class LogStanding:
    """An open log: what the database holds, and the last tree this host signed (None: it has never heard of it).

    `lost`: the largest tree that was signed, by this host or as somebody else's copy of it shows, and that the database
    does not hold any more. `contradicted`: what others hold, the oldest find first; a tree no larger than what is here
    is another history rather than a lost tail.
    """

    log: Log
    found: LogHead
    signed: StoredHead | None
    lost: StoredHead | None
    standing: Standing
    contradicted: tuple[Contradiction, ...] = ()

    @property
    def last_signed(self) -> StoredHead:
        """The last tree of this history that was signed, as far as is known here."""
        return self.lost or StoredHead(self.found.tree_size, self.found.root_hash)

    @property
    def missing(self) -> tuple[int, int]:
        """The range of entries that were signed and are not there: from, up to and not including."""
        signed = self.last_signed.tree_size
        return min(self.found.tree_size, signed), signed


def log_standings() -> list[LogStanding]:
    """Of all open logs, the registry log first."""
    # the head store first: it is advanced after the commit, so whatever it has is in the database by then
    signed = head_store().heads()
    logs = Log.objects.filter(closure=None).order_by("kind", "id")
    return [standing_of(log, latest_head(log.id), signed.get(log.id)) for log in logs]


def standing_of(log: Log, found: LogHead, signed: StoredHead | None) -> LogStanding:
    """What one log's heads say of it, and what witnesses had of it. (What they had was compared when it was found, and
    nothing is sealed since: sealing asks for the same rows.)"""
    contradicted = tuple(log.contradictions.order_by("id"))
    lost = [StoredHead(each.tree_size, bytes(each.root_hash)) for each in contradicted]
    lost = [head for head in lost if head.tree_size > found.tree_size]
    if signed is not None and not _continues(log, found, signed):
        lost.append(signed)
    largest = max(lost, key=lambda head: head.tree_size, default=None)
    standing = _standing(found, signed, largest, is_contradicted=bool(contradicted))
    return LogStanding(log, found, signed, largest, standing, contradicted)


def _standing(found: LogHead, signed: StoredHead | None, lost: StoredHead | None, *, is_contradicted: bool) -> Standing:
    if signed is None and (found.tree_size or lost):
        return Standing.NO_HEAD
    if lost is not None:
        return Standing.BEHIND if found.tree_size < lost.tree_size else Standing.REWRITTEN
    return Standing.FORKED if is_contradicted else Standing.CONTINUES


def _continues(log: Log, found: LogHead, signed: StoredHead) -> bool:
    """Whether the database still holds a tree that was signed; it may have grown since."""
    return found.tree_size >= signed.tree_size and _holds(log, signed)


def _holds(log: Log, signed: StoredHead) -> bool:
    if signed.tree_size == 0:
        return signed.root_hash == EMPTY_ROOT
    return had_tree(log.id, signed.tree_size, signed.root_hash)


@dataclass(frozen=True, slots=True)
class LostLog:
    """A log that this host signed for, and that the database does not know. `system`: None where nobody said whose."""

    log_id: uuid.UUID
    signed: StoredHead
    system: NamedSystem | None

    @property
    def words(self) -> str:
        """Whose it was, as people call it."""
        return (
            f"AI system {self.system.slug}"
            if self.system
            else "an AI system, or a registry, that this host has no name of"
        )


def logs_lost_whole() -> list[LostLog]:
    """Logs that are gone altogether, and of which no registry log says so yet. Errors: `HeadStoreUnavailable`."""
    # the head store first: what it has is in the database by then
    signed = {log_id: head for log_id, head in head_store().heads().items() if head.tree_size}
    gone = signed.keys() - set(Log.objects.filter(pk__in=signed).values_list("pk", flat=True))
    if not gone:  # asked every minute; of logs that are there the registry log has an entry a minute
        return []
    gone -= set(Entry.objects.filter(about_id__in=gone, kind=LOG_LOST.name).values_list("about_id", flat=True))
    systems = head_store().systems()
    return [LostLog(log_id, signed[log_id], systems.get(log_id)) for log_id in sorted(gone)]


def name_systems() -> int:
    """Let this host keep whose each log is, where it was opened by another host, or before hosts kept that.

    Returns how many were named. Errors: `HeadStoreUnavailable`.
    """
    known = head_store().systems()
    logs = dict(Log.objects.filter(kind=Log.Kind.SYSTEM).exclude(pk__in=known).values_list("pk", "system_id"))
    slugs = dict(AISystem.objects.filter(pk__in=set(logs.values())).values_list("pk", "slug"))
    named = {log_id: NamedSystem(of, slugs[of]) for log_id, of in logs.items() if of in slugs}
    for log_id, system in named.items():
        head_store().name_system(log_id, system)
    return len(named)

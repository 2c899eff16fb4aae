"""Sending checkpoints to witnesses and time-stamp authorities: rows first, each claimed by one conditional update.

Every few minutes one checkpoint of each log that grew is chosen, and all witnesses are asked about that one, or a
quorum would never be met on a log that grows. No transaction is open while somebody else's server is waited for: a
claim is a lease, which a killed worker cannot take along. What fails is tried again, later each time.
"""

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from config.errors import ServiceError
from config.ids import new_id
from evidence.exposure import received_at
from evidence.models import Anchor, AnchorKind, AnchorTarget, Cosignature, Outcome, Timestamp
from evidence.witnessing.authorities import Unstamped, time_stamp
from evidence.witnessing.configured import Authority, Configured, Misconfigured, Witness, configured
from evidence.witnessing.witnesses import Reply, ask_to_cosign
from governance.locks import hold
from ledger.models import Checkpoint, Entry, Log
from ledger.selectors import latest_checkpoint
from ledger.signing import SignedCheckpoint, signers_for
from ledger.tlog import Cosignature as Line
from ledger.tlog import prove_consistency, split_note
from ledger.tree_store import TreeReader

SCHEDULE = (30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
"""Seconds after the first, second, ... failed attempt; then always the last of them."""
JITTER = 0.2
LEASE = timedelta(seconds=90)
"""Longer than an attempt may take (asking.SECONDS for each of its turns)."""
AT_ONCE = 4
AT_ONCE_WHILE_FAILING = 1
DUE_AT_ONCE = 500
AHEAD = timedelta(minutes=5)
"""What was chosen later than this from now was chosen by a clock that has been put right since: it holds nothing up."""
LONGEST_PAUSE = timedelta(seconds=SCHEDULE[-1] * (1 + JITTER)) + AHEAD
FRESH = timedelta(seconds=60)
"""A stored checkpoint that is no older is sent rather than another one signed."""
Party = Witness | Authority

logger = structlog.get_logger(__name__)


def parties() -> Configured:
    """Who is to be asked; nobody where the files cannot be read, which is logged and shown."""
    try:
        return configured()
    except Misconfigured as error:
        logger.error("evidence.anchors_misconfigured", reason=str(error))
        return Configured()


def due_anchors() -> list[uuid.UUID]:
    """Make what is missing, choose what is sent, and say what is to be asked now: of each party what it may have."""
    found = parties()
    if not found.is_any:
        return []
    ensure_anchors(found)
    for kind, every in by_kind(found).items():
        if every:
            _choose_targets(kind)
    counted = _leased().values_list("kind", "name").annotate(Count("pk")).order_by()
    leased = {(kind, name): number for kind, name, number in counted}
    due: list[uuid.UUID] = []
    for kind, every in by_kind(found).items():
        for party in every:
            room = _room(kind, party.name) - leased.get((kind.value, party.name), 0)
            if room > 0:
                due += _due(kind, party.name).values_list("pk", flat=True)[:room]
    return due[:DUE_AT_ONCE]


def by_kind(found: Configured) -> dict[AnchorKind, Sequence[Party]]:
    return {AnchorKind.WITNESS: found.witnesses, AnchorKind.AUTHORITY: found.authorities}


def ensure_anchors(found: Configured) -> None:
    """A row for each open log and party. Under another key or address it is another party, and begins anew."""
    wanted = [(kind, party) for kind, every in by_kind(found).items() for party in every]
    known = {(row[0], row[1], row[2]): row[3] for row in Anchor.objects.values_list("log", "kind", "name", "identity")}
    logs = list(Log.objects.filter(closure=None).values_list("pk", flat=True))
    missing = [
        Anchor(log_id=log_id, kind=kind, name=party.name, identity=party.identity)
        for kind, party in wanted
        for log_id in logs
        if (log_id, kind, party.name) not in known
    ]
    Anchor.objects.bulk_create(missing, ignore_conflicts=True)
    for kind, party in wanted:
        if any(known.get((log_id, kind, party.name), party.identity) != party.identity for log_id in logs):
            others = Anchor.objects.filter(kind=kind, name=party.name).exclude(identity=party.identity)
            others.update(identity=party.identity, **BEGINNING)


BEGINNING = {
    "known_size": 0,
    "tree_size": 0,
    "outcome": Outcome.WAITING,
    "detail": "",
    "failures": 0,
    "succeeded_at": None,
    "seen_size": None,
    "looked_at": None,
    "lease": None,
    "leased_until": None,
    "next_attempt_at": Now(),
    "next_look_at": Now(),
}


# --- what is sent -----------------------------------------------------------------------------------------------------
GROWN = """
    SELECT log.id FROM ledger_log log
    JOIN LATERAL (SELECT tree_size FROM ledger_head WHERE log_id = log.id ORDER BY tree_size DESC LIMIT 1) head ON true
    LEFT JOIN evidence_anchortarget target ON target.log_id = log.id AND target.kind = %s
    LEFT JOIN ledger_checkpoint sent ON sent.id = target.checkpoint_id
    WHERE NOT EXISTS (SELECT FROM ledger_logclosure WHERE log_id = log.id)
      AND (target.id IS NULL
           OR (head.tree_size > sent.tree_size AND (target.chosen_at <= %s OR target.chosen_at > %s)))
"""


def interval(kind: str) -> timedelta:
    """How often a log that grew is sent to parties of a kind."""
    return timedelta(seconds=settings.WITNESS_SECONDS if kind == AnchorKind.WITNESS else settings.TIMESTAMP_SECONDS)


def _choose_targets(kind: AnchorKind) -> None:
    """For each log that grew since its last target, if that was long enough ago."""
    with connection.cursor() as cursor:
        now = timezone.now()
        cursor.execute(GROWN, [kind, now - interval(kind), now + AHEAD])
        grown = [row[0] for row in cursor.fetchall()]
    for log in Log.objects.filter(pk__in=grown).order_by("pk"):
        choose_target(log, kind)


def choose_target(log: Log, kind: str, *, at_least: int = 0) -> AnchorTarget | None:
    """Take the newest checkpoint of a log as what is sent. None where none is signed: then its parties' rows say so.

    `at_least`: the size it must have, where a witness is ahead of the last.
    """
    try:
        signed = latest_checkpoint(log)
    except ServiceError as error:
        mine = Anchor.objects.filter(log=log, kind=kind).exclude(outcome=Outcome.NOT_SIGNED)
        if mine.update(outcome=Outcome.NOT_SIGNED, detail=error.title):
            logger.warning("evidence.log_not_anchored", log_id=str(log.pk), code=error.code)
        return None
    if signed.tree_size < at_least:
        return None
    with transaction.atomic():
        hold(f"anchor-target:{log.pk}:{kind}")  # of two that choose at once the second finds the first one's
        target = AnchorTarget.objects.select_related("checkpoint").filter(log=log, kind=kind).first()
        if target is not None and not _is_passed(target, signed, at_least):
            return target
        larger = target.checkpoint.tree_size + 1 if target else 1
        target = target or AnchorTarget(log=log, kind=kind)
        target.checkpoint = _stored(log, signed, at_least=max(at_least, larger))
        target.chosen_at = timezone.now()
        target.save()
    return target


def _is_passed(target: AnchorTarget, signed: SignedCheckpoint, at_least: int) -> bool:
    size = target.checkpoint.tree_size
    now = timezone.now()
    is_old = target.chosen_at <= now - interval(target.kind) or target.chosen_at > now + AHEAD
    return size < at_least or (is_old and size < signed.tree_size)


def _stored(log: Log, signed: SignedCheckpoint, *, at_least: int) -> Checkpoint:
    """A checkpoint stored a moment ago, if every key in use has signed it; else this one, stored now."""
    recent = Checkpoint.objects.filter(log=log, tree_size__gte=at_least, created_at__gt=timezone.now() - FRESH)
    for each in recent.order_by("-tree_size")[:1]:
        if each.tree_size <= signed.tree_size and _bears_every_key(log, each.note):
            return each
    return Checkpoint.objects.create(
        log=log,
        tree_size=signed.tree_size,
        root_hash=signed.root_hash,
        note=signed.note,
        purpose=Checkpoint.Purpose.ANCHORED,
    )


def _bears_every_key(log: Log, note: str) -> bool:
    there = {(each.name, each.key_id) for each in split_note(note)[1]}
    return {(signer.name, signer.key_id) for signer in signers_for(log.origin)} <= there


# --- asking -----------------------------------------------------------------------------------------------------------
def _leased() -> QuerySet[Anchor]:
    now = timezone.now()
    return Anchor.objects.filter(leased_until__gt=now, leased_until__lte=now + LEASE + AHEAD)


def _due(kind: str, name: str) -> QuerySet[Anchor]:
    now = timezone.now()
    target = AnchorTarget.objects.filter(
        log=OuterRef("log"), kind=OuterRef("kind"), checkpoint__tree_size__gt=OuterRef("tree_size")
    )
    is_free = Q(leased_until=None) | Q(leased_until__lte=now) | Q(leased_until__gt=now + LEASE + AHEAD)
    is_due = Q(next_attempt_at__lte=now) | Q(next_attempt_at__gt=now + LONGEST_PAUSE)
    mine = Anchor.objects.filter(is_free, is_due, Exists(target), kind=kind, name=name, log__closure=None)
    return mine.order_by("next_attempt_at", "pk")


def _room(kind: str, name: str) -> int:
    """How many at once: who failed last is tried one at a time, so that a dead one takes a single thread."""
    newest = Anchor.objects.filter(kind=kind, name=name, attempted_at__isnull=False).order_by("-attempted_at").first()
    return AT_ONCE if newest is None or newest.is_well else AT_ONCE_WHILE_FAILING


def next_after(anchor_id: uuid.UUID) -> uuid.UUID | None:
    """Another log that waits for the same party: whoever asked it goes on with it."""
    anchor = Anchor.objects.filter(pk=anchor_id).first()
    return _due(anchor.kind, anchor.name).values_list("pk", flat=True).first() if anchor else None


def ask(anchor_id: uuid.UUID) -> Anchor | None:
    """Ask a party about a log's target, if that is due and nobody else asks. None where it is not.

    May be called any number of times, by any number of workers: whatever a party signs twice is kept once.
    """
    claimed = _claim(anchor_id)
    if claimed is None:
        return None
    began = timezone.now()
    try:
        reply = _reply(claimed)
    except Exception:  # whatever it is, it is logged and tried again by the schedule
        logger.exception("evidence.anchor_failed", anchor=str(anchor_id))
        reply = Reply(Outcome.OUR_FAULT)
    _settle(claimed, reply, began)
    claimed.refresh_from_db()
    return claimed


def _claim(anchor_id: uuid.UUID) -> Anchor | None:
    now, lease = timezone.now(), new_id()
    anchor = Anchor.objects.filter(pk=anchor_id).first()
    if anchor is None:
        return None
    with transaction.atomic():
        hold(f"anchor:{anchor.kind}:{anchor.name}")  # else two that count at once both see room for one
        if _leased().filter(kind=anchor.kind, name=anchor.name).count() >= _room(anchor.kind, anchor.name):
            return None
        mine = _due(anchor.kind, anchor.name).filter(pk=anchor_id).order_by()
        if not mine.update(lease=lease, leased_until=now + LEASE, attempted_at=now):
            return None
    return Anchor.objects.select_related("log").get(pk=anchor_id)


def _party(anchor: Anchor) -> Party | None:
    every = by_kind(parties())[AnchorKind(anchor.kind)]
    return next((each for each in every if each.name == anchor.name and each.identity == anchor.identity), None)


def _reply(anchor: Anchor) -> Reply:
    """Ask, and keep what is given. Errors: whatever fails on our side."""
    party, target = _party(anchor), _target(anchor)
    if party is None or target is None:
        return Reply(Outcome.WAITING)
    if isinstance(party, Authority):
        return _stamped(party, target.checkpoint)
    reply = _cosigned(party, anchor, target.checkpoint)
    if reply.outcome == Outcome.AHEAD:
        # its word came after our last look: the log may have grown, and been sent by another process
        later = choose_target(anchor.log, anchor.kind, at_least=reply.size or 0)
        if later is not None and later.checkpoint.tree_size >= (reply.size or 0):
            anchor.known_size = reply.size or 0
            reply = _cosigned(party, anchor, later.checkpoint)
    return reply


def _target(anchor: Anchor) -> AnchorTarget | None:
    return AnchorTarget.objects.select_related("checkpoint").filter(log=anchor.log, kind=anchor.kind).first()


def _cosigned(witness: Witness, anchor: Anchor, checkpoint: Checkpoint) -> Reply:
    def prove(old: int) -> list[bytes]:
        return prove_consistency(TreeReader(anchor.log_id), old, checkpoint.tree_size)

    reply = ask_to_cosign(
        witness,
        checkpoint.note,
        tree_size=checkpoint.tree_size,
        known_size=anchor.known_size,
        prove=prove,
        sealed_at=sealed_at(anchor.log_id, checkpoint.tree_size),
    )
    if reply.cosignature is not None:
        _keep_cosignature(witness, checkpoint, reply.cosignature)
    return reply


def sealed_at(log_id: uuid.UUID, tree_size: int) -> datetime | None:
    """When the last entry of a tree was received, by this installation's clock: nobody saw the tree before that."""
    last = Entry.objects.filter(log=log_id, leaf_index=tree_size - 1).values_list("data", flat=True).first()
    return received_at(bytes(last)) if last else None


def _keep_cosignature(witness: Witness, checkpoint: Checkpoint, cosignature: Line) -> None:
    line = Cosignature(
        checkpoint=checkpoint,
        log_id=checkpoint.log_id,
        tree_size=checkpoint.tree_size,
        witness=witness.name,
        vkey=witness.verifier.vkey,
        line=cosignature.line,
        cosigned_at=datetime.fromtimestamp(cosignature.timestamp, UTC),
    )
    Cosignature.objects.bulk_create([line], ignore_conflicts=True)


def _stamped(authority: Authority, checkpoint: Checkpoint) -> Reply:
    try:
        stamp = time_stamp(authority, checkpoint.note)
    except Unstamped as error:
        return Reply(error.outcome, error.detail, retry_after=error.retry_after)
    row = Timestamp(
        checkpoint=checkpoint,
        log_id=checkpoint.log_id,
        tree_size=checkpoint.tree_size,
        authority=authority.name,
        token=stamp.response,
        stamped_at=stamp.stamped_at,
    )
    Timestamp.objects.bulk_create([row], ignore_conflicts=True)
    return Reply(Outcome.ANCHORED, size=checkpoint.tree_size)


def _settle(anchor: Anchor, reply: Reply, began: datetime) -> None:
    """Write down what became of it, unless the lease ran out and another has it."""
    mine = Anchor.objects.filter(pk=anchor.pk, lease=anchor.lease)
    ended = {"lease": None, "leased_until": None, "outcome": reply.outcome, "detail": reply.detail[:300]}
    if reply.outcome == Outcome.ANCHORED:
        size = reply.size or 0
        mine.update(**ended, tree_size=size, known_size=size, failures=0, succeeded_at=began, next_attempt_at=began)
        return
    if reply.outcome == Outcome.WAITING:
        # not asked: this process reads other files than whoever handed it out, or they changed in between
        mine.update(lease=None, leased_until=None, next_attempt_at=timezone.now() + timedelta(seconds=SCHEDULE[0]))
        return
    known = {"known_size": reply.size} if reply.outcome == Outcome.BEHIND else {}
    wait = pause(anchor.failures + 1, reply.retry_after)
    mine.update(**ended, **known, failures=F("failures") + 1, next_attempt_at=timezone.now() + timedelta(seconds=wait))
    logger.warning("evidence.not_anchored", anchor=str(anchor.pk), party=anchor.name, outcome=str(reply.outcome))


def pause(failures: int, retry_after: float | None) -> float:
    """Seconds until the next attempt: by the schedule, with up to a fifth more, and no sooner than was asked for."""
    planned = SCHEDULE[min(failures, len(SCHEDULE)) - 1]
    return max(planned * (1 + random.random() * JITTER), min(retry_after or 0.0, SCHEDULE[-1]))  # noqa: S311 - jitter

"""Sealing one group of decisions: one log, one transaction.

Callers' own keys are looked up under the log's lock, so that of two requests with the same one the second finds the
first's decision. Conflicts are sealed in the same transaction as the decisions beside them.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from django.db import connection
from django.utils import timezone

from audit.entries import SealedDirective
from audit.services.recording import Recorded, Status, record_decisions
from intake.admission import Admitted
from intake.kinds import DECISION_CONFLICTED
from ledger.entries import Actor, Draft, draft_entry
from ledger.sealing import Seal, sealing
from ledger.signing import SignedCheckpoint
from overrides.services.breaches import Breach, count_breaches
from overrides.services.opening import open_reviews
from overrides.standing import SwitchState


class Sealed(msgspec.Struct, gc=False):
    """What became of one decision of a group."""

    status: Status
    id: str
    log_id: uuid.UUID
    leaf_index: int
    leaf_hash: bytes
    first_directive: SealedDirective
    review_id: str | None
    differs: bool = False
    """Its caller's own key belongs to a decision, named here, whose content is not the same: that one stands."""


def nobody_more() -> None:
    """The group stays as it is."""


def seal_group(
    log_id: uuid.UUID, group: Sequence[Admitted], top_up: Callable[[], None] = nobody_more
) -> tuple[list[Sealed], dict[uuid.UUID, SignedCheckpoint]]:
    """Record decisions of one log in one transaction; a result for each, in order, and the signed checkpoint.

    `top_up` is called once the log's lock is held and may append to the group: while another process had the lock,
    more callers came, and each commit that they share is one less to wait for.
    Errors: those of `ledger.sealing`, and the database's as they come. Then nothing of the group was acknowledged.
    """
    with sealing() as seal:
        seal.lock(log_id)
        top_up()
        results = record_group(seal, log_id, group)
    return results, seal.checkpoints


def record_group(seal: Seal, log_id: uuid.UUID, group: Sequence[Admitted]) -> list[Sealed]:
    """The same inside somebody's own transaction, which takes the log's lock here."""
    seal.lock(log_id)
    decisions, keys = [each.decision for each in group], [each.external_digest for each in group]
    if not any(keys):
        recorded = record_decisions(seal, log_id=log_id, decisions=decisions)
        results = [_sealed(found, each) for found, each in zip(recorded, group, strict=True)]
    else:
        known = known_external_ids(group)
        recorded = record_decisions(seal, log_id=log_id, decisions=decisions, keys=keys, known=known)
        results = [_sealed(found, each) for found, each in zip(recorded, group, strict=True)]
        _keep_external_ids(group, results, known)
    _follow_up(group, results)
    conflicts = [pair for pair in zip(group, results, strict=True) if pair[1].status is Status.CONFLICT]
    if conflicts:
        _seal_conflicts(seal, log_id, conflicts)
    return results


def _follow_up(group: Sequence[Admitted], results: Sequence[Sealed]) -> None:
    """What new decisions bring with them, in their own transaction: reviews to open, breaches to count."""
    accepted = [
        each
        for each, result in zip(group, results, strict=True)
        if (each.review is not None or each.breach is not None) and result.status is Status.ACCEPTED
    ]
    if not accepted:
        return
    if reviews := [each.review for each in accepted if each.review is not None]:
        open_reviews(reviews)
    if breaches := [_breach(each, each.breach) for each in accepted if each.breach is not None]:
        count_breaches(breaches)


def _breach(each: Admitted, switch: SwitchState) -> Breach:
    return Breach(each.decision.id, each.system.id, switch, each.decision.received.at)


def _sealed(found: Recorded, each: Admitted) -> Sealed:
    status, differs = found.status, False
    if status is Status.CONFLICT and found.id != each.decision.id:
        # Sent by the caller's own key with other content: the first stands, and the answer says so. Who gave it an id
        # of its own may mean another decision: it is refused, so that quarantine keeps it.
        status, differs = Status.DUPLICATE if each.decision.is_own_id else Status.CONFLICT, True
    return Sealed(
        status, found.id, found.log_id, found.leaf_index, found.leaf_hash, found.directive, found.review_id, differs
    )


def known_external_ids(group: Sequence[Admitted]) -> dict[bytes, str]:
    """The ids that callers' own keys led to before, by the keyed hash (which covers the AI system)."""
    digests = [each.external_digest for each in group if each.external_digest is not None]
    if not digests:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT digest, decision_id::text FROM intake_externalid WHERE system_id = ANY(%s) AND digest = ANY(%s)",
            [list({each.system.id for each in group}), digests],
        )
        return {bytes(digest): decision_id for digest, decision_id in cursor.fetchall()}


def _keep_external_ids(group: Sequence[Admitted], results: Sequence[Sealed], known: dict[bytes, str]) -> None:
    """Remember the id that each new key of a caller led to: only of what is recorded, as it was sent."""
    new: dict[bytes, str] = {}
    for each, result in zip(group, results, strict=True):
        recorded = result.status in (Status.ACCEPTED, Status.DUPLICATE) and not result.differs
        if each.external_digest is not None and each.external_digest not in known and recorded:
            new.setdefault(each.external_digest, result.id)
    if new:
        _insert_external_ids(group[0].system.id, new)


def _insert_external_ids(system_id: uuid.UUID, new: dict[bytes, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_externalid (system_id, digest, decision_id)"
            " SELECT %s, w.digest, w.id FROM unnest(%s::bytea[], %s::uuid[]) AS w(digest, id) ON CONFLICT DO NOTHING",
            [system_id, list(new), list(new.values())],
        )


def _seal_conflicts(seal: Seal, log_id: uuid.UUID, conflicts: Sequence[tuple[Admitted, Sealed]]) -> None:
    """`decision.conflicted`, once per id, key and hour; counted after. A beat task raises the alert."""
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    for each, first in conflicts:
        if _count_conflict(each, first.id, hour):
            seal.add(log_id, _conflict_entry(each, first.id, now))


def _count_conflict(each: Admitted, decision_id: str, hour: datetime) -> bool:
    """Whether it is the first of its id, key and hour."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_conflictcount (decision_id, key_row_id, hour, count, system_id)"
            " VALUES (%s, %s, %s, 1, %s) ON CONFLICT (decision_id, key_row_id, hour)"
            " DO UPDATE SET count = intake_conflictcount.count + 1, alerted_at = NULL RETURNING count",
            [decision_id, each.key_row_id, hour, each.system.id],
        )
        return bool(cursor.fetchone()[0] == 1)


def _conflict_entry(each: Admitted, decision_id: str, now: datetime) -> Draft:
    """Says that it happened, to which decision and by which key. What was sent is kept in quarantine."""
    body = {"decision": decision_id, "key": str(each.key_row_id)}
    actor = Actor("service", each.decision.facets.values.account_id)
    return draft_entry(kind=DECISION_CONFLICTED, actor=actor, at=now, body=body, about_id=uuid.UUID(decision_id))

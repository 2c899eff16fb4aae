"""Two acts of custody that two administrators do together: adopting a head, closing a log whose tail was lost."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from config.ids import new_id
from evidence.errors import HeadAlreadyKnown, LogStillContinues, TwoAdministratorsNeeded, VerificationFailed
from evidence.kinds import HEAD_ADOPTED, LOG_CLOSED
from evidence.log_standing import LogStanding, Standing, logs_lost_whole, standing_of
from evidence.verification import Finding, LogVerification
from governance import rights
from governance.acts import Act
from governance.changes import announce
from governance.models import AISystem, Person, RegisterChange
from ledger.entries import Actor, draft_entry
from ledger.errors import HeadPresent
from ledger.heads import NamedSystem, StoredHead, head_store
from ledger.key_history import announcement
from ledger.kinds import LOG_LOST, LOG_OPENED, REGISTRY_OPENED, SYSTEM_LOG_OPENED
from ledger.logs import announce_keys
from ledger.models import Log, LogClosure
from ledger.sealing import Seal, sealing
from ledger.selectors import latest_head, registry_log
from ledger.signing import signers_for


def adopt_head(
    *, actor: Actor, asked_by: Person, approved_by: Person, log: Log, request_id: uuid.UUID | None = None
) -> StoredHead:
    """Make this host, which has no head of a log, take the database's word for it, after verifying the whole log.

    Only for a log that lost nothing: a log that did would be signed a second time from there on (`close_log` with
    `tail_unknown`). The entry that says so is sealed first and the head is stored after it: a crash in between leaves a
    host without a head, which can adopt again. `request_id`: as for `close_log`. Errors: `TwoAdministratorsNeeded`,
    `HeadAlreadyKnown`, `VerificationFailed` with the first finding.
    """
    require_two(Act.HEAD_ADOPT, asked_by, approved_by)
    if head_store().head(log.id) is not None:
        raise HeadAlreadyKnown(log.origin)
    verification = LogVerification.begin(log)
    _verify(verification)
    with sealing() as seal:
        try:
            found = seal.lock_without_head(log.id)
        except HeadPresent as error:
            raise HeadAlreadyKnown(log.origin) from error
        # other hosts may have appended meanwhile; from here on nobody does
        verification.end = found.frontier.size
        _verify(verification)
        _refuse_findings(verification.conclude())
        head = StoredHead(verification.frontier.size, verification.frontier.root())
        facts = {"tree_size": head.tree_size, "root_hash": head.root_hash.hex()}
        facts |= two(asked_by, approved_by, request_id)
        seal.add(log.id, draft_entry(kind=HEAD_ADOPTED, actor=actor, at=timezone.now(), body=facts, about_id=log.id))
    return head


def _verify(verification: LogVerification) -> None:
    while not verification.done:
        _refuse_findings(verification.step())


def _refuse_findings(findings: Sequence[Finding]) -> None:
    wrong = [found for found in findings if found.code != "head-store-missing"]
    if wrong:
        raise VerificationFailed(str(wrong[0]))


def close_log(
    *,
    actor: Actor,
    asked_by: Person,
    approved_by: Person,
    log: Log,
    tail_unknown: bool = False,
    request_id: uuid.UUID | None = None,
) -> Log:
    """Close a log whose signed tail is missing from the database, and open its successor.

    The successor's entry 0 states the predecessor's origin, the last tree that was signed, the missing range, and what
    witnesses held that contradicts it; completeness is proven over the chain. `tail_unknown`: of a log of which this
    host has no head, so that nobody can say how much is missing, or whether anything is; the entry says that.
    `request_id`: the request by which both agreed while they were signed in; without one they typed their passwords at
    the host. Errors: `TwoAdministratorsNeeded`, `LogStillContinues`, `HeadAlreadyKnown` of a log whose end is known.
    """
    require_two(Act.LOG_CLOSE, asked_by, approved_by)
    with sealing() as seal:
        _hold(log.id)
        found = latest_head(log.id)
        lost = _lost(log, standing_of(log, found, head_store().head(log.id)), tail_unknown)
        successor = _successor(log)
        _name_system(successor)
        said = _opening(log, successor, lost) | two(asked_by, approved_by, request_id)
        kind = REGISTRY_OPENED if log.kind == Log.Kind.REGISTRY else LOG_OPENED
        opening = draft_entry(kind=kind, actor=actor, at=timezone.now(), body=said, about_id=successor.id)
        seal.add(successor.id, opening)
        LogClosure.objects.create(log=log, tree_size=found.tree_size, root_hash=found.root_hash, entry_id=opening.id)
        _announce(seal, actor, log, successor)
        if log.system_id:
            # intake goes on in the successor as soon as each process has looked
            announce(RegisterChange.Noun.SYSTEM, log.system_id)
    return successor


def _lost(log: Log, stands: LogStanding, tail_unknown: bool) -> dict[str, Any]:
    """What the successor says of its predecessor."""
    if tail_unknown and stands.signed is not None:
        raise HeadAlreadyKnown(log.origin)
    if not tail_unknown and (stands.signed is None or stands.standing is Standing.CONTINUES):
        raise LogStillContinues(log.origin)
    last = stands.last_signed
    said: dict[str, Any] = {
        "origin": log.origin,
        "tree_size": last.tree_size,
        "root_hash": last.root_hash.hex(),
        "found": stands.found.tree_size,
        "missing": [*stands.missing],
    }
    if tail_unknown:
        said["tail"] = "unknown"
    if stands.contradicted:
        said["contradicted"] = [[each.tree_size, bytes(each.root_hash).hex()] for each in stands.contradicted]
    return said


def _hold(log_id: uuid.UUID) -> None:
    # Whoever is about to append waits here, and finds the closure when it gets the lock.
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM ledger_log WHERE id = %s FOR NO KEY UPDATE", [log_id])


def _successor(log: Log) -> Log:
    log_id = new_id()
    return Log.objects.create(
        id=log_id,
        origin=f"{settings.ORIGIN}/logs/{log_id}",
        kind=log.kind,
        system_id=log.system_id,
        sequence=log.sequence + 1,
        predecessor=log,
    )


def _name_system(successor: Log) -> None:
    """Let this host keep whose log it is: should the successor be lost in its turn, that can be said."""
    system = AISystem.objects.filter(pk=successor.system_id).first() if successor.system_id else None
    if system is not None:
        head_store().name_system(successor.id, NamedSystem(system.pk, system.slug))


def _opening(log: Log, successor: Log, lost: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"origin": successor.origin, "predecessor": lost}
    if log.system_id:
        said |= {"system": str(log.system_id), "registry": registry_log().origin}
    return said


def _announce(seal: Seal, actor: Actor, log: Log, successor: Log) -> None:
    if log.kind == Log.Kind.REGISTRY:
        announce_keys(seal, successor, actor=actor)
        _say_lost_logs(seal, actor, successor)
        return  # its own entry 0 says the rest
    registry, at = registry_log(), timezone.now()
    closed = {"log": str(log.id), "origin": log.origin, "successor": successor.origin}
    announced = {
        "log": str(successor.id),
        "system": str(log.system_id),
        **announcement(signers_for(successor.origin)[0]),
    }
    seal.add(registry.id, draft_entry(kind=LOG_CLOSED, actor=actor, at=at, body=closed, about_id=log.id))
    seal.add(
        registry.id, draft_entry(kind=SYSTEM_LOG_OPENED, actor=actor, at=at, body=announced, about_id=successor.id)
    )


def _say_lost_logs(seal: Seal, actor: Actor, registry: Log) -> None:
    """Logs that were opened in the tail that the registry log lost: nothing in the database names them any more."""
    for lost in logs_lost_whole():
        head = lost.signed
        body = {"log": str(lost.log_id), "tree_size": head.tree_size, "root_hash": head.root_hash.hex()}
        if lost.system:
            body |= {"system": str(lost.system.system_id), "slug": lost.system.slug}
        draft = draft_entry(kind=LOG_LOST, actor=actor, at=timezone.now(), body=body, about_id=lost.log_id)
        seal.add(registry.id, draft)


def require_two(act: Act, asked_by: Person, approved_by: Person) -> None:
    """Raise `TwoAdministratorsNeeded` unless the one may do this and the other may approve it."""
    approved = rights.may_approve(approved_by, act, requested_by=asked_by.pk)
    if not (rights.can(asked_by, act) and approved):
        raise TwoAdministratorsNeeded()


def two(asked_by: Person, approved_by: Person, request_id: uuid.UUID | None) -> dict[str, str]:
    """Both, as the entry names them, and how they agreed."""
    people = {"asked_by": str(asked_by.id), "approved_by": str(approved_by.id)}
    if request_id is None:
        return people | {"consent": "passwords"}
    return people | {"consent": "signed-in", "request": str(request_id)}

"""The self-audit: every log verified over and over, and every table that entries lead to, a slice at a time.

What was verified is kept after each slice, and whose turn it is goes by the last turn: neither a long log nor one that
cannot be verified keeps the others waiting. A check that cannot finish alerts.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog
from django.db.models import F
from django.utils import timezone

from config.errors import name_of
from evidence.log_standing import LostLog, logs_lost_whole, name_systems
from evidence.models import AuditProgress, WalkProgress
from evidence.verification import Finding, LogVerification
from evidence.verification.engine import check_at_once, walks
from evidence.verification.walks import Walk
from governance.models import AISystem
from ledger.entries import CLEAR, Actor
from ledger.heads import StoredHead, head_store
from ledger.models import Log
from ledger.selectors import discontinued_logs, latest_head
from ledger.tlog import Frontier
from notices.alert_kinds import LOST_SYSTEM
from notices.models import Alert
from notices.services import open_alert

logger = structlog.get_logger(__name__)

KEPT_FINDINGS = 100


def audit_slice(*, actor: Actor, seconds: float) -> int:
    """Verify for about `seconds`, the log first whose last turn is longest ago. Returns how many entries were verified.

    The first mismatch of a log opens an alert; the pass goes on, so that its findings are complete.
    """
    deadline, verified = time.monotonic() + seconds, 0
    for progress in _logs_by_turn():
        begun_at = progress.next_index if progress.pass_started_at else 0
        with _going_on(actor, f"log:{progress.log_id}", progress.log):
            _audit_log(actor, progress, deadline)
        verified += max(0, progress.next_index - begun_at)
        if time.monotonic() >= deadline:
            break
    return verified


def _audit_log(actor: Actor, progress: AuditProgress, deadline: float) -> None:
    _take_turn(progress)
    verification = _resume(progress)
    # one slice at least, however little time there is: else a slow start would never get anywhere
    while not verification.done:
        _keep(actor, progress, verification.step())
        _save(progress, verification)
        if time.monotonic() >= deadline:
            break
    if verification.done:
        _keep(actor, progress, verification.conclude())
        progress.pass_finished_at = timezone.now()
        progress.pass_started_at = progress.frontier = None
        progress.save()


def audit_loose_ends(*, actor: Actor, seconds: float) -> int:
    """Look for about `seconds` for rows that no entry leads to, and for an opened guard. Returns how many were found.

    Each sort of finding alerts.
    """
    deadline = time.monotonic() + seconds
    found = 0
    with _going_on(actor, "at-once"):
        found += _report(actor, list(check_at_once()))
    for progress, walk in _walks_by_turn():
        with _going_on(actor, f"walk:{walk.name}"):
            found += _walk(actor, progress, walk, deadline)
        if time.monotonic() >= deadline:
            break
    return found


def _walk(actor: Actor, progress: WalkProgress, walk: Walk, deadline: float) -> int:
    """Go on with a table until its end or the deadline; the next turn begins again or goes on from there."""
    _take_turn(progress)
    progress.pass_started_at = progress.pass_started_at or timezone.now()
    found = 0
    while True:
        findings, progress.cursor = walk.step(progress.cursor)
        found += _report(actor, findings)
        if progress.cursor is None:
            progress.pass_started_at, progress.pass_finished_at = None, timezone.now()
        progress.save()
        if progress.cursor is None or time.monotonic() >= deadline:
            return found


def alert_discontinued(*, actor: Actor) -> int:
    """Alert for each open log that the database does not continue as this host signed it. Returns how many there are.

    An old database that was restored shows here within the minute; what was rewritten further back, in the self-audit.
    A head store that cannot be read alerts too.
    """
    troubled: list[tuple[Log, StoredHead | None]] = []
    with _going_on(actor, "heads"):
        signed_for = head_store().heads()
        # of those that are contradicted from outside, whoever found that has alerted
        for log in Log.objects.filter(origin__in=discontinued_logs(), contradictions=None).order_by("id"):
            troubled.append((log, signed_for.get(log.id)))
    for log, signed in troubled:
        found = latest_head(log.id)
        logger.error("evidence.log_discontinued", log_id=str(log.id))
        open_alert(
            actor=actor,
            kind="ledger.discontinued",
            severity=Alert.Severity.CRITICAL,
            fingerprint=f"ledger.discontinued:{log.id}",
            system_id=log.system_id,
            about_id=log.id,
            facts={
                "code": "rolled-back" if signed else "head-store-missing",
                "entries": found.tree_size,
                "signed": signed.tree_size if signed else None,
            },
            occurrences=1,  # one state of affairs, however often it is looked at
        )
    return len(troubled)


def alert_lost_logs(*, actor: Actor) -> int:
    """Alert for each log that this host has signed for and that is gone altogether. Returns how many there are.

    Whose it was this host knows by itself, as far as it was told in time: it is told here.
    """
    lost: list[LostLog] = []
    with _going_on(actor, "logs"):
        name_systems()
        lost = logs_lost_whole()
    for each in lost:
        logger.error("evidence.log_lost", log_id=str(each.log_id), system=each.words)
        system = each.system
        is_here = system is not None and AISystem.objects.filter(pk=system.system_id).exists()
        open_alert(
            actor=actor,
            kind="ledger.log_lost",
            severity=Alert.Severity.CRITICAL,
            fingerprint=f"ledger.log_lost:{each.log_id}",
            system_id=system.system_id if system and is_here else None,
            about_id=each.log_id,
            facts={
                "lost_log": str(each.log_id),
                LOST_SYSTEM: system.slug if system else None,
                "lost_entries": each.signed.tree_size,
            },
            occurrences=1,  # one state of affairs, however often it is looked at
        )
    return len(lost)


@contextmanager
def _going_on(actor: Actor, check: str, log: Log | None = None) -> Iterator[None]:
    """A check that cannot finish is said in the service's log and alerted, and the next one is gone on with."""
    try:
        yield
    except Exception as error:  # whatever it is: bytes that somebody forged must not be able to end the audit
        logger.exception("evidence.audit_failed", check=check)
        open_alert(
            actor=actor,
            kind="ledger.audit_failed",
            severity=Alert.Severity.WARNING,
            fingerprint=f"ledger.audit_failed:{check}",
            system_id=log.system_id if log else None,
            about_id=log.id if log else None,
            facts={"check": check, "error": name_of(error)},
        )


def _take_turn(progress: AuditProgress | WalkProgress) -> None:
    # kept before anything is tried: what dies on the way is not first again
    progress.attempted_at = timezone.now()
    progress.save(update_fields=["attempted_at"])


def _logs_by_turn() -> Sequence[AuditProgress]:
    known = AuditProgress.objects.values_list("log_id", flat=True)
    AuditProgress.objects.bulk_create(
        [AuditProgress(log=log) for log in Log.objects.exclude(id__in=known)], ignore_conflicts=True
    )
    turns = F("attempted_at").asc(nulls_first=True)
    return list(AuditProgress.objects.select_related("log").order_by(turns, "log_id"))


def _walks_by_turn() -> Sequence[tuple[WalkProgress, Walk]]:
    by_name = {walk.name: walk for walk in walks()}
    WalkProgress.objects.bulk_create([WalkProgress(walk=name) for name in by_name], ignore_conflicts=True)
    turns = F("attempted_at").asc(nulls_first=True)
    known = WalkProgress.objects.filter(pk__in=by_name).order_by(turns, "walk")
    return [(progress, by_name[progress.walk]) for progress in known]


def _resume(progress: AuditProgress) -> LogVerification:
    verification = LogVerification.begin(progress.log)
    if progress.frontier and progress.pass_started_at:
        verification.frontier = Frontier.from_bytes(bytes(progress.frontier))
    else:
        progress.pass_started_at, progress.findings = timezone.now(), []
    return verification


def _save(progress: AuditProgress, verification: LogVerification) -> None:
    progress.next_index = verification.frontier.size
    progress.frontier = verification.frontier.to_bytes()
    progress.save()


def _keep(actor: Actor, progress: AuditProgress, findings: Sequence[Finding]) -> None:
    if findings:
        room = KEPT_FINDINGS - len(progress.findings)
        progress.findings += [finding.as_json() for finding in findings[:room]]
        _alert(actor, progress.log, findings)


def _report(actor: Actor, findings: Sequence[Finding]) -> int:
    for code in sorted({finding.code for finding in findings}):
        _alert(actor, None, [finding for finding in findings if finding.code == code])
    return len(findings)


def _alert(actor: Actor, log: Log | None, findings: Sequence[Finding]) -> None:
    first = findings[0]
    open_alert(
        actor=actor,
        kind="ledger.mismatch",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"ledger.mismatch:{log.id if log else first.code}",
        system_id=log.system_id if log else None,
        about_id=log.id if log else None,
        facts={
            "code": first.code,
            "index": first.index,
            "table": first.table or None,
            "row": first.row
            if CLEAR.fullmatch(first.row)
            else None,  # whoever forged an entry may have put words there
            "findings": len(findings),
        },
    )


def last_verified_at(log: Log) -> datetime | None:
    """When the last whole pass over a log ended."""
    progress = AuditProgress.objects.filter(log=log).first()
    return progress.pass_finished_at if progress else None

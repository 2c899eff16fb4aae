"""The self-audit: every log verified over and over, a slice at a time."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from evidence.models import AuditProgress
from evidence.verification import Finding, LogVerification
from evidence.verification.engine import verify_loose_ends
from ledger.entries import Actor
from ledger.models import Log
from ledger.tlog import Frontier
from notices.models import Alert
from notices.services import open_alert

KEPT_FINDINGS = 100


def audit_slice(*, actor: Actor, seconds: float) -> int:
    """Verify for about `seconds`: the log whose pass is oldest first. Returns how many entries were verified.

    The first mismatch of a log opens an alert; the pass goes on, so that its findings are complete.
    """
    deadline, verified = time.monotonic() + seconds, 0
    for progress in _by_age():
        verification = _resume(progress)
        # one slice at least, however little time there is: else a slow start would never get anywhere
        while not verification.done and (not verified or time.monotonic() < deadline):
            before = verification.frontier.size
            _keep(actor, progress, verification.step())
            verified += verification.frontier.size - before
        if verification.done:
            _keep(actor, progress, verification.conclude())
        _save(progress, verification)
        if time.monotonic() >= deadline:
            break
    return verified


def audit_loose_ends(*, actor: Actor) -> int:
    """Look for rows that no entry leads to and for an opened guard; each finding alerts. Returns how many there are."""
    findings = list(verify_loose_ends())
    for code in sorted({finding.code for finding in findings}):
        _alert(actor, None, [finding for finding in findings if finding.code == code])
    return len(findings)


def _by_age() -> Sequence[AuditProgress]:
    known = AuditProgress.objects.values_list("log_id", flat=True)
    AuditProgress.objects.bulk_create(
        [AuditProgress(log=log) for log in Log.objects.exclude(id__in=known)], ignore_conflicts=True
    )
    # a pass that was begun comes before a new one, and then the log verified longest ago
    order: list[Any] = [
        F("pass_started_at").asc(nulls_last=True),
        F("pass_finished_at").asc(nulls_first=True),
        "log_id",
    ]
    return list(AuditProgress.objects.select_related("log").order_by(*order))


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
    if verification.done:
        progress.pass_finished_at = timezone.now()
        progress.pass_started_at = progress.frontier = None
    progress.save()


def _keep(actor: Actor, progress: AuditProgress, findings: Sequence[Finding]) -> None:
    if findings:
        room = KEPT_FINDINGS - len(progress.findings)
        progress.findings += [finding.as_json() for finding in findings[:room]]
        _alert(actor, progress.log, findings)


def _alert(actor: Actor, log: Log | None, findings: Sequence[Finding]) -> None:
    first = findings[0]
    open_alert(
        actor=actor,
        kind="ledger.mismatch",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"ledger.mismatch:{log.id if log else first.code}",
        system_id=log.system_id if log else None,
        about_id=log.id if log else None,
        facts={"code": first.code, "index": first.index, "table": first.table or None, "findings": len(findings)},
    )


def last_verified_at(log: Log) -> datetime | None:
    """When the last whole pass over a log ended."""
    progress = AuditProgress.objects.filter(log=log).first()
    return progress.pass_finished_at if progress else None

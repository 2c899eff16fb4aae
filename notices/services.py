"""Alerts: opening, acknowledging, closing. Repeated ones count; they do not pile up."""

import uuid
from typing import Any

from django.db.models import F
from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.locks import hold
from governance.scopes import ORGANISATION, Scope
from governance.selectors import accountable_of
from ledger.entries import Actor, require_clear
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log, registry_log
from notices.errors import AlertClosed, AlertNotFound
from notices.kinds import ALERT_ACKNOWLEDGED, ALERT_CLOSED, ALERT_OPENED
from notices.models import Alert

ABOUT_THE_LEDGER = "ledger."
"""Alerts of these kinds go to the registry log: the log they are about may be the one that cannot be written."""


def open_alert(
    *,
    actor: Actor,
    kind: str,
    severity: Alert.Severity,
    fingerprint: str,
    system_id: uuid.UUID | None = None,
    about_id: uuid.UUID | None = None,
    facts: dict[str, Any] | None = None,
    occurrences: int | None = None,
) -> Alert:
    """Say that somebody must look at something. While one of this fingerprint is not closed, it only counts.

    `facts`: clear values, figures and ids; the page puts them into words. `occurrences`: how often it happened up to
    now, where the caller counts; otherwise each call is one. Owner is who is accountable for the system
    now, accepted or asked; without one the administrators are meant. Errors: `NotAClearString`, those of sealing.
    """
    require_clear(facts or {})
    now = timezone.now()
    with sealing() as seal:
        hold(f"alert:{fingerprint}")  # of two that notice the same at once, the second counts
        known = Alert.objects.filter(fingerprint=fingerprint).exclude(status=Alert.Status.CLOSED).first()
        if known:
            # a count is in neither history nor state: a storm must not become a storm of entries
            Alert.objects.filter(pk=known.pk).update(occurrences=occurrences or F("occurrences") + 1, last_seen_at=now)
            known.refresh_from_db()
            return known
        alert = Alert(
            kind=kind,
            fingerprint=fingerprint,
            severity=severity,
            system_id=system_id,
            owner_id=_owner(system_id),
            about_id=about_id,
            facts=facts or {},
            occurrences=occurrences or 1,
            opened_at=now,
            last_seen_at=now,
        )
        _write(seal, actor, ALERT_OPENED, alert)
    return alert


def acknowledge_alert(*, actor: Actor, alert_id: uuid.UUID) -> Alert:
    """Say that one is looking at it; a second acknowledgement changes nothing.

    Errors: `Forbidden`, `AlertNotFound`, `AlertClosed`.
    """
    with sealing() as seal:
        alert = _locked(actor, alert_id)
        if alert.status == Alert.Status.OPEN:
            alert.status = Alert.Status.ACKNOWLEDGED
            alert.acknowledged_at = timezone.now()
            alert.acknowledged_by_id = actor.id
            _write(seal, actor, ALERT_ACKNOWLEDGED, alert)
    return alert


def close_alert(*, actor: Actor, alert_id: uuid.UUID, note: str) -> Alert:
    """Say that it was dealt with, and how. Errors: `Forbidden`, `AlertNotFound`, `AlertClosed`, `InvalidInput`."""
    note = note.strip()
    if not note:
        raise InvalidInput(errors=[FieldProblem(pointer="/note", detail="Write what was found and done.")])
    with sealing() as seal:
        alert = _locked(actor, alert_id)
        alert.status = Alert.Status.CLOSED
        alert.closed_at = timezone.now()
        alert.closed_by_id = actor.id
        alert.note = note
        _write(seal, actor, ALERT_CLOSED, alert)
    return alert


def _write(seal: Seal, actor: Actor, kind: Kind, alert: Alert) -> None:
    facts: dict[str, Any] = {"alert": alert.kind, "severity": str(alert.severity), "status": str(alert.status)}
    if alert.system_id:
        facts["system"] = str(alert.system_id)
    write_row(seal, actor=actor, kind=kind, row=alert, log_id=_log_id(alert), facts=facts)


def _log_id(alert: Alert) -> uuid.UUID:
    if alert.system_id is None or alert.kind.startswith(ABOUT_THE_LEDGER):
        return registry_log().id
    return open_log(alert.system_id).id


def _locked(actor: Actor, alert_id: uuid.UUID) -> Alert:
    alert = Alert.objects.select_for_update(no_key=True).filter(pk=alert_id).first()
    scope = Scope.system(alert.system_id) if alert and alert.system_id else ORGANISATION
    rights.require(actor, Act.ALERT_HANDLE, scope)
    if alert is None:
        raise AlertNotFound()
    if alert.status == Alert.Status.CLOSED:
        raise AlertClosed()
    return alert


def _owner(system_id: uuid.UUID | None) -> uuid.UUID | None:
    """Who accepted the responsibility for the system, else who was last asked to."""
    if system_id is None:
        return None
    found = accountable_of(system_id)
    return found.person_id if found else None

"""Alerts: opening, acknowledging, closing. Repeated ones count; they do not pile up."""

import uuid
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from config.errors import FieldProblem, Forbidden, InvalidInput, name_of
from governance import rights
from governance.acts import Act
from governance.locks import hold
from governance.selectors import accountable_of
from ledger.entries import SERVER, Actor, require_clear
from ledger.errors import CANNOT_SEAL_NOW
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from ledger.selectors import open_log, registry_log
from notices.alert_kinds import LOST_SYSTEM
from notices.errors import AlertClosed, AlertNeedsAnother, AlertNotFound
from notices.kinds import ALERT_ACKNOWLEDGED, ALERT_CLOSED, ALERT_OPENED
from notices.models import Alert, GatheredAlert
from notices.outbox import announce, tell
from notices.selectors import may_handle, recipients

ABOUT_THE_LEDGER = "ledger."
"""Alerts of these kinds go to the registry log: the log they are about may be the one that cannot be written."""
WAITING_AT_ONCE = 500
STORM = 20
STORM_WINDOW = timedelta(hours=1)
GATHERED = "gathered"
"""In the fingerprint of an alert that stands for many of its kind."""
NOT_BY = "not_to_be_closed_by"

logger = structlog.get_logger(__name__)


def open_alert(
    *,
    actor: Actor,
    kind: str,
    severity: Alert.Severity,
    fingerprint: str,
    system_id: uuid.UUID | None = None,
    about_id: uuid.UUID | None = None,
    owner_id: uuid.UUID | None = None,
    facts: dict[str, Any] | None = None,
    occurrences: int | None = None,
    once: bool = False,
) -> Alert:
    """Say that somebody must look at something. While one of this fingerprint is not closed, it only counts.

    `facts`: clear values, figures and ids; the page puts them into words. `occurrences`: how often it happened up to
    now, where the caller counts; otherwise each call is one. `once`: the fingerprint names one event, which is told
    once: a closed alert stays closed, and nothing counts. Owner is, unless named, who is accountable for the system,
    accepted or asked; without one the administrators are meant. Whoever is meant is written to, and webhook endpoints
    are told. A fact `not_to_be_closed_by` names the person whose act it is about: somebody else must close it.

    The 20th of a kind and AI system within an hour does not open: from there on they are gathered in one alert, which
    counts them and is told once.

    Where its log takes no entry now, the alert opens all the same, `seal_pending`, and is sealed by the sweep: trouble
    with a log must not silence those who speak of it. Errors: `NotAClearString`, those of the database.
    """
    require_clear(facts or {})
    alert = Alert(
        kind=kind,
        fingerprint=fingerprint,
        severity=severity,
        system_id=system_id,
        owner_id=owner_id or _owner(system_id),
        about_id=about_id,
        facts=facts or {},
        occurrences=occurrences or 1,
        opened_at=timezone.now(),
        last_seen_at=timezone.now(),
    )
    if once and (known := _same(alert, closed_too=True)):
        return known
    try:
        with sealing() as seal:
            hold(*_names(alert))  # of two that notice the same at once, the second counts
            known = _same(alert, closed_too=once)
            if known is None:
                return _open(seal, actor, alert)
            if not once:
                _count(known, occurrences)
            return known
    except CANNOT_SEAL_NOW as error:
        logger.warning("notices.alert_not_sealed", kind=kind, fingerprint=fingerprint, error=name_of(error))
        return _open_unsealed(alert, closed_too=once)


def _names(alert: Alert) -> tuple[str, str]:
    """What two must not do at once: open this one, and count how many of its kind there are."""
    return f"alert:{alert.fingerprint}", f"alerts:{alert.kind}:{alert.system_id}"


def _open(seal: Seal, actor: Actor, alert: Alert) -> Alert:
    if not _is_storm(alert):
        write_alert(seal, actor, ALERT_OPENED, alert)
        _tell_of(alert)
        return alert
    gathering = _gathering(alert)
    if gathering._state.adding:
        write_alert(seal, actor, ALERT_OPENED, gathering)
        _tell_of(gathering)
    return _gather(gathering, alert)


def _is_storm(alert: Alert) -> bool:
    """Whether as many of its kind, about the same AI system, opened within the hour as anybody can look at."""
    same = Alert.objects.filter(kind=alert.kind, system_id=alert.system_id)
    return same.filter(opened_at__gt=alert.opened_at - STORM_WINDOW)[: STORM - 1].count() >= STORM - 1


def _gathering(alert: Alert) -> Alert:
    """The alert that stands for the others of a kind: the one that is not closed, or a new one."""
    fingerprint = f"{GATHERED}:{alert.kind}:{alert.system_id or ''}"
    gathering = Alert(
        kind=alert.kind,
        fingerprint=fingerprint,
        severity=alert.severity,
        system_id=alert.system_id,
        owner_id=alert.owner_id,
        facts={"gathered": True},
        opened_at=alert.opened_at,
        last_seen_at=alert.opened_at,
    )
    return _same(gathering) or gathering


def _gather(gathering: Alert, alert: Alert) -> Alert:
    _, is_new = GatheredAlert.objects.get_or_create(
        alert=gathering,
        fingerprint=alert.fingerprint,
        defaults={"about_id": alert.about_id, "gathered_at": alert.opened_at},
    )
    if is_new:
        Alert.objects.filter(pk=gathering.pk).update(
            occurrences=gathering.gathered.count(), last_seen_at=alert.opened_at
        )
        gathering.refresh_from_db()
    return gathering


def _tell_of(alert: Alert) -> None:
    """Write to whoever answers for it, and tell webhook endpoints: in the transaction that opened it."""
    for person in recipients(alert):
        tell(
            person_id=person.pk,
            kind="alert.opened",
            fingerprint=f"alert:{alert.pk}",
            facts={"alert": str(alert.pk)},
            is_urgent=alert.severity == Alert.Severity.CRITICAL,
        )
    _announce("alert.opened", alert)


def _announce(event: str, alert: Alert) -> None:
    facts = {"kind": alert.kind, "severity": str(alert.severity), "status": str(alert.status)}
    if alert.facts.get(LOST_SYSTEM):  # whoever is told cannot look it up: its row may be gone with its log
        facts[LOST_SYSTEM] = alert.facts[LOST_SYSTEM]
    announce(event=event, system_id=alert.system_id, about_id=alert.pk, facts=facts)


def _same(alert: Alert, *, closed_too: bool = False) -> Alert | None:
    """The alert that this one would repeat, alone or among others that were gathered."""
    ours = Q(fingerprint=alert.fingerprint) | Q(
        pk__in=GatheredAlert.objects.filter(fingerprint=alert.fingerprint).values("alert_id")
    )
    found = Alert.objects.filter(ours)
    return (found if closed_too else found.exclude(status=Alert.Status.CLOSED)).first()


def _count(known: Alert, occurrences: int | None) -> None:
    # a count is in neither history nor state: a storm must not become a storm of entries
    if known.fingerprint.startswith(f"{GATHERED}:"):
        return  # it counts those that it stands for, each once
    Alert.objects.filter(pk=known.pk).update(
        occurrences=occurrences or F("occurrences") + 1, last_seen_at=timezone.now()
    )
    known.refresh_from_db()


def _open_unsealed(alert: Alert, *, closed_too: bool) -> Alert:
    """Store an alert without its entry. (Of one that was committed, and then could not be signed for, the row is
    there.)"""
    with transaction.atomic():
        hold(*_names(alert))
        if known := _same(alert, closed_too=closed_too):
            return known
        gathering = _gathering(alert) if _is_storm(alert) else None
        if gathering and not gathering._state.adding:
            return _gather(gathering, alert)
        opened = _unsealed_copy(gathering or alert)
        Alert.objects.bulk_create([opened])  # no change without a trail, but for this one: the sweep writes the trail
        _tell_of(opened)
        return _gather(opened, alert) if gathering else opened


def _unsealed_copy(alert: Alert) -> Alert:
    """The alert as it was before somebody tried to seal it."""
    names = [field.attname for field in Alert._meta.fields]
    copied = Alert(**{name: getattr(alert, name) for name in names})
    copied.revision, copied.particulars_id, copied.seal_pending = 0, None, True
    return copied


def seal_waiting_alerts() -> int:
    """Seal the alerts that opened while their log took no entry. Returns how many could be sealed."""
    sealed = 0
    waiting = Alert.objects.filter(seal_pending=True).order_by("id").values_list("id", flat=True)
    for alert_id in list(waiting[:WAITING_AT_ONCE]):
        try:
            with sealing() as seal:
                alert = Alert.objects.select_for_update(no_key=True).get(pk=alert_id)
                is_written = seal_late(seal, alert)
            sealed += is_written  # only now: the log is locked at the end of the block
        except CANNOT_SEAL_NOW as error:
            logger.warning("notices.alert_not_sealed", alert_id=str(alert_id), error=name_of(error))
    return sealed


def seal_late(seal: Seal, alert: Alert) -> bool:
    if not alert.seal_pending or alert.revision:
        return False
    alert.seal_pending = False
    write_alert(seal, SERVER, ALERT_OPENED, alert)
    return True


def acknowledge_alert(*, actor: Actor, alert_id: uuid.UUID) -> Alert:
    """Say that one is looking at it; a second acknowledgement changes nothing.

    Errors: `Forbidden`, `AlertNotFound`, `AlertClosed`.
    """
    with sealing() as seal:
        alert = _locked(actor, alert_id)
        seal_late(seal, alert)
        if alert.status == Alert.Status.OPEN:
            alert.status = Alert.Status.ACKNOWLEDGED
            alert.acknowledged_at = timezone.now()
            alert.acknowledged_by_id = actor.id
            write_alert(seal, actor, ALERT_ACKNOWLEDGED, alert)
            _announce("alert.acknowledged", alert)
    return alert


def close_alert(*, actor: Actor, alert_id: uuid.UUID, note: str) -> Alert:
    """Say that it was dealt with, and how.

    Errors: `Forbidden`, `AlertNotFound`, `AlertClosed`, `AlertNeedsAnother`, `InvalidInput`.
    """
    note = note.strip()
    if not note:
        raise InvalidInput(errors=[FieldProblem(pointer="/note", detail="Write what was found and done.")])
    with sealing() as seal:
        alert = _locked(actor, alert_id)
        if alert.facts.get(NOT_BY) == str(actor.id):
            raise AlertNeedsAnother()
        seal_late(seal, alert)
        alert.status = Alert.Status.CLOSED
        alert.closed_at = timezone.now()
        alert.closed_by_id = actor.id
        alert.note = note
        write_alert(seal, actor, ALERT_CLOSED, alert)
        _announce("alert.closed", alert)
    return alert


def close_what_ended(*, alert_id: uuid.UUID, note: str) -> bool:
    """Close an alert about a state of affairs that is over: by the server itself. Whether it was not closed before."""
    try:
        with sealing() as seal:
            alert = Alert.objects.select_for_update(no_key=True).get(pk=alert_id)
            if alert.status == Alert.Status.CLOSED:
                return False
            seal_late(seal, alert)
            alert.status, alert.closed_at, alert.note = Alert.Status.CLOSED, timezone.now(), note
            write_alert(seal, SERVER, ALERT_CLOSED, alert)
            _announce("alert.closed", alert)
    except CANNOT_SEAL_NOW:
        return False  # the next sweep finds it again
    return True


def write_alert(seal: Seal, actor: Actor, kind: Kind, alert: Alert) -> None:
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
    if alert is None:
        rights.require(actor, Act.ALERT_HANDLE)
        raise AlertNotFound()
    if not may_handle(actor, alert):
        raise Forbidden()
    if alert.status == Alert.Status.CLOSED:
        raise AlertClosed()
    return alert


def _owner(system_id: uuid.UUID | None) -> uuid.UUID | None:
    """Who accepted the responsibility for the system, else who was last asked to."""
    if system_id is None:
        return None
    found = accountable_of(system_id)
    return found.person_id if found else None

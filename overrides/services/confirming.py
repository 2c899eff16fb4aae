"""Whether a change is known to have reached everybody: by whom it was confirmed, who is silent, who cannot be asked."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.utils import timezone

from ledger.entries import SERVER, draft_entry, timestamp
from ledger.errors import CANNOT_SEAL_NOW
from ledger.kinds import Kind
from ledger.sealing import sealing
from notices.models import Alert
from notices.outbox import announce
from notices.services import open_alert
from overrides.change_digests import applied_digest
from overrides.kinds import SWITCH_CONFIRMED, SWITCH_UNCONFIRMED
from overrides.models import ClientInstance, SwitchChange
from overrides.services.changing import log_of
from overrides.services.sweeping import each_by_itself
from overrides.standing import Mode

Status = SwitchChange.Status
PATIENCE = timedelta(seconds=60)
WATCHED = timedelta(hours=24)
AT_ONCE = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What is known of a change now."""

    change: SwitchChange
    applied: Mapping[str, datetime]
    """When each instance that confirmed it did so, by id: also those of which nothing else is kept any more."""
    confirmed: Sequence[ClientInstance]
    seen: Sequence[ClientInstance]
    """They hold a state as new, and did not say that they obey it."""
    silent: Sequence[ClientInstance]
    gone: int
    """Expected instances of which nothing is kept any more, and that had not confirmed."""
    ungoverned: Sequence[uuid.UUID]
    """Service accounts that decide and never ask."""
    reading: Sequence[uuid.UUID] = ()
    """Service accounts that decide and ask, and do not say what they obey."""

    @property
    def expected(self) -> int:
        return len(self.applied) + len(self.seen) + len(self.silent) + self.gone + self.accounts

    @property
    def accounts(self) -> int:
        """Service accounts of which no instance is known."""
        return len(self.ungoverned) + len(self.reading)

    @property
    def is_complete(self) -> bool:
        """Nobody to ask is not everybody."""
        return 0 < self.expected == len(self.applied)

    @property
    def status(self) -> SwitchChange.Status:
        """As it stands now, or stood when it was watched last. That a minute has passed makes of a change under way one
        that is not confirmed."""
        if self.change.settled_at is not None:
            return Status(self.change.status)
        if self.is_complete:
            return Status.CONFIRMED
        # what was told late is late, also where another host's clock has not come so far
        is_early = self.change.reported_at is None and timezone.now() - self.change.requested_at < PATIENCE
        if is_early and self.expected:
            return Status.PROPAGATING if self.applied or self.seen else Status.REQUESTED
        return Status.PARTIAL if self.applied else Status.UNCONFIRMED

    @property
    def in_words(self) -> str:
        """`12 of 14 confirmed`; of nobody it says so."""
        if not self.expected:
            return "nobody is listening"
        return f"{len(self.applied)} of {self.expected} confirmed"


def confirmation_of(change: SwitchChange) -> Confirmation:
    """Who confirmed a change, who saw it, who is silent, who is ungoverned."""
    expected = change.expected.get("instances", [])
    return confirmation_by(change, list(ClientInstance.objects.filter(pk__in=expected).order_by("instance", "id")))


def confirmation_by(change: SwitchChange, instances: Sequence[ClientInstance]) -> Confirmation:
    """The same, of the expected instances that somebody has read already."""
    applied = _applied(change, instances)
    confirmed = [_as_then(each, applied[str(each.pk)]) for each in instances if str(each.pk) in applied]
    rest = [each for each in instances if str(each.pk) not in applied]
    return Confirmation(
        change=change,
        applied=applied,
        confirmed=confirmed,
        seen=[each for each in rest if each.seen_epoch >= change.epoch],
        silent=[each for each in rest if each.seen_epoch < change.epoch],
        gone=len(change.expected.get("instances", [])) - len(rest) - len(applied),
        ungoverned=[uuid.UUID(each) for each in change.expected.get("ungoverned", [])],
        reading=[uuid.UUID(each) for each in change.expected.get("reading", [])],
    )


def _as_then(instance: ClientInstance, applied_at: datetime) -> ClientInstance:
    """Its row has gone on to later epochs."""
    found = copy(instance)
    found.applied_at = applied_at
    return found


def _applied(change: SwitchChange, instances: Iterable[ClientInstance]) -> dict[str, datetime]:
    """What was noted of each stays: the rows of instances move on with the next epoch, and end with their process."""
    noted = {name: datetime.fromisoformat(at) for name, at in change.applied.items()}
    if change.settled_at is not None:
        return noted
    new = {str(each.pk): each.applied_at for each in instances if each.applied_at and _has_applied(each, change)}
    return new | noted


def _has_applied(instance: ClientInstance, change: SwitchChange) -> bool:
    """By epoch; of what restricts the instance as a whole it must also say that it obeys something as strict."""
    if instance.applied_epoch < change.epoch:
        return False
    node = change.switch.node
    concerns_part = node.capability or node.model_version not in ("", instance.model_version)
    return bool(concerns_part) or instance.obeys(Mode(change.to_mode))


def watch_changes() -> int:
    """Move open changes on: seal what was confirmed; after a minute seal and tell what was not. Returns how many."""
    # the newest first: those that nobody will confirm any more must not keep a new stop from being watched
    found = SwitchChange.objects.filter(settled_at=None).select_related("switch").order_by("-id")[:AT_ONCE]
    return each_by_itself("switch-change", _watch_one, list(found))


def _watch_one(change: SwitchChange) -> bool:
    found = confirmation_of(change)
    try:
        _watch(found)
    except CANNOT_SEAL_NOW:
        if not _is_old(change):
            raise
        log.error("control.confirmation_never_sealed", change_id=str(change.pk))
        _settle(found, Status.PARTIAL if found.applied else Status.UNCONFIRMED)  # confirmed is what an entry says
    return True


def _is_old(change: SwitchChange) -> bool:
    return timezone.now() - change.requested_at > WATCHED


def _watch(found: Confirmation) -> None:
    change, status = found.change, found.status
    if status in (Status.PARTIAL, Status.UNCONFIRMED) and _is_replaced(change):
        _settle(found, status)
    elif status == Status.CONFIRMED:
        now = timezone.now()
        _seal(found, SWITCH_CONFIRMED, status, now, settled_at=now, confirmed_at=max(found.applied.values()))
    elif status in (Status.PARTIAL, Status.UNCONFIRMED):
        if change.reported_at is None:
            _alert(found)  # before the entry: a log in trouble must not silence it
            now = timezone.now()
            _seal(found, SWITCH_UNCONFIRMED, status, now, reported_at=now)
        elif _is_old(change):
            _settle(found, status)
        else:
            _note(found, status)
    else:
        _note(found, status)


def _is_replaced(change: SwitchChange) -> bool:
    return change.switch.epoch != change.epoch


def _note(found: Confirmation, status: SwitchChange.Status, **values: Any) -> None:
    values |= {"status": status, "confirmed_count": len(found.applied), "applied": _applied_in_row(found)}
    SwitchChange.objects.filter(pk=found.change.pk, settled_at=None).update(**values)


def _applied_in_row(found: Confirmation) -> dict[str, str]:
    return {name: at.isoformat() for name, at in found.applied.items()}


def _settle(found: Confirmation, status: SwitchChange.Status, **values: Any) -> None:
    _note(found, status, settled_at=timezone.now(), **values)


def _seal(found: Confirmation, kind: Kind, status: SwitchChange.Status, at: datetime, **noted: datetime) -> None:
    """Row and entry together: `verify_logs` looks for each in the other. Of two sweeps at once one does it."""
    change = found.change
    draft = draft_entry(kind=kind, actor=SERVER, at=at, body=_said(found), about_id=change.pk)
    with sealing() as seal:
        as_read = SwitchChange.objects.filter(pk=change.pk, settled_at=None, reported_at=change.reported_at)
        if as_read.select_for_update().first() is None:
            return
        _note(found, status, **noted)
        seal.add(log_of(change.switch.system_id), draft)
        announce(event=kind.name, system_id=change.switch.system_id, about_id=change.pk, facts=_counts(found))


def _counts(found: Confirmation) -> dict[str, Any]:
    change = found.change
    return {
        "switch": str(change.switch_id),
        "epoch": str(change.epoch),
        "mode": str(change.to_mode),
        "expected": found.expected,
        "confirmed": len(found.applied),
        "seen": len(found.seen),
        "silent": len(found.silent) + found.gone,
        "ungoverned": len(found.ungoverned),
        "reading": len(found.reading),
    }


def _said(found: Confirmation) -> dict[str, Any]:
    """Counts, when the first and the last of them had applied it, by the server's clock, and the digest of them all."""
    at = sorted(found.applied.values())
    times = {"requested_at": timestamp(found.change.requested_at), "applied": applied_digest(_applied_in_row(found))}
    if at:
        times |= {"first_applied_at": timestamp(at[0]), "last_applied_at": timestamp(at[-1])}
    return _counts(found) | times


def _alert(found: Confirmation) -> None:
    """To the accountable person, once a change. A drill's own measures say so themselves; a loosening harms nobody."""
    change = found.change
    is_loosening = Mode(change.to_mode).severity < Mode(change.from_mode).severity
    if change.drill_id is not None or is_loosening:
        return
    open_alert(
        actor=SERVER,
        kind="switch.unconfirmed",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"switch.unconfirmed:{change.pk}",
        system_id=change.switch.system_id,
        about_id=change.switch_id,
        facts=_counts(found),
        once=True,
    )

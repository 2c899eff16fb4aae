"""Sources: callers' counters. Registered on first use, heard through heartbeats (and followed by `tailing`)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from config.errors import Conflict
from intake.kinds import SOURCE_HEARD, SOURCE_REGISTERED
from intake.models import Source, SourceState
from intake.services.tailing import is_read_up_to
from ledger.entries import SERVER, Actor, draft_entry, timestamp
from ledger.rows import write_row
from ledger.sealing import sealing
from ledger.selectors import registry_log
from notices.models import Alert
from notices.services import open_alert

NEW_SOURCES_A_DAY = 1_000
MAX_REMEMBERED = 50_000
_remembered: dict[tuple[uuid.UUID, str], uuid.UUID] = {}
HEARD_AN_ENTRY = 250
SILENT_FOR_GOOD = timedelta(days=7)


class SourceLimitReached(Conflict):
    code = "source-limit-reached"
    title = "Too many new sources today"
    meaning = (
        "A service account may begin 1,000 sources a day. "
        "Its decisions are still recorded, flagged `unregistered_source`."
    )


def source_id_of(*, actor: Actor, slug: str, system_id: uuid.UUID) -> uuid.UUID:
    """Our id of a service account's counter; the first use registers it. Errors: `SourceLimitReached`."""
    name = (_account_of(actor), slug)
    found = _remembered.get(name)
    if found is None:
        found = register_source(actor=actor, slug=slug, system_id=system_id).pk
        if len(_remembered) >= MAX_REMEMBERED:
            _remembered.clear()
        _remembered[name] = found
    return found


def _account_of(actor: Actor) -> uuid.UUID:
    if actor.id is None:
        raise TypeError("a source belongs to a service account")
    return actor.id


def register_source(*, actor: Actor, slug: str, system_id: uuid.UUID | None) -> Source:
    """The source of that name of a service account, made and sealed where there is none. Errors: `SourceLimitReached`.

    Rights: any service account that was let in may count its own records.
    """
    account_id = _account_of(actor)
    existing = Source.objects.filter(account_id=account_id, slug=slug).first()
    if existing:
        return existing
    registry = registry_log()
    with sealing() as seal:
        # under the registry's lock, so that of two processes the second finds the first one's row
        seal.lock(registry.id)
        existing = Source.objects.filter(account_id=account_id, slug=slug).first()
        if existing:
            return existing
        midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        if Source.objects.filter(account_id=account_id, created_at__gte=midnight).count() >= NEW_SOURCES_A_DAY:
            raise SourceLimitReached()
        source = Source(account_id=account_id, slug=slug, system_id=system_id)
        write_row(seal, actor=actor, kind=SOURCE_REGISTERED, row=source, log_id=registry.id, facts={"source": slug})
        SourceState.objects.create(source=source)
    return source


BELOW_KNOWN = "heartbeat_below_known"


def hear(*, actor: Actor, slug: str, last_seq: int) -> tuple[SourceState, list[str]]:
    """A heartbeat: the source lives and has given out numbers up to this one. Sealed with the hour's others.

    The first one says where a source starts that has sent nothing yet. Returns the state and warnings: a number below
    one that is known already is taken as a sign of life and changes nothing. Errors: `SourceLimitReached`.
    """
    source = register_source(actor=actor, slug=slug, system_id=None)
    with transaction.atomic():
        # `tailing` writes whole states: it must not put back what stood here before
        state = SourceState.objects.select_for_update(of=("self",)).select_related("source").get(pk=source.pk)
        known = [number for number in (state.last_seq, state.heartbeat_seq) if number is not None]
        if not known:
            state.starts_at = last_seq + 1
        state.heartbeat_seq = max(last_seq, state.heartbeat_seq or 0)
        state.last_heartbeat_at = timezone.now()
        state.save(update_fields=["starts_at", "heartbeat_seq", "last_heartbeat_at"])
    return state, [BELOW_KNOWN] if last_seq < max(known, default=0) else []


@dataclass(frozen=True, slots=True)
class Missing:
    """What has not arrived. `gaps` are ranges, both ends included; `count` is None while entries are still unread."""

    gaps: list[tuple[int, int]]
    count: int | None


def missing_of(state: SourceState) -> Missing:
    """The missing numbers of a source, those included that only its heartbeats tell of."""
    gaps = [(first, end) for first, end in state.gaps]
    if state.last_seq is None and state.heartbeat_seq is None:
        return Missing(gaps, None)
    first, end = _after_last(state), state.heartbeat_seq or 0
    if first > end:
        return Missing(gaps, state.gap_count)
    if state.last_heartbeat_at is None or not is_read_up_to(state.last_heartbeat_at):
        return Missing(gaps, None)
    return Missing([*gaps, (first, end)], state.gap_count + end - first + 1)


def _after_last(state: SourceState) -> int:
    """The number that the next decision of this source should carry, as far as the entries say."""
    if state.last_seq is not None:
        return state.last_seq + 1
    return 0 if state.starts_at is None else state.starts_at


def seal_heartbeats() -> int:
    """Seal which sources were heard since they were sealed last; returns how many."""
    registry, now = registry_log(), timezone.now()
    with sealing() as seal:
        heard = list(
            SourceState.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(Q(heartbeat_sealed_at=None) | Q(last_heartbeat_at__gt=F("heartbeat_sealed_at")))
            .filter(last_heartbeat_at__isnull=False)
            .order_by("pk")
        )
        for start in range(0, len(heard), HEARD_AN_ENTRY):
            body = {"sources": [_heard(state) for state in heard[start : start + HEARD_AN_ENTRY]]}
            seal.add(registry.id, draft_entry(kind=SOURCE_HEARD, actor=SERVER, at=now, body=body))
        SourceState.objects.filter(pk__in=[state.pk for state in heard]).update(heartbeat_sealed_at=now)
    return len(heard)


def _heard(state: SourceState) -> dict[str, object]:
    at = timestamp(state.last_heartbeat_at) if state.last_heartbeat_at else None
    return {"source": str(state.pk), "last_seq": state.heartbeat_seq, "at": at}


def alert_silence() -> int:
    """Open an alert for each source that sent heartbeats and fell silent; returns how many are silent.

    One that has been silent for a week is taken to have ended.
    """
    silent = [state for state in _lately_silent(timezone.now()) if _is_silent(state, timezone.now())]
    for state in silent:
        open_alert(
            actor=SERVER,
            kind="source.silent",
            severity=Alert.Severity.WARNING,
            fingerprint=f"source.silent:{state.pk}:{_last_heard(state).date()}",
            system_id=state.source.system_id,
            about_id=state.pk,
            facts={"source": str(state.pk), "last_heard_at": timestamp(_last_heard(state))},
        )
    return len(silent)


def _lately_silent(now: datetime) -> Sequence[SourceState]:
    heartbeats: QuerySet[SourceState] = SourceState.objects.filter(
        last_heartbeat_at__gt=now - SILENT_FOR_GOOD, last_heartbeat_at__lt=now - timedelta(seconds=60)
    )
    return list(heartbeats.select_related("source").order_by("pk"))


def _is_silent(state: SourceState, now: datetime) -> bool:
    patience = state.expected_every_s or settings.SOURCE_SILENCE_SECONDS
    return now - _last_heard(state) > timedelta(seconds=patience)


def _last_heard(state: SourceState) -> datetime:
    heard = [moment for moment in (state.last_heartbeat_at, state.last_seen_at) if moment is not None]
    return max(heard)

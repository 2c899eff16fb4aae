"""Sources: callers' counters. Registered on first use, heard through heartbeats (and followed by `tailing`)."""

import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from config.errors import Conflict, FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.scopes import ORGANISATION, Scope
from intake.errors import SourceNotFound
from intake.kinds import SOURCE_ENDED, SOURCE_EXPECTED, SOURCE_HEARD, SOURCE_PLACED, SOURCE_REGISTERED
from intake.models import Source, SourceState
from intake.selectors import last_heard, silent_sources
from intake.services.tailing import is_read_up_to
from ledger.entries import SERVER, Actor, draft_entry, timestamp
from ledger.kinds import Kind
from ledger.rows import write_row
from ledger.sealing import Seal, sealing
from ledger.selectors import registry_log
from notices.models import Alert
from notices.services import open_alert

NEW_SOURCES_A_DAY = 1_000
MAX_REMEMBERED = 50_000
_remembered: dict[tuple[uuid.UUID, str], uuid.UUID] = {}
HEARD_AN_ENTRY = 250
SHORTEST_SILENCE = 60
LONGEST_SILENCE = 366 * 24 * 3600


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
    """Open an alert for each source that fell silent, one a silence; returns how many are silent."""
    silent = list(silent_sources())
    for state in silent:
        open_alert(
            actor=SERVER,
            kind="source.silent",
            severity=Alert.Severity.WARNING,
            fingerprint=f"source.silent:{state.pk}:{timestamp(last_heard(state))}",
            system_id=state.source.system_id,
            about_id=state.pk,
            facts={"source": str(state.pk), "last_heard_at": timestamp(last_heard(state))},
            once=True,
        )
    return len(silent)


def place_sources() -> int:
    """Give the sources that began with a heartbeat the AI system of their first decision. Returns how many."""
    waiting = SourceState.objects.filter(system_id__isnull=False, source__system_id=None).order_by("pk")
    return sum(_place(state.pk, state.system_id) for state in list(waiting) if state.system_id)


def _place(source_id: uuid.UUID, system_id: uuid.UUID) -> bool:
    with sealing() as seal:
        source = _locked(source_id)
        if source.system_id is not None:
            return False
        source.system_id = system_id
        _write(seal, SERVER, SOURCE_PLACED, source, {"system": str(system_id)})
    return True


def expect_source(*, actor: Actor, source_id: uuid.UUID, every_s: int | None, reason: str = "") -> Source:
    """Say how long a source may be silent before that alerts; None: as long as any other.

    Errors: `SourceNotFound`, `Forbidden`, `InvalidInput`.
    """
    if every_s is not None and not SHORTEST_SILENCE <= every_s <= LONGEST_SILENCE:
        detail = f"It must be between {SHORTEST_SILENCE} seconds and {LONGEST_SILENCE}, a year."
        raise InvalidInput(errors=[FieldProblem(pointer="/every_s", detail=detail)])
    with sealing() as seal:
        source = _locked(source_id)
        rights.require(actor, Act.SYSTEM_EDIT, scope_of(source))
        source.expected_every_s = every_s
        _write(seal, actor, SOURCE_EXPECTED, source, {"every_s": every_s}, reason)
    return source


def end_source(*, actor: Actor, source_id: uuid.UUID, reason: str = "") -> Source:
    """Say that a source has ended: its silence says nothing any more. Heard again, it is watched again.

    Errors: `SourceNotFound`, `Forbidden`.
    """
    with sealing() as seal:
        source = _locked(source_id)
        rights.require(actor, Act.SYSTEM_EDIT, scope_of(source))
        source.ended_at = timezone.now()
        _write(seal, actor, SOURCE_ENDED, source, {}, reason)
    return source


def scope_of(source: Source) -> Scope:
    """Whose a source is: its AI system's, or, while it has none, the organisation's."""
    return Scope.system(source.system_id) if source.system_id else ORGANISATION


def _locked(source_id: uuid.UUID) -> Source:
    source = Source.objects.select_for_update(no_key=True).filter(pk=source_id).first()
    if source is None:
        raise SourceNotFound()
    return source


def _write(
    seal: Seal, actor: Actor, kind: Kind, source: Source, facts: dict[str, str | int | None], reason: str = ""
) -> None:
    said = {"source": source.slug, **facts}
    write_row(seal, actor=actor, kind=kind, row=source, log_id=registry_log().id, facts=said, reason=reason.strip())

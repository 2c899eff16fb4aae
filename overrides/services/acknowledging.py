"""What clients say about the state they obey. One statement for a request, however many it brings."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from config.ids import new_id
from governance.register import KeyGrant
from ledger.entries import Actor, draft_entry
from ledger.sealing import sealing
from overrides.clock import current_epoch, hold_clock
from overrides.errors import ImplausibleEpoch
from overrides.kinds import BREAK_GLASS_REPORTED
from overrides.models import ClientInstance
from overrides.services.changing import log_of
from overrides.services.recovery import (
    ACKNOWLEDGEMENT,
    recover_control,
    recoveries_by,
    reinstate_forgotten,
    state_from_client,
    was_forgotten,
)
from overrides.services.sweeping import each_by_itself
from overrides.standing import BEGINNING, Epoch, Mode, SwitchState

GENERATIONS_AHEAD = 100
"""More lost databases than this nobody has had: whoever says so is mistaken, or wants to use the numbers up."""
RECOVERIES_A_DAY = 5
"""By one service account. A database that is really lost has lost the count of them as well."""
KEPT = timedelta(days=7)
AT_ONCE = 500
LearnedBy = ClientInstance.LearnedBy

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What one instance says of one AI system. Its own times are not asked: the server's clock counts."""

    instance: str
    system_id: uuid.UUID
    client: str = ""
    model_version: str = ""
    epoch: Epoch | None = None
    has_applied: bool = False
    applied_mode: Mode | None = None
    applied_by: str = ""
    file_mode: str = ""
    in_flight: int | None = None
    has_drained: bool = False

    @property
    def applied_epoch(self) -> Epoch:
        return self.epoch if self.epoch is not None and self.has_applied else BEGINNING


def record_acks(*, grant: KeyGrant, acks: Sequence[Ack]) -> Epoch:
    """Write down what instances obey; returns the epoch that holds now.

    An epoch above ours is one that a lost database gave out: the server jumps above it, and takes over what the client
    obeys where that is stricter. Errors: `KeyOutOfScope`, `ImplausibleEpoch`.
    """
    grant.require("control:read")
    own = _catch_up(grant, acks)
    _write(grant, acks, LearnedBy.ACK)
    return own


def note_seen(*, grant: KeyGrant, instance: str, epoch: Epoch) -> None:
    """A client without acknowledgements asked with the state it holds: it has seen that, and nothing more is known."""
    acks = [Ack(instance=instance, system_id=system_id, epoch=epoch) for system_id in sorted(grant.system_ids)]
    _write(grant, acks, LearnedBy.OFREP_ETAG)


def _catch_up(grant: KeyGrant, acks: Iterable[Ack]) -> Epoch:
    own = current_epoch()
    held = [(ack.epoch, ack) for ack in acks if ack.epoch is not None]
    ahead = [ack for epoch, ack in held if epoch > own]
    behind = [ack for epoch, ack in held if epoch.generation < own.generation and _obeys(ack) is not Mode.RUN]
    if not ahead and not behind:
        return own
    if ahead:
        _recover(grant, ahead, own)
    forgotten = [each for ack in behind if ack.epoch and was_forgotten(ack.epoch) for each in _states(grant, ack)]
    if forgotten:
        reinstate_forgotten(forgotten)
    return current_epoch()


def _recover(grant: KeyGrant, ahead: Sequence[Ack], own: Epoch) -> None:
    highest = max(ahead, key=lambda ack: ack.epoch or own)
    above = highest.epoch or own
    with transaction.atomic():
        hold_clock()
        if current_epoch() >= above:
            return
        _require_plausible(grant, above, current_epoch())
        recover_control(
            cause=ACKNOWLEDGEMENT,
            above=above,
            known=[each for ack in ahead for each in _states(grant, ack)],
            system_id=highest.system_id,
            account_id=grant.account_id,
        )


def _require_plausible(grant: KeyGrant, above: Epoch, own: Epoch) -> None:
    """Under the clock, so that many at once are counted one after the other."""
    if above.generation > own.generation + GENERATIONS_AHEAD or recoveries_by(grant.account_id) >= RECOVERIES_A_DAY:
        log.warning("control.epoch_refused", account_id=str(grant.account_id), epoch=str(above), own=str(own))
        raise ImplausibleEpoch()


def _obeys(ack: Ack) -> Mode:
    """What a file on the client's own disk says, or its fail policy, is that client's affair."""
    return ack.applied_mode if ack.applied_by == "server" and ack.applied_mode else Mode.RUN


def _states(grant: KeyGrant, ack: Ack) -> list[SwitchState]:
    assert ack.epoch is not None
    return state_from_client(ack.system_id, grant.environment, ack.model_version, _obeys(ack), ack.epoch)


# Of an instance the row says: what it saw and applied last, and when the server first heard so. An answer that was
# overtaken on its way changes nothing but that it was heard.
WRITE = """
INSERT INTO overrides_clientinstance AS c (id, system_id, environment, account_id, key_id, instance, client,
    model_version, learned_by, first_heard_at, heard_at, seen_generation, seen_number, seen_at, applied_generation,
    applied_number, applied_at, applied_mode, applied_by, file_mode, sealed_file_mode, in_flight, drained_at)
SELECT a.id, a.system_id, %(environment)s, %(account)s, %(key)s, a.instance, a.client, a.model_version,
    %(learned_by)s, statement_timestamp(), statement_timestamp(), a.seen_generation, a.seen_number,
    CASE WHEN a.seen_generation > 0 THEN statement_timestamp() END, a.applied_generation, a.applied_number,
    CASE WHEN a.applied_generation > 0 THEN statement_timestamp() END, a.applied_mode, a.applied_by, a.file_mode, '',
    a.in_flight, CASE WHEN a.drained THEN statement_timestamp() END
FROM unnest(%(ids)s::uuid[], %(systems)s::uuid[], %(instances)s::text[], %(clients)s::text[], %(versions)s::text[],
    %(seen_generations)s::bigint[], %(seen_numbers)s::bigint[], %(applied_generations)s::bigint[],
    %(applied_numbers)s::bigint[], %(modes)s::text[], %(bys)s::text[], %(files)s::text[], %(in_flights)s::int[],
    %(drained)s::boolean[])
    AS a(id, system_id, instance, client, model_version, seen_generation, seen_number, applied_generation,
        applied_number, applied_mode, applied_by, file_mode, in_flight, drained)
ON CONFLICT (system_id, environment, account_id, instance) DO UPDATE SET
    key_id = excluded.key_id,
    client = coalesce(nullif(excluded.client, ''), c.client),
    model_version = coalesce(nullif(excluded.model_version, ''), c.model_version),
    learned_by = CASE WHEN c.learned_by = 'ack' THEN c.learned_by ELSE excluded.learned_by END,
    heard_at = excluded.heard_at,
    seen_at = CASE WHEN (excluded.seen_generation, excluded.seen_number) > (c.seen_generation, c.seen_number)
        THEN excluded.heard_at ELSE c.seen_at END,
    seen_generation = CASE WHEN (excluded.seen_generation, excluded.seen_number)
        > (c.seen_generation, c.seen_number) THEN excluded.seen_generation ELSE c.seen_generation END,
    seen_number = CASE WHEN (excluded.seen_generation, excluded.seen_number)
        > (c.seen_generation, c.seen_number) THEN excluded.seen_number ELSE c.seen_number END,
    applied_at = CASE WHEN (excluded.applied_generation, excluded.applied_number)
        > (c.applied_generation, c.applied_number) THEN excluded.heard_at ELSE c.applied_at END,
    applied_generation = CASE WHEN (excluded.applied_generation, excluded.applied_number)
        > (c.applied_generation, c.applied_number) THEN excluded.applied_generation ELSE c.applied_generation END,
    applied_number = CASE WHEN (excluded.applied_generation, excluded.applied_number)
        > (c.applied_generation, c.applied_number) THEN excluded.applied_number ELSE c.applied_number END,
    applied_mode = CASE WHEN (excluded.applied_generation, excluded.applied_number)
        >= (c.applied_generation, c.applied_number) THEN excluded.applied_mode ELSE c.applied_mode END,
    applied_by = CASE WHEN (excluded.applied_generation, excluded.applied_number)
        >= (c.applied_generation, c.applied_number) THEN excluded.applied_by ELSE c.applied_by END,
    file_mode = CASE WHEN %(learned_by)s = 'ack' THEN excluded.file_mode ELSE c.file_mode END,
    in_flight = coalesce(excluded.in_flight, c.in_flight),
    drained_at = CASE WHEN (excluded.applied_generation, excluded.applied_number)
        > (c.applied_generation, c.applied_number) THEN excluded.drained_at
        ELSE coalesce(c.drained_at, excluded.drained_at) END
"""


def _write(grant: KeyGrant, acks: Sequence[Ack], learned_by: ClientInstance.LearnedBy) -> None:
    """One row an instance and AI system, in one order for all, so that two requests cannot wait for each other."""
    newest: dict[tuple[uuid.UUID, str], Ack] = {}
    for ack in sorted(acks, key=lambda ack: ack.epoch or BEGINNING):
        newest[ack.system_id, ack.instance] = ack
    found = [newest[place] for place in sorted(newest)]
    seen = [ack.epoch or BEGINNING for ack in found]
    applied = [ack.applied_epoch for ack in found]
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE,
            {
                "environment": grant.environment,
                "account": grant.account_id,
                "key": grant.key.id,
                "learned_by": learned_by.value,
                "ids": [new_id() for _ in found],
                "systems": [ack.system_id for ack in found],
                "instances": [ack.instance for ack in found],
                "clients": [ack.client for ack in found],
                "versions": [ack.model_version for ack in found],
                "seen_generations": [each.generation for each in seen],
                "seen_numbers": [each.number for each in seen],
                "applied_generations": [each.generation for each in applied],
                "applied_numbers": [each.number for each in applied],
                "modes": [str(ack.applied_mode or "") for ack in found],
                "bys": [ack.applied_by for ack in found],
                "files": [ack.file_mode for ack in found],
                "in_flights": [ack.in_flight for ack in found],
                "drained": [ack.has_drained for ack in found],
            },
        )


def seal_break_glass() -> int:
    """Seal that clients obey a file of their own, or no longer do. Returns how many."""
    differing = list(ClientInstance.objects.exclude(file_mode=F("sealed_file_mode")).order_by("id")[:AT_ONCE])
    return each_by_itself("break-glass", _seal_file_of, [instance.pk for instance in differing])


def _seal_file_of(instance_id: uuid.UUID) -> bool:
    with sealing() as seal:
        instance = ClientInstance.objects.select_for_update().get(pk=instance_id)
        body = {"instance": instance.instance, "environment": instance.environment}
        body |= {"mode": instance.file_mode} if instance.file_mode else {}
        draft = draft_entry(
            kind=BREAK_GLASS_REPORTED,
            actor=Actor("service", instance.account_id),
            at=timezone.now(),
            body=body | {"system": str(instance.system_id)},
        )
        seal.add(log_of(instance.system_id), draft)
        ClientInstance.objects.filter(pk=instance_id).update(sealed_file_mode=instance.file_mode)
    return True


def forget_instances() -> int:
    """Delete instances that were not heard of for a week; their confirmations are sealed."""
    deleted, _ = ClientInstance.objects.filter(heard_at__lt=timezone.now() - KEPT).delete()
    return deleted

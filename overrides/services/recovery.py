"""After a lost or restored database: epochs jump ahead of everything that was given out, the strictest mode counts.

Somebody knows a higher epoch than the database: a file on this host, a memory that outlived the restore, or a client.
Without the jump the next stop would carry an epoch that clients have long passed, and they would not obey it.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from ledger.entries import SERVER, draft_entry, timestamp
from ledger.sealing import sealing
from ledger.selectors import registry_log
from notices.models import Alert
from notices.services import open_alert
from overrides import known_here
from overrides.clock import advance_epoch, current_epoch, hold_clock, jump_generation
from overrides.kinds import CONTROL_RECOVERED, SWITCH_REINSTATED
from overrides.models import ControlRecovery, Switch
from overrides.services.changing import RECOVERY, Setting, new_switch, put, switch_at
from overrides.services.sweeping import each_by_itself
from overrides.standing import Control, Epoch, InFlight, Mode, Node, SwitchState, lapsed_state

log = structlog.get_logger(__name__)
REINSTATED, KNOWN_TO_CLIENT = "known-here", "known-to-client"
ACKNOWLEDGEMENT = "acknowledgement"
DAY = timedelta(days=1)
REMEMBERED = timedelta(hours=1)
"""Within which a client that was silent may still say what a lost database had told it."""


def recover_if_restored(memory: Control | None = None) -> ControlRecovery | None:
    """Compare the database with what this host knows, and recover where it is behind. None where it is not.

    The file first: what it says was committed before, so a database that is read later and says less was turned back.
    """
    known = known_here.read()
    found = current_epoch()
    if found < known.epoch:
        return recover_control(cause="host-file", above=known.epoch, known=[each.state() for each in known.switches])
    if memory is not None and found < memory.epoch:
        return recover_control(cause="memory", above=memory.epoch, known=_all_of(memory))
    return None


def recover_control(
    *,
    cause: str,
    above: Epoch,
    known: Iterable[SwitchState],
    system_id: uuid.UUID | None = None,
    account_id: uuid.UUID | None = None,
) -> ControlRecovery | None:
    """Jump above an epoch that the database does not know, and set what was known to be stricter again.

    None where the database has caught up meanwhile: of two processes the second finds it done. Nothing waits for a
    log: after a restore the logs are likely to take no entry, so the sweep seals the switches and the recovery itself.
    """
    with transaction.atomic():
        hold_clock()
        found = current_epoch()
        if found >= above:
            return None
        epoch = jump_generation(above)
        reinstated = [each for each in known if _reinstate(each, epoch)]
        recovery = ControlRecovery.objects.create(
            cause=cause,
            found_generation=found.generation,
            found_number=found.number,
            known_generation=above.generation,
            known_number=above.number,
            generation=epoch.generation,
            number=epoch.number,
            reinstated=len(reinstated),
            system_id=system_id,
            account_id=account_id,
            recovered_at=timezone.now(),
        )
        transaction.on_commit(known_here.remember_control, robust=True)
    log.error("control.recovered", cause=cause, known=str(above), epoch=str(epoch), reinstated=len(reinstated))
    return recovery


def recoveries_by(account_id: uuid.UUID, until: datetime | None = None) -> int:
    """How often the word of this service account's clients made the epochs jump, within a day."""
    until = until or timezone.now()
    found = ControlRecovery.objects.filter(cause=ACKNOWLEDGEMENT, account_id=account_id)
    return found.filter(recovered_at__gt=until - DAY, recovered_at__lte=until).count()


def was_forgotten(epoch: Epoch) -> bool:
    """Whether an epoch was given out by a database that was lost within the last hour, and is not known to this one."""
    recent = ControlRecovery.objects.filter(recovered_at__gte=timezone.now() - REMEMBERED)
    return any(
        Epoch(each.found_generation, each.found_number) < epoch < Epoch(each.generation, each.number) for each in recent
    )


def reinstate_forgotten(known: Sequence[SwitchState]) -> int:
    """Take over what clients still obey from before a recovery, where it is stricter. Returns how many switches."""
    with transaction.atomic():
        hold_clock()
        lost = [each for each in known if _is_weaker(switch_at(each.node), each)]
        if not lost:
            return 0
        epoch = advance_epoch(surely=True)
        return sum(_reinstate(each, epoch) for each in lost)


def _is_weaker(switch: Switch | None, known: SwitchState) -> bool:
    return switch is None or Mode(switch.mode).severity < known.mode.severity


def _reinstate(known: SwitchState, epoch: Epoch) -> bool:
    """Set a switch to what was known of it, where the database says less. What was to end by itself still does."""
    known = lapsed_state(known, timezone.now())
    switch = switch_at(known.node) or new_switch(known.node)
    if Mode(switch.mode).severity >= known.mode.severity:
        return False
    setting = Setting(
        mode=known.mode,
        reason_code=known.reason_code or REINSTATED,
        in_flight=known.in_flight,
        expires_at=known.expires_at,
    )
    put(None, actor=SERVER, kind=SWITCH_REINSTATED, switch=switch, setting=setting, epoch=epoch, source=RECOVERY)
    return True


def state_from_client(
    system_id: uuid.UUID, environment: str, model_version: str, mode: Mode, epoch: Epoch
) -> list[SwitchState]:
    """What a client obeys, as a switch of its AI system where it runs; nothing where it says run."""
    if mode is Mode.RUN:
        return []
    node = Node(system_id=system_id, environment=environment, model_version=model_version)
    return [
        SwitchState(
            id=uuid.UUID(int=0),
            node=node,
            mode=mode,
            epoch=epoch,
            reason_code=KNOWN_TO_CLIENT,
            in_flight=InFlight.HOLD,
            changed_at=timezone.now(),
        )
    ]


def _all_of(control: Control) -> Sequence[SwitchState]:
    return [*control.everywhere, *(each for found in control.by_system.values() for each in found)]


def seal_recoveries() -> int:
    """Seal and alert what was recovered. Returns how many were sealed."""
    waiting = list(ControlRecovery.objects.filter(entry_id=None).order_by("id")[:100])
    return each_by_itself("recovery", _seal, waiting)


def _seal(recovery: ControlRecovery) -> bool:
    _alert(recovery)  # before the entry: after a restore the log may take none for days
    with sealing() as seal:
        locked = ControlRecovery.objects.select_for_update().get(pk=recovery.pk)
        if locked.entry_id is not None:
            return False
        said = said_of_recovery(locked)
        draft = draft_entry(kind=CONTROL_RECOVERED, actor=SERVER, at=timezone.now(), body=said, about_id=locked.pk)
        seal.add(registry_log().id, draft)
        locked.entry_id = draft.id
        locked.save(update_fields=["entry_id"])
    return True


def said_of_recovery(recovery: ControlRecovery) -> dict[str, object]:
    """What the entry and the alert say of a recovery: all that is in its row."""
    said: dict[str, object] = {
        "cause": recovery.cause,
        "found": f"{recovery.found_generation}.{recovery.found_number}",
        "known": f"{recovery.known_generation}.{recovery.known_number}",
        "epoch": f"{recovery.generation}.{recovery.number}",
        "reinstated": recovery.reinstated,
        "recovered_at": timestamp(recovery.recovered_at),
    }
    named = {"system": recovery.system_id, "account": recovery.account_id}
    return said | {name: str(value) for name, value in named.items() if value}


def _alert(recovery: ControlRecovery) -> None:
    """One each; of what one service account's clients say, one a day, which counts."""
    by, at, told = recovery.account_id, recovery.recovered_at, f"control.recovered:{recovery.pk}"
    if by is not None:
        told = f"control.recovered:{by}:{at:%Y-%m-%d}"
    open_alert(
        actor=SERVER,
        kind="control.recovered",
        severity=Alert.Severity.CRITICAL,
        fingerprint=told,
        about_id=recovery.pk,
        facts=said_of_recovery(recovery),
        occurrences=recoveries_by(by, at) if by is not None else None,
        once=by is None or Alert.objects.filter(fingerprint=told, status=Alert.Status.CLOSED).exists(),
    )

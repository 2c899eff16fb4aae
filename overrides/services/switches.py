"""Tightening a switch: one person, at once, whatever else is broken."""

import uuid
from dataclasses import dataclass, replace

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from config.errors import FieldProblem, Forbidden, InvalidInput, name_of
from governance import rights
from governance.acts import Act
from governance.models.systems import clear
from ledger.entries import SERVER, Actor
from ledger.sealing import Seal, sealing
from overrides.clock import advance_epoch, be_brief, hold_clock
from overrides.models import LooseningRequest, Switch, SwitchChange
from overrides.services.changing import (
    LAPSE,
    Setting,
    kind_of,
    new_switch,
    put,
    require_alternative,
    require_place,
    scope_of,
    seal_late,
    switch_at,
)
from overrides.services.loosening import void_requests
from overrides.services.recovery import recover_if_restored
from overrides.services.sweeping import each_by_itself
from overrides.standing import LAPSED, Epoch, InFlight, Mode, Node

WAITING_AT_ONCE = 500

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tightened:
    """A switch that is at least as restrictive as was asked, and the change that made it so."""

    switch: Switch
    change: SwitchChange
    is_new: bool

    @property
    def epoch(self) -> Epoch:
        return self.switch.epoch

    @property
    def is_sealed(self) -> bool:
        return not self.switch.seal_pending


def tighten(
    *,
    actor: Actor,
    node: Node,
    mode: Mode,
    reason_code: str,
    in_flight: InFlight = InFlight.HOLD,
    note: str = "",
    source: str,
    drill_id: uuid.UUID | None = None,
) -> Tightened:
    """Set a switch to a more restrictive mode. One person is enough; what is as restrictive already stays as it is.

    `note`: free text, erasable. `drill_id`: the drill that throws it; a real stop takes a drill's place. Open requests
    to loosen this switch become void. Where its log takes no entry within a second (busy, broken, no signing key, no
    head store) the switch is set all the same, `seal_pending`, and sealed by the sweep. Errors: `Forbidden`,
    `SystemNotFound`, `InvalidInput`, `FallbackMissing`; those of the database.
    """
    _require(actor, node)
    require_place(node)
    require_alternative(node, mode)
    _require_code(reason_code)
    _recover_first()
    setting = Setting(mode=mode, reason_code=reason_code, in_flight=in_flight, note=note, drill_id=drill_id)
    return tighten_surely(actor, node, setting, source)


def _require(actor: Actor, node: Node) -> None:
    # a key names the AI systems it reaches: none reaches all
    if actor.type == "service" and node.system_id is None:
        raise Forbidden()
    rights.require(actor, Act.SWITCH_TIGHTEN, scope_of(node))


def _require_code(reason_code: str) -> None:
    try:
        clear(reason_code)
    except ValidationError as error:
        problem = FieldProblem(
            pointer="/reason_code", detail="A code, without spaces; words go into the note.", expected="harm-reported"
        )
        raise InvalidInput(errors=[problem]) from error


def _recover_first() -> None:
    """A stop after a restore must carry an epoch that clients obey. One that cannot be made sure of is thrown still."""
    try:
        recover_if_restored()
    except Exception:
        logger.exception("overrides.recovery_failed")


def tighten_surely(actor: Actor, node: Node, setting: Setting, source: str) -> Tightened:
    """Sealed where that can be done at once, else unsealed. For services that asked for the right."""
    try:
        with sealing() as seal:
            return _tighten(seal, actor, node, setting, source)
    except Exception as error:
        # whatever keeps the log from taking the entry must not keep the switch from being thrown
        logger.exception("overrides.switch_not_sealed", error=name_of(error))
    with transaction.atomic():
        return _tighten(None, actor, node, setting, source)


def _tighten(seal: Seal | None, actor: Actor, node: Node, setting: Setting, source: str) -> Tightened:
    hold_clock()
    switch = switch_at(node)
    if switch is not None and _is_as_strict(switch, setting) and not _is_contested(switch, setting):
        return Tightened(switch, switch.changes.latest("generation", "number"), is_new=False)
    epoch, switch = advance_epoch(surely=seal is None), switch or new_switch(node)
    if Mode(switch.mode).severity > setting.mode.severity:
        setting = replace(setting, mode=Mode(switch.mode))  # it takes a place, and is no milder than what it finds
    kept = setting if setting.mode is Mode.STOP else _with_end(setting, switch)
    kind = kind_of(setting.mode, source)
    change = put(seal, actor=actor, kind=kind, switch=switch, setting=kept, epoch=epoch, source=source)
    if seal is not None:
        void_requests(seal, switch)
    return Tightened(switch, change, is_new=True)


def _is_as_strict(switch: Switch, setting: Setting) -> bool:
    """What is in earnest takes the place of a drill's, though it is no stricter: else the drill's end would undo it."""
    takes_over = switch.drill_id is not None and setting.drill_id is None
    return Mode(switch.mode).severity >= setting.mode.severity and not takes_over


def _is_contested(switch: Switch, setting: Setting) -> bool:
    """Whether somebody asks for less than is set now: whoever sets it has not agreed. A trip beats a clear, also one
    to a milder mode than still holds: else the clear would take away what the trip asked for."""
    if setting.drill_id is not None:
        return False
    asked = LooseningRequest.objects.filter(switch=switch, status=LooseningRequest.Status.OPEN)
    return any(Mode(mode).severity < setting.mode.severity for mode in asked.values_list("mode", flat=True))


def _with_end(setting: Setting, switch: Switch) -> Setting:
    """An emergency clear that somebody tightens a little still ends."""
    return Setting(
        mode=setting.mode,
        reason_code=setting.reason_code,
        in_flight=setting.in_flight,
        note=setting.note,
        drill_id=setting.drill_id,
        expires_at=switch.expires_at,
    )


def seal_waiting_switches() -> int:
    """Seal the switches that were set while their log took no entry. Returns how many could be sealed."""
    waiting = Switch.objects.filter(seal_pending=True).order_by("id").values_list("id", flat=True)
    return each_by_itself("switch", _seal_waiting, list(waiting[:WAITING_AT_ONCE]))


def _seal_waiting(switch_id: uuid.UUID) -> bool:
    with sealing() as seal:
        be_brief()
        return seal_late(seal, Switch.objects.select_for_update(no_key=True).get(pk=switch_id))


def lapse_emergency_clears() -> int:
    """Set switches back to stop whose emergency clear is over; memories do so by themselves. Returns how many."""
    over = list(Switch.objects.filter(expires_at__lte=timezone.now()).order_by("expires_at", "id")[:WAITING_AT_ONCE])
    return each_by_itself("emergency-clear", _lapse, over)


def _lapse(switch: Switch) -> bool:
    setting = Setting(mode=Mode.STOP, reason_code=LAPSED, in_flight=InFlight(switch.in_flight))
    return tighten_surely(SERVER, switch.node, setting, LAPSE).is_new

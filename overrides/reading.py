"""Reading all controls from the database, for memory and for the file beside it."""

import uuid
from collections import defaultdict

from overrides.clock import current_epoch
from overrides.models import Switch
from overrides.parameters import read_parameters
from overrides.standing import Control, InFlight, Mode, SwitchState


def read_control() -> Control:
    """Every switch that says more than run, and every parameter, at the epoch that the database holds."""
    return Control(current_epoch(), *read_switches(), read_parameters())


def read_switches() -> tuple[tuple[SwitchState, ...], dict[uuid.UUID, tuple[SwitchState, ...]]]:
    """Switches of the whole installation, and those of AI systems; the oldest change first."""
    by_system: dict[uuid.UUID | None, list[SwitchState]] = defaultdict(list)
    for switch in Switch.objects.exclude(mode=Mode.RUN).order_by("generation", "number"):
        by_system[switch.system_id].append(state_of(switch))
    everywhere = tuple(by_system.pop(None, ()))
    return everywhere, {system_id: tuple(found) for system_id, found in by_system.items() if system_id}


def state_of(switch: Switch) -> SwitchState:
    """A row as memory holds it."""
    return SwitchState(
        id=switch.pk,
        node=switch.node,
        mode=Mode(switch.mode),
        epoch=switch.epoch,
        reason_code=switch.reason_code,
        in_flight=InFlight(switch.in_flight),
        changed_at=switch.changed_at,
        drill_id=switch.drill_id,
        expires_at=switch.expires_at,
    )

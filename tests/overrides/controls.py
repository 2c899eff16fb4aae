"""Controls made by hand, for what only reads them."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from governance.memory import current
from governance.register import KeyGrant
from overrides.clients.reach import Sight, reach_of
from overrides.memory import Controls
from overrides.standing import Control, Epoch, InFlight, Mode, Node, ParameterState, SwitchState
from tests.factories.register import make_key

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EPOCH = Epoch(1, 42)
_numbers = itertools.count(1)


def switch(mode: Mode = Mode.STOP, **rest: Any) -> SwitchState:
    """A switch; members of its node may be named directly."""
    places = {name: rest.pop(name) for name in Node.__dataclass_fields__ if name in rest}
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "epoch": Epoch(1, next(_numbers)),
        "reason_code": "harm-reported",
        "in_flight": InFlight.HOLD,
        "changed_at": NOW - timedelta(minutes=1),
    }
    return SwitchState(node=Node(**places), mode=mode, **(values | rest))


def parameter(name: str, value: Any, type: str = "number", **rest: Any) -> ParameterState:  # noqa: A002 - its name
    return ParameterState(id=uuid.uuid4(), name=name, type=type, value=value, version=3, **rest)


def controls(
    *switches: SwitchState,
    parameters: dict[tuple[uuid.UUID, str], tuple[ParameterState, ...]] | None = None,
    epoch: Epoch = EPOCH,
) -> Controls:
    """All of these in force."""
    by_system: dict[uuid.UUID, tuple[SwitchState, ...]] = {}
    for each in switches:
        if each.node.system_id:
            by_system[each.node.system_id] = (*by_system.get(each.node.system_id, ()), each)
    everywhere = tuple(each for each in switches if each.node.system_id is None)
    return Controls(Control(epoch, everywhere, by_system, parameters or {}))


def grant_for(*systems: Any, environment: str = "production", scopes: tuple[str, ...] = ("control:read",)) -> KeyGrant:
    """A key's grant, with the register as it is."""
    key = make_key(*systems, environment=environment, scopes=scopes)
    register = current()
    return KeyGrant(register, register.keys[key.row.key_id])


def sight(grant: KeyGrant, known: Controls, **rest: Any) -> Sight:
    values: dict[str, Any] = {"is_stale": False, "now": NOW} | rest
    return Sight(controls=known, register=grant.register, reach=reach_of(grant), **values)

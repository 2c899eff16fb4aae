from overrides.models.clients import BreachCount, ClientInstance
from overrides.models.clock import ControlClock
from overrides.models.switches import ControlRecovery, LooseningRequest, Switch, SwitchChange

__all__ = [
    "BreachCount",
    "ClientInstance",
    "ControlClock",
    "ControlRecovery",
    "LooseningRequest",
    "Switch",
    "SwitchChange",
]

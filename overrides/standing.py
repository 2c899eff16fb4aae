"""What is in force: modes, epochs, switches and parameters as plain values. Pure: no database, no clock, no memory.

The mode in force for a decision is the most restrictive of all switches whose scope covers it. There is no allow: no
narrower switch, rule or rank can overrule a wider stop.
"""

import enum
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Self


class Mode(enum.StrEnum):
    """What an AI system may do. Ordered: the later one is the more restrictive (see `severity`)."""

    RUN = "run"
    REVIEW = "review"
    FALLBACK = "fallback"
    STOP = "stop"

    @property
    def severity(self) -> int:
        """0 for run to 3 for stop."""
        return SEVERITY[self]


SEVERITY = {mode: number for number, mode in enumerate(Mode)}


class InFlight(enum.StrEnum):
    """What becomes of work that has begun when a switch is thrown."""

    DRAIN = "drain"
    """It may finish, up to a deadline."""
    HOLD = "hold"
    """It waits where it is."""
    CANCEL = "cancel"
    """It is broken off."""


class Epoch(NamedTuple):
    """A state of all controls, ordered. The generation rises where the database may have forgotten numbers."""

    generation: int
    number: int

    def __str__(self) -> str:
        return f"{self.generation}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> "Epoch | None":
        """The epoch that a client names, None where it is none."""
        found = EPOCH.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found else None


EPOCH = re.compile(r"([0-9]{1,9})\.([0-9]{1,18})", re.ASCII)
BEGINNING = Epoch(0, 0)
HEARTBEAT_SECONDS = 15
"""How often a client says what it obeys."""
LAPSED = "emergency-clear-lapsed"
"""Why a switch says stop again that one person had cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The node of the scope tree that a switch names: what is None or empty means all."""

    system_id: uuid.UUID | None = None
    environment: str = ""
    model_version: str = ""
    capability: str = ""

    def covers(self, environment: str, model_version: str, capability: str) -> bool:
        """Whether a decision of its AI system is within."""
        return (
            self.environment in ("", environment)
            and self.model_version in ("", model_version)
            and self.capability in ("", capability)
        )

    def contains(self, other: Self) -> bool:
        """Whether everything that the other one names is within."""
        return self.system_id in (None, other.system_id) and self.covers(
            other.environment, other.model_version, other.capability
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchState:
    """A switch as memory knows it."""

    id: uuid.UUID
    node: Node
    mode: Mode
    epoch: Epoch
    """Of its last change."""
    reason_code: str
    in_flight: InFlight
    changed_at: datetime
    drill_id: uuid.UUID | None = None
    """The drill that threw it, where one did."""
    expires_at: datetime | None = None
    """When an emergency clear ends: from then on it says stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterState:
    """A parameter's value in force."""

    id: uuid.UUID
    name: str
    type: str
    """boolean, integer, number or string."""
    value: bool | int | float | str
    version: int
    expires_at: datetime | None = None
    value_after: bool | int | float | str | None = None
    """What holds once it has expired."""


@dataclass(frozen=True, slots=True)
class Control:
    """Every switch and parameter at one epoch. Immutable; a change makes a new one."""

    epoch: Epoch = BEGINNING
    everywhere: tuple[SwitchState, ...] = ()
    """Switches of the whole installation."""
    by_system: Mapping[uuid.UUID, tuple[SwitchState, ...]] = field(default_factory=dict)
    parameters: Mapping[tuple[uuid.UUID, str], tuple[ParameterState, ...]] = field(default_factory=dict)
    """By AI system and environment."""

    def switches_of(self, system_id: uuid.UUID) -> tuple[SwitchState, ...]:
        """Switches that concern an AI system, the installation's own among them."""
        return (*self.everywhere, *self.by_system.get(system_id, ()))

    def in_force(
        self, system_id: uuid.UUID, environment: str, model_version: str = "", capability: str = ""
    ) -> SwitchState | None:
        """The switch whose mode counts there; None where all may run."""
        return strictest(
            each for each in self.switches_of(system_id) if each.node.covers(environment, model_version, capability)
        )

    def mode(self, system_id: uuid.UUID, environment: str, model_version: str = "", capability: str = "") -> Mode:
        """The mode in force there."""
        found = self.in_force(system_id, environment, model_version, capability)
        return found.mode if found else Mode.RUN


def strictest(switches: Iterable[SwitchState]) -> SwitchState | None:
    """The one of the most restrictive mode; among equals one in earnest before a drill's, then the earliest change.
    None where all say run."""
    found = [each for each in switches if each.mode is not Mode.RUN]
    return min(found, key=lambda each: (-each.mode.severity, each.drill_id is not None, each.epoch), default=None)


EMERGENCY_CLEAR_LASTS = timedelta(hours=4)


def lapsed(control: Control, at: datetime) -> Control:
    """The same, with emergency clears that are over back at stop: whether or not a sweep has come round."""
    concerned = {
        system_id: tuple(lapsed_state(each, at) for each in switches)
        for system_id, switches in control.by_system.items()
        if any(each.expires_at is not None and each.expires_at <= at for each in switches)
    }
    return replace(control, by_system={**control.by_system, **concerned}) if concerned else control


def lapsed_state(switch: SwitchState, at: datetime) -> SwitchState:
    """The same, back at stop where it was an emergency clear that is over."""
    if switch.expires_at is None or switch.expires_at > at:
        return switch
    return replace(switch, mode=Mode.STOP, reason_code=LAPSED, expires_at=None)


def next_lapse(control: Control) -> datetime | None:
    """When the next emergency clear ends."""
    ends = (each.expires_at for found in control.by_system.values() for each in found if each.expires_at is not None)
    return min(ends, default=None)

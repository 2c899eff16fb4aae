"""What a key sees of the controls at one moment: everything that an answer to it may depend on."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from governance.register import KeyGrant, Register, SystemRecord
from overrides.memory import Controls
from overrides.standing import ParameterState, SwitchState, strictest

NEVER = datetime.max.replace(tzinfo=UTC)
Value = bool | int | float | str


class Reach(NamedTuple):
    """The part of a key that its answers depend on: two keys of one reach share their documents."""

    environment: str
    system_ids: frozenset[uuid.UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One snapshot of controls and register, through the eyes of a key."""

    controls: Controls
    register: Register
    reach: Reach
    is_stale: bool
    now: datetime

    def systems(self) -> Iterator[SystemRecord]:
        """The AI systems within reach, by slug."""
        found = (self.register.systems_by_id.get(each) for each in self.reach.system_ids)
        yield from sorted((each for each in found if each is not None), key=lambda each: each.slug)

    def system(self, slug: str) -> SystemRecord | None:
        """An AI system within reach; None for one out of reach and for one that is not there, alike."""
        found = self.register.systems.get(slug)
        return found if found and found.id in self.reach.system_ids else None

    def switches(self, system: SystemRecord) -> list[SwitchState]:
        """Switches of the key's environment, those that say run among them."""
        known = self.controls.control.switches_of(system.id)
        return [each for each in known if each.node.environment in ("", self.reach.environment)]

    def in_force(self, system: SystemRecord, model_version: str = "", capability: str = "") -> SwitchState | None:
        """The switch whose mode counts there; None where all may run."""
        place = (self.reach.environment, model_version, capability)
        return strictest(each for each in self.switches(system) if each.node.covers(*place))

    def parameters(self, system: SystemRecord) -> Iterator["Parameter"]:
        """Values that hold now. One that has expired to nothing is not there."""
        for state in self._states(system.id):
            found = parameter_at(state, self.now)
            if found is not None:
                yield found

    def holds_until(self) -> datetime:
        """When the next parameter within reach expires: what is made of this sight is wrong from then on."""
        expiries = (
            state.expires_at
            for system_id in self.reach.system_ids
            for state in self._states(system_id)
            if state.expires_at is not None and state.expires_at > self.now
        )
        return min(expiries, default=NEVER)

    def _states(self, system_id: uuid.UUID) -> tuple[ParameterState, ...]:
        """Of the key's environment, and those defined for every one: no name is in both."""
        known = self.controls.control.parameters
        return (*known.get((system_id, ""), ()), *known.get((system_id, self.reach.environment), ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter's value at one moment, and what follows when it expires."""

    name: str
    type: str
    value: Value
    version: int
    expires_at: datetime | None
    value_after: Value | None


def parameter_at(state: ParameterState, now: datetime) -> Parameter | None:
    """Expiry is applied here and not only by a sweep: a value that has expired is never handed out again."""
    has_expired = state.expires_at is not None and state.expires_at <= now
    value = state.value_after if has_expired else state.value
    if value is None:
        return None
    after = None if has_expired or state.value_after is None else as_sent(state.type, state.value_after)
    return Parameter(
        name=state.name,
        type=state.type,
        value=as_sent(state.type, value),
        version=state.version,
        expires_at=None if has_expired else state.expires_at,
        value_after=after,
    )


def as_sent(kind: str, value: Value) -> Value:
    """A number is sent with a decimal point: providers of typed languages refuse `1` where a float is asked for."""
    return float(value) if kind == "number" else value


def reach_of(grant: KeyGrant) -> Reach:
    return Reach(grant.environment, grant.system_ids)

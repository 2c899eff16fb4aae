"""Controls as feature flags, for stock OpenFeature providers. Pure: a sight in, flags out.

A flag's value comes from the switches alone: nothing in the caller's context can loosen it. What the context says of
model version and capability adds the switches of these, so it can only tighten.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from governance.register import SystemRecord
from overrides.clients.reach import Parameter, Sight, Value
from overrides.standing import Mode, Node, SwitchState

KEY = re.compile(r"[a-z0-9][A-Za-z0-9._:+-]{0,299}", re.ASCII)
STATIC = "STATIC"


class Narrowing(NamedTuple):
    """What a caller says of itself beyond its key."""

    model_version: str = ""
    capability: str = ""


ANYTHING = Narrowing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One evaluation. Every member is sent always: providers trip over those that are missing."""

    key: str
    value: Value | Mapping[str, Value]
    variant: str
    metadata: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = {"key": self.key, "value": self.value, "reason": STATIC, "variant": self.variant}
        return found | {"metadata": self.metadata}


def flag_for(sight: Sight, key: str, narrowing: Narrowing = ANYTHING) -> Flag | None:
    """The flag of that key; None for one that is not there and for one out of reach, alike."""
    slug, _, rest = key.partition(".")
    system = sight.system(slug) if KEY.fullmatch(key) else None
    if system is None:
        return None
    name, _, argument = rest.partition(".")
    if name == "cap":
        return _capability(sight, system, argument, narrowing) if argument else None
    if name == "param":
        return next((_value(sight, system, each) for each in sight.parameters(system) if each.name == argument), None)
    whole = WHOLE.get(rest)
    return whole(sight, system, narrowing) if whole else None


def all_flags(sight: Sight, narrowing: Narrowing = ANYTHING) -> list[Flag]:
    """Every flag of every AI system within reach, in a fixed order."""
    return [flag for system in sight.systems() for flag in _flags_of(sight, system, narrowing)]


def _flags_of(sight: Sight, system: SystemRecord, narrowing: Narrowing) -> Iterator[Flag]:
    for whole in WHOLE.values():
        yield whole(sight, system, narrowing)
    for parameter in sight.parameters(system):
        yield _value(sight, system, parameter)
    for capability in sorted(_capabilities(sight, system, narrowing)):
        yield _capability(sight, system, capability, narrowing)


def _capabilities(sight: Sight, system: SystemRecord, narrowing: Narrowing) -> set[str]:
    """Those that anything here names: in a provider that reads in bulk, any other gets the code's default."""
    named = {each.node.capability for each in sight.switches(system)} | {narrowing.capability}
    named |= {place.capability for place in sight.register.owners if place.system_id == system.id}
    return {each for each in named if each and KEY.fullmatch(f"{system.slug}.cap.{each}")}


def _mode(sight: Sight, system: SystemRecord, narrowing: Narrowing) -> Flag:
    return _mode_flag(sight, system, "mode", narrowing)


def _capability(sight: Sight, system: SystemRecord, capability: str, narrowing: Narrowing) -> Flag:
    return _mode_flag(sight, system, f"cap.{capability}", narrowing._replace(capability=capability))


def _mode_flag(sight: Sight, system: SystemRecord, name: str, narrowing: Narrowing) -> Flag:
    switch = sight.in_force(system, *narrowing)
    mode = switch.mode if switch else Mode.RUN
    facts = _facts(sight, system, switch)
    return Flag(key=f"{system.slug}.{name}", value=mode.value, variant=mode.value, metadata=facts)


def _enabled(sight: Sight, system: SystemRecord, narrowing: Narrowing) -> Flag:
    """False for whatever is not run: a caller who knows yes and no alone must not act where a person has to look."""
    switch = sight.in_force(system, *narrowing)
    mode = switch.mode if switch else Mode.RUN
    facts = _facts(sight, system, switch)
    return Flag(key=f"{system.slug}.enabled", value=mode is Mode.RUN, variant=mode.value, metadata=facts)


def _params(sight: Sight, system: SystemRecord, narrowing: Narrowing) -> Flag:
    values = {each.name: each.value for each in sight.parameters(system)}
    return Flag(key=f"{system.slug}.params", value=values, variant="current", metadata=_facts(sight, system, None))


def _value(sight: Sight, system: SystemRecord, parameter: Parameter) -> Flag:
    facts = _facts(sight, system, None) | {"version": parameter.version, "type": parameter.type}
    key = f"{system.slug}.param.{parameter.name}"
    return Flag(key=key, value=parameter.value, variant=f"v{parameter.version}", metadata=facts)


def _facts(sight: Sight, system: SystemRecord, switch: SwitchState | None) -> dict[str, bool | int | float | str]:
    """Flat, and never null: providers refuse both."""
    facts: dict[str, bool | int | float | str] = {
        "epoch": str(sight.controls.control.epoch),
        "valid_for_s": system.fail_policy.max_staleness_s,
        "is_stale": sight.is_stale,
    }
    if switch is not None:
        facts |= {"switch_id": str(switch.id), "reason_code": switch.reason_code}
        facts["scope"] = scope_text(switch.node, system.slug)
    return facts


def scope_text(node: Node, slug: str) -> str:
    """A scope as one flat string: `global`, or what it names, widest first."""
    named = {
        "system": slug if node.system_id else "",
        "environment": node.environment,
        "model_version": node.model_version,
        "capability": node.capability,
    }
    return ",".join(f"{name}={value}" for name, value in named.items() if value) or "global"


WHOLE = {"mode": _mode, "enabled": _enabled, "params": _params}
"""Flags that every AI system has, by the end of their key."""

"""The state document: everything that a client of our own needs to obey, evaluated nowhere else."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings

from governance.register import SystemRecord
from overrides.clients.reach import Parameter, Sight
from overrides.standing import HEARTBEAT_SECONDS, Mode, SwitchState


@dataclass(frozen=True, slots=True)
class StateDocument:
    """A state without the moment it is handed out at, which is no part of what its ETag stands for."""

    etag: str
    """Without quotes."""
    rest: bytes

    def at(self, moment: datetime) -> bytes:
        return b'{"generated_at":"%s",%s' % (instant(moment).encode(), self.rest[1:])


def state_document(sight: Sight) -> StateDocument:
    """The state of all AI systems within reach, in the key's environment."""
    control = sight.controls.control
    rest = orjson.dumps(
        {
            "epoch": str(control.epoch),
            "is_stale": sight.is_stale,
            "environment": sight.reach.environment,
            "heartbeat_s": HEARTBEAT_SECONDS,
            "control_url": settings.CONTROL_URL,
            "systems": {system.slug: _system(sight, system) for system in sight.systems()},
        }
    )
    return StateDocument(f"{control.epoch}-{hashlib.sha256(rest).hexdigest()[:8]}", rest)


def _system(sight: Sight, system: SystemRecord) -> dict[str, Any]:
    in_force = sight.in_force(system)
    policy = system.fail_policy
    return {
        "mode": in_force.mode if in_force else Mode.RUN,
        "epoch": str(in_force.epoch if in_force else sight.controls.control.epoch),
        "reason_code": in_force.reason_code if in_force else None,
        "switch_id": str(in_force.id) if in_force else None,
        "in_flight": in_force.in_flight if in_force else None,
        "since": instant(in_force.changed_at) if in_force else None,
        "switches": [_switch(each, system) for each in sight.switches(system) if each.mode is not Mode.RUN],
        "fallback": {"kind": system.fallback_kind, "value": system.fallback} if system.fallback_kind else None,
        "fail_policy": {"max_staleness_s": policy.max_staleness_s, "safe_mode": policy.safe_mode},
        "parameters": {each.name: _parameter(each) for each in sight.parameters(system)},
    }


def _switch(switch: SwitchState, system: SystemRecord) -> dict[str, Any]:
    node = switch.node
    return {
        "id": str(switch.id),
        "scope": {
            "system": system.slug if node.system_id else None,
            "environment": node.environment or None,
            "model_version": node.model_version or None,
            "capability": node.capability or None,
        },
        "mode": switch.mode,
        "epoch": str(switch.epoch),
        "reason_code": switch.reason_code,
        "in_flight": switch.in_flight,
        "changed_at": instant(switch.changed_at),
        "drill": str(switch.drill_id) if switch.drill_id else None,
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "value": parameter.value,
        "type": parameter.type,
        "version": parameter.version,
        "expires_at": instant(parameter.expires_at) if parameter.expires_at else None,
        "value_after": parameter.value_after,
    }


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""The control state as a document and as values: what the server says is in force. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from answerable._modes import Epoch, Mode, read_mode, strictest


@dataclass(frozen=True)
class FailPolicy:
    """What holds without contact: the last known state for `max_staleness_s` seconds, then at least `safe_mode`.

    `cold_start` holds while nothing was ever known of an AI system. `unanswered` is how strict at least a decision is
    taken that the service was asked for and did not answer. What a server declares for a system is joined with this:
    the shorter time and the stricter mode of both count, so code can tighten what was declared and never loosen it.
    """

    max_staleness_s: float = 600.0
    safe_mode: Mode = Mode.REVIEW
    cold_start: Mode = Mode.REVIEW
    unanswered: Mode = Mode.RUN

    @classmethod
    def for_risk(cls, risk: str) -> "FailPolicy":
        """`high`: 60 s, then stop. `medium`: 10 min, then review. `low`: 24 h, then run. Errors: ValueError."""
        if risk not in _BY_RISK:
            raise ValueError(f"risk is one of {', '.join(_BY_RISK)}, not {risk!r}")
        seconds, mode = _BY_RISK[risk]
        return cls(seconds, mode, mode)


_BY_RISK = {"high": (60.0, Mode.STOP), "medium": (600.0, Mode.REVIEW), "low": (86_400.0, Mode.RUN)}


@dataclass(frozen=True)
class Switch:
    """A switch that is thrown for a part of a system, or for all."""

    mode: Mode
    environment: str | None = None
    model_version: str | None = None
    capability: str | None = None
    in_flight: str = "drain"
    reason_code: str | None = None

    def covers(self, environment: str | None, model_version: str | None, capability: str | None) -> bool:
        """An environment that we do not know is taken for the one meant; versions and capabilities are ours to say."""
        return (
            (self.environment is None or environment in (None, self.environment))
            and self.model_version in (None, model_version)
            and self.capability in (None, capability)
        )


@dataclass(frozen=True)
class Parameter:
    """A value that may be changed at run time."""

    value: bool | int | float | str
    version: int
    seconds_left: float | None
    """From the moment the state was made, by the server's own clock; None: for good."""
    value_after: bool | int | float | str | None


@dataclass(frozen=True)
class SystemState:
    """What is in force for one AI system."""

    switches: tuple[Switch, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    fallback: Mapping[str, Any] | None = None
    max_staleness_s: float | None = None
    safe_mode: Mode | None = None

    def in_force(self, environment: str | None, model_version: str | None, capability: str | None) -> Switch | None:
        """The most restrictive switch there, None where all may run."""
        found = [each for each in self.switches if each.covers(environment, model_version, capability)]
        return max(found, key=lambda each: each.mode.severity, default=None)


@dataclass(frozen=True)
class State:
    """One state of all controls that a key reaches."""

    epoch: Epoch
    environment: str | None
    systems: Mapping[str, SystemState]
    document: Mapping[str, Any]
    is_stale: bool = False
    control_url: str | None = None
    heartbeat_s: float = 15.0


def read_state(document: Any) -> State:
    """Read a state document. Unknown members are no error. Errors: ValueError for what cannot be one."""
    try:
        systems = {str(name): _read_system(each, document) for name, each in document["systems"].items()}
        return State(
            epoch=Epoch.parse(document["epoch"]),
            environment=document.get("environment") or None,
            systems=systems,
            document=document,
            is_stale=bool(document.get("is_stale", False)),
            control_url=document.get("control_url") or None,
            heartbeat_s=min(max(float(document.get("heartbeat_s") or 15.0), 1.0), 300.0),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a control state: {error!r}") from error


def _read_system(found: Mapping[str, Any], document: Mapping[str, Any]) -> SystemState:
    switches = [_read_switch(each) for each in found.get("switches") or ()]
    # the mode of the whole system, said apart from the switches: never less than it says
    mode = read_mode(found["mode"])
    if mode is not Mode.RUN:
        switches.append(Switch(mode, in_flight=found.get("in_flight") or "drain", reason_code=found.get("reason_code")))
    policy = found.get("fail_policy") or {}
    return SystemState(
        switches=tuple(switches),
        parameters={
            str(name): _read_parameter(each, document) for name, each in (found.get("parameters") or {}).items()
        },
        fallback=found.get("fallback"),
        max_staleness_s=float(policy["max_staleness_s"]) if policy.get("max_staleness_s") is not None else None,
        safe_mode=read_mode(policy["safe_mode"]) if policy.get("safe_mode") else None,
    )


def _read_switch(found: Mapping[str, Any]) -> Switch:
    scope = found.get("scope") or {}
    return Switch(
        mode=read_mode(found["mode"]),
        environment=scope.get("environment") or None,
        model_version=scope.get("model_version") or None,
        capability=scope.get("capability") or None,
        in_flight=found.get("in_flight") or "drain",
        reason_code=found.get("reason_code"),
    )


def _read_parameter(found: Mapping[str, Any], document: Mapping[str, Any]) -> Parameter:
    seconds = None
    if found.get("expires_at"):
        seconds = _moment(found["expires_at"]) - _moment(document["generated_at"])
    return Parameter(found["value"], int(found.get("version") or 0), seconds, found.get("value_after"))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def joined(policy: FailPolicy, declared: SystemState | None) -> tuple[float, Mode]:
    """How long a state counts, and what does after that: the shorter and the stricter of code and server."""
    if declared is None:
        return policy.max_staleness_s, policy.safe_mode
    seconds = min(policy.max_staleness_s, declared.max_staleness_s or policy.max_staleness_s)
    return seconds, strictest(policy.safe_mode, declared.safe_mode or policy.safe_mode)

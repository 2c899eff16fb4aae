"""The types of events that webhook endpoints are told of: what each means, and what its facts look like.

Each floor declares its own, and `announce` takes no other. The API, the form and docs/webhooks.md list them from here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from governance.acts import Act

TEST = "webhook.test"
URGENT = "switch."
"""What tells of a stop: it leaves at once, and what fails is tried again soon. (The state that callers read stays what
counts; a webhook is a hint.)"""
ID = "01a1fef8-1964-720a-9eaf-9287df658db4"
"""An id as examples show one."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event. `about`: whose id `about_id` is."""

    name: str
    meaning: str
    about: str
    example: Mapping[str, Any]
    seen_by: Act = Act.SYSTEM_VIEW
    """What an endpoint's owner must be able to do in the AI system to be told."""


_types: dict[str, EventType] = {}


def event_type(
    name: str, meaning: str, *, about: str, example: Mapping[str, Any], seen_by: Act = Act.SYSTEM_VIEW
) -> None:
    """Declares a type, with facts as an event of it may have them."""
    if name in _types:
        raise ValueError(f"the event type {name!r} is declared twice")
    _types[name] = EventType(name, meaning, about, example, seen_by)


def event_types() -> list[EventType]:
    """All of them, by name."""
    return [_types[name] for name in sorted(_types)]


def meaning_of(name: str) -> str:
    """In words; nothing for a type that no version knows any more."""
    return _types[name].meaning if name in _types else ""


def seen_by(name: str) -> Act:
    """The right without which nobody is told of a type."""
    return _types[name].seen_by if name in _types else Act.SYSTEM_VIEW


def is_declared(name: str) -> bool:
    return name in _types


def is_urgent(name: str) -> bool:
    return name.startswith(URGENT)


def wants(patterns: Iterable[str], name: str) -> bool:
    """Whether a pattern (`switch.stopped`, `switch.*`, `*`) means this type. A test is asked for by nobody."""
    return name != TEST and any(
        pattern in ("*", name) or (pattern.endswith(".*") and name.startswith(pattern[:-1])) for pattern in patterns
    )


def means_nothing(pattern: str) -> bool:
    """Whether no event will ever be of this pattern: a misspelt one would wait in silence."""
    return not any(wants([pattern], name) for name in _types)


_ALERT = {"kind": "source.silent", "severity": "warning"}
event_type(
    "alert.opened",
    "Something that somebody must look at.",
    about="the alert",
    example=_ALERT | {"status": "open"},
)
event_type(
    "alert.acknowledged",
    "Somebody is looking at an alert.",
    about="the alert",
    example=_ALERT | {"status": "acknowledged"},
)
event_type(
    "alert.escalated",
    "Nobody acknowledged an alert in time, so others were told.",
    about="the alert",
    example=_ALERT,
)
event_type("alert.closed", "An alert was dealt with.", about="the alert", example=_ALERT | {"status": "closed"})
event_type(TEST, "Somebody pressed Send a test: it comes whatever was asked for.", about="the endpoint", example={})

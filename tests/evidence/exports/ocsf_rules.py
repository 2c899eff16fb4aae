"""The rules of OCSF 1.9 for the events that exports hold, written down from its schema, and what checks them.

(ocsf/ocsf-schema: events/base_event, events/application/api_activity, profiles/ai_operation, profiles/record_integrity,
objects/*.) Each object: its attributes with type and requirement, and of which at least one must be there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

REQUIRED, RECOMMENDED, OPTIONAL = "required", "recommended", "optional"
STRING, INTEGER, TIME, JSON = "string", "integer", "time", "json"


@dataclass(frozen=True)
class Rules:
    """`attributes`: type (one of the above, the name of an object, or either in a list) and requirement."""

    attributes: dict[str, tuple[Any, str]]
    at_least_one: frozenset[str] = frozenset()
    values: dict[str, frozenset[Any]] = field(default_factory=dict)


ENTITY = {"name": (STRING, RECOMMENDED), "uid": (STRING, RECOMMENDED)}
RULES: dict[str, Rules] = {
    "event": Rules(
        {
            "activity_id": (INTEGER, REQUIRED),
            "activity_name": (STRING, OPTIONAL),
            "category_uid": (INTEGER, REQUIRED),
            "category_name": (STRING, OPTIONAL),
            "class_uid": (INTEGER, REQUIRED),
            "class_name": (STRING, OPTIONAL),
            "type_uid": (INTEGER, REQUIRED),
            "type_name": (STRING, OPTIONAL),
            "severity_id": (INTEGER, REQUIRED),
            "severity": (STRING, OPTIONAL),
            "status_id": (INTEGER, RECOMMENDED),
            "status": (STRING, RECOMMENDED),
            "status_code": (STRING, RECOMMENDED),
            "time": (TIME, REQUIRED),
            "message": (STRING, RECOMMENDED),
            "metadata": ("metadata", REQUIRED),
            "actor": ("actor", REQUIRED),
            "api": ("api", REQUIRED),
            "src_endpoint": ("network_endpoint", REQUIRED),
            "resources": (["resource_details"], RECOMMENDED),
            "ai_model": ("ai_model", RECOMMENDED),
            "attestation_list": (["attestation"], OPTIONAL),
            "unmapped": (JSON, OPTIONAL),
        },
        values={
            "activity_id": frozenset({0, 1, 2, 3, 4, 99}),
            "category_uid": frozenset({6}),
            "class_uid": frozenset({6003}),
            "severity_id": frozenset({0, 1, 2, 3, 4, 5, 6, 99}),
            "status_id": frozenset({0, 1, 2, 99}),
        },
    ),
    "metadata": Rules(
        {
            "version": (STRING, REQUIRED),
            "product": ("product", REQUIRED),
            "profiles": ([STRING], OPTIONAL),
            "uid": (STRING, OPTIONAL),
            "original_event_uid": (STRING, OPTIONAL),
            "event_code": (STRING, OPTIONAL),
            "log_name": (STRING, RECOMMENDED),
            "sequence": (INTEGER, OPTIONAL),
            "logged_time": (TIME, OPTIONAL),
            "original_time": (STRING, RECOMMENDED),
        },
        values={"version": frozenset({"1.9.0"})},
    ),
    "product": Rules(
        {
            "name": (STRING, RECOMMENDED),
            "vendor_name": (STRING, RECOMMENDED),
            "version": (STRING, RECOMMENDED),
        },
        frozenset({"name", "uid"}),
    ),
    "actor": Rules({"user": ("user", RECOMMENDED)}, frozenset({"process", "user", "session", "app_name", "app_uid"})),
    "user": Rules(
        ENTITY | {"type_id": (INTEGER, RECOMMENDED), "type": (STRING, OPTIONAL)},
        frozenset({"account", "name", "uid"}),
        {"type_id": frozenset({0, 1, 2, 3, 4, 99})},
    ),
    "api": Rules({"operation": (STRING, REQUIRED), "service": ("service", OPTIONAL), "version": (STRING, OPTIONAL)}),
    "service": Rules(ENTITY, frozenset({"name", "uid"})),
    "network_endpoint": Rules(
        {"uid": (STRING, OPTIONAL), "svc_name": (STRING, RECOMMENDED), "name": (STRING, OPTIONAL)},
        frozenset({"ip", "uid", "name", "hostname", "svc_name", "instance_uid", "interface_uid", "interface_name"}),
    ),
    "resource_details": Rules(ENTITY | {"type": (STRING, OPTIONAL)}, frozenset({"name", "uid"})),
    "ai_model": Rules(
        {
            "name": (STRING, REQUIRED),
            "ai_provider": (STRING, REQUIRED),
            "version": (STRING, RECOMMENDED),
            "uid": (STRING, OPTIONAL),
        }
    ),
    "attestation": Rules(
        {
            "uid": (STRING, OPTIONAL),
            "authority_uid": (STRING, RECOMMENDED),
            "chain_uid": (STRING, RECOMMENDED),
            "fingerprint": ("fingerprint", RECOMMENDED),
            "prev_event": ("prev_event", RECOMMENDED),
        },
        frozenset({"fingerprint", "signatures"}),
    ),
    "prev_event": Rules(
        {
            "uid": (STRING, REQUIRED),
            "type_uid": (INTEGER, RECOMMENDED),
            "fingerprint": ("fingerprint", OPTIONAL),
        }
    ),
    "fingerprint": Rules(
        {
            "algorithm": (STRING, OPTIONAL),
            "algorithm_id": (INTEGER, REQUIRED),
            "encoding": (STRING, OPTIONAL),
            "encoding_id": (INTEGER, OPTIONAL),
            "serialization": (STRING, OPTIONAL),
            "serialization_id": (INTEGER, OPTIONAL),
            "value": (STRING, REQUIRED),
        },
        values={
            "algorithm_id": frozenset({3}),
            "algorithm": frozenset({"SHA-256"}),
            "encoding_id": frozenset({1}),
            "encoding": frozenset({"Hex"}),
            "serialization_id": frozenset({2}),
            "serialization": frozenset({"JCS"}),
        },
    ),
}
CAPTIONS = {
    ("activity_id", "activity_name"): {1: "Create"},
    ("category_uid", "category_name"): {6: "Application Activity"},
    ("class_uid", "class_name"): {6003: "API Activity"},
    ("type_uid", "type_name"): {600301: "API Activity: Create"},
    ("severity_id", "severity"): {1: "Informational"},
    ("status_id", "status"): {1: "Success", 2: "Failure"},
}


def problems_of(event: dict[str, Any]) -> list[str]:
    """What breaks the rules; empty where nothing does."""
    found = list(_of("event", event, ""))
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        found.append("type_uid is not class and activity")
    for (number, name), captions in CAPTIONS.items():
        if event.get(name) != captions.get(event[number]):
            found.append(f"{name} is not the caption of {number}")
    profiles = event["metadata"].get("profiles", [])
    for attribute, profile in (("ai_model", "ai_operation"), ("attestation_list", "record_integrity")):
        if attribute in event and profile not in profiles:
            found.append(f"{attribute} without its profile")
    return found


def _of(name: str, value: dict[str, Any], at: str) -> Iterator[str]:
    rules = RULES[name]
    for attribute, (_, requirement) in rules.attributes.items():
        if requirement == REQUIRED and value.get(attribute) in (None, "", [], {}):
            yield f"{at}/{attribute} is required"
    if rules.at_least_one and not any(value.get(each) for each in rules.at_least_one):
        yield f"{at} has none of {sorted(rules.at_least_one)}"
    for attribute, found in value.items():
        if attribute not in rules.attributes:
            yield f"{at}/{attribute} is no attribute of {name}"
            continue
        yield from _typed(rules.attributes[attribute][0], found, f"{at}/{attribute}")
        if attribute in rules.values and found not in rules.values[attribute]:
            yield f"{at}/{attribute} has no such value: {found}"


def _typed(kind: Any, value: Any, at: str) -> Iterator[str]:
    if isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        for number, each in enumerate(value):
            yield from _typed(kind[0], each, f"{at}/{number}")
    elif kind in RULES:
        if isinstance(value, dict):
            yield from _of(kind, value, at)
        else:
            yield f"{at} is no object"
    elif kind == STRING and not isinstance(value, str):
        yield f"{at} is no string"
    elif kind in (INTEGER, TIME) and (not isinstance(value, int) or isinstance(value, bool)):
        yield f"{at} is no whole number"
    elif kind == TIME and not 10**12 < value < 10**13:
        yield f"{at} is not in milliseconds"

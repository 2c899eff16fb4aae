"""The node of the scope tree that a page is about, in words and in addresses."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from governance.errors import SystemNotFound
from governance.models import AISystem
from overrides.standing import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node with the name of its AI system."""

    node: Node
    system: AISystem | None

    @property
    def name(self) -> str:
        if self.node.system_id is None:
            return "Every AI system"
        return str(self.system) if self.system else f"AI system {self.node.system_id}"

    @property
    def part(self) -> str:
        """What of it, in words; empty for all of it."""
        named = (
            ("environment", self.node.environment),
            ("model version", self.node.model_version),
            ("capability", self.node.capability),
        )
        return ", ".join(f"{word} {value}" for word, value in named if value)

    @property
    def query(self) -> str:
        """As addresses of the switchboard name it."""
        named = {
            "system": str(self.node.system_id or ""),
            "environment": self.node.environment,
            "model_version": self.node.model_version,
            "capability": self.node.capability,
        }
        return urlencode({name: value for name, value in named.items() if value})

    def __str__(self) -> str:
        return f"{self.name}, {self.part}" if self.part else self.name


def node_of(asked: Mapping[str, str]) -> Node:
    """The node that an address names. Errors: `SystemNotFound` for what is no id."""
    try:
        system_id = uuid.UUID(asked["system"]) if asked.get("system") else None
    except ValueError as error:
        raise SystemNotFound() from error
    return Node(
        system_id=system_id,
        environment=asked.get("environment", "").strip(),
        model_version=asked.get("model_version", "").strip(),
        capability=asked.get("capability", "").strip(),
    )


def place_of(node: Node) -> Place:
    """With its AI system, looked up."""
    return Place(node=node, system=AISystem.objects.filter(pk=node.system_id).first() if node.system_id else None)

"""Scopes as people write them at the command line."""

import re

from governance.models import AISystem
from overrides.standing import Node

EVERYWHERE = "*"
SCOPE = re.compile(
    r"(?P<system>\*|[a-z0-9-]+)(?P<rest>(?:/[a-z0-9-]+|@[A-Za-z0-9_.+-]+|:[A-Za-z0-9_./+-]+)*)", re.ASCII
)
PART = re.compile(r"(/[a-z0-9-]+|@[A-Za-z0-9_.+-]+|:[A-Za-z0-9_./+-]+)", re.ASCII)
NAMES = {"/": "environment", "@": "model_version", ":": "capability"}


def node_of(text: str) -> Node:
    """`*`, `system`, and behind either `/environment`, `@version`, `:capability`. Errors: `ValueError` in words."""
    found = SCOPE.fullmatch(text)
    if found is None:
        raise ValueError("A scope is '*' or a system's slug, then any of /environment, @version, :capability.")
    parts = {NAMES[part[0]]: part[1:] for part in PART.findall(found["rest"])}
    if len(parts) != len(PART.findall(found["rest"])):
        raise ValueError("A scope names each of environment, version and capability at most once.")
    if found["system"] == EVERYWHERE:
        return Node(**parts)
    system = AISystem.objects.filter(slug=found["system"]).first()
    if system is None:
        raise ValueError(f"No AI system has the slug '{found['system']}'.")
    return Node(system_id=system.pk, **parts)


def in_words(node: Node) -> str:
    """A node as the command line takes it."""
    slug = EVERYWHERE
    if node.system_id is not None:
        system = AISystem.objects.filter(pk=node.system_id).first()
        slug = system.slug if system else str(node.system_id)
    named = (("/", node.environment), ("@", node.model_version), (":", node.capability))
    return slug + "".join(sign + value for sign, value in named if value)

"""Who did something, in words: people, service accounts, the host, the service itself. One query for each sort."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping

from governance.models import Person, ServiceAccount

Who = tuple[str, uuid.UUID | None]
FIXED = {"command": "the host's command line", "server": "the service itself"}
MODELS = {"person": Person, "service": ServiceAccount}


def names_of(actors: Iterable[Who]) -> Mapping[Who, str]:
    """By type and id, the names of all of them."""
    wanted: dict[str, set[uuid.UUID]] = defaultdict(set)
    known = set(actors)
    for kind, actor_id in known:
        if kind in MODELS and actor_id:
            wanted[kind].add(actor_id)
    rows = {kind: MODELS[kind].objects.in_bulk(ids) for kind, ids in wanted.items()}  # type: ignore[attr-defined]
    return {who: _name(who, rows) for who in known}


def _name(who: Who, rows: Mapping[str, Mapping[uuid.UUID | None, object]]) -> str:
    kind, actor_id = who
    found = rows.get(kind, {}).get(actor_id)
    if found is None:
        return FIXED.get(kind, "somebody")
    return f"the service account {found}" if kind == "service" else str(found)

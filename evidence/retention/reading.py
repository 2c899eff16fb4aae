"""Who sees what of retention: classes, where they hold, purges."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from audit.case_selectors import holds_for
from audit.models import DataKind, LegalHold, Purge, RetentionClass, RetentionRule
from config.errors import Forbidden
from evidence.retention.keeping import ONLY_HELD, holds_there
from evidence.retention.planning import COUNTED
from governance import rights
from governance.acts import Act
from governance.models import AISystem
from governance.scopes import AnyOf, Place, Scope
from ledger.entries import Actor

OF_HOLDS = frozenset({"held", "in_process", "holds", "more_holds"})
"""Of a part of a purge that is over: by what something was kept back."""


def place_of_rule(rule: RetentionRule) -> Place:
    """Where somebody must be accountable to agree: of what belongs to the organisation, for any AI system."""
    if rule.system_id is not None:
        return Scope.system(rule.system_id)
    return AnyOf(frozenset(AISystem.objects.values_list("pk", flat=True)))


def may_view(actor: Actor) -> bool:
    return rights.can_anywhere(actor, Act.RETENTION_VIEW)


def visible_classes(actor: Actor) -> QuerySet[RetentionClass]:
    """They name no AI system, so whoever sees any rule sees all of them."""
    rows = RetentionClass.objects.order_by("kind", "id")
    return rows if may_view(actor) else rows.none()


def visible_rules(actor: Actor) -> QuerySet[RetentionRule]:
    """Of the AI systems that somebody sees them of, and of the organisation."""
    rows = RetentionRule.objects.select_related("retention_class")
    systems = rights.systems_where(actor, Act.RETENTION_VIEW)
    if systems is None:
        return rows
    return rows.filter(Q(system_id__in=systems) | Q(system_id=None)) if systems else rows.none()


def visible_purges(actor: Actor) -> QuerySet[Purge]:
    """Those that take something of an AI system that somebody sees it of, or of the organisation."""
    rows, systems = Purge.objects.order_by("-id"), rights.systems_where(actor, Act.RETENTION_VIEW)
    if systems is None:
        return rows
    seen = Q(parts__contains=[{"system": None}])
    for system_id in systems:
        seen |= Q(parts__contains=[{"system": str(system_id)}])
    return rows.filter(seen) if systems else rows.none()


def may_have_report(actor: Actor, purge: Purge) -> bool:
    """Whether somebody may know of all that the signed report of a purge tells: each part of it, and every legal hold
    that kept something back there."""
    parts = purge.done or purge.parts
    if len(parts_seen(actor, parts)) < len(parts):
        return False
    systems = _told_holds(actor)
    return all(_is_told_holds(systems, part) for part in parts)


def require_report(actor: Actor, purge: Purge) -> None:
    """Errors: `Forbidden`."""
    if not may_have_report(actor, purge):
        raise Forbidden(
            "The report of a purge tells of every AI system in it, and of the legal holds there. It is for those who "
            "may know of all of them: a data protection officer, or an auditor of the whole organisation."
        )


def _told_holds(actor: Actor) -> frozenset[str] | None:
    """The AI systems of which somebody may know every legal hold; None: of all, and of what belongs to the
    organisation. Who may read a case by one of its AI systems alone does not know of all holds there."""
    systems = rights.systems_where(actor, Act.HOLD_PLACE)
    if systems is None or rights.systems_where(actor, Act.CASE_READ) is None:
        return None
    return frozenset(map(str, systems))


def _is_told_holds(systems: frozenset[str] | None, part: Mapping[str, Any]) -> bool:
    return systems is None or part["system"] in systems


def parts_seen(actor: Actor, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of AI systems that somebody sees retention of, and of the organisation."""
    systems = rights.systems_where(actor, Act.RETENTION_VIEW)
    seen = None if systems is None else {str(each) for each in systems}
    return [part for part in parts if seen is None or part["system"] is None or part["system"] in seen]


def holds_seen(actor: Actor, part: Mapping[str, Any]) -> list[LegalHold]:
    """Which legal holds keep some of a part back, of those that somebody may know of."""
    if not part["kept"]:
        return []
    system_id = uuid.UUID(part["system"]) if part["system"] else None
    found = holds_there(DataKind(part["kind"]), system_id, datetime.fromisoformat(part["before"]))
    return list(found.filter(pk__in=holds_for(actor).values("pk")).select_related("case"))


def parts_told(actor: Actor, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts that somebody sees, each with what they may know: `holds`, those of the legal holds that they know of.

    By what something was kept back (`held`, `in_process`) is told to those who may know of every hold there. To others
    how many for whichever reason; nothing (`kept` None) where a hold is the only one: of cases what goes without them,
    of quarantine as if nothing were held.
    """
    systems = _told_holds(actor)
    told = []
    for part in parts_seen(actor, parts):
        said = part if _is_told_holds(systems, part) else _mixed(part)
        if said["count"] or said["kept"] is not None:  # a part of which nothing goes tells of a hold
            told.append(said | {"holds": holds_seen(actor, part)})
    return told


def _mixed(part: dict[str, Any]) -> dict[str, Any]:
    """A part as told to somebody who may not know by what some of it is kept back."""
    said = {name: value for name, value in part.items() if name not in OF_HOLDS}
    kind = DataKind(part["kind"])
    if kind not in ONLY_HELD:
        return said
    if kind == DataKind.QUARANTINE:
        said["goes_at"] = part["ends_at"]
    elif "digest" not in part and part["count"] <= COUNTED:
        # not of what went: as announced, less what is held, so that what is left later tells nothing
        said["count"] -= part["kept"]
    return said | {"kept": None}


def may_stop_purge(actor: Actor, purge: Purge) -> bool:
    """Those who are told before it runs: data protection officers, and whoever agrees to retention there."""
    return stops_all(actor) or bool(stoppable_systems(actor, purge))


def stops_all(actor: Actor) -> bool:
    """Data protection officers, and whoever is accountable for every AI system."""
    return rights.can(actor, Act.RETENTION_CHANGE) or (
        rights.systems_where(actor, Act.RETENTION_CHANGE, approving=True) is None
    )


def stoppable_systems(actor: Actor, purge: Purge) -> list[str]:
    """The AI systems, by id, whose parts somebody may keep out of a purge, and has not: those they answer for."""
    systems = rights.systems_where(actor, Act.RETENTION_CHANGE, approving=True) or ()
    named = {part["system"] for part in purge.parts} - set(purge.stopped)
    return sorted(str(each) for each in systems if str(each) in named)

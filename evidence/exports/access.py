"""Who may ask for an export, agree to one, know of it, and fetch its file.

Without contents nobody agrees: an auditor, whoever is accountable, an investigator in cases of their own. With contents
an auditor or an investigator asks and a data protection officer agrees. The file is for whoever asked, alone: it holds
what they may see, and that was looked at when it was made. Others ask for themselves, which leaves its own entry.
"""

import uuid
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from audit.case_access import may, place_of, readable_case, systems_seen
from audit.errors import DecisionNotFound
from audit.selectors import SealedDecision, decision_by_id
from audit.services.disclosure import may_about, may_see, scope_of
from config.errors import Forbidden, ServiceError
from evidence.exports.models import Export, ExportWork
from evidence.exports.plans import Plan
from governance import rights
from governance.acts import Act
from governance.models import AISystem
from governance.scopes import ORGANISATION, Place, Scope
from ledger.entries import Actor
from overrides.selectors import require_unhidden

Question = Export.Question


@dataclass(frozen=True, slots=True)
class Within:
    """The AI systems whose decisions of a subject somebody may take out; None: all of them."""

    system_ids: frozenset[uuid.UUID] | None


def act_of(export: Export) -> Act:
    return Act.EXPORT_PAYLOADS if export.parts else Act.EXPORT_PLAIN


def require_may_have(actor: Actor, export: Export) -> None:
    """Whether somebody may ask for this, and have it: asked when it is asked for, while it is made, and when it is
    fetched. Errors: `Forbidden`, `CaseNotFound`, `DecisionNotFound`, `HiddenWhileBlind`."""
    match export.question:
        case Question.RANGE:
            rights.require(actor, act_of(export), _system(export))
        case Question.CASE:
            require_may_have_case(actor, export)
        case Question.DECISION:
            require_may_have_decision(actor, export)
        case Question.SUBJECT:
            systems_within(actor, act_of(export))


def may_have(actor: Actor, export: Export) -> bool:
    """Whether somebody may have it as it is: where it is made, or being made, also all that was planned."""
    try:
        require_may_have(actor, export)
        return may_have_planned(actor, export, _plan_of(export))
    except ServiceError:
        return False


def may_have_planned(actor: Actor, export: Export, plan: Plan | None) -> bool:
    """Whether whoever may ask for it may know of every AI system that it was planned to disclose something of: of a
    case or a subject somebody may be left with a part. Errors: those of asking."""
    if plan is None:
        return True
    match export.question:
        case Question.CASE if export.case_id:
            within = systems_seen(actor, readable_case(actor, export.case_id))
        case Question.SUBJECT:
            within = systems_within(actor, act_of(export)).system_ids
        case _:
            return True
    return within is None or within.issuperset(plan.systems)


def _plan_of(export: Export) -> Plan | None:
    work: ExportWork | None = getattr(export, "work", None)
    return Plan.of(work.plan) if work is not None and work.plan is not None else None


def require_may_have_case(actor: Actor, export: Export) -> None:
    assert export.case_id is not None
    case = readable_case(actor, export.case_id)
    if not may(actor, act_of(export), case):
        raise Forbidden()


def require_may_have_decision(actor: Actor, export: Export) -> SealedDecision:
    assert export.decision_id is not None
    decision = decision_by_id(export.decision_id)
    if not may_see(actor, decision):
        raise DecisionNotFound()
    require_unhidden(actor, decision.id)
    if not may_about(actor, act_of(export), decision):
        raise Forbidden()
    return decision


def systems_within(actor: Actor, act: Act) -> Within:
    """Where somebody both finds decisions by subject and takes them out. Errors: `Forbidden` where that is nowhere."""
    exported, searched = rights.systems_where(actor, act), rights.systems_where(actor, Act.DECISION_SEARCH)
    within = exported if searched is None else searched if exported is None else exported & searched
    if within is not None and not within:
        raise Forbidden("You may not look for decisions by subject in any AI system that you may export.")
    return Within(within)


def asker_of(export: Export) -> Actor:
    return Actor("person", export.asked_by_id)


def place_of_export(export: Export) -> Place:
    """Where whoever agrees must hold the right."""
    match export.question:
        case Question.RANGE:
            return _system(export)
        case Question.DECISION if export.decision_id:
            return scope_of(decision_by_id(export.decision_id))
        case Question.CASE if export.case_id:
            return place_of(readable_case(asker_of(export), export.case_id))
    return ORGANISATION


def may_agree(actor: Actor, export: Export) -> bool:
    """Whether somebody may be the second person, were it still open."""
    if not export.parts:
        return False
    try:
        place = place_of_export(export)
    except ServiceError:  # the case or decision is out of whoever asked's reach by now: it can still be refused
        place = ORGANISATION
    return rights.may_approve(actor, Act.EXPORT_PAYLOADS, place, requested_by=export.asked_by_id)


# --- who may know of one ----------------------------------------------------------------------------------------------
def exports_for(actor: Actor) -> QuerySet[Export]:
    """Those that somebody may know of: their own, where they agree to such, and those of AI systems they export."""
    rows = Export.objects.select_related("work")
    if actor.type != "person":
        return rows.none()
    agreed = rights.systems_where(actor, Act.EXPORT_PAYLOADS, approving=True)
    if agreed is None:
        return rows
    own, systems = Q(asked_by_id=actor.id), rights.systems_where(actor, Act.EXPORT_PLAIN)
    of_systems = Q(system_id__isnull=False) if systems is None else Q(system_id__in=systems)
    return rows.filter(own | Q(system_id__in=agreed) | of_systems)


def may_read_words(actor: Actor, export: Export) -> bool:
    """Whether they may read why it was asked for, and whom it is about."""
    own = actor.type == "person" and export.asked_by_id == actor.id
    return own or rights.systems_where(actor, Act.EXPORT_PAYLOADS, approving=True) is None


def may_fetch(actor: Actor, export: Export) -> bool:
    """Whether the file is for them: they asked for it, and may still have it."""
    return actor.type == "person" and export.asked_by_id == actor.id and may_have(actor, export)


def systems_to_ask_for(actor: Actor) -> QuerySet[AISystem]:
    """The AI systems that somebody may export within times, with contents or without."""
    plain, full = rights.systems_where(actor, Act.EXPORT_PLAIN), rights.systems_where(actor, Act.EXPORT_PAYLOADS)
    rows = AISystem.objects.order_by("slug")
    return rows if plain is None or full is None else rows.filter(pk__in=plain | full)


def _system(export: Export) -> Scope:
    assert export.system_id is not None
    return Scope.system(export.system_id)

"""What the demonstration's investigator looks into already: a complaint that was concluded, and a serious incident."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from audit.models import Case
from audit.reach import Reach
from audit.services.attaching import Chosen
from audit.services.cases import open_case
from audit.services.incidents import declare_incident
from audit.services.investigating import add_note, plan_action, record_finding
from governance.models import Person
from governance.rights import as_actor
from overrides.services.case_leads import advance_case, lead_case


@dataclass(frozen=True, slots=True)
class Investigation:
    """Who leads it and had no part in its decisions, who names them, and who carries out what is to change."""

    by: Person
    named_by: Person
    owner: Person


def investigate(of: Investigation, complaint: Sequence[uuid.UUID], harm: Sequence[uuid.UUID]) -> None:
    """The decisions are of one AI system."""
    _complaint(of, complaint)
    _incident(of, harm)


def _complaint(of: Investigation, decisions: Sequence[uuid.UUID]) -> None:
    by, owner = of.by, of.owner
    case = _led(
        of,
        decisions,
        title="Late payment that was the bank's own mistake",
        severity="moderate",
        summary="A customer says by telephone that a late payment of spring is held against them, and was not theirs.",
    )
    actor, about = as_actor(by), case.pk
    add_note(actor=actor, case_id=about, text="The branch confirms: the direct debit was sent twice and came back.")
    record_finding(
        actor=actor,
        case_id=about,
        text="The feature store counts returned debits that the bank itself caused as late payments.",
        severity="moderate",
        root_cause="data",
    )
    _plan(by, owner, case, "correct", "Leave debits out that the bank returned; decide anew on those concerned.", 14)
    advance_case(actor=actor, case_id=about, to=Case.Status.CONCLUDED)


def _incident(of: Investigation, decisions: Sequence[uuid.UUID]) -> None:
    by, owner = of.by, of.owner
    case = _led(
        of,
        decisions,
        title="Applications refused after the income feed broke",
        severity="high",
        summary="For an hour incomes came in as monthly instead of yearly figures. Refusals rose; nobody stopped it.",
    )
    actor, about = as_actor(by), case.pk
    add_note(actor=actor, case_id=about, text="Asked the duty desk for its log of that hour.")
    declare_incident(
        actor=actor,
        case_id=about,
        limbs=["fundamental_rights"],
        awareness_at=timezone.now() - timedelta(days=12),
        narrative="Applications were refused on incomes that were wrong by a factor of twelve.",
        persons_affected=len(decisions),
        use="intended",
        causal_link="likely",
    )
    _plan(by, owner, case, "disable", "Refuse a feed whose incomes differ from last month's by more than half.", 7)


def _led(of: Investigation, decisions: Sequence[uuid.UUID], *, title: str, severity: str, summary: str) -> Case:
    case = open_case(
        actor=as_actor(of.by),
        reach=Reach.of_person(of.by),
        title=title,
        severity=severity,
        summary=summary,
        chosen=Chosen(ids=tuple(decisions)),
    )
    return lead_case(actor=as_actor(of.named_by), case_id=case.pk, person_id=of.by.pk)


def _plan(by: Person, owner: Person, case: Case, kind: str, what: str, days: int) -> None:
    due_on = timezone.localdate() + timedelta(days=days)
    plan_action(actor=as_actor(by), case_id=case.pk, kind=kind, what=what, owner_id=owner.pk, due_on=due_on)

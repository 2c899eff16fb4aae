"""Cases, and the people who work on them, as the product makes them."""

import itertools
from datetime import timedelta
from typing import Any

from django.utils import timezone

from audit.models import Case, CaseAttachment, Incident
from audit.reach import Reach
from audit.selectors import SealedDecision
from audit.services.attaching import Chosen, attach_decisions
from audit.services.cases import open_case
from audit.services.detaching import Taken, detach_decisions
from audit.services.holds import place_span_hold, request_lift
from audit.services.incident_signing import sign_off
from audit.services.incidents import declare_incident, record_notice, record_report, update_incident
from audit.services.investigating import add_note, plan_action, record_finding
from governance.acts import Role
from governance.models import AISystem, Person
from governance.services.assignments import end_assignment
from overrides.services.case_leads import lead_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person

_numbers = itertools.count(1)


def make_case(opener: Person, *systems: AISystem, decisions: list[SealedDecision] | None = None, **rest: Any) -> Case:
    """A case that somebody opened, about these systems or with these decisions; nobody leads it yet."""
    given: dict[str, Any] = {"title": f"Complaint {next(_numbers)}", "severity": "moderate"} | rest
    chosen = Chosen(ids=tuple(each.id for each in decisions)) if decisions else None
    ids = [system.pk for system in systems]
    return open_case(actor=actor_of(opener), reach=Reach.of_person(opener), system_ids=ids, chosen=chosen, **given)


def make_led_case(
    system: AISystem,
    *,
    lead: Person | None = None,
    decisions: list[SealedDecision] | None = None,
    **rest: Any,
) -> tuple[Case, Person]:
    """A case that is investigated, and who leads it."""
    lead = lead or make_person(investigator=True)
    case = make_case(lead, *(() if decisions else (system,)), decisions=decisions, **rest)
    return have_lead(case, lead), lead


def have_lead(case: Case, lead: Person) -> Case:
    """Somebody else names who leads, and has no more to do with it."""
    namer = make_person()
    held = give_role(namer, Role.INVESTIGATOR)
    led = lead_case(actor=actor_of(namer), case_id=case.pk, person_id=lead.pk)
    end_assignment(actor=actor_of(namer), assignment_id=held.pk)
    return led


def attach(case: Case, person: Person, *decisions: SealedDecision, **rest: Any) -> CaseAttachment:
    chosen = Chosen(ids=tuple(each.id for each in decisions))
    reach = Reach.of_person(person)
    return attach_decisions(actor=actor_of(person), reach=reach, case_id=case.pk, chosen=chosen, **rest)


def detach(case: Case, person: Person, *decisions: SealedDecision, why: str = "Not of this.") -> CaseAttachment:
    taken, reach = Taken(ids=tuple(each.id for each in decisions)), Reach.of_person(person)
    return detach_decisions(actor=actor_of(person), reach=reach, case_id=case.pk, taken=taken, why=why)


def find(case: Case, person: Person, **rest: Any) -> Any:
    """A finding that lets the case be concluded."""
    given: dict[str, Any] = {"text": "Income was misread.", "severity": "high", "root_cause": "data"} | rest
    return record_finding(actor=actor_of(person), case_id=case.pk, **given)


def act(case: Case, person: Person, owner: Person, **rest: Any) -> Any:
    """A corrective action of somebody."""
    given: dict[str, Any] = {
        "kind": "correct",
        "what": "Read it again.",
        "due_on": timezone.localdate() + timedelta(days=7),
    } | rest
    return plan_action(actor=actor_of(person), case_id=case.pk, owner_id=owner.pk, **given)


def declare(case: Case, person: Person, **rest: Any) -> Incident:
    """The case is a serious incident."""
    given: dict[str, Any] = {
        "limbs": ["health"],
        "awareness_at": timezone.now(),
        "narrative": "Somebody was hurt.",
    } | rest
    return declare_incident(actor=actor_of(person), case_id=case.pk, **given)


def make_case_with_everything(system: AISystem) -> Case:
    """A row of every table of investigations."""
    one, two = record_decision(system), record_decision(system)
    case, lead = make_led_case(system, decisions=[one])
    actor = actor_of(lead)
    attach(case, lead, two)
    detach(case, lead, two)
    add_note(actor=actor, case_id=case.pk, text="Asked the branch.")
    find(case, lead)
    act(case, lead, lead)
    declare(case, lead, limbs=["death"])
    changed = update_incident(actor=actor, case_id=case.pk, changes={"limbs": ["health"]}, reason="Nobody died.")
    sign_off(actor=actor, case_id=case.pk, stage="initial", revision=changed.revision)
    record_report(actor=actor, case_id=case.pk, stage="initial", reported_at=timezone.now(), receipt="No. 4")
    record_notice(actor=actor, case_id=case.pk, to="provider", told_at=timezone.now(), text="By mail.")
    since = timezone.now() - timedelta(days=1)
    hold = place_span_hold(actor=actor, system_id=system.pk, since=since, until=timezone.now(), reason="A claim.")
    request_lift(actor=actor, hold_id=hold.pk, reason="It is settled.")
    return case

"""Who may know of a case, read it and work on it; and what being in one opens of the record.

A case is somebody's own where they lead it, or hold the role of investigator for it and answer for nothing that it is
about: then they read what was written in it, and the payloads of what is attached, as long as it is not closed. Until
it has a lead, whoever opened it keeps it: an investigator works on it, anybody else attaches and writes notes; neither
reads a payload by it. Who answers for one of its AI systems knows that it is there, what state it is in and what is to
be done, not what was written; the findings once it is concluded.
"""

import uuid
from collections.abc import Collection, Iterable
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from audit.case_conflicts import conflict_of, without_conflict
from audit.case_errors import CaseNotFound
from audit.models import Case, CaseDecision, CorrectiveAction
from config.errors import Forbidden
from governance import rights
from governance.acts import Act, Condition, Role
from governance.models import Assignment, Person
from governance.scopes import AboutCase, Scope
from ledger.entries import Actor

R = TypeVar("R", bound=Model)
OWN = frozenset({Condition.OWN_CASE})
NONE: frozenset[Condition] = frozenset()
CONCLUDED = frozenset({Case.Status.CONCLUDED, Case.Status.CLOSED})


def place_of(case: Case) -> AboutCase:
    return AboutCase(case.pk, frozenset(case.system_ids))


# --- one's own cases --------------------------------------------------------------------------------------------------
def own_cases(actor: Actor) -> QuerySet[Case]:
    """Those that a person was appointed to, or leads: while they investigate one of its AI systems."""
    if actor.type != "person" or actor.id is None:
        return Case.objects.none()
    led, systems = Q(lead_id=actor.id), rights.systems_where(actor, Act.CASE_WORK, given=OWN)
    if systems is not None:
        led &= Q(system_ids__overlap=list(systems))
    return Case.objects.filter(led | Q(pk__in=_appointed(actor)))


def appointed_to(case: Case) -> frozenset[uuid.UUID]:
    """Those who hold the role of investigator for this one case."""
    held = rights.in_force().filter(role=Role.INVESTIGATOR, scope=Assignment.Scope.CASE, case_id=case.pk)
    return frozenset(held.values_list("person_id", flat=True))


def investigators_of(case: Case) -> list[Person]:
    """The lead, and those who were appointed to this case: while they may, the lead first."""
    people = Person.objects.filter(pk__in={*appointed_to(case), case.lead_id})
    return sorted(people, key=lambda person: (person.pk != case.lead_id, person.name))


def investigates(case: Case, person_id: uuid.UUID) -> bool:
    """Whether the role of a lead is theirs: without it they read nothing and work on nothing."""
    return rights.can(Actor("person", person_id), Act.CASE_WORK, place_of(case), given=OWN)


def is_own(actor: Actor, case: Case) -> bool:
    is_lead = actor.type == "person" and case.lead_id is not None and case.lead_id == actor.id
    return is_lead or bool(_appointed(actor, case))


def _appointed(actor: Actor, case: Case | None = None) -> frozenset[uuid.UUID]:
    """The cases for which they hold the role of investigator, and may have it: all of them, or this one."""
    held = rights.in_force().filter(role=Role.INVESTIGATOR, scope=Assignment.Scope.CASE)
    held = held.filter(case_id=case.pk) if case else held
    cases = {each for each in _of_person(held, actor, "person_id").values_list("case_id", flat=True) if each}
    return without_conflict(actor.id, cases) if actor.id and cases else frozenset()


def appointed_cases(actor: Actor) -> frozenset[uuid.UUID]:
    """The open cases that somebody was appointed to: their decisions may be known of, whatever the AI system."""
    appointed = _appointed(actor)
    if not appointed:
        return appointed
    held = Case.objects.filter(pk__in=appointed).exclude(status=Case.Status.CLOSED)
    return frozenset(held.values_list("pk", flat=True))


# --- what somebody may do with one ------------------------------------------------------------------------------------
def may(actor: Actor, act: Act, case: Case) -> bool:
    """Whether somebody may do this in a case, or in one of its AI systems."""
    return rights.can(actor, act, place_of(case), given=OWN if is_own(actor, case) else NONE)


def may_view(actor: Actor, case: Case) -> bool:
    """Whether they may know that it is there: also whoever has something to do because of it."""
    return may(actor, Act.CASE_VIEW, case) or _open_actions(actor).filter(case=case).exists()


def may_work(actor: Actor, case: Case) -> bool:
    return may(actor, Act.CASE_WORK, case) or (_keeps(actor, case) and _might_lead(actor, case))


def may_add(actor: Actor, case: Case) -> bool:
    """Whether they may put decisions in and write notes: also whoever opened it, until somebody leads it."""
    return _keeps(actor, case) or may_work(actor, case)


def may_attach(actor: Actor, system_id: uuid.UUID) -> bool:
    """Whether it is of use to offer somebody to put a decision of this AI system into a case."""
    if rights.can(actor, Act.CASE_OPEN, Scope.system(system_id)):
        return True
    return own_cases(actor).filter(system_ids__contains=[system_id]).exclude(status=Case.Status.CLOSED).exists()


def cases_to_add_to(actor: Actor) -> QuerySet[Case]:
    """The open cases that somebody may put decisions into: ask `may_add` of the one that is chosen."""
    if actor.type != "person" or actor.id is None:
        return Case.objects.none()
    mine = Q(pk__in=own_cases(actor).values("pk")) | Q(opened_by_id=actor.id, lead_id=None)
    return Case.objects.filter(mine).exclude(status=Case.Status.CLOSED)


def may_read(actor: Actor, case: Case) -> bool:
    """Whether they may read what people wrote in it. An auditor must be one of every AI system that it is about."""
    if may_add(actor, case):
        return True
    return all(rights.can(actor, Act.CASE_READ, Scope.system(system_id)) for system_id in case.system_ids)


def readable_among(actor: Actor, cases: Collection[Case]) -> frozenset[uuid.UUID]:
    """The same of many at once: of these cases those that may be read."""
    read, opens = rights.systems_where(actor, Act.CASE_READ), rights.systems_where(actor, Act.CASE_OPEN)
    own = set(own_cases(actor).filter(pk__in=[case.pk for case in cases]).values_list("pk", flat=True))
    is_person = actor.type == "person"

    def keeps(case: Case) -> bool:
        is_there = opens is None or not opens.isdisjoint(case.system_ids)
        return is_person and case.lead_id is None and case.opened_by_id == actor.id and is_there

    return frozenset(
        case.pk for case in cases if case.pk in own or keeps(case) or read is None or read >= set(case.system_ids)
    )


def may_read_findings(actor: Actor, case: Case) -> bool:
    """What was found reaches those who answer for one of the AI systems once the case is concluded."""
    return may_read(actor, case) or (case.status in CONCLUDED and may(actor, Act.CASE_OPEN, case))


def _keeps(actor: Actor, case: Case) -> bool:
    """Whether they opened it, and nobody leads it yet."""
    opened = actor.type == "person" and case.lead_id is None and case.opened_by_id == actor.id
    return opened and rights.can(actor, Act.CASE_OPEN, place_of(case))


def _might_lead(actor: Actor, case: Case) -> bool:
    """Whether they are an investigator there without a conflict, as far as the register knows."""
    return actor.id is not None and investigates(case, actor.id) and not conflict_of(case, actor.id)


def _open_actions(actor: Actor) -> QuerySet[CorrectiveAction]:
    waiting = CorrectiveAction.objects.filter(done_at=None, dropped_at=None)
    return _of_person(waiting, actor, "owner_id")


def _of_person(rows: QuerySet[R], actor: Actor, column: str) -> QuerySet[R]:
    """A service account has no cases and no work to do."""
    if actor.type != "person" or actor.id is None:
        return rows.none()
    return rows.filter(**{column: actor.id})


def visible_cases(actor: Actor) -> QuerySet[Case]:
    """The cases that somebody may know of."""
    if actor.type != "person":
        return Case.objects.none()
    systems = rights.systems_where(actor, Act.CASE_VIEW)
    if systems is None:
        return Case.objects.all()
    mine = Q(pk__in=_appointed(actor)) | Q(pk__in=_open_actions(actor).values("case_id"))
    return Case.objects.filter(mine | Q(system_ids__overlap=list(systems)))


def visible_case(actor: Actor, case_id: uuid.UUID) -> Case:
    """Errors: `CaseNotFound`, the same for one out of sight and for none."""
    case = Case.objects.filter(pk=case_id).first()
    if case is None or not may_view(actor, case):
        raise CaseNotFound()
    return case


def readable_case(actor: Actor, case_id: uuid.UUID) -> Case:
    """Errors: `CaseNotFound`, `Forbidden` where they may know of it and no more."""
    case = visible_case(actor, case_id)
    if not may_read(actor, case):
        raise Forbidden("What is written in a case is for those who work on it.")
    return case


# --- what being in a case opens of the record -------------------------------------------------------------------------
def own_cases_with(actor: Actor, decision_id: uuid.UUID) -> list[uuid.UUID]:
    """The open cases of one's own that have a decision."""
    return open_cases_with(actor, [decision_id]).get(decision_id, [])


def open_cases_with(actor: Actor, decision_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Of each of these decisions the open cases of one's own that have it. One query."""
    if actor.type != "person":
        return {}
    mine = own_cases(actor).exclude(status=Case.Status.CLOSED)
    holding = CaseDecision.current().filter(decision_id__in=decision_ids, case_id__in=mine.values("pk"))
    found: dict[uuid.UUID, list[uuid.UUID]] = {}
    for decision_id, case_id in holding.values_list("decision_id", "case_id"):
        found.setdefault(decision_id, []).append(case_id)
    return found


def systems_seen(actor: Actor, case: Case) -> frozenset[uuid.UUID] | None:
    """The AI systems of a case whose decisions somebody may know of; None: all of them."""
    reach = rights.systems_where(actor, Act.DECISION_VIEW)
    if reach is None or (case.is_open and bool(_appointed(actor, case))):
        return None
    return reach & frozenset(case.system_ids)


def systems_named(actor: Actor, cases: Iterable[Case]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Of each case the AI systems that somebody may be told of: in one's own case all of them. Two queries."""
    found, reach = list(cases), rights.systems_where(actor, Act.SYSTEM_VIEW)
    own = set(own_cases(actor).filter(pk__in=[case.pk for case in found]).values_list("pk", flat=True))
    return {
        case.pk: [each for each in case.system_ids if reach is None or case.pk in own or each in reach]
        for case in found
    }


def systems_by_case(actor: Actor) -> frozenset[uuid.UUID]:
    """The AI systems of which an open case of one's own has decisions: ask for each of them."""
    mine = own_cases(actor).exclude(status=Case.Status.CLOSED).values_list("system_ids", flat=True)
    return frozenset(system_id for system_ids in mine for system_id in system_ids)

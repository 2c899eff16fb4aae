"""What somebody answers for, and what waits for them: their own page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from audit.case_selectors import leaderless_for
from audit.incident_deadlines import awaited
from audit.models import Case, CorrectiveAction, Incident
from audit.restricted_texts import for_reading
from audit.services.leaving import actions_left_by, led_by
from config.errors import FieldProblem
from console.requests import Asked, agreeable
from governance import rights
from governance.acts import Role
from governance.cards.days import CardDay, days_near_for
from governance.models import AISystem, Assignment, Person
from governance.selectors import waiting_for
from governance.services.systems import gaps_of
from notices.models import Alert
from notices.selectors import alerts_for, not_closed
from overrides.models import Appeal, ReviewAssignment
from overrides.selectors import Takeable, appeals_to_decide, my_work, takeable_by
from overrides.standing import Mode
from overrides.switch_selectors import strictest_modes

ANSWERING = (Role.ACCOUNTABLE, Role.DEPUTY)
SHOWN = 20


@dataclass(frozen=True, slots=True)
class AnsweredFor:
    """An AI system, or a part of one, that they answer for, alone or as somebody who stands in."""

    assignment: Assignment
    missing: Sequence[FieldProblem]
    mode: Mode
    delegated: Sequence[Assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What somebody is expected to do."""

    offers: Sequence[Assignment]
    requests: Sequence[tuple[Asked, Person | None, AISystem | None]]
    alerts: Sequence[Alert]
    work: Sequence[ReviewAssignment]
    takeable: Takeable
    appeals: Sequence[Appeal] = field(default_factory=list)
    cases: Sequence[Case] = ()
    """That they lead."""
    leaderless: Sequence[Case] = ()
    """That wait until somebody like them names who leads."""
    actions: Sequence[CorrectiveAction] = ()
    card_days: Sequence[CardDay] = ()
    """Reviews of system cards, and retirements, that are near or have passed."""
    incidents: Sequence[Incident] = ()
    """Of which something is still to be told to an authority: of cases they lead, of AI systems they answer for."""

    @property
    def nothing_else(self) -> bool:
        cases = (self.cases, self.leaderless, self.actions, self.incidents)
        rest = (self.requests, self.alerts, self.work, self.appeals, self.card_days)
        return not (any((*rest, *cases)) or self.takeable.claimable)


def waits_for(person: Person) -> Waiting:
    actor = rights.as_actor(person)
    return Waiting(
        offers=list(waiting_for(person).order_by("id")),
        requests=_with_names(agreeable(person)),
        alerts=list(not_closed(alerts_for(person)).filter(owner_id=person.pk)[:SHOWN]),
        work=list(my_work(person.pk)),
        takeable=takeable_by(actor),
        appeals=appeals_to_decide(actor),
        cases=for_reading(actor, led_by(person.pk)[:SHOWN]),
        leaderless=for_reading(actor, leaderless_for(actor)[:SHOWN]),
        actions=for_reading(actor, actions_left_by(person.pk).order_by("due_on", "pk")[:SHOWN]),
        card_days=days_near_for(person),
        incidents=_incidents(person),
    )


def _incidents(person: Person) -> list[Incident]:
    systems = list(rights.answering().filter(person=person).values_list("system_id", flat=True))
    concerned = Q(case__lead_id=person.pk) | Q(case__system_ids__overlap=systems)
    return list(awaited().filter(concerned)[:SHOWN])


def answered_for(person: Person) -> list[AnsweredFor]:
    """As accountable person first, then as deputy."""
    held = [each for each in _in_force(person) if each.role in ANSWERING and each.system]
    held.sort(key=lambda each: (ANSWERING.index(Role(each.role)), str(each.system)))
    modes = strictest_modes([each.system_id for each in held if each.system_id])
    missing = gaps_of({each.system for each in held if each.system and each.system.status != AISystem.Status.RETIRED})
    return [
        AnsweredFor(
            each,
            missing.get(each.system_id, []) if each.system_id else [],
            modes[each.system_id] if each.system_id else Mode.RUN,
            [
                one
                for one in each.delegations.all()
                if one.status in (Assignment.Status.OFFERED, Assignment.Status.ACCEPTED)
            ],
        )
        for each in held
    ]


def other_roles(person: Person) -> list[Assignment]:
    return [each for each in _in_force(person) if each.role not in ANSWERING]


def _in_force(person: Person) -> list[Assignment]:
    rows = rights.in_force().filter(person=person).select_related("person", "system", "model_version")
    return list(rows.prefetch_related("delegations__person").order_by("role", "accepted_at"))


def _with_names(requests: Sequence[Asked]) -> list[tuple[Asked, Person | None, AISystem | None]]:
    people = Person.objects.in_bulk([each.by for each in requests if each.by])
    systems = AISystem.objects.in_bulk([each.system_id for each in requests if each.system_id])
    return [
        (each, people.get(each.by) if each.by else None, systems.get(each.system_id) if each.system_id else None)
        for each in requests
    ]

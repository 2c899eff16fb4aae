"""Cases at size: putting 50,000 decisions into one by a filter, and opening its page."""

import time

from django.test import Client
from django.urls import reverse

from audit.filters import DecisionFilter
from audit.models import Case
from audit.reach import Reach
from audit.services.attaching import AT_A_TIME, Chosen, attach_decisions
from audit.services.cases import open_case
from benchmarks.bench import Bench
from benchmarks.controlled import give_role
from benchmarks.reading import PAGES, getting, timed
from benchmarks.report import at_most, percentile
from benchmarks.workload import SYSTEM
from governance.acts import Role
from governance.models import AISystem, Person
from governance.rights import as_actor
from governance.scopes import ORGANISATION
from governance.services.people import register_person
from ledger.entries import COMMAND
from overrides.services.case_leads import lead_case

MOST_SECONDS, MOST_MS = 10, 500


def measure(bench: Bench) -> None:
    """As the lead investigator; the accountable person's page counts the same decisions."""
    lead = _investigator("first")
    case, seconds, count = _case_of_many(bench, lead)
    bench.add(at_most(f"{count:,} decisions into a case by a filter", seconds, "s", MOST_SECONDS, "once, sealed"))
    for who, person in (("its lead", lead), ("the accountable person", bench.organisation.person)):
        client = Client(SERVER_NAME="localhost")
        client.force_login(person)
        ask = getting(client, reverse("admin:case", args=[case.pk]), {})
        taken = [timed(ask) for _ in range(PAGES + 1)][1:]
        what = f"page of a case of {count:,} decisions, {who}, p95"
        bench.add(at_most(what, percentile(taken, 95) * 1000, "ms", MOST_MS, f"{PAGES} times"))


def _investigator(name: str) -> Person:
    """One of two: nobody names themself to lead."""
    person = register_person(actor=COMMAND, name=f"Investigator, {name}", email=f"{name}-investigator@example.org")
    give_role(person, Role.INVESTIGATOR, ORGANISATION)
    return person


def _case_of_many(bench: Bench, lead: Person) -> tuple[Case, float, int]:
    """The case, how long putting them in took, and how many they are."""
    system = AISystem.objects.get(slug=SYSTEM)
    actor, reach = as_actor(lead), Reach.of_person(lead)
    opened = open_case(actor=actor, reach=reach, title="At size", severity="low", system_ids=[system.pk])
    case = lead_case(actor=as_actor(_investigator("second")), case_id=opened.pk, person_id=lead.pk)
    started = time.perf_counter()
    chosen = Chosen(asked=DecisionFilter(system_id=system.pk))
    made = attach_decisions(actor=actor, reach=reach, case_id=case.pk, chosen=chosen)
    taken = time.perf_counter() - started
    if made.count != AT_A_TIME and made.is_all is False:
        raise RuntimeError(f"{made.count:,} of more were put in at a time, not {AT_A_TIME:,}")
    return case, taken, made.count

"""What is in a case: attached by ids and by filter, taken out again, counted, held, and never what may not be seen."""

import hashlib
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from audit.case_errors import CaseKeyTaken, NotAttached, NothingToAttach
from audit.case_selectors import CaseFilter, cases_with, decisions_in, facets_of
from audit.errors import DecisionNotFound
from audit.filters import DecisionFilter
from audit.models import Case, CaseAttachment, CaseDecision
from audit.reach import Reach
from audit.search_terms import Terms
from audit.selectors import SealedDecision
from audit.services import attaching
from audit.services.attaching import Chosen, attach_decisions, count_attachable
from audit.services.cases import open_case
from audit.services.disclosure import may_read_payload, may_see, view_payload
from audit.services.searching import may_search_text, search_decisions
from config.errors import Forbidden, InvalidInput
from config.ids import new_id
from evidence.verification import verify_everything
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from tests.evidence.test_tampering import as_owner
from tests.factories.cases import attach, detach, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(accountable=make_person())


def by_filter(case: Case, person: Person, *, reach: Reach | None = None, **asked: Any) -> CaseAttachment:
    chosen = Chosen(asked=DecisionFilter(**asked))
    return attach_decisions(
        actor=actor_of(person), reach=reach or Reach.of_person(person), case_id=case.pk, chosen=chosen
    )


def inside(case: Case) -> set[Any]:
    return set(CaseDecision.current().filter(case_id=case.pk).values_list("decision_id", flat=True))


# --- attaching and detaching ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_new", [True, False])
def test_what_widens_a_case_beyond_a_right_is_refused_before_anything_is_written(
    system: AISystem, monkeypatch: pytest.MonkeyPatch, *, is_new: bool
) -> None:
    foreign = make_system()
    lead = make_person(investigator=system)
    case, _ = make_led_case(system, lead=lead)
    give_role(lead, Role.VIEWER, Scope.system(foreign.pk))
    chosen = Chosen(ids=(record_decision(system).id, record_decision(foreign).id))
    monkeypatch.setattr(attaching, "_put", lambda *given: pytest.fail("wrote decisions"))
    given: dict[str, Any] = {"actor": actor_of(lead), "reach": Reach.of_person(lead), "chosen": chosen}
    with pytest.raises(Forbidden):
        if is_new:
            open_case(**given, title="Of two", severity="low")
        else:
            attach_decisions(**given, case_id=case.pk)


def test_an_attachment_says_how_many_and_commits_to_which(system: AISystem) -> None:
    case, lead = make_led_case(system)
    decisions = [record_decision(system) for _ in range(3)]
    made = attach(case, lead, *decisions)
    digest = hashlib.sha256(b"".join(sorted(each.id.bytes for each in decisions))).hexdigest()
    assert (made.count, made.digest, made.is_all, made.by) == (3, digest, True, "choice")
    assert inside(case) == {each.id for each in decisions}


def test_what_is_in_already_is_not_attached_again(system: AISystem) -> None:
    case, lead = make_led_case(system)
    one, two = record_decision(system), record_decision(system)
    attach(case, lead, one)
    assert attach(case, lead, one, two).count == 1
    with pytest.raises(NothingToAttach):
        attach(case, lead, one, two)
    assert facets_of(case).total == 2


def test_a_double_click_is_one_act(system: AISystem) -> None:
    (case, lead), key, one = make_led_case(system), new_id(), record_decision(system)
    assert attach(case, lead, one, key=key) == attach(case, lead, one, key=key)
    other, _ = make_led_case(system, lead=lead)
    with pytest.raises(CaseKeyTaken):
        attach(other, lead, one, key=key)


def test_a_filter_attaches_what_it_finds(system: AISystem) -> None:
    case, lead = make_led_case(system)
    found = [record_decision(system, outcome="refused") for _ in range(3)]
    record_decision(system, outcome="approved")
    made = by_filter(case, lead, system_id=system.pk, outcome="refused")
    assert (made.count, made.is_all, made.by, made.question) == (
        3,
        True,
        "filter",
        {
            "system_id": str(system.pk),
            "outcome": "refused",
        },
    )
    assert inside(case) == {each.id for each in found}


def test_a_filter_takes_so_many_at_a_time_says_so_and_goes_on(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attaching, "AT_A_TIME", 2)
    case, lead = make_led_case(system)
    decisions = [record_decision(system) for _ in range(3)]
    reach = Reach.of_person(lead)
    count = count_attachable(
        actor=actor_of(lead), reach=reach, asked=DecisionFilter(system_id=system.pk), case_id=case.pk
    )
    assert (count.number, count.is_more) == (2, True)
    first = by_filter(case, lead, system_id=system.pk)
    assert (first.count, first.is_all) == (2, False)
    assert inside(case) == {each.id for each in decisions[1:]}, "the newest come first"
    assert by_filter(case, lead, system_id=system.pk).is_all
    assert inside(case) == {each.id for each in decisions}


def test_a_case_opened_by_filter_holds_what_it_found(system: AISystem) -> None:
    refused = record_decision(system, outcome="refused")
    chosen = Chosen(asked=DecisionFilter(outcome="refused"))
    person = make_person(accountable=system)
    case = attaching_case(person, chosen)
    assert (case.origin, case.system_ids, inside(case)) == ("filter", [system.pk], {refused.id})


def attaching_case(person: Person, chosen: Chosen) -> Case:
    from audit.services.cases import open_case

    actor, reach = actor_of(person), Reach.of_person(person)
    return open_case(actor=actor, reach=reach, title="Refusals", severity="high", chosen=chosen)


def test_a_case_that_would_hold_nothing_is_not_opened(system: AISystem) -> None:
    person = make_person(accountable=system)
    with pytest.raises(NothingToAttach):
        attaching_case(person, Chosen(asked=DecisionFilter(outcome="never-said")))
    assert not Case.objects.exists() and not CaseDecision.objects.exists()


def test_what_was_taken_out_can_come_back_and_counts_are_those_of_what_is_in(system: AISystem) -> None:
    case, lead = make_led_case(system)
    one, two = record_decision(system, outcome="refused"), record_decision(system)
    attach(case, lead, one, two)
    taken = detach(case, lead, one)
    assert (taken.act, taken.count, taken.digest) == ("detached", 1, hashlib.sha256(one.id.bytes).hexdigest())
    assert inside(case) == {two.id} and dict(facets_of(case).outcomes) == {"approved": 1}
    attach(case, lead, one)
    assert inside(case) == {one.id, two.id} and facets_of(case).total == 2
    detach(case, lead, one)
    with pytest.raises(NotAttached):
        detach(case, lead, one, two)
    assert inside(case) == {two.id}, "all or none"


def test_taking_out_needs_a_reason(system: AISystem) -> None:
    case, lead = make_led_case(system)
    one = record_decision(system)
    attach(case, lead, one)
    with pytest.raises(InvalidInput):
        detach(case, lead, one, why=" ")


def test_too_many_ids_at_once_are_refused_as_such(system: AISystem) -> None:
    case, lead = make_led_case(system)
    chosen = Chosen(ids=tuple(new_id() for _ in range(1001)))
    with pytest.raises(InvalidInput):
        attach_decisions(actor=actor_of(lead), reach=Reach.of_person(lead), case_id=case.pk, chosen=chosen)


# --- what may not be seen ---------------------------------------------------------------------------------------------
def test_nothing_out_of_reach_is_attached_and_one_such_id_stops_the_act(system: AISystem) -> None:
    foreign, lead = make_system(), make_person(investigator=system)
    case, _ = make_led_case(system, lead=lead)
    mine, theirs = record_decision(system, outcome="refused"), record_decision(foreign, outcome="refused")
    with pytest.raises(DecisionNotFound):
        attach(case, lead, mine, theirs)
    assert inside(case) == set()
    assert by_filter(case, lead, outcome="refused").count == 1
    assert inside(case) == {mine.id}
    with pytest.raises(NothingToAttach):
        by_filter(case, lead, system_id=foreign.pk)


def test_what_somebody_judges_blind_is_not_there_for_them(system: AISystem) -> None:
    case, lead = make_led_case(system)
    one, two = record_decision(system), record_decision(system)
    blind = Reach.of_person(lead, hidden=frozenset({one.id}))
    with pytest.raises(DecisionNotFound):
        attach_decisions(actor=actor_of(lead), reach=blind, case_id=case.pk, chosen=Chosen(ids=(one.id,)))
    by_filter(case, lead, reach=blind, system_id=system.pk)
    assert inside(case) == {two.id}


def test_a_case_opens_payloads_to_its_investigators_alone_and_as_long_as_it_is_open(system: AISystem) -> None:
    inside_it, outside = record_decision(system), record_decision(system)
    case, lead = make_led_case(system, decisions=[inside_it])
    other = make_person(investigator=True)
    assert may_read_payload(actor_of(lead), inside_it)
    assert not may_read_payload(actor_of(lead), outside)
    assert not may_read_payload(actor_of(other), inside_it)
    assert view_payload(actor=actor_of(lead), decision=inside_it)
    with pytest.raises(Forbidden):
        view_payload(actor=actor_of(other), decision=inside_it)
    detach(case, lead, inside_it)
    assert not may_read_payload(actor_of(lead), inside_it)


def test_a_closed_case_opens_nothing(system: AISystem) -> None:
    decision = record_decision(system)
    case, lead = make_led_case(system, decisions=[decision])
    Case.objects.filter(pk=case.pk).update(status="closed", closed_at=timezone.now(), concluded_at=timezone.now())
    assert not may_read_payload(actor_of(lead), decision)


def test_who_is_appointed_to_a_case_sees_its_decisions_and_no_others(system: AISystem) -> None:
    mine, other = record_decision(system), record_decision(system)
    case, _ = make_led_case(system, decisions=[mine])
    person = make_person()
    give_role(person, Role.INVESTIGATOR, Scope.case(case.pk))
    assert may_see(actor_of(person), mine) and may_read_payload(actor_of(person), mine)
    assert not may_see(actor_of(person), other) and not may_read_payload(actor_of(person), other)


def test_a_right_in_one_system_opens_no_payload_of_another_in_the_same_case(system: AISystem) -> None:
    second = make_system()
    theirs = record_decision(second)
    lead = make_person(investigator=system)
    case, _ = make_led_case(system, lead=lead)
    attach(case, make_all_round(case), theirs)
    assert not may_read_payload(actor_of(lead), theirs)


def test_an_investigator_searches_payloads_of_their_own_cases_alone(system: AISystem) -> None:
    inside_it, outside = (record_decision(system, parts={"input": {"note": "zebra"}}) for _ in range(2))
    case, lead = make_led_case(system, decisions=[inside_it])
    other = make_person(investigator=True)
    assert may_search_text(actor_of(lead)) and not may_search_text(actor_of(other))
    assert ids(searched(lead)) == [inside_it.id]
    with pytest.raises(Forbidden):
        searched(other)
    attach(case, lead, outside)
    assert set(ids(searched(lead))) == {inside_it.id, outside.id}


def searched(person: Person) -> list[SealedDecision]:
    within = DecisionFilter(since=timezone.now() - timedelta(days=1))
    reach, terms = Reach.of_person(person), Terms(text="zebra")
    return search_decisions(actor=actor_of(person), reach=reach, terms=terms, within=within).items


def make_all_round(case: Case) -> Person:
    person = make_person(investigator=True)
    give_role(person, Role.INVESTIGATOR, Scope.case(case.pk))
    return person


# --- reading ----------------------------------------------------------------------------------------------------------
def test_who_was_accountable_then_is_counted_not_who_is_now() -> None:
    first, second = make_person(), make_person()
    system = make_system(accountable=first)
    old = record_decision(system)
    first.assignments.update(status="ended")
    give_role(second, Role.ACCOUNTABLE, Scope.system(system.pk))
    first.assignments.all()
    case, _ = make_led_case(system, decisions=[old])
    assert dict(facets_of(case).accountable) == {(first.pk, False): 1}


def test_the_decisions_of_a_case_are_paged_narrowed_and_limited_to_what_may_be_seen(system: AISystem) -> None:
    second = make_system()
    decisions = [record_decision(system, outcome="refused") for _ in range(3)] + [record_decision(second)]
    case, _ = make_led_case(system, decisions=decisions)
    page = decisions_in(case, limit=3)
    rest = decisions_in(case, limit=3, cursor=page.next_cursor)
    assert ids(page.items) + ids(rest.items) == ids(decisions[::-1])
    assert len(decisions_in(case, within=CaseFilter(outcome="refused")).items) == 3
    assert ids(decisions_in(case, systems=[second.pk]).items) == [decisions[3].id]
    assert len(decisions_in(case, hidden=frozenset({decisions[0].id})).items) == 3
    assert facets_of(case, [second.pk]).total == 1


def ids(decisions: list[SealedDecision]) -> list[Any]:
    return [each.id for each in decisions]


def test_the_cases_of_a_decision_are_told_to_those_who_may_know(system: AISystem) -> None:
    decision = record_decision(system)
    case, lead = make_led_case(system, decisions=[decision])
    for person in (lead, make_person(accountable=system), make_person(auditor=True), make_person(dpo=True)):
        assert cases_with(actor_of(person), decision.id) == [case]
    for person in (make_person(viewer=True), make_person(operator=system), make_person(administrator=True)):
        assert cases_with(actor_of(person), decision.id) == []


# --- at once, and behind our back -------------------------------------------------------------------------------------
@pytest.mark.committing
def test_two_who_attach_the_same_at_once_attach_it_once(transactional_db: None) -> None:
    system = make_system()
    case, lead = make_led_case(system)
    decisions = [record_decision(system) for _ in range(5)]
    results: list[object] = []

    def work() -> None:
        try:
            results.append(attach(case, lead, *decisions).count)
        except NothingToAttach:
            results.append(0)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, results)) == ["0", "0", "0", "5"]
    assert facets_of(case).total == 5


@pytest.mark.committing
def test_verification_finds_a_decision_put_into_a_case_or_out_of_it_by_sql(
    transactional_db: None, keeper_url: str
) -> None:
    system = make_system()
    case, lead = make_led_case(system)
    one, two = record_decision(system), record_decision(system)
    attach(case, lead, one)
    detach(case, lead, one)
    attach(case, lead, one)
    assert list(verify_everything()) == []
    with as_owner(keeper_url) as cursor:
        for table in ("audit_casedecision", "audit_casedetachment"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in (
            f"UPDATE audit_casedecision SET decision_id = '{two.id}'",
            "UPDATE audit_casedecision SET recorded_at = recorded_at + interval '1 s'",
            f"UPDATE audit_casedecision SET case_id = '{new_id()}'",
            f"UPDATE audit_casedecision SET system_id = '{new_id()}'",
            "INSERT INTO audit_casedecision (attachment_id, decision_id, case_id, system_id, recorded_at)"
            f" SELECT attachment_id, '{two.id}', case_id, system_id, recorded_at"
            " FROM audit_casedecision LIMIT 1",
            "DELETE FROM audit_casedetachment",
            f"UPDATE audit_casedetachment SET decision_id = '{two.id}'",
        ):
            cursor.execute("SAVEPOINT edit")
            cursor.execute(statement)
            codes = {each.code for each in verify_everything()}
            assert {"case-miscounted", "case-decision-altered"} & codes, statement
            cursor.execute("ROLLBACK TO edit")


def test_the_application_can_neither_change_nor_delete_what_was_attached(system: AISystem) -> None:
    from django.db import DatabaseError, transaction

    case, lead = make_led_case(system)
    attach(case, lead, record_decision(system))
    for statement in ("UPDATE audit_casedecision SET system_id = system_id", "DELETE FROM audit_casedecision"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

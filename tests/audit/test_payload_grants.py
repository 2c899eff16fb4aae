"""Reading payloads by a grant: asked for with a last day, agreed to by somebody else, over when its day is."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from audit.errors import GrantNotFound, GrantNotOpen
from audit.filters import DecisionFilter
from audit.kinds import GRANT_ENDED, GRANT_REFUSED, GRANT_REQUESTED, GRANT_WITHDRAWN, PAYLOADS_GRANTED
from audit.models import PayloadGrant
from audit.payload_grants import grants_for
from audit.reach import Reach
from audit.search_terms import Terms
from audit.selectors import SealedDecision
from audit.services.disclosure import may_read_payload, view_payload
from audit.services.payload_grants import (
    approve_grant,
    end_grant,
    end_grants_of,
    refuse_grant,
    request_grant,
    withdraw_grant,
)
from audit.services.searching import search_decisions
from config.errors import Forbidden, InvalidInput
from governance.acts import Role
from governance.errors import ApprovalForbidden, RequestVoid, SystemNotFound
from governance.models import AISystem, Assignment, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import end_assignment
from ledger.entries import COMMAND
from ledger.models import Entry
from ledger.sealing import sealing
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
Status = PayloadGrant.Status
GRANTS = "/admin/audit/payloadgrant/"


@pytest.fixture
def system() -> AISystem:
    return make_system(accountable=make_person())


@pytest.fixture
def auditor() -> Person:
    return make_person(auditor=True)


@pytest.fixture
def dpo() -> Person:
    return make_person(dpo=True)


def ask(person: Person, system: AISystem, *, days: float = 7, **given: Any) -> PayloadGrant:
    values: dict[str, Any] = {"reason": "The yearly audit.", "ends_at": timezone.now() + timedelta(days=days)}
    return request_grant(actor=actor_of(person), system_id=system.pk, **(values | given))


def granted(person: Person, dpo: Person, system: AISystem, **given: Any) -> PayloadGrant:
    return approve_grant(actor=actor_of(dpo), grant_id=ask(person, system, **given).pk)


def may_read(person: Person, decision: SealedDecision) -> bool:
    return may_read_payload(actor_of(person), decision)


def as_if_asked_for_before(grant: PayloadGrant, days: int) -> None:
    """Its last day is over then."""
    earlier = timedelta(days=days)
    PayloadGrant.objects.filter(pk=grant.pk).update(
        requested_at=grant.requested_at - earlier, ends_at=grant.ends_at - earlier
    )


def kinds() -> list[str]:
    return list(Entry.objects.filter(kind__startswith="payloads.").order_by("id").values_list("kind", flat=True))


# --- what it opens ----------------------------------------------------------------------------------------------------
def test_an_auditor_reads_by_a_grant_and_only_by_one(system: AISystem, auditor: Person, dpo: Person) -> None:
    decision, foreign = record_decision(system), record_decision(make_system())
    assert not may_read(auditor, decision)
    grant = ask(auditor, system)
    assert not may_read(auditor, decision), "asking opens nothing"
    approve_grant(actor=actor_of(dpo), grant_id=grant.pk)
    assert may_read(auditor, decision)
    assert not may_read(auditor, foreign)
    assert not may_read(make_person(auditor=True), decision), "it is for one person"
    assert view_payload(actor=actor_of(auditor), decision=decision)
    assert Entry.objects.filter(kind="payload.viewed", about_id=decision.id).count() == 1
    assert kinds() == [GRANT_REQUESTED.name, PAYLOADS_GRANTED.name]


def test_an_investigator_reads_by_a_grant_beyond_their_cases(system: AISystem, dpo: Person) -> None:
    decision, investigator = record_decision(system), make_person(investigator=True)
    granted(investigator, dpo, system)
    assert may_read(investigator, decision)


def test_it_covers_its_span_alone(system: AISystem, auditor: Person, dpo: Person) -> None:
    now = timezone.now()
    old, recent = record_decision(system, at=now - timedelta(days=40)), record_decision(system)
    granted(auditor, dpo, system, since=now - timedelta(days=50), until=now - timedelta(days=30))
    assert may_read(auditor, old)
    assert not may_read(auditor, recent)


def test_a_search_looks_into_what_a_grant_covers_and_counts_the_rest_as_barred(
    system: AISystem, auditor: Person, dpo: Person
) -> None:
    parts, now = {"input": "needle", "output": 1}, timezone.now()
    old, _ = (record_decision(system, at=now - timedelta(days=days), parts=parts) for days in (40, 1))
    granted(auditor, dpo, system, since=now - timedelta(days=50), until=now - timedelta(days=30))
    page = search_decisions(
        actor=actor_of(auditor),
        reach=Reach.of_person(auditor),
        terms=Terms(text="needle"),
        within=DecisionFilter(since=now - timedelta(days=60)),
    )
    assert ([each.id for each in page.items], page.run.scanned, page.run.barred) == ([old.id], 2, 1)


def test_it_is_over_on_its_day(system: AISystem, auditor: Person, dpo: Person) -> None:
    decision = record_decision(system)
    grant = granted(auditor, dpo, system, days=2)
    assert may_read(auditor, decision)
    as_if_asked_for_before(grant, days=2)
    assert not may_read(auditor, decision)


def test_it_is_worth_nothing_without_the_role(system: AISystem, auditor: Person, dpo: Person) -> None:
    decision = record_decision(system)
    granted(auditor, dpo, system)
    end_assignment(actor=COMMAND, assignment_id=Assignment.objects.get(person=auditor).pk)
    assert not may_read(auditor, decision)
    give_role(auditor, Role.VIEWER)
    assert not may_read(auditor, decision), "another role does not bring it back"


# --- who asks, who agrees ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER, Role.OPERATOR, Role.TECHNICAL_OWNER, Role.DEPUTY])
def test_others_do_not_ask(system: AISystem, role: Assignment.Role) -> None:
    with pytest.raises(Forbidden):
        ask(give_role(make_person(), role, Scope.system(system.pk)).person, system)


def test_nobody_agrees_to_their_own(system: AISystem) -> None:
    both = make_person(auditor=True, dpo=True)
    grant = ask(both, system)
    with pytest.raises(ApprovalForbidden):
        approve_grant(actor=actor_of(both), grant_id=grant.pk)
    assert not may_read(make_person(), record_decision(system))


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.AUDITOR, Role.APPROVER, Role.INVESTIGATOR])
def test_only_a_data_protection_officer_agrees(system: AISystem, auditor: Person, role: Assignment.Role) -> None:
    grant, other = ask(auditor, system), give_role(make_person(), role, ORGANISATION).person
    for act in (approve_grant, refuse_grant, end_grant):
        with pytest.raises(GrantNotFound):
            act(actor=actor_of(other), grant_id=grant.pk)


def test_a_request_of_whoever_lost_the_role_is_void(system: AISystem, auditor: Person, dpo: Person) -> None:
    grant = ask(auditor, system)
    end_assignment(actor=COMMAND, assignment_id=Assignment.objects.get(person=auditor).pk)
    with pytest.raises(RequestVoid):
        approve_grant(actor=actor_of(dpo), grant_id=grant.pk)


def test_a_request_whose_day_is_over_is_void(system: AISystem, auditor: Person, dpo: Person) -> None:
    grant = ask(auditor, system, days=1)
    as_if_asked_for_before(grant, days=1)
    with pytest.raises(RequestVoid):
        approve_grant(actor=actor_of(dpo), grant_id=grant.pk)


# --- its life ---------------------------------------------------------------------------------------------------------
def test_it_is_refused_withdrawn_or_ended_and_each_is_sealed(system: AISystem, auditor: Person, dpo: Person) -> None:
    refused = refuse_grant(actor=actor_of(dpo), grant_id=ask(auditor, system).pk, answer="Too broad.")
    taken_back = withdraw_grant(actor=actor_of(auditor), grant_id=ask(auditor, system).pk)
    by_dpo = end_grant(actor=actor_of(dpo), grant_id=granted(auditor, dpo, system).pk, reason="The audit is over.")
    by_holder = end_grant(actor=actor_of(auditor), grant_id=granted(auditor, dpo, system).pk)
    assert [each.status for each in (refused, taken_back, by_dpo, by_holder)] == [
        Status.REFUSED, Status.WITHDRAWN, Status.ENDED, Status.ENDED,
    ]  # fmt: skip
    assert not may_read(auditor, record_decision(system))
    ended = [GRANT_REQUESTED.name, PAYLOADS_GRANTED.name, GRANT_ENDED.name]
    assert kinds() == [
        GRANT_REQUESTED.name, GRANT_REFUSED.name, GRANT_REQUESTED.name, GRANT_WITHDRAWN.name, *ended, *ended,
    ]  # fmt: skip


def test_what_is_over_stays_over(system: AISystem, auditor: Person, dpo: Person) -> None:
    grant = refuse_grant(actor=actor_of(dpo), grant_id=ask(auditor, system).pk)
    for act, actor in ((approve_grant, dpo), (refuse_grant, dpo), (withdraw_grant, auditor), (end_grant, auditor)):
        with pytest.raises(GrantNotOpen):
            act(actor=actor_of(actor), grant_id=grant.pk)


def test_the_next_request_takes_the_place_of_the_one_that_waits(system: AISystem, auditor: Person) -> None:
    first, second = ask(auditor, system), ask(auditor, system, reason="Better said.")
    first.refresh_from_db()
    assert (first.status, second.status) == (Status.WITHDRAWN, Status.REQUESTED)


@pytest.mark.django_db(transaction=True)
def test_of_two_requests_at_once_one_waits(system: AISystem, auditor: Person) -> None:
    def once(n: int) -> uuid.UUID:
        try:
            return ask(auditor, system, reason=f"No. {n}").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(once, range(4)))
    assert len(made) == 4
    assert PayloadGrant.objects.filter(status=Status.REQUESTED).count() == 1


def test_who_leaves_reads_nothing_any_more(system: AISystem, auditor: Person, dpo: Person) -> None:
    other = make_system()
    granted(auditor, dpo, system)
    ask(auditor, other)
    with sealing() as seal:
        assert end_grants_of(seal, COMMAND, auditor.pk) == 2
    assert set(PayloadGrant.objects.values_list("status", flat=True)) == {Status.ENDED, Status.WITHDRAWN}
    assert not may_read(auditor, record_decision(system))


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"reason": "  "}, "/reason"),
        ({"reason": "x" * 20_001}, "/reason"),
        ({"reason": "a\0b"}, "/reason"),
        ({"days": 91}, "/ends_at"),
        ({"days": -1}, "/ends_at"),
        ({"since": datetime.fromisoformat("2026-03-02T00:00Z"), "until": datetime.fromisoformat("2026-03-02T00:00Z")},
         "/until"),
    ],
)  # fmt: skip
def test_what_is_not_right_is_said(system: AISystem, auditor: Person, given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ask(auditor, system, **given)
    assert [each.pointer for each in refusal.value.errors] == [pointer]
    assert not PayloadGrant.objects.exists()


def test_of_a_system_that_is_not_there(auditor: Person) -> None:
    with pytest.raises(SystemNotFound):
        request_grant(
            actor=actor_of(auditor), system_id=uuid.uuid4(), ends_at=timezone.now() + timedelta(days=1), reason="x"
        )


@pytest.mark.parametrize(
    "forged",
    [
        {"status": "granted"},
        {"status": "ended"},
        {"ends_at": timezone.now() - timedelta(days=99)},
        {"decided_by_id": uuid.UUID(int=1)},
    ],
    ids=lambda forged: next(iter(forged)) + "-" + str(next(iter(forged.values())))[:7],
)
def test_the_database_refuses_what_no_service_writes(system: AISystem, auditor: Person, forged: dict[str, Any]) -> None:
    grant = ask(auditor, system)
    with pytest.raises(IntegrityError), transaction.atomic():
        PayloadGrant.objects.filter(pk=grant.pk).update(**forged)


# --- pages and API ----------------------------------------------------------------------------------------------------
def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_asked_for_from_a_decision_and_agreed_to_on_its_page(system: AISystem, auditor: Person, dpo: Person) -> None:
    decision, client = record_decision(system), browser(auditor)
    add = f"{GRANTS}add/?system={system.pk}"
    assert add in client.get(f"/admin/decisions/{decision.id}/").content.decode()
    assert client.get(add).status_code == 200
    day = timezone.now() + timedelta(days=7)
    form = {"system": system.pk, "reason": "The audit.", "ends_at_0": f"{day:%Y-%m-%d}", "ends_at_1": "12:00:00"}
    form |= {"since_0": "", "since_1": "", "until_0": "", "until_1": ""}
    assert client.post(add, form).status_code == 302
    [grant] = PayloadGrant.objects.all()
    assert f"{GRANTS}{grant.pk}/change/" in browser(dpo).get("/admin/mine/").content.decode()
    assert "waits for a data protection officer" in client.get(GRANTS).content.decode()
    assert browser(dpo).post(f"{GRANTS}{grant.pk}/approve/").status_code == 302
    assert may_read(auditor, decision)


def test_a_grant_out_of_reach_looks_like_none(system: AISystem, auditor: Person) -> None:
    grant, other = ask(auditor, system), make_person(auditor=True)
    assert not grants_for(actor_of(other)).exists()
    there, nowhere = (browser(other).get(f"{GRANTS}{pk}/change/") for pk in (grant.pk, uuid.uuid4()))
    assert there.status_code == nowhere.status_code
    assert "The yearly audit." not in browser(other).get(GRANTS).content.decode()

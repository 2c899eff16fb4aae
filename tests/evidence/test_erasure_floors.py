"""Floors and legal holds before an erasure: what is inside one is restricted, what is under the other waits."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.errors import PayloadRestricted
from audit.filters import DecisionFilter
from audit.models import ErasureRequest, ErasureScan, Payload, Restriction
from audit.reach import Reach
from audit.restrictions import restricted_among
from audit.search_terms import Terms
from audit.selectors import SealedDecision
from audit.services.disclosure import may_read_payload, view_payload
from audit.services.holds import approve_lift, place_hold, request_lift
from audit.services.searching import search_decisions
from config.errors import Forbidden
from evidence.erasure.reading import standing_of
from evidence.services.erasure_runs import run_erasures
from evidence.verification import verify_everything
from governance.models import AISystem
from ledger.models import Entry
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreed, agreeing, erased, long_ago, no_floor, officer
from tests.factories.purging import hold_over
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


def kinds(request: ErasureRequest) -> list[str]:
    about = [request.pk, *request.consents.values_list("pk", flat=True)]
    rows = Entry.objects.filter(about_id__in=about).exclude(kind="erasure.performed").order_by("id")
    return list(rows.values_list("kind", flat=True))


def said(kind: str) -> list[dict[str, Any]]:
    rows = Entry.objects.filter(kind=kind).order_by("id")
    return [json.loads(bytes(row.data))["body"] for row in rows]


# --- floors: restricted -----------------------------------------------------------------------------------------------
def restricted(system: AISystem) -> tuple[SealedDecision, ErasureRequest]:
    decision = record_decision(system, subject="c-1907", parts={"input": "needle", "output": 1})
    return decision, erased(kind="subject", subject="c-1907")


def test_inside_a_floor_it_is_restricted_and_scheduled(system: AISystem) -> None:
    decision, request = restricted(system)
    assert request.status == "scheduled"
    assert Payload.objects.get(pk=decision.id).secret is not None
    assert restricted_among([decision.id]) == {decision.id}
    (counted,) = said("erasure.restricted")
    assert counted["with"]["count"] == 1 and counted["about"] == str(request.pk)
    standing = standing_of(request)
    assert standing.restricted == 1 and standing.waits_until
    assert standing.waits_until - decision.recorded_at == timedelta(days=190)
    assert list(verify_everything()) == []


def test_what_is_restricted_a_data_protection_officer_alone_reads(system: AISystem) -> None:
    decision, _ = restricted(system)
    owner, dpo = agreeing(system), officer()
    with pytest.raises(PayloadRestricted):
        view_payload(actor=actor_of(owner), decision=decision)
    assert not may_read_payload(actor_of(owner), decision)
    assert [each.name for each in view_payload(actor=actor_of(dpo), decision=decision)][:1] == ["input"]
    with pytest.raises(Forbidden):
        view_payload(actor=actor_of(make_person(viewer=True)), decision=decision)


@pytest.mark.parametrize(
    "terms", [Terms(subject="c-1907"), Terms(text="needle"), Terms(subject="c-1907", text="needle")]
)
def test_what_is_restricted_is_found_by_nobody_else(system: AISystem, terms: Terms) -> None:
    decision, _ = restricted(system)
    found = {}
    for name, person in (("owner", agreeing(system)), ("dpo", officer())):
        page = search_decisions(
            actor=actor_of(person), reach=Reach.of_person(person), terms=terms, within=DecisionFilter()
        )
        found[name] = [each.id for each in page.items]
    assert found == {"owner": [], "dpo": [decision.id]}


def test_when_the_floor_is_over_it_is_announced_anew_and_then_erased(system: AISystem) -> None:
    decision, request = restricted(system)
    no_floor(system)
    assert run_erasures(seconds=SECONDS) == 0
    request.refresh_from_db()
    assert request.status == "scheduled", "it was looked at a moment ago"
    ErasureRequest.objects.filter(pk=request.pk).update(looked_at=None)
    with long_ago():
        run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "waiting" and kinds(request).count("erasure.announced") == 2
    assert Payload.objects.get(pk=decision.id).secret is not None
    run_erasures(seconds=SECONDS)
    assert Payload.objects.get(pk=decision.id).secret is None
    assert restricted_among([decision.id]) == frozenset()


def test_of_some_inside_and_some_outside_the_floor_those_outside_go(system: AISystem) -> None:
    old = record_decision(system, at=timezone.now() - timedelta(days=200), subject="c-1907")
    young = record_decision(system, subject="c-1907")
    request = erased(kind="subject", subject="c-1907")
    assert request.status == "scheduled"
    assert Payload.objects.get(pk=old.id).secret is None
    assert Payload.objects.get(pk=young.id).secret is not None
    assert set(Restriction.objects.values_list("decision_id", flat=True)) == {young.id}


# --- legal holds ------------------------------------------------------------------------------------------------------
def test_what_a_hold_covers_waits_and_is_not_restricted(system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    hold = hold_over(system)
    request = erased(kind="subject", subject="c-1907")
    assert request.status == "scheduled"
    assert Payload.objects.get(pk=decision.id).secret is not None
    assert restricted_among([decision.id]) == frozenset(), "those who investigate read it"
    assert standing_of(request).held == 1
    asks = make_person(investigator=True)
    request_lift(actor=actor_of(asks), hold_id=hold.pk, reason="Settled.")
    approve_lift(actor=actor_of(officer()), hold_id=hold.pk)
    ErasureRequest.objects.filter(pk=request.pk).update(looked_at=None)
    with long_ago():
        run_erasures(seconds=SECONDS)
    run_erasures(seconds=SECONDS)
    assert Payload.objects.get(pk=decision.id).secret is None


def test_however_much_is_held_each_run_goes_on_behind_it(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that have time for one slice: what is held is passed by once, not by each of them."""
    monkeypatch.setattr("evidence.services.erasure_runs.DECISIONS_AT_ONCE", 1)
    no_floor(system)
    held = [record_decision(system, subject="c-1907") for _ in range(4)]
    free = record_decision(system, subject="c-1907")
    case, lead = make_led_case(system, decisions=held)
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    request = agreed(kind="subject", subject="c-1907")
    for _ in range(30):
        run_erasures(seconds=0.0)
        request.refresh_from_db()
        if request.status == "scheduled":
            break
    assert request.status == "scheduled", "it never came to its end"
    assert Payload.objects.get(pk=free.id).secret is None
    assert all(Payload.objects.get(pk=each.id).secret is not None for each in held)
    assert ErasureScan.objects.get(request=request).walk == {}, "the next look begins anew"


def test_a_hold_on_a_case_keeps_what_was_ever_in_it(system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    case, lead = make_led_case(system, decisions=[decision])
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    erased(kind="subject", subject="c-1907")
    assert Payload.objects.get(pk=decision.id).secret is not None

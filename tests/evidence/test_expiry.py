"""A decision's page and its answer over the API say when its contents go by themselves, by which class and why."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.expiry import Expiry, Fate, expiry_of
from audit.models import Case, RetentionClass
from audit.models.retention import LEGAL_SOURCE
from audit.restrictions import is_restricted
from audit.selectors import SealedDecision, payload_sizes
from audit.services.holds import place_hold
from evidence.services.purges import announce_purge, hold_purge
from governance import memory
from governance.acts import Role
from governance.models import AISystem, Person, ServiceKey
from governance.scopes import ORGANISATION
from ledger.entries import Actor
from tests.factories.cases import make_led_case
from tests.factories.erasing import agreeing, erase, erased, officer, put_in_force
from tests.factories.purging import hold, old, purged
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def viewer() -> Person:
    """Sees decisions, and neither payloads nor holds nor retention."""
    person = make_person()
    give_role(person, Role.VIEWER, ORGANISATION)
    return person


def found(decision: SealedDecision, actor: Actor | None = None) -> Expiry:
    is_gone = payload_sizes(decision.id) is None
    actor = actor or actor_of(officer())
    return expiry_of(actor, decision, is_gone=is_gone, is_restricted=is_restricted(decision.id))


def page(person: Person, decision: SealedDecision) -> str:
    client = Client()
    client.force_login(person)
    answer = client.get(f"/admin/decisions/{decision.id}/")
    assert answer.status_code == 200
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", text)


def answered(system: AISystem, decision: SealedDecision) -> dict[str, Any]:
    """As a key that reads decisions is told."""
    account = make_account(slug=f"reader-{uuid.uuid4().hex[:8]}")
    key = make_key(system, account=account, scopes=[ServiceKey.Scope.DECISIONS_READ])
    memory.refresh()
    answer = Client().get(f"/api/v1/decisions/{decision.id}", headers={"Authorization": f"Bearer {key.text}"})
    assert answer.status_code == 200, answer.content
    retention: dict[str, Any] = answer.json()["retention"]
    return retention


# --- its time runs ----------------------------------------------------------------------------------------------------
def test_without_a_class_nothing_goes_by_itself(system: AISystem, viewer: Person) -> None:
    decision = record_decision(system)
    expiry = found(decision)
    assert (expiry.fate, expiry.ends_at, expiry.class_id) == (Fate.ENDLESS, None, None)
    assert (expiry.floor_days, expiry.floor_source) == (190, LEGAL_SOURCE)
    text = page(viewer, decision)
    assert "Kept without an end" in text and "do not go by themselves" in text and LEGAL_SOURCE in text
    said = answered(system, decision)
    assert (said["fate"], said["ends_at"], said["class_id"]) == ("endless", None, None)


def test_it_says_around_when_it_goes_by_which_class_and_why(system: AISystem, viewer: Person) -> None:
    rule = put_in_force("payloads", system, floor=10, ceiling=400)
    decision = record_decision(system)
    expiry = found(decision)
    assert expiry.fate == Fate.RUNNING
    assert expiry.ends_at == decision.recorded_at + timedelta(days=400)
    assert expiry.floor_ends_at == decision.recorded_at + timedelta(days=10)
    text = page(viewer, decision)
    assert "Kept until about" in text and "go by themselves around" in text
    assert "10 to 400" in text and "Of tests." in text and "Testing." in text
    said = answered(system, decision)
    assert (said["fate"], said["class_id"], said["purpose"]) == ("running", str(rule.retention_class_id), "Testing.")


def test_the_class_of_another_ai_system_counts_for_none_of_it(system: AISystem) -> None:
    put_in_force("payloads", make_system(slug="other", accountable=make_person()), ceiling=10)
    put_in_force("payloads", system, floor=5, ceiling=None)
    expiry = found(old(system))
    assert (expiry.fate, expiry.floor_days, expiry.class_name) == (Fate.ENDLESS, 5, "5 to None")


def test_what_people_wrote_and_letters_have_a_time_of_their_own(system: AISystem, viewer: Person) -> None:
    put_in_force("people_said", system, ceiling=500)
    decision = record_decision(system)
    assert [(kind, terms.ceiling) for kind, terms in found(decision).others] == [("people_said", 500)]
    assert "What people wrote go 500 days after it was written" in page(viewer, decision)
    assert "they were issued" not in page(viewer, decision)


# --- its time has come ------------------------------------------------------------------------------------------------
def test_a_purge_that_is_announced_is_named(system: AISystem, viewer: Person) -> None:
    put_in_force("payloads", system, ceiling=50)
    decision, young = old(system), record_decision(system)
    assert found(decision).fate == Fate.DUE
    assert "They go with the next purge" in page(viewer, decision)
    purge = announce_purge()
    assert purge is not None
    expiry = found(decision)
    assert (expiry.fate, expiry.purge_id, expiry.purge_runs_at) == (Fate.ANNOUNCED, purge.pk, purge.runs_at)
    assert found(young).fate == Fate.RUNNING
    text = page(viewer, decision)
    assert "Kept until the purge of" in text and "unless something keeps them back by then" in text
    assert f"/retention/purges/{purge.pk}" not in text
    assert answered(system, decision)["purge_id"] == str(purge.pk)


def test_before_its_ceiling_a_purge_takes_it_that_is_announced(system: AISystem) -> None:
    """A purge takes what will be past its time before the next one."""
    put_in_force("payloads", system, ceiling=70)
    decision = old(system)
    assert found(decision).fate == Fate.RUNNING
    assert announce_purge() is not None
    expiry = found(decision)
    assert expiry.fate == Fate.ANNOUNCED and expiry.ends_at is not None and expiry.ends_at > timezone.now()


def test_what_was_kept_out_or_has_another_class_by_now_goes_with_none(system: AISystem) -> None:
    other = make_system(slug="other", accountable=make_person())
    for each in (system, other):
        put_in_force("payloads", each, ceiling=30)
    mine, theirs = old(system), old(other)
    purge = announce_purge()
    assert purge is not None
    hold_purge(actor=actor_of(agreeing(system)), purge_id=purge.pk, reason="A claim.")
    put_in_force("payloads", other, ceiling=30)
    assert [found(each).fate for each in (mine, theirs)] == [Fate.DUE, Fate.DUE]


def test_what_is_still_worked_on_is_kept_back_once_its_day_has_come(system: AISystem, viewer: Person) -> None:
    put_in_force("payloads", system, ceiling=30)
    decision, young = old(system), record_decision(system)
    make_led_case(system, decisions=[decision, young])
    assert found(decision).fate == Fate.KEPT_BACK
    assert found(young).fate == Fate.RUNNING
    assert "Kept back, past its time" in page(viewer, decision)
    assert answered(system, decision)["fate"] == "kept_back"


# --- holds ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["case", "span"])
def test_a_legal_hold_is_told_to_those_who_may_know_of_it(system: AISystem, viewer: Person, way: str) -> None:
    put_in_force("payloads", system, ceiling=400)
    decision = old(system)
    if way == "span":
        placed = hold(system, decision)
    else:
        case, lead = make_led_case(system, decisions=[decision])
        placed = place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    expiry = found(decision)
    assert (expiry.fate, expiry.holds) == (Fate.HELD, (placed,))
    text = page(officer(), decision)
    assert "Kept by a legal hold" in text and "until two people lift it" in text
    if way == "case":
        assert f"of case {Case.objects.get().reference}" in text
    assert "legal hold" not in page(viewer, decision).lower(), "its time runs, as far as they may know"
    assert answered(system, decision)["fate"] == "running"


def test_to_others_what_is_held_is_kept_back_for_one_of_several_reasons(system: AISystem, viewer: Person) -> None:
    put_in_force("payloads", system, ceiling=30)
    held, at_work = old(system), old(system, days=50)
    hold(system, held)
    make_led_case(system, decisions=[at_work])
    told = [
        re.sub(r"[\w-]{36}", "", page(viewer, each).partition("How long it is kept")[2][:400])
        for each in (held, at_work)
    ]
    pattern = re.compile(r"it is kept back: .*?looks at it again\.")
    assert pattern.findall(told[0]) == pattern.findall(told[1]) != []
    assert [answered(system, each)["fate"] for each in (held, at_work)] == ["kept_back", "kept_back"]


# --- erasures, and what is gone ---------------------------------------------------------------------------------------
def test_what_is_restricted_says_from_when_it_may_be_erased(system: AISystem) -> None:
    decision = record_decision(system, subject="c-1907")
    erased(kind="decision", decision_ids=[decision.id])
    expiry = found(decision)
    assert expiry.fate == Fate.RESTRICTED
    assert expiry.floor_ends_at == decision.recorded_at + timedelta(days=190)
    assert "Kept until it may be erased" in page(agreeing(system), decision)


def test_what_a_purge_took_names_its_class(system: AISystem, viewer: Person) -> None:
    rule = put_in_force("payloads", system, ceiling=30)
    decision = old(system)
    purge = purged()
    put_in_force("payloads", system, ceiling=90)
    expiry = found(decision)
    assert (expiry.fate, expiry.gone_by, expiry.purge_id) == (Fate.GONE, "purge", purge.pk)
    assert (expiry.class_id, expiry.class_name) == (rule.retention_class_id, "0 to 30")
    text = page(viewer, decision)
    assert "Kept no more: gone since" in text and "Class 0 to 30 Ceiling 30 days Testing." in text
    said = answered(system, decision)
    assert (said["fate"], said["gone_by"], said["purge_id"]) == ("gone", "purge", str(purge.pk))
    assert said["gone_at"] is not None
    RetentionClass.objects.filter(pk=rule.retention_class_id).update(name="", purpose="")
    assert "Class (erased) Ceiling 30 days" in page(viewer, decision)


def test_what_was_erased_as_it_was_asked_for_says_so(system: AISystem, viewer: Person) -> None:
    decision = record_decision(system)
    erase(decision.id)
    expiry = found(decision)
    assert (expiry.fate, expiry.gone_by, expiry.class_id) == (Fate.GONE, "erasure", None)
    assert "as it was asked for and agreed to" in page(viewer, decision)


# --- what it costs ----------------------------------------------------------------------------------------------------
def _endless(system: AISystem) -> SealedDecision:
    return record_decision(system)


def _announced(system: AISystem) -> SealedDecision:
    put_in_force("payloads", system, ceiling=30)
    decision = old(system)
    assert announce_purge() is not None
    return decision


def _held(system: AISystem) -> SealedDecision:
    decision = _announced(system)
    hold(system, decision)
    return decision


def _gone(system: AISystem) -> SealedDecision:
    put_in_force("payloads", system, ceiling=30)
    decision = old(system)
    purged()
    return decision


@pytest.mark.parametrize(("made", "queries"), [(_endless, 2), (_announced, 4), (_held, 8), (_gone, 3)])
def test_it_is_a_few_queries(
    system: AISystem,
    viewer: Person,
    made: Callable[[AISystem], SealedDecision],
    queries: int,
    django_assert_max_num_queries: Any,
) -> None:
    decision = made(system)
    is_gone, asks = payload_sizes(decision.id) is None, actor_of(viewer)
    with django_assert_max_num_queries(queries):
        expiry_of(asks, decision, is_gone=is_gone, is_restricted=False)


def test_a_list_of_decisions_asks_for_none_of_it(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        record_decision(system)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a query for each line")

    monkeypatch.setattr("audit.expiry.terms_in_force", refuse)
    monkeypatch.setattr("audit.expiry.held", refuse)
    client = Client()
    client.force_login(agreeing(system))
    assert client.get("/admin/decisions/").status_code == 200

"""Erasures as people decide them and as the server performs them: asked, agreed, waited for, stopped."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.case_kinds import CASE_UPDATED
from audit.errors import PayloadRestricted
from audit.models import Case, ErasureConsent, ErasureRequest, Payload
from audit.restrictions import restricted_among
from audit.selectors import decision_by_id
from audit.services.disclosure import view_payload
from config.errors import Forbidden, InvalidInput
from evidence.erasure.errors import (
    ErasureNotFound,
    ErasureNotOpen,
    NothingToErase,
    PersonStillHere,
    StillSearching,
)
from evidence.erasure.reading import standing_of
from evidence.services.erasure_answers import approve_erasure, hold_erasure, refuse_erasure
from evidence.services.erasure_runs import run_erasures, search_for_finds
from evidence.services.erasures import ask_erasure, choose_finds, prepare_erasure, withdraw_erasure
from evidence.verification import verify_everything
from governance.changes import write
from governance.errors import ApprovalForbidden
from governance.models import AISystem, Person
from ledger.models import Entry, Particulars
from ledger.sealing import sealing
from notices.models import Message
from tests.factories.cases import make_led_case
from tests.factories.erasing import (
    SECONDS,
    agreed,
    agreeing,
    erased,
    long_ago,
    no_floor,
    officer,
    prepared,
)
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def dpo() -> Person:
    return make_person(dpo=True)


def asked(system: AISystem, **given: Any) -> ErasureRequest:
    made = prepared(**given)
    return ask_erasure(actor=actor_of(officer()), request_id=made.pk)


def kinds(request: ErasureRequest) -> list[str]:
    about = [request.pk, *request.consents.values_list("pk", flat=True)]
    rows = Entry.objects.filter(about_id__in=about).exclude(kind="erasure.performed").order_by("id")
    return list(rows.values_list("kind", flat=True))


def said(kind: str) -> list[dict[str, Any]]:
    rows = Entry.objects.filter(kind=kind).order_by("id")
    return [json.loads(bytes(row.data))["body"] for row in rows]


# --- two people -------------------------------------------------------------------------------------------------------
def test_one_asks_another_agrees_and_a_day_later_it_is_gone(system: AISystem, dpo: Person) -> None:
    no_floor(system)
    gone, kept = (record_decision(system, subject=each) for each in ("c-1907", "c-1908"))
    request = erased(kind="subject", subject="c-1907")
    assert request.status == "performed"
    assert Payload.objects.get(pk=gone.id).secret is None
    assert Payload.objects.get(pk=kept.id).secret is not None
    (body,) = [each for each in said("erasure.performed") if each.get("about") == str(gone.id)]
    assert (body["request"], body["basis"]) == (str(request.pk), "objection")
    assert decision_by_id(gone.id).body.outcome == "approved", "the entry stays"
    assert (request.subject, request.identifiers, request.reason) == ("", [], ""), "and its own words are gone"
    assert list(verify_everything()) == []


def test_whoever_asks_does_not_agree_and_nobody_but_the_accountable_person_does(system: AISystem) -> None:
    record_decision(system, subject="c-1907")
    request = asked(system, kind="subject", subject="c-1907")
    consent = request.consents.get()
    foreign = make_person(accountable=make_system())
    for person in (officer(), foreign, make_person(administrator=True), make_person(investigator=True)):
        with pytest.raises((ErasureNotFound, ApprovalForbidden)):
            approve_erasure(actor=actor_of(person), consent_id=consent.pk)
    approve_erasure(actor=actor_of(agreeing(system)), consent_id=consent.pk)
    with pytest.raises(ErasureNotOpen):
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=consent.pk)


def test_only_a_data_protection_officer_asks(system: AISystem) -> None:
    for person in (agreeing(system), make_person(administrator=True), make_person(auditor=True), make_person()):
        with pytest.raises(Forbidden):
            prepare_erasure(actor=actor_of(person), kind="subject", subject="c-1", basis="objection", reason="x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""},
        {"subject": "x" * 201},
        {"subject": "c-\0"},
        {"subject": "c-1", "basis": "because"},
        {"subject": "c-1", "reason": " "},
        {"subject": "c-1", "identifiers": ["ab"]},
        {"subject": "c-1", "identifiers": [f"name {number}" for number in range(21)]},
        {"kind": "decision"},
        {"kind": "decision", "decision_ids": [uuid.UUID(int=1)]},
        {"kind": "person"},
        {"subject": "c-1", "person_id": uuid.UUID(int=1)},
        {"kind": "everything", "subject": "c-1"},
        {"subject": "c-1", "system_id": uuid.UUID(int=1)},
    ],
)
def test_what_is_no_request_is_refused_and_nothing_stays(dpo: Person, wrong: dict[str, Any]) -> None:
    given = {"kind": "subject", "basis": "objection", "reason": "They ask."} | wrong
    with pytest.raises(InvalidInput):
        prepare_erasure(actor=actor_of(dpo), **given)
    assert not ErasureRequest.objects.exists()


def test_nothing_is_asked_for_before_everything_was_looked_through(system: AISystem, dpo: Person) -> None:
    record_decision(system, subject="c-1907")
    request = prepare_erasure(
        actor=actor_of(dpo), kind="subject", subject="c-1907", basis="objection", reason="They ask."
    )
    with pytest.raises(StillSearching):
        ask_erasure(actor=actor_of(dpo), request_id=request.pk)
    search_for_finds(seconds=SECONDS)
    assert ask_erasure(actor=actor_of(dpo), request_id=request.pk).decisions == 1


def test_of_nobody_there_is_nothing_to_erase(dpo: Person) -> None:
    make_system()
    request = prepared(kind="subject", subject="nobody-at-all")
    with pytest.raises(NothingToErase):
        ask_erasure(actor=actor_of(dpo), request_id=request.pk)


def test_of_several_ai_systems_each_accountable_person_is_asked_and_one_may_refuse(system: AISystem) -> None:
    other = make_system(slug="hiring", accountable=make_person())
    no_floor(system, other)
    here, there = record_decision(system, subject="c-1907"), record_decision(other, subject="c-1907")
    request = prepared(kind="subject", subject="c-1907")
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
        mine, theirs = (request.consents.get(system_id=each.pk) for each in (system, other))
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=mine.pk)
        request.refresh_from_db()
        assert request.status == "requested", "one answer is still missing"
        refuse_erasure(actor=actor_of(agreeing(other)), consent_id=theirs.pk, answer="A contract runs.")
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "performed"
    assert Payload.objects.get(pk=here.id).secret is None
    assert Payload.objects.get(pk=there.id).secret is not None


def test_where_all_refuse_nothing_happens_and_it_is_over(system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    request = asked(system, kind="subject", subject="c-1907")
    refuse_erasure(actor=actor_of(agreeing(system)), consent_id=request.consents.get().pk)
    request.refresh_from_db()
    assert request.status == "refused"
    run_erasures(seconds=SECONDS)
    assert Payload.objects.get(pk=decision.id).secret is not None


def test_it_can_be_of_one_ai_system_alone(system: AISystem) -> None:
    other = make_system(accountable=make_person())
    no_floor(system, other)
    here, there = record_decision(system, subject="c-1907"), record_decision(other, subject="c-1907")
    assert erased(kind="subject", subject="c-1907", system_id=system.pk).decisions == 1
    assert Payload.objects.get(pk=here.id).secret is None
    assert Payload.objects.get(pk=there.id).secret is not None


# --- a day ------------------------------------------------------------------------------------------------------------
def test_it_waits_a_day_in_which_those_who_may_stop_it_are_told(system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    request = asked(system, kind="subject", subject="c-1907")
    approve_erasure(actor=actor_of(agreeing(system)), consent_id=request.consents.get().pk)
    request.refresh_from_db()
    assert request.status == "waiting" and request.runs_at is not None
    assert timedelta(hours=23, minutes=59) < request.runs_at - timezone.now() <= timedelta(hours=24)
    told = set(Message.objects.filter(kind="erasure.announced").values_list("person_id", flat=True))
    assert told == {officer().pk, agreeing(system).pk}
    assert run_erasures(seconds=SECONDS) == 0
    assert Payload.objects.get(pk=decision.id).secret is not None


@pytest.mark.parametrize("who", ["dpo", "accountable"])
def test_whoever_was_told_stops_it_and_to_go_on_it_is_asked_for_again(system: AISystem, who: str) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    stops = officer() if who == "dpo" else agreeing(system)
    hold_erasure(actor=actor_of(stops), request_id=request.pk, reason="A claim came in.")
    assert run_erasures(seconds=SECONDS) == 0
    assert Payload.objects.get(pk=decision.id).secret is not None
    again = ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    assert again.status == "requested"
    fresh = again.consents.get(status=ErasureConsent.Status.WAITING)
    with long_ago():
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=fresh.pk)
    run_erasures(seconds=SECONDS)
    assert Payload.objects.get(pk=decision.id).secret is None


def test_others_stop_nothing_and_a_reason_is_needed(system: AISystem) -> None:
    no_floor(system)
    record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    for person in (make_person(investigator=True), make_person(accountable=make_system()), make_person(viewer=True)):
        with pytest.raises(ErasureNotFound):
            hold_erasure(actor=actor_of(person), request_id=request.pk, reason="x")
    with pytest.raises(InvalidInput):
        hold_erasure(actor=actor_of(officer()), request_id=request.pk, reason=" ")


def test_taken_back_it_erases_nothing_and_frees_what_it_restricted(system: AISystem) -> None:
    decision = record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    assert restricted_among([decision.id]) == {decision.id}
    withdraw_erasure(actor=actor_of(officer()), request_id=request.pk)
    assert restricted_among([decision.id]) == frozenset()
    assert run_erasures(seconds=SECONDS) == 0
    with pytest.raises(ErasureNotOpen):
        withdraw_erasure(actor=actor_of(officer()), request_id=request.pk)


def test_stopped_it_frees_nothing_until_it_is_taken_back(system: AISystem) -> None:
    decision = record_decision(system, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    owner = agreeing(system)
    hold_erasure(actor=actor_of(owner), request_id=request.pk, reason="A claim came in.")
    assert restricted_among([decision.id]) == {decision.id}
    assert standing_of(request).restricted == 1
    with pytest.raises(PayloadRestricted):
        view_payload(actor=actor_of(owner), decision=decision)
    ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    assert restricted_among([decision.id]) == {decision.id}, "it waits for an answer"
    withdraw_erasure(actor=actor_of(officer()), request_id=request.pk)
    assert restricted_among([decision.id]) == frozenset()


def test_asked_for_again_it_is_free_where_somebody_refuses_now(system: AISystem) -> None:
    other = make_system(accountable=make_person())
    here, there = record_decision(system, subject="c-1907"), record_decision(other, subject="c-1907")
    request = agreed(kind="subject", subject="c-1907")
    hold_erasure(actor=actor_of(officer()), request_id=request.pk, reason="A claim came in.")
    ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    waiting = request.consents.filter(status=ErasureConsent.Status.WAITING)
    refuse_erasure(actor=actor_of(agreeing(system)), consent_id=waiting.get(system_id=system.pk).pk)
    assert restricted_among([here.id, there.id]) == {there.id}
    approve_erasure(actor=actor_of(agreeing(other)), consent_id=waiting.get(system_id=other.pk).pk)
    assert restricted_among([here.id, there.id]) == {there.id}


def test_a_clock_that_is_ahead_here_makes_nothing_go_early(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1907")
    request = asked(system, kind="subject", subject="c-1907")
    approve_erasure(actor=actor_of(agreeing(system)), consent_id=request.consents.get().pk)
    later = timezone.now() + timedelta(days=400)
    monkeypatch.setattr("evidence.services.erasure_runs.timezone.now", lambda: later)
    assert run_erasures(seconds=SECONDS) == 0, "the database's clock counts too"
    assert Payload.objects.get(pk=decision.id).secret is not None


def test_a_clock_that_was_behind_at_agreeing_makes_the_day_no_shorter(system: AISystem) -> None:
    no_floor(system)
    record_decision(system, subject="c-1907")
    request = asked(system, kind="subject", subject="c-1907")
    behind = timezone.now() - timedelta(days=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "evidence.services.erasure_answers.timezone", type("Clock", (), {"now": staticmethod(lambda: behind)})
        )
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=request.consents.get().pk)
    request.refresh_from_db()
    assert request.runs_at and request.runs_at > timezone.now() + timedelta(hours=23)


# --- finds ------------------------------------------------------------------------------------------------------------
def test_what_names_somebody_else_is_left_out(system: AISystem) -> None:
    no_floor(system)
    record_decision(system, subject="c-1907")
    case, _ = make_led_case(system, title="About Ada Lovelace", summary="A complaint.")
    other, _ = make_led_case(system, title="Ada Lovelace Street", summary="A place.")
    request = prepared(kind="subject", subject="c-1907", identifiers=["ada lovelace"])
    finds = {find.row_id: find.item_id for find in request.finds.all()}
    assert {case.pk, other.pk} <= finds.keys()
    choose_finds(actor=actor_of(officer()), request_id=request.pk, left_out=[finds[other.pk]])
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
        for consent in request.consents.all():  # of the AI system's decisions, and of words that belong to none
            approve_erasure(actor=actor_of(agreeing(system)), consent_id=consent.pk)
    run_erasures(seconds=SECONDS)
    case.refresh_from_db()
    other.refresh_from_db()
    assert (case.title, case.summary) == ("", "")
    assert other.title == "Ada Lovelace Street"
    assert not Particulars.objects.filter(row_id=case.pk, part="particulars", data__isnull=False).exists()
    assert list(verify_everything()) == []


@pytest.mark.parametrize("spelled", ["Zoë Müller", "ZOË MÜLLER", 'Zoë "Z" Müller'])
def test_words_are_found_in_any_case_and_however_json_writes_them(system: AISystem, spelled: str) -> None:
    case, _ = make_led_case(system, title=f"About {spelled}", summary="x")
    request = prepared(kind="subject", subject="c-1907", identifiers=["zoë müller" if '"' not in spelled else spelled])
    assert case.pk in {find.row_id for find in request.finds.all()}


def test_a_case_whose_title_was_erased_goes_on(system: AISystem) -> None:
    no_floor(system)
    case, lead = make_led_case(system, title="About Ada Lovelace", summary="x")
    erased(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"])
    row = Case.objects.get(pk=case.pk)
    with sealing() as seal:
        row.severity = "high"
        write(seal, actor=actor_of(lead), kind=CASE_UPDATED, row=row)
    assert list(verify_everything()) == []


def test_a_subject_is_matched_to_the_letter_from_one_letter_on(system: AISystem) -> None:
    no_floor(system)
    gone = [record_decision(system, subject=" 7")]
    kept = [record_decision(system, subject=each) for each in ("7", "7 ", "77", "x 7")]
    case, _ = make_led_case(system, title="Room 7")
    request = erased(kind="subject", subject=" 7")
    assert (request.status, request.decisions, request.texts) == ("performed", 1, 0)
    assert [Payload.objects.get(pk=each.id).secret is None for each in gone + kept] == [True] + [False] * 4
    case.refresh_from_db()
    assert case.title == "Room 7", "of one letter no text is looked through"


def test_spaces_around_a_subject_are_no_part_of_it_in_texts(system: AISystem) -> None:
    record_decision(system, subject=" c-1907 ")
    case, _ = make_led_case(system, title="About C-1907.")
    request = prepared(kind="subject", subject=" c-1907 ")
    assert request.subject == " c-1907 " and request.targets.count() == 1
    assert case.pk in {find.row_id for find in request.finds.all()}


# --- people -----------------------------------------------------------------------------------------------------------
def test_the_name_of_somebody_who_is_here_is_not_erased(dpo: Person) -> None:
    with pytest.raises(PersonStillHere):
        prepare_erasure(
            actor=actor_of(dpo), kind="person", person_id=make_person().pk, basis="not_needed", reason="Gone."
        )

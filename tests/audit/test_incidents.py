"""Serious incidents: their clocks, what is reported and kept, that evidence is frozen, and who is told in time."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import case_document
from audit.case_document import Seen, document_of, narrowed
from audit.case_errors import (
    CaseChanged,
    CaseNotFound,
    CaseNotReady,
    CasePartNotFound,
    IncidentExists,
    ReportNotReady,
    ReportTooSlow,
)
from audit.case_selectors import held
from audit.incident_deadlines import awaited, deadlines_of, next_due
from audit.models import Case, Incident, IncidentReport, IncidentSignOff
from audit.services import incidents
from audit.services.case_listing import list_decisions_of
from audit.services.cases import move_case
from audit.services.incident_clocks import watch_clocks
from audit.services.incident_signing import sign_off
from audit.services.incidents import record_notice, record_report, update_incident
from audit.services.investigating import add_note
from config.errors import Forbidden, InvalidInput
from config.ids import new_id
from governance.models import AISystem, Person
from ledger.entries import timestamp
from ledger.models import Entry
from notices.models import Alert, Message
from tests.factories.cases import act, attach, declare, detach, find, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Person:
    return make_person()


@pytest.fixture
def system(owner: Person) -> AISystem:
    return make_system(accountable=owner)


def report(case: Case, lead: Person, stage: str, **rest: Any) -> IncidentReport:
    given: dict[str, Any] = {"reported_at": timezone.now()} | rest
    return record_report(actor=actor_of(lead), case_id=case.pk, stage=stage, **given)


@pytest.mark.parametrize(
    ("limbs", "days"),
    [
        (["widespread"], 2),
        (["critical_infrastructure"], 2),
        (["death"], 10),
        (["health"], 15),
        (["fundamental_rights"], 15),
        (["property", "death"], 10),
        (["property", "death", "widespread"], 2),
    ],
)
def test_the_shortest_clock_runs_from_awareness(system: AISystem, limbs: list[str], days: int) -> None:
    case, lead = make_led_case(system)
    aware = datetime(2026, 10, 24, 12, tzinfo=UTC)  # a night of 25 hours lies ahead, in Europe
    incident = declare(case, lead, limbs=limbs, awareness_at=aware)
    assert (incident.days, incident.due_at) == (days, aware + timedelta(days=days))


def test_a_later_look_moves_the_deadline_and_never_by_hand(system: AISystem) -> None:
    case, lead = make_led_case(system)
    incident = declare(case, lead)
    changed = update_incident(actor=actor_of(lead), case_id=case.pk, changes={"limbs": ["death", "health"]})
    assert changed.due_at == incident.awareness_at + timedelta(days=10)
    with pytest.raises(InvalidInput):
        update_incident(actor=actor_of(lead), case_id=case.pk, changes={"due_at": timezone.now()})
    with pytest.raises(IntegrityError), transaction.atomic():
        Incident.objects.filter(pk=incident.pk).update(due_at=timezone.now() + timedelta(days=90))


def test_declaring_freezes_the_evidence(system: AISystem) -> None:
    decision = record_decision(system)
    case, lead = make_led_case(system, decisions=[decision])
    declare(case, lead)
    assert held([decision.id]) == {decision.id}
    with pytest.raises(IncidentExists):
        declare(case, lead)


def test_what_cannot_be_is_refused(system: AISystem) -> None:
    case, lead = make_led_case(system)
    later = timezone.now() + timedelta(hours=1)
    wrongs: list[dict[str, Any]] = [
        {"limbs": []},
        {"limbs": ["annoyance"]},
        {"awareness_at": later},
        {"occurred_at": later},
        {"narrative": " "},
        {"harm": "x" * 20_001},
        {"revision": 4},
    ]
    for wrong in wrongs:
        with pytest.raises(InvalidInput):
            declare(case, lead, **wrong)
    for unfit in ({"member_state": "France"}, {"member_state": "fr"}, {"use": "fun"}, {"persons_affected": -1}):
        with pytest.raises(ValidationError):
            declare(case, lead, **unfit)
    assert not Incident.objects.exists()


def test_only_investigators_of_the_case_declare_and_report(system: AISystem, owner: Person) -> None:
    case, lead = make_led_case(system)
    accountable = make_person(deputy=system)
    with pytest.raises(Forbidden):
        declare(case, accountable)
    with pytest.raises(CaseNotFound):
        declare(case, make_person(operator=system))
    with pytest.raises(CasePartNotFound):
        report(case, lead, "initial")
    declare(case, lead)
    with pytest.raises(Forbidden):
        report(case, accountable, "initial")


def test_reports_come_in_their_order_and_keep_what_was_known(system: AISystem) -> None:
    case, lead = make_led_case(system)
    declare(case, lead, harm="One person, a broken arm.")
    for stage in ("follow_up", "final"):
        with pytest.raises(ReportNotReady):
            report(case, lead, stage)
    with pytest.raises(InvalidInput):
        report(case, lead, "initial", reported_at=timezone.now() - timedelta(days=1))
    first = report(case, lead, "initial", receipt="MSA-2026-4")
    with pytest.raises(ReportNotReady):
        report(case, lead, "initial")
    update_incident(actor=actor_of(lead), case_id=case.pk, changes={"harm": "Two persons.", "causal_link": "likely"})
    for stage in ("follow_up", "follow_up", "final"):
        last = report(case, lead, stage)
    with pytest.raises(ReportNotReady):
        report(case, lead, "follow_up")
    kept = [json.loads(IncidentReport.objects.get(pk=each.pk).content)["incident"] for each in (first, last)]
    assert [each["harm"] for each in kept] == ["One person, a broken arm.", "Two persons."]
    assert [each["causal_link"] for each in kept] == ["suspected", "likely"]


def test_a_double_click_reports_once(system: AISystem) -> None:
    (case, lead), key = make_led_case(system), new_id()
    declare(case, lead)
    assert report(case, lead, "initial", key=key) == report(case, lead, "initial", key=key)
    assert IncidentReport.objects.count() == 1


def test_a_stale_form_overwrites_nothing(system: AISystem) -> None:
    case, lead = make_led_case(system)
    revision = declare(case, lead).revision
    update_incident(actor=actor_of(lead), case_id=case.pk, changes={"harm": "One."}, revision=revision)
    with pytest.raises(CaseChanged):
        update_incident(actor=actor_of(lead), case_id=case.pk, changes={"harm": "None."}, revision=revision)
    assert Incident.objects.get().harm == "One."


def test_an_incident_closes_after_its_final_report_alone(system: AISystem) -> None:
    case, lead = make_led_case(system)
    declare(case, lead)
    find(case, lead)
    report(case, lead, "initial")
    record_notice(actor=actor_of(lead), case_id=case.pk, to="data_protection", told_at=timezone.now())
    move_case(actor=actor_of(lead), case_id=case.pk, to="concluded")
    with pytest.raises(CaseNotReady, match="final report"):
        move_case(actor=actor_of(lead), case_id=case.pk, to="closed")
    report(case, lead, "final")
    assert move_case(actor=actor_of(lead), case_id=case.pk, to="closed").status == "closed"


# --- clocks -----------------------------------------------------------------------------------------------------------
def aware(case: Case, lead: Person, days: float) -> Incident:
    return declare(case, lead, limbs=["death"], awareness_at=timezone.now() - timedelta(days=days))


def told(kind: str) -> list[Any]:
    return sorted(Alert.objects.filter(kind=kind).values_list("owner_id", flat=True))


def test_lead_and_accountable_are_told_once_before_and_once_after(system: AISystem, owner: Person) -> None:
    case, lead = make_led_case(system)
    incident = aware(case, lead, 7)
    assert watch_clocks() == 0
    assert told("incident.due") == []
    changes = {"awareness_at": timezone.now() - timedelta(days=8)}
    update_incident(actor=actor_of(lead), case_id=case.pk, changes=changes)
    for _ in range(2):
        assert watch_clocks() == 0
    assert told("incident.due") == sorted([lead.pk, owner.pk])
    changes = {"awareness_at": timezone.now() - timedelta(days=11)}
    update_incident(actor=actor_of(lead), case_id=case.pk, changes=changes)
    for _ in range(2):
        assert watch_clocks() == 1
    assert told("incident.overdue") == sorted([lead.pk, owner.pk])
    assert Incident.objects.get(pk=incident.pk).due_at < timezone.now()


def test_nobody_is_told_once_it_was_reported(system: AISystem) -> None:
    case, lead = make_led_case(system)
    aware(case, lead, 11)
    report(case, lead, "initial")
    assert watch_clocks() == 0
    assert not Alert.objects.exists()


def test_who_left_is_not_written_to(system: AISystem, owner: Person) -> None:
    case, lead = make_led_case(system)
    aware(case, lead, 11)
    Person.objects.filter(pk=owner.pk).update(is_active=False)
    watch_clocks()
    assert told("incident.overdue") == [lead.pk]


def test_an_overdue_action_is_told_to_its_owner_and_the_lead_once(system: AISystem) -> None:
    case, lead = make_led_case(system)
    engineer = make_person()
    action = act(case, lead, engineer)
    type(action).objects.filter(pk=action.pk).update(due_on=timezone.localdate() - timedelta(days=1))
    for _ in range(2):
        watch_clocks()
    found = Message.objects.filter(kind="case.action_overdue").values_list("person_id", flat=True)
    assert sorted(found) == sorted([engineer.pk, lead.pk])


# --- deadlines that move ----------------------------------------------------------------------------------------------
def update(case: Case, lead: Person, reason: str = "", **changes: Any) -> Incident:
    return update_incident(actor=actor_of(lead), case_id=case.pk, changes=changes, reason=reason)


@pytest.mark.parametrize("change", [{"limbs": ["health"]}, {"awareness_at": timedelta(days=-1)}])
def test_a_deadline_moves_later_with_a_reason_alone_and_late_stays_late(
    system: AISystem, change: dict[str, Any]
) -> None:
    case, lead = make_led_case(system)
    first = aware(case, lead, 11).due_at
    changes = {name: timezone.now() + each if name == "awareness_at" else each for name, each in change.items()}
    with pytest.raises(InvalidInput) as refused:
        update(case, lead, **changes)
    assert [each.pointer for each in refused.value.errors] == ["/reason"]
    assert Incident.objects.get().due_at == first
    moved = update(case, lead, reason="The hospital named another day.", **changes)
    assert moved.due_at > timezone.now()
    extension = moved.extensions.get()
    assert (extension.clock, extension.was_due_at, extension.due_at) == ("initial", first, moved.due_at)
    assert extension.why == "The hospital named another day."
    made = report(case, lead, "initial")
    assert (made.is_late, made.due_at) == (True, first)


def test_what_a_report_says_of_when_it_was_sent_makes_it_no_earlier(system: AISystem) -> None:
    case, lead = make_led_case(system)
    aware(case, lead, 11)
    made = report(case, lead, "initial", reported_at=timezone.now() - timedelta(days=9))
    assert made.is_late
    said = json.loads(bytes(Entry.objects.get(kind="incident.reported").data))["body"]
    assert (said["late"], said["reported_at"]) == (True, timestamp(made.reported_at))


def test_an_earlier_deadline_needs_no_reason(system: AISystem) -> None:
    case, lead = make_led_case(system)
    declare(case, lead)
    assert update(case, lead, limbs=["death"]).days == 10
    assert not report(case, lead, "initial").is_late


def test_a_breach_of_personal_data_has_72_hours(system: AISystem) -> None:
    case, lead = make_led_case(system)
    known = timezone.now() - timedelta(hours=73)
    incident = declare(case, lead, breach_aware_at=known)
    assert incident.breach_due_at == known + timedelta(hours=72)
    assert watch_clocks() == 1
    assert {each.facts["clock"] for each in Alert.objects.filter(kind="incident.overdue")} == {"data_protection"}
    with pytest.raises(InvalidInput):
        update(case, lead, breach_aware_at=None)
    notice = record_notice(actor=actor_of(lead), case_id=case.pk, to="data_protection", told_at=timezone.now())
    assert (notice.is_late, notice.due_at) == (True, known + timedelta(hours=72))
    assert not record_notice(actor=actor_of(lead), case_id=case.pk, to="provider", told_at=timezone.now()).is_late
    assert watch_clocks() == 0


def test_follow_up_and_final_have_the_times_that_people_set(system: AISystem) -> None:
    case, lead = make_led_case(system)
    soon, later = timezone.now() + timedelta(days=2), timezone.now() + timedelta(days=40)
    declare(case, lead, follow_up_due_at=soon, final_due_at=later)
    report(case, lead, "initial")
    assert watch_clocks() == 0
    assert {each.facts["clock"] for each in Alert.objects.filter(kind="incident.due")} == {"follow_up"}
    with time_machine.travel(soon + timedelta(hours=1)):
        assert report(case, lead, "follow_up").is_late
        assert Incident.objects.get().follow_up_due_at is None
        update(case, lead, follow_up_due_at=soon + timedelta(days=9))
    with time_machine.travel(soon + timedelta(days=8)):
        assert not report(case, lead, "follow_up").is_late
    with time_machine.travel(later + timedelta(hours=1)):
        assert watch_clocks() == 1
        assert report(case, lead, "final").is_late
        assert watch_clocks() == 0


def notice(case: Case, lead: Person) -> Any:
    return record_notice(actor=actor_of(lead), case_id=case.pk, to="data_protection", told_at=timezone.now())


def sealed(kind: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(bytes(Entry.objects.filter(kind=kind).order_by("-id")[0].data))["body"]
    return said


def test_a_deadline_that_was_taken_away_still_decides_what_is_late(system: AISystem) -> None:
    case, lead = make_led_case(system)
    first, known = timezone.now() + timedelta(days=1), timezone.now() - timedelta(hours=73)
    declare(case, lead, final_due_at=first, breach_aware_at=known)
    report(case, lead, "initial")
    update(case, lead, reason="It was no breach.", final_due_at=None, breach_aware_at=None)
    found = {str(each.clock): each for each in deadlines_of(Incident.objects.get())}
    assert (found["final"].due_at, found["final"].first_due_at) == (None, first)
    assert (found["data_protection"].is_late, found["data_protection"].is_over) == (True, False)
    assert (made := notice(case, lead)).is_late
    assert made.due_at == known + timedelta(hours=72)
    assert sealed("incident.updated")["late"] is True
    with time_machine.travel(first + timedelta(hours=1)):
        made = report(case, lead, "final")
        assert (made.is_late, made.due_at) == (True, first)
    update(case, lead, final_due_at=first + timedelta(days=9), breach_aware_at=timezone.now())
    assert all(each.is_late for each in deadlines_of(Incident.objects.get()) if each.clock != "initial")


def test_a_follow_up_that_never_went_is_not_lost_with_the_final_report(system: AISystem) -> None:
    case, lead = make_led_case(system)
    due = timezone.now() + timedelta(days=2)
    declare(case, lead, follow_up_due_at=due)
    report(case, lead, "initial")
    with time_machine.travel(due + timedelta(hours=1)):
        report(case, lead, "final")
    assert sealed("incident.reported")["follow_up_late"] is True
    follow_up = next(each for each in deadlines_of(Incident.objects.get()) if each.clock == "follow_up")
    assert (follow_up.first_due_at, follow_up.is_late, follow_up.done is None) == (due, True, False)
    assert watch_clocks() == 0


def test_a_case_is_closed_when_every_authority_was_told(system: AISystem) -> None:
    case, lead = make_led_case(system)
    declare(case, lead, breach_aware_at=timezone.now())
    for stage in ("initial", "final"):
        report(case, lead, stage)
    find(case, lead)
    move_case(actor=actor_of(lead), case_id=case.pk, to="concluded")
    with pytest.raises(CaseNotReady, match="data protection authority"):
        move_case(actor=actor_of(lead), case_id=case.pk, to="closed")
    notice(case, lead)
    move_case(actor=actor_of(lead), case_id=case.pk, to="closed")


def test_nothing_is_awaited_of_a_closed_case(system: AISystem) -> None:
    case, lead = make_led_case(system)
    declare(case, lead)
    now = timezone.now()  # as an earlier release closed it
    Case.objects.filter(pk=case.pk).update(status="closed", concluded_at=now, closed_at=now)
    assert next_due(Case.objects.all(), 9) == {}


def test_what_is_due_next_comes_first(system: AISystem) -> None:
    case, lead = make_led_case(system)
    incident = declare(case, lead, breach_aware_at=timezone.now())
    assert next_due(Case.objects.all(), 9) == {case.pk: incident.breach_due_at}
    assert awaited().get().next_clock == "data_protection"  # type: ignore[attr-defined]
    record_notice(actor=actor_of(lead), case_id=case.pk, to="data_protection", told_at=timezone.now())
    assert next_due(Case.objects.all(), 9) == {case.pk: incident.due_at}
    assert awaited().get().next_clock == "initial"  # type: ignore[attr-defined]
    report(case, lead, "initial")
    assert next_due(Case.objects.all(), 9) == {}


# --- signing off ------------------------------------------------------------------------------------------------------
def sign(case: Case, person: Person, revision: int, stage: str = "initial") -> IncidentSignOff:
    return sign_off(actor=actor_of(person), case_id=case.pk, stage=stage, revision=revision)


def test_who_can_read_it_signs_it_as_what_they_are(system: AISystem) -> None:
    (case, lead), owner = make_led_case(system), make_person(deputy=system)
    revision = declare(case, lead).revision
    with pytest.raises(Forbidden):
        sign(case, owner, revision)
    assert sign(case, lead, revision).capacity == "lead"
    assert sign(case, make_person(dpo=True), revision).capacity == "dpo"
    find(case, lead)
    move_case(actor=actor_of(lead), case_id=case.pk, to="concluded")
    made = sign(case, owner, revision)
    assert (made.capacity, made.incident_revision) == ("deputy", revision)
    assert sign(case, owner, revision) == made
    said = json.loads(bytes(Entry.objects.filter(kind="incident.signed_off").latest("id").data))["body"]
    assert (said["capacity"], said["stage"], said["revision"]) == ("deputy", "initial", revision)
    with pytest.raises(CaseNotFound):
        sign(case, make_person(operator=system), revision)


def test_nobody_signs_what_they_did_not_look_at(system: AISystem) -> None:
    case, lead = make_led_case(system)
    revision = declare(case, lead).revision
    update(case, lead, harm="Two persons.")
    with pytest.raises(CaseChanged):
        sign(case, lead, revision)


# --- what a report keeps ----------------------------------------------------------------------------------------------
def test_a_report_keeps_all_that_the_printed_one_says(system: AISystem, owner: Person) -> None:
    digest = "sha256:" + "ab" * 32
    decisions = [record_decision(system, model_digest=digest), record_decision(system, outcome="refused")]
    case, lead = make_led_case(system, decisions=decisions)
    incident = declare(case, lead, harm="One person.", final_due_at=timezone.now() + timedelta(days=30))
    find(case, lead, text="Income was misread.")
    act(case, lead, lead, what="Read it again.")
    add_note(actor=actor_of(lead), case_id=case.pk, text="Asked the branch.")
    record_notice(actor=actor_of(lead), case_id=case.pk, to="provider", told_at=timezone.now(), text="By mail.")
    update(case, lead, reason="As agreed.", final_due_at=timezone.now() + timedelta(days=60))
    sign(case, lead, Incident.objects.get().revision)
    kept = json.loads(report(case, lead, "initial").content)
    assert (kept["case"]["reference"], kept["incident"]["harm"]) == (case.reference, "One person.")
    assert kept["incident"]["id"] == str(incident.pk)
    assert [each["text"] for each in kept["findings"]] == ["Income was misread."]
    assert [each["what"] for each in kept["actions"]] == ["Read it again."]
    assert [each["text"] for each in kept["notes"]] == ["Asked the branch."]
    assert [each["text"] for each in kept["notices"]] == ["By mail."]
    assert [each["why"] for each in kept["extensions"]] == ["As agreed."]
    assert [each["capacity"] for each in kept["sign_offs"]] == ["lead"]
    assert {each["clock"] for each in kept["deadlines"]} == {"initial", "final"}
    assert [each["id"] for each in kept["decisions"]["listed"]] == [str(each.id) for each in reversed(decisions)]
    assert {each["outcome"] for each in kept["decisions"]["listed"]} == {"approved", "refused"}
    assert kept["decisions"]["count"] == 2
    assert kept["decisions"]["digest"] == kept["attachments"][0]["digest"]
    assert [each["said"] for each in kept["models"]] == [[digest]]
    assert {each["accountable_id"] for each in kept["tallies"]} == {str(owner.pk)}
    assert kept["holds"]
    assert kept["entries"]
    assert kept["investigators"] == [str(lead.pk)]


def test_a_report_is_made_before_the_case_is_locked_and_anew_where_something_happened(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, lead = make_led_case(system, decisions=[record_decision(system)])
    declare(case, lead)
    made: list[Any] = []

    def noted(of: Case) -> Any:
        made.append(of.pk)
        document = document_of(of)
        if len(made) == 2:  # while the second report is made
            add_note(actor=actor_of(lead), case_id=case.pk, text="Said meanwhile.")
        return document

    monkeypatch.setattr(incidents, "document_of", noted)
    report(case, lead, "initial")
    assert len(made) == 1
    kept = json.loads(report(case, lead, "final").content)
    assert len(made) == 3
    assert [each["text"] for each in kept["notes"]] == ["Said meanwhile."]


def test_a_report_of_a_case_is_given_up_where_counting_takes_too_long(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, _ = make_led_case(system, decisions=[record_decision(system)])
    monkeypatch.setattr(case_document, "LIMIT_MS", 1)
    monkeypatch.setattr(case_document, "COUNTED", "SELECT 0, pg_sleep(5)::text FROM ({rows}) AS inside")
    with pytest.raises(ReportTooSlow):
        document_of(case)


def test_a_case_with_nothing_to_be_seen_counts_nothing(system: AISystem) -> None:
    case, _ = make_led_case(system, decisions=[record_decision(system)])
    assert document_of(case, Seen(named=[], systems=[]))["decisions"]["count"] == 0


def test_a_report_is_told_without_what_somebody_may_not_know_of(system: AISystem) -> None:
    other = make_system()
    here, there = record_decision(system), record_decision(other)
    case, lead = make_led_case(system, decisions=[here, there])
    declare(case, lead)
    whole = json.loads(report(case, lead, "initial").content)
    told_of = narrowed(whole, Seen(named=[system.pk], systems=[system.pk]))
    assert str(other.pk) not in json.dumps(told_of)
    assert str(there.id) not in json.dumps(told_of)
    assert told_of["decisions"] | {"listed": []} == {"count": 1, "digest": "", "listed": []}
    assert [each["count"] for each in told_of["attachments"]] == [None]
    blind = narrowed(whole, Seen(hidden=frozenset({here.id}), is_blind=True))
    assert [each["id"] for each in blind["decisions"]["listed"]] == [str(there.id)]
    assert blind["tallies"] == []
    assert [(each["count"], each["digest"]) for each in blind["attachments"]] == [(None, "")]
    assert (blind["decisions"]["count"], blind["decisions"]["digest"]) == (None, "")
    assert document_of(case, Seen(named=[system.pk], systems=[system.pk]))["decisions"]["count"] == 1


def test_the_decisions_of_a_case_as_it_stood_when_it_was_reported(system: AISystem) -> None:
    one, two, three = (record_decision(system) for _ in range(3))
    case, lead = make_led_case(system, decisions=[one, two])
    declare(case, lead)
    made = report(case, lead, "initial")
    detach(case, lead, one)
    attach(case, lead, three)
    given: dict[str, Any] = {"actor": actor_of(lead), "case_id": case.pk, "seen": Seen()}
    now = "".join(list_decisions_of(**given)).splitlines()
    assert [line.split(",")[0] for line in now] == ["id", str(three.id), str(two.id)]
    then = "".join(list_decisions_of(**given, at=made.created_at)).splitlines()
    assert [line.split(",")[0] for line in then] == ["id", str(two.id), str(one.id)]
    said = [json.loads(bytes(each.data))["body"] for each in Entry.objects.filter(kind="case.listed")]
    assert [(each["case"], each["count"]) for each in said] == [(case.reference, 2)] * 2
    with pytest.raises(Forbidden):
        list_decisions_of(**given | {"actor": actor_of(make_person(deputy=system))})

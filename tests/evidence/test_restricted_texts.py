"""Texts that were found by words and are inside a floor: what is restricted, since when, for whom, until when."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.case_document import document_of
from audit.case_kinds import CASE_NOTED
from audit.case_selectors import called
from audit.errors import PayloadRestricted
from audit.models import Case, CaseNote, CorrectiveAction, ErasureRequest, IncidentReport, TextRestriction
from audit.restricted_texts import NOTICE, for_reading, texts_in_force, to_read
from audit.services.cases import edit_case
from audit.services.holds import place_hold
from audit.services.incidents import record_report, update_incident
from audit.services.investigating import add_note, settle_action
from config.errors import InvalidInput
from console.desk import item_for
from evidence.case_reports import content_of
from evidence.erasure.documents import document_about
from evidence.erasure.reading import standing_of
from evidence.services.erasure_answers import hold_erasure
from evidence.services.erasure_runs import run_erasures
from evidence.services.erasures import withdraw_erasure
from evidence.services.letters import read_letter
from evidence.verification import verify_everything
from governance.changes import write
from governance.models import AISystem, Person
from ledger.errors import UnsealedChange
from ledger.models import Entry, Particulars
from ledger.sealing import sealing
from overrides.models import ReviewAssignment
from overrides.services.claiming import claim, save_draft
from tests.factories import letters
from tests.factories.cases import act, declare, make_led_case
from tests.factories.erasing import (
    SECONDS,
    agreed,
    agreeing,
    lift_all_holds,
    long_ago,
    no_floor,
    officer,
    put_in_force,
)
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db
ADA = "Ada Lovelace"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def kept(system: AISystem) -> None:
    """What is written in cases has a floor."""
    put_in_force("cases", system, floor=200)


def restrict() -> ErasureRequest:
    return agreed(kind="subject", subject="nobody-of-this-name", identifiers=[ADA])


def go_on(request: ErasureRequest, system: AISystem) -> None:
    """The floors end, and what waited goes."""
    no_floor(system)
    put_in_force("cases", system, floor=0)
    run_erasures(seconds=SECONDS)
    ErasureRequest.objects.filter(pk=request.pk).update(looked_at=None)
    for _ in range(2):
        with long_ago():
            run_erasures(seconds=SECONDS)
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "performed"


def noted(system: AISystem, text: str = f"{ADA} rang.") -> tuple[CaseNote, Person]:
    case, lead = make_led_case(system)
    return add_note(actor=actor_of(lead), case_id=case.pk, text=text), lead


# --- since when, for whom, until when -------------------------------------------------------------------------------
def test_it_is_restricted_with_the_last_answer_counted_and_then_erased(system: AISystem, kept: None) -> None:
    note, lead = noted(system)
    other = add_note(actor=actor_of(lead), case_id=note.case_id, text="Nobody in particular.")
    request = restrict()
    rows = {"lead": actor_of(lead), "owner": actor_of(agreeing(system)), "dpo": actor_of(officer())}
    shown = {name: [each.text for each in for_reading(actor, [note, other])] for name, actor in rows.items()}
    hidden, whole = [NOTICE, "Nobody in particular."], [f"{ADA} rang.", "Nobody in particular."]
    assert shown == {"lead": hidden, "owner": hidden, "dpo": whole}
    (entry,) = Entry.objects.filter(kind="erasure.texts_restricted")
    assert entry.about_id == request.pk and b'"with":{"count":1' in bytes(entry.data)
    assert (entry.log.system_id, standing_of(request).texts_restricted) == (None, 1)
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "scheduled" and Entry.objects.filter(kind="erasure.texts_restricted").count() == 1
    assert list(verify_everything()) == []
    go_on(request, system)
    note.refresh_from_db()
    assert (note.text, to_read(actor_of(lead), note).text) == ("", "")
    assert not texts_in_force().exists() and TextRestriction.objects.count() == 1
    receipt = document_about(request.pk)
    assert receipt is not None
    assert "restricted: 0 decisions and 1 finds, as long as a floor kept them" in receipt.note
    assert list(verify_everything()) == []


def test_without_a_floor_nothing_is_restricted(system: AISystem) -> None:
    noted(system)
    assert restrict().text_restrictions.count() == 0


def test_of_a_closed_case_the_page_has_the_day(system: AISystem, kept: None) -> None:
    note, _ = noted(system)
    closed = timezone.now() - timedelta(days=10)
    Case.objects.filter(pk=note.case_id).update(closed_at=closed, concluded_at=closed, status="closed")
    assert standing_of(restrict()).waits_until == closed + timedelta(days=200)


def test_of_an_open_case_nobody_knows_the_day(system: AISystem, kept: None) -> None:
    noted(system)
    assert standing_of(restrict()).waits_until is None


def test_what_a_hold_covers_is_not_restricted(system: AISystem, kept: None) -> None:
    note, lead = noted(system)
    place_hold(actor=actor_of(lead), case_id=note.case_id, reason="A claim.")
    request = restrict()
    assert to_read(actor_of(lead), note).text == f"{ADA} rang."
    lift_all_holds(lead, officer())
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "scheduled"
    assert to_read(actor_of(lead), note).text == NOTICE, "the hold is lifted, the floor is not over"


def test_what_is_held_while_it_is_scheduled_is_restricted_once_the_hold_is_lifted(system: AISystem, kept: None) -> None:
    note, lead = noted(system)
    place_hold(actor=actor_of(lead), case_id=note.case_id, reason="A claim.")
    request = restrict()
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "scheduled" and not texts_in_force().exists()
    lift_all_holds(lead, officer())
    for _ in range(2):
        ErasureRequest.objects.filter(pk=request.pk).update(looked_at=None)
        run_erasures(seconds=SECONDS)
    assert to_read(actor_of(lead), note).text == NOTICE
    assert Entry.objects.filter(kind="erasure.texts_restricted").count() == 1
    request.refresh_from_db()
    assert request.status == "scheduled" and list(verify_everything()) == []


def test_a_hold_that_comes_later_keeps_it_and_opens_nothing(system: AISystem, kept: None) -> None:
    note, lead = noted(system)
    restrict()
    place_hold(actor=actor_of(lead), case_id=note.case_id, reason="A claim.")
    put_in_force("cases", system, floor=0)
    run_erasures(seconds=SECONDS)
    assert to_read(actor_of(lead), note).text == NOTICE
    assert Particulars.objects.filter(row_id=note.pk, data__isnull=False).exists()


def test_stopped_it_stays_restricted_and_taken_back_it_is_free(system: AISystem, kept: None) -> None:
    note, lead = noted(system)
    request = restrict()
    hold_erasure(actor=actor_of(agreeing(system)), request_id=request.pk, reason="Wait.")
    assert to_read(actor_of(lead), note).text == NOTICE
    withdraw_erasure(actor=actor_of(officer()), request_id=request.pk)
    assert to_read(actor_of(lead), note).text == f"{ADA} rang."


def test_what_is_for_showing_is_saved_by_nobody(system: AISystem, kept: None) -> None:
    note, lead = noted(system)
    restrict()
    covered = to_read(actor_of(lead), note)
    assert note.text == f"{ADA} rang.", "the row itself is as it was"
    with pytest.raises(UnsealedChange), sealing() as seal:
        write(seal, actor=actor_of(lead), kind=CASE_NOTED, row=covered)


# --- what people write meanwhile --------------------------------------------------------------------------------------
def test_what_a_later_version_repeats_stays_restricted_and_goes_with_it(system: AISystem, kept: None) -> None:
    case, lead = make_led_case(system)
    action = act(case, lead, lead, what=f"Apologise to {ADA}.")
    request = restrict()
    done: dict[str, Any] = {"case_id": case.pk, "action_id": action.pk, "outcome": "done", "text": "By letter."}
    settle_action(actor=actor_of(lead), **done)
    action = CorrectiveAction.objects.get(pk=action.pk)
    assert action.what == f"Apologise to {ADA}."
    shown = to_read(actor_of(lead), action)
    assert (shown.what, shown.evidence, shown.covered) == (NOTICE, "By letter.", frozenset({"what"}))
    go_on(request, system)
    action.refresh_from_db()
    assert (action.what, action.evidence) == ("", ""), "a text goes whole"
    assert not Particulars.objects.filter(row_id=action.pk, data__isnull=False).exists()
    assert list(verify_everything()) == []
    receipt = document_about(request.pk)
    assert receipt is not None and "since:" not in receipt.note


def test_what_is_written_anew_is_readable_and_stays(system: AISystem, kept: None) -> None:
    case, lead = make_led_case(system, title=f"Complaint of {ADA}", summary="She rang.")
    request = restrict()
    edit_case(actor=actor_of(lead), case_id=case.pk, title="A complaint", summary="She rang.", severity="low")
    case.refresh_from_db()
    shown = to_read(actor_of(lead), case)
    assert (shown.title, shown.summary) == ("A complaint", NOTICE), "of the summary nobody wrote anything"
    go_on(request, system)
    case.refresh_from_db()
    assert (case.title, case.summary) == ("A complaint", "She rang."), "what is repeated names nobody"
    assert Particulars.objects.filter(row_id=case.pk, data__isnull=False).count() == 1
    assert list(verify_everything()) == []


@pytest.mark.parametrize("sent", ["", NOTICE])
def test_what_somebody_may_not_read_stays_as_it_is(system: AISystem, kept: None, sent: str) -> None:
    case, lead = make_led_case(system, title=f"Complaint of {ADA}", summary="She rang.")
    declare(case, lead, narrative=f"{ADA} fell.")
    lift_all_holds(lead, officer())
    restrict()
    edit_case(actor=actor_of(lead), case_id=case.pk, title=sent, summary=sent, severity="critical")
    changes = {"harm": "None.", "lessons": sent} | ({"narrative": sent} if sent else {})
    update_incident(actor=actor_of(lead), case_id=case.pk, changes=changes)
    case = Case.objects.get(pk=case.pk)
    assert (case.title, case.summary, case.severity) == (f"Complaint of {ADA}", "She rang.", "critical")
    assert (case.incident.narrative, case.incident.harm) == (f"{ADA} fell.", "None.")


@pytest.mark.parametrize("sent", [NOTICE, f" {NOTICE}\n"])
def test_the_notice_is_never_what_somebody_wrote(system: AISystem, kept: None, sent: str) -> None:
    case, lead = make_led_case(system, title=f"Complaint of {ADA}", summary="She rang.")
    actor, request = actor_of(lead), restrict()
    for write_it in (
        lambda: add_note(actor=actor, case_id=case.pk, text=sent),
        lambda: act(case, lead, lead, what=sent),
        lambda: declare(case, lead, narrative=sent),
        lambda: place_hold(actor=actor, case_id=case.pk, reason=sent),
    ):
        with pytest.raises(InvalidInput) as refusal:
            write_it()
        assert "in place of what is restricted" in str(refusal.value.errors)
    withdraw_erasure(actor=actor_of(officer()), request_id=request.pk)
    edit_case(actor=actor, case_id=case.pk, title=sent, summary=sent, severity="critical")
    case.refresh_from_db()
    assert (case.title, case.summary, case.severity) == (f"Complaint of {ADA}", "She rang.", "critical")


# --- doors that are no page -------------------------------------------------------------------------------------------
def test_a_title_that_is_restricted_is_found_by_nobody_else(system: AISystem, kept: None) -> None:
    case, lead = make_led_case(system, title=f"Complaint of {ADA}")
    restrict()

    def found(person: Person, text: str) -> list[uuid.UUID]:
        return list(Case.objects.filter(called(actor_of(person), text)).values_list("pk", flat=True))

    assert found(lead, "Ada") == found(lead, "Complaint of") == []
    assert found(officer(), "Ada") == found(lead, case.reference) == [case.pk]


def test_a_report_that_is_recorded_meanwhile_says_the_notice(system: AISystem, kept: None) -> None:
    case, lead = make_led_case(system, title=f"Complaint of {ADA}")
    declare(case, lead)
    lift_all_holds(lead, officer())
    restrict()
    report = record_report(actor=actor_of(lead), case_id=case.pk, stage="initial", reported_at=timezone.now())
    assert ADA not in report.content and NOTICE in report.content
    assert ADA not in str(document_of(case)), "whoever it may be"


def test_what_a_report_said_is_restricted_as_a_whole(system: AISystem, kept: None) -> None:
    case, lead = make_led_case(system, title=f"Complaint of {ADA}")
    declare(case, lead)
    record_report(actor=actor_of(lead), case_id=case.pk, stage="initial", reported_at=timezone.now(), receipt="No. 4")
    lift_all_holds(lead, officer())
    restrict()
    report = IncidentReport.objects.get()
    assert content_of(actor_of(lead), report) is None
    said = content_of(actor_of(officer()), report)
    assert said is not None and said["case"]["title"] == f"Complaint of {ADA}"


def test_a_letter_that_is_restricted_by_itself_is_read_by_the_officer_alone(system: AISystem) -> None:
    decision, owner = record_decision(system, parts={"input": 1, "output": 1}), agreeing(system)
    letter = letters.issue(decision, owner, text=f"Dear {ADA},\n\nno.", addressee=ADA)
    looks = Entry.objects.filter(kind="payload.viewed").count()
    restrict()
    with pytest.raises(PayloadRestricted, match="about to be erased"):
        read_letter(actor=actor_of(owner), letter_id=letter.pk)
    assert Entry.objects.filter(kind="payload.viewed").count() == looks, "nothing was shown"
    assert ADA in read_letter(actor=actor_of(officer()), letter_id=letter.pk).text


def test_a_draft_of_a_review_is_kept_from_its_writer(system: AISystem) -> None:
    reviewer = make_person(reviewer=system)
    review = open_review(system, rule=make_rule(system, make_queue(make_person())))
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    save_draft(actor=actor_of(reviewer), token=work.token, draft={"note": f"{ADA} again."})
    restrict()
    assert ReviewAssignment.objects.get(pk=work.pk).draft
    assert item_for(reviewer, work.token).draft == {}

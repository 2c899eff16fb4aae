"""Asking for an export: by whom, about what, in which form; who knows of it; all sealed."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.case_errors import CaseNotFound
from audit.errors import DecisionNotFound
from config.errors import Forbidden, InvalidInput, ServiceError
from config.ids import new_id
from evidence.exports import requesting
from evidence.exports.errors import ExportKeyTaken, ExportNotFound, TooManyExports
from evidence.exports.models import Export, ExportWork
from evidence.exports.requesting import (
    cancel_export,
    refuse_export,
    visible_export,
)
from governance.errors import PersonNeeded
from governance.models import AISystem, Assignment, Person
from governance.services.assignments import end_assignment
from ledger.entries import COMMAND, SERVER
from ledger.models import Entry
from ledger.selectors import latest_checkpoint, open_log, registry_log
from overrides.review_errors import HiddenWhileBlind
from overrides.services.claiming import claim
from tests.factories.cases import make_led_case
from tests.factories.exports import agree, ask
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db
Status = Export.Status


@pytest.fixture
def system() -> AISystem:
    return make_system()


def kinds(export: Export) -> list[str]:
    return list(Entry.objects.filter(about_id=export.pk).order_by("id").values_list("kind", flat=True))


def pointers(refusal: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [each.pointer for each in refusal.value.errors]


def lose(person: Person) -> None:
    for held in Assignment.objects.filter(person=person, status="accepted"):
        end_assignment(actor=COMMAND, assignment_id=held.pk)


# --- who --------------------------------------------------------------------------------------------------------------
def test_without_contents_nobody_has_to_agree(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system)
    assert export.status == Status.QUEUED
    assert ExportWork.objects.filter(export=export).exists()
    assert kinds(export) == ["export.requested"]


def test_with_contents_it_waits_for_a_second_person(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    assert export.status == Status.REQUESTED
    assert not ExportWork.objects.filter(export=export).exists()
    agreed = agree(export)
    assert (agreed.status, agreed.decided_by_id != auditor.pk) == (Status.QUEUED, True)
    assert kinds(export) == ["export.requested", "export.approved"]


@pytest.mark.parametrize("role", ["auditor", "accountable"])
def test_an_ai_system_is_exported_by_auditors_and_who_is_accountable(system: AISystem, role: str) -> None:
    here: dict[str, Any] = {role: system}
    elsewhere: dict[str, Any] = {role: make_system()}
    assert ask(make_person(**here), system).status == Status.QUEUED
    with pytest.raises(Forbidden):
        ask(make_person(**elsewhere), system)


@pytest.mark.parametrize(
    "role", ["administrator", "technical_owner", "operator", "reviewer", "approver", "investigator", "dpo", "viewer"]
)
def test_an_ai_system_is_exported_by_nobody_else(system: AISystem, role: str) -> None:
    is_of_all = role in ("administrator", "approver", "investigator", "dpo", "viewer")
    roles: dict[str, Any] = {role: is_of_all or system}
    with pytest.raises(Forbidden):
        ask(make_person(**roles), system)


def test_whoever_is_accountable_exports_no_contents(system: AISystem) -> None:
    with pytest.raises(Forbidden):
        ask(make_person(accountable=system), system, parts=["input"])


def test_an_investigator_exports_their_own_case_and_no_other(system: AISystem) -> None:
    case, lead = make_led_case(system, decisions=[record_decision(system)])
    assert ask(lead, question="case", case_id=case.pk).status == Status.QUEUED
    for stranger in (make_person(investigator=True), make_person(dpo=True)):
        with pytest.raises(ServiceError) as refusal:
            ask(stranger, question="case", case_id=case.pk)
        assert isinstance(refusal.value, Forbidden | CaseNotFound)


def test_a_decision_out_of_sight_looks_like_none(system: AISystem) -> None:
    outsider = make_person(auditor=make_system())
    decision = record_decision(system)
    for decision_id in (decision.id, uuid.uuid4()):
        with pytest.raises(DecisionNotFound):
            ask(outsider, question="decision", decision_id=decision_id)


def test_a_decision_that_one_judges_blind_is_not_exported(system: AISystem) -> None:
    judge = make_person(reviewer=system, auditor=system)
    review = open_review(system, rule=make_rule(system, make_queue(judge, system=system), is_blind=True))
    claim(actor=actor_of(judge), review_id=review.pk)
    with pytest.raises(HiddenWhileBlind):
        ask(judge, question="decision", decision_id=review.decision_id)


def test_by_subject_one_must_both_search_and_export(system: AISystem) -> None:
    record_decision(system, subject="ada")
    assert ask(make_person(auditor=True), question="subject", subject="ada").status == Status.QUEUED
    with pytest.raises(Forbidden):
        ask(make_person(viewer=True), question="subject", subject="ada")


@pytest.mark.parametrize("actor", [COMMAND, SERVER])
def test_no_program_asks(system: AISystem, actor: Any) -> None:
    asked = requesting.Asked(question="range", system_id=system.pk)
    with pytest.raises(PersonNeeded):
        requesting.request_export(actor=actor, asked=asked, form="csv", reason="A cron job.")


# --- what -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"question": "everything"}, "/question"),
        ({"question": "range"}, "/system_id"),
        ({"question": "case"}, "/case_id"),
        ({"question": "subject", "subject": ""}, "/subject"),
        ({"question": "subject", "subject": "a" * 201}, "/subject"),
        ({"question": "subject", "subject": "a\0b"}, "/subject"),
        ({"question": "case", "case_id": uuid.uuid4(), "subject": "ada"}, "/subject"),
        ({"question": "decision", "decision_id": uuid.uuid4(), "since": timezone.now()}, "/since"),
    ],
)
def test_a_question_that_is_none_is_refused(auditor: Person, given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ask(auditor, **given)
    assert pointer in [each.pointer for each in refusal.value.errors]
    assert not Export.objects.exists()


@pytest.mark.parametrize(("since", "until", "pointer"), [(2, 3, "/until"), (2, 2, "/until"), (None, -1, "/until")])
def test_times_that_are_none_are_refused(
    system: AISystem, auditor: Person, since: int | None, until: int, pointer: str
) -> None:
    """In hours ago."""
    now = timezone.now()
    times = (("since", since), ("until", until))
    given: dict[str, Any] = {name: now - timedelta(hours=each) for name, each in times if each}
    with pytest.raises(InvalidInput) as refusal:
        ask(auditor, system, **given)
    assert pointers(refusal) == [pointer]


@pytest.mark.parametrize(
    ("form", "parts"), [("ocsf", ["input"]), ("csv", ["state"]), ("ndjson", ["reason"]), ("bundle", ["secret"])]
)
def test_a_form_takes_the_contents_that_it_has_a_place_for(
    system: AISystem, auditor: Person, form: str, parts: list[str]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ask(auditor, system, form=form, parts=parts)
    assert pointers(refusal) == ["/parts"]


def test_it_says_what_it_is_for(system: AISystem, auditor: Person) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ask(auditor, system, reason="  ")
    assert pointers(refusal) == ["/reason"]


# --- the head that somebody keeps -------------------------------------------------------------------------------------
def test_of_a_head_only_what_a_log_of_ours_signed_is_kept(system: AISystem, auditor: Person) -> None:
    signed = latest_checkpoint(open_log(system.pk))
    export = ask(auditor, system, head=f"\n{signed.note.replace(chr(10), chr(13) + chr(10))}\n")
    assert export.heads == [[open_log(system.pk).origin, signed.tree_size, signed.root_hash.hex()]]


def test_of_several_heads_each_is_kept_once(system: AISystem, auditor: Person) -> None:
    """As `cat heads/*` writes them, and as somebody pastes them."""
    log = open_log(system.pk)
    registry = registry_log()
    notes = [latest_checkpoint(each).note for each in (log, registry, log)]
    expected = sorted((each.origin, latest_checkpoint(each).tree_size) for each in (log, registry))
    for between in ("", "\n", "\n\n \n"):
        heads = ask(auditor, system, head=between.join(notes)).heads
        assert [(origin, size) for origin, size, _ in heads] == expected
    forged = notes[1].replace(registry.origin, f"{registry.origin}x")
    with pytest.raises(InvalidInput) as refusal:
        ask(auditor, system, head=notes[0] + forged)
    assert "Number 2" in refusal.value.errors[0].detail
    with pytest.raises(InvalidInput):
        ask(auditor, system, head=notes[0] * 101)


def test_a_head_that_nobody_signed_is_refused(system: AISystem, auditor: Person) -> None:
    signed = latest_checkpoint(open_log(system.pk)).note
    size = signed.split("\n")[1]
    forged = signed.replace(f"\n{size}\n", f"\n{int(size) + 1}\n")
    for head in ("nonsense", forged, signed.split("\n\n")[0], signed + "a" * 20_000):
        with pytest.raises(InvalidInput) as refusal:
            ask(auditor, system, head=head)
        assert pointers(refusal) == ["/head"]


def test_only_a_bundle_proves_itself_against_a_head(system: AISystem, auditor: Person) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ask(auditor, system, form="csv", head=latest_checkpoint(open_log(system.pk)).note)
    assert pointers(refusal) == ["/head"]


# --- again ------------------------------------------------------------------------------------------------------------
def test_a_repeat_with_the_same_key_is_the_same_export(system: AISystem, auditor: Person) -> None:
    key = new_id()
    first, again = ask(auditor, system, key=key), ask(auditor, system, key=key)
    assert first.pk == again.pk
    with pytest.raises(ExportKeyTaken):
        ask(auditor, system, key=key, form="csv")
    other = make_person(auditor=True)
    assert ask(other, system, key=key).pk != first.pk, "a key is of one person"


def test_so_many_of_one_person_wait_and_no_more(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requesting, "AT_ONCE", 2)
    first = ask(auditor, system)
    ask(auditor, system, parts=["input"])
    with pytest.raises(TooManyExports):
        ask(auditor, system)
    cancel_export(actor=actor_of(auditor), export_id=first.pk)
    ask(auditor, system)
    ask(make_person(auditor=True), system)


# --- who knows of one -------------------------------------------------------------------------------------------------
def test_who_may_know_of_one(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system)
    subject = ask(auditor, question="subject", subject="ada")
    seeing = [auditor, make_person(dpo=True)]
    same_right = [make_person(auditor=system), make_person(accountable=system)]
    others = [make_person(auditor=make_system()), make_person(administrator=True), make_person(reviewer=True)]
    for person in (*seeing, *same_right):
        assert visible_export(actor_of(person), export.pk) == export
    for person in others:
        with pytest.raises(ExportNotFound):
            visible_export(actor_of(person), export.pk)
    for person in seeing:
        visible_export(actor_of(person), subject.pk)
    for person in (*same_right, *others):
        with pytest.raises(ExportNotFound):
            visible_export(actor_of(person), subject.pk)


# --- the entries ------------------------------------------------------------------------------------------------------
def test_entries_name_the_question_and_nothing_personal(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, question="subject", subject="zq-ada-lovelace", reason="zq-because", parts=["refs"])
    agree(export)
    data = b"".join(bytes(each.data) for each in Entry.objects.filter(about_id=export.pk))
    assert b'"question":{"kind":"subject"}' in data
    assert b'"parts":["refs"]' in data
    assert b"zq-" not in data


def test_requests_stand_in_the_registry_log(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    refuse_export(actor=actor_of(make_person(dpo=True)), export_id=export.pk)
    logs = set(Entry.objects.filter(about_id=export.pk).values_list("log_id", flat=True))
    assert logs == {registry_log().id}


def test_reason_answer_and_subject_can_be_erased(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, question="subject", subject="ada")
    assert set(Export.ERASABLE_FIELDS) == {"reason", "answer", "subject"}
    [change] = export.history.all()
    assert change.particulars_id is not None


# --- the rows themselves ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "wrong",
    [
        {"question": "range", "system_id": None},
        {"case_id": uuid.uuid4()},
        {"status": "finished", "ended_at": timezone.now()},
        {"status": "failed", "ended_at": timezone.now()},
        {"status": "cancelled"},
        {"failure": "fault"},
        {"ended_at": timezone.now()},
        {"since": timezone.now(), "until": timezone.now() - timedelta(hours=1)},
    ],
)
def test_the_database_takes_no_row_that_says_two_things(
    system: AISystem, auditor: Person, wrong: dict[str, Any]
) -> None:
    export = ask(auditor, system)
    with pytest.raises(IntegrityError), transaction.atomic():
        Export.objects.filter(pk=export.pk).update(**wrong)


def test_nobody_agrees_with_themselves_in_the_database_either(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    with pytest.raises(IntegrityError), transaction.atomic():
        Export.objects.filter(pk=export.pk).update(decided_by_id=auditor.pk)


def test_somebody_who_gains_the_right_later_asks_then(system: AISystem) -> None:
    person = make_person()
    with pytest.raises(Forbidden):
        ask(person, system)
    give_role(person, Assignment.Role.AUDITOR)
    ask(person, system)


def test_what_people_wrote_takes_the_row_along_that_commits_to_it(system: AISystem, auditor: Person) -> None:
    assert ask(auditor, system, parts=["particulars", "input"]).parts == ["input", "state", "particulars"]
    assert ask(auditor, system, parts=["reason"]).parts == ["reason"]

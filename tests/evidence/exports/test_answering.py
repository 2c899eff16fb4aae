"""Exports that were asked for: agreed to and refused by a second person, taken back, given up."""

import pytest
from django.core import mail

from evidence.exports.errors import ExportNotFound, ExportNotOpen
from evidence.exports.models import Export
from evidence.exports.requesting import (
    approve_export,
    cancel_export,
    refuse_export,
    withdraw_export,
)
from evidence.services.leaving import leave
from governance.errors import ApprovalForbidden, RequestVoid
from governance.models import AISystem, Person
from ledger.entries import COMMAND
from notices.services.mailing import send_mails
from tests.evidence.exports.test_asking import kinds, lose
from tests.factories.exports import agree, ask
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db
Status = Export.Status


@pytest.fixture
def system() -> AISystem:
    return make_system()


# --- the second person ------------------------------------------------------------------------------------------------
def test_only_a_data_protection_officer_who_is_somebody_else_agrees(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    own = make_person(auditor=True, dpo=True)
    mine = ask(own, system, parts=["input"])
    for person, asked in ((auditor, export), (make_person(administrator=True), export), (own, mine)):
        for answer in (approve_export, refuse_export):
            with pytest.raises((ApprovalForbidden, ExportNotFound)):
                answer(actor=actor_of(person), export_id=asked.pk)
    assert kinds(export) == kinds(mine) == ["export.requested"]
    approve_export(actor=actor_of(own), export_id=export.pk)


def test_without_contents_there_is_nothing_to_agree_to(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system)
    with pytest.raises(ApprovalForbidden):
        approve_export(actor=actor_of(make_person(dpo=True)), export_id=export.pk)


def test_it_is_refused_with_a_reason_that_whoever_asked_reads(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    refuse_export(actor=actor_of(make_person(dpo=True)), export_id=export.pk, answer="Too much.")
    export.refresh_from_db()
    assert (export.status, export.answer) == (Status.REFUSED, "Too much.")
    assert kinds(export) == ["export.requested", "export.refused"]
    send_mails()
    letters = [each for each in mail.outbox if auditor.email in each.to]
    assert any("refused" in each.subject and "Too much." in each.body for each in letters)


def test_what_was_answered_is_over(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    agree(export)
    dpo = make_person(dpo=True)
    for again in (approve_export, refuse_export):
        with pytest.raises(ExportNotOpen):
            again(actor=actor_of(dpo), export_id=export.pk)
    with pytest.raises(ExportNotOpen):
        withdraw_export(actor=actor_of(auditor), export_id=export.pk)


def test_whoever_agrees_is_written_to(system: AISystem, auditor: Person) -> None:
    dpo = make_person(dpo=True)
    ask(auditor, system, parts=["input", "refs"], reason="The yearly audit.")
    send_mails()
    [letter] = [each for each in mail.outbox if dpo.email in each.to]
    assert "The yearly audit." in letter.body
    assert "inputs" in letter.body.lower()


def test_a_request_of_somebody_who_may_not_any_more_is_void(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    lose(auditor)
    with pytest.raises(RequestVoid):
        agree(export)
    refuse_export(actor=actor_of(make_person(dpo=True)), export_id=export.pk)


# --- taken back, given up ---------------------------------------------------------------------------------------------
def test_one_takes_back_ones_own_alone(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    for other in (make_person(auditor=True), make_person(dpo=True)):
        with pytest.raises(ExportNotFound):
            withdraw_export(actor=actor_of(other), export_id=export.pk)
    assert withdraw_export(actor=actor_of(auditor), export_id=export.pk).status == Status.WITHDRAWN
    assert kinds(export) == ["export.requested", "export.withdrawn"]


def test_what_is_being_made_is_given_up_by_who_asked_or_agrees(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system, parts=["input"])
    agree(export)
    with pytest.raises(ExportNotFound):
        cancel_export(actor=actor_of(make_person(auditor=True)), export_id=export.pk)
    ended = cancel_export(actor=actor_of(make_person(dpo=True)), export_id=export.pk)
    assert ended.status == Status.CANCELLED
    with pytest.raises(ExportNotOpen):
        cancel_export(actor=actor_of(auditor), export_id=export.pk)


def test_what_somebody_asked_for_ends_when_they_leave(system: AISystem, auditor: Person) -> None:
    waits, queued = ask(auditor, system, parts=["input"]), ask(auditor, system)
    others = ask(make_person(auditor=True), system)
    leave(actor=COMMAND, person_id=auditor.pk)
    found = {each.pk: each.status for each in Export.objects.all()}
    assert found == {waits.pk: Status.WITHDRAWN, queued.pk: Status.CANCELLED, others.pk: Status.QUEUED}

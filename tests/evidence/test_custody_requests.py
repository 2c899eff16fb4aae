"""Custody in two steps: one administrator asks, another agrees while signed in, a command carries it out."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from config.errors import Forbidden, InvalidInput
from config.ids import new_id
from evidence.errors import (
    CustodyChanged,
    CustodyRequestExists,
    CustodyRequestNotFound,
    CustodyRequestNotOpen,
    HeadAlreadyKnown,
    NothingToDo,
    TwoAdministratorsNeeded,
)
from evidence.log_standing import Standing, log_standings, logs_lost_whole
from evidence.models import CustodyRequest
from evidence.services.custody import close_log
from evidence.services.custody_requests import (
    approve_custody,
    ask_custody,
    carry_out,
    needing,
    refuse_custody,
    seal_waiting_requests,
    withdraw_custody,
)
from evidence.services.leaving import leave
from evidence.verification import verify_everything
from governance.errors import ApprovalForbidden
from governance.models import Person
from governance.services.people import issue_setup_link
from ledger.entries import COMMAND, SERVER
from ledger.errors import LedgerRolledBack
from ledger.heads import head_store
from ledger.models import Contradiction, Entry, Log
from ledger.selectors import latest_head, open_log, registry_log
from notices.models import Message
from tests.evidence.conftest import Organisation, record
from tests.evidence.test_custody import forget_head, sign_more_than_there_is
from tests.factories.register import actor_of, make_person

What, Status = CustodyRequest.What, CustodyRequest.Status
WHY = "The disk of the database failed; there is no replica."


def ask(person: Person, what: CustodyRequest.What = What.CLOSE, **more: Any) -> CustodyRequest:
    return ask_custody(actor=actor_of(person), what=what, reason=WHY, **more)


def agreed(first: Person, second: Person, what: CustodyRequest.What = What.CLOSE) -> CustodyRequest:
    return approve_custody(actor=actor_of(second), request_id=ask(first, what).pk)


def contradict(log: Log, tree_size: int) -> None:
    """A witness holds a larger tree, signed by this log's key."""
    Contradiction.objects.create(
        log=log, tree_size=tree_size, root_hash=bytes(32), note="", witness="witness.example.org",
        found_size=log.entries.count(),
    )  # fmt: skip


def done(request: CustodyRequest) -> list[str]:
    lines: list[str] = []
    carry_out(actor=COMMAND, request_id=request.pk, say=lines.append)
    return lines


def said(log: Log, index: int = 0) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(log.entries.get(leaf_index=index).data))["body"]
    return body


def kinds_about(request: CustodyRequest) -> list[str]:
    return list(Entry.objects.filter(about_id=request.pk).order_by("id").values_list("kind", flat=True))


def findings() -> list[str]:
    return [str(finding) for finding in verify_everything()]


class TestTheTwoSteps:
    def test_what_two_agreed_to_is_done_and_the_entry_says_how_they_agreed(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = agreed(first, second)
        [line] = done(request)
        successor = open_log(organisation.system.id)
        assert line == f"{organisation.log.origin}: closed; continued by {successor.origin}"
        opening = said(successor)
        assert (opening["asked_by"], opening["approved_by"]) == (str(first.pk), str(second.pk))
        assert (opening["consent"], opening["request"]) == ("signed-in", str(request.pk))
        assert kinds_about(request) == ["custody.asked", "custody.approved", "custody.carried_out"]
        assert findings() == []

    def test_each_who_could_agree_is_written_to_and_nobody_else(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        ask(first)
        asked = Message.objects.filter(kind="custody.asked").values_list("person_id", flat=True)
        assert second.pk in asked and first.pk not in asked

    def test_nothing_is_done_before_somebody_else_agrees(self, organisation: Organisation, first: Person) -> None:
        sign_more_than_there_is(organisation.log)
        request = ask(first)
        with pytest.raises(ApprovalForbidden):
            approve_custody(actor=actor_of(first), request_id=request.pk)
        with pytest.raises(CustodyRequestNotOpen):
            done(request)
        assert open_log(organisation.system.id) == organisation.log

    def test_nobody_agrees_who_is_no_administrator_or_was_made_by_whoever_asks(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = ask(first)
        issue_setup_link(actor=actor_of(first), person_id=second.pk)
        for person in (second, make_person(auditor=True), make_person()):
            with pytest.raises(ApprovalForbidden):
                approve_custody(actor=actor_of(person), request_id=request.pk)
        with pytest.raises(Forbidden):
            ask(make_person(auditor=True), What.BEGIN_ROTATION)

    def test_a_refusal_ends_it(self, organisation: Organisation, first: Person, second: Person) -> None:
        sign_more_than_there_is(organisation.log)
        request = refuse_custody(actor=actor_of(second), request_id=ask(first).pk, answer="There is a replica.")
        with pytest.raises(CustodyRequestNotOpen):
            done(request)
        with pytest.raises(CustodyRequestNotOpen):
            approve_custody(actor=actor_of(second), request_id=request.pk)
        assert kinds_about(request) == ["custody.asked", "custody.refused"]
        assert [each.partition(":")[0] for each in findings()] == ["rolled-back"]

    def test_only_whoever_asked_takes_it_back_and_until_it_is_done(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = agreed(first, second)
        with pytest.raises(CustodyRequestNotFound):
            withdraw_custody(actor=actor_of(second), request_id=request.pk)
        withdraw_custody(actor=actor_of(first), request_id=request.pk)
        with pytest.raises(CustodyRequestNotOpen):
            done(request)

    def test_one_waits_at_a_time_and_what_expired_stands_in_nobodys_way(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = ask(first)
        with pytest.raises(CustodyRequestExists):
            ask(second)
        with time_machine.travel(timezone.now() + timedelta(hours=25), tick=False):
            with pytest.raises(CustodyRequestNotOpen):
                approve_custody(actor=actor_of(second), request_id=request.pk)
            ask(second)
            assert seal_waiting_requests() == 1
        assert kinds_about(request) == ["custody.asked", "custody.voided"]

    def test_what_was_agreed_to_is_carried_out_within_a_day_or_not_at_all(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = agreed(first, second)
        later = timezone.now() + timedelta(hours=25)
        with time_machine.travel(later, tick=False), pytest.raises(CustodyRequestNotOpen):
            done(request)

    def test_it_takes_a_reason_and_something_to_be_done(self, organisation: Organisation, first: Person) -> None:
        with pytest.raises(NothingToDo):
            ask(first)
        with pytest.raises(InvalidInput):
            ask_custody(actor=actor_of(first), what=What.BEGIN_ROTATION, reason=" ")

    def test_of_several_logs_those_that_were_named_alone(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        for log in (organisation.log, registry_log()):
            forget_head(log)
        registry = registry_log()
        request = ask(first, What.ADOPT, log_ids=[registry.pk])
        approve_custody(actor=actor_of(second), request_id=request.pk)
        assert [each.split(": ")[0] for each in done(request)] == [registry.origin]
        assert head_store().head(organisation.log.id) is None


class TestWhatBothSaw:
    def test_another_head_store_than_both_saw_ends_it(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = agreed(first, second)
        sign_more_than_there_is(organisation.log)
        with pytest.raises(CustodyChanged, match="another tree than both saw"):
            done(request)
        assert open_log(organisation.system.id) == organisation.log

    def test_a_log_that_another_host_goes_on_with_may_still_be_adopted(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        log = organisation.log
        head = head_store().head(log.id)
        assert head is not None
        forget_head(log)
        request = agreed(first, second, What.ADOPT)
        head_store().advance(log.id, head.tree_size, head.root_hash)
        record(log, organisation.account, 2)  # as the other host does
        forget_head(log)
        [line] = done(request)
        assert "adopted the head of 3" in line
        assert findings() == []

    def test_what_a_witness_holds_is_seen_and_counts(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        """An old database with a head store of the same day: this host alone misses nothing."""
        size = organisation.log.entries.count()
        contradict(organisation.log, size + 40)
        request = agreed(first, second)
        assert [(each["signed"], [one["size"] for one in each["contradicted"]]) for each in request.logs] == [
            (size, [size + 40])
        ]
        contradict(organisation.log, size + 50)  # another witness, later
        with pytest.raises(CustodyChanged, match="a witness has shown another tree"):
            done(request)
        withdraw_custody(actor=actor_of(first), request_id=request.pk)
        done(agreed(first, second))
        assert said(open_log(organisation.system.id))["predecessor"]["missing"] == [size, size + 50]

    def test_no_head_is_adopted_of_what_a_witness_knows_to_be_older(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        contradict(organisation.log, organisation.log.entries.count() + 40)
        forget_head(organisation.log)
        with pytest.raises(LedgerRolledBack):
            done(agreed(first, second, What.ADOPT))
        assert head_store().head(organisation.log.id) is None

    def test_an_administrator_who_is_none_any_more_was_not_asked(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = agreed(first, second)
        second.assignments.update(ends_at=timezone.now())
        with pytest.raises(TwoAdministratorsNeeded):
            done(request)

    def test_who_leaves_takes_their_word_with_them(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = agreed(first, second)
        leave(actor=actor_of(first), person_id=second.pk)
        with pytest.raises(CustodyRequestNotOpen):
            done(request)
        assert kinds_about(request)[-1] == "custody.voided"

    def test_an_interruption_is_gone_on_with(self, organisation: Organisation, first: Person, second: Person) -> None:
        registry = registry_log()
        for log in (registry, organisation.log):
            sign_more_than_there_is(log)
        request = agreed(first, second)
        close_log(actor=COMMAND, asked_by=first, approved_by=second, log=registry, request_id=request.pk)
        lines = done(request)
        assert lines[0] == f"{registry.origin}: left as it is. This log is closed."
        assert "closed; continued by" in lines[1]
        request.refresh_from_db()
        assert request.status == Status.CARRIED_OUT


class TestWhileTheRegistryLogTakesNoEntry:
    @pytest.fixture
    def registry(self, organisation: Organisation, first: Person, second: Person) -> Log:
        registry = registry_log()
        sign_more_than_there_is(registry)
        with pytest.raises(LedgerRolledBack):
            make_person()
        return registry

    def test_the_way_out_is_agreed_to_unsealed_and_sealed_by_the_act(
        self, registry: Log, first: Person, second: Person
    ) -> None:
        request = agreed(first, second)
        assert request.seal_pending and kinds_about(request) == []
        done(request)
        assert not CustodyRequest.objects.get(pk=request.pk).seal_pending
        assert kinds_about(request) == ["custody.carried_out"]
        assert Entry.objects.get(about_id=request.pk).log == registry_log() != registry
        assert findings() == []

    def test_a_waiting_step_is_no_finding_and_an_altered_request_is(
        self, registry: Log, first: Person, second: Person
    ) -> None:
        agreed(first, second)
        assert {each.partition(":")[0] for each in findings()} == {"rolled-back"}
        CustodyRequest.objects.update(seal_pending=False)
        assert "row-without-history" in {each.partition(":")[0] for each in findings()}

    def test_what_was_asked_before_is_answered_meanwhile(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        request = ask(first)
        sign_more_than_there_is(registry_log())
        approve_custody(actor=actor_of(second), request_id=request.pk)
        assert kinds_about(request) == ["custody.asked"]
        assert {each.partition(":")[0] for each in findings()} == {"rolled-back"}
        CustodyRequest.objects.update(what=What.ADOPT)
        assert "row-altered" in {each.partition(":")[0] for each in findings()}

    def test_a_step_that_led_to_nothing_is_sealed_by_the_sweep(
        self, registry: Log, first: Person, second: Person
    ) -> None:
        request = refuse_custody(actor=actor_of(second), request_id=ask(first).pk, answer="Look again.")
        assert seal_waiting_requests() == 0
        close_log(actor=COMMAND, asked_by=first, approved_by=second, log=registry)
        assert seal_waiting_requests() == 1
        assert kinds_about(request) == ["custody.refused"]
        assert findings() == []

    def test_logs_that_were_opened_in_the_lost_tail_are_named(
        self, registry: Log, first: Person, second: Person
    ) -> None:
        gone = new_id()
        head_store().advance(gone, 12, bytes(range(32)))
        assert [each.log_id for each in logs_lost_whole()] == [gone]
        done(agreed(first, second))
        entry = Entry.objects.get(about_id=gone)
        body = json.loads(bytes(entry.data))["body"]
        assert (entry.kind, body["tree_size"], body["root_hash"]) == ("log.lost", 12, bytes(range(32)).hex())
        assert logs_lost_whole() == []
        assert findings() == []


class TestATailThatNobodyKnows:
    def test_the_successor_says_that_nobody_knows(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        log, size = organisation.log, organisation.log.entries.count()
        forget_head(log)
        assert [each.log for each in needing(What.CLOSE_UNKNOWN)] == [log]
        done(agreed(first, second, What.CLOSE_UNKNOWN))
        successor = open_log(organisation.system.id)
        lost = said(successor)["predecessor"]
        assert (lost["origin"], lost["tail"], lost["missing"]) == (log.origin, "unknown", [size, size])
        assert (lost["tree_size"], lost["found"]) == (size, size)
        record(successor, organisation.account, 1)
        assert findings() == []
        assert {each.standing for each in log_standings()} == {Standing.CONTINUES}

    def test_of_a_log_whose_end_is_known_here_nobody_says_so(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        sign_more_than_there_is(organisation.log)
        with pytest.raises(HeadAlreadyKnown):
            close_log(actor=COMMAND, asked_by=first, approved_by=second, log=organisation.log, tail_unknown=True)

    def test_a_host_that_does_know_more_still_says_so(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        log = organisation.log
        forget_head(log)
        done(agreed(first, second, What.CLOSE_UNKNOWN))
        head_store().advance(log.id, latest_head(log.id).tree_size + 7, bytes(32))
        assert {each.partition(":")[0] for each in findings()} == {"rolled-back"}


class TestTheSigningKey:
    def test_both_steps_of_a_rotation_are_asked_for_and_agreed_to(
        self, organisation: Organisation, first: Person, second: Person, key_file: Any
    ) -> None:
        begun = carry_out(actor=COMMAND, request_id=agreed(first, second, What.BEGIN_ROTATION).pk)
        assert begun is not None and len(begun.vkeys) == 2
        finished = carry_out(actor=COMMAND, request_id=agreed(second, first, What.FINISH_ROTATION).pk)
        assert finished is not None and len(finished.vkeys) == 1
        assert findings() == []


def test_sealed_late_by_the_server_a_step_still_names_who_took_it(
    organisation: Organisation, first: Person, second: Person
) -> None:
    registry = registry_log()
    sign_more_than_there_is(registry)
    request = refuse_custody(actor=actor_of(second), request_id=ask(first).pk)
    close_log(actor=COMMAND, asked_by=first, approved_by=second, log=registry)
    seal_waiting_requests()
    entry = json.loads(bytes(Entry.objects.get(about_id=request.pk).data))
    assert entry["actor"] == SERVER.as_json()
    assert (entry["body"]["requested_by"], entry["body"]["decided_by"]) == (str(first.pk), str(second.pk))

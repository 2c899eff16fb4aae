"""Adopting a head and closing a log: two administrators together, and only where there is reason."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from evidence.errors import HeadAlreadyKnown, LogStillContinues, TwoAdministratorsNeeded, VerificationFailed
from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody import adopt_head, close_log
from evidence.verification import LogVerification, verify_everything
from governance.models import Person
from governance.services.people import issue_setup_link
from ledger.entries import COMMAND, SERVER
from ledger.errors import HeadMissing, LedgerRolledBack, LogClosed
from ledger.heads import head_store
from ledger.models import Log
from ledger.selectors import latest_checkpoint, latest_head, open_log, registry_log
from tests.evidence.conftest import Organisation, record
from tests.factories.register import actor_of, make_person


def forget_head(log: Log) -> None:
    with head_store()._connection() as db:
        db.execute("DELETE FROM heads WHERE log_id = ?", (log.id.bytes,))


def sign_more_than_there_is(log: Log) -> None:
    head = head_store().head(log.id)
    assert head is not None
    head_store().advance(log.id, head.tree_size + 40, bytes(32))


class TestAdoptingAHead:
    def test_two_administrators_let_a_host_start_from_a_verified_log(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        forget_head(organisation.log)
        with pytest.raises(HeadMissing):
            record(organisation.log, organisation.account, 1)
        head = adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=organisation.log)
        assert head.tree_size == organisation.log.entries.count() - 1
        said = json.loads(bytes(organisation.log.entries.order_by("-leaf_index")[0].data))
        assert said["kind"] == "head.adopted"
        assert {said["body"]["asked_by"], said["body"]["approved_by"]} == {str(first.id), str(second.id)}
        record(organisation.log, organisation.account, 1)
        assert list(verify_everything()) == []

    def test_one_administrator_alone_cannot(self, organisation: Organisation, first: Person) -> None:
        forget_head(organisation.log)
        with pytest.raises(TwoAdministratorsNeeded):
            adopt_head(actor=COMMAND, asked_by=first, approved_by=first, log=organisation.log)
        with pytest.raises(TwoAdministratorsNeeded):
            adopt_head(actor=COMMAND, asked_by=first, approved_by=make_person(auditor=True), log=organisation.log)
        assert head_store().head(organisation.log.id) is None

    def test_a_pair_of_whom_one_made_the_other_cannot(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        issue_setup_link(actor=actor_of(first), person_id=second.pk)
        forget_head(organisation.log)
        with pytest.raises(TwoAdministratorsNeeded):
            adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=organisation.log)

    def test_a_head_that_is_there_is_never_replaced(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        with pytest.raises(HeadAlreadyKnown):
            adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=organisation.log)

    def test_a_log_that_does_not_verify_is_not_adopted(
        self, organisation: Organisation, first: Person, second: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        forget_head(organisation.log)
        monkeypatch.setattr("evidence.verification.trees.leaf_hash", lambda data: bytes(32))
        with pytest.raises(VerificationFailed, match="entry-altered"):
            adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=organisation.log)
        assert head_store().head(organisation.log.id) is None


class Crashed(Exception):
    """Stands for the end of the process: nothing after it is done."""


STEPS = ("lock", "copies", "tiles", "head_row", "before_commit", "committed", "head_store", "signature")


class TestACrashWhileAdopting:
    @pytest.mark.parametrize("at", STEPS)
    def test_leaves_a_state_from_which_it_can_be_done_again(
        self, organisation: Organisation, first: Person, second: Person, at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log, before = organisation.log, organisation.log.entries.count()
        forget_head(log)
        with monkeypatch.context() as patch:
            patch.setattr("ledger.sealing.step", crash(at))
            with pytest.raises(Crashed):
                adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=log)
        stored, sealed = head_store().head(log.id), log.entries.filter(kind="head.adopted").count()
        # never a head of which nothing is said
        assert (stored is None, sealed) == (at not in STEPS[-2:], 1 if at in STEPS[-3:] else 0)
        if stored is None:
            head = adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=log)
            assert head.tree_size == before + sealed
        else:
            with pytest.raises(HeadAlreadyKnown):
                adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=log)
        record(log, organisation.account, 1)
        assert list(verify_everything()) == []

    def test_of_two_who_adopt_at_once_the_second_finds_it_done(
        self, organisation: Organisation, first: Person, second: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log = organisation.log
        forget_head(log)

        def somebody_was_faster(step: str) -> None:
            if step == "lock":
                head_store().advance(log.id, log.entries.count(), latest_head(log.id).root_hash)

        with monkeypatch.context() as patch:
            patch.setattr("ledger.sealing.step", somebody_was_faster)
            with pytest.raises(HeadAlreadyKnown):
                adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=log)
        assert not log.entries.filter(kind="head.adopted").exists()

    def test_what_another_host_appended_while_it_was_verified_is_verified_too(
        self, organisation: Organisation, first: Person, second: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log, genuine = organisation.log, LogVerification.begin
        forget_head(log)

        def begin_a_moment_ago(log: Log) -> LogVerification:
            verification = genuine(log)
            verification.end -= 7
            return verification

        monkeypatch.setattr(LogVerification, "begin", begin_a_moment_ago)
        size = log.entries.count()
        assert adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=log).tree_size == size


def crash(at: str) -> Callable[[str], None]:
    def step(name: str) -> None:
        if name == at:
            raise Crashed(at)

    return step


class TestClosingALog:
    def test_the_successor_states_what_is_missing_and_takes_over(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        log, found = organisation.log, organisation.log.entries.count()
        sign_more_than_there_is(log)
        with pytest.raises(LedgerRolledBack):
            record(log, organisation.account, 1)
        successor = close_log(actor=COMMAND, asked_by=first, approved_by=second, log=log)
        said = json.loads(bytes(successor.entries.get(leaf_index=0).data))["body"]
        assert said["predecessor"]["origin"] == log.origin
        assert said["predecessor"]["missing"] == [found, found + 40]
        assert open_log(organisation.system.id) == successor
        record(successor, organisation.account, 3)
        with pytest.raises(LogClosed):
            record(log, organisation.account, 1)
        assert list(verify_everything()) == []

    def test_a_closed_log_still_shows_its_last_stored_checkpoint_and_signs_nothing_new(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        log = organisation.log
        with pytest.raises(LogClosed):
            self.closed(log, first, second)
            latest_checkpoint(log)

    def test_a_stored_checkpoint_outlives_the_closing(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        log = organisation.log
        record_checkpoints(actor=SERVER)
        signed = latest_checkpoint(log)
        self.closed(log, first, second)
        assert latest_checkpoint(log).note == signed.note

    def closed(self, log: Log, first: Person, second: Person) -> None:
        sign_more_than_there_is(log)
        close_log(actor=COMMAND, asked_by=first, approved_by=second, log=log)

    def test_the_registry_log_is_succeeded_the_same_way(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        registry = registry_log()
        sign_more_than_there_is(registry)
        successor = close_log(actor=COMMAND, asked_by=first, approved_by=second, log=registry)
        assert registry_log() == successor
        assert latest_checkpoint(successor).tree_size == 2  # itself, and the key that signs it
        assert list(verify_everything()) == []

    def test_a_log_that_continues_what_was_signed_is_not_closed(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        with pytest.raises(LogStillContinues):
            close_log(actor=COMMAND, asked_by=first, approved_by=second, log=organisation.log)


class TestTheCommands:
    @pytest.fixture
    def passwords(self, first: Person, second: Person, monkeypatch: pytest.MonkeyPatch) -> Any:
        for person in (first, second):
            person.set_password("correct horse battery")
            Person.objects.filter(pk=person.pk).update(password=person.password)
        given = iter(["correct horse battery", "correct horse battery"])
        monkeypatch.setattr("getpass.getpass", lambda prompt: next(given))

    def test_both_sign_in_at_the_terminal(
        self, organisation: Organisation, first: Person, second: Person, passwords: None
    ) -> None:
        forget_head(organisation.log)
        out = io.StringIO()
        arguments = [str(organisation.log.id), "--by", str(first.email), "--with", str(second.email)]
        call_command("adopt_head", *arguments, stdout=out)
        assert "adopted the head" in out.getvalue()

    def test_a_wrong_password_and_an_unknown_person_sound_the_same(
        self, organisation: Organisation, first: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("getpass.getpass", lambda prompt: "wrong")
        for email in (str(first.email), "nobody@example.org"):
            with pytest.raises(CommandError, match="do not belong together"):
                call_command("close_log", "registry", "--by", email, "--with", email)

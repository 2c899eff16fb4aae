"""An act of custody takes two people. Whoever can only write rows is neither of them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from config.ids import new_id
from evidence.errors import ConsentNotProven
from evidence.kinds import CUSTODY_APPROVED
from evidence.models import CustodyRequest
from evidence.services.custody import close_log
from evidence.services.custody_consent import require_consent
from evidence.services.custody_requests import _seen, approve_custody, needing, seal_waiting_requests, withdraw_custody
from governance.models import Person
from ledger.entries import COMMAND, draft_entry
from ledger.models import Entry, Log
from ledger.selectors import latest_head, open_log, registry_log
from ledger.signing import signer_of
from ledger.tlog import sign_note
from tests.evidence.conftest import Organisation
from tests.evidence.test_custody import sign_more_than_there_is
from tests.evidence.test_custody_requests import agreed, ask, done, kinds_about
from tests.factories.register import actor_of, make_person

What, Status = CustodyRequest.What, CustodyRequest.Status


@pytest.fixture
def lost(organisation: Organisation) -> Log:
    """A log that lost its tail."""
    sign_more_than_there_is(organisation.log)
    return organisation.log


def made_up(first: Person, second: Person, **more: Any) -> CustodyRequest:
    """A request as somebody writes it who has the role `app`, and nothing else."""
    now = timezone.now()
    row = CustodyRequest(
        what=What.CLOSE, logs=[_seen(each) for each in needing(What.CLOSE)], reason="x", status=Status.APPROVED,
        requested_by_id=first.pk, requested_at=now, decided_by_id=second.pk, decided_at=now,
        expires_at=now + timedelta(days=1), **more,
    )  # fmt: skip
    CustodyRequest.objects.bulk_create([row])
    return row


def refused(request: CustodyRequest, log: Log) -> None:
    with pytest.raises(ConsentNotProven):
        done(request)
    assert open_log(log.system_id) == log if log.system_id else registry_log() == log


class TestARow:
    @pytest.mark.parametrize("seal_pending", [False, True])
    def test_that_was_only_written_is_nobodys_word(
        self, lost: Log, first: Person, second: Person, seal_pending: bool
    ) -> None:
        refused(made_up(first, second, seal_pending=seal_pending), lost)

    def test_that_was_only_written_is_nobodys_word_where_nothing_can_be_sealed(
        self, organisation: Organisation, first: Person, second: Person
    ) -> None:
        registry = registry_log()
        sign_more_than_there_is(registry)
        refused(made_up(first, second, seal_pending=True), registry)

    def test_that_the_sweep_sealed_is_the_servers_word_alone(self, lost: Log, first: Person, second: Person) -> None:
        request = made_up(first, second, seal_pending=True)
        assert seal_waiting_requests() == 1
        assert kinds_about(request) == ["custody.approved"]
        refused(request, lost)

    def test_the_second_of_two_cannot_be_written_in(self, lost: Log, first: Person, second: Person) -> None:
        request, now = ask(first), timezone.now()
        CustodyRequest.objects.filter(pk=request.pk).update(
            status=Status.APPROVED, decided_by_id=second.pk, decided_at=now, expires_at=now + timedelta(days=1)
        )
        refused(request, lost)

    def test_nor_the_first(self, lost: Log, first: Person, second: Person) -> None:
        request = made_up(first, second)
        CustodyRequest.objects.filter(pk=request.pk).update(status=Status.ASKED, decided_by_id=None, decided_at=None)
        approve_custody(actor=actor_of(second), request_id=request.pk)
        refused(request, lost)


CHANGES: dict[str, Callable[[CustodyRequest, Person], dict[str, Any]]] = {
    "what is done": lambda request, third: {"what": What.WITHDRAW_KEYS},
    "to which log": lambda request, third: {"logs": [request.logs[0] | {"log": str(new_id())}]},
    "what both saw": lambda request, third: {"logs": [request.logs[0] | {"found": 1}]},
    "who asked": lambda request, third: {"requested_by_id": third.pk},
    "who agreed": lambda request, third: {"decided_by_id": third.pk},
    "until when": lambda request, third: {"expires_at": request.expires_at + timedelta(days=400)},
}


@pytest.mark.parametrize("change", CHANGES)
class TestWhatTwoAgreedTo:
    """And then somebody writes something else into the row."""

    def test_sealed(self, lost: Log, first: Person, second: Person, change: str) -> None:
        third, request = make_person(administrator=True), agreed(first, second)
        assert request.vouched == {}
        require_consent(request)
        CustodyRequest.objects.filter(pk=request.pk).update(**CHANGES[change](request, third))
        refused(request, lost)

    def test_vouched_for(self, organisation: Organisation, first: Person, second: Person, change: str) -> None:
        third, registry = make_person(administrator=True), registry_log()
        sign_more_than_there_is(registry)
        request = agreed(first, second)
        assert set(request.vouched) == {"asked", "approved"}
        require_consent(request)
        CustodyRequest.objects.filter(pk=request.pk).update(**CHANGES[change](request, third))
        refused(request, registry)


class TestASignedNote:
    @pytest.fixture
    def request_(self, organisation: Organisation, first: Person, second: Person) -> CustodyRequest:
        sign_more_than_there_is(registry_log())
        return agreed(first, second)

    def again(self, request: CustodyRequest, **columns: Any) -> CustodyRequest:
        CustodyRequest.objects.filter(pk=request.pk).update(**columns)
        return CustodyRequest.objects.get(pk=request.pk)

    def test_lets_what_it_says_be_done(self, request_: CustodyRequest) -> None:
        registry = registry_log()
        [line] = done(request_)
        assert line == f"{registry.origin}: closed; continued by {registry_log().origin}"

    def test_of_another_key_is_none(self, request_: CustodyRequest) -> None:
        text = request_.vouched["approved"].partition("\n\n")[0] + "\n"
        forged = sign_note(text, [signer_of(f"{settings.ORIGIN}/custody", b"\x11" * 32)])
        refused(self.again(request_, vouched=request_.vouched | {"approved": forged}), registry_log())

    @pytest.mark.parametrize("vouched", [{}, [], {"asked": 1, "approved": None}, {"asked": "x", "approved": "\n\n"}])
    def test_that_is_none_is_none(self, request_: CustodyRequest, vouched: Any) -> None:
        refused(self.again(request_, vouched=vouched), registry_log())

    def test_of_one_step_is_not_that_of_the_other(self, request_: CustodyRequest) -> None:
        note = request_.vouched["asked"]
        refused(self.again(request_, vouched={"asked": note, "approved": note}), registry_log())

    def test_of_an_earlier_request_is_not_that_of_a_later(
        self, request_: CustodyRequest, first: Person, second: Person
    ) -> None:
        withdraw_custody(actor=actor_of(first), request_id=request_.pk)
        later = made_up(first, second, seal_pending=True, vouched=request_.vouched)
        refused(later, registry_log())

    def test_counts_after_its_step_was_sealed_by_the_server(
        self, organisation: Organisation, request_: CustodyRequest, first: Person, second: Person
    ) -> None:
        close_log(actor=COMMAND, asked_by=first, approved_by=second, log=registry_log(), request_id=request_.pk)
        assert seal_waiting_requests() == 1
        [line] = done(request_)
        assert "left as it is. This log is closed" in line


def test_an_entry_that_was_only_written_is_in_no_tree(lost: Log, first: Person, second: Person) -> None:
    """Bytes, digest and history of a genuine step, for a request that nobody agreed to."""
    request, now = ask(first), timezone.now()
    CustodyRequest.objects.filter(pk=request.pk).update(
        status=Status.APPROVED, decided_by_id=second.pk, decided_at=now, expires_at=now + timedelta(days=1)
    )
    genuine = Entry.objects.get(about_id=request.pk)
    body = json.loads(bytes(genuine.data))["body"] | {"status": "approved", "decided_by": str(second.pk)}
    draft = draft_entry(kind=CUSTODY_APPROVED, actor=actor_of(second), at=now, body=body, about_id=request.pk)
    registry = registry_log()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_entry (log_id, leaf_index, id, kind, about_id, data, leaf_hash)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [registry.pk, latest_head(registry.pk).tree_size, draft.id, draft.kind, request.pk, draft.data,
             draft.leaf_hash],
        )  # fmt: skip
    refused(request, lost)

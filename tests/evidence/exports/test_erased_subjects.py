"""Exports beside an erasure or a purge: neither is said to be done as long as a file of ours holds what it took."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evidence.erasure.documents import document_about
from evidence.exports import storage
from evidence.exports.errors import ExportNotOpen
from evidence.exports.models import Export, ExportDownload, ExportWork
from evidence.exports.requesting import approve_export, refuse_export
from evidence.services.erasure_runs import run_erasures
from evidence.services.leaving import leave
from evidence.services.purges import announce_purge, run_purges
from evidence.verification import verify_everything
from governance.models import AISystem, Person
from ledger.models import Particulars
from tests.factories.erasing import erase_words, erased, long_ago, no_floor, put_in_force
from tests.factories.exports import agree, ask, export_of, make
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person

# What was erased after the plan is told by transactions: here they are real.
pytestmark = pytest.mark.django_db(transaction=True)
Status = Export.Status


def test_the_list_of_somebodys_decisions_goes_with_their_name(system: AISystem, auditor: Person) -> None:
    decision = record_decision(system, subject="c-1907")
    plain = export_of(auditor, question="subject", subject="c-1907")
    other = export_of(auditor, question="subject", subject="c-1908")
    waits = ask(auditor, question="subject", subject="c-1907")
    asked = ask(auditor, question="subject", subject="c-1907", parts=["input"], reason="All of C-1907.")
    request = erase_words("c-1907")
    assert request.decisions == 1 and decision.id in set(request.targets.values_list("decision_id", flat=True))
    plain.refresh_from_db()
    assert (plain.status, plain.failure, plain.subject) == (Status.EXPIRED, "erased", "")
    assert not storage.is_there(plain)
    other.refresh_from_db()
    assert (other.status, other.subject) == (Status.FINISHED, "c-1908")
    made = make(waits)
    assert (made.status, made.failure) == (Status.FAILED, "subject_erased")
    with pytest.raises(ExportNotOpen):
        agree(asked)
    asked.refresh_from_db()
    assert (asked.status, asked.subject, asked.reason) == (Status.REQUESTED, "", "")
    assert refuse_export(actor=actor_of(make_person(dpo=True)), export_id=asked.pk).status == Status.REFUSED
    assert list(verify_everything()) == []


def test_an_erasure_is_not_done_before_the_files_are_gone(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_decision(system, subject="c-1907", parts={"input": "zq-erase-me", "output": 1})
    made = export_of(auditor, system, parts=["input"])
    no_floor(system)

    def away(name: str) -> None:
        raise storage.StorageAway("away")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "remove_named", away)
        request = erased(kind="subject", subject="c-1907")
        assert request.status == "running", "all is erased but a file that cannot be reached"
        assert document_about(request.pk) is None
    run_erasures(seconds=60)
    request.refresh_from_db()
    made.refresh_from_db()
    assert (request.status, made.status, storage.is_there(made)) == ("performed", Status.EXPIRED, False)
    document = document_about(request.pk)
    assert document is not None and "\nfiles: " in document.note


def test_of_somebody_who_left_exports_keep_no_name(system: AISystem) -> None:
    person = make_person(auditor=True, name="Ada Lovelace", email="ada@example.org")
    made = export_of(person, system, reason="Ada Lovelace asks for herself.")
    client = Client()
    client.force_login(person)
    answer: Any = client.get(f"/admin/exports/{made.pk}/file")
    assert answer.status_code == HTTPStatus.OK and b"".join(answer.streaming_content)
    agreed_to = ask(make_person(auditor=True), system, parts=["input"], reason="As usual.")
    approve_export(actor=actor_of(make_person(dpo=True)), export_id=agreed_to.pk, answer="Ask Ada Lovelace first.")
    with long_ago(days=400):
        leave(actor=actor_of(make_person(administrator=True)), person_id=person.pk)
    assert erased(kind="person", person_id=person.pk).status == "performed"
    made.refresh_from_db()
    agreed_to.refresh_from_db()
    assert (made.reason, made.asked_by_id, agreed_to.answer) == ("", person.pk, "")
    for each in (Export, ExportDownload, ExportWork):
        rows: Any = each._default_manager.values()
        assert "lovelace" not in str(list(rows)).lower(), each
    assert "lovelace" not in str([bytes(row.state) for row in Export.history.all()]).lower()
    assert not any(b"lovelace" in bytes(row.data or b"").lower() for row in Particulars.objects.all())
    officer = Client()
    officer.force_login(make_person(dpo=True))
    page = officer.get(f"/admin/exports/{made.pk}/").content.decode()
    assert "former member of staff" in page.lower() and "lovelace" not in page.lower()
    assert list(verify_everything()) == []


def test_a_clock_that_was_set_back_saves_no_file(system: AISystem, auditor: Person) -> None:
    record_decision(system, subject="c-1907", parts={"input": "zq-erase-me", "output": 1})
    made = export_of(auditor, system, parts=["input"])
    no_floor(system)
    ExportWork.objects.filter(export=made).update(looked_at=timezone.now() + timedelta(days=1))
    assert erased(kind="subject", subject="c-1907").status == "performed"
    made.refresh_from_db()
    assert (made.status, storage.is_there(made)) == (Status.EXPIRED, False)


def test_a_purge_takes_the_files_along(system: AISystem, auditor: Person) -> None:
    put_in_force("payloads", system, ceiling=30)
    record_decision(system, at=timezone.now() - timedelta(days=60), parts={"input": "zq-purge-me", "output": 1})
    made = export_of(auditor, system, parts=["input"])
    with long_ago(days=20):
        assert announce_purge() is not None
    assert run_purges(seconds=60) == 1
    made.refresh_from_db()
    assert (made.status, made.failure, storage.is_there(made)) == (Status.EXPIRED, "erased", False)

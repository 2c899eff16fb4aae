"""What is erased after an export read it: no file of ours holds it any more, and none is finished with it."""

from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.selectors import SealedDecision
from evidence.erasure.documents import document_about
from evidence.exports import storage, watching
from evidence.exports.errors import ExportNotOpen
from evidence.exports.models import Export, ExportDownload, ExportWork
from evidence.exports.requesting import approve_export, refuse_export
from evidence.exports.sweeping import clear_up, forget_erased
from evidence.kinds import ERASURE_PERFORMED
from evidence.services.erasure_runs import run_erasures
from evidence.services.leaving import leave
from evidence.services.purges import announce_purge, run_purges
from evidence.verification import verify_everything
from governance.acts import Role
from governance.models import AISystem, Person
from ledger.entries import SERVER, draft_entry
from ledger.models import Entry, Erasure, Particulars
from ledger.sealing import sealing
from ledger.selectors import open_log
from overrides.models import Override
from overrides.services.overriding import override_decision
from tests.evidence.exports.test_bundle import erase
from tests.evidence.exports.test_running import on_entry
from tests.evidence.exports.verifying import require_verified
from tests.factories.erasing import agreed, erase_words, erased, long_ago, no_floor, put_in_force
from tests.factories.exports import agree, ask, export_of, files_of, make, manifest_of, old_system
from tests.factories.record import record_decision, record_many
from tests.factories.register import actor_of, give_role, make_person
from tests.factories.versions import owner_of

pytestmark = pytest.mark.django_db
Status = Export.Status


@pytest.fixture
def system() -> AISystem:
    return old_system(accountable=make_person())


@pytest.fixture
def auditor() -> Person:
    return make_person(auditor=True)


def erase_texts(system: AISystem, row_ids: Iterable[Any]) -> None:
    """All versions of what was written in these rows, as erasing does it."""
    with sealing() as seal:
        for version in Particulars.objects.filter(row_id__in=list(row_ids)):
            draft = draft_entry(kind=ERASURE_PERFORMED, actor=SERVER, at=timezone.now(), body={}, about_id=version.pk)
            seal.add(open_log(system.pk).id, draft)
            Erasure.objects.create(row_id=version.pk, entry_id=draft.id)
            Particulars.objects.filter(pk=version.pk).update(secret=None, data=None)


@pytest.mark.parametrize("form", ["bundle", "csv", "ndjson"])
def test_a_finished_file_that_holds_it_goes_at_once(system: AISystem, auditor: Person, form: str) -> None:
    decision = record_decision(system, parts={"input": "zq-erase-me", "output": 1})
    made = export_of(auditor, system, form=form, parts=["input"])
    assert b"zq-erase-me" in b"".join(files_of(made).values())
    erase(decision)
    client = Client()
    client.force_login(auditor)
    assert client.get(f"/admin/exports/{made.pk}/file").status_code == HTTPStatus.GONE, "before anybody deleted it"
    assert forget_erased() == 1
    made.refresh_from_db()
    assert (made.status, made.failure) == (Status.EXPIRED, "erased")
    assert not storage.is_there(made)
    assert Entry.objects.filter(about_id=made.pk).latest("id").kind == "export.expired"
    clear_up()
    assert not ExportWork.objects.exists()


def test_files_that_do_not_hold_it_stay(system: AISystem, auditor: Person) -> None:
    past, now = timezone.now() - timedelta(hours=3), timezone.now()
    old, new = record_decision(system, at=past), record_decision(system)
    kept = [
        export_of(auditor, system),  # without contents
        export_of(auditor, system, parts=["input"], until=now - timedelta(hours=1)),
        export_of(auditor, question="decision", decision_id=old.id, parts=["input", "reason"]),
    ]
    erase(new)
    assert forget_erased() == 0
    assert {Export.objects.get(pk=each.pk).status for each in kept} == {Status.FINISHED}
    erase(old)
    assert forget_erased() == 2


@pytest.mark.committing
def test_what_was_erased_before_it_was_made_is_no_reason(system: AISystem, auditor: Person) -> None:
    """It is within the ten minutes that are looked through again; the file never held it."""
    erase(record_decision(system))
    record_decision(system)
    made = export_of(auditor, system, parts=["input"])
    assert forget_erased() == 0
    made.refresh_from_db()
    assert made.status == Status.FINISHED


def test_texts_that_people_wrote_go_too(system: AISystem, auditor: Person) -> None:
    decision = record_decision(system)
    override_decision(
        actor=actor_of(owner_of(system)), decision_id=decision.id, outcome="no", reason_code="other", note="zq-note"
    )
    made = export_of(auditor, question="decision", decision_id=decision.id, parts=["particulars", "reason"])
    assert b"zq-note" in b"".join(files_of(made).values())
    plain = export_of(auditor, question="decision", decision_id=decision.id, parts=["output"])
    erase_texts(system, Override.objects.values_list("pk", flat=True))
    assert forget_erased() == 1
    made.refresh_from_db()
    plain.refresh_from_db()
    assert (made.status, plain.status) == (Status.EXPIRED, Status.FINISHED)


def test_one_that_is_being_made_is_begun_anew_and_holds_nothing_of_it(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("BEAT_EVERY", "MARK_EVERY", "ASK_EVERY"):
        monkeypatch.setattr(watching, name, 0.0)
    decision = record_decision(system, parts={"input": "zq-erase-me", "output": 1})
    record_many(system, 30)
    export = agree(ask(auditor, system, parts=["input"]))
    write = storage.put

    def erase_then_put(*args: Any) -> None:
        monkeypatch.setattr(storage, "put", write)
        assert b"zq-erase-me" in args[1].read_bytes(), "it was read before"
        erase(decision)
        write(*args)

    monkeypatch.setattr(storage, "put", erase_then_put)
    assert make(export).status == Status.QUEUED
    assert ExportWork.objects.get(export=export).plan is None
    assert not storage.is_there(export)
    made = make(export)
    assert made.status == Status.FINISHED
    assert b"zq-erase-me" not in b"".join(files_of(made).values())
    assert manifest_of(made)["parts"]["input"] == {"disclosed": 30, "withheld": 0, "erased": 1}
    require_verified(made, tmp_path)


def test_the_sweep_stops_one_that_is_being_made(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BEAT_EVERY", "MARK_EVERY", "ASK_EVERY"):
        monkeypatch.setattr(watching, name, 0.0)
    decision = record_decision(system)
    export = agree(ask(auditor, system, parts=["input"]))

    def sweep() -> None:
        erase(decision)
        assert forget_erased() == 1

    on_entry(monkeypatch, 1, sweep)
    assert make(export).status == Status.QUEUED
    assert make(export).status == Status.FINISHED


def test_each_erasure_is_looked_at_once_and_late_commits_are_not_missed(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = record_decision(system)
    made = export_of(auditor, system, parts=["input"])
    forget_erased()
    work = ExportWork.objects.get(export=made)
    assert work.looked_at is not None
    ExportWork.objects.filter(pk=work.pk).update(looked_at=timezone.now() + timedelta(minutes=9))
    erase(decision)  # as if its transaction had begun nine minutes before it was committed
    assert forget_erased() == 1


# --- whom an export is about ------------------------------------------------------------------------------------------
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


# --- restricted -------------------------------------------------------------------------------------------------------
def restrict(*decisions: SealedDecision) -> None:
    agreed(kind="decision", decision_ids=[each.id for each in decisions])


@pytest.mark.parametrize("form", ["bundle", "csv", "ndjson"])
def test_what_is_restricted_leaves_with_no_export_and_it_says_so(
    system: AISystem, auditor: Person, form: str, tmp_path: Path
) -> None:
    barred, free = (record_decision(system, parts={"input": f"zq-{n}", "output": n}) for n in ("barred", "free"))
    owner = actor_of(owner_of(system))
    for each in (barred, free):
        override_decision(
            actor=owner, decision_id=each.id, outcome="no", reason_code="other", note=f"zq-note-{each.id}"
        )
    restrict(barred)
    words = ["particulars", "reason"] if form == "bundle" else []
    made = export_of(auditor, system, form=form, parts=["input", *words])
    text = b"".join(files_of(made).values())
    assert b"zq-free" in text and b"zq-barred" not in text
    assert (f"zq-note-{free.id}".encode() in text) is (form == "bundle")
    assert f"zq-note-{barred.id}".encode() not in text
    assert (made.is_whole, made.left_out) == (False, ["restricted"])
    assert "INCOMPLETE" in made.file_name
    assert manifest_of(made)["parts"]["input"] == {"disclosed": 1, "withheld": 1, "erased": 0}
    if form == "bundle":
        require_verified(made, tmp_path)


def test_a_file_that_holds_what_was_restricted_since_goes_too(system: AISystem, auditor: Person) -> None:
    decision = record_decision(system, parts={"input": "zq", "output": 1})
    other = record_decision(system)
    held = export_of(auditor, system, parts=["input"])
    kept = [
        export_of(auditor, system),
        export_of(auditor, question="decision", decision_id=other.id, parts=["input"]),
    ]
    restrict(decision)
    client = Client()
    client.force_login(auditor)
    assert client.get(f"/admin/exports/{held.pk}/file").status_code == HTTPStatus.GONE, "before anybody deleted it"
    assert forget_erased() == 1
    held.refresh_from_db()
    assert (held.status, held.failure) == (Status.EXPIRED, "restricted")
    assert {Export.objects.get(pk=each.pk).status for each in kept} == {Status.FINISHED}
    again = export_of(auditor, system, parts=["input"])
    assert forget_erased() == 0, "what was left out of it is no reason"
    assert again.left_out == ["restricted"]


def test_whoever_reads_what_is_restricted_takes_it_out(system: AISystem, auditor: Person) -> None:
    decision = record_decision(system, parts={"input": "zq-barred", "output": 1})
    restrict(decision)
    give_role(auditor, Role.DPO)
    made = export_of(auditor, system, parts=["input"])
    assert made.is_whole and b"zq-barred" in b"".join(files_of(made).values())
    assert forget_erased() == 0


def test_of_somebody_who_left_exports_keep_no_name(system: AISystem) -> None:
    person = make_person(auditor=True, name="Ada Lovelace", email="ada@example.org")
    made = export_of(person, system, reason="Ada Lovelace asks for herself.")
    client = Client()
    client.force_login(person)
    assert client.get(f"/admin/exports/{made.pk}/file").status_code == HTTPStatus.OK
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


def test_a_clock_that_was_set_back_saves_no_file(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
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

"""What is erased after an export read it: no file of ours holds it any more, and none is finished with it."""

from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evidence.exports import storage, watching
from evidence.exports.models import Export, ExportWork
from evidence.exports.sweeping import clear_up, forget_erased
from evidence.kinds import ERASURE_PERFORMED
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
from tests.factories.exports import agree, ask, export_of, files_of, make, manifest_of, old_system
from tests.factories.record import record_decision, record_many
from tests.factories.register import actor_of, make_person
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

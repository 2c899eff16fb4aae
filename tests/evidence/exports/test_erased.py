"""What is erased after an export read it: no file of ours holds it any more, and none is finished with it."""

from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from audit.selectors import SealedDecision
from config.ids import new_id
from evidence.exports import running, scratch, storage, watching
from evidence.exports.codes import FAILURES, TROUBLES
from evidence.exports.erased_by import must_go
from evidence.exports.models import Export, ExportWork
from evidence.exports.running import claim, run_slice
from evidence.exports.sweeping import clear_up, forget_erased, forget_erased_by
from governance.acts import Role
from governance.models import AISystem, Person
from ledger.models import Entry
from overrides.services.overriding import override_decision
from tests.evidence.exports.test_running import on_entry
from tests.evidence.exports.verifying import require_verified, verdict_of
from tests.factories.erasing import agreed, erase, erase_words, put_in_force
from tests.factories.exports import ALONE, agree, ask, export_of, files_of, make, manifest_of
from tests.factories.record import record_decision, record_many
from tests.factories.register import actor_of, give_role
from tests.factories.versions import owner_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("erasing_alone")]
Status = Export.Status


@pytest.fixture
def erasing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the storage were away meanwhile: files that hold what is erased are found later, by those who look."""
    monkeypatch.setattr("evidence.erasure.files.forget_erased_by", lambda entry_ids: True)


@pytest.mark.parametrize("form", ["bundle", "csv", "ndjson"])
def test_a_finished_file_that_holds_it_goes_at_once(system: AISystem, auditor: Person, form: str) -> None:
    decision = record_decision(system, parts={"input": "zq-erase-me", "output": 1})
    made = export_of(auditor, system, form=form, parts=["input"])
    assert b"zq-erase-me" in b"".join(files_of(made).values())
    erase(decision.id)
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
    erase(new.id)
    assert forget_erased() == 0
    assert {Export.objects.get(pk=each.pk).status for each in kept} == {Status.FINISHED}
    erase(old.id)
    assert forget_erased() == 2


@pytest.mark.committing
def test_what_was_erased_before_it_was_made_is_no_reason(system: AISystem, auditor: Person) -> None:
    """It is within the ten minutes that are looked through again; the file never held it."""
    erase(record_decision(system).id)
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
    erase_words("zq-note")
    assert forget_erased() == 1
    made.refresh_from_db()
    plain.refresh_from_db()
    assert (made.status, plain.status) == (Status.EXPIRED, Status.FINISHED)


@pytest.mark.committing
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
        erase(decision.id)
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


@pytest.mark.committing
def test_the_sweep_stops_one_that_is_being_made(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BEAT_EVERY", "MARK_EVERY", "ASK_EVERY"):
        monkeypatch.setattr(watching, name, 0.0)
    decision = record_decision(system)
    export = agree(ask(auditor, system, parts=["input"]))

    def sweep() -> None:
        erase(decision.id)
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
    erase(decision.id)  # as if its transaction had begun nine minutes before it was committed
    assert forget_erased() == 1


def test_one_that_is_begun_anew_again_and_again_waits_longer_says_so_and_ends(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = agree(ask(auditor, system, parts=["input"]))
    pauses = list[int]()
    monkeypatch.setattr(running, "why_it_goes", lambda _: "erased")
    for _ in range(running.ANEW + 1):
        made, work = make(export), ExportWork.objects.get(export=export)
        assert work.not_before is not None and work.worked_at is not None
        pauses.append(round((work.not_before - work.worked_at).total_seconds()))
        assert (made.status, work.trouble, work.plan) == (Status.QUEUED, "begun_anew", None)
        ExportWork.objects.update(not_before=timezone.now())
    assert pauses == [min(running.LONGEST_PAUSE, each) for each in (0, *(15 * 2**n for n in range(running.ANEW)))]
    failed = make(export)
    assert (failed.status, failed.failure) == (Status.FAILED, "begun_anew")
    assert not storage.is_there(export)
    assert "begun_anew" in FAILURES and "begun_anew" in TROUBLES


def test_what_was_made_so_far_of_one_that_is_begun_anew_is_deleted_at_once(
    system: AISystem, auditor: Person, in_small_pieces: None
) -> None:
    """It may wait for long before it is taken on again: no contents lie in its folder meanwhile."""
    decision = record_decision(system)
    export = agree(ask(auditor, system, parts=["input"]))
    work = claim(only=export.pk)
    assert work is not None
    run_slice(work, pace=ALONE, until=0.0)
    made = scratch.folder_of(export.pk) / "export.zip"
    assert made.exists()
    erase(decision.id)
    assert forget_erased_by([new_id()])
    assert ExportWork.objects.get(export=export).plan is None
    assert [each.name for each in made.parent.iterdir()] == ["lock"]


# --- restored ---------------------------------------------------------------------------------------------------------
def move_to_another_cluster(*exports: Export) -> None:
    """As a restore does: transactions are numbered anew, so what is erased now seems long past to the plan."""
    for work in ExportWork.objects.filter(export__in=exports):
        assert work.plan is not None and work.plan["cluster"] > 0
        work.plan |= {"cluster": work.plan["cluster"] + 1, "snapshot": f"{2**40}:{2**40}:"}
        work.save(update_fields=["plan"])


def test_after_a_restore_no_file_with_contents_stays(
    system: AISystem, auditor: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = record_decision(system)
    held, plain = export_of(auditor, system, parts=["input"]), export_of(auditor, system)
    move_to_another_cluster(held, plain)
    erase(decision.id)
    client = Client()
    client.force_login(auditor)
    assert client.get(f"/admin/exports/{held.pk}/file").status_code == HTTPStatus.GONE, "before anybody deleted it"
    call_command("after_restore")
    assert "Deleted: 1 file of exports with contents, made before the restore." in capsys.readouterr().out
    assert (storage.is_there(held), storage.is_there(plain)) == (False, True)
    assert forget_erased() == 1
    held.refresh_from_db()
    plain.refresh_from_db()
    assert (held.status, held.failure, plain.status) == (Status.EXPIRED, "restored", Status.FINISHED)


def test_an_erasure_after_a_restore_is_not_done_before_such_files_are_gone(system: AISystem, auditor: Person) -> None:
    record_decision(system)
    held = export_of(auditor, system, parts=["input"])
    move_to_another_cluster(held)
    assert must_go(ExportWork.objects.get(export=held), [new_id()])
    assert forget_erased_by([new_id()])
    assert not storage.is_there(held)


def test_one_that_was_being_made_before_a_restore_is_begun_anew(system: AISystem, auditor: Person) -> None:
    record_many(system, 30)
    export = agree(ask(auditor, system, parts=["input"]))
    work = claim(only=export.pk)
    assert work is not None
    run_slice(work, pace=ALONE, until=0.0)
    move_to_another_cluster(export)
    assert make(export).status == Status.QUEUED
    assert make(export).status == Status.FINISHED


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
    assert (b"zq-free" in text, b"zq-barred" in text) == (True, False)
    assert (f"zq-note-{free.id}".encode() in text) is (form == "bundle")
    assert f"zq-note-{barred.id}".encode() not in text
    assert (made.is_whole, made.left_out) == (False, ["restricted"])
    assert "INCOMPLETE" in made.file_name
    assert manifest_of(made)["parts"]["input"] == {"disclosed": 1, "withheld": 1, "erased": 0}
    if form == "bundle":
        report = verdict_of(made, tmp_path)
        assert (report["exit_code"], report["verdict"]) == (3, "incomplete")


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
    assert (made.is_whole, b"zq-barred" in b"".join(files_of(made).values())) == (True, True)
    assert forget_erased() == 0


def test_one_that_is_being_made_when_it_is_restricted_is_begun_anew_once(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_force("payloads", system, floor=365)
    decision = record_decision(system, parts={"input": "zq-restricted", "output": 1})
    export = agree(ask(auditor, system, parts=["input"]))
    write = storage.put

    def restrict_then_put(*args: Any) -> None:
        monkeypatch.setattr(storage, "put", write)
        agreed(kind="decision", decision_ids=[decision.id])
        write(*args)

    monkeypatch.setattr(storage, "put", restrict_then_put)
    assert make(export).status == Status.QUEUED
    made = make(export)
    assert (made.status, made.is_whole, made.left_out) == (Status.FINISHED, False, ["restricted"])
    assert b"zq-restricted" not in b"".join(files_of(made).values())

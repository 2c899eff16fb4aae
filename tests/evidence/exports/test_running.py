"""Making exports: who is at one, what stops it, what is tried again, and what it says meanwhile."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import OperationalError
from django.utils import timezone

from config.ids import new_id
from evidence.exports import bundle, endings, parts, planning, reading, running, scratch, storage, tables
from evidence.exports.models import Export, ExportPlace, ExportWork
from evidence.exports.progress import Progress
from evidence.exports.requesting import cancel_export
from evidence.exports.running import claim, run_exports
from evidence.exports.sweeping import clear_up
from evidence.exports.writing import ZipWriter
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from ledger.entries import COMMAND
from ledger.errors import SigningKeyUnavailable
from ledger.models import Entry
from notices.services.mailing import send_mails
from overrides.services.claiming import claim as claim_review
from tests.evidence.exports.verifying import require_verified
from tests.factories.exports import ALONE, agree, ask, content_of, export_of, kept_in, make, manifest_of
from tests.factories.record import record_decision, record_many
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review

pytestmark = pytest.mark.django_db
Status = Export.Status


@pytest.fixture
def system() -> AISystem:
    found = make_system()
    record_many(found, 20)
    return found


def kinds(export: Export) -> list[str]:
    return list(Entry.objects.filter(about_id=export.pk).order_by("id").values_list("kind", flat=True))


def again(export: Export) -> Export:
    return Export.objects.get(pk=export.pk)


def on_entry(monkeypatch: pytest.MonkeyPatch, number: int, then: Callable[[], Any]) -> None:
    """Do something else when this many pieces of entries were read."""
    whole, left = bundle.BundleMaker.count, [number]

    def counting(*args: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            then()
        whole(*args)

    monkeypatch.setattr(bundle.BundleMaker, "count", counting)


def always(error: Exception) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fail


def due(export: Export) -> None:
    """As if its pause were over."""
    ExportWork.objects.filter(export=export).update(not_before=timezone.now())


# --- what it says meanwhile -------------------------------------------------------------------------------------------
def test_its_progress_is_told(
    system: AISystem, auditor: Person, in_small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_many(system, 300)
    export = ask(auditor, system)
    waiting = Progress.of(again(export))
    assert waiting is not None
    assert (waiting.state, waiting.words, waiting.percent) == ("waiting", "Waits for its turn", None)
    seen: list[Progress] = []

    def look() -> None:
        found = Progress.of(again(export))
        assert found is not None
        seen.append(found)

    on_entry(monkeypatch, 4, look)
    make(export)
    [found] = seen
    assert (found.state, found.phase) == ("running", "entries")
    assert found.total is not None
    assert 0 < found.done < found.total
    assert found.percent is not None
    assert 0 < found.percent < 100
    assert Progress.of(again(export)) is None


# --- what stops it ----------------------------------------------------------------------------------------------------
def test_given_up_in_the_middle_it_stops_and_leaves_nothing(
    system: AISystem, auditor: Person, in_small_pieces: None, monkeypatch: pytest.MonkeyPatch, export_folder: Path
) -> None:
    record_many(system, 300)
    export = ask(auditor, system)
    on_entry(monkeypatch, 2, lambda: cancel_export(actor=actor_of(auditor), export_id=export.pk))
    made = make(export)
    assert made.status == Status.CANCELLED
    assert kinds(export) == ["export.requested", "export.cancelled"]
    clear_up()
    assert not scratch.there()
    assert not kept_in(export_folder / "files")
    assert not ExportWork.objects.exists()
    assert not ExportPlace.objects.exists()


def test_given_up_while_the_file_is_put_away_the_file_is_deleted(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, put = ask(auditor, system), storage.put

    def put_and_lose(*args: Any) -> None:
        put(*args)
        cancel_export(actor=actor_of(auditor), export_id=export.pk)

    monkeypatch.setattr(storage, "put", put_and_lose)
    assert make(export).status == Status.CANCELLED
    assert not storage.is_there(export)


def test_a_right_that_is_lost_meanwhile_stops_it(
    system: AISystem, auditor: Person, in_small_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_many(system, 300)
    export = ask(auditor, system)
    held = Assignment.objects.get(person=auditor, role="auditor")
    on_entry(monkeypatch, 2, lambda: end_assignment(actor=COMMAND, assignment_id=held.pk))
    made = make(export)
    assert (made.status, made.failure) == (Status.FAILED, "right_lost")
    assert not storage.is_there(export)
    assert kinds(export) == ["export.requested", "export.failed"]


def test_a_right_to_contents_that_was_lost_before_it_began_stops_it(system: AISystem, auditor: Person) -> None:
    give_role(auditor, Assignment.Role.ACCOUNTABLE, Scope.system(system.pk))
    export = agree(ask(auditor, system, parts=["input"]))
    end_assignment(actor=COMMAND, assignment_id=Assignment.objects.get(person=auditor, role="auditor").pk)
    made = make(export)  # being accountable, they might still have it without contents
    assert (made.status, made.failure) == (Status.FAILED, "right_lost")


def test_who_begins_to_judge_blind_after_asking_is_given_none_of_that(system: AISystem) -> None:
    judge = make_person(reviewer=system, accountable=system)
    review = open_review(system, rule=make_rule(system, make_queue(judge, system=system), is_blind=True))
    export = ask(judge, system)
    claim_review(actor=actor_of(judge), review_id=review.pk)
    made = make(export)
    assert (made.is_whole, made.left_out) == (False, ["judged_blind"])
    assert str(review.decision_id).encode() not in content_of(made)


def test_a_record_that_does_not_fit_together_is_not_exported(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = reading.fetched

    def damaged(query: str, values: Any) -> Any:
        found = fetched(query, values)
        if query not in (reading.ENTRIES, reading.PLACES):
            return found
        return [(data and data.replace(b"approved", b"rejected", 1), hashes) for data, hashes in found]

    monkeypatch.setattr(reading, "fetched", damaged)
    made = make(ask(auditor, system))
    assert (made.status, made.failure) == (Status.FAILED, "record_damaged")


def test_a_part_that_opens_no_commitment_is_not_exported(system: AISystem, auditor: Person) -> None:
    """Somebody with the keys of the database changed what a decision said."""
    decision = record_decision(system)
    export = agree(ask(auditor, system, parts=["output"]))
    with pytest.MonkeyPatch.context() as patch:
        fetched = reading.fetched
        patch.setattr(
            parts,
            "fetched",
            lambda query, values: [
                (*row[:-1], b"{}") if len(row) == 3 and row[0] == decision.id else row for row in fetched(query, values)
            ],
        )
        made = make(export)
    assert (made.status, made.failure) == (Status.FAILED, "record_damaged")


def test_one_that_is_larger_than_a_bundle_may_be_says_so(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "MOST_FILES", 10)
    made = make(ask(auditor, system))
    assert (made.status, made.failure) == (Status.FAILED, "too_large")


def test_one_with_more_gaps_than_a_bundle_lists_says_so_before_contents_are_read(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = new_id()
    for number in (1, 3, 5, 5):
        record_decision(system, source_id=source, source_seq=number)
    monkeypatch.setattr(bundle.BundleMaker, "_parts", always(AssertionError("contents were read")))
    monkeypatch.setattr(bundle, "MOST_LINES", 8)
    failed = make(agree(ask(auditor, system, parts=["input"])))
    assert (failed.status, failed.failure) == (Status.FAILED, "too_many_gaps")
    monkeypatch.setattr(tables.TableEnding, "GAPS_LISTED", 1)
    [told] = manifest_of(export_of(auditor, system, form="csv"))["sources"]
    assert (told["missing"], told["missing_count"], told["twice"]) == ([[2, 2]], 2, [5])


def test_one_of_more_scattered_entries_than_a_verifier_reads_says_so(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which entries are disclosed stands in one file: a subject among a hundred million others may outgrow it."""
    record_decision(system, subject="ada")
    monkeypatch.setattr(bundle, "LARGEST_FILE", 3)
    monkeypatch.setattr(bundle, "RUNS_AT_ONCE", 1)
    assert make(ask(auditor, question="subject", subject="nobody")).failure == "too_large"
    monkeypatch.undo()
    assert make(ask(auditor, question="subject", subject="ada")).status == Status.FINISHED


def test_one_over_which_every_worker_dies_ends_some_time(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system)
    ExportWork.objects.filter(export=export).update(attempts=running.INTERRUPTIONS)
    made = make(export)
    assert (made.status, made.failure) == (Status.FAILED, "interrupted")


# --- what is tried again ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (storage.StorageFull("no room"), "storage_full"),
        (storage.StorageAway("nobody answers"), "storage_away"),
        (OSError(errno.ENOSPC, "No space left on device"), "storage_full"),
    ],
)
def test_a_storage_that_is_full_or_away_is_tried_again_and_the_page_says_so(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    export = ask(auditor, system)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "put", always(error))
        made = make(export)
    assert made.status == Status.QUEUED
    work = ExportWork.objects.get(export=export)
    assert (work.worker, work.trouble) == (None, code)
    assert work.not_before > timezone.now()
    found = Progress.of(again(export))
    assert found is not None
    assert found.trouble == code
    assert claim() is None, "not before its pause is over"
    due(export)
    assert make(export).status == Status.FINISHED


def test_what_was_made_is_not_made_again_for_a_storage_that_was_away(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(auditor, system)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "put", always(storage.StorageAway("nobody answers")))
        make(export)
    known = scratch.kept(scratch.folder_of(export.pk))
    assert known is not None
    due(export)
    monkeypatch.setattr(bundle.BundleMaker, "make", always(AssertionError("made again")))
    assert make(export).digest == known["digest"]


def test_a_disk_that_stays_full_ends_it(system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "put", always(storage.StorageFull("no room")))
    export = ask(auditor, system)
    for _ in range(running.TRIES["storage_full"]):
        assert again(export).status == Status.QUEUED
        due(export)
        make(export)
    made = again(export)
    assert (made.status, made.failure) == (Status.FAILED, "storage_full")
    assert not scratch.there(), "it gives back the room that it took"


def test_a_disk_that_fills_while_it_is_written_loses_nothing(
    system: AISystem, auditor: Person, in_small_pieces: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record_many(system, 300)
    export, put, left = ask(auditor, system), ZipWriter._put, [12]

    def filling(writer: ZipWriter, data: bytes) -> None:
        left[0] -= 1
        if left[0] == 0:
            writer._file.write(data[: len(data) // 3])
            raise OSError(errno.ENOSPC, "No space left on device")
        put(writer, data)

    monkeypatch.setattr(ZipWriter, "_put", filling)
    assert make(export).status == Status.QUEUED
    assert ExportWork.objects.get(export=export).trouble == "storage_full"
    due(export)
    require_verified(make(export), tmp_path)


def test_a_database_that_was_away_costs_it_nothing(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    export = ask(auditor, system)
    with monkeypatch.context() as patch:
        on_entry(patch, 1, always(OperationalError("server closed the connection unexpectedly")))
        assert make(export).status == Status.QUEUED
    assert ExportWork.objects.get(export=export).trouble == "database_away"
    due(export)
    require_verified(make(export), tmp_path)


def test_where_nothing_can_be_signed_it_waits(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(auditor, system)
    with monkeypatch.context() as patch:
        patch.setattr(planning, "best_checkpoint", always(SigningKeyUnavailable()))
        assert make(export).status == Status.QUEUED
    assert ExportWork.objects.get(export=export).trouble == "unsigned"
    due(export)
    assert make(export).status == Status.FINISHED


def test_a_fault_of_ours_is_tried_thrice_and_told_in_the_log(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle.BundleMaker, "_entries", always(ZeroDivisionError("of ours")))
    export = ask(auditor, system)
    for _ in range(3):
        assert again(export).status == Status.QUEUED
        due(export)
        make(export)
    assert (again(export).status, again(export).failure) == (Status.FAILED, "fault")


def test_the_others_go_on_while_one_waits_to_be_tried_again(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ask(auditor, system), ask(auditor, system)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "put", always(storage.StorageAway("nobody answers")))
        make(first)
    run_exports(seconds=30, pace=ALONE)
    assert (again(first).status, again(second).status) == (Status.QUEUED, Status.FINISHED)


# --- what is sealed ---------------------------------------------------------------------------------------------------
def test_what_was_finished_is_sealed_with_its_digest(system: AISystem, auditor: Person) -> None:
    made = export_of(auditor, system, parts=["input"])
    entry = Entry.objects.get(about_id=made.pk, kind="export.finished")
    data = bytes(entry.data).decode()
    for said in (made.digest, made.manifest_digest, f'"size":{made.size}', '"disclosed":{"input":20}'):
        assert said in data
    assert manifest_of(made)["id"] == str(made.pk)
    log = entry.log
    assert log.system_id == system.pk, "of one AI system, in its log"
    assert kinds(made)[-1] == "export.finished"


def test_whoever_asked_is_told(system: AISystem, auditor: Person) -> None:
    export_of(auditor, system)
    send_mails()
    [letter] = [each for each in mail.outbox if auditor.email in each.to]
    assert "ready" in letter.subject


def test_those_that_wait_are_claimed_one_by_one_the_oldest_first(
    system: AISystem, auditor: Person, settings: Any
) -> None:
    settings.EXPORTS_AT_ONCE = 16
    wanted = [ask(auditor, system).pk for _ in range(5)]
    assert [work.export_id for work in iter(claim, None)] == wanted

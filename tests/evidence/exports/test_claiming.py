"""Who is at an export: one worker at a time, on one host as long as that goes, and nobody before it can be planned."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from evidence.exports import members, reading, running, scratch, storage, watching
from evidence.exports.models import Export, ExportWork
from evidence.exports.pace import Pace
from evidence.exports.running import claim, run_exports, run_slice
from governance.models import AISystem, Person
from tests.evidence.exports.test_running import again, due
from tests.evidence.exports.verifying import require_verified
from tests.factories.exports import ALONE, agree, ask, content_of, export_of, make
from tests.factories.record import record_decision, record_many
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db
Status = Export.Status


@pytest.fixture
def system() -> AISystem:
    found = make_system()
    record_many(found, 20)
    return found


def test_no_more_than_so_many_are_made_at_once(system: AISystem, auditor: Person, settings: Any) -> None:
    for _ in range(3):
        ask(auditor, system)
    assert claim() is not None
    assert claim() is None
    settings.EXPORTS_AT_ONCE = 2
    assert claim() is not None
    assert claim() is None


def test_one_that_was_silent_for_long_is_taken_over(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system)
    first = claim()
    assert first is not None
    ExportWork.objects.filter(export=export).update(worked_at=timezone.now() - running.SILENT - timedelta(seconds=1))
    second = claim()
    assert second is not None
    assert second.worker != first.worker
    run_slice(first, pace=ALONE, until=None)  # it was only slow: it stops, and touches nothing
    assert again(export).status == Status.QUEUED
    run_slice(second, pace=ALONE, until=None)
    assert again(export).status == Status.FINISHED


def test_one_that_was_begun_on_another_host_is_left_to_it_for_a_while(
    system: AISystem, auditor: Person, in_small_pieces: None, settings: Any
) -> None:
    """In between slices, too: else two hosts would make it in turns, each from the beginning."""
    export, here = ask(auditor, system), settings.EXPORT_WORK_DIR
    work = claim()
    assert work is not None
    run_slice(work, pace=ALONE, until=0.0)
    assert ExportWork.objects.get(export=export).plan is not None
    settings.EXPORT_WORK_DIR = here.parent / "another_host"
    assert claim() is None
    settings.EXPORT_WORK_DIR = here
    assert claim() is not None
    settings.EXPORT_WORK_DIR = here.parent / "another_host"
    ExportWork.objects.update(worked_at=timezone.now() - running.SILENT, not_before=timezone.now() - running.SILENT)
    taken = claim()
    assert taken is not None
    run_slice(taken, pace=ALONE, until=None)
    assert again(export).status == Status.FINISHED


def test_a_folder_has_one_name_whoever_asks_first(settings: Any, tmp_path: Path) -> None:
    names = {scratch.home(), scratch.home()}
    settings.EXPORT_WORK_DIR = tmp_path / "elsewhere"
    assert len({*names, scratch.home(), scratch.home()}) == 2
    assert [each.name for each in (tmp_path / "elsewhere").iterdir()] == ["home"]
    assert scratch.there() == []


@pytest.mark.parametrize("parts", [[], ["input"]])
def test_it_is_not_planned_before_what_was_received_within_its_times_is_there(
    system: AISystem, auditor: Person, parts: list[str]
) -> None:
    """What was received a moment before its end is committed a moment after it was asked for."""
    now = timezone.now()
    asked = [ask(auditor, system, until=now - timedelta(seconds=seconds), parts=parts) for seconds in (1, 10, 31)]
    late, later, old = (agree(each) if parts else each for each in asked)
    assert claim(only=late.pk) is None
    assert claim(only=later.pk) is None
    assert claim(only=old.pk) is not None
    with time_machine.travel(now + timedelta(seconds=30), tick=False):
        assert claim(only=late.pk) is not None


def test_one_that_is_found_busy_was_not_begun(system: AISystem, auditor: Person) -> None:
    """Whoever is at it on this host is alive, only quiet: that others come by does not bring its end nearer."""
    export = ask(auditor, system)
    with scratch.locked(export.pk):
        for _ in range(running.INTERRUPTIONS + 2):
            due(export)
            work = claim()
            assert work is not None
            run_slice(work, pace=ALONE, until=None)
    assert ExportWork.objects.get(export=export).attempts == 0
    due(export)
    assert make(export).status == Status.FINISHED


def test_a_file_that_is_copied_to_another_disk_shows_signs_of_life(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, beats = export_of(auditor, system), list[str]()
    copy = scratch.folder_of(made.pk)
    copy.mkdir(parents=True)
    (copy / "export.zip").write_bytes(content_of(made))
    disks = iter(range(9))
    monkeypatch.setattr(storage, "_disk_of", lambda _: next(disks))
    storage.put(made, copy / "export.zip", lambda: beats.append(""))
    assert beats
    assert content_of(made) == (copy / "export.zip").read_bytes(), "copied, and not moved"


def test_exports_take_turns(system: AISystem, auditor: Person, in_small_pieces: None) -> None:
    """A large one does not keep the others waiting until its end."""
    exports = [ask(auditor, system), ask(make_person(auditor=True), system)]
    begun = []
    for _ in range(4):
        work = claim()
        assert work is not None
        begun.append(work.export_id)
        run_slice(work, pace=ALONE, until=0.0)
    assert begun == [exports[0].pk, exports[1].pk] * 2
    while run_exports(seconds=30, pace=ALONE):
        pass
    assert {again(each).status for each in exports} == {Status.FINISHED}


def test_made_in_slices_it_is_the_same_export(
    system: AISystem, auditor: Person, in_small_pieces: None, tmp_path: Path
) -> None:
    record_many(system, 300)
    export, slices = agree(ask(auditor, system, parts=["input", "refs", "state"])), 0
    while again(export).status == Status.QUEUED:
        work = claim()
        assert work is not None
        run_slice(work, pace=ALONE, until=0.0)
        slices += 1
        assert slices < 200
    assert slices > 10
    require_verified(again(export), tmp_path)


def test_nothing_waits_longer_than_one_transaction(system: AISystem, auditor: Person, monkeypatch: Any) -> None:
    """Reading holds no snapshot: no statement runs inside a transaction of ours but the ends of it."""
    seen: list[bool] = []

    def looked(query: str, values: Any) -> Any:
        seen.append(connection.in_atomic_block and len(connection.savepoint_ids) > 0)
        return fetched(query, values)

    fetched = reading.fetched
    monkeypatch.setattr(reading, "fetched", looked)
    export_of(auditor, system)
    assert seen
    assert not any(seen)


def test_it_gives_way_while_it_is_planned_too(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What belongs to a case of a million decisions, or to a subject, is looked for in slices with rests between."""
    monkeypatch.setattr(members, "AT_ONCE", 2)
    monkeypatch.setattr(watching, "BEAT_EVERY", 0.0)
    for _ in range(8):
        record_decision(system, subject="ada")
    ask(auditor, question="subject", subject="ada")
    work, phases = claim(), list[str]()
    assert work is not None
    pace = Pace(is_alone=True)
    monkeypatch.setattr(
        Pace, "rest_after", lambda *_: phases.append(ExportWork.objects.values_list("phase", flat=True).get())
    )
    run_slice(work, pace=pace, until=None)
    assert again(work.export).status == Status.FINISHED
    assert phases.count("planning") >= 4

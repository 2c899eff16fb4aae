"""What the beat does about exports: in which order, for how long, and over how much of what there is."""

from datetime import timedelta
from http import HTTPStatus
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evidence import tasks
from evidence.exports import erasing, places, running, storage, sweeping
from evidence.exports.models import Export, ExportDownload, ExportPlace, ExportWork
from evidence.exports.sweeping import clear_up, expire_exports, forget_erased
from evidence.services.erasure_runs import run_erasures
from governance.models import AISystem, Person
from tests.factories.erasing import SECONDS, erased, no_floor
from tests.factories.exports import ALONE, ask, export_of, folder_storage, kept_in, make, old_system
from tests.factories.record import record_decision, record_many
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    found = make_system()
    record_many(found, 10)
    return found


def test_files_whose_time_is_over_go_though_looking_for_what_was_erased_fails(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = export_of(auditor, system)
    Export.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    def killed(**_: Any) -> int:
        raise TimeoutError

    monkeypatch.setattr(tasks, "forget_erased", killed)
    with pytest.raises(TimeoutError):
        tasks.sweep_exports_task()
    made.refresh_from_db()
    assert made.status == Export.Status.EXPIRED
    assert not ExportWork.objects.exists()


def test_however_little_time_there_is_each_file_has_its_turn(
    system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {export_of(auditor, system, parts=["input"]).pk for _ in range(3)}
    looked, why = list[Any](), erasing.why_it_goes

    def noted(work: ExportWork) -> str:
        looked.append(work.pk)
        return why(work)

    monkeypatch.setattr(sweeping, "why_it_goes", noted)
    for number in range(1, 4):
        clock = count()
        monkeypatch.setattr(sweeping, "time", SimpleNamespace(monotonic=lambda ticks=clock: float(next(ticks))))
        assert forget_erased(seconds=2.0) == 0
        assert len(looked) == number
    assert set(looked) == made


def test_places_without_work_are_cleared_and_those_of_others_are_not_walked(system: AISystem, auditor: Person) -> None:
    for _ in range(30):
        record_decision(system, subject="ada")
    kept, gone = (export_of(auditor, question="subject", subject="ada") for _ in range(2))
    ExportWork.objects.filter(export=gone).delete()  # its maker was cut off as it was cleared up
    there = ExportPlace.objects.filter(export=kept).count()
    with CaptureQueriesContext(connection) as seen:
        assert set(places.owners()) == {kept.pk, gone.pk}
    assert len(seen) == 3
    clear_up()
    assert list(places.owners()) == [kept.pk]
    assert ExportPlace.objects.filter(export=kept).count() == there > 30


# --- hosts with folders of their own ----------------------------------------------------------------------------------
def another_host(settings: Any, folder: Path) -> None:
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(folder / "elsewhere")}


def test_what_lies_on_another_host_is_not_taken_for_deleted(
    system: AISystem, auditor: Person, settings: Any, tmp_path: Path
) -> None:
    ours = settings.STORAGES
    made, ended = export_of(auditor, system), export_of(auditor, system)
    Export.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    another_host(settings, tmp_path)
    theirs = export_of(auditor, system)
    Export.objects.filter(pk=theirs.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert expire_exports() == 1
    assert [each.status for each in Export.objects.order_by("pk")] == ["finished", "finished", "expired"]
    Export.objects.filter(pk=ended.pk).update(status="failed", failure="fault")
    clear_up()
    assert ExportWork.objects.filter(export=ended).exists(), "its file is still there"
    settings.STORAGES = ours
    assert storage.is_there(made)
    assert expire_exports() == 1
    clear_up()
    assert not ExportWork.objects.exists()
    assert not kept_in(tmp_path / "exports" / "files")


def test_what_lies_on_another_host_is_not_given_out_here_and_why_is_told(
    system: AISystem, auditor: Person, settings: Any, tmp_path: Path
) -> None:
    made = export_of(auditor, system)
    another_host(settings, tmp_path)
    client = Client()
    client.force_login(auditor)
    answer = client.get(f"/admin/exports/{made.pk}/file")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "another host" in answer.content.decode()
    assert not ExportDownload.objects.exists()


@pytest.mark.committing
def test_an_erasure_waits_for_the_host_that_has_the_file(auditor: Person, settings: Any, tmp_path: Path) -> None:
    system = old_system(accountable=make_person())
    decision = record_decision(system)
    made, ours = export_of(auditor, system, parts=["input"]), settings.STORAGES
    another_host(settings, tmp_path)
    no_floor(system)
    request = erased(kind="decision", decision_ids=[decision.id])
    assert request.status == "running"
    assert Export.objects.get(pk=made.pk).status == Export.Status.FINISHED
    settings.STORAGES = ours
    assert forget_erased() == 1
    another_host(settings, tmp_path)
    run_erasures(seconds=SECONDS)
    request.refresh_from_db()
    assert request.status == "performed"


def test_one_that_was_kept_elsewhere_is_not_kept_twice(
    system: AISystem, auditor: Person, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maker died before it said so, and another host begins anew: one of the files would be forgotten."""
    export, ours = ask(auditor, system), settings.STORAGES

    def die(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(running, "_finish", die)
        make(export)
    assert storage.is_there(export)
    another_host(settings, tmp_path)
    settings.EXPORT_WORK_DIR = tmp_path / "other-work"
    long_ago = timezone.now() - timedelta(hours=1)
    ExportWork.objects.filter(export=export).update(worked_at=long_ago, not_before=long_ago)
    work = running.claim(only=export.pk)
    assert work is not None
    running.run_slice(work, pace=ALONE, until=None)
    work.refresh_from_db()
    assert (work.trouble, work.worker) == ("storage_away", None)
    settings.STORAGES = ours
    assert make(export).status == Export.Status.FINISHED


def test_that_a_folder_is_gone_for_good_is_said_by_somebody(
    system: AISystem, auditor: Person, settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = export_of(auditor, system)
    Export.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    another_host(settings, tmp_path)
    call_command("after_restore")
    assert "1 file of exports in places that are not this host's" in capsys.readouterr().out
    assert expire_exports() == 0
    call_command("after_restore", "--places-are-gone")
    assert "taken for gone" in capsys.readouterr().out
    assert expire_exports() == 1

"""kill -9 of a worker, anywhere: the export is gone on with, the file is the same to the byte, and there is one."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from config.ids import new_id
from evidence.exports import scratch
from evidence.exports.bundle import BundleMaker
from evidence.exports.models import Export, ExportPlace, ExportWork
from evidence.exports.plans import Plan
from evidence.exports.requesting import cancel_export
from evidence.exports.running import run_exports
from evidence.exports.sweeping import clear_up
from evidence.exports.tables import TableMaker
from evidence.exports.watching import Watch
from evidence.exports.writing import ZipWriter, dos_time
from governance.models import AISystem
from ledger.entries import Actor
from ledger.models import Entry
from tests.environment import INSTALLATION
from tests.evidence.exports.verifying import require_verified
from tests.factories.exports import ALONE, agree, ask, content_of, kept_in
from tests.factories.record import record_decision, record_many
from tests.factories.register import make_person, make_system
from tests.running import PROJECT

pytestmark = [pytest.mark.committing, pytest.mark.slow]
KILLED = -9


@pytest.fixture
def workers(database_url: str, export_folder: Path) -> Iterator[Callable[[str], int]]:
    """Starts a worker that dies where it is told; its exit code. All of them fork from one that has loaded everything
    and done nothing."""
    env = os.environ | {
        "ANSWERABLE_DATABASE_URL": database_url,
        "ANSWERABLE_HEAD_STORE": str(settings.HEAD_STORE),
        "ANSWERABLE_SIGNING_KEY_FILE": str(settings.SIGNING_KEY_FILE),
        "ANSWERABLE_DATA_DIR": str(INSTALLATION),
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'sdk' / 'src'}",
    }

    command = [sys.executable, "-m", "tests.evidence.exports.worker", str(export_folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, cwd=PROJECT, stdin=pipe, stdout=pipe, text=True, bufsize=1) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        asked, told = parent.stdin, parent.stdout

        def start(where: str) -> int:
            asked.write(f"{where}\n")
            return int(told.readline())

        yield start
        asked.close()


@pytest.fixture
def export() -> Export:
    """With contents, of more than a tile, within times."""
    system, source = make_system(), new_id()
    record_many(system, 300, source_id=source)
    record_decision(system, subject="ada", raw_parts={"input": b'{"a":1}', "output": b"\xff\xfe", "context": b"{}"})
    record_many(system, 300, source_id=source)
    return agree(ask(make_person(auditor=True), system, parts=["input", "output", "explanation", "refs", "state"]))


def plan_of(export: Export) -> Plan:
    return Plan.of(ExportWork.objects.get(export=export).plan)


def made_at_once(export: Export, plan: Plan, folder: Path) -> bytes:
    """The file as it is where nobody disturbs its maker."""
    export = Export.objects.get(pk=export.pk)
    places = list(ExportPlace.objects.filter(export=export))
    assert places, "what it holds is still written down"
    folder.mkdir()
    worker = new_id()
    work, _ = ExportWork.objects.update_or_create(export=export, defaults={"worker": worker})
    watch = Watch(export=export, worker=worker, pace=ALONE)
    kind = BundleMaker if export.form == "bundle" else TableMaker
    with ZipWriter(folder, dos_time=dos_time(*plan.made_at.timetuple()[:6])) as writer:
        kind(export, plan, writer, watch).make()
        writer.close()
    work.delete()
    return (folder / "export.zip").read_bytes()


def require_one_file(export: Export, folder: Path) -> Export:
    found = Export.objects.get(pk=export.pk)
    assert found.status == Export.Status.FINISHED
    assert kept_in(folder / "files") == [f"{export.pk}.zip"]
    assert not scratch.there()
    assert Entry.objects.filter(about_id=export.pk, kind="export.finished").count() == 1
    return found


def test_killed_again_and_again_it_ends_with_the_same_file(
    export: Export, workers: Any, export_folder: Path, tmp_path: Path
) -> None:
    assert workers("write:3") == KILLED
    plan, deaths = plan_of(export), 1
    while workers(f"write:{7 + 5 * deaths}") == KILLED:
        deaths += 1
        assert Export.objects.get(pk=export.pk).status == Export.Status.QUEUED
        assert deaths < 40, "it does not come further"
    assert deaths > 3
    made = require_one_file(export, export_folder)
    require_verified(made, tmp_path)
    assert content_of(made) == made_at_once(export, plan, tmp_path / "again")


@pytest.mark.parametrize("where", ["noted", "kept", "sealed"])
def test_killed_between_making_and_saying_so_it_is_finished_with_that_file(
    export: Export, workers: Any, export_folder: Path, tmp_path: Path, where: str
) -> None:
    assert workers(where) == KILLED
    assert Export.objects.get(pk=export.pk).status == Export.Status.QUEUED
    before = scratch.kept(export_folder / "work" / str(export.pk))
    assert workers("never") == 0
    made = require_one_file(export, export_folder)
    assert before is not None
    assert before["digest"] == made.digest
    require_verified(made, tmp_path)


@pytest.mark.parametrize("form", ["ndjson", "csv", "ocsf"])
def test_lines_are_gone_on_with_too(workers: Any, export_folder: Path, tmp_path: Path, form: str) -> None:
    system = make_system()
    record_many(system, 400)
    export = ask(make_person(auditor=True), system, form=form)
    assert workers("write:4") == KILLED
    plan = plan_of(export)
    assert workers("write:9") == KILLED
    assert workers("never") == 0
    made = require_one_file(export, export_folder)
    assert content_of(made) == made_at_once(export, plan, tmp_path / "again")


def test_what_is_recorded_meanwhile_is_in_none_of_it(export: Export, workers: Any, tmp_path: Path) -> None:
    """The log grows; what the export holds was decided once."""
    assert workers("write:5") == KILLED
    size = plan_of(export).logs[0].tree_size
    assert export.system_id
    record_many(AISystem.objects.get(pk=export.system_id), 50)
    assert workers("never") == 0
    made = Export.objects.get(pk=export.pk)
    log = require_verified(made, tmp_path)
    assert made.decisions == 601
    assert str(size) in str(log)


def test_given_up_after_its_worker_died_nothing_of_it_is_left(
    export: Export, workers: Any, export_folder: Path
) -> None:
    assert workers("kept") == KILLED
    assert kept_in(export_folder / "files")
    cancel_export(actor=Actor("person", export.asked_by_id), export_id=export.pk)
    clear_up()
    assert not kept_in(export_folder / "files")
    assert not scratch.there()
    assert not ExportWork.objects.exists()
    assert not ExportPlace.objects.exists()


def test_a_worker_that_was_only_slow_and_one_that_took_over_make_one_file(
    export: Export, export_folder: Path, tmp_path: Path
) -> None:
    """Both are alive, on one host: one of them has the folder, whoever it is."""
    ExportWork.objects.filter(export=export).update(worker=new_id(), worked_at=timezone.now() - timedelta(hours=1))

    def work(_: int) -> int:
        try:
            return run_exports(seconds=60, pace=ALONE)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    run_exports(seconds=60, pace=ALONE)
    require_verified(require_one_file(export, export_folder), tmp_path)

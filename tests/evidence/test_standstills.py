"""What does not come to its end by itself: alerted and counted; the alert closes once it goes on."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evidence import standstills
from evidence.exports import running, storage
from evidence.exports.models import Export, ExportWork
from evidence.exports.sweeping import expire_exports
from evidence.services.erasure_runs import run_erasures
from evidence.services.purges import run_purges
from evidence.services.standstill_alerts import watch_standstills
from governance.models import AISystem, Person
from ledger.entries import SERVER
from notices.models import Alert
from tests.factories.erasing import SECONDS, agreed, no_floor, put_in_force
from tests.factories.exports import ask, export_of, folder_storage, make, old_system
from tests.factories.purging import announced, old
from tests.factories.record import record_decision
from tests.factories.register import make_person

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def export_folder(tmp_path: Any, settings: Any) -> None:
    settings.EXPORT_WORK_DIR = tmp_path / "work"
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(tmp_path / "files")}


@pytest.fixture
def system() -> AISystem:
    return old_system(accountable=make_person())


@pytest.fixture
def auditor() -> Person:
    return make_person(auditor=True)


def alerted() -> set[str]:
    """The kinds that are not closed."""
    watch_standstills(actor=SERVER)
    return set(Alert.objects.exclude(status=Alert.Status.CLOSED).values_list("kind", flat=True))


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """As if so much time went by."""
    monkeypatch.setattr(standstills, "timezone", SimpleNamespace(now=lambda: timezone.now() + by))


def metric(name: str) -> float:
    text = Client().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    [line] = [each for each in text.splitlines() if each.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


def counted(name: str, status: str) -> float:
    return metric(f'{name}{{status="{status}"}}')


# --- exports ----------------------------------------------------------------------------------------------------------
def test_an_export_that_nobody_makes(system: AISystem, auditor: Person) -> None:
    export = ask(auditor, system)
    assert alerted() == set()
    works = ExportWork.objects.filter(export=export)
    works.update(not_before=timezone.now() - 11 * MINUTE)
    assert alerted() == {"export.not_made"}
    assert metric("answerable_export_oldest_seconds") > 600
    assert counted("answerable_exports", "queued") == 1
    assert alerted() == {"export.not_made"}
    assert Alert.objects.get().occurrences == 1
    make(export)
    assert alerted() == set()
    assert Alert.objects.get().status == Alert.Status.CLOSED
    assert metric("answerable_export_oldest_seconds") == 0


def test_a_queue_that_moves_is_no_standstill(system: AISystem, auditor: Person) -> None:
    """Others are being made, or one waits until it is tried again."""
    first, second = ask(auditor, system), ask(auditor, system)
    long_ago, now = timezone.now() - 2 * HOUR, timezone.now()
    ExportWork.objects.filter(export=first).update(not_before=long_ago, worked_at=now, worker=first.pk)
    ExportWork.objects.filter(export=second).update(not_before=long_ago)
    assert alerted() == set()
    ExportWork.objects.filter(export=first).update(worker=None, not_before=now + MINUTE, worked_at=long_ago)
    ExportWork.objects.filter(export=second).update(not_before=now + MINUTE)
    assert alerted() == set()


def test_an_export_that_is_tried_in_vain(system: AISystem, auditor: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> None:
        raise storage.StorageAway("nobody answers")

    export = ask(auditor, system)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "put", away)
        monkeypatch.setattr(running, "FIRST_PAUSE", 0)
        for wanted in (set(), set(), {"export.failing"}):
            ExportWork.objects.filter(export=export).update(done=10**6)  # it comes no further
            make(export)
            assert alerted() == wanted
        assert metric("answerable_exports_failing") == 1
    assert make(export).status == Export.Status.FINISHED
    assert alerted() == set()


@pytest.mark.parametrize(("code", "is_ours"), [("storage_full", True), ("right_lost", False), ("too_large", False)])
def test_an_export_that_failed(system: AISystem, auditor: Person, code: str, is_ours: bool) -> None:
    export = ask(auditor, system)
    work = running.claim(only=export.pk)
    assert work is not None
    running._fail(work, code)
    assert alerted() == ({"export.failing"} if is_ours else set())
    Export.objects.update(ended_at=timezone.now() - 25 * HOUR)
    assert alerted() == set()


def test_a_file_that_cannot_be_deleted(system: AISystem, auditor: Person) -> None:
    made = export_of(auditor, system)
    for past, wanted in ((MINUTE, set()), (61 * MINUTE, {"export.not_deleted"})):
        Export.objects.filter(pk=made.pk).update(expires_at=timezone.now() - past)
        assert alerted() == wanted
    assert metric("answerable_exports_undeleted") == 1
    expire_exports()
    assert alerted() == set()


# --- purges and erasures ----------------------------------------------------------------------------------------------
@pytest.mark.committing
def test_an_erasure_that_waits_for_a_file(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    no_floor(system)
    agreed(kind="decision", decision_ids=[record_decision(system).id])
    assert alerted() == {"erasure.standing_still"}, "its time came a day ago"
    with monkeypatch.context() as patch:
        patch.setattr("evidence.erasure.files.forget_erased_by", lambda entry_ids: False)
        run_erasures(seconds=SECONDS)
        assert counted("answerable_erasures", "running") == 1
        assert alerted() == set(), "something of it went just now"
        later(patch, 4 * HOUR)
        assert alerted() == {"erasure.standing_still"}
        assert metric("answerable_erasure_standstill_seconds") > 0
    run_erasures(seconds=SECONDS)
    later(monkeypatch, 4 * HOUR)
    assert alerted() == set()


def test_a_purge_of_which_nothing_goes(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_force("payloads", system, ceiling=30)
    old(system)
    announced()
    assert alerted() == {"purge.standing_still"}, "its time came days ago"
    assert counted("answerable_purges", "announced") == 1
    assert metric("answerable_purge_standstill_seconds") > 3 * 3600
    with monkeypatch.context() as patch:
        patch.setattr("evidence.services.purges.forget_exports", lambda entry_ids: False)
        run_purges(seconds=SECONDS)
        assert alerted() == set(), "something of it went just now"
        later(patch, 4 * HOUR)
        assert alerted() == {"purge.standing_still"}
    run_purges(seconds=SECONDS)
    later(monkeypatch, 4 * HOUR)
    assert alerted() == set()

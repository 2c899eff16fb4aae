"""What the beat does about exports: in which order, for how long, and over how much of what there is."""

from datetime import timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evidence import tasks
from evidence.exports import erasing, places, sweeping
from evidence.exports.models import Export, ExportPlace, ExportWork
from evidence.exports.sweeping import clear_up, forget_erased
from governance.models import AISystem, Person
from tests.factories.exports import export_of
from tests.factories.record import record_decision, record_many
from tests.factories.register import make_system

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

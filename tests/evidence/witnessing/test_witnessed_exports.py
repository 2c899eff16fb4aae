"""Exports are proven against what witnesses have seen: they wait a little for that, and never for long."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from evidence.exports import planning
from evidence.exports.anchors import PATIENCE
from evidence.exports.anchors import best_checkpoint as genuine
from evidence.exports.models import Export, ExportWork
from evidence.exports.progress import Progress
from evidence.services.checkpoints import record_checkpoints
from governance.models import AISystem, Person
from ledger.entries import SERVER
from ledger.models import Log
from ledger.selectors import latest_head, open_log
from tests.evidence.exports.verifying import require_verified, verdict_of
from tests.evidence.witnessing.authority import Authority, with_openssl
from tests.evidence.witnessing.conftest import Configure, later, sweep, trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness
from tests.factories.exports import ask, files_of, folder_storage, make, manifest_of, old_system
from tests.factories.record import record_decision, record_many
from tests.factories.register import make_person

pytestmark = pytest.mark.django_db
Status = Export.Status


@pytest.fixture(autouse=True)
def export_folder(tmp_path: Path, settings: Settings) -> None:
    settings.EXPORT_WORK_DIR = tmp_path / "work"
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(tmp_path / "files")}


@pytest.fixture
def system() -> AISystem:
    return old_system()


@pytest.fixture
def auditor() -> Person:
    return make_person(auditor=True)


def policy_of(folder: Path, *witnesses: StrictWitness) -> str:
    """As an auditor has it: these witnesses, all of them."""
    names = [f"w{number}" for number in range(len(witnesses))]
    lines = [f"witness {name} {each.vkey}" for name, each in zip(names, witnesses, strict=True)]
    path = folder / "policy-of-auditor"
    path.write_text("\n".join([*lines, f"group all all {' '.join(names)}", "quorum all", ""]))
    return f"--policy={path}"


def again(export: Export) -> Export:
    """Worked at once more, as soon as it may be."""
    ExportWork.objects.filter(export=export).update(not_before=timezone.now())
    return make(export)


def as_if_begun_earlier(export: Export) -> None:
    ExportWork.objects.filter(export=export).update(begun_at=F("begun_at") - PATIENCE)


def test_it_waits_until_witnesses_have_seen_what_it_needs(
    system: AISystem, auditor: Person, configure: Configure, witness: StrictWitness, tmp_path: Path
) -> None:
    configure(witness, quorum="w1")
    trust_all(witness)
    sweep()
    record_many(system, 5)
    export = make(ask(auditor, system))
    progress = Progress.of(export)
    assert progress
    assert (export.status, progress.state, progress.trouble) == (Status.QUEUED, "waiting", "unwitnessed")
    record_many(system, 5)
    sweep()  # what it needs was chosen to be sent, though the interval is not over
    made = again(export)
    assert (made.status, made.decisions) == (Status.FINISHED, 5), "all that was there when it was asked for"
    require_verified(made, tmp_path, policy_of(tmp_path, witness))
    notes = [data for name, data in files_of(made).items() if name.endswith("/checkpoint")]
    assert len(notes) == 2
    assert all(f"— {witness.name} ".encode() in note for note in notes)


def test_a_question_of_another_kind_waits_for_all_its_logs(
    system: AISystem, auditor: Person, configure: Configure, witness: StrictWitness, tmp_path: Path
) -> None:
    configure(witness, quorum="w1")
    trust_all(witness)
    sweep()
    record_decision(system, subject="zq-ada")
    record_decision(system_b := old_system(slug="second"), subject="zq-ada")
    trust_all(witness)
    export = ask(auditor, question="subject", subject="zq-ada")
    for _ in range(4):
        export = again(export)
        if export.status == Status.FINISHED:
            break
        sweep()
        later(seconds=1)
    assert (export.status, export.decisions) == (Status.FINISHED, 2)
    assert {each["system"] for each in manifest_of(export)["logs"]} == {str(system.pk), str(system_b.pk), None}
    require_verified(export, tmp_path, policy_of(tmp_path, witness))


def test_witnesses_that_see_nothing_are_not_waited_for_long(
    system: AISystem, auditor: Person, configure: Configure, witness: StrictWitness, tmp_path: Path
) -> None:
    configure(witness, quorum="w1")
    record_many(system, 5)
    export = make(ask(auditor, system))
    for _ in range(30):  # more often than a worker may die of one
        sweep()
        export = again(export)
    assert export.status == Status.QUEUED
    as_if_begun_earlier(export)
    made = again(export)
    assert (made.status, made.is_whole) == (Status.FINISHED, True)
    require_verified(made, tmp_path)
    report = verdict_of(made, tmp_path, policy_of(tmp_path, witness))
    assert report["exit_code"] == 3


def test_without_witnesses_nobody_waits(system: AISystem, auditor: Person) -> None:
    assert make(ask(auditor, system)).status == Status.FINISHED


def test_without_an_end_it_ends_at_no_tree_that_was_witnessed_before_it_was_asked_for(
    system: AISystem, auditor: Person, configure: Configure, witness: StrictWitness
) -> None:
    configure(witness, quorum="w1")
    trust_all(witness)
    record_many(system, 3)
    sweep()
    seen = latest_head(open_log(system.pk).id).tree_size
    record_many(system, 4)
    export = ask(auditor, system)
    witness.log_keys.clear()
    make(export)
    as_if_begun_earlier(export)
    made = again(export)
    assert made.decisions == 7
    assert manifest_of(made)["logs"][0]["tree_size"] > seen


def test_times_that_are_over_are_proven_by_a_tree_that_is_witnessed_already(
    system: AISystem, auditor: Person, configure: Configure, witness: StrictWitness, tmp_path: Path
) -> None:
    configure(witness, quorum="w1")
    trust_all(witness)
    record_many(system, 3)
    until = timezone.now()
    record_many(system, 2)
    export = ask(auditor, system, until=until)
    sweep()
    seen = latest_head(open_log(system.pk).id).tree_size
    made = make(export)
    assert (made.status, made.decisions) == (Status.FINISHED, 3)
    assert manifest_of(made)["logs"][0]["tree_size"] == seen
    require_verified(made, tmp_path, policy_of(tmp_path, witness))


@with_openssl
def test_time_stamps_are_in_it_and_fit(
    system: AISystem,
    auditor: Person,
    configure: Configure,
    witness: StrictWitness,
    stamping: Authority,
    tmp_path: Path,
) -> None:
    configure(witness, quorum="w1", authorities={"stamper": stamping})
    trust_all(witness)
    record_many(system, 3)
    export = ask(auditor, system)
    sweep()
    made = make(export)
    assert [each["timestamps"] for each in manifest_of(made)["logs"]] == [1, 1]
    bundle = stamping.certificates.bundle("root")
    report = require_verified(made, tmp_path, policy_of(tmp_path, witness), f"--tsa={bundle}")
    assert "timestamp-unknown" not in str(report)


@with_openssl
def test_of_witnessed_trees_one_that_is_time_stamped_is_taken(
    system: AISystem, auditor: Person, configure: Configure, witness: StrictWitness, stamping: Authority
) -> None:
    configure(witness, quorum="w1", authorities={"stamper": stamping})
    trust_all(witness)
    record_many(system, 3)
    until = timezone.now()
    record_many(system, 1)
    sweep()
    stamped = latest_head(open_log(system.pk).id).tree_size
    record_many(system, 1)
    later(minutes=6)  # witnesses are asked again, time-stamp authorities are not
    sweep()
    export = ask(auditor, system, until=until)
    make(export)
    as_if_begun_earlier(export)
    log = manifest_of(again(export))["logs"][0]
    assert (log["tree_size"], log["timestamps"]) == (stamped, 1)


def test_a_checkpoint_of_another_tree_is_not_taken(
    system: AISystem, auditor: Person, configure: Configure, witness: StrictWitness, tmp_path: Path
) -> None:
    """A row that was changed, as whoever has the database can."""
    configure(witness, quorum="w1")
    trust_all(witness)
    record_many(system, 3)
    export = ask(auditor, system)
    sweep()

    def forged(log: Log, at_least: int = 0, **rest: Any) -> Any:
        from dataclasses import replace

        found = original(log, at_least, **rest)
        return found and replace(found, root_hash=bytes(32))

    from evidence import anchors

    original = anchors.best_checkpoint
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchors, "best_checkpoint", forged)
        make(export)
        as_if_begun_earlier(export)
        made = again(export)
    require_verified(made, tmp_path)


@pytest.mark.parametrize("is_late", [False, True])
def test_what_is_received_while_it_is_decided_on_stands_behind_its_end(
    system: AISystem, auditor: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    """The log has grown between the look at its times and the signature; also by what another clock dates back."""
    record_many(system, 3)
    until = timezone.now()
    export = ask(auditor, system, until=until)

    def growing(record: Callable[[], Any]) -> Callable[[Log, int], Any]:
        done: list[bool] = []

        def signed(log: Log, at_least: int) -> Any:
            if not done:
                done.append(True)
                record()
            return genuine(log, at_least)

        return signed

    at = until - timedelta(milliseconds=5) if is_late else None
    monkeypatch.setattr(planning, "best_checkpoint", growing(lambda: record_decision(system, at=at)))
    made = make(export)
    assert (made.status, made.decisions) == (Status.FINISHED, 4 if is_late else 3)
    require_verified(made, tmp_path)


def test_what_the_registry_log_recorded_is_in_it(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    record_many(system, 3)
    record_checkpoints(actor=SERVER)
    made = make(ask(auditor, system))
    entries = b"".join(data for name, data in files_of(made).items() if name.startswith("logs/registry/entries/"))
    assert entries.count(b'"kind":"checkpoint.recorded"') == 1
    require_verified(made, tmp_path)

"""Bundles over what logs go through: keys that were replaced, a log that was closed and its successor."""

from pathlib import Path
from typing import Any

import pytest

from evidence.exports.models import Export
from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody import close_log
from evidence.services.key_rotation import begin_rotation, finish_rotation
from governance.models import AISystem, Person
from ledger.entries import COMMAND, SERVER
from ledger.heads import head_store
from ledger.selectors import open_log, registry_log
from ledger.signing import verifier_keys
from tests.evidence.exports.verifying import require_verified, verdict_of
from tests.factories.exports import export_of, manifest_of, old_system
from tests.factories.record import record_many
from tests.factories.register import make_person

pytestmark = pytest.mark.django_db
LOST = 40


@pytest.fixture
def system() -> AISystem:
    return old_system()


def administrators() -> Any:
    return {name: make_person(administrator=True) for name in ("asked_by", "approved_by")}


def verified_with(export: Export, folder: Path, key: str) -> int:
    code: int = verdict_of(export, folder, f"--vkey={key}", with_key=False)["exit_code"]
    return code


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_bundle_of_after_a_new_key_is_verified_with_either(
    system: AISystem, auditor: Person, key_file: Path, tmp_path: Path, is_finished: bool
) -> None:
    record_many(system, 5)
    [old] = verifier_keys(registry_log().origin)
    people = administrators()
    begin_rotation(actor=COMMAND, **people)
    record_many(system, 5)
    if is_finished:
        finish_rotation(actor=COMMAND, **people)
        record_many(system, 5)
    new = verifier_keys(registry_log().origin)[0]
    assert new != old
    made = export_of(auditor, system)
    assert made.decisions == (15 if is_finished else 10)
    assert verified_with(made, tmp_path, old) == 0
    assert verified_with(made, tmp_path, new) in ((0, 3) if is_finished else (0,))
    require_verified(made, tmp_path)


def test_a_closed_log_and_its_successor_are_one_answer_that_names_what_is_missing(
    system: AISystem, auditor: Person, tmp_path: Path
) -> None:
    record_many(system, 300)
    record_checkpoints(actor=SERVER)
    before = open_log(system.pk)
    head = head_store().head(before.id)
    assert head is not None
    head_store().advance(before.id, head.tree_size + LOST, bytes(32))  # what was signed last is in no database
    successor = close_log(actor=COMMAND, log=before, **administrators())
    record_many(system, 30)
    made = export_of(auditor, system)
    said = {each["origin"]: each for each in manifest_of(made)["logs"]}
    assert said[successor.origin]["predecessor"] == before.origin
    assert said[before.origin]["range"] == [0, head.tree_size]
    assert made.decisions == 330
    report = verdict_of(made, tmp_path)
    assert report["exit_code"] == 3
    [lost] = [each["detail"] for each in report["findings"] if each["code"] == "entries-lost"]
    assert lost == f"{before.origin}: {head.tree_size} to {head.tree_size + LOST - 1}"

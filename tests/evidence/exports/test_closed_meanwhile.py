"""A log that lost its tail is closed while an export of it is made: the file is whole, and the next one spans both."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from console.exports.page import keys_to_give
from evidence.exports import bundle, watching
from evidence.exports.models import Export
from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody import close_log
from evidence.services.key_rotation import begin_rotation, finish_rotation
from governance.models import AISystem
from ledger.entries import COMMAND, SERVER
from ledger.heads import head_store
from ledger.models import Log
from ledger.selectors import latest_checkpoint, open_log, registry_log, vkeys_of
from ledger.signing import verifier_keys
from ledger.tlog import UnverifiedNote, Verifier, open_note
from tests.evidence.exports.verifying import require_verified, verdict_of
from tests.factories.exports import ask, export_of, make, manifest_of
from tests.factories.record import record_many
from tests.factories.register import make_key, make_person, make_system

pytestmark = pytest.mark.django_db
LOST = 40


@pytest.fixture
def system() -> AISystem:
    found = make_system()
    record_many(found, 300)
    record_checkpoints(actor=SERVER)
    return found


def close(system: AISystem) -> Log:
    """What was signed last is not in the database: two administrators say so, and recording goes on."""
    log = open_log(system.pk)
    head = head_store().head(log.id)
    assert head is not None
    head_store().advance(log.id, head.tree_size + LOST, bytes(32))
    people = [make_person(administrator=True) for _ in range(2)]
    successor = close_log(actor=COMMAND, asked_by=people[0], approved_by=people[1], log=log)
    record_many(system, 30)
    return successor


def lost_in(report: Any) -> str:
    """What the verifier says was lost; nothing else is wrong, and the bundle is not whole for that alone."""
    assert report["exit_code"] == 3 and report["verdict"] == "incomplete", report
    [finding] = report["findings"]
    assert finding["code"] == "entries-lost"
    return str(finding["detail"])


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BEAT_EVERY", "MARK_EVERY", "ASK_EVERY"):
        monkeypatch.setattr(watching, name, 0.0)
    monkeypatch.setattr("evidence.exports.reading.BYTES_AT_ONCE", 10_000)


@pytest.mark.usefixtures("in_small_pieces")
def test_what_was_begun_before_is_made_to_its_end(
    system: AISystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, whole, left = open_log(system.pk), bundle.BundleMaker.count, [2]

    def counting(*args: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            close(system)
        whole(*args)

    monkeypatch.setattr(bundle.BundleMaker, "count", counting)
    export = make(ask(make_person(auditor=True), system))
    assert left[0] <= 0 and hasattr(Log.objects.get(pk=before.pk), "closure")
    assert export.status == Export.Status.FINISHED, export.failure
    assert export.decisions == 300
    require_verified(export, tmp_path)


def test_what_was_asked_for_before_and_begun_after_spans_both(system: AISystem, tmp_path: Path) -> None:
    asked = ask(make_person(auditor=True), system)
    before, successor = open_log(system.pk), close(system)
    export = make(asked)
    assert export.status == Export.Status.FINISHED, export.failure
    said = {each["origin"]: each for each in manifest_of(export)["logs"]}
    assert {before.origin, successor.origin} <= said.keys()
    assert said[successor.origin]["predecessor"] == before.origin
    assert export.decisions == 330
    assert lost_in(verdict_of(export, tmp_path)) == f"{before.origin}: 303 to {303 + LOST - 1}"


def test_and_so_does_one_of_later(system: AISystem, tmp_path: Path) -> None:
    before = open_log(system.pk)
    close(system)
    export = export_of(make_person(auditor=True), system)
    assert export.decisions == 330
    assert lost_in(verdict_of(export, tmp_path)) == f"{before.origin}: 303 to {303 + LOST - 1}"


@pytest.mark.usefixtures("key_file")
def test_a_key_that_was_replaced_afterwards_is_named_beside_the_new_one(
    system: AISystem, tmp_path: Path, client: Client
) -> None:
    """Nothing new is signed for a closed log: its last checkpoint is verified by the key of that time alone."""
    before, auditor = open_log(system.pk), make_person(auditor=True)
    close(system)
    asks, agrees = (make_person(administrator=True) for _ in range(2))
    begin_rotation(actor=COMMAND, asked_by=asks, approved_by=agrees)
    finish_rotation(actor=COMMAND, asked_by=asks, approved_by=agrees)

    note, now = latest_checkpoint(before).note, verifier_keys(before.origin)
    with pytest.raises(UnverifiedNote):
        open_note(note, map(Verifier.from_vkey, now))
    assert open_note(note, map(Verifier.from_vkey, vkeys_of(before)))
    assert vkeys_of(before)[: len(now)] == now and vkeys_of(registry_log()) == verifier_keys(registry_log().origin)

    reader = make_key(system, scopes=("ledger:read",))
    export = export_of(auditor, system)
    given = keys_to_give(export)
    assert len(given) == 2
    assert lost_in(verdict_of(export, tmp_path)) == f"{before.origin}: 303 to {303 + LOST - 1}"
    client.force_login(auditor)
    page = client.get(f"/admin/exports/{export.pk}/").content.decode()
    assert all(key in page for key in given)
    answer = client.get("/api/v1/logs", headers={"authorization": f"Bearer {reader.text}"})
    listed = {row["origin"]: row for row in answer.json()}
    assert listed[before.origin]["vkeys"] == vkeys_of(before)
    assert listed[before.origin]["vkey"] == now[0]

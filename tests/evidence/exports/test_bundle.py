"""Evidence bundles: each verifies, with the verifier that is in it, against a key from elsewhere."""

import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from config.ids import new_id
from evidence.exports import bundle, storage
from evidence.exports.models import Export
from evidence.exports.planning import make_plan
from evidence.exports.plans import PlannedLog
from evidence.exports.proving import has_newer_head, proving_heads
from evidence.services.checkpoints import record_checkpoints
from governance.models import AISystem, Person
from ledger.entries import SERVER
from ledger.models import Checkpoint
from ledger.selectors import latest_checkpoint, open_log, registry_log
from overrides.services.overriding import override_decision
from tests.evidence.exports.verifying import require_verified, verdict_of
from tests.factories.cases import attach, make_led_case
from tests.factories.erasing import erase
from tests.factories.exports import ask, content_of, export_of, files_of, manifest_of, old_system
from tests.factories.record import record_decision, record_many
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.versions import owner_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def owner() -> Person:
    return make_person()


@pytest.fixture
def system(owner: Person) -> AISystem:
    return old_system(accountable=owner)


def lines(files: dict[str, bytes], start: str) -> list[bytes]:
    """The lines of all files of a folder, in their order."""
    names = sorted(name for name in files if name.startswith(start) and name.endswith(".ndjson"))
    return [line for name in names for line in files[name].splitlines()]


# --- a range ----------------------------------------------------------------------------------------------------------
def test_everything_of_an_ai_system_verifies(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    for number in range(5):
        record_decision(system, source_id=new_id() if number == 4 else None, outcome=f"o{number % 2}")
    made = export_of(auditor, system)
    require_verified(made, tmp_path)
    manifest = manifest_of(made)
    log = manifest["logs"][0]
    assert log["range"] == [0, log["tree_size"]]
    assert log["disclosed"] == log["tree_size"]
    assert manifest["answer"]["decisions"] == 5
    assert manifest["answer"]["outcomes"] == {"o0": 3, "o1": 2}
    assert manifest["whole"] is True
    assert made.decisions == 5


def test_the_manifest_names_whoever_asked_and_the_sealed_request(
    system: AISystem, auditor: Person, tmp_path: Path
) -> None:
    made = export_of(auditor, system)
    asked = manifest_of(made)["asked"]
    assert asked["by"] == str(auditor.pk)
    assert asked["approved_by"] is asked["approval"] is None
    first = made.history.order_by("revision").first()
    assert asked["entry"] == str(first.history_id)
    require_verified(made, tmp_path)


def test_times_cut_a_range_with_a_fence_on_either_side(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    now = timezone.now()
    for hours in (5, 4, 3, 2, 1):
        record_decision(system, at=now - hours * HOUR)
    made = export_of(auditor, system, since=now - 4.5 * HOUR, until=now - 1.5 * HOUR)
    require_verified(made, tmp_path)
    manifest = manifest_of(made)
    log = manifest["logs"][0]
    assert log["range"][1] - log["range"][0] == 3
    assert manifest["answer"]["decisions"] == 3
    disclosed = files_of(made)[f"logs/{log['log']}/disclosed"].decode().splitlines()
    assert f"{log['range'][0] - 1} 5" in disclosed


@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_a_range_in_which_nothing_happened_says_so(
    system: AISystem, auditor: Person, tmp_path: Path, place: str
) -> None:
    now = timezone.now()
    record_decision(system, at=now - 9 * HOUR)
    record_decision(system, at=now - 2 * HOUR)
    spans = {"before": (99, 98), "between": (7, 6), "after": (1, 0.5)}
    since, until = (now - hours * HOUR for hours in spans[place])
    made = export_of(auditor, system, since=since, until=until)
    assert manifest_of(made)["answer"]["decisions"] == 0
    require_verified(made, tmp_path)


def test_entries_that_overtook_one_another_are_all_in_it(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    """Several hosts receive, and their clocks differ: what was received within the times may stand anywhere near."""
    now = timezone.now()
    for minutes in (300, 200, 260, 180, 240, 120, 60):
        record_decision(system, at=now - timedelta(minutes=minutes))
    made = export_of(auditor, system, since=now - timedelta(minutes=250), until=now - timedelta(minutes=150))
    assert manifest_of(made)["answer"]["decisions"] == 3  # 200, 180, 240
    report = verdict_of(made, tmp_path)
    assert report["exit_code"] == 0, report


def test_what_was_signed_before_the_range_is_in_it(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    now = timezone.now()
    record_many(system, 300, at=now - HOUR)
    record_checkpoints(actor=SERVER)
    record_decision(system, at=now)
    made = export_of(auditor, system, since=now - 0.5 * HOUR)
    log = manifest_of(made)["logs"][0]
    stored = Checkpoint.objects.get(log=open_log(system.pk))
    assert log["before"] == stored.tree_size <= log["range"][0]
    assert files_of(made)[f"logs/{log['log']}/checkpoint.before"].decode() == stored.note
    require_verified(made, tmp_path)


def test_it_proves_itself_against_a_head_that_the_asker_kept(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    record_many(system, 300)
    kept = latest_checkpoint(open_log(system.pk))
    now = timezone.now()
    record_many(system, 700)
    made = export_of(auditor, system, since=now + HOUR, head=kept.note)
    head = tmp_path / "head"
    head.write_text(kept.note)
    report = require_verified(made, tmp_path, f"--head={head}")
    assert str(kept.tree_size) in json.dumps(report)


def test_an_audit_that_repeats_itself_compares_every_head_that_it_kept(
    system: AISystem, auditor: Person, tmp_path: Path
) -> None:
    """As the guide has it: all that was kept is given when asking, of whatever log."""
    other = make_system()
    record_many(system, 300)
    record_decision(other)
    kept = [latest_checkpoint(log) for log in (open_log(system.pk), registry_log(), open_log(other.pk))]
    given = []
    for number, each in enumerate(kept):
        (tmp_path / f"head-{number}").write_text(each.note)
        given.append(f"--head={tmp_path / f'head-{number}'}")
    now = timezone.now()
    record_many(system, 700)
    record_checkpoints(actor=SERVER)
    made = export_of(auditor, system, since=now + HOUR, head="".join(each.note for each in kept))
    report = require_verified(made, tmp_path, *given)
    assert report["counts"] == {"head-elsewhere": 1}
    assert sum(each["code"] == "p_head" for each in report["proven"]) == 2


def test_the_newest_checkpoint_of_the_registry_log_is_compared_though_nobody_gave_it(
    system: AISystem, auditor: Person, tmp_path: Path
) -> None:
    """As it is stored where witnesses are asked."""
    signed = latest_checkpoint(registry_log())
    stored = Checkpoint.objects.create(
        log=registry_log(), tree_size=signed.tree_size, root_hash=signed.root_hash, note=signed.note,
        purpose=Checkpoint.Purpose.ANCHORED,
    )  # fmt: skip
    record_decision(system)
    (tmp_path / "head").write_text(stored.note)
    [registry] = [log for log in make_plan(ask(auditor, system)).logs if log.is_registry]
    assert stored.tree_size in registry.proves
    made = export_of(auditor, system)
    report = require_verified(made, tmp_path, f"--head={tmp_path / 'head'}")
    assert "p_head" in [each["code"] for each in report["proven"]]


def test_a_head_that_is_newer_than_what_is_proven_is_told_from_one_of_another_log() -> None:
    log = PlannedLog(
        id=new_id(), origin="x.example/logs/a", is_registry=False, system_id=new_id(), predecessor=None, tree_size=9,
        root_hash="", note="", timestamps=[], proves=[2],
    )  # fmt: skip
    held = [[log.origin, 4, ""], [log.origin, 9, ""], ["x.example/logs/b", 10, ""], [log.origin, 0, ""]]
    assert not has_newer_head([log], held)
    assert [each.proves for each in proving_heads([log], held)] == [[2, 4, 9]]
    assert has_newer_head([log], [*held, [log.origin, 10, ""]])


def test_numbers_of_sources_that_are_missing_are_listed(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    source = new_id()
    for number in (4, 7, 5, 9, 9):
        record_decision(system, source_id=source, source_seq=number)
    made = export_of(auditor, system)
    assert manifest_of(made)["sources"] == [
        {
            "source": str(source),
            "first_seq": 4,
            "last_seq": 9,
            "decisions": 5,
            "missing": [[6, 6], [8, 8]],
            "missing_count": 2,
            "twice": [9],
        }
    ]
    require_verified(made, tmp_path)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_logs_of_sizes_around_a_tile_verify(system: AISystem, auditor: Person, tmp_path: Path, count: int) -> None:
    size = latest_checkpoint(open_log(system.pk)).tree_size
    if count > size:
        record_many(system, count - size)
    made = export_of(auditor, system)
    assert manifest_of(made)["logs"][0]["tree_size"] == max(count, size)
    require_verified(made, tmp_path)


# --- contents ---------------------------------------------------------------------------------------------------------
def test_contents_open_their_commitments_and_what_was_not_chosen_is_withheld(
    system: AISystem, auditor: Person, tmp_path: Path
) -> None:
    record_decision(system, subject="ada", raw_parts={"input": b'{"a": 1}', "output": b"\xff\xfe", "context": b"{}"})
    made = export_of(auditor, system, parts=["input", "output"])
    require_verified(made, tmp_path)
    found = [json.loads(line) for line in lines(files_of(made), "parts")]
    assert [(each["part"], each.get("text"), each.get("base64")) for each in found] == [
        ("input", '{"a": 1}', None),
        ("output", None, "//4="),
    ]
    assert manifest_of(made)["parts"]["context"] == {"disclosed": 0, "withheld": 1, "erased": 0}
    assert manifest_of(made)["parts"]["input"] == {"disclosed": 1, "withheld": 0, "erased": 0}
    assert made.disclosed_parts == 2


def test_a_subject_is_in_the_refs_part_alone(system: AISystem, auditor: Person) -> None:
    record_decision(system, subject="zq-ada-lovelace")
    plain = export_of(auditor, system)
    assert b"zq-ada-lovelace" not in b"".join(files_of(plain).values())
    opened = export_of(auditor, system, parts=["refs"])
    naming = [name for name, data in files_of(opened).items() if b"zq-ada-lovelace" in data]
    assert naming == ["parts/000000.ndjson"]


@pytest.mark.committing
def test_what_was_erased_is_counted_as_erased(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    one, two = record_decision(system), record_decision(system)
    erase(one.id)
    made = export_of(auditor, system, parts=["input", "output", "explanation"])
    require_verified(made, tmp_path)
    assert manifest_of(made)["parts"]["input"] == {"disclosed": 1, "withheld": 0, "erased": 1}
    assert manifest_of(made)["whole"] is True
    assert {json.loads(line)["index"] for line in lines(files_of(made), "parts")} == {two.leaf_index}


def test_an_erasure_after_the_times_is_shown_beside_the_range(
    system: AISystem, auditor: Person, tmp_path: Path
) -> None:
    old = record_decision(system, at=timezone.now() - 5 * HOUR)
    record_decision(system, at=timezone.now() - 3 * HOUR)
    erase(old.id)
    made = export_of(auditor, system, since=timezone.now() - 6 * HOUR, until=timezone.now() - 4 * HOUR)
    assert manifest_of(made)["parts"]["input"] == {"disclosed": 0, "withheld": 0, "erased": 1}
    require_verified(made, tmp_path)


def test_what_people_wrote_is_opened_where_that_was_chosen(
    system: AISystem, auditor: Person, owner: Person, tmp_path: Path
) -> None:
    decision = record_decision(system)
    override_decision(
        actor=actor_of(owner_of(system)),
        decision_id=decision.id,
        outcome="refused",
        reason_code="other",
        note="Not what it seems.",
    )
    made = export_of(auditor, system, parts=["state", "particulars", "reason"])
    require_verified(made, tmp_path)
    said = b"".join(lines(files_of(made), "parts"))
    assert b"Not what it seems." in said
    assert manifest_of(made)["answer"]["overridden"] == 1
    assert b"Not what it seems." not in b"".join(files_of(export_of(auditor, system, parts=["input"])).values())


def test_credentials_and_what_others_asked_for_are_in_no_bundle(system: AISystem, auditor: Person) -> None:
    """The request itself changes a row too: why it was asked for stays with those who may read it."""
    made = export_of(auditor, system, parts=["state", "particulars", "reason"], reason="zq-a-private-reason")
    again = export_of(auditor, system, parts=["state", "particulars", "reason"])
    for each in (made, again):
        assert b"zq-a-private-reason" not in b"".join(files_of(each).values())


# --- the other questions ----------------------------------------------------------------------------------------------
def test_one_decision_with_what_happened_to_it(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    record_many(system, 600)
    decision = record_decision(system)
    override_decision(
        actor=actor_of(owner_of(system)), decision_id=decision.id, outcome="refused", reason_code="other", note="No."
    )
    record_many(system, 300)
    made = export_of(auditor, question="decision", decision_id=decision.id)
    require_verified(made, tmp_path)
    manifest = manifest_of(made)
    kinds = [json.loads(line)["kind"] for line in lines(files_of(made), f"logs/{manifest['logs'][0]['log']}")]
    assert kinds.count("decision.recorded") == 1
    assert "decision.overridden" in kinds
    assert manifest["answer"]["decisions"] == manifest["answer"]["overridden"] == 1
    assert manifest["sources"] is None
    tiles = [name for name in files_of(made) if f"{manifest['logs'][0]['log']}/tile/0/" in name]
    assert 2 <= len(tiles) <= 4  # those of its entries and the right edge, and not all of them


def test_the_decisions_of_a_case_over_two_ai_systems(tmp_path: Path) -> None:
    systems = make_system(), make_system()
    chosen = [record_decision(each) for each in systems]
    record_decision(systems[0])
    case, lead = make_led_case(systems[0], decisions=[chosen[0]])
    attach(case, lead, chosen[1])
    made = export_of(lead, question="case", case_id=case.pk)
    require_verified(made, tmp_path)
    assert manifest_of(made)["answer"]["decisions"] == 2
    assert {each["system"] for each in manifest_of(made)["logs"]} == {*(str(each.pk) for each in systems), None}


def test_all_decisions_of_a_subject_and_nobody_elses(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    other = make_system()
    mine = [record_decision(each, subject="m. ada") for each in (system, other, system)]
    record_decision(system, subject="grace")
    made = export_of(auditor, question="subject", subject="m. ada")
    require_verified(made, tmp_path)
    found = {json.loads(line)["id"] for line in lines(files_of(made), "logs") if b"decision.recorded" in line}
    assert found == {str(each.id) for each in mine}
    assert b"m. ada" not in files_of(made)["manifest.json"]
    assert "m. ada" not in made.file_name


def test_within_a_narrower_reach_a_subject_is_exported_in_part_and_that_is_said(system: AISystem) -> None:
    record_decision(system, subject="ada")
    record_decision(make_system(), subject="ada")
    made = export_of(make_person(auditor=system), question="subject", subject="ada")
    assert manifest_of(made)["answer"]["decisions"] == 1
    assert (made.is_whole, made.left_out) == (False, ["beyond_reach"])


def test_a_subject_of_whom_there_is_nothing(auditor: Person, tmp_path: Path) -> None:
    made = export_of(auditor, question="subject", subject="nobody")
    assert manifest_of(made)["answer"]["decisions"] == 0
    assert verdict_of(made, tmp_path)["exit_code"] in (0, 3)


# --- its files --------------------------------------------------------------------------------------------------------
def test_files_of_lines_end_at_their_size(
    system: AISystem, auditor: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "LARGEST", 20_000)
    record_many(system, 60)
    made = export_of(auditor, system, parts=["input"])
    files = files_of(made)
    log = manifest_of(made)["logs"][0]["log"]
    sizes = [len(files[name]) for name in sorted(files) if name.startswith(f"logs/{log}/entries/")]
    assert len(sizes) > 2
    assert max(sizes) <= 20_000
    following = [len(files[name].split(b"\n", 1)[0]) + 1 for name in sorted(files) if f"{log}/entries/" in name][1:]
    assert all(size + line > 20_000 for size, line in zip(sizes, following, strict=False))


def test_the_sums_are_as_sha256sum_checks_them(system: AISystem, auditor: Person) -> None:
    files = files_of(export_of(auditor, system))
    lines = [line.split("  ", 1) for line in files.pop("SHA256SUMS").decode().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums == {name: sha256(data).hexdigest() for name, data in files.items()}


def test_without_a_key_from_elsewhere_nothing_is_called_verified(
    system: AISystem, auditor: Person, tmp_path: Path
) -> None:
    assert verdict_of(export_of(auditor, system), tmp_path, with_key=False)["exit_code"] == 3


def test_a_byte_that_was_changed_is_found(system: AISystem, auditor: Person, tmp_path: Path) -> None:
    record_decision(system, outcome="approved")
    made = export_of(auditor, system)
    assert change(made, tmp_path, lambda data: data.replace(b'"outcome":"approved"', b'"outcome":"rejected"')) == 1


def change(export: Export, folder: Path, damage: Callable[[bytes], bytes]) -> int:
    """The verdict on a bundle somebody changed."""
    data = content_of(export)
    damaged = damage(data)
    assert damaged != data
    storages["exports"].save(storage.name_of(export), ContentFile(damaged))
    code: int = verdict_of(export, folder)["exit_code"]
    return code

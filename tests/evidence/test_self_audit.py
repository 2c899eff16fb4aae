"""The self-audit gets to the end of every log and table, whatever is the matter with one of them."""

import base64
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from config.ids import new_id
from evidence.models import AuditProgress, WalkProgress
from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody import close_log
from evidence.services.self_audit import alert_discontinued, audit_loose_ends, audit_slice
from evidence.verification import LogVerification, logs, verify_everything
from evidence.verification.engine import verify_loose_ends, walks
from evidence.verification.findings import MEANINGS, Finding
from evidence.verification.walks import Walk
from ledger.entries import COMMAND, SERVER
from ledger.errors import LedgerRolledBack
from ledger.heads import head_store
from ledger.key_history import LogKeys
from ledger.models import Checkpoint, Entry, Log, Particulars
from ledger.selectors import latest_checkpoint, registry_log
from ledger.signing import signers_for
from ledger.tlog import Checkpoint as Parsed
from ledger.tlog import Signer, sign_checkpoint
from ledger.tlog.note import signature_line
from notices.models import Alert
from notices.services import close_alert, seal_waiting_alerts
from tests.browser.opening import signed_in
from tests.evidence.conftest import Organisation, record
from tests.factories.register import actor_of, make_person, make_system

STEP, CONCLUDE = LogVerification.step, LogVerification.conclude


@contextmanager
def restored_afterwards() -> Iterator[None]:
    """What is done inside is signed, and then the database of before comes back."""
    before = transaction.savepoint()
    yield
    transaction.savepoint_rollback(before)


def unfinished() -> set[Any]:
    return set(AuditProgress.objects.filter(pass_finished_at=None).values_list("log_id", flat=True))


def codes_of(alerts: Any) -> set[str]:
    return {alert.facts["code"] for alert in alerts}


# --- an old database under a newer head ------------------------------------------------------------------------------
def test_a_rolled_back_registry_alerts_and_every_other_log_is_verified(organisation: Organisation) -> None:
    people = [make_person(administrator=True) for _ in range(2)]
    with restored_afterwards():
        make_system()
    with pytest.raises(LedgerRolledBack):
        make_system()
    assert alert_discontinued(actor=SERVER) == 1
    audit_slice(actor=SERVER, seconds=20)
    assert unfinished() == set()
    alerts = Alert.objects.filter(about_id=registry_log().pk)
    assert {alert.kind for alert in alerts} == {"ledger.discontinued", "ledger.mismatch"}
    assert codes_of(alerts) == {"rolled-back"}
    assert all(alert.seal_pending and not alert.revision for alert in alerts)
    # the log of the AI system that came after it is gone as well; an alert that waits for its entry is no finding
    assert {finding.code for finding in verify_everything()} == {"rolled-back", "log-missing"}
    assert seal_waiting_alerts() == 0

    close_log(actor=COMMAND, asked_by=people[0], approved_by=people[1], log=registry_log())
    assert seal_waiting_alerts() == 2
    assert seal_waiting_alerts() == 0
    assert alert_discontinued(actor=SERVER) == 0
    opened = Entry.objects.filter(kind="alert.opened", log=registry_log())
    assert set(opened.values_list("about_id", flat=True)) == set(alerts.values_list("id", flat=True))
    assert list(verify_everything()) == []


def test_a_rolled_back_log_of_a_system_alerts_and_every_other_log_is_verified(organisation: Organisation) -> None:
    other = make_system()
    with restored_afterwards():
        record(organisation.log, organisation.account, 3)
    with pytest.raises(LedgerRolledBack):
        record(organisation.log, organisation.account, 1)
    assert [alert_discontinued(actor=SERVER) for _ in range(3)] == [1, 1, 1]
    audit_slice(actor=SERVER, seconds=20)
    assert unfinished() == set()
    found = Alert.objects.get(kind="ledger.discontinued")
    assert (found.about_id, found.system_id, found.occurrences) == (organisation.log.id, organisation.system.id, 1)
    assert found.facts["signed"] - found.facts["entries"] == 3
    assert Entry.objects.get(about_id=found.pk).log == registry_log()
    assert codes_of(Alert.objects.filter(kind="ledger.mismatch")) == {"rolled-back"}
    assert not Alert.objects.filter(system_id=other.pk).exists()


@pytest.mark.parametrize("further", [0, 2])
def test_a_fork_signed_with_the_right_key_is_found(
    organisation: Organisation, settings: Any, tmp_path: Path, further: int
) -> None:
    """Other entries in the place of signed ones, sound in themselves, by who has the database and the key."""
    log, account, head_store_of_the_host = organisation.log, organisation.account, settings.HEAD_STORE
    head_store().copy_to(tmp_path / "older.sqlite3")
    with restored_afterwards():
        record(log, account, 3)
        signed = latest_checkpoint(log)
    settings.HEAD_STORE = tmp_path / "older.sqlite3"
    record(log, account, 3 + further)
    forked = latest_checkpoint(log)
    handed_out = {"tree_size": forked.tree_size, "root_hash": forked.root_hash, "note": forked.note}
    Checkpoint.objects.create(log=log, purpose=Checkpoint.Purpose.BUNDLED, **handed_out)
    assert list(verify_everything()) == [], "in itself it is whole"
    head_store().close()
    settings.HEAD_STORE = head_store_of_the_host
    [finding] = verify_everything()
    assert (finding.code, finding.log) == ("rolled-back", log.origin)
    assert finding.detail == f"another root at size {signed.tree_size}"


def test_an_alert_that_waits_for_its_entry_is_sealed_with_the_act_upon_it(organisation: Organisation) -> None:
    people = [make_person(administrator=True) for _ in range(2)]
    with restored_afterwards():
        make_system()
    alert_discontinued(actor=SERVER)
    close_log(actor=COMMAND, asked_by=people[0], approved_by=people[1], log=registry_log())
    alert = Alert.objects.get()
    close_alert(actor=actor_of(people[0]), alert_id=alert.pk, note="The log was closed.")
    kinds = Entry.objects.filter(about_id=alert.pk).order_by("leaf_index").values_list("kind", flat=True)
    assert list(kinds) == ["alert.opened", "alert.closed"]
    assert list(verify_everything()) == []


def test_a_head_store_that_cannot_be_read_alerts(organisation: Organisation, settings: Any, tmp_path: Path) -> None:
    settings.HEAD_STORE = tmp_path  # a folder, no file
    for _ in range(2):
        assert alert_discontinued(actor=SERVER) == 0
    alert = Alert.objects.get()
    assert (alert.facts["check"], alert.facts["error"]) == ("heads", "head-store-unavailable")
    assert (alert.seal_pending, alert.occurrences) == (True, 2)


# --- named for people -------------------------------------------------------------------------------------------------
def test_what_was_found_is_said_in_words_with_its_row_on_the_page_and_in_the_alert(organisation: Organisation) -> None:
    system, reader = organisation.system, make_person(administrator=True)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE governance_aisystem SET status = 'live' WHERE id = %s", [system.id])
    audit_slice(actor=SERVER, seconds=20)
    page = signed_in(reader).get("/admin/logs/").content.decode()
    finding = next(each for each in verify_everything() if each.code == "row-altered")
    assert str(system.id) in str(finding) and MEANINGS["row-altered"] in str(finding)
    assert str(finding) in page
    alert = Alert.objects.get(kind="ledger.mismatch")
    assert (alert.facts["table"], alert.facts["row"]) == ("governance_aisystem", str(system.id))
    shown = signed_in(reader).get(f"/admin/notices/alert/{alert.pk}/change/").content.decode()
    assert f"Its first row, or trigger: {system.id}" in shown and "Among: AI systems" in shown


def test_a_finding_of_another_version_is_shown_by_its_code(organisation: Organisation) -> None:
    audit_slice(actor=SERVER, seconds=20)
    AuditProgress.objects.filter(log=organisation.log).update(findings=[{"code": "row-eaten", "by": "moths"}])
    page = signed_in(make_person(administrator=True)).get("/admin/logs/").content.decode()
    assert "<div>row-eaten</div>" in page


# --- slices to the end -----------------------------------------------------------------------------------------------
def test_a_log_that_cannot_be_verified_alerts_and_keeps_no_other_waiting(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def conclude(verification: LogVerification) -> list[Finding]:
        if verification.log == organisation.log:
            raise OperationalError("canceling statement due to statement timeout")
        return CONCLUDE(verification)

    make_system()
    monkeypatch.setattr(LogVerification, "conclude", conclude)
    audit_slice(actor=SERVER, seconds=20)
    assert unfinished() == {organisation.log.id}
    alert = Alert.objects.get()
    assert (alert.kind, alert.about_id) == ("ledger.audit_failed", organisation.log.id)
    assert alert.facts["error"] == "OperationalError"
    kept = AuditProgress.objects.get(log=organisation.log)
    assert kept.next_index == organisation.log.entries.count()

    monkeypatch.setattr(LogVerification, "conclude", CONCLUDE)
    stepped: Counter[Any] = Counter()

    def step(verification: LogVerification) -> list[Finding]:
        stepped[verification.log.id] += 1
        return STEP(verification)

    monkeypatch.setattr(LogVerification, "step", step)
    audit_slice(actor=SERVER, seconds=20)
    assert unfinished() == set()
    assert organisation.log.id not in stepped  # what was verified was kept: only the end was missing


def test_turns_go_round_so_that_a_long_log_keeps_no_other_waiting(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.verification.engine.SLICE", 256)
    record(organisation.log, organisation.account, 2_000)
    for _ in range(Log.objects.count()):
        audit_slice(actor=SERVER, seconds=0)
    kept = AuditProgress.objects.all()
    assert len(kept) == Log.objects.count() > 1
    assert all(progress.next_index for progress in kept)
    assert unfinished() == {organisation.log.id}


def test_checkpoints_are_verified_with_their_slice_each_once(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.verification.engine.SLICE", 256)
    for _ in range(6):
        record(organisation.log, organisation.account, 100)
        record_checkpoints(actor=SERVER)
    seen: list[int] = []
    genuine = logs._is_genuine

    def judge(keys: LogKeys, checkpoint: Checkpoint, root_at: Callable[[int], bytes]) -> bool:
        seen.append(checkpoint.tree_size)
        return genuine(keys, checkpoint, root_at)

    monkeypatch.setattr(logs, "_is_genuine", judge)
    sizes = sorted(Checkpoint.objects.filter(log=organisation.log).values_list("tree_size", flat=True))
    verification = LogVerification.begin(organisation.log)
    while not verification.done:
        before, already = verification.frontier.size, len(seen)
        assert verification.step() == []
        assert all(before < size <= verification.frontier.size for size in seen[already:])
    assert seen == sizes
    assert verification.conclude() == []
    assert seen == sizes  # the end of a pass takes no longer for a longer log


def forgeries(organisation: Organisation) -> dict[str, dict[str, Any]]:
    """What somebody writes into the row of a checkpoint, by what is wrong with it."""
    log, signed = organisation.log, latest_checkpoint(organisation.log)
    record(log, organisation.account, 600)
    later, registry = latest_checkpoint(log), latest_checkpoint(registry_log())
    origin, signers = log.origin, signers_for(log.origin)
    right, size = Parsed(origin, signed.tree_size, signed.root_hash), signed.tree_size
    text, own = right.to_text(), signed.note.splitlines()[-1]
    name, line = own.removeprefix("— ").split(" ")
    key, signature = base64.b64decode(line)[:4], base64.b64decode(line)[4:]
    other_key = bytes([key[0] ^ 1, *key[1:]])
    spoilt = bytes([signature[0] ^ 1, *signature[1:]])
    stranger = Signer(origin, bytes(32))

    def anyhow(said: str) -> str:
        """Signed by the log's own key, whatever it says."""
        return f"{said}\n{signature_line(name, key, signers[0].sign(said))}"

    return {
        "another size beside it": {"tree_size": size + 1},
        "another root beside it": {"root_hash": bytes(32)},
        "a later one of the same log": {"note": later.note},
        "of a tree that never was": {"tree_size": later.tree_size + 9_000},
        "another root, signed": {"note": sign_checkpoint(Parsed(origin, size, bytes(32)), signers)},
        "another log's": {"note": registry.note},
        "another origin, signed": {"note": anyhow(text.replace(origin, f"{origin}x"))},
        "a stranger's signature": {"note": sign_checkpoint(right, [stranger])},
        "another key id": {"note": f"{text}\n{signature_line(name, other_key, signature)}"},
        "its only signature spoilt": {"note": f"{text}\n{signature_line(name, key, spoilt)}"},
        "a second signature of the same key, spoilt": {"note": f"{signed.note}{signature_line(name, key, spoilt)}"},
        "CRLF": {"note": signed.note.replace("\n", "\r\n")},
        "CRLF, signed": {"note": anyhow(text.replace("\n", "\r\n"))},
        "leading zeros, signed": {"note": anyhow(text.replace(f"\n{size}\n", f"\n0{size}\n"))},
        "a line too few, signed": {"note": anyhow("".join(text.splitlines(keepends=True)[:2]))},
        "nothing": {"note": ""},
    }


def test_a_checkpoint_that_the_log_never_signed_is_found(organisation: Organisation) -> None:
    log, signed = organisation.log, latest_checkpoint(organisation.log)
    genuine: dict[str, Any] = {"tree_size": signed.tree_size, "root_hash": signed.root_hash, "note": signed.note}
    forged = {
        str(Checkpoint.objects.create(log=log, **(genuine | wrong)).pk): what
        for what, wrong in forgeries(organisation).items()
    }
    Checkpoint.objects.create(log=log, **genuine)
    verification = LogVerification.begin(log)
    found: list[Finding] = []
    while not verification.done:
        found += verification.step()
    found += verification.conclude()
    assert {finding.code for finding in found} == {"checkpoint-altered"}
    assert sorted(forged[finding.row or ""] for finding in found) == sorted(forged.values()), "each by its row, once"


# --- loose ends ------------------------------------------------------------------------------------------------------
def loose_particulars(number: int) -> set[str]:
    made = [Particulars(row_id=new_id(), part="reason", secret=bytes(32), data=b"x") for _ in range(number)]
    return {str(version.id) for version in Particulars.objects.bulk_create(made)}


@pytest.mark.parametrize("at_once", [1, 3, 10_000])
def test_walking_in_slices_finds_all(organisation: Organisation, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    first = loose_particulars(1)
    make_system()
    monkeypatch.setattr("evidence.verification.walks.ROWS_AT_ONCE", at_once)
    assert {finding.row for finding in verify_loose_ends()} == first
    more = first | loose_particulars(4)
    assert {finding.row for finding in verify_loose_ends()} == more


def test_a_walk_that_runs_out_of_time_goes_on_where_it_stopped(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.verification.walks.ROWS_AT_ONCE", 100)
    rounds = 0
    while WalkProgress.objects.filter(pass_finished_at=None).exists() or not rounds:
        assert audit_loose_ends(actor=SERVER, seconds=0) == 0
        rounds += 1
        assert rounds < 1_000
    # each table had a turn before any had its second; decisions and payloads needed several
    assert rounds > len(walks()) + 2
    assert not Alert.objects.exists()


def test_a_walk_that_cannot_finish_alerts_and_the_others_go_on(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(walk: Walk, after: Any) -> Any:
        if walk.name == "decisions":
            raise OperationalError("canceling statement due to statement timeout")
        return original(walk, after)

    original = Walk.step
    monkeypatch.setattr(Walk, "step", step)
    lost = loose_particulars(2)
    assert audit_loose_ends(actor=SERVER, seconds=20) == len(lost)
    assert [progress.walk for progress in WalkProgress.objects.filter(pass_finished_at=None)] == ["decisions"]
    failed = Alert.objects.get(kind="ledger.audit_failed")
    assert failed.facts == {"check": "walk:decisions", "error": "OperationalError"}
    assert Alert.objects.get(kind="ledger.mismatch").facts["code"] == "particulars-loose"

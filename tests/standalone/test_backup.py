"""The drills of docs/operations.md, with its own commands: backup, loss, restore, closing, moving, a new key."""

import base64
import json
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from answerable import Client
from config.standalone import layout
from config.standalone.processes import working_in
from ledger.key_history import key_of, statement
from ledger.tlog import InvalidSignature, UnverifiedNote, Verifier, open_checkpoint
from tests import running
from tests.installed import install
from tests.small_disks import Mount, small_disk_at
from tests.standalone.drills import (
    ANNA,
    BEN,
    SYSTEM,
    Caller,
    by_two,
    close_clients,
    done,
    manage,
    one_backup,
    record,
    set_up,
    typed_passwords,
)

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("throwaway_cluster")]


def installed_at(folder: Path) -> None:
    """A data folder after its first start."""
    folder.mkdir()
    install(folder)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Nobody stays connected."""
    yield
    close_clients()


def logs_of(data_dir: Path) -> list[tuple[Any, ...]]:
    with psycopg.connect(layout.database_url(data_dir, role="app")) as connection:
        return connection.execute("SELECT id, origin FROM ledger_log ORDER BY id").fetchall()


def entry_zero(data_dir: Path) -> dict[str, Any]:
    """What the successor of the AI system's log says."""
    query = """
        SELECT e.data FROM ledger_entry e JOIN ledger_log l ON l.id = e.log_id
        WHERE l.kind = 'system' AND l.predecessor_id IS NOT NULL AND e.leaf_index = 0
    """
    with psycopg.connect(layout.database_url(data_dir, role="app")) as connection:
        [[data]] = connection.execute(query).fetchall()
    body: dict[str, Any] = json.loads(bytes(data))["body"]
    return body


def stored(data_dir: Path) -> set[str]:
    with psycopg.connect(layout.database_url(data_dir, role="app")) as connection:
        return {str(row[0]) for row in connection.execute("SELECT id FROM audit_decision")}


def test_the_database_is_lost_an_older_backup_restored_and_what_is_missing_is_named(
    data_dir: Path, tmp_path: Path
) -> None:
    """Backup under load, sealing goes on, the database is lost; its head store outlived it."""
    old, backups = data_dir / "old", data_dir / "backups"
    installed_at(old)
    told: list[Exception] = []
    sdk: dict[str, Any] = {"system": SYSTEM, "model_version": "1", "spool_dir": tmp_path / "spool", "risk": "high"}
    with running.running(old) as product:
        installation = set_up(product)
        caller = Caller(product.url, installation.key)
        caller.post(record())
        with Client(product.url, installation.key, on_error=told.append, **sdk) as client, caller.sending():
            done(old, "backup", backups, "--quiet")
            client.record(input=1, output=2, outcome="approved")
            assert client.flush(20)
            time.sleep(1)
        vkey = vkeys(caller, caller.acknowledged[0][1]["log"])[0]
    assert caller.refused.count(503) == 0  # intake did not stop for it
    done(old, "verify_backup", one_backup(backups), "--restore", "--in", data_dir)
    lose_database(old)
    said = done(old, "restore", one_backup(backups), "--quiet", code=3)
    assert "were signed and are not here" in said and "close_log --by EMAIL" in said
    with running.running(old, port=product.port) as product:
        installation.product, caller = product, Caller(product.url, installation.key, caller.acknowledged)
        assert_refuses(product, caller)
        assert by_two(installation, "close_log").count("closed; continued by") == 2
        assert_goes_on(old, caller)
        opening = entry_zero(old)
        with Client(product.url, installation.key, on_error=told.append, **sdk) as client:
            client.record(input=1, output=3, outcome="approved")
            assert client.flush(20)
            assert {opening["origin"], opening["predecessor"]["origin"]} <= client.checkpoints().keys()
        assert told == []  # another log is not one that went back
        key = key_of(opening["origin"], Verifier.from_vkey(vkey).public_key)
        open_checkpoint(caller.checkpoint(opening["origin"]), origin=opening["origin"], log_verifiers=[key])
        done(old, "logs")
        done(old, "verify_logs", "--quiet")
        assert caller.http.get("/readyz").status_code == 200


def lose_database(data_dir: Path) -> None:
    shutil.rmtree((data_dir / "pg").resolve())
    (data_dir / "pg").unlink(missing_ok=True)  # where it was a link


def assert_refuses(product: running.Product, caller: Caller) -> None:
    """It runs so that people can sign in; it takes nothing, and says why."""
    assert "takes no decisions until people have looked" in product.output
    refused = caller.try_once(record())
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/ledger-rolled-back")
    ready = caller.http.get("/readyz")
    assert ready.status_code == 503
    assert "do not continue what this host signed" in ready.json()["checks"]["ledger"]["detail"]


def assert_goes_on(data_dir: Path, caller: Caller) -> None:
    """What was acknowledged is there, or in the range that the successor names; sent again it is taken."""
    opening = entry_zero(data_dir)
    first, end = opening["predecessor"]["missing"]
    assert opening["consent"] == "signed-in"
    kept, acknowledged = stored(data_dir), list(caller.acknowledged)
    lost = [(sent, receipt) for sent, receipt in acknowledged if receipt["id"] not in kept]
    assert lost  # the load went on after the backup
    assert all(receipt["log"] == opening["predecessor"]["origin"] for _, receipt in lost)
    assert all(first <= receipt["leaf_index"] < end for _, receipt in lost)
    again = [caller.post(sent) for sent, _ in lost]
    assert {receipt["log"] for receipt in again} == {opening["origin"]}
    assert {receipt["status"] for receipt in again} == {"accepted"}
    assert caller.post(acknowledged[0][0])["status"] == "duplicate"


def test_moved_to_another_host_without_its_head_store_two_adopt_what_is_there(data_dir: Path) -> None:
    """Stopped, backed up, moved: nothing came after it, yet the new host has never heard of these logs."""
    old, new, backups = data_dir / "old", data_dir / "new", data_dir / "backups"
    installed_at(old)
    new.mkdir()
    with running.running(old) as product:
        installation = set_up(product)
        caller = Caller(product.url, installation.key)
        first = caller.post(record(external_id="order-1"))
        before = logs_of(old)
    with running.running(old, what="database"):
        done(old, "backup", backups, "--quiet")
    refused = done(new, "restore", one_backup(backups), "--quiet", code=1)
    assert "--heads none" in refused and not (new / "pg").exists() and not (new / "heads.sqlite3").exists()
    said = done(new, "restore", one_backup(backups), "--heads", "none", "--quiet", code=3)
    assert "is not known to this host" in said
    with running.running(new) as product:
        caller = Caller(product.url, installation.key)
        refusal = caller.try_once(record())
        assert (refusal.status_code, refusal.json()["type"]) == (503, "/problems/head-missing")
        said = done(new, "adopt_head", "all", "--by", ANNA, "--with", BEN, typed=typed_passwords())
        assert said.count("adopted the head of") == 2
        again = caller.post(record(external_id="order-1"))
        assert (again["status"], again["id"]) == ("duplicate", first["id"])
        assert caller.post(record())["log"] == first["log"]
        assert logs_of(new) == before
        product.manage("create_system", "--slug", "another", "--name", "Another", "--accountable", ANNA)
        assert len({origin.rpartition("/logs/")[0] for _, origin in logs_of(new)}) == 1
        done(new, "verify_logs", "--quiet")


def test_the_signing_key_is_replaced_under_load_and_whoever_has_the_old_one_follows(data_dir: Path) -> None:
    folder = data_dir / "run"
    installed_at(folder)
    with running.running(folder) as product:
        installation = set_up(product)
        caller = Caller(product.url, installation.key)
        log = caller.post(record())["log"]
        old = Verifier.from_vkey(vkeys(caller, log)[0])
        backup = data_dir / "backups"
        done(folder, "backup", backup, "--quiet")
        with caller.sending():
            said = by_two(installation, "rotate_signing_key")
            assert "Then run this with --finish" in said
            during = caller.checkpoint(log)
            said = by_two(installation, "rotate_signing_key", "--finish")
        assert caller.refused.count(503) == 0
        new = followed(caller, log, old)
        assert [new.vkey] == vkeys(caller, log)
        for key in (old, new):  # while both signed, either was enough
            open_checkpoint(during, origin=log, log_verifiers=[key])
        after = caller.checkpoint(log)
        open_checkpoint(after, origin=log, log_verifiers=[new])
        with pytest.raises(UnverifiedNote):
            open_checkpoint(after, origin=log, log_verifiers=[old])
        done(folder, "verify_logs", "--quiet")
        assert installation.product is product
    # a backup of before it is known by the old verifier key, and not by the new one
    done(folder, "verify_backup", one_backup(backup), "--vkey", old.vkey, "--quiet")
    refused = done(folder, "verify_backup", one_backup(backup), "--vkey", new.vkey, "--quiet", code=1)
    assert "not signed by any of the keys" in refused


def vkeys(caller: Caller, log: str) -> list[str]:
    [found] = [each for each in caller.http.get("/api/v1/logs").json() if each["origin"] == log]
    return list(found["vkeys"])


def followed(caller: Caller, log: str, old: Verifier) -> Verifier:
    """The key that the log announces, signed for by the old one: read from the tiles, as an outsider does."""
    for body in announcements(caller, log):
        new = key_of(log, bytes.fromhex(body["public_key"]))
        assert body["previous"] == old.public_key.hex()
        old.verify(statement(new), base64.b64decode(body["signature"] + "=="))
        with pytest.raises(InvalidSignature):
            old.verify(statement(old), base64.b64decode(body["signature"] + "=="))
        return new
    raise AssertionError("no key was announced")


def announcements(caller: Caller, log: str) -> Iterator[dict[str, Any]]:
    size, path = int(caller.checkpoint(log).split("\n")[1]), f"/logs/{log.rpartition('/')[2]}/tile/entries"
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        name = f"{path}/{index:03}" + ("" if width == 256 else f".p/{width}")
        data = caller.http.get(name).raise_for_status().content
        while data:
            (length,) = struct.unpack(">H", data[:2])
            entry, data = json.loads(data[2 : 2 + length]), data[2 + length :]
            if entry["kind"] == "key.announced":
                yield entry["body"]


@pytest.fixture(scope="module")
def backed_up(throwaway_cluster: None) -> Iterator[Path]:
    """The folder of an installation that was stopped, `old`, and of its backup, `backups`: nobody changes them."""
    with running.data_folder() as around:
        folder = around / "old"
        installed_at(folder)
        with running.running(folder) as product:
            installation = set_up(product)
            Caller(product.url, installation.key).post(record())
            done(folder, "backup", around / "backups", "--quiet")
        close_clients()
        yield around


def test_a_restore_that_is_killed_is_refused_at_the_start_and_cleared_away_by_the_next(
    backed_up: Path, data_dir: Path
) -> None:
    new, backup = data_dir / "new", one_backup(backed_up / "backups")
    new.mkdir()
    process = begun_restore(new, backup)
    until = time.monotonic() + 60
    while not (new / layout.RESTORING).exists() or not (new / "pg" / "data" / "PG_VERSION").exists():
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    refused = subprocess.run(
        [sys.executable, "-m", "config.standalone", "run"],
        env=running.plain_environment(new), cwd=running.PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1 and "was not finished" in refused.stderr
    assert "Restored: the database as it was" in done(new, "restore", backup, "--heads", "backup", "--quiet")
    assert not (new / layout.RESTORING).exists()


def begun_restore(new: Path, backup: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(running.PROJECT / "manage.py"), "restore", str(backup), "--heads", "backup"]
    return subprocess.Popen(
        command, env=running.plain_environment(new), cwd=running.PROJECT,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def test_a_restore_onto_a_full_disk_leaves_the_place_as_it_was(backed_up: Path, small_disk: Mount) -> None:
    place = small_disk(60 * 2**20)
    found = manage(place, "restore", one_backup(backed_up / "backups"), "--heads", "backup", "--quiet")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "No space left" in found.stderr or "hardly any room left" in found.stderr, found.stderr
    assert {path.name for path in place.iterdir()} <= {"lock", "secret.key", "origin", "logs"}
    assert working_in(place / "pg" / "data") == []


@pytest.fixture
def small_disk(data_dir: Path) -> Iterator[Mount]:
    with small_disk_at(data_dir / "small") as mount:
        yield mount


def test_a_folder_with_a_database_is_not_restored_into(backed_up: Path, data_dir: Path) -> None:
    backup = one_backup(backed_up / "backups")
    refused = done(backed_up / "old", "restore", backup, "--quiet", code=1)
    assert "There is a database in" in refused
    strange = data_dir / "strange"
    strange.mkdir()
    (strange / "thesis.odt").write_text("x")
    refused = done(strange, "restore", backup, "--heads", "backup", "--quiet", code=1)
    assert "thesis.odt" in refused

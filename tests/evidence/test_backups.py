"""Making a backup, and telling a sound one from any other."""

import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from config.standalone.binaries import postgres_bin, postgres_client
from config.standalone.processes import StandaloneError
from evidence.backups import dumping
from evidence.backups.checking import Word, check_backup
from evidence.backups.keys import known_keys, public_keys_in
from evidence.backups.manifest import BackupError, mark_of, read_manifest, sign_manifest
from ledger.heads import head_store
from ledger.key_file import read_seeds
from ledger.models import Entry
from ledger.selectors import latest_head, registry_log
from tests.databases import PROJECT
from tests.environment import INSTALLATION
from tests.evidence.backups import a_place, backup_to
from tests.evidence.conftest import Organisation, record
from tests.evidence.test_custody import sign_more_than_there_is
from tests.small_disks import Mount, small_disk_at


@pytest.fixture
def environment(source: Organisation, keeper_url: str, database_url: str) -> dict[str, str]:
    """For commands that run as processes of their own, on the test's database."""
    return os.environ | {
        "ANSWERABLE_DATABASE_URL": database_url,
        "ANSWERABLE_ADMIN_DATABASE_URL": keeper_url,
        "ANSWERABLE_HEAD_STORE": str(settings.HEAD_STORE),
    }


def check(folder: Path) -> Word:
    manifest, _ = read_manifest(folder)
    return check_backup(folder, known_keys=known_keys([], manifest)).word


class TestABackup:
    def test_says_where_each_log_stood_and_is_signed(self, source: Organisation, tmp_path: Path) -> None:
        made = backup_to(tmp_path)
        assert made.troubles == []
        marks = {mark.origin: mark for mark in made.manifest.logs}
        assert marks.keys() == {source.log.origin, registry_log().origin}
        head = latest_head(source.log.id)
        mark = marks[source.log.origin]
        assert (mark.tree_size, mark.root_hash) == (head.tree_size, head.root_hash.hex())
        assert mark.checkpoint.startswith(f"{source.log.origin}\n{head.tree_size}\n")
        assert check(made.folder) is Word.KNOWN_KEY
        names = {path.name for path in made.folder.iterdir()}
        wanted = {"database.dump", "heads.sqlite3", "signing.key", "digest.key", "origin", "README.txt"}
        assert names == wanted | {"manifest.json", "manifest.sig"}

    def test_is_for_its_owner_alone(self, sound_backup: Path) -> None:
        folder = sound_backup
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}

    def test_that_it_was_made_is_sealed(self, source: Organisation, tmp_path: Path) -> None:
        made = backup_to(tmp_path)
        entry = Entry.objects.get(kind="backup.made")
        body = json.loads(bytes(entry.data))["body"]
        assert body["manifest"] == mark_of(made.folder / "manifest.json").sha256
        assert (body["keys"], body["removed"]) == (True, 0)

    def test_copies_the_head_store_without_its_probe(self, source: Organisation, tmp_path: Path) -> None:
        head_store().check_writable()
        folder = backup_to(tmp_path).folder
        with closing(sqlite3.connect(folder / "heads.sqlite3")) as db:
            rows = dict(db.execute("SELECT log_id, tree_size FROM heads").fetchall())
        assert rows[source.log.id.bytes] == latest_head(source.log.id).tree_size
        assert {len(log_id) for log_id in rows} == {16}

    def test_keys_can_go_elsewhere(self, source: Organisation, tmp_path: Path) -> None:
        made = backup_to(tmp_path / "data", keys_target=tmp_path / "keys")
        assert made.keys_folder is not None
        assert not {"signing.key", "digest.key"} & {path.name for path in made.folder.iterdir()}
        assert {path.name for path in made.keys_folder.iterdir()} == {"signing.key", "digest.key", "manifest.json"}
        assert check(made.folder) is Word.KNOWN_KEY
        assert not backup_to(tmp_path / "without", with_keys=False).manifest.has_keys
        with pytest.raises(BackupError, match="another place"):
            backup_to(tmp_path / "data", keys_target=tmp_path / "data")

    def test_is_never_written_over_another(
        self, source: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = timezone.now()
        monkeypatch.setattr("django.utils.timezone.now", lambda: now)
        first = backup_to(tmp_path)
        before = mark_of(first.folder / "manifest.json")
        with pytest.raises(BackupError, match="never written over another"):
            backup_to(tmp_path)
        assert mark_of(first.folder / "manifest.json") == before
        assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []

    def test_does_not_go_into_the_data_folder(self, source: Organisation) -> None:
        with pytest.raises(BackupError, match="lies in the data folder"):
            backup_to(INSTALLATION / "backups")

    def test_of_a_log_in_trouble_is_made_and_says_so(self, source: Organisation, tmp_path: Path) -> None:
        old = backup_to(tmp_path).folder
        time.sleep(1.1)  # named for the second
        sign_more_than_there_is(source.log)
        made = backup_to(tmp_path, keep_days=1)
        assert len(made.manifest.troubled) == 1 and made.manifest.troubled[0].origin == source.log.origin
        assert any("does not continue" in each for each in made.troubles)
        assert old.exists()
        check(made.folder)

    def test_needs_a_role_that_may_read_everything(
        self, source: Organisation, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "BACKUP_DATABASE_URL", database_url)
        with pytest.raises(BackupError, match="may not read"):
            backup_to(tmp_path)
        monkeypatch.setattr(settings, "BACKUP_DATABASE_URL", None)
        monkeypatch.setattr(settings, "ADMIN_DATABASE_URL", None)
        with pytest.raises(BackupError, match="ANSWERABLE_BACKUP_DATABASE_URL"):
            backup_to(tmp_path)

    def test_is_of_the_services_own_database(
        self, source: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with a_place(tmp_path / "elsewhere") as place:
            monkeypatch.setattr(settings, "BACKUP_DATABASE_URL", place.environment["ANSWERABLE_ADMIN_DATABASE_URL"])
            with pytest.raises(BackupError, match="another database than the service's own"):
                backup_to(tmp_path / "backups")
        with pytest.raises(BackupError, match="does not answer"):  # it is gone
            backup_to(tmp_path / "backups")


class TestKeepingToTheHorizon:
    def aged(self, folder: Path, days: int) -> Path:
        """The backup as if it had been made so long ago, under the name it would have."""
        manifest, _ = read_manifest(folder)
        made_at = manifest.made_at - timedelta(days=days)
        older = folder.with_name(made_at.strftime("answerable-%Y%m%dT%H%M%SZ"))
        shutil.copytree(folder, older)
        rewrite(older, made_at=made_at)
        return older

    def test_older_ones_go_by_what_their_manifests_say(self, source: Organisation, tmp_path: Path) -> None:
        first = backup_to(tmp_path).folder
        old, older = self.aged(first, 9), self.aged(first, 40)
        (tmp_path / "answerable-20200101T000000Z").mkdir()  # of which nothing can be said
        (tmp_path / "notes.txt").write_text("mine")
        time.sleep(1.1)
        made = backup_to(tmp_path, keep_days=30)
        assert made.removed == [older.name]
        assert old.exists() and first.exists() and not older.exists()
        assert (tmp_path / "notes.txt").exists()
        assert any("no readable manifest" in each for each in made.troubles)

    def test_another_installations_stay(self, source: Organisation, tmp_path: Path) -> None:
        theirs = self.aged(backup_to(tmp_path).folder, 40)
        rewrite(theirs, origin="somebody-else.example.org")
        time.sleep(1.1)
        assert backup_to(tmp_path, keep_days=30).removed == []
        assert theirs.exists()

    def test_none_goes_where_nobody_said_for_how_long(self, source: Organisation, tmp_path: Path) -> None:
        older = self.aged(backup_to(tmp_path).folder, 400)
        time.sleep(1.1)
        call_command("backup", str(tmp_path), "--quiet")
        assert older.exists()

    def test_no_longer_than_was_promised(
        self, source: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "BACKUP_DAYS", 30)
        with pytest.raises(CommandError, match="ANSWERABLE_BACKUP_DAYS says 30"):
            call_command("backup", str(tmp_path), "--keep-days", "31")
        older = self.aged(backup_to(tmp_path).folder, 40)
        time.sleep(1.1)
        call_command("backup", str(tmp_path), "--quiet")
        assert not older.exists()

    def test_a_clock_that_was_set_back_is_said(self, source: Organisation, tmp_path: Path) -> None:
        ahead = self.aged(backup_to(tmp_path).folder, -400)
        time.sleep(1.1)
        made = backup_to(tmp_path, keep_days=30)
        assert ahead.exists() and made.removed == []
        assert any(ahead.name in each and "a clock was set back" in each for each in made.troubles)

    def test_a_clock_that_runs_ahead_removes_nothing_before_its_time(
        self, source: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        young = backup_to(tmp_path).folder
        skewed = timezone.now() + timedelta(days=400)
        monkeypatch.setattr("evidence.backups.making.timezone.now", lambda: skewed)
        made = backup_to(tmp_path, keep_days=30)
        assert made.manifest.made_at.date() == skewed.date()
        assert young.exists() and made.removed == []


def rewrite(folder: Path, **changes: Any) -> None:
    """Say something else in a manifest, and sign it as the installation would."""
    manifest, _ = read_manifest(folder)
    data = msgspec.structs.replace(manifest, **changes).as_bytes()
    (folder / "manifest.json").write_bytes(data)
    seeds = read_seeds(Path(settings.SIGNING_KEY_FILE))
    origin = changes.get("origin", manifest.origin)
    (folder / "manifest.sig").write_text(sign_manifest(data, origin=origin, seeds=seeds))


def flip(path: Path, at: int = -10) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def refile(folder: Path, name: str) -> None:
    """Name a file in the manifest as it is now: whoever has the key can."""
    manifest, _ = read_manifest(folder)
    files = [mark_of(folder / name) if mark.name == name else mark for mark in manifest.files]
    rewrite(folder, files=files)


def newer_heads(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "heads.sqlite3")) as db:
        db.execute("UPDATE heads SET tree_size = tree_size + 1")
        db.commit()
    refile(folder, "heads.sqlite3")


def other_mark(folder: Path, **changes: Any) -> None:
    manifest, _ = read_manifest(folder)
    logs = [msgspec.structs.replace(mark, **changes) for mark in manifest.logs]
    rewrite(folder, logs=logs)


def another_signer(folder: Path) -> None:
    """By a key that somebody made themself, and named in it."""
    manifest, _ = read_manifest(folder)
    (folder / "signing.key").write_text("11" * 32 + "\n")
    key = [each.hex() for each in public_keys_in(folder / "signing.key")]
    files = [mark_of(folder / "signing.key") if mark.name == "signing.key" else mark for mark in manifest.files]
    data = msgspec.structs.replace(manifest, signing_keys=key, files=files).as_bytes()
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_text(sign_manifest(data, origin=manifest.origin, seeds=[bytes.fromhex("11" * 32)]))


def swapped_signature(folder: Path) -> None:
    manifest, _ = read_manifest(folder)
    note = sign_manifest(b"another", origin=manifest.origin, seeds=read_seeds(Path(settings.SIGNING_KEY_FILE)))
    (folder / "manifest.sig").write_text(note)


def truncated_dump(folder: Path) -> None:
    path = folder / "database.dump"
    path.write_bytes(path.read_bytes()[:100])
    refile(folder, "database.dump")


def other_digest_key(folder: Path) -> None:
    (folder / "digest.key").write_text("e" * 64)
    refile(folder, "digest.key")


def linked_origin(folder: Path) -> None:
    (folder / "origin").rename(folder.with_name("elsewhere"))
    (folder / "origin").symlink_to(folder.with_name("elsewhere"))


def repaired_manifest(folder: Path) -> None:
    """The digest of what was altered put right in the manifest, without the key."""
    flip(folder / "database.dump")
    manifest, _ = read_manifest(folder)
    files = [mark_of(folder / mark.name) for mark in manifest.files]
    (folder / "manifest.json").write_bytes(msgspec.structs.replace(manifest, files=files).as_bytes())


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte of the dump": (lambda folder: flip(folder / "database.dump"), "database.dump is not the file"),
    "a byte of the head store": (lambda folder: flip(folder / "heads.sqlite3"), "heads.sqlite3 is not the file"),
    "a byte of the signing key": (lambda folder: flip(folder / "signing.key", 3), "signing.key is not the file"),
    "a byte of the digest key": (lambda folder: flip(folder / "digest.key", 3), "digest.key is not the file"),
    "a byte of the origin": (lambda folder: flip(folder / "origin", 3), "origin is not the file"),
    "a byte of the manifest": (lambda folder: flip(folder / "manifest.json", 120), "manifest"),
    "a byte of the signature": (lambda folder: flip(folder / "manifest.sig", -6), "signature|signed"),
    "the dump is cut off": (lambda folder: os.truncate(folder / "database.dump", 1000), "dump is not the file"),
    "a file is missing": (lambda folder: (folder / "origin").unlink(), "origin is missing"),
    "the signature is missing": (lambda folder: (folder / "manifest.sig").unlink(), "was signed when it was made"),
    "the manifest is missing": (lambda folder: (folder / "manifest.json").unlink(), "is no backup"),
    "a file too many": (lambda folder: (folder / "extra").write_text("x"), "does not belong"),
    "a link in the place of a file": (linked_origin, "origin is missing"),
    "the digests put right without the key": (repaired_manifest, "another manifest|not signed|fails"),
    "the signature of another manifest": (swapped_signature, "another manifest"),
    "a signer who made their own key": (another_signer, "not signed by any of the keys"),
    "a dump that is none, signed for": (truncated_dump, "pg_restore failed"),
    "a head store newer than the dump, signed for": (newer_heads, "The head store knows"),
    "a smaller tree than its checkpoint, signed for": (
        lambda folder: other_mark(folder, tree_size=1), "The head store knows|another tree",
    ),
    "another root than its checkpoint, signed for": (
        lambda folder: other_mark(folder, root_hash="00" * 32), "another tree|not of the tree",
    ),
    "a checkpoint of nobody, signed for": (
        lambda folder: other_mark(folder, checkpoint="x\n1\nAAAA\n\n— x AAAA\n"), "checkpoint",
    ),
    "another digest key, signed for": (other_digest_key, "another key"),
    "a later format": (lambda folder: rewrite(folder, format="answerable-backup/v2"), "this version reads"),
}  # fmt: skip


class TestWhatIsNotABackup:
    def test_every_damage_is_found_and_named(self, sound_backup: Path, tmp_path: Path) -> None:
        sound = sound_backup
        assert check(sound) is Word.KNOWN_KEY
        keys = public_keys_in(Path(settings.SIGNING_KEY_FILE))
        unfound = []
        for name, (damage, words) in DAMAGE.items():
            folder = tmp_path / "damaged"
            shutil.copytree(sound, folder)
            damage(folder)
            try:
                check_backup(folder, known_keys=keys)
            except BackupError as error:
                if not re.search(words, str(error)):
                    unfound.append(f"{name}: said {error}")
            else:
                unfound.append(f"{name}: not found")
            shutil.rmtree(folder)
        assert unfound == []

    def test_its_own_word_is_not_taken_for_somebody_elses(self, backup_alone: Path) -> None:
        folder = backup_alone
        another_signer(folder)
        manifest, _ = read_manifest(folder)
        with pytest.raises(BackupError, match="checkpoint"):  # which the new key has not signed
            check_backup(folder, known_keys=known_keys([], manifest, may_be_others=True))
        with pytest.raises(BackupError, match="did not sign when this backup was made"):
            known_keys([], manifest)
        with pytest.raises(BackupError, match="no verifier key"):
            known_keys(["nonsense"], manifest)


class TestWhatIsInTheWay:
    def test_a_killed_backup_leaves_nothing_that_looks_like_one(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        target, programs = tmp_path / "backups", slow_programs(tmp_path)
        process = begin(environment | {"ANSWERABLE_PG_BIN": str(programs)}, target)
        wait_for(lambda: [path for path in named(target, ".partial-") if (path / "heads.sqlite3").exists()])
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert named(target, "answerable-") == []
        assert len(named(target, ".partial-")) == 1
        done = run(environment, "backup", target, "--quiet")
        assert done.returncode == 0, done.stderr
        assert len(named(target, "answerable-")) == 1 and named(target, ".partial-") == []

    def test_one_that_is_asked_to_stop_takes_back_what_it_did(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        target, programs = tmp_path / "backups", slow_programs(tmp_path)
        process = begin(environment | {"ANSWERABLE_PG_BIN": str(programs)}, target)
        wait_for(lambda: named(target, ".partial-"))
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 1
        assert named(target, "answerable-") == named(target, ".partial-") == []

    def test_two_at_once_do_not_meet(self, environment: dict[str, str], tmp_path: Path) -> None:
        target, programs = tmp_path / "backups", slow_programs(tmp_path)
        process = begin(environment | {"ANSWERABLE_PG_BIN": str(programs)}, target)
        wait_for(lambda: named(target, ".partial-"))
        done = run(environment, "backup", target, "--quiet")
        assert done.returncode == 1 and "Another backup is being made" in done.stderr
        assert len(named(target, ".partial-")) == 1
        process.terminate()
        process.wait()

    def test_a_full_disk_leaves_no_half_backup(self, environment: dict[str, str], small_disk: Mount) -> None:
        target = small_disk(256 * 1024)
        done = run(environment, "backup", target, "--quiet")
        assert done.returncode == 1
        assert "No space left" in done.stderr or "no room left" in done.stderr
        assert named(target, "answerable-") == named(target, ".partial-") == []

    def test_a_database_that_goes_away_leaves_no_half_backup(
        self, source: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dumping, "client", lambda name, server_version: Path("/bin/false"))
        monkeypatch.setattr(dumping, "version_of", lambda program: "18.6")
        with pytest.raises(BackupError, match="false failed"):
            backup_to(tmp_path)
        assert named(tmp_path, "answerable-") == named(tmp_path, ".partial-") == []

    def test_programs_of_an_earlier_version_are_refused_by_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(StandaloneError, match="The server is PostgreSQL 99"):
            postgres_client("pg_dump", server_major=99)
        assert postgres_client("pg_dump", server_major=15).name == "pg_dump"


class TestUnderLoad:
    def test_every_decision_that_was_acknowledged_before_it_is_in_it(
        self, source: Organisation, environment: dict[str, str], tmp_path: Path
    ) -> None:
        sizes = [latest_head(source.log.id).tree_size]
        process = begin(environment, tmp_path / "backups")
        while process.poll() is None:
            record(source.log, source.account, 20)
            sizes.append(latest_head(source.log.id).tree_size)
        assert process.returncode == 0
        [folder] = named(tmp_path / "backups", "answerable-")
        manifest, _ = read_manifest(folder)
        mark = next(mark for mark in manifest.logs if mark.id == source.log.id)
        signed = int(mark.checkpoint.split("\n")[1])
        assert sizes[0] <= signed <= mark.tree_size and mark.tree_size in sizes
        assert check(folder) is Word.KNOWN_KEY


def slow_programs(tmp_path: Path) -> Path:
    """A folder with a `pg_dump` that waits before it begins."""
    folder = tmp_path / "programs"
    folder.mkdir()
    real = postgres_bin() / "pg_dump"
    (folder / "pg_dump").write_text(f'#!/bin/sh\n[ "$1" = -V ] || sleep 60\nexec {real} "$@"\n')
    (folder / "pg_dump").chmod(0o755)
    return folder


def run(environment: dict[str, str], *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(PROJECT / "manage.py"), *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)


def begin(environment: dict[str, str], target: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(PROJECT / "manage.py"), "backup", str(target), "--quiet"]
    return subprocess.Popen(
        command, env=environment, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )


def named(target: Path, start: str) -> list[Path]:
    return [path for path in target.iterdir() if path.name.startswith(start)] if target.exists() else []


def wait_for(there: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not there():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mount]:
    with small_disk_at(tmp_path / "small") as mount:
        yield mount


def test_a_manifest_that_names_what_it_must_not_is_none(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": "answerable-backup/v1"}')
    with pytest.raises(BackupError, match="is not a manifest"):
        read_manifest(tmp_path)

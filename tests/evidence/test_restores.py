"""Restoring a backup: where there is no database, with what survived, and leaving all as it was where it fails."""

import hashlib
import json
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from django.conf import settings

from config.standalone import layout
from config.standalone.holding import refuse_half_restored
from config.standalone.processes import StandaloneError
from evidence.backups.checking import check_backup
from evidence.backups.manifest import read_manifest
from evidence.erasure.memory import ErasureMemory, erasure_memory
from evidence.services.erased_again import remember_erasures
from evidence.services.key_rotation import begin_rotation, finish_rotation
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.selectors import latest_head
from tests.databases import cluster
from tests.environment import INSTALLATION
from tests.evidence.backups import Place, a_place, backup_to
from tests.evidence.conftest import Organisation, record
from tests.evidence.test_backups import flip, rewrite
from tests.evidence.witnessing.conftest import trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness, strict_witness
from tests.evidence.witnessing.test_witness_heads import remember
from tests.factories.erasing import erase
from tests.factories.register import make_person


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path / "place") as found:
        yield found


@pytest.fixture
def backup(source: Organisation, tmp_path: Path) -> Path:
    return backup_to(tmp_path / "backups").folder


def survived(source: Organisation, place: Place) -> None:
    """The head store outlived the database, and knows what came after the backup."""
    record(source.log, source.account, 5)
    head_store().copy_to(place.data_dir / "heads.sqlite3")


class TestRestored:
    def test_where_nothing_came_after_it_the_logs_go_on(self, backup_alone: Path, place: Place) -> None:
        done = place.restore(backup_alone, "--heads", "backup")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("continues what was signed") == 2
        assert "Verified: the database holds what was sealed" in done.stdout
        assert place.files() >= {"heads.sqlite3", "signing.key", "digest.key"}
        assert not any("restoring" in name or "set-aside" in name for name in place.files())
        assert (place.data_dir / "origin").read_text() == settings.ORIGIN
        for name in ("signing.key", "digest.key"):
            assert (place.data_dir / name).read_bytes() == (INSTALLATION / name).read_bytes()
            assert (place.data_dir / name).stat().st_mode & 0o077 == 0
        assert place.query("SELECT count(*) FROM audit_decision") == [(300,)]
        assert (
            place.manage(
                "create_system", "--slug", "later", "--name", "Later", "--accountable", "a@example.org"
            ).returncode
            == 0
        )

    def test_the_role_of_the_service_may_what_it_may(self, backup_alone: Path, place: Place) -> None:
        assert place.restore(backup_alone, "--heads", "backup", "--no-verify").returncode == 0
        [(owner,)] = place.query("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert owner == "keeper"
        rights = "SELECT has_table_privilege('app', 'ledger_entry', '{}')"
        assert [place.query(rights.format(right)) for right in ("INSERT", "UPDATE")] == [[(True,)], [(False,)]]
        [(open_triggers,)] = place.query(
            "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'A' AND tgname LIKE 'refuse%'"
        )
        assert open_triggers == 0

    def test_under_a_surviving_head_store_it_says_what_is_missing(
        self, source: Organisation, backup: Path, place: Place
    ) -> None:
        survived(source, place)
        before = (place.data_dir / "heads.sqlite3").read_bytes()
        (place.data_dir / "control.json").write_text("{}")
        done = place.restore(backup)
        assert done.returncode == 3, done.stdout + done.stderr
        size = latest_head(source.log.id).tree_size
        assert f"5 entries ({size - 5:,} to {size - 1:,}) were signed and are not here" in done.stdout
        assert "manage.py close_log --by EMAIL" in done.stdout
        assert "rolled-back" in done.stdout
        assert "control.json is kept" in done.stdout
        assert (place.data_dir / "heads.sqlite3").read_bytes()[:16] == before[:16]
        assert (place.data_dir / "control.json").exists()

    def test_without_a_head_store_nothing_is_signed_until_people_have_looked(
        self, backup_alone: Path, place: Place
    ) -> None:
        done = place.restore(backup_alone, "--heads", "none", "--no-verify")
        assert done.returncode == 3
        assert done.stdout.count("is not known to this host") == 2
        assert "adopt_head LOG" in done.stdout and "--tail-unknown" in done.stdout
        refused = place.manage("create_system", "--slug", "later", "--name", "Later", "--accountable", "a@example.org")
        assert refused.returncode != 0

    def test_a_backup_without_keys_takes_them_from_where_they_are(self, source: Organisation, tmp_path: Path) -> None:
        made = backup_to(tmp_path / "data", keys_target=tmp_path / "keys")
        with a_place(tmp_path / "place") as place:
            refused = place.restore(made.folder, "--heads", "backup")
            assert refused.returncode == 1 and "This backup has no keys" in refused.stderr
            done = place.restore(made.folder, "--heads", "backup", "--no-verify", "--keys-from", made.keys_folder)
            assert done.returncode == 0, done.stdout + done.stderr


class TestWhatWasErasedSince:
    @pytest.fixture(autouse=True)
    def memory(self, committed_db: None, monkeypatch: pytest.MonkeyPatch) -> ErasureMemory:
        """One of the test's own, of the name that every installation's has."""
        heads = Path(settings.HEAD_STORE)
        monkeypatch.setattr("evidence.erasure.memory.NAME", f"erased-{uuid.uuid4()}.sqlite3")
        found = erasure_memory()
        assert found.path.parent == heads.parent
        return found

    def test_is_back_and_found_by_what_survived(
        self, source: Organisation, backup: Path, place: Place, memory: ErasureMemory
    ) -> None:
        erase(source.decisions[7])
        assert remember_erasures() == 1
        survived(source, place)
        memory.copy_to(place.data_dir / "erased.sqlite3")
        done = place.restore(backup, "--no-verify")
        assert done.returncode == 3, done.stdout + done.stderr
        assert "erased.sqlite3 remembers to have been erased is kept" in done.stdout
        assert "1 thing back" in done.stdout and "Prepare again" in done.stdout
        assert place.query(f"SELECT secret IS NOT NULL FROM audit_payload WHERE id = '{source.decisions[7]}'") == [
            (True,)
        ]
        # the place's own look finds the same, and alerts although no log takes an entry
        look = "from evidence.tasks import look_for_returned_task as look; print(look())"
        assert place.manage("shell", "--no-imports", "-c", look).stdout.split()[-1] == "1"
        assert place.query("SELECT count(*) FROM notices_alert WHERE kind = 'erasure.undone'") == [(1,)]

    def test_a_newer_backup_remembers_it_too(
        self, source: Organisation, backup: Path, place: Place, tmp_path: Path
    ) -> None:
        erase(source.decisions[7])
        newer = backup_to(tmp_path / "newer").folder
        check_backup(newer, known_keys=[])
        shutil.copy(newer / "erased.sqlite3", place.data_dir)
        shutil.copy(newer / "heads.sqlite3", place.data_dir)
        done = place.restore(backup, "--no-verify")
        assert done.returncode == 3 and "1 thing back" in done.stdout

    def test_of_the_backup_itself_nothing_is_back(self, source: Organisation, place: Place, tmp_path: Path) -> None:
        erase(source.decisions[7])
        made = backup_to(tmp_path / "newer").folder
        done = place.restore(made, "--heads", "backup")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "remembered up to the backup alone" in done.stdout
        assert "Nothing of what was erased, as far as this host remembers, is back." in done.stdout

    def test_a_damaged_memory_hinders_no_restore_and_is_named(self, backup_alone: Path, place: Place) -> None:
        (place.data_dir / "erased.sqlite3").write_bytes(b"no database at all" * 100)
        done = place.restore(backup_alone, "--heads", "backup", "--no-verify")
        assert done.returncode == 3 and "What was erased cannot be looked up" in done.stdout + done.stderr

    def test_a_damaged_memory_is_said_by_a_backup(
        self, source: Organisation, tmp_path: Path, memory: ErasureMemory
    ) -> None:
        memory.path.write_bytes(b"no database at all" * 100)
        made = backup_to(tmp_path / "backups")
        assert any("it is not in this backup" in each for each in made.troubles)
        assert not (made.folder / "erased.sqlite3").exists()
        check_backup(made.folder, known_keys=[])
        memory.path.unlink()


class TestWithWitnesses:
    """An old database and the head store of the same backup agree with each other: only a witness knows more."""

    def watched(self, place: Place, witness: StrictWitness, folder: Path) -> None:
        policy = folder / "policy"
        policy.write_text(f"witness w1 {witness.vkey} {witness.url}/\nquorum w1\n")
        place.extra |= {"ANSWERABLE_WITNESS_POLICY_FILE": str(policy), "ANSWERABLE_ANCHOR_NETWORKS": "127.0.0.0/8"}

    def test_what_they_know_beyond_the_backup_is_said_and_the_log_takes_nothing_more(
        self, source: Organisation, backup: Path, place: Place, tmp_path: Path
    ) -> None:
        with strict_witness() as witness:
            trust_all(witness)
            self.watched(place, witness, tmp_path)
            size = latest_head(source.log.id).tree_size
            remember(witness, source.log, size + 40, bytes([5]) * 32)
            done = place.restore(backup, "--heads", "backup", "--no-verify")
        assert done.returncode == 3, done.stdout + done.stderr
        assert "$ manage.py check_witnesses" in done.stdout and "CONTRADICTED" in done.stdout
        assert done.stdout.index("check_witnesses") < done.stdout.index("$ manage.py logs")
        assert f"40 entries ({size:,} to {size + 39:,}) were signed and are not here" in done.stdout
        assert "close_log --by EMAIL" in done.stdout
        assert place.query("SELECT tree_size FROM ledger_contradiction") == [(size + 40,)]

    def test_one_that_does_not_answer_leaves_it_open(self, backup_alone: Path, place: Place, tmp_path: Path) -> None:
        with strict_witness() as witness:
            self.watched(place, witness, tmp_path)
        done = place.restore(backup_alone, "--heads", "backup", "--no-verify")
        assert done.returncode == 3, done.stdout + done.stderr
        assert "it could not be asked" in done.stdout


class TestExportsThatOutlivedTheDatabase:
    def test_files_that_the_restored_one_does_not_know_are_deleted(self, backup_alone: Path, place: Place) -> None:
        files = place.data_dir / "exports" / "files"
        files.mkdir(parents=True)
        (files / f"{uuid.uuid4()}.zip").write_bytes(b"of after the backup")
        half = place.data_dir / "exports" / "work" / str(uuid.uuid4())
        half.mkdir(parents=True)
        (half / "kept.json").write_text("{}")
        done = place.restore(backup_alone, "--heads", "backup", "--no-verify")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Deleted: 1 file of exports" in done.stdout and list(files.iterdir()) == []
        assert not half.exists()


class TestRefused:
    def test_a_database_that_is_not_empty(self, backup_alone: Path, place: Place) -> None:
        with cluster().connect(place.database) as connection:
            connection.execute("CREATE TABLE somebodys (id int)")
        done = place.restore(backup_alone, "--heads", "backup")
        assert done.returncode == 1
        assert "The database is not empty" in done.stderr and "somebodys" in done.stderr
        assert place.files() == set()

    def test_what_is_no_sound_backup(self, backup_alone: Path, place: Place) -> None:
        flip(backup_alone / "database.dump")
        done = place.restore(backup_alone, "--heads", "backup")
        assert done.returncode == 1 and "is not the file that was backed up" in done.stderr
        assert place.is_empty and place.files() == set()

    def test_a_choice_that_nobody_made(self, backup_alone: Path, place: Place) -> None:
        done = place.restore(backup_alone)
        assert done.returncode == 1 and place.is_empty
        for words in ("--heads backup", "--heads none", "signs a second history"):
            assert words in done.stderr

    def test_to_put_the_backups_head_store_over_one_that_survived(
        self, source: Organisation, backup: Path, place: Place
    ) -> None:
        survived(source, place)
        for choice in ("backup", "none"):
            done = place.restore(backup, "--heads", choice)
            assert done.returncode == 1 and "no backup takes its place" in done.stderr
        assert place.is_empty

    def test_the_head_store_of_another_installation(self, source: Organisation, backup: Path, place: Place) -> None:
        head_store().copy_to(place.data_dir / "heads.sqlite3")
        with closing(sqlite3.connect(place.data_dir / "heads.sqlite3")) as db:
            db.execute("UPDATE heads SET log_id = randomblob(16)")
            db.commit()
        done = place.restore(backup)
        assert done.returncode == 1 and "another one's" in done.stderr

    @pytest.mark.parametrize("name", ["signing.key", "digest.key"])
    def test_another_key_than_the_databases_unless_it_may_be_put_aside(
        self, backup_alone: Path, place: Place, name: str
    ) -> None:
        mine = "ab" * 32 + "\n"
        (place.data_dir / name).write_text(mine)
        done = place.restore(backup_alone, "--heads", "backup")
        assert done.returncode == 1 and "--keys backup" in done.stderr
        assert (place.data_dir / name).read_text() == mine and place.is_empty
        done = place.restore(backup_alone, "--heads", "backup", "--keys", "backup", "--no-verify")
        assert done.returncode == 0, done.stdout + done.stderr
        [aside] = place.data_dir.glob(f"{name}.set-aside-*")
        assert aside.read_text() == mine and str(aside) in done.stdout

    def test_another_name(self, backup_alone: Path, place: Place) -> None:
        place.extra["ANSWERABLE_ORIGIN"] = "other.example.org"
        done = place.restore(backup_alone, "--heads", "backup")
        assert done.returncode == 1 and "an installation keeps the name it was born with" in done.stderr.lower()

    def test_what_a_newer_version_made(self, backup_alone: Path, place: Place) -> None:
        manifest, _ = read_manifest(backup_alone)
        rewrite(backup_alone, migrations=manifest.migrations | {"evidence": "9999_from_the_future"})
        done = place.restore(backup_alone, "--heads", "backup")
        assert done.returncode == 1 and "most likely a newer one" in done.stderr and place.is_empty

    def test_logs_that_do_not_stand_where_the_manifest_says(self, backup_alone: Path, place: Place) -> None:
        manifest, _ = read_manifest(backup_alone)
        first = msgspec.structs.replace(manifest.logs[0], tree_size=manifest.logs[0].tree_size + 1)
        rewrite(backup_alone, logs=[first, *manifest.logs[1:]])
        done = place.restore(backup_alone, "--heads", "backup")
        assert done.returncode == 1 and "do not stand where the manifest says" in done.stderr
        assert "drop it and make another" in done.stderr and place.files() == set()

    def test_without_the_address_of_the_owner(self, backup_alone: Path, place: Place) -> None:
        place.extra["ANSWERABLE_ADMIN_DATABASE_URL"] = ""
        done = place.restore(backup_alone, "--heads", "backup")
        assert done.returncode == 1 and "ANSWERABLE_ADMIN_DATABASE_URL" in done.stderr


class TestInterrupted:
    def test_a_failure_leaves_the_place_as_it_was(self, backup_alone: Path, place: Place) -> None:
        with cluster().connect() as connection:
            connection.execute(f"ALTER DATABASE {place.database} SET default_transaction_read_only = on".encode())
        (place.data_dir / "signing.key").write_text("ab" * 32 + "\n")
        done = place.restore(backup_alone, "--heads", "backup", "--keys", "backup")
        assert done.returncode == 1 and "pg_restore failed" in done.stderr
        assert place.files() == {"signing.key"} and place.is_empty
        assert (place.data_dir / "signing.key").read_text() == "ab" * 32 + "\n"

    def test_what_a_killed_one_left_is_cleared_away_by_the_next(self, backup_alone: Path, place: Place) -> None:
        (place.data_dir / "digest.key.set-aside-20260101T000000Z").write_text("mine")
        (place.data_dir / "signing.key").write_bytes((backup_alone / "signing.key").read_bytes())
        (place.data_dir / ".digest.key.restoring").write_text("half")
        marker = {
            "puts": {
                str(place.data_dir / "signing.key"): hashlib.sha256(
                    (backup_alone / "signing.key").read_bytes()
                ).hexdigest(),
                str(place.data_dir / "digest.key"): "00",
            },
            "aside": {
                str(place.data_dir / "digest.key"): str(place.data_dir / "digest.key.set-aside-20260101T000000Z")
            },
            "pg": False,
        }
        (place.data_dir / layout.RESTORING).write_text(json.dumps(marker))
        with pytest.raises(StandaloneError, match="was not finished"):
            refuse_half_restored(place.data_dir)
        flip(backup_alone / "database.dump")
        assert place.restore(backup_alone, "--heads", "backup").returncode == 1
        assert (place.data_dir / layout.RESTORING).exists()  # nothing is touched for what is no backup
        flip(backup_alone / "database.dump")
        refused = place.restore(backup_alone, "--heads", "backup")
        assert refused.returncode == 1 and "--keys backup" in refused.stderr  # for the key that is theirs again
        assert place.files() == {"digest.key"} and (place.data_dir / "digest.key").read_text() == "mine"


def test_an_old_backup_needs_the_key_of_its_time_and_the_newer_one_is_kept(
    source: Organisation, tmp_path: Path, key_file: Path
) -> None:
    old = backup_to(tmp_path / "backups").folder
    people = [make_person(administrator=True) for _ in range(2)]
    begin_rotation(actor=COMMAND, asked_by=people[0], approved_by=people[1])
    finish_rotation(actor=COMMAND, asked_by=people[0], approved_by=people[1])
    with a_place(tmp_path / "place") as place:
        shutil.copy(key_file, place.data_dir / "signing.key")
        head_store().copy_to(place.data_dir / "heads.sqlite3")
        refused = place.restore(old)
        assert refused.returncode == 1 and "it was replaced since then" in " ".join(refused.stderr.split())
        done = place.restore(old, "--keys", "backup", "--no-verify")
        assert done.returncode == 3, done.stdout + done.stderr  # the rotation is in the lost tail of every log
        [aside] = place.data_dir.glob("signing.key.set-aside-*")
        assert aside.read_bytes() == key_file.read_bytes()
        assert "lost entries that were signed" in done.stdout

"""Backups from elsewhere: whose word they are, and what somebody may have put into them, or beside them."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from evidence.backups import folders
from evidence.backups.checking import Word, check_backup
from evidence.backups.keys import known_keys, public_keys_in
from evidence.backups.manifest import BackupError, fingerprint, mark_of, read_manifest, sign_manifest
from ledger.key_file import read_seeds
from ledger.signing import public_key
from ledger.tlog import ED25519, Verifier
from tests.evidence.backups import backup_to
from tests.evidence.conftest import Organisation
from tests.evidence.test_backups import rewrite


def own_keys() -> list[bytes]:
    return public_keys_in(Path(settings.SIGNING_KEY_FILE))


def vkey_of(key: bytes) -> str:
    return Verifier("log.example.org", ED25519, key).vkey


def put(folder: Path, said: bytes, *, is_signed: bool = True) -> None:
    """Other bytes in the place of the manifest, signed for by whoever has the key."""
    (folder / "manifest.json").write_bytes(said)
    (folder / "manifest.sig").unlink(missing_ok=True)
    if is_signed:
        seeds = read_seeds(Path(settings.SIGNING_KEY_FILE))
        (folder / "manifest.sig").write_text(sign_manifest(said, origin=settings.ORIGIN, seeds=seeds))


def unsigned(folder: Path) -> None:
    """What anybody can make: files that fit together, no key in it, no signature."""
    manifest, _ = read_manifest(folder)
    for name in ("signing.key", "manifest.sig"):
        (folder / name).unlink()
    said = json.loads(manifest.as_bytes())
    said |= {"signing_keys": [], "has_keys": False, "logs": [each | {"checkpoint": ""} for each in said["logs"]]}
    said["files"] = [each for each in said["files"] if each["name"] != "signing.key"]
    (folder / "manifest.json").write_text(json.dumps(said))


# --- whose word it is -------------------------------------------------------------------------------------------------
class TestWhoseWord:
    def test_without_a_key_an_unsigned_one_is_nobodys(self, backup_alone: Path) -> None:
        unsigned(backup_alone)
        checked = check_backup(backup_alone, known_keys=[])
        assert (checked.word, checked.keys) == (Word.NOBODY, ())
        assert "anybody could have made it" in checked.whose_word(named=False)

    def test_with_a_key_an_unsigned_one_is_refused(self, backup_alone: Path) -> None:
        unsigned(backup_alone)
        with pytest.raises(BackupError, match="not signed at all"):
            check_backup(backup_alone, known_keys=own_keys())
        with pytest.raises(CommandError, match="not signed at all"):
            call_command("verify_backup", str(backup_alone), "--quiet", "--vkey", vkey_of(own_keys()[0]))
        with pytest.raises(CommandError, match="not signed at all"):
            call_command("restore", str(backup_alone), "--quiet", "--vkey", vkey_of(own_keys()[0]))

    def test_with_another_key_a_signed_one_is_refused(self, backup_alone: Path) -> None:
        for other in (vkey_of(b"\x05" * 32), vkey_of(public_key(b"\x11" * 32))):
            with pytest.raises(CommandError, match="not signed by any of the keys"):
                call_command("verify_backup", str(backup_alone), "--quiet", "--vkey", other)

    def test_it_says_by_which_key_and_where_that_one_is_from(
        self, backup_alone: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        key = own_keys()[0]
        call_command("verify_backup", str(backup_alone), "--quiet", "--vkey", vkey_of(key))
        assert f"signed by the key that you gave: {fingerprint(key)}" in capsys.readouterr().out
        call_command("verify_backup", str(backup_alone), "--quiet")
        assert f"signed by the key that lies here: {fingerprint(key)}" in capsys.readouterr().out

    def test_where_nothing_is_known_the_fingerprint_is_to_be_compared(
        self, backup_alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        key = own_keys()[0]
        monkeypatch.setattr(settings, "SIGNING_KEY_FILE", tmp_path / "none")
        call_command("verify_backup", str(backup_alone), "--quiet")
        said = capsys.readouterr().out
        assert "No key was given" in said and f"Compare its fingerprint: {fingerprint(key)}" in said


# --- what is in the manifest ------------------------------------------------------------------------------------------
HOSTILE = [
    *("", " ", "\n", "\x00", "\x1b[2J", "\u202egro", "zz" * 32, "00" * 31, "../../etc/passwd", "/etc/passwd", "a/b"),
    *("NaN", "18.", "x18", "99999", "0001-01-01T00:00:00Z", "2026-01-01T00:00:00", "9999-12-31T23:59:59-12:00"),
    *("x" * 200_000, "é+ name", "a\nb", "— x AAAA", "\ud7ff"),
]
VALUES = some.one_of(
    some.none(), some.booleans(), some.integers(-(2**70), 2**70), some.floats(allow_nan=False), some.text(max_size=30),
    some.sampled_from(HOSTILE), some.lists(some.sampled_from(HOSTILE), max_size=3),
    some.dictionaries(some.sampled_from(HOSTILE), some.sampled_from(HOSTILE), max_size=2),
)  # fmt: skip
FEW = hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def places(said: Any) -> list[tuple[Any, Any]]:
    """Each place in a document whose value can be exchanged: what holds it, and its name there."""
    items = list(said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ())
    return [(said, name) for name, _ in items] + [place for _, each in items for place in places(each)]


def judged(folder: Path, **how: Any) -> None:
    """It is sound, or it is said in words why not. Anything else raises."""
    try:
        manifest, _ = read_manifest(folder)
        check_backup(folder, **({"known_keys": known_keys([], manifest)} | how))
        said = [manifest.origin, manifest.version, *(log.trouble for log in manifest.logs)]
    except BackupError as error:
        said = [*str(error).split("\n")]
    assert all(line.isprintable() for line in said), "nothing of it moves a terminal's cursor"


@FEW
@given(data=some.data(), value=VALUES, is_signed=some.booleans())
def test_a_manifest_that_says_anything_else_is_sound_or_refused_in_words(
    backup_alone: Path, sound_backup: Path, data: some.DataObject, value: Any, is_signed: bool
) -> None:
    said = json.loads((sound_backup / "manifest.json").read_bytes())
    holder, name = data.draw(some.sampled_from(places(said)))
    if data.draw(some.integers(0, 4)) == 0:
        del holder[name]
    else:
        holder[name] = value
    put(backup_alone, json.dumps(said).encode(), is_signed=is_signed)
    judged(backup_alone, known_keys=[])


@FEW
@given(at=some.floats(0, 1), byte=some.binary(max_size=4), cut=some.booleans())
def test_a_manifest_of_other_bytes_is_sound_or_refused_in_words(
    backup_alone: Path, sound_backup: Path, at: float, byte: bytes, cut: bool
) -> None:
    data = (sound_backup / "manifest.json").read_bytes()
    place = int(at * len(data))
    put(backup_alone, data[:place] + byte + (b"" if cut else data[place + len(byte) :]))
    judged(backup_alone)


TOO_MUCH: dict[str, Callable[[dict[str, Any]], object]] = {
    "a key that is no hex": lambda said: said.update(signing_keys=["zz" * 32]),
    "a key that is too short": lambda said: said.update(signing_keys=["00" * 31]),
    "a server of no release": lambda said: said.update(server_version="the newest"),
    "a program of no release": lambda said: said.update(dump_version=""),
    "a time without a zone": lambda said: said.update(made_at="2026-01-01T00:00:00"),
    "an origin that no key can have": lambda said: said.update(origin="a b"),
    "a name that hides": lambda said: said.update(version="\x1b[8m"),
    "trouble that moves the cursor": lambda said: said["logs"][0].update(trouble="\x1b[1A"),
    "a size below nothing": lambda said: said["logs"][0].update(tree_size=-1),
    "a size beyond everything": lambda said: said["logs"][0].update(tree_size=2**64),
    "a file elsewhere": lambda said: said["files"][0].update(name="../manifest.json"),
    "a file twice": lambda said: said["files"].append(said["files"][0]),
    "a log twice": lambda said: said["logs"].append(said["logs"][0]),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_no_manifest_says_is_refused_when_it_is_read(backup_alone: Path, name: str) -> None:
    said = json.loads((backup_alone / "manifest.json").read_bytes())
    TOO_MUCH[name](said)
    put(backup_alone, json.dumps(said).encode())
    with pytest.raises(BackupError, match="is not a manifest that this version understands"):
        read_manifest(backup_alone)
    with pytest.raises(CommandError, match="is not a manifest"):
        call_command("restore", str(backup_alone), "--quiet")


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 200_000, b"null", b'{"format": "\\ud800"}'])
def test_what_is_no_json_is_no_manifest(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(BackupError, match="is not a manifest"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_what_is_no_plain_file_is_not_waited_for(backup_alone: Path, name: str) -> None:
    (backup_alone / name).unlink()
    os.mkfifo(backup_alone / name)
    with pytest.raises(BackupError, match="no plain file"):
        check_backup(backup_alone, known_keys=[])


@pytest.mark.parametrize("row", [("x", "1"), (b"short", 1), (b"0123456789abcdef", "many")])
def test_a_head_store_that_holds_something_else_is_none(backup_alone: Path, row: tuple[Any, Any]) -> None:
    path = backup_alone / "heads.sqlite3"
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE heads (log_id, tree_size, root_hash)")
        db.execute("INSERT INTO heads VALUES (?, ?, x'00')", row)
        db.commit()
    manifest, _ = read_manifest(backup_alone)
    rewrite(backup_alone, files=[mark_of(backup_alone / mark.name) for mark in manifest.files])
    with pytest.raises(BackupError, match="no head store"):
        check_backup(backup_alone, known_keys=[])


# --- what lies beside it ----------------------------------------------------------------------------------------------
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class TestWhatLiesAmongBackups:
    def older(self, target: Path, sound: Path) -> Path:
        """A genuine one that is to go."""
        folder = target / "answerable-20200101T000000Z"
        folder.mkdir(parents=True)
        manifest, _ = read_manifest(sound)
        for path in sound.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        rewrite(folder, made_at=manifest.made_at - timedelta(days=900))
        return folder

    def test_a_link_is_neither_followed_nor_removed_and_hinders_nothing(
        self, sound_backup: Path, tmp_path: Path
    ) -> None:
        elsewhere = self.older(tmp_path / "elsewhere", sound_backup)
        target = tmp_path / "target"
        mine = self.older(target, sound_backup)
        (target / "answerable-20190101T000000Z").symlink_to(elsewhere)
        (target / ".removing-answerable-20180101T000000Z").symlink_to(elsewhere)
        (target / ".partial-answerable-20180101T000000Z").symlink_to(tmp_path / "nowhere")
        for _ in range(2):  # and not the next one either
            with folders.only_one_in(target) as left:
                assert [each.endswith("is a link: it was not followed, and was left.") for each in left] == [True, True]
        found = folders.remove_older(target, days=30, than=NOW + timedelta(days=1), origin=settings.ORIGIN)
        assert found.names == [mine.name] and not mine.exists()
        assert list(found.left) == ["answerable-20190101T000000Z"]
        assert (target / "answerable-20190101T000000Z").is_symlink()
        assert read_manifest(elsewhere)[0].origin == settings.ORIGIN, "nothing of it is gone"

    def test_files_pipes_and_what_cannot_be_removed_hinder_nothing(
        self, sound_backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine = self.older(tmp_path, sound_backup)
        (tmp_path / ".partial-answerable-20180101T000000Z").write_text("a file")
        (tmp_path / "answerable-20170101T000000Z").write_text("a file")
        (tmp_path / "answerable-20160101T000000Z").mkdir()
        os.mkfifo(tmp_path / "answerable-20160101T000000Z" / "manifest.json")
        with folders.only_one_in(tmp_path) as left:
            assert len(left) == 1 and "is no folder" in left[0]

        def refuses(path: Path) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("evidence.backups.folders.shutil.rmtree", refuses)
        found = folders.remove_older(tmp_path, days=30, than=NOW + timedelta(days=1), origin=settings.ORIGIN)
        assert found.names == []
        assert found.left[f".removing-{mine.name}"] == "could not be removed: Permission denied."
        assert {"answerable-20170101T000000Z", "answerable-20160101T000000Z"} <= found.left.keys()

    def test_a_backup_is_made_beside_a_link_older_ones_go_and_it_is_said(
        self, source: Organisation, sound_backup: Path, tmp_path: Path
    ) -> None:
        target = tmp_path / "target"
        mine = self.older(target, sound_backup)
        (target / ".removing-answerable-20180101T000000Z").symlink_to(tmp_path)
        made = backup_to(target, keep_days=30)
        assert made.removed == [mine.name]
        assert [each for each in made.troubles if "is a link: it was not followed" in each] == made.troubles
        assert len(made.troubles) == 1
        check_backup(made.folder, known_keys=own_keys())

"""Replacing the signing key: announced and signed for, both sign for a while, and no other key ever gets in."""

import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from evidence.errors import NoRotationUnderWay, NotTheNewestKey, RotationUnderWay, TwoAdministratorsNeeded
from evidence.services.checkpoints import record_checkpoints
from evidence.services.custody import close_log
from evidence.services.key_rotation import begin_rotation, finish_rotation, withdraw_keys
from evidence.verification import verify_everything
from governance import memory
from governance.models import Person
from governance.services.keys import create_service_key
from governance.services.systems import register_system
from ledger import signing
from ledger.entries import COMMAND, SERVER, draft_entry
from ledger.errors import LedgerRolledBack, SigningKeyRefused, SigningKeyUnavailable
from ledger.heads import head_store
from ledger.key_file import read_seeds, replace_key_file
from ledger.key_history import announcement
from ledger.kinds import KEY_ANNOUNCED, KEY_RETIRED, Kind
from ledger.models import Checkpoint, Log
from ledger.sealing import sealing
from ledger.selectors import latest_checkpoint, open_log, registry_log
from ledger.signing import verifier_keys
from ledger.tlog import Checkpoint as Stated
from ledger.tlog import Signer, Verifier, open_checkpoint, sign_checkpoint, split_note
from tests.databases import PROJECT
from tests.evidence.conftest import Organisation, record
from tests.factories.keys import verifier_key
from tests.factories.register import make_person
from tests.interop import verifiers


@pytest.fixture
def people(key_file: Path, organisation: Organisation) -> dict[str, Any]:
    first, second = (make_person(administrator=True) for _ in range(2))
    return {"actor": COMMAND, "asked_by": first, "approved_by": second}


def kept_checkpoint(organisation: Organisation) -> Checkpoint:
    """One more decision, and the checkpoint stored for it."""
    record(organisation.log, organisation.account, 1)
    record_checkpoints(actor=SERVER)
    return Checkpoint.objects.filter(log=organisation.log).order_by("-tree_size")[0]


def opens(note: str, vkey: str) -> bool:
    verifier = Verifier.from_vkey(vkey)
    return (verifier.name, verifier.key_id) in {(each.name, each.key_id) for each in split_note(note)[1]} and bool(
        open_checkpoint(note, origin=verifier.name, log_verifiers=[verifier])
    )


def said(log: Log, kind: Kind) -> list[dict[str, Any]]:
    entries = log.entries.filter(kind=kind.name, about_id=log.id).order_by("leaf_index")
    return [json.loads(bytes(entry.data))["body"] for entry in entries]


class TestARotation:
    def test_before_during_and_after_it_every_checkpoint_verifies(
        self, organisation: Organisation, people: dict[str, Any], key_file: Path
    ) -> None:
        log = organisation.log
        old, before = verifier_key(log.origin), kept_checkpoint(organisation)
        begun = begin_rotation(**people)
        new, during = verifier_key(log.origin), kept_checkpoint(organisation)
        assert new != old and verifier_keys(log.origin) == [new, old]
        assert (opens(during.note, new), opens(during.note, old)) == (True, True)
        assert (begun.logs, len(begun.vkeys)) == (2, 2)

        finished = finish_rotation(**people)
        after = kept_checkpoint(organisation)
        assert verifier_keys(log.origin) == [new]
        assert (opens(after.note, new), opens(after.note, old)) == (True, False)
        assert (opens(before.note, new), opens(before.note, old)) == (False, True)
        assert finished.vkeys == [verifier_key(registry_log().origin)]
        assert len(read_seeds(key_file)) == 1
        assert list(verify_everything()) == []

    def test_the_registry_and_each_log_say_so_and_who_asked_and_approved(
        self, organisation: Organisation, people: dict[str, Any]
    ) -> None:
        log = organisation.log
        old = Verifier.from_vkey(verifier_key(log.origin)).public_key.hex()
        begin_rotation(**people)
        new = Verifier.from_vkey(verifier_key(log.origin))
        finish_rotation(**people)
        both = {"asked_by": str(people["asked_by"].id), "approved_by": str(people["approved_by"].id)}
        for each in (log, registry_log()):
            announced, retired = said(each, KEY_ANNOUNCED)[-1], said(each, KEY_RETIRED)[-1]
            assert announced["public_key"] == new.public_key.hex()
            assert (announced["origin"], announced["previous"], retired["public_key"]) == (each.origin, old, old)
            assert both.items() <= announced.items() and both.items() <= retired.items()
        entry = log.entries.get(kind=KEY_ANNOUNCED.name)
        assert json.loads(bytes(entry.data))["actor"] == {"type": "command"}

    def test_owner_and_mode_of_the_key_file_stay_and_nothing_is_left_beside_it(
        self, people: dict[str, Any], key_file: Path
    ) -> None:
        begin_rotation(**people)
        finish_rotation(**people)
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o640
        assert list(key_file.parent.iterdir()) == [key_file]

    def test_other_peoples_verifiers_accept_either_signature(
        self, organisation: Organisation, people: dict[str, Any], client: Client
    ) -> None:
        old = verifier_key(organisation.log.origin)
        begin_rotation(**people)
        made = create_service_key(
            actor=COMMAND, account=organisation.account, systems=[organisation.system], scopes=["ledger:read"]
        )
        memory.refresh()
        headers = {"authorization": f"Bearer {made.text}"}
        listed = {row["origin"]: row for row in client.get("/api/v1/logs", headers=headers).json()}
        row = listed[organisation.log.origin]
        assert row["vkeys"] == [row["vkey"], old] and row["vkey"] != old
        path = f"/api/v1/decisions/{organisation.decisions[0]}"
        proof = client.get(f"{path}/proof", headers=headers).text
        entry = client.get(f"{path}/entry", headers=headers).content
        for vkey in row["vkeys"]:
            verifiers.verify_tlog_proof_with_sigstore(proof, vkey, entry)
            if verifiers.go_available():
                verifiers.verify_tlog_proof_with_go(proof, vkey, entry)

    def test_the_admin_shows_both_keys_and_hands_them_to_the_browsers_verifier(
        self, organisation: Organisation, people: dict[str, Any], client: Client
    ) -> None:
        begin_rotation(**people)
        client.force_login(make_person(auditor=True))
        page = client.get("/admin/logs/").content.decode()
        keys = verifier_keys(organisation.log.origin)
        assert len(keys) == 2 and all(vkey in page for vkey in keys)
        assert "The signing key is being replaced" in page
        proof = client.get(f"/admin/decisions/{organisation.decisions[0]}/proof").json()
        assert proof["vkeys"] == keys

    def test_a_log_opened_meanwhile_is_signed_by_both_and_then_by_the_new_one(
        self, organisation: Organisation, people: dict[str, Any]
    ) -> None:
        begin_rotation(**people)
        log = open_log(register_system(actor=COMMAND, slug="later", name="Later").id)
        assert len(split_note(latest_checkpoint(log).note)[1]) == 2
        finish_rotation(**people)
        assert len(split_note(latest_checkpoint(log).note)[1]) == 1
        assert list(verify_everything()) == []

    def test_a_log_that_another_process_opened_with_the_old_key_learns_of_the_new_one(
        self, organisation: Organisation, people: dict[str, Any], key_file: Path
    ) -> None:
        alone = key_file.read_bytes()
        begin_rotation(**people)
        both = key_file.read_bytes()
        key_file.write_bytes(alone)
        log = open_log(register_system(actor=COMMAND, slug="later", name="Later").id)
        key_file.write_bytes(both)
        finish_rotation(**people)
        new = Verifier.from_vkey(verifier_key(log.origin)).public_key.hex()
        assert [body["public_key"] for body in said(log, KEY_ANNOUNCED)] == [new]
        assert list(verify_everything()) == []

    def test_it_can_be_done_again(self, organisation: Organisation, people: dict[str, Any]) -> None:
        seen = {verifier_key(organisation.log.origin)}
        for _ in range(3):
            begin_rotation(**people)
            finish_rotation(**people)
            seen.add(verifier_key(organisation.log.origin))
            kept_checkpoint(organisation)
        assert len(seen) == 4
        assert list(verify_everything()) == []

    def test_a_registry_that_is_succeeded_hands_its_keys_on(
        self, organisation: Organisation, people: dict[str, Any]
    ) -> None:
        begin_rotation(**people)
        registry = registry_log()
        head_store().advance(registry.id, registry.entries.count() + 40, bytes(32))
        close_log(actor=COMMAND, asked_by=people["asked_by"], approved_by=people["approved_by"], log=registry)
        assert len(said(registry_log(), KEY_ANNOUNCED)) == 2
        finish_rotation(**people)
        kept_checkpoint(organisation)
        assert list(verify_everything()) == []


class TestWhatIsRefused:
    def test_one_administrator_alone(self, organisation: Organisation, people: dict[str, Any]) -> None:
        alone = people | {"approved_by": people["asked_by"]}
        for act in (begin_rotation, finish_rotation, withdraw_keys):
            with pytest.raises(TwoAdministratorsNeeded):
                act(**alone)
        assert len(said(registry_log(), KEY_ANNOUNCED)) == 1

    def test_a_second_rotation_before_the_first_is_finished(self, people: dict[str, Any], key_file: Path) -> None:
        begin_rotation(**people)
        keys = key_file.read_bytes()
        with pytest.raises(RotationUnderWay):
            begin_rotation(**people)
        assert key_file.read_bytes() == keys

    def test_finishing_and_withdrawing_what_was_not_begun(self, people: dict[str, Any]) -> None:
        for act in (finish_rotation, withdraw_keys):
            with pytest.raises(NoRotationUnderWay):
                act(**people)

    def test_a_rotation_while_a_log_is_in_trouble(self, organisation: Organisation, people: dict[str, Any]) -> None:
        head_store().advance(organisation.log.id, organisation.log.entries.count() + 40, bytes(32))
        with pytest.raises(LedgerRolledBack):
            begin_rotation(**people)
        assert len(said(registry_log(), KEY_ANNOUNCED)) == 1

    def test_finishing_on_a_host_that_has_the_old_key_alone(self, people: dict[str, Any], key_file: Path) -> None:
        old = key_file.read_bytes()
        begin_rotation(**people)
        key_file.write_bytes(old)
        with pytest.raises(NotTheNewestKey):
            finish_rotation(**people)

    def test_a_key_that_was_never_announced_signs_nothing_and_nothing_is_committed(
        self, organisation: Organisation, people: dict[str, Any], key_file: Path
    ) -> None:
        replace_key_file(key_file, [bytes([7]) * 32])
        size = organisation.log.entries.count()
        with pytest.raises(SigningKeyRefused):
            record(organisation.log, organisation.account, 1)
        with pytest.raises(SigningKeyRefused):
            latest_checkpoint(organisation.log)
        assert organisation.log.entries.count() == size

    def test_a_key_that_was_retired(self, organisation: Organisation, people: dict[str, Any], key_file: Path) -> None:
        old = key_file.read_bytes()
        begin_rotation(**people)
        finish_rotation(**people)
        key_file.write_bytes(old)
        with pytest.raises(SigningKeyRefused, match="retired"):
            record(organisation.log, organisation.account, 1)

    def test_a_key_that_was_retired_by_another_host_stops_within_a_minute(
        self, organisation: Organisation, people: dict[str, Any], key_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, path = key_file.read_bytes(), key_file.with_name("other-host.key")
        begin_rotation(**people)
        path.write_bytes(old)
        settings.SIGNING_KEY_FILE = path
        signing.signing_seeds()
        remembered = signing._checked  # as the other host's process does
        settings.SIGNING_KEY_FILE = key_file
        finish_rotation(**people)
        settings.SIGNING_KEY_FILE = path
        monkeypatch.setattr(signing, "_checked", remembered)
        record(organisation.log, organisation.account, 1)
        assert remembered is not None
        monkeypatch.setattr("ledger.signing.time.monotonic", lambda: remembered.until)
        with pytest.raises(SigningKeyRefused, match="retired"):
            record(organisation.log, organisation.account, 1)

    def test_a_missing_key_is_said_before_anything_is_committed_and_the_keys_are_still_served(
        self, organisation: Organisation, people: dict[str, Any], key_file: Path
    ) -> None:
        size, keys = organisation.log.entries.count(), verifier_keys(organisation.log.origin)
        key_file.unlink()
        with pytest.raises(SigningKeyUnavailable):
            record(organisation.log, organisation.account, 1)
        assert organisation.log.entries.count() == size
        assert verifier_keys(organisation.log.origin) == keys


class Crashed(Exception):
    """Stands for the end of the process."""


def crashing(*args: object) -> None:
    raise Crashed


class TestACrash:
    @pytest.fixture
    def next_file(self, key_file: Path) -> Path:
        return key_file.with_name("signing.key.next")

    def test_before_the_commit_leaves_a_new_key_that_the_next_try_takes(
        self, organisation: Organisation, people: dict[str, Any], next_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch, pytest.raises(Crashed):
            patch.setattr("evidence.services.key_rotation._say", crashing)
            begin_rotation(**people)
        ready = read_seeds(next_file)[0]
        begin_rotation(**people)
        assert signing.signing_seeds()[0] == ready
        assert not next_file.exists()

    def test_after_the_commit_leaves_the_old_key_signing_until_the_command_is_run_again(
        self,
        organisation: Organisation,
        people: dict[str, Any],
        key_file: Path,
        next_file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        old = verifier_key(organisation.log.origin)
        with monkeypatch.context() as patch, pytest.raises(Crashed):
            patch.setattr("ledger.sealing.Seal._publish", crashing)
            begin_rotation(**people)
        assert len(said(registry_log(), KEY_ANNOUNCED)) == 2 and len(read_seeds(key_file)) == 1
        signing.forget()
        assert verifier_key(organisation.log.origin) == old == verifier_keys(organisation.log.origin)[0]
        with pytest.raises(NotTheNewestKey):
            finish_rotation(**people)
        kept_checkpoint(organisation)
        begin_rotation(**people)
        assert len(said(registry_log(), KEY_ANNOUNCED)) == 2 and len(read_seeds(key_file)) == 2
        kept_checkpoint(organisation)
        assert list(verify_everything()) == []

    def test_while_finishing_leaves_the_new_key_signing_alone(
        self, organisation: Organisation, people: dict[str, Any], key_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin_rotation(**people)
        with monkeypatch.context() as patch, pytest.raises(Crashed):
            patch.setattr("evidence.services.key_rotation.replace_key_file", crashing)
            finish_rotation(**people)
        signing.forget()
        assert len(read_seeds(key_file)) == 2
        assert len(split_note(latest_checkpoint(organisation.log).note)[1]) == 1
        finish_rotation(**people)
        assert len(read_seeds(key_file)) == 1
        assert len(said(registry_log(), KEY_RETIRED)) == 1

    def test_that_took_the_new_key_with_it_is_withdrawn(
        self, organisation: Organisation, people: dict[str, Any], next_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch, pytest.raises(Crashed):
            patch.setattr("ledger.sealing.Seal._publish", crashing)
            begin_rotation(**people)
        next_file.unlink()
        signing.forget()
        with pytest.raises(RotationUnderWay):
            begin_rotation(**people)
        assert len(withdraw_keys(**people).vkeys) == 1
        begin_rotation(**people)
        finish_rotation(**people)
        kept_checkpoint(organisation)
        assert list(verify_everything()) == []


class TestForgeries:
    """Somebody who writes to the database, and has no key of the installation's."""

    STRANGER = bytes([9]) * 32

    def announce(self, log: Log, **more: str) -> None:
        body = announcement(Signer(log.origin, self.STRANGER)) | more
        with sealing() as seal:
            seal.add(
                log.id, draft_entry(kind=KEY_ANNOUNCED, actor=COMMAND, at=timezone.now(), body=body, about_id=log.id)
            )
        signing.forget()

    def found(self) -> set[tuple[str, str]]:
        return {(finding.code, finding.log) for finding in verify_everything()}

    def test_a_key_announced_without_a_signature_is_found_and_never_served(
        self, organisation: Organisation, people: dict[str, Any]
    ) -> None:
        registry, keys = registry_log(), verifier_keys(organisation.log.origin)
        self.announce(registry)
        self.announce(organisation.log)
        assert self.found() == {("key-unsigned", registry.origin), ("key-unsigned", organisation.log.origin)}
        assert verifier_keys(organisation.log.origin) == keys

    def test_nor_does_its_own_signature_or_a_foreign_one_help(
        self, organisation: Organisation, people: dict[str, Any]
    ) -> None:
        registry = registry_log()
        stranger = Signer(registry.origin, self.STRANGER)
        own = announcement(stranger, signed_by=stranger)
        old = Verifier.from_vkey(verifier_key(registry.origin)).public_key.hex()
        for signature in (own["signature"], "AAAA", "A", "..."):
            self.announce(registry, previous=old, signature=signature)
        self.announce(registry, **own)
        assert self.found() == {("key-unsigned", registry.origin)}
        assert len(verifier_keys(registry.origin)) == 1

    def stored(self, log: Log, *signers: Signer) -> None:
        genuine = Checkpoint.objects.filter(log=log).order_by("-tree_size")[0]
        stated = Stated(log.origin, genuine.tree_size, bytes(genuine.root_hash))
        Checkpoint.objects.create(
            log=log, tree_size=stated.tree_size, root_hash=stated.root_hash, note=sign_checkpoint(stated, signers)
        )

    @pytest.mark.parametrize("rotated", [False, True])
    def test_a_checkpoint_that_a_strangers_key_signed_is_found(
        self, organisation: Organisation, people: dict[str, Any], rotated: bool
    ) -> None:
        if rotated:
            begin_rotation(**people)
        kept_checkpoint(organisation)
        self.stored(organisation.log, Signer(organisation.log.origin, self.STRANGER))
        assert ("checkpoint-altered", organisation.log.origin) in self.found()

    def test_a_key_counts_neither_after_it_was_retired_nor_before_it_was_announced(
        self, organisation: Organisation, people: dict[str, Any], key_file: Path
    ) -> None:
        log, old = organisation.log, read_seeds(key_file)[0]
        kept_checkpoint(organisation)
        begin_rotation(**people)
        finish_rotation(**people)
        new = read_seeds(key_file)[0]
        self.stored(log, Signer(log.origin, new))  # of a size the log had before
        assert ("checkpoint-altered", log.origin) in self.found()
        later = open_log(register_system(actor=COMMAND, slug="later", name="Later").id)
        record_checkpoints(actor=SERVER)
        self.stored(later, Signer(later.origin, old))
        assert ("checkpoint-altered", later.origin) in self.found()

    def test_the_old_key_alone_signs_nothing_that_came_after_it(
        self, organisation: Organisation, people: dict[str, Any], key_file: Path
    ) -> None:
        log, old = organisation.log, read_seeds(key_file)[0]
        begin_rotation(**people)
        finish_rotation(**people)
        kept_checkpoint(organisation)
        assert self.found() == set()
        self.stored(log, Signer(log.origin, old))
        assert ("checkpoint-altered", log.origin) in self.found()


class TestTheCommand:
    @pytest.fixture
    def run(
        self, organisation: Organisation, people: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., str]:
        both = [people["asked_by"], people["approved_by"]]
        for person in both:
            person.set_password("correct horse battery")
            Person.objects.filter(pk=person.pk).update(password=person.password)
        monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse battery")

        def call(*arguments: str) -> str:
            out = io.StringIO()
            names = ["--by", str(both[0].email), "--with", str(both[1].email)]
            call_command("rotate_signing_key", *names, *arguments, stdout=out)
            return out.getvalue()

        return call

    def test_begins_and_finishes_and_prints_the_keys(self, run: Callable[..., str]) -> None:
        begun = run()
        assert all(vkey in begun for vkey in verifier_keys(registry_log().origin))
        assert "--finish" in begun and begun.count("registry+") == 2
        assert run("--finish").count("registry+") == 1
        with pytest.raises(CommandError, match="not being replaced"):
            run("--finish")


class TestSetUp:
    """The key of an installation that has logs is never replaced behind its back."""

    @pytest.fixture
    def set_up(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
        from ledger.management.commands.setup_database import Command

        return lambda path: Command()._open_registry(path)

    def test_a_missing_key_is_not_made_anew(self, people: dict[str, Any], key_file: Path, set_up: Any) -> None:
        key_file.unlink()
        with pytest.raises(CommandError, match=r"Restore signing\.key from the backup"):
            set_up(key_file)
        assert not key_file.exists()

    @pytest.mark.parametrize("text", ["", "00" * 32 + "\n", "beef\n", "not hex"])
    def test_nor_is_an_empty_or_another_one_taken(
        self, people: dict[str, Any], key_file: Path, set_up: Any, text: str
    ) -> None:
        key_file.write_text(text)
        with pytest.raises(CommandError, match="signing key"):
            set_up(key_file)
        assert key_file.read_text() == text

    def test_the_right_one_passes(self, people: dict[str, Any], key_file: Path, set_up: Any) -> None:
        set_up(key_file)


@pytest.mark.committing
def test_the_command_itself_refuses_to_make_a_second_key(
    transactional_db: None, database_url: str, keeper_url: str, tmp_path: Path
) -> None:
    missing = tmp_path / "elsewhere" / "signing.key"
    environment = os.environ | {
        "ANSWERABLE_DATABASE_URL": database_url,
        "ANSWERABLE_ADMIN_DATABASE_URL": keeper_url,
        "ANSWERABLE_SIGNING_KEY_FILE": str(missing),
    }
    done = subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "setup_database", "--verbosity=0"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Restore signing.key from the backup" in done.stderr and str(missing) in done.stderr
    assert not missing.exists()

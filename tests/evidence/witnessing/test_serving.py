"""What is served of anchors: cosigned checkpoints, time-stamps, the list of them; and what others' tools make of it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evidence.anchors import anchored_checkpoints, best_checkpoint, checkpoint_of_size, witnessed_checkpoint
from evidence.models import Cosignature
from evidence.services.key_rotation import begin_rotation, finish_rotation
from governance import memory
from governance.services import keys
from ledger.entries import COMMAND
from ledger.models import Checkpoint, Log
from ledger.selectors import latest_checkpoint, latest_head, registry_log
from ledger.signing import verifier_keys
from ledger.tlog import Cosigner, Verifier, open_checkpoint, split_note
from tests.evidence.conftest import Organisation, record
from tests.evidence.witnessing.authority import Authority, verified_by_openssl, with_openssl
from tests.evidence.witnessing.conftest import Configure, later, sweep, trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness
from tests.factories.keys import verifier_key
from tests.interop import verifiers

Get = Callable[..., Any]


@pytest.fixture
def get(client: Client, organisation: Organisation) -> Get:
    made = keys.create_service_key(
        actor=COMMAND, account=organisation.account, systems=[organisation.system], scopes=["ledger:read"]
    )
    memory.refresh()
    return lambda path: client.get(path, headers={"authorization": f"Bearer {made.text}"})


@pytest.fixture
def anchored(organisation: Organisation, configure: Configure, witness: StrictWitness) -> int:
    """A log whose tree of this size is cosigned, and which has grown since."""
    configure(witness)
    trust_all(witness)
    sweep()
    size = latest_head(organisation.log.id).tree_size
    record(organisation.log, organisation.account, 3)
    return size


def base(log: Log) -> str:
    return f"/logs/{log.id}"


def opened(note: str, log: Log, *witnesses: StrictWitness) -> Any:
    return open_checkpoint(
        note,
        origin=log.origin,
        log_verifiers=[Verifier.from_vkey(verifier_key(log.origin))],
        witness_verifiers=[Verifier.from_vkey(each.vkey) for each in witnesses],
    )


class TestTheCheckpoint:
    def test_the_newest_covers_what_was_acknowledged_and_the_witnessed_one_is_beside_it(
        self, get: Get, organisation: Organisation, anchored: int, witness: StrictWitness
    ) -> None:
        log = organisation.log
        newest = opened(get(f"{base(log)}/checkpoint").text, log, witness)
        assert (newest.checkpoint.tree_size, newest.cosignatures) == (anchored + 3, ())
        beside = opened(get(f"{base(log)}/witnessed/checkpoint").text, log, witness)
        assert (beside.checkpoint.tree_size, len(beside.cosignatures)) == (anchored, 1)

    def test_the_newest_bears_the_cosignatures_of_who_has_seen_that_very_tree(
        self, get: Get, organisation: Organisation, anchored: int, witness: StrictWitness
    ) -> None:
        later(hours=1)
        sweep()
        newest = opened(get(f"{base(organisation.log)}/checkpoint").text, organisation.log, witness)
        assert (newest.checkpoint.tree_size, len(newest.cosignatures)) == (anchored + 3, 1)

    def test_tiles_are_there_under_either_prefix(self, get: Get, organisation: Organisation, anchored: int) -> None:
        for path in ("tile/0/000", "tile/entries/000", f"tile/0/001.p/{anchored - 256}"):
            first, second = get(f"{base(organisation.log)}/{path}"), get(f"{base(organisation.log)}/witnessed/{path}")
            assert (first.status_code, first.content) == (200, second.content)

    def test_a_log_that_nobody_has_seen_says_so(self, get: Get, organisation: Organisation) -> None:
        answer = get(f"{base(organisation.log)}/witnessed/checkpoint")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/log-not-witnessed")

    def test_a_quorum_that_is_not_met_is_not_served_as_witnessed(
        self, get: Get, organisation: Organisation, anchored: int, configure: Configure, witness: StrictWitness,
        second: StrictWitness,
    ) -> None:  # fmt: skip
        configure(witness, second, quorum="both", more=["group both all w1 w2"])
        log = organisation.log
        assert get(f"{base(log)}/witnessed/checkpoint").status_code == 404
        trust_all(second)
        later(hours=1)
        sweep()
        beside = opened(get(f"{base(log)}/witnessed/checkpoint").text, log, witness, second)
        assert (beside.checkpoint.tree_size, len(beside.cosignatures)) == (anchored + 3, 2)

    @pytest.mark.skipif(not verifiers.go_available(), reason="needs the packages golang-go and golang-golang-x-mod-dev")
    def test_go_opens_what_is_served_with_both_keys_and_reads_the_log_behind_it(
        self, get: Get, organisation: Organisation, anchored: int, witness: StrictWitness, tmp_path: Path
    ) -> None:
        log = organisation.log
        note = get(f"{base(log)}/witnessed/checkpoint").text
        verifiers.verify_cosigned_with_go(note, verifier_key(log.origin), witness.vkey)
        with pytest.raises(verifiers.Refused):
            other = Cosigner("witness.example/strict", bytes([77]) * 32).verifier.vkey
            verifiers.verify_cosigned_with_go(note, verifier_key(log.origin), other)
        self.mirror(get, log, note, anchored, tmp_path)
        verifiers.verify_tiles_with_go(tmp_path, verifier_key(log.origin))

    @staticmethod
    def mirror(get: Get, log: Log, note: str, size: int, folder: Path) -> None:
        from ledger.tlog import bundle_path, completed_tiles, partial_tiles, tile_path

        (folder / "checkpoint").write_text(note, encoding="utf-8")
        for tile in completed_tiles(0, size) + partial_tiles(size):
            paths = [tile_path(tile)] + ([bundle_path(tile.index, tile.width)] if tile.level == 0 else [])
            for path in paths:
                answer = get(f"{base(log)}/witnessed/{path}")
                assert answer.status_code == 200
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(answer.content)


class TestAnchorsOfALog:
    def test_they_are_listed_with_who_said_what_when(
        self, get: Get, organisation: Organisation, anchored: int, witness: StrictWitness
    ) -> None:
        log = organisation.log
        listed = get(f"/api/v1/logs/{log.id}/anchors").json()
        [item] = listed["items"]
        assert listed["next_before"] is None
        assert (item["tree_size"], item["meets_policy"], item["stamped_by"]) == (anchored, True, [])
        [by] = item["cosigned_by"]
        assert (by["witness"], by["vkey"]) == ("w1", witness.vkey)
        note = get(item["path"]).text
        assert opened(note, log, witness).checkpoint.root_hash.hex() == item["root_hash"]
        assert get("/api/v1/logs/registry/anchors").json()["items"]

    def test_page_by_page_the_largest_first(
        self, get: Get, organisation: Organisation, anchored: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("evidence.api.anchors.PAGE", 2)
        monkeypatch.setattr("evidence.anchors.LOOKED_BACK", 2)
        for _ in range(4):
            later(hours=1)
            sweep()
            record(organisation.log, organisation.account, 1)
        sizes, before = [], ""
        while True:
            page = get(f"/api/v1/logs/{organisation.log.id}/anchors{before}").json()
            sizes += [each["tree_size"] for each in page["items"]]
            if page["next_before"] is None:
                break
            before = f"?before={page['next_before']}"
        assert (
            sizes == sorted(Cosignature.objects.filter(log=organisation.log).values_list("tree_size", flat=True))[::-1]
        )
        assert len(sizes) == 5

    @pytest.mark.parametrize("before", ["x", "-1", "1.5", "9" * 40, "%D9%A1"])
    def test_a_page_that_is_none(self, get: Get, organisation: Organisation, before: str) -> None:
        answer = get(f"/api/v1/logs/{organisation.log.id}/anchors?before={before}")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/before")

    def test_a_size_that_nobody_has_seen_is_not_there(
        self, get: Get, organisation: Organisation, anchored: int
    ) -> None:
        for path in (
            f"checkpoints/{anchored + 1}",
            f"timestamps/{anchored}/nobody",
            "checkpoints/999999999999999999999",
        ):
            assert get(f"{base(organisation.log)}/{path}").status_code == 404

    def test_logs_of_other_systems_are_not_shown(self, get: Get, anchored: int, organisation: Organisation) -> None:
        from governance.services.systems import register_system
        from ledger.selectors import open_log

        other = open_log(register_system(actor=COMMAND, slug="other", name="Other").id)
        memory.refresh()
        for path in (f"/api/v1/logs/{other.id}/anchors", f"{base(other)}/witnessed/checkpoint",
                     f"{base(other)}/checkpoints/1", f"{base(other)}/timestamps/1/x"):  # fmt: skip
            assert get(path).json()["type"] == "/problems/log-not-found"

    def test_the_list_of_logs_says_how_far_each_is_seen(
        self, get: Get, organisation: Organisation, anchored: int
    ) -> None:
        listed = {row["origin"]: row for row in get("/api/v1/logs").json()}
        row = listed[organisation.log.origin]
        assert (row["cosigned_size"], row["stamped_size"]) == (anchored, 0)
        assert row["exposed_since"] is not None and row["anchors"].startswith("/api/v1/logs/")
        assert get(row["anchors"]).status_code == 200

    @with_openssl
    def test_a_time_stamp_is_served_as_openssl_wants_it(
        self, get: Get, organisation: Organisation, configure: Configure, stamping: Authority, tmp_path: Path
    ) -> None:
        configure(authorities={"own": stamping})
        sweep()
        [item] = get(f"/api/v1/logs/{organisation.log.id}/anchors").json()["items"]
        [by] = item["stamped_by"]
        answer = get(by["path"])
        assert answer["content-type"] == "application/timestamp-reply"
        text = (get(item["path"]).text.partition("\n\n")[0] + "\n").encode()
        trusted = stamping.certificates.bundle("root", "between")
        assert verified_by_openssl(answer.content, text, trusted, tmp_path)


class TestTheBestOne:
    """What an export is proven against."""

    def test_the_newest_that_is_large_enough(self, organisation: Organisation, anchored: int) -> None:
        log = organisation.log
        found = best_checkpoint(log, anchored)
        assert found is not None and found.tree_size == anchored
        assert best_checkpoint(log, anchored + 1) is None
        later(hours=1)
        sweep()
        found = best_checkpoint(log, anchored + 1)
        assert found is not None and found.tree_size == anchored + 3 == witnessed_checkpoint(log).tree_size  # type: ignore[union-attr]

    def test_one_that_meets_the_policy_before_a_newer_one_that_does_not(
        self, organisation: Organisation, anchored: int, configure: Configure, witness: StrictWitness,
        second: StrictWitness,
    ) -> None:  # fmt: skip
        log = organisation.log
        trust_all(second)
        configure(witness, second, quorum="both", more=["group both all w1 w2"])
        later(hours=1)
        sweep()
        met = latest_head(log.id).tree_size
        record(log, organisation.account, 2)
        second.behave = lambda _, handler: (503, b"", "text/plain")
        later(hours=1)
        sweep()
        best, newest = best_checkpoint(log), next(anchored_checkpoints(log))
        assert best is not None and (best.tree_size, best.meets_policy) == (met, True)
        assert (newest.tree_size, newest.meets_policy) == (met + 2, False)
        late = best_checkpoint(log, met + 1)
        assert late is not None and late.tree_size == met + 2

    def test_nothing_anchored_is_none(self, organisation: Organisation) -> None:
        latest_checkpoint(organisation.log)
        assert best_checkpoint(organisation.log) is None
        assert checkpoint_of_size(organisation.log, latest_head(organisation.log.id).tree_size) is None

    def test_it_has_the_note_with_its_cosignatures_and_its_stamps(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, stamping: Authority
    ) -> None:
        configure(witness, authorities={"own": stamping})
        trust_all(witness)
        sweep()
        found = best_checkpoint(organisation.log)
        assert found is not None and len(split_note(found.note)[1]) == 2
        assert [(each.witness, each.vkey) for each in found.cosignatures] == [("w1", witness.vkey)]
        assert [each.authority for each in found.timestamps] == ["own"]
        assert abs(found.cosignatures[0].cosigned_at - timezone.now()) < timedelta(minutes=1)


class TestWhileTheSigningKeyIsReplaced:
    def test_old_cosignatures_stand_and_new_ones_come_under_the_new_key(
        self,
        organisation: Organisation,
        anchored: int,
        people: dict[str, Any],
        witness: StrictWitness,
    ) -> None:
        log = organisation.log
        old = verifier_key(log.origin)
        begin_rotation(**people)
        # the operators of the witness hear of the new key later: either signature is enough meanwhile
        later(hours=1)
        sweep()
        both = witnessed_checkpoint(log)
        assert both is not None and len(split_note(both.note)[1]) == 3
        finish_rotation(**people)
        trust_all(witness)
        assert verifier_keys(log.origin) != [old]
        later(hours=1)
        sweep()
        alone = witnessed_checkpoint(log)
        assert alone is not None and alone.tree_size > both.tree_size
        assert opened(alone.note, log, witness).cosignatures
        kept = checkpoint_of_size(log, anchored)
        assert kept is not None
        assert open_checkpoint(
            kept.note,
            origin=log.origin,
            log_verifiers=[Verifier.from_vkey(old)],
            witness_verifiers=[Verifier.from_vkey(witness.vkey)],
        ).cosignatures

    def test_a_witness_that_knows_the_old_key_alone_says_403_and_is_told_of(
        self,
        organisation: Organisation,
        anchored: int,
        people: dict[str, Any],
        witness: StrictWitness,
    ) -> None:
        from evidence.models import Anchor, Outcome

        begin_rotation(**people)
        finish_rotation(**people)
        later(hours=1)
        sweep()
        assert {each.outcome for each in Anchor.objects.all()} == {Outcome.KEY_UNKNOWN}

    def test_a_checkpoint_that_the_old_key_alone_signed_is_not_sent_once_there_are_two(
        self,
        organisation: Organisation,
        anchored: int,
        people: dict[str, Any],
        witness: StrictWitness,
    ) -> None:
        """One that was stored a moment before: the witness may know the new key alone by now."""
        from evidence.services.checkpoints import record_checkpoints
        from ledger.entries import SERVER

        log = organisation.log
        record_checkpoints(actor=SERVER)
        before = Checkpoint.objects.filter(log=log).latest("tree_size")
        begin_rotation(**people)
        witness.trust(log.origin, verifier_key(log.origin))
        later(hours=1)
        sweep()
        sent = [each for each in witness.requests if log.origin in each.note][-1]
        assert sent.size > before.tree_size and len(split_note(sent.note)[1]) == 2
        assert witnessed_checkpoint(log).tree_size == sent.size  # type: ignore[union-attr]


def test_the_registry_is_served_under_its_name(
    get: Get, organisation: Organisation, anchored: int, witness: StrictWitness
) -> None:
    note = get("/logs/registry/witnessed/checkpoint").text
    assert opened(note, registry_log(), witness).cosignatures

"""Checkpoints go to witnesses and authorities, what comes back is verified and kept, and each failure is told."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from config.ids import new_id
from evidence.anchors import best_checkpoint, witnessed_checkpoint
from evidence.models import Anchor, AnchorKind, AnchorTarget, Cosignature, Outcome, Timestamp
from evidence.services import anchoring
from evidence.services.checkpoints import record_checkpoints
from evidence.verification import verify_everything
from governance.services.systems import register_system
from ledger.entries import COMMAND, SERVER
from ledger.heads import head_store
from ledger.logs import open_system_log
from ledger.models import Checkpoint, Log
from ledger.sealing import sealing
from ledger.selectors import latest_checkpoint, latest_head, open_log, registry_log
from ledger.tlog import Verifier, open_checkpoint
from tests.evidence.conftest import Organisation, record
from tests.evidence.witnessing.authority import Authority, verified_by_openssl, with_openssl
from tests.evidence.witnessing.conftest import Configure, later, sweep, trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness
from tests.factories.keys import verifier_key
from tests.ledger.conftest import append


def anchor_of(log: Log, name: str = "w1") -> Anchor:
    return Anchor.objects.get(log=log, name=name)


def sizes(log: Log) -> list[int]:
    return list(Cosignature.objects.filter(log=log).order_by("tree_size").values_list("tree_size", flat=True))


class TestCosignatures:
    def test_every_open_log_is_sent_and_its_cosignature_kept(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness)
        sweep()
        for log in Log.objects.all():
            stored = witnessed_checkpoint(log)
            assert stored is not None and stored.tree_size == latest_head(log.id).tree_size
            opened = open_checkpoint(
                stored.note,
                origin=log.origin,
                log_verifiers=[Verifier.from_vkey(verifier_key(log.origin))],
                witness_verifiers=[Verifier.from_vkey(witness.vkey)],
            )
            assert len(opened.cosignatures) == 1
            row = anchor_of(log)
            assert (row.outcome, row.tree_size, row.failures) == (Outcome.ANCHORED, stored.tree_size, 0)
        assert witness.wrong == []
        assert list(verify_everything()) == []

    def test_a_log_that_grew_is_sent_again_after_the_interval_with_a_proof_from_the_last(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, settings: Settings
    ) -> None:
        configure(witness)
        trust_all(witness)
        sweep()
        first = latest_head(organisation.log.id).tree_size
        record(organisation.log, organisation.account, 300)
        assert sweep() == []
        later(seconds=settings.WITNESS_SECONDS + 1)
        sweep()
        last = next(each for each in reversed(witness.requests) if organisation.log.origin in each.note)
        assert (last.old, last.size) == (first, first + 300) and last.proof
        assert sizes(organisation.log) == [first, first + 300]

    def test_a_log_that_did_not_grow_is_not_sent_again(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness)
        sweep()
        asked = len(witness.requests)
        later(days=1)
        assert sweep() == []
        assert len(witness.requests) == asked

    def test_a_new_log_is_sent_from_its_first_entry(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness)
        sweep()
        log = open_log(register_system(actor=COMMAND, slug="later", name="Later").id)
        witness.trust(log.origin, verifier_key(log.origin))
        later(hours=1)
        sweep()
        assert sizes(log) == [latest_head(log.id).tree_size]

    @pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513])
    def test_sizes_about_which_trees_are_peculiar(
        self, db: None, configure: Configure, witness: StrictWitness, size: int
    ) -> None:
        with sealing() as seal:
            log = open_system_log(seal, actor=SERVER, system_id=new_id(), slug="credit-limits")
        configure(witness)
        trust_all(witness)
        append(log, size - 1)
        sweep()
        append(log, 3)
        later(hours=1)
        sweep()
        assert sizes(log) == [size, size + 3] and witness.wrong == []

    def test_a_witness_that_knows_more_than_we_remember_is_met_where_it_is(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        """Our rows are work: lost, or of before the witness was first asked by another process."""
        configure(witness)
        trust_all(witness)
        sweep()
        before = sizes(organisation.log)
        Anchor.objects.all().delete()
        record(organisation.log, organisation.account, 5)
        later(hours=1)
        sweep()
        assert sizes(organisation.log) == [*before, before[-1] + 5]
        assert [each.old for each in witness.requests[-4:] if organisation.log.origin in each.note] == [0, before[-1]]

    def test_a_cosignature_that_was_given_and_never_stored_is_given_again(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The worker was killed after the answer: the witness has the tree, and cosigns the same one once more."""
        configure(witness)
        trust_all(witness)

        def killed(*arguments: Any) -> None:
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(anchoring, "_keep_cosignature", killed)
            for anchor_id in anchoring.due_anchors():
                with pytest.raises(SystemExit):
                    anchoring.ask(anchor_id)
        assert Cosignature.objects.count() == 0
        assert anchoring.due_anchors() == [], "somebody holds the leases"
        Anchor.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        sweep()
        size = latest_head(organisation.log.id).tree_size
        assert sizes(organisation.log) == [size]
        same = [each for each in witness.requests if organisation.log.origin in each.note]
        assert [(each.old, each.size, each.proof) for each in same] == [(0, size, []), (0, size, []), (size, size, [])]

    def test_a_log_that_grew_while_it_was_asked_about_is_no_rollback(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        """Another process sent a newer tree in between: the larger size is ours."""
        configure(witness)
        trust_all(witness)
        log = organisation.log
        due = {anchor.log_id: anchor.pk for anchor in Anchor.objects.filter(pk__in=anchoring.due_anchors())}
        record(log, organisation.account, 7)
        newer = latest_checkpoint(log)
        witness.heads[log.origin] = (newer.tree_size, newer.root_hash, "")
        asked = anchoring.ask(due[log.id])
        assert asked is not None and (asked.outcome, asked.tree_size) == (Outcome.ANCHORED, newer.tree_size)
        assert sizes(log) == [newer.tree_size]

    def test_all_witnesses_are_asked_about_one_tree_so_that_a_quorum_can_be_met(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, second: StrictWitness
    ) -> None:
        configure(witness, second, quorum="both", more=["group both all w1 w2"])
        trust_all(witness, second)
        for anchor_id in anchoring.due_anchors():
            anchoring.ask(anchor_id)
            record(organisation.log, organisation.account, 1)
        stored = witnessed_checkpoint(organisation.log)
        assert stored is not None and stored.meets_policy
        assert {each.vkey for each in stored.cosignatures} == {witness.vkey, second.vkey}

    def test_with_one_of_two_missing_the_quorum_is_not_met(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, second: StrictWitness
    ) -> None:
        configure(witness, second, quorum="both", more=["group both all w1 w2"])
        trust_all(witness)
        sweep()
        assert witnessed_checkpoint(organisation.log) is None
        found = best_checkpoint(organisation.log)
        assert found is not None and not found.meets_policy and len(found.cosignatures) == 1

    def test_what_is_sent_is_only_what_the_head_store_holds(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness)
        log = organisation.log
        head_store().advance(log.id, latest_head(log.id).tree_size + 4, bytes(32))
        sweep()
        assert all(log.origin not in each.note for each in witness.requests)
        row = anchor_of(log)
        assert (row.outcome, sizes(log)) == (Outcome.NOT_SIGNED, [])
        assert sizes(registry_log()), "the others are sent all the same"

    def test_the_checkpoint_that_the_registry_recorded_is_the_one_that_is_sent(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        record_checkpoints(actor=SERVER)
        recorded = Checkpoint.objects.get(log=organisation.log)
        configure(witness)
        trust_all(witness)
        sweep()
        assert Cosignature.objects.get(log=organisation.log).checkpoint == recorded
        assert Checkpoint.objects.filter(log=organisation.log).count() == 1
        assert Checkpoint.objects.get(log=registry_log()).purpose == Checkpoint.Purpose.ANCHORED

    def test_a_witness_under_another_key_is_another_witness(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness, second: StrictWitness
    ) -> None:
        configure(witness)
        trust_all(witness, second)
        sweep()
        configure(second)
        sweep()
        size = latest_head(organisation.log.id).tree_size
        assert sizes(organisation.log) == [size, size]
        assert set(Cosignature.objects.values_list("vkey", flat=True)) == {witness.vkey, second.vkey}
        row = anchor_of(organisation.log)
        assert (row.known_size, row.outcome) == (size, Outcome.ANCHORED)

    def test_nobody_is_asked_where_nobody_is_named(self, organisation: Organisation, settings: Settings) -> None:
        assert anchoring.due_anchors() == []
        assert not Anchor.objects.exists() and not AnchorTarget.objects.exists()

    def test_a_file_that_cannot_be_read_asks_nobody_and_loses_nothing(
        self, organisation: Organisation, configure: Configure, witness: StrictWitness
    ) -> None:
        policy = configure(witness)
        trust_all(witness)
        sweep()
        kept = policy.read_bytes()
        policy.write_text("witness w1\n")
        record(organisation.log, organisation.account, 1)
        later(hours=1)
        assert anchoring.due_anchors() == []
        policy.write_bytes(kept)
        assert sweep()


@with_openssl
class TestTimeStamps:
    def test_every_open_log_is_stamped_and_openssl_agrees(
        self, organisation: Organisation, configure: Configure, stamping: Authority, tmp_path: Any
    ) -> None:
        configure(authorities={"own": stamping})
        sweep()
        for log in Log.objects.all():
            found = best_checkpoint(log)
            assert found is not None and found.tree_size == latest_head(log.id).tree_size
            [stamp] = found.timestamps
            assert abs(stamp.stamped_at - timezone.now()) < timedelta(minutes=1)
            text = (found.note.partition("\n\n")[0] + "\n").encode()
            root = stamping.certificates.pem("root")
            assert verified_by_openssl(stamp.token, text, stamping.certificates.bundle("root", "between"), tmp_path)
            assert not verified_by_openssl(stamp.token, text + b"x", root, tmp_path)
        assert list(verify_everything()) == []

    def test_it_is_asked_at_its_own_interval(
        self, organisation: Organisation, configure: Configure, stamping: Authority, witness: StrictWitness,
        settings: Settings,
    ) -> None:  # fmt: skip
        settings.WITNESS_SECONDS, settings.TIMESTAMP_SECONDS = 60, 3600
        configure(witness, authorities={"own": stamping})
        trust_all(witness)
        sweep()
        record(organisation.log, organisation.account, 3)
        later(seconds=61)
        sweep()
        assert len(sizes(organisation.log)) == 2
        assert Timestamp.objects.filter(log=organisation.log).count() == 1
        later(seconds=3600)
        sweep()
        assert Timestamp.objects.filter(log=organisation.log).count() == 2

    def test_witness_and_authority_of_one_name_do_not_disturb_each_other(
        self, organisation: Organisation, configure: Configure, stamping: Authority, witness: StrictWitness
    ) -> None:
        configure(witness, authorities={"w1": stamping})
        trust_all(witness)
        sweep()
        kinds = Anchor.objects.filter(log=organisation.log).values_list("kind", "outcome")
        assert set(kinds) == {(AnchorKind.WITNESS, Outcome.ANCHORED), (AnchorKind.AUTHORITY, Outcome.ANCHORED)}

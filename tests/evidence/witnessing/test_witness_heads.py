"""What a witness remembers and the database does not: found, recorded, sealed, alerted, and nothing more is signed."""

import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from config.health import Unready
from console.health import ledger_continues
from evidence.errors import HeadAlreadyKnown, LogStillContinues, NotWitnessed, VerificationFailed
from evidence.models import Anchor, Outcome
from evidence.services import witness_heads
from evidence.services.custody import close_log
from evidence.services.exposure_alerts import close_settled_claims
from evidence.services.self_audit import alert_discontinued
from evidence.services.witness_heads import Verdict, adopt_witnessed_head, seal_contradictions
from evidence.verification import verify_everything
from governance.models import Person
from ledger.entries import COMMAND, SERVER
from ledger.errors import HeadMissing, LedgerRolledBack
from ledger.heads import head_store
from ledger.models import Contradiction, Entry, Log
from ledger.selectors import latest_checkpoint, latest_head, open_log, registry_log, root_at
from ledger.signing import signers_for
from ledger.tlog import Checkpoint as Stated
from ledger.tlog import Signer, sign_checkpoint
from notices.models import Alert
from tests.evidence.conftest import Organisation, record
from tests.evidence.test_custody import forget_head
from tests.evidence.witnessing.conftest import Configure, later, look_round, sweep, trust_all
from tests.evidence.witnessing.strict_witness import Answer, StrictWitness
from tests.factories.register import make_person


def remember(
    witness: StrictWitness, log: Log, tree_size: int, root: bytes, signers: list[Signer] | None = None
) -> None:
    """The witness has cosigned this tree of the log, signed by these keys (as a rule the log's own)."""
    note = sign_checkpoint(Stated(log.origin, tree_size, root), signers or signers_for(log.origin))
    text = note.rpartition("\n\n")[0] + "\n"
    witness.heads[log.origin] = (tree_size, root, note + witness.line(text))


@pytest.fixture
def watched(organisation: Organisation, configure: Configure, witness: StrictWitness) -> StrictWitness:
    """A witness that has cosigned every log as it is now."""
    configure(witness)
    trust_all(witness)
    sweep()
    return witness


@pytest.fixture
def ahead(watched: StrictWitness, organisation: Organisation) -> int:
    """The witness remembers 40 entries more than the database has: an old one was restored, the head store too."""
    size = latest_head(organisation.log.id).tree_size + 40
    remember(watched, organisation.log, size, bytes([5]) * 32)
    later(hours=1)
    return size


def verdicts(log: Log, looks: list[witness_heads.Look]) -> list[Verdict]:
    return [look.verdict for look in looks if look.log == log]


def alerts() -> list[Alert]:
    return list(Alert.objects.filter(kind="ledger.witness_contradicts").exclude(status=Alert.Status.CLOSED))


class TestLooking:
    def test_what_fits_is_no_matter(self, watched: StrictWitness, organisation: Organisation) -> None:
        later(hours=1)
        looks = look_round()
        assert {look.verdict for look in looks} == {Verdict.FITS} and len(looks) == Log.objects.count()
        row = Anchor.objects.get(log=organisation.log)
        assert row.seen_size == row.tree_size and row.looked_at is not None
        assert not Contradiction.objects.exists() and alerts() == []

    def test_a_log_that_grew_since_still_fits(self, watched: StrictWitness, organisation: Organisation) -> None:
        record(organisation.log, organisation.account, 300)
        later(hours=1)
        assert verdicts(organisation.log, look_round()) == [Verdict.FITS]

    def test_a_witness_that_shows_nothing_is_no_matter(
        self, watched: StrictWitness, organisation: Organisation
    ) -> None:
        watched.heads.clear()
        later(hours=1)
        assert {look.verdict for look in look_round()} == {Verdict.NONE}

    def test_it_is_looked_at_again_after_the_interval_and_once_by_two(
        self, watched: StrictWitness, settings: Settings
    ) -> None:
        later(hours=1)
        number = len(look_round())
        assert number and look_round() == []
        later(seconds=settings.WITNESS_LOOK_SECONDS + 1)
        assert len(look_round()) == number

    @pytest.mark.parametrize("status", [500, 503, 302])
    def test_one_that_does_not_answer_is_left_for_a_minute(self, watched: StrictWitness, status: int) -> None:
        watched.behave = lambda _, handler: (status, b"", "text/plain")
        later(hours=1)
        looks = look_round()
        assert [look.verdict for look in looks] == [Verdict.UNANSWERED], "the others are not tried in vain"
        assert alerts() == []

    @pytest.mark.parametrize("what", ["unsigned", "uncosigned", "another log's", "no text", "changed"])
    def test_what_does_not_bear_both_signatures_proves_nothing(
        self, watched: StrictWitness, organisation: Organisation, what: str
    ) -> None:
        log, size = organisation.log, latest_head(organisation.log.id).tree_size + 9
        stranger = [Signer(log.origin, bytes([99]) * 32)]
        remember(watched, log, size, bytes(32), stranger if what == "unsigned" else None)
        _, root, note = watched.heads[log.origin]
        lines = note.splitlines(keepends=True)
        changed = {
            "uncosigned": "".join(lines[:-1]),
            "another log's": watched.heads[registry_log().origin][2],
            "no text": "\udcff",
            "changed": note.replace(f"\n{size}\n", f"\n{size + 1}\n"),
        }.get(what, note)
        watched.heads[log.origin] = (size, root, changed.encode("utf-8", "surrogateescape").decode("latin-1"))
        later(hours=1)
        assert verdicts(log, look_round()) in ([Verdict.UNANSWERED], [])
        assert not Contradiction.objects.exists()
        latest_checkpoint(log)


class TestARestoredOldDatabase:
    """With a head store as old as itself: nothing on this host knows better."""

    def test_is_caught(self, organisation: Organisation, ahead: int) -> None:
        latest_checkpoint(organisation.log)
        assert verdicts(organisation.log, look_round()) == [Verdict.AHEAD]
        with pytest.raises(LedgerRolledBack):
            latest_checkpoint(organisation.log)
        with pytest.raises(LedgerRolledBack):
            record(organisation.log, organisation.account, 1)
        with pytest.raises(Unready, match=organisation.log.origin):
            ledger_continues()
        latest_checkpoint(registry_log())

    def test_is_alerted_once_and_sealed_in_the_registry_log(self, organisation: Organisation, ahead: int) -> None:
        for _ in range(3):
            look_round()
            later(hours=1)
        [alert] = alerts()
        assert (alert.severity, alert.occurrences) == (Alert.Severity.CRITICAL, 1)
        assert alert.facts["verdict"] == "ahead" and alert.facts["proven"] == "yes"
        assert (alert.facts["seen_size"], alert.facts["witness"]) == (ahead, "witness.example/strict")
        alert_discontinued(actor=SERVER)
        assert not Alert.objects.filter(kind="ledger.discontinued").exists(), "one alert for one state of affairs"
        [entry] = Entry.objects.filter(kind="checkpoint.contradicted")
        assert entry.log == registry_log()
        body = json.loads(bytes(entry.data))["body"]
        assert (body["log"], body["tree_size"], body["found"]) == (str(organisation.log.id), ahead, ahead - 40)
        assert body["root_hash"] == (bytes([5]) * 32).hex()

    def test_is_named_by_verify_logs(self, organisation: Organisation, ahead: int) -> None:
        look_round()
        codes = {finding.code for finding in verify_everything()}
        assert "contradicted" in codes and codes <= {"contradicted", "rolled-back"}

    def test_is_known_at_once_when_the_same_backup_is_restored_again(
        self, organisation: Organisation, ahead: int
    ) -> None:
        """The row goes with the database; the head store has learnt."""
        look_round()
        head = head_store().head(organisation.log.id)
        assert head is not None and (head.tree_size, head.root_hash) == (ahead, bytes([5]) * 32)

    def test_is_closed_by_two_and_goes_on_in_a_successor_that_states_the_loss(
        self, organisation: Organisation, ahead: int
    ) -> None:
        look_round()
        first, second = (make_person(administrator=True) for _ in range(2))
        found = latest_head(organisation.log.id).tree_size
        successor = close_log(actor=COMMAND, asked_by=first, approved_by=second, log=organisation.log)
        said = json.loads(bytes(successor.entries.get(leaf_index=0).data))["body"]["predecessor"]
        assert said["missing"] == [found, ahead] and said["tree_size"] == ahead
        assert said["contradicted"] == [[ahead, (bytes([5]) * 32).hex()]]
        record(successor, organisation.account, 2)
        assert open_log(organisation.system.id) == successor
        ledger_continues()
        assert list(verify_everything()) == []
        later(hours=1)
        assert verdicts(organisation.log, look_round()) == [], "a closed log is not looked at any more"

    def test_before_it_is_looked_for_the_refusal_of_the_witness_leads_there(
        self, organisation: Organisation, watched: StrictWitness, ahead: int
    ) -> None:
        """A 409 with a larger size is only its word; what it shows to monitors is the proof."""
        record(organisation.log, organisation.account, 1)
        later(hours=1)
        Anchor.objects.update(next_look_at=timezone.now() + timedelta(days=1))
        asked = [anchor for anchor in sweep() if anchor.log == organisation.log]
        assert [anchor.outcome for anchor in asked] == [Outcome.AHEAD]
        assert Contradiction.objects.filter(log=organisation.log).exists()


class TestTwoHistories:
    def test_another_root_further_back_is_caught(self, watched: StrictWitness, organisation: Organisation) -> None:
        """The old database was restored, and grew beyond what the witness saw before anybody looked."""
        log = organisation.log
        size = latest_head(log.id).tree_size
        remember(watched, log, size - 3, bytes([6]) * 32)
        later(hours=1)
        assert verdicts(log, look_round()) == [Verdict.FORKED]
        with pytest.raises(LedgerRolledBack):
            record(log, organisation.account, 1)
        [alert] = alerts()
        assert alert.facts["verdict"] == "forked"
        head = head_store().head(log.id)
        assert head is not None and head.tree_size == size, "the head store is not turned back"
        with pytest.raises(Unready):
            ledger_continues()

    def test_it_can_be_closed_though_this_host_signed_every_entry(
        self, watched: StrictWitness, organisation: Organisation
    ) -> None:
        log = organisation.log
        size = latest_head(log.id).tree_size
        first, second = (make_person(administrator=True) for _ in range(2))
        with pytest.raises(LogStillContinues):
            close_log(actor=COMMAND, asked_by=first, approved_by=second, log=log)
        remember(watched, log, size - 3, bytes([6]) * 32)
        later(hours=1)
        look_round()
        successor = close_log(actor=COMMAND, asked_by=first, approved_by=second, log=log)
        said = json.loads(bytes(successor.entries.get(leaf_index=0).data))["body"]["predecessor"]
        assert said["contradicted"] == [[size - 3, (bytes([6]) * 32).hex()]]
        assert (said["tree_size"], said["found"], said["missing"]) == (size, size, [size, size])
        assert list(verify_everything()) == []

    def test_a_422_without_proof_is_alerted_as_a_claim_and_stops_nothing(
        self, watched: StrictWitness, organisation: Organisation
    ) -> None:
        record(organisation.log, organisation.account, 1)
        later(hours=1)

        def refuses(_: StrictWitness, handler: BaseHTTPRequestHandler) -> Answer | None:
            return (422, b"", "text/plain") if handler.command == "POST" else None

        watched.behave = refuses
        sweep()
        found = alerts()
        assert found and {alert.facts["proven"] for alert in found} == {"no"}
        record(organisation.log, organisation.account, 1)
        assert not Contradiction.objects.exists()
        watched.behave = None
        later(hours=2)
        assert close_settled_claims() == 0
        sweep()
        assert close_settled_claims() == len(found) and alerts() == []

    def test_the_registry_log_itself_is_contradicted_and_told_of_in_its_successor(
        self, watched: StrictWitness, organisation: Organisation
    ) -> None:
        registry = registry_log()
        remember(watched, registry, latest_head(registry.id).tree_size + 5, bytes([7]) * 32)
        later(hours=1)
        look_round()
        [alert] = alerts()
        assert alert.seal_pending, "said all the same"
        assert seal_contradictions(actor=SERVER) == 0
        first, second = _two_administrators_made_before()
        close_log(actor=COMMAND, asked_by=first, approved_by=second, log=registry)
        assert seal_contradictions(actor=SERVER) == 1 and seal_contradictions(actor=SERVER) == 0
        assert Entry.objects.get(kind="checkpoint.contradicted").log == registry_log()


def _two_administrators_made_before() -> list[Person]:
    """The register cannot be written while its log is in trouble; whoever is there closes it."""
    found = list(Person.objects.filter(assignments__role="administrator", assignments__status="accepted")[:2])
    assert len(found) == 2
    return found


@pytest.fixture(autouse=True)
def administrators(organisation: Organisation) -> list[Person]:
    return [make_person(administrator=True) for _ in range(2)]


class TestAHostWithoutAHead:
    @pytest.fixture
    def headless(self, watched: StrictWitness, organisation: Organisation) -> Log:
        record(organisation.log, organisation.account, 4)
        forget_head(organisation.log)
        with pytest.raises(HeadMissing):
            record(organisation.log, organisation.account, 1)
        return organisation.log

    def test_starts_from_what_its_witnesses_show(self, headless: Log, organisation: Organisation) -> None:
        size = latest_head(headless.id).tree_size
        head = adopt_witnessed_head(actor=COMMAND, log=headless)
        assert head.tree_size == size
        body = json.loads(bytes(headless.entries.order_by("-leaf_index")[0].data))["body"]
        assert (body["tree_size"], body["witnessed_size"]) == (size, size - 4)
        assert body["witnesses"] == ["witness.example/strict"]
        record(organisation.log, organisation.account, 1)
        assert list(verify_everything()) == []
        with pytest.raises(HeadAlreadyKnown):
            adopt_witnessed_head(actor=COMMAND, log=headless)

    def test_is_shown_an_old_database_and_knows(self, headless: Log, watched: StrictWitness) -> None:
        remember(watched, headless, latest_head(headless.id).tree_size + 1, bytes([8]) * 32)
        with pytest.raises(VerificationFailed, match="larger"):
            adopt_witnessed_head(actor=COMMAND, log=headless)
        assert Contradiction.objects.filter(log=headless).exists()
        with pytest.raises(LedgerRolledBack):
            latest_checkpoint(headless)

    def test_is_shown_a_rewritten_one_and_knows(self, headless: Log, watched: StrictWitness) -> None:
        remember(watched, headless, 5, bytes([8]) * 32)
        with pytest.raises(VerificationFailed, match="another root"):
            adopt_witnessed_head(actor=COMMAND, log=headless)

    def test_too_few_witnesses_are_not_enough(
        self, headless: Log, watched: StrictWitness, second: StrictWitness, configure: Configure
    ) -> None:
        configure(watched, second, quorum="both", more=["group both all w1 w2"])
        with pytest.raises(NotWitnessed, match="1 of 2"):
            adopt_witnessed_head(actor=COMMAND, log=headless)
        second.heads[headless.origin] = (3, root_at(headless.id, 3), "")
        remember(second, headless, 3, root_at(headless.id, 3))
        assert adopt_witnessed_head(actor=COMMAND, log=headless).tree_size > 3

    def test_the_word_of_a_witness_without_the_logs_signature_is_none(
        self, headless: Log, watched: StrictWitness
    ) -> None:
        stranger = [Signer(headless.origin, bytes([99]) * 32)]
        remember(watched, headless, 5, root_at(headless.id, 5), stranger)
        with pytest.raises(NotWitnessed):
            adopt_witnessed_head(actor=COMMAND, log=headless)


def test_the_page_says_what_happened(
    organisation: Organisation, watched: StrictWitness, ahead: int, client: Client
) -> None:
    look_round()
    client.force_login(make_person(auditor=True))
    page = client.get("/admin/logs/witnesses/").content.decode()
    assert "contradicted" in page and "witness.example/strict" in page and f"{ahead:,}" in page
    every = client.get("/admin/").content.decode()
    assert "The ledger is in trouble" in every
    alert = alerts()[0]
    client.force_login(make_person(administrator=True))
    told: Any = client.get(f"/admin/notices/alert/{alert.pk}/change/").content.decode()
    assert "bears this log" in told and "put back to an older state" in told

"""What a witness holds against a log, in everything that says how the logs stand, and in the way out by two people."""

import io
import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from console.ledger_health import log_states
from evidence.errors import CustodyChanged, HeadAlreadyKnown, LogStillContinues
from evidence.log_standing import LogStanding, Standing, log_standings
from evidence.models import CustodyRequest
from evidence.services.custody import adopt_head, close_log
from evidence.services.custody_requests import approve_custody, ask_custody, carry_out, needing
from evidence.verification import verify_everything
from evidence.verification.logs import is_declared_lost
from governance.models import Person
from ledger.entries import COMMAND, SERVER
from ledger.errors import CONTRADICTED, LedgerRolledBack
from ledger.heads import head_store
from ledger.models import Log
from ledger.selectors import discontinued_logs, latest_checkpoint, latest_head, open_log, registry_log, root_at
from tests.evidence.conftest import Organisation, record
from tests.evidence.test_custody import forget_head, sign_more_than_there_is
from tests.evidence.witnessing.conftest import Configure, later, look_round, sweep, trust_all
from tests.evidence.witnessing.strict_witness import StrictWitness
from tests.evidence.witnessing.test_witness_heads import remember
from tests.factories.register import actor_of, make_person

What = CustodyRequest.What
ROOT = bytes([9]) * 32
NAME = "witness.example/strict"


@dataclass(frozen=True)
class Held:
    """A log of `size` entries, and the witness that can be made to hold something else."""

    organisation: Organisation
    witness: StrictWitness
    size: int
    pair: tuple[Person, Person]

    @property
    def log(self) -> Log:
        return self.organisation.log

    def show(self, tree_size: int, root: bytes = ROOT, log: Log | None = None) -> None:
        """The witness shows this tree, and it is looked at."""
        remember(self.witness, log or self.log, tree_size, root)
        later(hours=1)
        look_round()

    def close(self, **more: Any) -> Log:
        first, second = self.pair
        return close_log(actor=COMMAND, asked_by=first, approved_by=second, log=self.log, **more)


@pytest.fixture
def held(organisation: Organisation, configure: Configure, witness: StrictWitness) -> Held:
    pair = make_person(administrator=True), make_person(administrator=True)
    configure(witness)
    trust_all(witness)
    sweep()
    return Held(organisation, witness, latest_head(organisation.log.id).tree_size, pair)


def standing(log: Log) -> LogStanding:
    [found] = [each for each in log_standings() if each.log == log]
    return found


def stated(log: Log) -> dict[str, Any]:
    """What a successor says of the log before it."""
    said: dict[str, Any] = json.loads(bytes(log.entries.get(leaf_index=0).data))["body"]["predecessor"]
    return said


def logs() -> tuple[int, str]:
    """`manage.py logs`: its exit code, and what it says."""
    out = io.StringIO()
    try:
        call_command("logs", stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


class TestHowItStands:
    def test_a_larger_tree_outside_is_a_lost_tail(self, held: Held) -> None:
        held.show(held.size + 40)
        found = standing(held.log)
        assert (found.standing, found.missing) == (Standing.BEHIND, (held.size, held.size + 40))
        code, said = logs()
        line = next(line for line in said.splitlines() if line.startswith(held.log.origin))
        assert (
            code == 3 and "40 entries" in line and f"{NAME} holds a signed tree of {held.size + 40:,} entries" in line
        )
        assert "1 log lost entries that were signed" in said and "two histories" not in said

    def test_another_tree_of_the_same_or_a_smaller_size_is_another_history(self, held: Held) -> None:
        held.show(held.size - 3)
        found = standing(held.log)
        assert (found.standing, found.lost) == (Standing.FORKED, None)
        code, said = logs()
        line = next(line for line in said.splitlines() if line.startswith(held.log.origin))
        assert code == 3 and "is one of two histories" in line and f"{held.size - 3:,} entries" in line
        assert "Of 1 log two histories were signed" in said and "lost entries" not in said

    @pytest.mark.parametrize("change", [-3, 0, 40])
    def test_everything_that_says_how_logs_stand_says_it(self, held: Held, change: int) -> None:
        held.show(held.size + change)
        assert discontinued_logs() == [held.log.origin]
        [state] = [state for state in log_states() if state.id == held.log.id]
        assert state.trouble == CONTRADICTED and not state.is_well
        assert [each.log for each in needing(What.CLOSE)] == [held.log]
        with pytest.raises(LedgerRolledBack):
            latest_checkpoint(held.log)
        with pytest.raises(LedgerRolledBack):
            record(held.log, held.organisation.account, 1)

    def test_one_that_was_recorded_stands_though_the_database_should_hold_that_tree(self, held: Held) -> None:
        """Sealing refuses while the row is there: so there is a way out while it is there."""
        held.log.contradictions.create(
            tree_size=held.size, root_hash=root_at(held.log.id, held.size), note="", witness=NAME, found_size=1
        )
        assert standing(held.log).standing is Standing.FORKED
        record(held.close(), held.organisation.account, 1)

    def test_other_logs_are_not_touched(self, held: Held) -> None:
        held.show(held.size + 40)
        assert standing(registry_log()).standing is Standing.CONTINUES
        assert f"{registry_log().origin}: {latest_head(registry_log().id).tree_size:,} entries, continues" in logs()[1]


class TestTheWayOut:
    def test_a_successor_of_a_lost_tail_states_it(self, held: Held) -> None:
        held.show(held.size + 40)
        said = stated(held.close())
        assert (said["tree_size"], said["root_hash"]) == (held.size + 40, ROOT.hex())
        assert (said["found"], said["missing"]) == (held.size, [held.size, held.size + 40])
        assert said["contradicted"] == [[held.size + 40, ROOT.hex()]] and "tail" not in said
        assert list(verify_everything()) == [] and logs()[0] == 0

    @pytest.mark.parametrize("change", [-3, 0])
    def test_a_successor_of_one_of_two_histories_states_both(self, held: Held, change: int) -> None:
        """Its own history lost nothing: whoever verifies an export of it finds the tree that entry 0 names."""
        held.show(held.size + change)
        head = latest_head(held.log.id)
        said = stated(held.close())
        assert (said["tree_size"], said["root_hash"]) == (held.size, head.root_hash.hex())
        assert (said["found"], said["missing"]) == (held.size, [held.size, held.size])
        assert said["contradicted"] == [[held.size + change, ROOT.hex()]]
        assert is_declared_lost(held.log, head_store().head(held.log.id))
        assert list(verify_everything()) == [] and logs()[0] == 0
        record(open_log(held.organisation.system.id), held.organisation.account, 2)

    def test_of_several_the_largest_is_the_end_and_all_are_stated(self, held: Held) -> None:
        held.show(held.size - 3)
        held.show(held.size + 7)
        held.show(held.size + 40)
        said = stated(held.close())
        assert said["missing"] == [held.size, held.size + 40]
        assert said["contradicted"] == [[held.size + more, ROOT.hex()] for more in (-3, 7, 40)]
        assert list(verify_everything()) == []

    def test_what_this_host_signed_beyond_another_history_is_what_is_missing(self, held: Held) -> None:
        held.show(held.size - 3)
        sign_more_than_there_is(held.log)
        assert standing(held.log).standing is Standing.BEHIND
        said = stated(held.close())
        assert said["missing"] == [held.size, held.size + 40]
        assert said["contradicted"] == [[held.size - 3, ROOT.hex()]]
        assert list(verify_everything()) == []

    def test_one_that_is_not_contradicted_is_not_closed(self, held: Held) -> None:
        held.show(held.size, root_at(held.log.id, held.size))
        with pytest.raises(LogStillContinues):
            held.close()

    def test_the_registry_log_is_closed_in_the_same_way(self, held: Held) -> None:
        registry = registry_log()
        size = latest_head(registry.id).tree_size
        held.show(size + 5, log=registry)
        assert logs()[0] == 3
        first, second = held.pair
        successor = close_log(actor=COMMAND, asked_by=first, approved_by=second, log=registry)
        said = stated(successor)
        assert said["tree_size"] == size + 5 and said["contradicted"] == [[size + 5, ROOT.hex()]]
        assert registry_log() == successor and logs()[0] == 0


class TestAHostWithoutAHead:
    def test_whose_log_is_one_of_two_histories_closes_it_and_says_that_nobody_knows_its_tail(self, held: Held) -> None:
        forget_head(held.log)
        held.show(held.size - 3)
        assert standing(held.log).standing is Standing.NO_HEAD
        code, said = logs()
        assert code == 3 and "Of 1 log this host has no head" in said and f"{NAME} holds a signed tree" in said
        first, second = held.pair
        with pytest.raises(LedgerRolledBack):
            adopt_head(actor=COMMAND, asked_by=first, approved_by=second, log=held.log)
        with pytest.raises(LogStillContinues):
            held.close()
        out = stated(held.close(tail_unknown=True))
        assert (out["tail"], out["tree_size"], out["found"]) == ("unknown", held.size, held.size)
        assert out["contradicted"] == [[held.size - 3, ROOT.hex()]]
        assert list(verify_everything()) == []

    def test_that_learnt_of_a_larger_tree_knows_the_tail(self, held: Held) -> None:
        """The head store was told: there is nothing unknown about it any more."""
        forget_head(held.log)
        held.show(held.size + 40)
        assert standing(held.log).standing is Standing.BEHIND
        with pytest.raises(HeadAlreadyKnown):
            held.close(tail_unknown=True)
        assert stated(held.close())["missing"] == [held.size, held.size + 40]

    def test_whose_head_store_could_not_be_told_states_the_larger_tree_all_the_same(
        self, held: Held, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        forget_head(held.log)
        monkeypatch.setattr("evidence.services.witness_heads._tell_head_store", lambda *told: None)
        held.show(held.size + 40)
        assert standing(held.log).standing is Standing.NO_HEAD
        said = stated(held.close(tail_unknown=True))
        assert (said["tail"], said["missing"]) == ("unknown", [held.size, held.size + 40])


class TestTwoSteps:
    def test_the_second_administrator_sees_what_is_held_against_it(self, held: Held, client: Client) -> None:
        held.show(held.size - 3)
        first, second = held.pair
        asked = ask_custody(actor=actor_of(first), what=What.CLOSE, reason="A witness has another history.")
        client.force_login(second)
        page = client.get(f"/admin/logs/custody/{asked.pk}/").content.decode()
        assert f"{NAME} holds a tree of {held.size - 3:,} entries" in page
        every = client.get("/admin/logs/custody/").content.decode()
        assert "one of two histories" in every and f"{NAME} holds a tree of {held.size - 3:,} entries" in every
        approve_custody(actor=actor_of(second), request_id=asked.pk)
        lines: list[str] = []
        carry_out(actor=COMMAND, request_id=asked.pk, say=lines.append)
        assert lines == [f"{held.log.origin}: closed; continued by {open_log(held.organisation.system.id).origin}"]

    def test_what_came_to_light_after_both_agreed_is_agreed_to_anew(self, held: Held) -> None:
        held.show(held.size - 3)
        first, second = held.pair
        asked = ask_custody(actor=actor_of(first), what=What.CLOSE, reason="A witness has another history.")
        approve_custody(actor=actor_of(second), request_id=asked.pk)
        held.show(held.size - 2)
        with pytest.raises(CustodyChanged, match="another tree"):
            carry_out(actor=SERVER, request_id=asked.pk)
        assert not hasattr(Log.objects.get(pk=held.log.pk), "closure")

    def test_the_command_with_two_passwords(self, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
        held.show(held.size - 3)
        for person in held.pair:
            person.set_password("a-long-password-of-theirs")
            person.save(update_fields=["password"])
        monkeypatch.setattr("getpass.getpass", lambda prompt: "a-long-password-of-theirs")
        named = {"by": held.pair[0].email, "approved_by": held.pair[1].email}
        with pytest.raises(CommandError, match="no log"):
            call_command("close_log", "nonsense", **named)
        out = io.StringIO()
        call_command("close_log", "all", stdout=out, **named)
        assert f"{held.log.origin}: closed; continued by" in out.getvalue()
        assert f"{registry_log().origin}: left as it is" in out.getvalue()

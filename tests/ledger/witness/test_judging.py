"""What a witness answers: every status code of C2SP tlog-witness, and every trap on the way."""

import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.tlog import (
    EMPTY_ROOT,
    SIZE_TYPE,
    Checkpoint,
    Cosigner,
    Signer,
    open_checkpoint,
    read_cosignatures,
    sign_checkpoint,
    sign_note,
)
from ledger.witness.judging import Answer, Judge
from ledger.witness.memory import Known, MemoryLost
from tests.ledger.witness.conftest import NewJudge
from tests.ledger.witness.logs import ORIGIN, MadeUpLog

LOG = MadeUpLog()
NOW = 1_800_000_000


@pytest.fixture
def judge(new_judge: NewJudge) -> Judge:
    return new_judge()


def say(judge: Judge, body: bytes, now: int = NOW) -> Answer:
    return judge.add_checkpoint(body, now=now)


def cosigned(judge: Judge, note: str, answer: Answer) -> int:
    """That the answer is a cosignature over the note; its time."""
    assert answer.status == 200, answer
    [found] = read_cosignatures(note, answer.body, [judge.cosigner.verifier])
    return found.timestamp


class TestWhatIsCosigned:
    def test_the_first_checkpoint_from_size_0_and_each_that_grows_from_there(self, judge: Judge) -> None:
        for old, new in ((0, 5), (5, 8), (8, 256), (256, 257), (257, 1000)):
            answer = say(judge, LOG.request(old, new), now=NOW + new)
            assert cosigned(judge, LOG.note(new), answer) == NOW + new
            assert judge.memory.known(ORIGIN).tree_size == new

    def test_the_same_size_again_with_an_empty_proof(self, judge: Judge) -> None:
        say(judge, LOG.request(0, 9))
        assert cosigned(judge, LOG.note(9), say(judge, LOG.request(9, 9), now=NOW + 60)) == NOW + 60

    def test_an_empty_tree_and_what_grows_from_it(self, judge: Judge) -> None:
        assert cosigned(judge, LOG.note(0), say(judge, LOG.request(0, 0)))
        assert cosigned(judge, LOG.note(3), say(judge, LOG.request(0, 3)))

    def test_what_is_kept_is_the_note_with_the_cosignature(self, judge: Judge) -> None:
        say(judge, LOG.request(0, 7))
        kept = judge.memory.known(ORIGIN)
        opened = open_checkpoint(
            kept.note,
            origin=ORIGIN,
            log_verifiers=[LOG.signers[0].verifier],
            witness_verifiers=[judge.cosigner.verifier],
        )
        assert (opened.checkpoint.tree_size, opened.cosignatures[0].timestamp) == (7, NOW)

    def test_signatures_of_others_in_the_note_are_ignored(self, judge: Judge) -> None:
        stranger = Cosigner("witness.example/other", bytes([9]) * 32)
        note = LOG.note(4) + stranger.cosign(LOG.checkpoint(4).to_text(), 1)
        assert cosigned(judge, note, say(judge, LOG.request(0, 4, note=note)))

    def test_extension_lines_are_part_of_what_is_cosigned(self, judge: Judge) -> None:
        extended = Checkpoint(ORIGIN, 4, LOG.checkpoint(4).root_hash, ("some extension",))
        note = sign_checkpoint(extended, LOG.signers)
        assert cosigned(judge, note, say(judge, LOG.request(0, 4, note=note)))

    def test_while_a_key_replaces_another_either_is_enough(self, new_judge: NewJudge) -> None:
        newer = Signer(ORIGIN, bytes([4]) * 32)
        both, alone = MadeUpLog(signers=[newer, *LOG.signers]), MadeUpLog(signers=[newer])
        judge = new_judge(f"log {LOG.vkey}")
        assert cosigned(judge, both.note(3), say(judge, both.request(0, 3)))
        assert say(judge, alone.request(3, 4)).status == 403
        judge = new_judge(f"log {LOG.vkey}", f"log {newer.vkey}")
        assert cosigned(judge, alone.note(4), say(judge, alone.request(3, 4)))


class TestRefusals:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"hello",
            LOG.request(0, 5).replace(b"old 0", b"old 00"),
            LOG.request(0, 5).replace(b"\n", b"\r\n"),
            LOG.request(0, 5, note="no note at all"),
            LOG.request(0, 5, note=LOG.note(5).replace("—", "-")),
            LOG.request(0, 5, note=sign_note(f"{ORIGIN}\n05\nAAAA\n", LOG.signers)),
            LOG.request(0, 5, note=sign_note(f"{ORIGIN}\n", LOG.signers)),
            LOG.request(6, 5, proof=()),
        ],
    )
    def test_400(self, judge: Judge, body: bytes) -> None:
        assert say(judge, body).status == 400
        assert judge.memory.known(ORIGIN) == Known()

    def test_404_of_a_log_that_nobody_asked_for(self, judge: Judge) -> None:
        stranger = MadeUpLog(origin="log.example/logs/other")
        assert say(judge, stranger.request(0, 5)).status == 404

    def test_403_without_a_signature_by_a_key_of_the_log(self, judge: Judge) -> None:
        forger = MadeUpLog(seed=bytes([66]) * 32)
        assert say(judge, forger.request(0, 5)).status == 403

    def test_403_where_a_signature_by_the_log_fails_whatever_another_one_says(self, judge: Judge) -> None:
        valid, other = LOG.note(5), LOG.note(6).rpartition("\n\n")[2]
        assert say(judge, LOG.request(0, 5, note=valid + other)).status == 403
        assert say(judge, LOG.request(0, 5, note=valid.replace("\n5\n", "\n4\n"))).status == 403

    def test_409_says_the_size_that_was_cosigned_last(self, judge: Judge) -> None:
        say(judge, LOG.request(0, 20))
        for old in (0, 19, 21):
            answer = say(judge, LOG.request(old, 30))
            assert (answer.status, answer.body, answer.content_type) == (409, "20\n", SIZE_TYPE)
        assert judge.memory.known(ORIGIN).tree_size == 20

    def test_409_before_anything_was_cosigned_says_0(self, judge: Judge) -> None:
        assert say(judge, LOG.request(3, 5)).body == "0\n"

    def test_a_smaller_tree_than_the_last_is_never_cosigned(self, judge: Judge) -> None:
        say(judge, LOG.request(0, 20))
        assert say(judge, LOG.request(0, 10)).status == 409
        assert say(judge, LOG.request(20, 10, proof=())).status == 400
        assert judge.memory.known(ORIGIN).tree_size == 20

    @pytest.mark.parametrize("size", [1, 255, 256, 257, 512])
    def test_422_where_another_history_grows(self, judge: Judge, size: int) -> None:
        say(judge, LOG.request(0, size))
        rewritten = MadeUpLog(branch=size - 1)
        assert say(judge, rewritten.request(size, size + 9)).status == 422
        assert say(judge, rewritten.request(size, size + 9, proof=LOG.proof(size, size + 9))).status == 422
        assert judge.memory.known(ORIGIN).root_hash == LOG.checkpoint(size).root_hash

    def test_422_for_the_same_size_with_another_root(self, judge: Judge) -> None:
        say(judge, LOG.request(0, 9))
        assert say(judge, MadeUpLog(branch=3).request(9, 9)).status == 422

    def test_422_for_any_hash_between_two_trees_of_one_size(self, judge: Judge) -> None:
        say(judge, LOG.request(0, 9))
        assert say(judge, LOG.request(9, 9, proof=[bytes(32)])).status == 422

    def test_422_for_any_hash_from_size_0(self, judge: Judge) -> None:
        assert say(judge, LOG.request(0, 9, proof=[bytes(32)])).status == 422

    def test_422_for_an_empty_tree_with_another_root(self, judge: Judge) -> None:
        note = LOG.note(0)
        wrong = sign_note(note.partition("\n\n")[0].rsplit("\n", 1)[0] + "\n" + "A" * 43 + "=\n", LOG.signers)
        assert bytes(32) != EMPTY_ROOT
        assert say(judge, LOG.request(0, 0, note=wrong)).status == 422

    @pytest.mark.parametrize("wrong", ["short", "long", "swapped", "empty"])
    def test_422_for_a_proof_that_was_changed(self, judge: Judge, wrong: str) -> None:
        say(judge, LOG.request(0, 300))
        proof = LOG.proof(300, 1000)
        changed = {"short": proof[:-1], "long": [*proof, bytes(32)], "swapped": proof[::-1], "empty": []}[wrong]
        assert say(judge, LOG.request(300, 1000, proof=changed)).status == 422
        assert cosigned(judge, LOG.note(1000), say(judge, LOG.request(300, 1000)))

    def test_what_contradicts_under_the_logs_own_signature_is_kept_as_evidence(self, judge: Judge) -> None:
        say(judge, LOG.request(0, 9))
        rewritten = MadeUpLog(branch=3)
        say(judge, rewritten.request(9, 12), now=NOW + 5)
        say(judge, MadeUpLog(seed=bytes([66]) * 32).request(9, 12))
        [kept] = judge.memory.refusals()
        assert (kept.origin, kept.at, kept.status, kept.old_size, kept.note) == (
            ORIGIN, NOW + 5, 422, 9, rewritten.note(12)
        )  # fmt: skip

    def test_evidence_does_not_fill_the_disk(self, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ledger.witness.memory.KEPT_REFUSALS", 3)
        say(judge, LOG.request(0, 9))
        for number in range(8):
            say(judge, MadeUpLog(branch=3).request(9, 10 + number))
        assert [each.note.split("\n")[1] for each in judge.memory.refusals()] == ["17", "16", "15"]


class TestInstallations:
    """All logs of an Answerable installation have one key, each under its own name."""

    LINE = f"installation {LOG.vkey}"

    def test_every_log_below_the_same_origin_is_known_by_the_key_of_one(self, new_judge: NewJudge) -> None:
        judge = new_judge(self.LINE)
        for name in ("registry", "0199", "anything-else"):
            log = MadeUpLog(origin=f"log.example/logs/{name}")
            assert cosigned(judge, log.note(4), say(judge, log.request(0, 4)))

    @pytest.mark.parametrize(
        "origin", ["log.example/logs/a/b", "log.example/logs/", "log.example/other/x", "log.example.org/logs/x", "x"]
    )
    def test_others_are_not(self, new_judge: NewJudge, origin: str) -> None:
        assert say(new_judge(self.LINE), MadeUpLog(origin=origin).request(0, 4)).status == 404

    def test_a_log_below_it_that_another_key_signed_is_refused(self, new_judge: NewJudge) -> None:
        forger = MadeUpLog(origin="log.example/logs/new", seed=bytes([66]) * 32)
        assert say(new_judge(self.LINE), forger.request(0, 4)).status == 403

    def test_whoever_has_the_key_cannot_fill_the_memory(
        self, new_judge: NewJudge, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ledger.witness.memory.MOST_LOGS", 2)
        judge = new_judge(self.LINE)
        logs = [MadeUpLog(origin=f"log.example/logs/{number}") for number in range(3)]
        assert [say(judge, log.request(0, 4)).status for log in logs] == [200, 200, 404]
        assert say(judge, logs[0].request(4, 5)).status == 200


class TestItsMemory:
    def test_it_outlives_the_process(self, judge: Judge, new_judge: NewJudge) -> None:
        say(judge, LOG.request(0, 20))
        again = new_judge()
        assert say(again, LOG.request(0, 30)).body == "20\n"
        assert say(again, MadeUpLog(branch=3).request(20, 30)).status == 422

    def test_without_it_nothing_is_signed_any_more(self, judge: Judge, new_judge: NewJudge) -> None:
        judge.memory.close()
        path = judge.memory.path
        for each in path.parent.glob("memory.sqlite3*"):
            each.unlink()
        with pytest.raises(MemoryLost, match="must not sign again"):
            new_judge()

    def test_that_of_another_witness_is_refused(self, judge: Judge, new_judge: NewJudge) -> None:
        key_file = judge.memory.path.with_name("witness.key")
        key_file.write_text(f"witness.example/w1\n{'ab' * 32}\n")
        with pytest.raises(MemoryLost, match="another witness"):
            new_judge()

    def test_of_two_at_once_from_one_size_one_is_told_to_come_again(self, judge: Judge, new_judge: NewJudge) -> None:
        """Two processes on one folder: comparing and writing down are one step."""
        other, barrier = new_judge(), threading.Barrier(2)
        say(judge, LOG.request(0, 10))
        answers: list[Answer] = []

        def ask(one: Judge, new: int) -> None:
            body = LOG.request(10, new)
            barrier.wait()
            answers.append(say(one, body))

        threads = [threading.Thread(target=ask, args=each) for each in ((judge, 20), (other, 30))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer.status for answer in answers) == [200, 409]
        size = judge.memory.known(ORIGIN).tree_size
        assert size in (20, 30)
        assert next(each.body for each in answers if each.status == 409) == f"{size}\n"

    def test_what_fails_before_the_commit_is_forgotten_and_not_answered(
        self, judge: Judge, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks(*arguments: object, **more: object) -> None:
            raise OSError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr("ledger.witness.memory.Memory.remember", breaks)
            with pytest.raises(OSError, match="disk full"):
                say(judge, LOG.request(0, 10))
        assert judge.memory.known(ORIGIN) == Known()
        assert cosigned(judge, LOG.note(10), say(judge, LOG.request(0, 10)))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from([None, 0, 5, 17])), max_size=25))
def test_whatever_it_is_asked_it_never_signs_two_histories(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, int, int | None]]
) -> None:
    from ledger.witness.folder import WitnessFolder
    from ledger.witness.memory import Memory
    from ledger.witness.watched import Watched

    folder = WitnessFolder(tmp_path_factory.mktemp("witness"))
    cosigner = folder.create("w.example")
    folder.list_file.write_text(f"log {LOG.vkey}\n")
    judge = Judge(cosigner, Memory(folder.memory_file, vkey=cosigner.verifier.vkey), Watched.read(folder.list_file))
    signed: list[tuple[int, bytes, int | None]] = []
    for old, new, branch in asked:
        log = MadeUpLog(branch=branch)
        if say(judge, log.request(old, new, proof=None if old <= new else ())).status == 200:
            signed.append((new, log.checkpoint(new).root_hash, branch))
    judge.memory.close()
    sizes = [size for size, _, _ in signed]
    assert sizes == sorted(sizes)
    for (small, root, _), (_, _, branch) in itertools.pairwise(signed):
        assert MadeUpLog(branch=branch).checkpoint(small).root_hash == root

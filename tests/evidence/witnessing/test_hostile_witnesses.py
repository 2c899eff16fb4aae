"""Witnesses that lie, stall, flood or send elsewhere: nothing of it is kept, followed or waited for, and it is told."""

import base64
import itertools
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from evidence.models import Anchor, AnchorTarget, Cosignature, Outcome
from evidence.services import anchoring
from evidence.services.witness_heads import Verdict
from evidence.witnessing import asking
from evidence.witnessing.witnesses import TURNS
from ledger.models import Contradiction
from ledger.selectors import latest_checkpoint, latest_head, registry_log
from tests.evidence.conftest import Organisation, record
from tests.evidence.witnessing.conftest import Configure, later, look_round, sweep, trust_all
from tests.evidence.witnessing.strict_witness import PLAIN, Answer, StrictWitness, strict_witness
from tests.evidence.witnessing.test_anchoring import anchor_of, sizes

SIZE_TYPE = "text/x.tlog.size"
Behaviour = Callable[[StrictWitness, BaseHTTPRequestHandler], Answer | None]


@pytest.fixture
def asked(organisation: Organisation, configure: Configure, witness: StrictWitness) -> StrictWitness:
    """A witness that knows every log, and has cosigned none."""
    configure(witness)
    trust_all(witness)
    return witness


@pytest.fixture
def elsewhere() -> Iterator[StrictWitness]:
    """The same witness at another address, where nobody is to be sent."""
    with strict_witness() as found:
        yield found


def posts(answer: Answer) -> Behaviour:
    """Answer posts with this, whatever is asked."""

    def behave(witness: StrictWitness, handler: BaseHTTPRequestHandler) -> Answer | None:
        return answer if handler.command == "POST" else None

    return behave


def refused(organisation: Organisation, outcome: Outcome) -> str:
    """It was asked and told off, nothing was kept, and the log goes on; what the page says of it."""
    row = anchor_of(organisation.log)
    assert (row.outcome, row.tree_size, row.lease) == (outcome, 0, None), row.detail
    assert row.failures == 1 and not Cosignature.objects.exists() and not Contradiction.objects.exists()
    record(organisation.log, organisation.account, 1)
    return row.detail


class TestLies:
    def text(self, organisation: Organisation) -> str:
        return latest_checkpoint(organisation.log).note.rpartition("\n\n")[0] + "\n"

    def test_a_line_by_another_key_under_its_name(self, organisation: Organisation, asked: StrictWitness) -> None:
        with strict_witness(asked.name, bytes([77]) * 32) as impostor:
            line = impostor.line(self.text(organisation))
        # with the key's id, too: what is left is the signature
        for lie in (line, _with_key_id(line, asked.line("x\n1\ny\n"))):
            asked.behave = posts((200, lie.encode(), PLAIN))
            sweep()
            refused(organisation, Outcome.UNCOSIGNED)
            _begin_anew()

    def test_its_own_line_over_another_log(self, organisation: Organisation, asked: StrictWitness) -> None:
        line = asked.line(latest_checkpoint(registry_log()).note.rpartition("\n\n")[0] + "\n")
        asked.behave = posts((200, line.encode(), PLAIN))
        sweep()
        row = anchor_of(organisation.log)
        assert (row.outcome, row.tree_size) == (Outcome.UNCOSIGNED, 0)
        assert not Cosignature.objects.filter(log=organisation.log).exists()

    def test_its_own_line_over_an_older_tree_of_the_log(self, organisation: Organisation, asked: StrictWitness) -> None:
        old = asked.line(self.text(organisation))
        record(organisation.log, organisation.account, 3)
        asked.behave = posts((200, old.encode(), PLAIN))
        sweep()
        refused(organisation, Outcome.UNCOSIGNED)

    def test_lines_by_others_by_nobody_and_one_of_its_own_that_fails(
        self, organisation: Organisation, asked: StrictWitness, second: StrictWitness
    ) -> None:
        text = self.text(organisation)
        own = asked.line(text)
        for lie in (second.line(text), _damaged(own) + own, "\N{EM DASH} x eA==\n" * 3, f"{own}more\n", f"\n{own}"):
            asked.behave = posts((200, lie.encode(), PLAIN))
            sweep()
            row = anchor_of(organisation.log)
            assert (row.outcome, row.tree_size) == (Outcome.UNCOSIGNED, 0), lie
            assert not Cosignature.objects.exists()
            _begin_anew()

    def test_a_line_among_others_that_nobody_knows_is_taken(
        self, organisation: Organisation, asked: StrictWitness, second: StrictWitness
    ) -> None:
        """A note may bear whatever signatures; those of unknown keys say nothing."""
        text = self.text(organisation)
        asked.behave = lambda _, handler: (200, (second.line(text) + asked.line(text)).encode(), PLAIN)
        sweep()
        [row] = Cosignature.objects.filter(log=organisation.log)
        assert row.line.count("\n") == 1 and asked.name in row.line

    def test_a_witness_that_says_ever_other_sizes_is_asked_a_few_times_and_left(
        self, organisation: Organisation, asked: StrictWitness
    ) -> None:
        size = latest_head(organisation.log.id).tree_size
        says = itertools.cycle([1, 2, 3, 4, 5, 6, 7])
        asks: list[str] = []

        def behave(_: StrictWitness, handler: BaseHTTPRequestHandler) -> Answer | None:
            if handler.command == "POST":
                asks.append(handler.path)
                return 409, f"{next(says)}\n".encode(), SIZE_TYPE
            return None

        asked.behave = behave
        sweep()
        assert size > 7 and len(asks) <= TURNS * 2, "of two logs"
        refused(organisation, Outcome.BEHIND)

    @pytest.mark.parametrize("said", [b"9223372036854775807\n", b"999999\n", b"999999"])
    def test_a_larger_size_that_it_shows_to_nobody_is_a_claim_and_stops_nothing(
        self, organisation: Organisation, asked: StrictWitness, said: bytes
    ) -> None:
        asked.behave = posts((409, said, f"{SIZE_TYPE}; charset=utf-8"))
        sweep()
        refused(organisation, Outcome.AHEAD)

    @pytest.mark.parametrize("said", [b"", b"-1\n", b"+5\n", b"5 \n", b"5\n5\n", b"\xff\n", b"9" * 5000, b"1e3\n"])
    def test_a_size_that_is_none_is_a_claim_too(
        self, organisation: Organisation, asked: StrictWitness, said: bytes
    ) -> None:
        asked.behave = posts((409, said, SIZE_TYPE))
        sweep()
        refused(organisation, Outcome.CONTRADICTS)


def _begin_anew() -> None:
    Anchor.objects.all().delete()
    AnchorTarget.objects.all().delete()


def _damaged(line: str) -> str:
    """The same line with another signature under it."""
    head, data = line[:-1].rsplit(" ", 1)
    raw = bytearray(base64.b64decode(data))
    raw[-1] ^= 1
    return f"{head} {base64.b64encode(raw).decode()}\n"


def _with_key_id(line: str, other: str) -> str:
    """A signature line with the key id of another."""
    head, data = line[:-1].rsplit(" ", 1)
    known = base64.b64decode(other[:-1].rsplit(" ", 1)[1])[:4]
    return f"{head} {base64.b64encode(known + base64.b64decode(data)[4:]).decode()}\n"


class TestFloodsAndSilence:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The deadline of all of an answer, short: what is claimed is that there is one."""
        monkeypatch.setattr(asking, "SECONDS", 1.0)

    def drip(self, head: bytes, part: bytes, pause: float) -> Behaviour:
        """Answer without an end."""

        def behave(_: StrictWitness, handler: BaseHTTPRequestHandler) -> Answer | None:
            try:
                handler.wfile.write(head)
                for _turn in range(2_000):
                    handler.wfile.write(part)
                    handler.wfile.flush()
                    time.sleep(pause)
            except OSError:
                pass  # they hung up, which is what is wanted
            raise ConnectionAbortedError

        return behave

    HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    @pytest.mark.parametrize(
        ("head", "part", "pause", "outcome"),
        [
            (b"", b"", 0.05, Outcome.TIMED_OUT),
            (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.05, Outcome.TIMED_OUT),
            (HEAD + b"\r\n", b"x", 0.05, Outcome.TIMED_OUT),
            (HEAD + b"Content-Length: 1000000000\r\n\r\n", b"x" * 65_536, 0.0, Outcome.BROKEN_OFF),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK, 0.0, Outcome.BROKEN_OFF),
            (b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 60_000 + b"\r\n", 0.0, Outcome.BROKEN_OFF),
        ],
        ids=["silence", "endless head", "a byte at a time", "huge", "huge in chunks", "a huge head"],
    )  # fmt: skip
    def test_an_answer_without_end_is_broken_off(
        self, organisation: Organisation, asked: StrictWitness, head: bytes, part: bytes, pause: float, outcome: Outcome
    ) -> None:
        asked.behave = self.drip(head, part, pause)
        sweep()
        row = anchor_of(organisation.log)
        assert (row.outcome, row.tree_size, row.lease) == (outcome, 0, None)
        later(hours=1)
        assert {look.verdict for look in look_round()} == {Verdict.UNANSWERED}
        asked.behave = None
        later(hours=2)
        sweep()
        assert sizes(organisation.log) == [latest_head(organisation.log.id).tree_size]

    @pytest.mark.parametrize("answer", [b"", b"\x00" * 100, b"HTTP/9.9 200\r\n\r\n", b"SSH-2.0-x\r\n"])
    def test_what_is_no_http(self, organisation: Organisation, asked: StrictWitness, answer: bytes) -> None:
        def behave(_: StrictWitness, handler: BaseHTTPRequestHandler) -> Answer | None:
            handler.wfile.write(answer)
            raise ConnectionAbortedError

        asked.behave = behave
        sweep()
        assert anchor_of(organisation.log).outcome in (Outcome.BROKEN_OFF, Outcome.UNCOSIGNED, Outcome.TIMED_OUT)
        assert not Cosignature.objects.exists()


class TestSentElsewhere:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_it_is_not_followed_not_for_posts_and_not_for_looks(
        self, organisation: Organisation, asked: StrictWitness, elsewhere: StrictWitness, status: int
    ) -> None:
        trust_all(elsewhere)

        def behave(_: StrictWitness, handler: BaseHTTPRequestHandler) -> Answer | None:
            there = f"Location: {elsewhere.url}{handler.path}"
            handler.wfile.write(f"HTTP/1.1 {status} Moved\r\n{there}\r\nContent-Length: 0\r\n\r\n".encode())
            raise ConnectionAbortedError

        asked.behave = behave
        sweep()
        row = anchor_of(organisation.log)
        assert (row.outcome, row.detail) == (Outcome.REDIRECTED, f"HTTP {status}")
        later(hours=1)
        assert {look.verdict for look in look_round()} == {Verdict.UNANSWERED}
        assert (elsewhere.requests, elsewhere.looks) == ([], [])


class TestBeingBackAgain:
    def test_a_witness_that_was_away_for_long_is_asked_as_soon_as_it_is_seen(
        self, organisation: Organisation, configure: Configure, asked: StrictWitness
    ) -> None:
        """After a day away its next turn is an hour off; the look of every five minutes finds it there."""
        with strict_witness() as gone:
            address = gone.url
        policy = configure(asked)
        there = policy.read_text()
        policy.write_text(there.replace(asked.url, address))
        for _ in range(8):
            sweep()
            later(hours=2)
        sweep()
        row = anchor_of(organisation.log)
        assert row.outcome == Outcome.UNREACHABLE and row.failures > 7
        policy.write_text(there)
        assert sweep() == [], "not its turn"
        later(seconds=400)
        look_round()
        sweep()
        assert anchor_of(organisation.log).outcome == Outcome.ANCHORED

    def test_one_that_refuses_is_not_asked_more_often_for_being_there(
        self, organisation: Organisation, asked: StrictWitness
    ) -> None:
        asked.log_keys.clear()
        for _ in range(8):
            sweep()
            later(hours=2)
        sweep()
        later(seconds=400)
        look_round()
        assert sweep() == [] and anchor_of(organisation.log).outcome == Outcome.LOG_UNKNOWN

    def test_under_another_key_it_begins_at_once_whatever_the_last_one_came_to(
        self, organisation: Organisation, configure: Configure, asked: StrictWitness, second: StrictWitness
    ) -> None:
        """The operator had put a wrong key into the policy, and mends it."""
        asked.log_keys.clear()
        for _ in range(8):
            sweep()
            later(hours=2)
        sweep()
        configure(second)
        trust_all(second)
        sweep()
        assert anchor_of(organisation.log).outcome == Outcome.ANCHORED

    def test_what_was_handed_out_before_the_file_changed_is_left_and_not_turned_over_and_over(
        self, organisation: Organisation, configure: Configure, asked: StrictWitness, second: StrictWitness
    ) -> None:
        due = anchoring.due_anchors()
        configure(second)
        for anchor_id in due:
            left = anchoring.ask(anchor_id)
            assert left is not None and (left.outcome, left.lease) == (Outcome.WAITING, None)
        assert anchoring.next_after(due[0]) is None, "else a worker would turn it over and over"
        assert asked.requests == [] and second.requests == []

"""Many decisions a request."""

import gzip
import json
import zlib
from collections.abc import Callable, Collection
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import Decision, Payload
from audit.services.recording import StoredEntry, find_entries
from intake.models import QuarantinedRecord
from ledger.models import Entry
from ledger.selectors import latest_head, open_log
from ledger.tlog import root_from_leaf_hashes
from tests.intake.conftest import Sender

pytestmark = pytest.mark.committing

BATCH = "/api/v1/decisions/batch"


def consistent(sender: Sender) -> int:
    """Check a log from its bytes: contiguous, under its root, every decision with its rows. Returns how many."""
    for system in sender.systems:
        log = open_log(system.pk)
        entries = list(Entry.objects.filter(log=log).order_by("leaf_index"))
        assert [entry.leaf_index for entry in entries] == list(range(len(entries)))
        head = latest_head(log.id)
        assert head.tree_size == len(entries)
        assert root_from_leaf_hashes([bytes(entry.leaf_hash) for entry in entries]) == head.root_hash
    ids = set(Decision.objects.values_list("id", flat=True))
    assert ids == set(Payload.objects.values_list("id", flat=True))
    assert ids == set(Entry.objects.filter(kind="decision.recorded").values_list("id", flat=True))
    return len(ids)


def test_every_record_gets_its_result_in_order(sender: Sender) -> None:
    records = [sender.record() for _ in range(5)]
    records[1] = records[0]
    records[3] = sender.record(confidence=7)
    records[4] = records[0] | {"outcome": "refused"}
    answer = sender.batch(records)
    assert answer.status_code == 200
    found = answer.json()
    assert [each["index"] for each in found["results"]] == [0, 1, 2, 3, 4]
    assert [each["status"] for each in found["results"]] == [
        "accepted", "duplicate", "accepted", "rejected", "conflict",
    ]  # fmt: skip
    assert found["counts"] == {"accepted": 2, "duplicate": 1, "conflict": 1, "rejected": 1, "retry": 0}
    assert found["results"][3]["problem"]["errors"][0]["pointer"] == "/confidence"
    assert QuarantinedRecord.objects.filter(pk=found["results"][3]["problem"]["quarantine_id"]).exists()
    assert len(found["logs"]) == 1
    assert found["logs"][0]["tree_size"] > found["results"][2]["leaf_index"]
    assert consistent(sender) == 2


def test_only_problems_are_told_when_asked(sender: Sender) -> None:
    answer = sender.batch([sender.record(), sender.record(outcome="")], "?results=problems").json()
    assert [each["index"] for each in answer["results"]] == [1]
    assert answer["counts"]["accepted"] == 1
    assert sender.batch([], "?results=some").status_code == 400


def test_ndjson_is_read_line_by_line(sender: Sender) -> None:
    lines = [json.dumps(sender.record()), "", "{broken", json.dumps(sender.record()) + "\r", '{"a":1},{"b":2}']
    answer = sender.raw(BATCH, "\n".join(lines).encode(), content_type="application/x-ndjson").json()
    assert [each["status"] for each in answer["results"]] == ["accepted", "rejected", "accepted", "rejected"]


def test_a_line_that_is_not_utf8_spoils_only_itself(sender: Sender) -> None:
    bad = json.dumps(sender.record(subject="@")).encode().replace(b"@", b"\xff")
    body = b"\n".join([json.dumps(sender.record()).encode(), bad, json.dumps(sender.record()).encode()])
    answer = sender.raw(BATCH, body, content_type="application/x-ndjson").json()
    assert [each["status"] for each in answer["results"]] == ["accepted", "rejected", "accepted"]
    array = b"[" + b",".join([json.dumps(sender.record()).encode(), bad]) + b"]"
    assert [each["status"] for each in sender.raw(BATCH, array).json()["results"]] == ["accepted", "rejected"]


def test_a_batch_may_hold_several_systems(senders: Callable[..., Sender]) -> None:
    sender = senders("credit", "hiring")
    records = [sender.record(system=slug) for slug in ("credit", "hiring", "credit", "elsewhere")]
    answer = sender.batch(records).json()
    assert [each["status"] for each in answer["results"]] == ["accepted", "accepted", "accepted", "rejected"]
    assert answer["results"][3]["problem"]["status"] == 403
    assert len(answer["logs"]) == 2
    assert not QuarantinedRecord.objects.exists()


def test_five_thousand_are_taken_and_one_more_is_refused(sender: Sender) -> None:
    records = [sender.record() for _ in range(5_000)]
    assert sender.batch([*records, sender.record()]).status_code == 413
    assert not Decision.objects.exists()
    assert sender.batch(records).json()["counts"]["accepted"] == 5_000
    assert consistent(sender) == 5_000


def test_old_ids_are_looked_up_in_one_query(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def count(ids: Collection[str]) -> dict[str, StoredEntry]:
        asked.append(len(ids))
        return find_entries(ids)

    monkeypatch.setattr("intake.admission.find_entries", count)
    old = [f"01000000-0000-7000-8000-{number:012}" for number in range(20)]
    answer = sender.batch([*(sender.record(id=each) for each in old), sender.record()])
    assert answer.json()["counts"]["rejected"] == 20
    assert answer.json()["results"][0]["problem"]["type"] == "/problems/id-too-old"
    assert asked == [20]


def test_an_empty_batch_is_fine(sender: Sender) -> None:
    assert sender.batch([]).json() == {
        "counts": {"accepted": 0, "duplicate": 0, "conflict": 0, "rejected": 0, "retry": 0}, "logs": [], "results": [],
    }  # fmt: skip


@pytest.mark.parametrize("body", [b"{}", b'[{"a":1}', b"nothing", b"[1]x", b'{"id":1}\n{"id":2}'])
def test_what_is_no_array_is_kept_as_unreadable(sender: Sender, body: bytes) -> None:
    answer = sender.raw(BATCH, body)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unreadable-body")
    assert bytes(QuarantinedRecord.objects.get(pk=answer.json()["quarantine_id"]).original or b"") == body


def test_gzip_is_read_with_several_members_too(sender: Sender) -> None:
    one, two = (json.dumps(sender.record()).encode() for _ in range(2))
    packed = gzip.compress(b"[" + one + b",") + gzip.compress(two + b"]")
    answer = sender.raw(BATCH, packed, HTTP_CONTENT_ENCODING="gzip")
    assert answer.json()["counts"]["accepted"] == 2


def test_a_gzip_bomb_is_refused_without_unpacking_it(sender: Sender) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1_000)) + packer.flush()
    assert len(bomb) < 2 << 20
    assert sender.raw(BATCH, bomb, HTTP_CONTENT_ENCODING="gzip").status_code == 413


@pytest.mark.parametrize(
    "spoil", [lambda packed: packed[:-5], lambda packed: b"x" + packed, lambda packed: packed + b"xx"]
)
def test_broken_gzip_is_told_and_kept(sender: Sender, spoil: Callable[[bytes], bytes]) -> None:
    packed = spoil(gzip.compress(json.dumps([sender.record()]).encode()))
    answer = sender.raw(BATCH, packed, HTTP_CONTENT_ENCODING="gzip")
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unreadable-body")
    assert bytes(QuarantinedRecord.objects.get().original or b"") == packed


def test_a_large_body_meets_no_limit_of_djangos(sender: Sender) -> None:
    records = [sender.record(input="x" * 100_000) for _ in range(60)]
    assert sender.batch(records).json()["counts"]["accepted"] == 60


def test_20_megabytes_are_413(sender: Sender) -> None:
    assert sender.raw(BATCH, b" " * (20 << 20)).status_code == 413


@st.composite
def mixes(draw: st.DrawFn) -> list[list[tuple[str, int]]]:
    """Batches of (what, which): good records, repeats, conflicts and rubbish, in any order."""
    kind = st.sampled_from(["good", "good", "conflict", "rubbish", "foreign"])
    return draw(st.lists(st.lists(st.tuples(kind, st.integers(0, 6)), max_size=8), max_size=5))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mix=mixes())
def test_any_mix_ends_with_contiguous_indexes_and_each_once(sender: Sender, mix: list[list[tuple[str, int]]]) -> None:
    before = consistent(sender)
    originals: list[dict[str, Any]] = [sender.record() for _ in range(7)]
    changed: dict[str, dict[str, Any]] = {
        "conflict": {"outcome": "other"},
        "rubbish": {"confidence": 5},
        "foreign": {"system": "x"},
        "good": {},
    }
    recorded: set[int] = set()
    for batch in mix:
        sent = [originals[which] | changed[what] for what, which in batch]
        results = sender.batch(sent).json()["results"]
        for (what, which), result in zip(batch, results, strict=True):
            recorded |= {which} if result["status"] == "accepted" else set()
            assert what != "rubbish" or result["status"] == "rejected"
            assert what != "foreign" or result["status"] == "rejected"
    assert consistent(sender) == before + len(recorded)

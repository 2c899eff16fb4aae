"""Sources: what never arrived shows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from intake.models import Source, SourceState, TailCursor
from intake.services.sources import alert_silence, seal_heartbeats
from intake.services.tailing import Count, tail_sources
from ledger.models import Entry
from notices.models import Alert
from tests.factories.register import make_person
from tests.intake.conftest import Sender


def counted(*numbers: int) -> Count:
    count = Count()
    for number in numbers:
        count.see(number)
    return count


def test_gaps_open_and_close() -> None:
    count = counted(1, 2, 5, 9)
    assert (count.last_seq, count.gaps, count.gap_count) == (9, [[3, 4], [6, 8]], 5)
    count.see(7)
    assert (count.gaps, count.gap_count) == ([[3, 4], [6, 6], [8, 8]], 4)


def test_a_counter_starts_at_the_first_number_seen() -> None:
    assert counted(0, 1, 2).gaps == counted(1, 2).gaps == counted(10).gaps == []
    assert counted(10, 12).gaps == [[11, 11]]


def test_a_number_below_the_start_moves_the_start() -> None:
    count = counted(10, 7)
    assert (count.starts_at, count.last_seq, count.gaps, count.gap_count) == (7, 10, [[8, 9]], 2)
    count.see(8)
    count.see(9)
    assert (count.gaps, count.forks) == ([], [])


def test_after_a_first_heartbeat_the_next_number_is_expected() -> None:
    count = Count(starts_at=1042)
    count.see(1044)
    assert (count.last_seq, count.gaps) == (1044, [[1042, 1043]])
    late = Count(starts_at=1042)
    late.see(1040)
    assert (late.starts_at, late.last_seq, late.gaps) == (1040, 1040, [])


def test_a_number_that_two_decisions_claim_is_a_fork() -> None:
    assert counted(1, 2, 2, 1, 2).forks == [2, 1]


@given(st.permutations(list(range(1, 40))), st.sets(st.integers(1, 39)))
def test_in_any_order_what_is_missing_is_what_was_left_out(order: list[int], missing: set[int]) -> None:
    arrived = [number for number in order if number not in missing]
    count = counted(*arrived)
    expected = {number for number in missing if min(arrived, default=0) < number < max(arrived, default=0)}
    assert {number for first, last in count.gaps for number in range(first, last + 1)} == expected
    assert count.gap_count == len(expected)
    assert count.forks == []


def test_too_many_gaps_are_counted_and_not_judged() -> None:
    count = counted(*range(2, 4_000, 2))
    assert (len(count.gaps), count.gap_count) == (1_000, 1_998)
    count.see(3)
    assert count.forks == []


@pytest.mark.committing
def test_tailing_finds_gaps_and_forks_across_logs(senders: Callable[..., Sender]) -> None:
    sender = senders("credit", "hiring")
    for number, slug in [(1, "credit"), (2, "hiring"), (4, "credit"), (2, "credit")]:
        sender.post(sender.record(system=slug, source={"id": "spool", "seq": number}))
    assert tail_sources() == 4
    assert tail_sources() == 0
    state = SourceState.objects.get()
    assert (state.last_seq, state.gaps, state.forks) == (4, [[3, 3]], [2])
    sender.post(sender.record(source={"id": "spool", "seq": 3}))
    tail_sources()
    assert SourceState.objects.get().gap_count == 0
    assert TailCursor.objects.count() == 2


@pytest.mark.committing
def test_a_source_belongs_to_the_account_that_used_it_first(senders: Callable[..., Sender]) -> None:
    one, two = senders("credit"), senders("hiring")
    for sender in (one, two):
        sender.batch([sender.record(source={"id": "spool", "seq": n}) for n in (1, 2)])
    assert Source.objects.count() == 2
    tail_sources()
    for sender in (one, two):
        (found,) = sender.client.get("/api/v1/sources", HTTP_AUTHORIZATION=sender.header).json()["items"]
        assert (found["source"], found["last_seq"], found["missing"]) == ("spool", 2, 0)


def beat(sender: Sender, last_seq: int, source: str = "spool") -> dict[str, Any]:
    body = f'{{"source": "{source}", "last_seq": {last_seq}}}'.encode()
    answer = sender.raw("/api/v1/sources/heartbeat", body)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def listed(sender: Sender) -> dict[str, Any]:
    (found,) = sender.client.get("/api/v1/sources", HTTP_AUTHORIZATION=sender.header).json()["items"]
    return dict(found)


@pytest.mark.committing
def test_heartbeats_show_what_never_arrived_and_are_sealed_by_the_hour(sender: Sender) -> None:
    sender.post(sender.record(source={"id": "spool", "seq": 1}))
    tail_sources()
    found = beat(sender, 3)
    assert (found["missing"], found["gaps"], found["warnings"]) == (2, [{"first": 2, "last": 3}], [])
    assert seal_heartbeats() == 1
    assert seal_heartbeats() == 0
    assert b'"last_seq":3' in bytes(Entry.objects.get(kind="source.heard").data)


@pytest.mark.committing
def test_a_source_starts_at_its_first_heartbeat(sender: Sender) -> None:
    found = beat(sender, 1041)
    assert (found["last_seq"], found["missing"], found["gaps"]) == (None, 0, [])
    tail_sources()
    found = beat(sender, 1043)
    assert (found["missing"], found["gaps"]) == (2, [{"first": 1042, "last": 1043}])
    sender.post(sender.record(source={"id": "spool", "seq": 1045}))
    tail_sources()
    found = listed(sender)
    assert (found["last_seq"], found["missing"], found["gaps"]) == (1045, 3, [{"first": 1042, "last": 1044}])


@pytest.mark.committing
def test_nothing_is_called_missing_before_what_was_sealed_is_counted(sender: Sender) -> None:
    sender.batch([sender.record(source={"id": "spool", "seq": n}) for n in (10, 11, 12)])
    assert listed(sender)["missing"] is None
    found = beat(sender, 12)
    assert (found["missing"], found["gaps"]) == (0, [])
    assert beat(sender, 13)["missing"] is None
    tail_sources()
    found = listed(sender)
    assert (found["missing"], found["gaps"]) == (1, [{"first": 13, "last": 13}])


@pytest.mark.committing
def test_a_lower_heartbeat_is_a_sign_of_life_with_a_warning(sender: Sender) -> None:
    beat(sender, 5)
    found = beat(sender, 3)
    assert (found["heartbeat_seq"], found["warnings"]) == (5, ["heartbeat_below_known"])


@pytest.mark.committing
@pytest.mark.parametrize(
    "body", [b"{}", b'{"source": "a b", "last_seq": 1}', b'{"source": "a", "last_seq": -1}', b'{"source": "a"}', b"x"]
)
def test_a_wrong_heartbeat_is_refused(sender: Sender, body: bytes) -> None:
    assert sender.raw("/api/v1/sources/heartbeat", body).status_code in (400, 422)
    assert not Source.objects.exists()


@pytest.mark.committing
def test_silence_alerts_once(sender: Sender) -> None:
    sender.raw("/api/v1/sources/heartbeat", b'{"source": "spool", "last_seq": 3}')
    assert alert_silence() == 0
    SourceState.objects.update(last_heartbeat_at=timezone.now() - timedelta(hours=1))
    assert alert_silence() == 1
    assert alert_silence() == 1
    assert Alert.objects.get().kind == "source.silent"


@pytest.mark.committing
def test_sources_are_listed_in_the_admin(sender: Sender) -> None:
    from django.test import Client

    sender.batch([sender.record(source={"id": "spool-7", "seq": n}) for n in (3, 6)])
    tail_sources()
    client = Client(SERVER_NAME="localhost")
    client.force_login(make_person(auditor=True))
    assert b"spool-7" in client.get("/admin/intake/source/").content
    page = client.get(f"/admin/intake/source/{Source.objects.get().pk}/change/")
    assert "4–5".encode() in page.content

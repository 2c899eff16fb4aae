"""Waiting for a decision's effective outcome: one query for all, and nobody waits for what they may not see."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

import orjson
import pytest
from django.db import OperationalError

from config.wsgi_in_threads import Collected
from overrides.clients import waiting
from overrides.clients.lane import version_to_wait_for, wait_in
from overrides.clients.waiting import Watched

pytestmark = pytest.mark.django_db
Ids = Sequence[uuid.UUID]


def seconds_of(watched: Watched, *waits: tuple[uuid.UUID, int, float]) -> list[float]:
    async def one(wait: tuple[uuid.UUID, int, float]) -> float:
        began = time.monotonic()
        await watched.change_of(*wait)
        return time.monotonic() - began

    async def walk() -> list[float]:
        return list(await asyncio.gather(*map(one, waits)))

    return asyncio.run(walk())


def counting(calls: list[Ids], versions: Callable[[Ids], Mapping[uuid.UUID, int]]) -> Watched:
    def ask(ids: Ids) -> Mapping[uuid.UUID, int]:
        calls.append(ids)
        return versions(ids)

    return Watched(ask)


def test_all_waiters_share_one_query_and_leave_when_their_row_changes() -> None:
    calls: list[Ids] = []
    changed, gone, same = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    watched = counting(calls, lambda ids: {same: 1, changed: 1 if len(calls) < 2 else 2})
    found = seconds_of(watched, (changed, 1, 5), (changed, 1, 5), (gone, 1, 5), (same, 1, 1))
    assert 0.4 < found[0] < 0.9 and 0.4 < found[1] < 0.9
    assert found[2] < 0.45
    assert 0.95 < found[3] < 1.4
    assert set(calls[0]) == {changed, gone, same} and len(calls[0]) == 3
    assert len(calls) <= 4


def test_while_the_database_is_away_they_wait_on(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[Ids] = []

    def versions(ids: Ids) -> Mapping[uuid.UUID, int]:
        if len(calls) < 3:
            raise OperationalError("away")
        return dict.fromkeys(ids, 2)

    [seconds] = seconds_of(counting(calls, versions), (uuid.uuid4(), 1, 5))
    assert 0.7 < seconds < 1.5


def test_beyond_the_limit_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING", 1)
    row = uuid.uuid4()
    found = seconds_of(Watched(lambda ids: {row: 1}), (row, 1, 0.5), (row, 1, 5))
    assert found[1] < 0.1 < found[0]


@pytest.mark.parametrize(
    ("status", "document", "known", "expected"),
    [
        (200, {"status": "pending", "version": 3}, "3", 3),
        (200, {"status": "pending", "version": 4}, "3", None),
        (200, {"status": "final", "version": 3}, "3", 3),
        (200, {"status": "pending", "version": 3}, None, 3),
        (200, {"status": "final", "version": 3}, None, None),
        (200, {"status": "final", "version": 3}, "x", None),
        (404, {"type": "/problems/not-found"}, "3", None),
        (401, {}, None, None),
    ],
)
def test_only_what_may_be_seen_and_has_not_changed_is_waited_for(
    status: int, document: dict[str, object], known: str | None, expected: int | None
) -> None:
    assert version_to_wait_for(Collected(status, [], orjson.dumps(document)), known) == expected


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        (b"wait=30", 30),
        (b"wait=999", 60),
        (b"wait=" + b"9" * 5000, 60),
        (b"wait=0", 0),
        (b"", 0),
        (b"wait=-1", 0),
        (b"wait=x", 0),
    ],
)
def test_the_wait_is_bounded(query: bytes, seconds: int) -> None:
    assert wait_in({"query_string": query}) == seconds


def test_a_wait_of_thousands_of_digits_is_the_longest() -> None:
    assert wait_in({"query_string": b"wait=" + b"9" * 5000}) == 60

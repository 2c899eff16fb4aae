"""What intake counts is what it did: by record in sums, by group as they were committed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from config.ids import new_id
from config.metrics import PROCESS_REGISTRY
from intake import committer
from intake.groups import seal_group
from intake.metrics import OUTCOMES
from tests.intake.conftest import Sender

pytestmark = pytest.mark.committing

SERIES = {
    **{status: ("answerable_decisions_total", {"status": status}) for status in OUTCOMES},
    "groups": ("answerable_group_records_count", {}),
    "records": ("answerable_group_records_sum", {}),
    "timed": ("answerable_group_seconds_count", {}),
    "kept": ("answerable_quarantine_arrivals_total", {"kept": "yes"}),
    "unkept": ("answerable_quarantine_arrivals_total", {"kept": "no"}),
    "head_store": ("answerable_group_failures_total", {"reason": "head-store-unavailable"}),
    "lost": ("answerable_group_failures_total", {"reason": "connection-lost"}),
}


def counted() -> dict[str, float]:
    found = {name: PROCESS_REGISTRY.get_sample_value(*series) for name, series in SERIES.items()}
    assert None not in found.values(), "every series is there before its first event"
    return {name: value or 0.0 for name, value in found.items()}


@pytest.fixture(autouse=True)
def _own_committer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads of an earlier test have connections to its database, which is gone."""
    monkeypatch.setattr(committer, "_committers", {})


@contextmanager
def adds(**expected: int) -> Iterator[None]:
    """What is done inside adds this to the counters, and nothing to the others."""
    before = counted()
    yield
    assert eventually(lambda: _added(before), expected)


def _added(before: dict[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in counted().items() if value != before[name]}


def eventually(ask: Callable[[], Any], expected: object) -> bool:
    """A committer counts a group after it has told those who wait."""
    until = time.monotonic() + 5
    while ask() != expected and time.monotonic() < until:
        time.sleep(0.01)
    assert ask() == expected
    return True


def test_single_posts_are_counted_by_what_became_of_them(sender: Sender) -> None:
    record = sender.record()
    with adds(accepted=1, groups=1, records=1, timed=1):
        assert sender.post(record).status_code == 201
    with adds(duplicate=1, groups=1, records=1, timed=1):
        assert sender.post(record).status_code == 200
    with adds(conflict=1, kept=1, groups=1, records=1, timed=1):
        assert sender.post(record | {"outcome": "refused"}).status_code == 409
    with adds(rejected=1, kept=1):
        assert sender.post(sender.record(confidence=7)).status_code == 422
    with adds(rejected=1):
        assert sender.post(sender.record(environment="elsewhere")).status_code == 403


def test_a_batch_adds_its_sums_and_is_one_group(sender: Sender) -> None:
    record = sender.record()
    records = [record, record, *[sender.record() for _ in range(8)], sender.record(confidence=7)]
    with adds(accepted=9, duplicate=1, rejected=1, kept=1, groups=1, records=10, timed=1):
        assert sender.batch(records).status_code == 200


def test_what_is_not_read_is_no_decision(sender: Sender, client: Client) -> None:
    with adds():
        assert client.post("/api/v1/decisions", "{}", content_type="application/json").status_code == 401
        assert sender.raw("/api/v1/decisions", b"{}", content_type="text/plain").status_code == 415
    with adds(unkept=1):
        assert sender.raw("/api/v1/decisions", b" " * (2 << 20)).status_code == 413
    with adds(rejected=1, kept=1):
        assert sender.raw("/api/v1/decisions/batch", b"[{", content_type="application/json").status_code == 400


def test_past_the_quota_an_arrival_is_counted_as_not_kept(sender: Sender, settings: Settings) -> None:
    settings.QUARANTINE_RECORDS_PER_KEY = 1
    with adds(rejected=2, kept=1, unkept=1):
        sender.batch([sender.record(confidence=7), sender.record(confidence=8)])


def test_a_broken_head_store_is_counted_and_shows(sender: Sender, settings: Settings, tmp_path: Path) -> None:
    assert sender.post(sender.record()).status_code == 201  # the model version is known from here on
    settings.HEAD_STORE = tmp_path  # a folder
    with adds(retry=1, head_store=1, groups=1, records=1, timed=1):
        assert sender.post(sender.record()).status_code == 503
    with adds(retry=3, head_store=1, groups=1, records=3, timed=1):
        assert sender.batch([sender.record() for _ in range(3)]).status_code == 503
    assert b"answerable_head_store_writable 0.0" in sender.client.get("/metrics").content


def test_a_connection_that_was_lost_is_counted_though_the_group_was_sealed(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, lost = seal_group, list[bool]()

    def lose_it_once(*args: object) -> object:
        if not lost:
            lost.append(True)
            raise OperationalError("gone")
        return genuine(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(committer, "seal_group", lose_it_once)
    with adds(accepted=1, lost=1, groups=1, records=1, timed=1):
        assert sender.post(sender.record(id=str(new_id()))).status_code == 201


def test_the_queue_is_measured_while_it_waits_and_empty_after(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine, seen = seal_group, list[float | None]()

    def look(*args: object) -> object:
        seen.append(PROCESS_REGISTRY.get_sample_value("answerable_queued_records"))
        return genuine(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(committer, "seal_group", look)
    assert sender.batch([sender.record() for _ in range(5)]).status_code == 200
    assert seen == [5.0]
    assert eventually(lambda: committer.committer().queued, (0, 0))
    assert PROCESS_REGISTRY.get_sample_value("answerable_queued_bytes") == 0.0

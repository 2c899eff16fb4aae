"""A log to append to, and entries to append."""

from collections.abc import Callable, Sequence

import pytest
from django.utils import timezone

from config.ids import new_id
from ledger.entries import SERVER, Draft, draft_entry
from ledger.kinds import LOG_OPENED
from ledger.logs import open_system_log
from ledger.models import Log
from ledger.sealing import Seal, sealing


def entry(number: int = 0) -> Draft:
    return draft_entry(kind=LOG_OPENED, actor=SERVER, at=timezone.now(), body={"number": number})


def append(log: Log, count: int = 1) -> Seal:
    with sealing() as seal:
        for number in range(count):
            seal.add(log.id, entry(number))
    return seal


@pytest.fixture
def new_log(db: None) -> Callable[[], Log]:
    def make() -> Log:
        with sealing() as seal:
            return open_system_log(seal, actor=SERVER, system_id=new_id(), slug="credit-limits")

    return make


@pytest.fixture
def log(new_log: Callable[[], Log]) -> Log:
    return new_log()


def leaf_hashes(log: Log) -> Sequence[bytes]:
    return [bytes(digest) for digest in log.entries.order_by("leaf_index").values_list("leaf_hash", flat=True)]

"""A log of 65,536 entries, the first whose tiles have a full tile above them, and of one more."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from evidence.kinds import BACKUP_MADE
from evidence.verification import LogVerification, verify_everything
from evidence.verification.engine import SLICE
from ledger.entries import COMMAND, draft_entry
from ledger.models import Log, Tile
from ledger.sealing import sealing
from ledger.selectors import latest_head, registry_log
from ledger.tlog import Frontier
from tests.evidence.test_tampering import as_owner, disable_triggers

FULL = 256 * 256
AT_ONCE = 8_192


def fill(log: Log, until: int) -> None:
    """With entries that nothing hangs on."""
    while missing := until - latest_head(log.id).tree_size:
        with sealing() as seal:
            for _ in range(min(missing, AT_ONCE)):
                seal.add(log.id, draft_entry(kind=BACKUP_MADE, actor=COMMAND, at=timezone.now(), body={"entries": 1}))


def walked(log: Log, frontier: Frontier | None = None) -> tuple[list[str], Frontier]:
    """What a walk finds, from a frontier on or from the first entry; and where its last slice began."""
    verification = LogVerification.begin(log)
    verification.frontier = before = frontier or verification.frontier
    found = []
    while not verification.done:
        before = verification.frontier
        found += verification.step()
    return [f"{each.code} {each.index if each.index is not None else each.detail}" for each in found], before


EDITS: dict[str, tuple[Callable[[Any, str], None], list[str]]] = {
    "the tile above is gone": (
        lambda cursor, log: cursor.execute("DELETE FROM ledger_tile WHERE log_id = %s AND level = 1", [log]),
        ["tile-missing 1/0"],
    ),
    "a byte of the tile above": (
        lambda cursor, log: cursor.execute(
            "UPDATE ledger_tile SET data = set_byte(data, 5, get_byte(data, 5) # 1) WHERE log_id = %s AND level = 1",
            [log],
        ),
        ["tile-altered 1/0"],
    ),
    "a byte of the last tile": (
        lambda cursor, log: cursor.execute(
            "UPDATE ledger_tile SET data = set_byte(data, 5, get_byte(data, 5) # 1)"
            " WHERE log_id = %s AND level = 0 AND index = 255",
            [log],
        ),
        ["tile-altered 0/255"],
    ),
    "the last entry of the full tree is gone": (
        lambda cursor, log: cursor.execute(
            "DELETE FROM ledger_entry WHERE log_id = %s AND leaf_index = %s", [log, FULL - 1]
        ),
        [f"entry-missing {FULL - 1}"],
    ),
    "a byte of the first entry after it": (
        lambda cursor, log: cursor.execute(
            "UPDATE ledger_entry SET data = set_byte(data, 5, get_byte(data, 5) # 1)"
            " WHERE log_id = %s AND leaf_index = %s",
            [log, FULL],
        ),
        [f"entry-altered {FULL}"],
    ),
}


@pytest.mark.committing
@pytest.mark.slow
def test_a_full_tile_of_tiles_is_walked_and_what_is_changed_in_it_is_named(
    transactional_db: None, keeper_url: str
) -> None:
    log = registry_log()
    fill(log, FULL)
    assert Tile.objects.filter(log=log, level=1).count() == 1
    found, last_slice = walked(log)
    assert (found, last_slice.size) == ([], FULL - SLICE)
    fill(log, FULL + 1)
    assert walked(log, last_slice)[0] == []
    wrong = []
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        for name, (edit, expected) in EDITS.items():
            cursor.execute("SAVEPOINT edit")
            edit(cursor, str(log.pk))
            assert cursor.rowcount == 1, name
            if (found := walked(log, last_slice)[0]) != expected:
                wrong.append(f"{name}: {found}")
            cursor.execute("ROLLBACK TO edit")
    assert wrong == []
    assert list(verify_everything()) == []

"""Logs around the width of a tile: the last entry, the last tile and the head of each, changed and found by name."""

from collections.abc import Callable
from typing import Any

import pytest

from evidence.verification import LogVerification
from ledger.models import Log, Tile
from ledger.selectors import latest_head, registry_log
from tests.evidence.test_large_walk import fill, walked
from tests.evidence.test_tampering import as_owner, disable_triggers

pytestmark = [pytest.mark.committing, pytest.mark.usefixtures("transactional_db")]
Edit = Callable[[Any, str, int], None]


def statement(text: str) -> Edit:
    """An edit of the last entry (`last`), of the newest head (`size`), or of the tiles of a log."""

    def edit(cursor: Any, log: str, size: int) -> None:
        cursor.execute(text, {"log": log, "size": size, "last": size - 1})

    return edit


FLIPPED = "set_byte({0}, 5, get_byte({0}, 5) # 1)"
EDITS: dict[str, tuple[Edit, Callable[[int], list[str]]]] = {
    "a byte of the last entry": (
        statement(
            f"UPDATE ledger_entry SET data = {FLIPPED.format('data')} WHERE log_id = %(log)s AND leaf_index = %(last)s"
        ),
        lambda size: [f"entry-altered {size - 1}"],
    ),
    "the last entry is gone": (
        statement("DELETE FROM ledger_entry WHERE log_id = %(log)s AND leaf_index = %(last)s"),
        lambda size: [f"entry-missing {size - 1}"],
    ),
    "one more, under no head": (
        statement(
            "INSERT INTO ledger_entry (log_id, leaf_index, data, leaf_hash, kind, about_id, id)"
            " SELECT log_id, leaf_index + 1, data, leaf_hash, kind, about_id, gen_random_uuid()"
            " FROM ledger_entry WHERE log_id = %(log)s AND leaf_index = %(last)s"
        ),
        lambda size: [f"entry-beyond-head {size}"],
    ),
    "the root of the newest head": (
        statement(
            f"UPDATE ledger_head SET root_hash = {FLIPPED.format('root_hash')}"
            " WHERE log_id = %(log)s AND tree_size = %(size)s"
        ),
        lambda size: [f"head-altered size {size}"],
    ),
}
TILE_EDITS: dict[str, tuple[Edit, list[str]]] = {
    "a byte of its tile": (
        statement(f"UPDATE ledger_tile SET data = {FLIPPED.format('data')} WHERE log_id = %(log)s"),
        ["tile-altered 0/0"],
    ),
    "its tile is gone": (statement("DELETE FROM ledger_tile WHERE log_id = %(log)s"), ["tile-missing 0/0"]),
}


@pytest.mark.parametrize("size", [255, 256, 257])
def test_what_is_changed_at_the_end_of_a_log_is_named(keeper_url: str, size: int) -> None:
    log = registry_log()
    fill(log, size)
    assert latest_head(log.id).tree_size == size
    assert Tile.objects.filter(log=log).count() == size // 256
    assert findings(log) == []
    table = {name: (edit, expected(size)) for name, (edit, expected) in EDITS.items()}
    table |= TILE_EDITS if size >= 256 else {}
    wrong = []
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        for name, (edit, expected) in table.items():
            cursor.execute("SAVEPOINT edit")
            edit(cursor, str(log.pk), size)
            assert cursor.rowcount == 1, name
            if (found := findings(log)) != expected:
                wrong.append(f"{name}: {found}")
            cursor.execute("ROLLBACK TO edit")
    assert wrong == []


def findings(log: Log) -> list[str]:
    """Of a walk and of its end. Without an entry or a tile there is no root to compare with the signed one."""
    found, _ = walked(log)
    for each in LogVerification.begin(log).conclude():
        if not found or each.code != "rolled-back":
            found.append(f"{each.code} {each.index or each.detail}")
    return found

"""Every damage of the tables is named by `verify_logs` and by the scheduled self-audit; what is beyond them is written.

The damages: `damage_tables` (every code that there is) and `damage_attacks` (what somebody would do who has a purpose).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from evidence.models import AuditProgress
from evidence.services.self_audit import alert_discontinued, alert_lost_logs, audit_loose_ends, audit_slice
from evidence.verification import Finding, verify_everything
from ledger.entries import SERVER
from notices.models import Alert
from tests.evidence.damage_attacks import BEYOND, KNOWN
from tests.evidence.damage_tables import ROWS, TREES
from tests.evidence.damaging import Damage, World, as_superuser, damage, do, together, wrong_with

TABLES = {"trees": TREES, "rows": ROWS, "attacks": KNOWN}
ROUNDS = {
    f"{table}: {', '.join(each)}"[:80]: each
    for table, damages in TABLES.items()
    for each in ([{name: one} for name, one in damages.items()] if table == "trees" else together(damages))
}


CLOCK_RAN_BACK = """
    SELECT count(*) FROM (SELECT convert_from(data, 'UTF8')::jsonb ->> 'at' AS at,
        lag(convert_from(data, 'UTF8')::jsonb ->> 'at') OVER (PARTITION BY log_id ORDER BY leaf_index) AS before
        FROM ledger_entry) e WHERE at < before
"""


@pytest.fixture
def damaged(world: World, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A connection that may do anything to the world, and the names of what is in it."""
    with django_db_blocker.unblock(), as_superuser(world, tmp_path) as cursor:
        yield cursor, dict(world.names)


def test_the_world_that_nobody_damaged_has_no_finding(damaged: tuple[Any, dict[str, Any]]) -> None:
    cursor, _ = damaged
    cursor.execute(CLOCK_RAN_BACK)
    assert cursor.fetchone()[0] > 0, "its clock was set back, and that is nobody's damage"
    assert list(verify_everything()) == []
    assert scheduled() == (set(), set())


@pytest.mark.parametrize("damages", ROUNDS.values(), ids=ROUNDS.keys())
def test_what_was_done_is_named_with_its_place(damaged: tuple[Any, dict[str, Any]], damages: dict[str, Damage]) -> None:
    cursor, names = damaged
    do(cursor, damages.values(), names)
    assert wrong_with(verify_everything(), damages, names) == []
    codes, rows = scheduled()
    assert {code for each in damages.values() for code in each.codes} <= codes
    named = {word for each in damages.values() for said in each.says for word in said.format_map(names).split()}
    assert rows <= named or any(each.also for each in damages.values()), "an alert that names another row"


def scheduled() -> tuple[set[str], set[str]]:
    """What beat's tasks find: the codes that are kept or alerted, and the rows that alerts name."""
    audit_slice(actor=SERVER, seconds=600)
    audit_loose_ends(actor=SERVER, seconds=600)
    alert_discontinued(actor=SERVER)
    alert_lost_logs(actor=SERVER)
    assert not Alert.objects.filter(kind="ledger.audit_failed").exists()
    kept = [Finding.from_json(each) for row in AuditProgress.objects.all() for each in row.findings]
    alerted = [alert.facts for alert in Alert.objects.filter(kind="ledger.mismatch")]
    codes = {each.code for each in kept} | {facts["code"] for facts in alerted}
    return codes, {facts["row"] for facts in alerted if facts.get("row")}


@pytest.mark.parametrize("name", BEYOND)
def test_what_it_cannot_see_is_written_down(damaged: tuple[Any, dict[str, Any]], name: str) -> None:
    cursor, names = damaged
    statement, words = BEYOND[name]
    damage(cursor, names, statement)
    assert list(verify_everything()) == [], "then it belongs into the table of what is named"
    assert words in " ".join(Path(settings.BASE_DIR, "docs", "what-is-proven.md").read_text().split())

"""A closed log whose loss was stated: it must not lose more."""

import pytest

from evidence.services.custody import close_log
from evidence.verification import verify_everything
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.selectors import latest_head
from tests.evidence.conftest import found_organisation, record
from tests.evidence.test_tampering import as_owner, disable_triggers
from tests.factories.register import make_person

CUT = """
DELETE FROM audit_decision WHERE id IN (SELECT id FROM ledger_entry WHERE log_id = %(log)s AND leaf_index >= %(to)s);
DELETE FROM audit_payload WHERE id IN (SELECT id FROM ledger_entry WHERE log_id = %(log)s AND leaf_index >= %(to)s);
DELETE FROM ledger_entry WHERE log_id = %(log)s AND leaf_index >= %(to)s;
DELETE FROM ledger_head WHERE log_id = %(log)s AND tree_size > %(to)s;
"""


@pytest.mark.committing
def test_a_tail_cut_off_after_the_closing_is_found(transactional_db: None, keeper_url: str) -> None:
    organisation = found_organisation(3)
    log, before = organisation.log, latest_head(organisation.log.id)
    record(log, organisation.account, 2)
    closed_at = latest_head(log.id)
    head_store().advance(log.id, closed_at.tree_size + 40, bytes(32))
    first, second = (make_person(administrator=True) for _ in range(2))
    close_log(actor=COMMAND, asked_by=first, approved_by=second, log=log)
    assert list(verify_everything()) == []
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        for statement in CUT.strip().split("\n"):
            cursor.execute(statement, {"log": log.id, "to": before.tree_size})
        found = {(finding.code, finding.log) for finding in verify_everything()}
    assert ("rolled-back", log.origin) in found

"""A closed log whose loss was stated: it must not lose more."""

import pytest

from evidence.services.custody import close_log
from evidence.verification import verify_everything
from ledger.entries import COMMAND
from ledger.heads import head_store
from ledger.selectors import latest_head, registry_log
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


EDITS = {
    "names no predecessor": "UPDATE ledger_log SET predecessor_id = NULL WHERE id = %(successor)s",
    "names another log as predecessor": "UPDATE ledger_log SET predecessor_id = %(other)s WHERE id = %(successor)s",
    "names itself": "UPDATE ledger_log SET predecessor_id = id WHERE id = %(successor)s",
    "is counted otherwise": "UPDATE ledger_log SET sequence = 7 WHERE id = %(successor)s",
    "gives the first one a predecessor": "UPDATE ledger_log SET predecessor_id = %(other)s WHERE id = %(log)s",
}


@pytest.mark.committing
def test_a_log_put_elsewhere_in_its_chain_is_found(transactional_db: None, keeper_url: str) -> None:
    organisation = found_organisation(3)
    log = organisation.log
    head_store().advance(log.id, latest_head(log.id).tree_size + 40, bytes(32))
    first, second = (make_person(administrator=True) for _ in range(2))
    successor = close_log(actor=COMMAND, asked_by=first, approved_by=second, log=log)
    logs = {"log": log.id, "successor": successor.id, "other": registry_log().id}
    unfound = []
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        for edit, statement in EDITS.items():
            cursor.execute("SAVEPOINT edit")
            cursor.execute(statement, logs)
            edited = log if "%(log)s" in statement else successor
            if ("log-altered", edited.origin) not in {(found.code, found.log) for found in verify_everything()}:
                unfound.append(edit)
            cursor.execute("ROLLBACK TO edit")
        assert [found for found in verify_everything() if found.code != "guard-open"] == []
    assert unfound == []

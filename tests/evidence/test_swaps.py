"""What belongs to one decision put to another one, at the database: the self-audit names both.

Each swap is between two decisions of its own, so one verification tells of all.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql

from audit.services.recording import record_decisions
from evidence.verification import verify_everything
from ledger.sealing import sealing
from tests.evidence.conftest import Organisation, found_organisation, prepared
from tests.evidence.test_tampering import as_owner, disable_triggers

pytestmark = pytest.mark.committing

REFS = ("refs", "subject", "label_terms")
PARTS = ("input", "output", *REFS)
SWAPS: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    # what is swapped: the table, the columns, the finding, what it names
    "the whole payload": ("audit_payload", ("secret", *PARTS, "input_digest"), "payload-altered", "input"),
    "all that the payload holds, not its secret": ("audit_payload", PARTS, "payload-altered", "input"),
    "the secret": ("audit_payload", ("secret",), "payload-altered", "input"),
    "the input": ("audit_payload", ("input",), "payload-altered", "input"),
    "the input, and the digest by which it is found": (
        "audit_payload", ("input", "input_digest"), "payload-altered", "input",
    ),
    "the digest by which the input is found": ("audit_payload", ("input_digest",), "payload-misled", ""),
    "the output": ("audit_payload", ("output",), "payload-altered", "output"),
    "the refs": ("audit_payload", ("refs",), "payload-altered", "refs"),
    "the refs with subject and labels": ("audit_payload", REFS, "payload-altered", "refs"),
    "the subject": ("audit_payload", ("subject",), "payload-altered", "search columns"),
    "the labels": ("audit_payload", ("label_terms",), "payload-altered", "search columns"),
    "subject and labels": ("audit_payload", ("subject", "label_terms"), "payload-altered", "search columns"),
    "the outcome": ("audit_decision", ("outcome",), "decision-altered", "outcome"),
    "the place in the log": ("audit_decision", ("leaf_index",), "decision-altered", "leaf_index"),
    "the sequence of their source": ("audit_decision", ("source_seq",), "decision-altered", "source_seq"),
}  # fmt: skip


@pytest.fixture
def organisation(transactional_db: None) -> Organisation:
    """Its decisions differ in everything that is swapped, each from the one before."""
    organisation = found_organisation(2)
    log, account = organisation.log, organisation.account
    numbers = range(2 * len(SWAPS))
    made = [prepared(log, account, number, branch=f"branch-{number}", limit=number) for number in numbers]
    with sealing() as seal:
        record_decisions(seal, log_id=log.id, decisions=made)
    organisation.decisions[:] = [decision.id for decision in made]
    return organisation


def pairs(organisation: Organisation) -> Iterator[tuple[str, tuple[str, str]]]:
    ids = organisation.decisions
    for number, name in enumerate(SWAPS):
        yield name, (ids[2 * number], ids[2 * number + 1])


def swap(cursor: Any, table: str, columns: tuple[str, ...], both: tuple[str, str]) -> None:
    """Exchange columns between two rows: each gets what the other one had, which is something else."""
    names = [sql.Identifier(column) for column in columns]
    cursor.execute(
        sql.SQL(
            "UPDATE {t} a SET ({c}) = (SELECT {c} FROM {t} b WHERE b.id = ANY(%(both)s::uuid[]) AND b.id <> a.id)"
            " WHERE a.id = ANY(%(both)s::uuid[]) AND EXISTS (SELECT FROM {t} b WHERE b.id = ANY(%(both)s::uuid[])"
            " AND b.id <> a.id AND ROW({bs}) IS DISTINCT FROM ROW({as_}))"
        ).format(
            t=sql.Identifier(table),
            c=sql.SQL(", ").join(names),
            bs=sql.SQL(", ").join(sql.SQL("b.{}").format(name) for name in names),
            as_=sql.SQL(", ").join(sql.SQL("a.{}").format(name) for name in names),
        ),
        {"both": list(both)},
    )
    assert cursor.rowcount == 2, f"{table}: {columns} are the same in both"


def test_whatever_is_swapped_between_two_decisions_is_found_and_both_are_named(
    organisation: Organisation, keeper_url: str
) -> None:
    with as_owner(keeper_url) as cursor:
        assert list(verify_everything()) == []
        disable_triggers(cursor)
        for name, both in pairs(organisation):
            table, columns, _, _ = SWAPS[name]
            swap(cursor, table, columns, both)
        found = [finding for finding in verify_everything() if finding.code != "guard-open"]
    wrong = []
    for name, both in pairs(organisation):
        _, _, code, detail = SWAPS[name]
        for row in both:
            of_it = [each for each in found if each.row == row]
            if not any(each.code == code and detail in each.detail for each in of_it):
                wrong.append(f"{name}: {[str(each) for each in of_it]}")
    assert wrong == []
    swapped = {row for _, both in pairs(organisation) for row in both}
    assert {each.row for each in found} <= swapped, "and nobody else's"


@pytest.mark.parametrize(
    ("columns", "code"), [(("data",), "entry-altered"), (("data", "leaf_hash"), "entry-mislabelled")]
)
def test_entries_that_are_swapped_are_found_by_their_places(
    organisation: Organisation, keeper_url: str, columns: tuple[str, ...], code: str
) -> None:
    both = (organisation.decisions[0], organisation.decisions[5])
    places = set(organisation.log.entries.filter(id__in=both).values_list("leaf_index", flat=True))
    with as_owner(keeper_url) as cursor:
        disable_triggers(cursor)
        swap(cursor, "ledger_entry", columns, both)
        found = list(verify_everything())
    assert {each.index for each in found if each.code == code} == places
    if "leaf_hash" in columns:  # each place holds a sound leaf, the other one's
        assert "head-altered" in {each.code for each in found} or "rolled-back" in {each.code for each in found}

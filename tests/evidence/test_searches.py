"""What was searched for cannot be rewritten: each edit of the terms by SQL is found."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from audit.filters import DecisionFilter
from audit.models import Payload
from audit.reach import Reach
from audit.search_terms import Terms
from audit.selectors import visible_decision
from audit.services.disclosure import view_payload
from audit.services.searching import search_decisions
from evidence.verification import verify_everything
from governance.acts import Role
from ledger.models import Entry, Particulars
from tests.evidence.conftest import Organisation, found_organisation
from tests.evidence.test_tampering import as_owner
from tests.factories.erasing import erase_words
from tests.factories.register import actor_of, give_role, make_person

pytestmark = pytest.mark.committing


@pytest.fixture
def organisation(transactional_db: None) -> Organisation:
    """Searched once in one AI system and once in all; a payload was looked at."""
    organisation = found_organisation(5)
    reader = make_person()
    give_role(reader, Role.DPO)
    actor, reach = actor_of(reader), Reach.of_person(reader)
    within = DecisionFilter(system_id=organisation.system.pk)
    search_decisions(actor=actor, reach=reach, terms=Terms(subject="subject-2", text="income"), within=within)
    search_decisions(actor=actor, reach=reach, terms=Terms(labels={"branch": "north"}), within=DecisionFilter())
    view_payload(actor=actor, decision=visible_decision(uuid.UUID(organisation.decisions[0]), reach))
    return organisation


def codes() -> set[str]:
    return {finding.code for finding in verify_everything()} - {"guard-open"}


@pytest.fixture
def opened(organisation: Organisation, keeper_url: str) -> Iterator[Any]:
    with as_owner(keeper_url) as cursor:
        cursor.execute("ALTER TABLE ledger_particulars DISABLE TRIGGER USER")
        yield cursor


def test_searches_and_views_that_nobody_touched_are_clean(organisation: Organisation) -> None:
    assert Particulars.objects.filter(part="terms").count() == 2
    assert Entry.objects.filter(kind="payload.viewed").count() == 1
    assert codes() == set()


ONE = "WHERE id = (SELECT id FROM ledger_particulars WHERE part = 'terms' ORDER BY row_id {order} LIMIT 1)"
EDITS = {
    "other terms": ('UPDATE ledger_particulars SET data = \'{"subject": "nobody"}\'', {"particulars-altered"}),
    "another secret": ("UPDATE ledger_particulars SET secret = sha256(secret)", {"particulars-altered"}),
    "a short secret": ("UPDATE ledger_particulars SET secret = 'x'", {"particulars-altered"}),
    "another part": (
        "UPDATE ledger_particulars SET part = 'reason'",
        {"particulars-missing", "particulars-loose"},
    ),
    "another entry": (
        "UPDATE ledger_particulars SET row_id = gen_random_uuid()",
        {"particulars-missing", "particulars-loose"},
    ),
    "emptied": ("UPDATE ledger_particulars SET secret = NULL, data = NULL", {"particulars-gone"}),
    "deleted": ("DELETE FROM ledger_particulars", {"particulars-missing"}),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_an_edit_of_the_terms_is_found(opened: Any, edit: str, order: str) -> None:
    statement, expected = EDITS[edit]
    opened.execute(f"{statement} {ONE.format(order=order)}")
    assert opened.rowcount == 1
    assert codes() == expected


def test_terms_beside_those_of_a_search_or_of_no_search_are_found(organisation: Organisation) -> None:
    genuine = Particulars.objects.filter(part="terms").first()
    assert genuine is not None
    Particulars.objects.create(row_id=genuine.row_id, part="terms", secret=genuine.secret, data=genuine.data)
    assert codes() == {"particulars-loose"}


@pytest.mark.parametrize("part", ["terms", "reason", "invented"])
def test_terms_of_no_search_are_found(organisation: Organisation, part: str) -> None:
    Particulars.objects.create(row_id=uuid.uuid4(), part=part, secret=bytes(32), data=b"{}")
    assert codes() == {"particulars-loose"}


def test_terms_that_borrow_an_entry_of_another_kind_are_found(organisation: Organisation) -> None:
    view = Entry.objects.get(kind="payload.viewed")
    Particulars.objects.create(row_id=view.id, part="terms", secret=bytes(32), data=b"{}")
    assert codes() == {"particulars-loose"}


def test_terms_that_were_erased_by_a_sealed_act_are_clean(organisation: Organisation) -> None:
    terms = Particulars.objects.filter(part="terms").first()
    assert terms is not None
    erase_words(json.loads(bytes(terms.data or b""))["subject"])
    terms.refresh_from_db()
    assert terms.data is None
    assert codes() == set()
    assert Payload.objects.exclude(secret=None).exists()

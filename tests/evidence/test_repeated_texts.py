"""What a later version of a text repeats of one that was found: the database lets that go which names them, no more."""

import importlib
import json
import uuid

import psycopg
import pytest

from audit.models import Case, ErasureRequest
from audit.services.cases import edit_case
from evidence.erasure.repeating import repeating
from governance.models import AISystem, Person
from ledger.models import Particulars
from tests.evidence.as_app import REFUSED, TEXTS, erase, ready
from tests.factories.cases import make_led_case
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.committing
ADA = "Ada Lovelace"


@pytest.fixture
def system(transactional_db: None) -> AISystem:
    return make_system(slug="credit", accountable=make_person())


def going(app: psycopg.Connection) -> ErasureRequest:
    return ready(app, kind="subject", subject="nobody-of-this-name", identifiers=[ADA])


def changed(case: Case, lead: Person, title: str, summary: str) -> uuid.UUID:
    """Its new version."""
    edit_case(actor=actor_of(lead), case_id=case.pk, title=title, summary=summary, severity="low")
    case.refresh_from_db()
    assert case.particulars_id is not None
    return case.particulars_id


def told(request: ErasureRequest) -> list[uuid.UUID]:
    return repeating(request, list(request.finds.all())).get(Case.objects.get().pk, [])


def is_kept(version: uuid.UUID) -> bool:
    return Particulars.objects.get(pk=version).data is not None


def test_what_repeats_a_column_that_names_nobody_is_kept_by_the_database(
    app: psycopg.Connection, system: AISystem
) -> None:
    case, lead = make_led_case(system, title=f"Complaint of {ADA}", summary="She rang.")
    request = going(app)
    later = changed(case, lead, "A complaint", "She rang.")
    assert told(request) == []
    with pytest.raises(REFUSED, match="nobody agreed to it"):
        erase(app, request.pk, later, by=TEXTS)
    assert is_kept(later)


@pytest.mark.parametrize("title", [f"Complaint of {ADA}", "Complaint of ADA  LOVELACE", 'The "Ada Lovelace" case'])
def test_what_repeats_a_column_that_names_them_goes(app: psycopg.Connection, system: AISystem, title: str) -> None:
    case, lead = make_led_case(system, title=title, summary=f"{ADA} rang.")
    request = going(app)
    later = changed(case, lead, title, "Somebody rang.")
    assert told(request) == [later]
    erase(app, request.pk, later, by=TEXTS)
    assert not is_kept(later)


def test_what_the_row_of_the_request_says_by_now_widens_nothing(app: psycopg.Connection, system: AISystem) -> None:
    case, lead = make_led_case(system, title=f"Complaint of {ADA}", summary="She rang.")
    request = going(app)
    later = changed(case, lead, "A complaint", "She rang.")
    app.execute(
        "UPDATE audit_erasurerequest SET subject = 'She rang', identifiers = %s WHERE id = %s",
        [json.dumps(["She rang"]), request.pk],
    )
    with pytest.raises(REFUSED, match="nobody agreed to it"):
        erase(app, request.pk, later, by=TEXTS)
    assert is_kept(later)


def test_the_functions_can_be_taken_back_and_made_again(system: AISystem, keeper_url: str) -> None:
    (made,) = importlib.import_module("evidence.migrations.0060_restricting_texts").Migration.operations
    names = "SELECT count(*) FROM pg_proc WHERE proname IN ('evidence_repeating', 'evidence_text_floor_ends')"
    with psycopg.connect(keeper_url) as keeper:
        for _ in range(2):
            keeper.execute(made.reverse_sql)
            assert keeper.execute(names).fetchone() == (0,)
            keeper.execute(made.sql)
            assert keeper.execute(names).fetchone() == (2,)
        keeper.rollback()

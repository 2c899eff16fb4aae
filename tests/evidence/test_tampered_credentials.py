"""What SQL can do to secrets, recovery codes and set-up links is found and named."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from evidence.verification.credentials import walks
from governance.models import Person, RecoveryCode, TotpFactor
from governance.services.factors import make_recovery_codes, remove_factor, reset_factors, use_code
from governance.services.people import issue_setup_link, set_first_password
from ledger.entries import COMMAND
from notices.models import EndpointSecret
from notices.services.endpoints import rotate_secret
from notices.services.sending import forget_old
from tests.factories.register import actor_of, make_person
from tests.factories.sign_in import with_app
from tests.notices.endpoints import make_endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> Person:
    found = make_person()
    with_app(found)
    codes = make_recovery_codes(actor=actor_of(found))
    use_code(person=found, code=codes[0])
    issue_setup_link(actor=COMMAND, person_id=found.pk)
    made = make_endpoint()
    rotate_secret(actor=actor_of(made.row.owner), endpoint_id=made.row.pk)
    return found


def found() -> set[str]:
    findings = [finding for walk in walks() for finding in walk.step(None)[0]]
    assert {each.code for each in findings} <= {"credential-altered"}
    return {each.table for each in findings}


def copied(table: str, column: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
        names = [name for (name,) in cursor.fetchall() if name not in ("id", column)]
    listed = ", ".join(names)
    return (
        f"INSERT INTO {table} (id, {column}, {listed}) "
        f"SELECT gen_random_uuid(), '\\x00'::bytea, {listed} FROM {table} ORDER BY {order_of(table)} LIMIT 1"
    )


def order_of(table: str) -> str:
    # of two secrets the one that ends: only one may be without an end
    return "expires_at NULLS LAST" if table == "notices_endpointsecret" else "id"


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("notices_endpointsecret", "secret"),
        ("governance_recoverycode", "code_hash"),
        ("governance_setuplink", "secret_hash"),
    ],
)
def test_a_row_that_was_slipped_in(person: Person, table: str, column: str) -> None:
    assert found() == set()
    with connection.cursor() as cursor:
        cursor.execute(copied(table, column))
        assert cursor.rowcount == 1
    assert found() == {table}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE notices_endpointsecret SET secret = '\\x00'::bytea WHERE expires_at IS NULL",
        "UPDATE notices_endpointsecret SET expires_at = expires_at + interval '1 year' WHERE expires_at IS NOT NULL",
        "UPDATE governance_recoverycode SET used_at = NULL WHERE used_at IS NOT NULL",
        "UPDATE governance_recoverycode SET used_at = now()",
        "UPDATE governance_recoverycode SET code_hash = '\\x00'::bytea WHERE used_at IS NOT NULL",
        "UPDATE governance_totpfactor SET sealed_secret = '\\x00'::bytea",
        "UPDATE governance_setuplink SET secret_hash = '\\x00'::bytea",
        "UPDATE governance_setuplink SET expires_at = expires_at + interval '1 year'",
        "DELETE FROM notices_endpointsecret WHERE expires_at IS NULL",
        "DELETE FROM notices_endpointsecret WHERE expires_at IS NOT NULL",
        "DELETE FROM governance_recoverycode",
        "DELETE FROM governance_recoverycode WHERE used_at IS NOT NULL",
    ],
)
def test_a_row_that_was_changed_or_taken_away(person: Person, statement: str) -> None:
    assert found() == set()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount > 0
    assert found() == {next(word for word in statement.split() if "_" in word)}


def test_a_link_that_was_used_does_not_open_again(person: Person) -> None:
    token = issue_setup_link(actor=COMMAND, person_id=person.pk)
    set_first_password(token=token, password="plum otter crane")
    assert found() == set()
    person.setup_links.filter(used_at__isnull=False).update(used_at=None)
    assert found() == {"governance_setuplink"}


def test_what_ended_by_an_act_is_no_finding(person: Person) -> None:
    make_recovery_codes(actor=actor_of(person))
    assert found() == set()
    factor = TotpFactor.objects.get(person=person)
    remove_factor(actor=actor_of(person), kind=TotpFactor, factor_id=factor.pk)
    assert not RecoveryCode.objects.exists()
    assert found() == set()
    with_app(person)
    make_recovery_codes(actor=actor_of(person))
    reset_factors(actor=COMMAND, person_id=person.pk)
    assert found() == set()


def test_a_secret_whose_overlap_is_over_may_go(person: Person) -> None:
    made = make_endpoint()
    rotate_secret(actor=actor_of(made.row.owner), endpoint_id=made.row.pk, overlap=timedelta(0))
    assert found() == set()
    forget_old()
    assert not EndpointSecret.objects.filter(expires_at__lt=timezone.now()).exists()
    assert found() == set()

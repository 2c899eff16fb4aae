"""What the application's own database role cannot do: erase without two people, before its time, or against a hold."""

import uuid
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from audit.models import ErasureRequest, Payload, Restriction, TextRestriction
from audit.services.holds import place_span_hold
from config.ids import new_id
from evidence.services.erasure_answers import approve_erasure
from evidence.services.erasures import ask_erasure
from evidence.verification import verify_everything
from governance.models import AISystem
from ledger.models import Particulars
from overrides.services.overriding import override_decision
from tests.factories.erasing import agreed, agreeing, erased, long_ago, no_floor, officer, prepared
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.committing
REFUSED = psycopg.errors.InsufficientPrivilege
PAYLOADS = "SELECT evidence_erase_payloads(%s, %s, %s)"
TEXTS = "SELECT evidence_erase_texts(%s, %s, %s)"
RECORDS = "SELECT evidence_erase_quarantined(%s, %s, %s)"


@pytest.fixture
def system(transactional_db: None) -> AISystem:
    return make_system(slug="credit", accountable=make_person())


def erase(app: psycopg.Connection, warrant: uuid.UUID | None, *ids: uuid.UUID, by: str = PAYLOADS) -> None:
    app.execute(by, [warrant, list(ids), [new_id() for _ in ids]])


def running(request: ErasureRequest, app: psycopg.Connection) -> None:
    """As somebody would set it who has only SQL."""
    app.execute(
        "UPDATE audit_erasurerequest SET status = 'running', runs_at = now() - interval '1 day' WHERE id = %s",
        [request.pk],
    )


def is_kept(decision_id: uuid.UUID) -> bool:
    return Payload.objects.get(pk=decision_id).secret is not None


def test_no_warrant_no_erasure(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system)
    version = Particulars.objects.order_by("id")[0]
    for warrant in (None, new_id(), decision.id, system.pk):
        with pytest.raises(REFUSED):
            erase(app, warrant, decision.id)
        with pytest.raises(REFUSED):
            erase(app, warrant, version.pk, by=TEXTS)
    assert is_kept(decision.id) and Particulars.objects.get(pk=version.pk).secret is not None


def test_a_request_that_nobody_agreed_to_erases_nothing_whatever_its_row_says(
    app: psycopg.Connection, system: AISystem
) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1")
    request = prepared(kind="subject", subject="c-1")
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    consent = request.consents.get()
    running(request, app)
    with pytest.raises(REFUSED, match="two people"):
        erase(app, request.pk, decision.id)
    app.execute(
        "UPDATE audit_erasureconsent SET status = 'approved', decided_by_id = %s,"
        " decided_at = now() - interval '2 days' WHERE id = %s",
        [agreeing(system).pk, consent.pk],
    )
    with pytest.raises(REFUSED, match="no sealed entry"):
        app.execute("SELECT evidence_open_warrant(%s)", [consent.pk])
    with pytest.raises(REFUSED, match="permission denied"):
        app.execute(
            "INSERT INTO audit_erasurewarrant VALUES (%s, %s, %s, now(), now())", [consent.pk, request.pk, system.pk]
        )
    assert is_kept(decision.id)


def test_what_was_agreed_to_yesterday_is_not_what_was_added_since(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    mine, other = record_decision(system, subject="c-1"), record_decision(system, subject="c-2")
    request = agreed(kind="subject", subject="c-1")
    app.execute("INSERT INTO audit_erasuretarget VALUES (%s, %s, %s)", [request.pk, other.id, system.pk])
    consent = request.consents.get()
    with pytest.raises(REFUSED, match="not what two people agreed to"):
        app.execute("SELECT evidence_open_warrant(%s)", [consent.pk])
    assert "erasure-altered" in {finding.code for finding in verify_everything()}
    app.execute("DELETE FROM audit_erasuretarget WHERE decision_id = %s", [other.id])
    app.execute("SELECT evidence_open_warrant(%s)", [consent.pk])
    for statement in (
        f"INSERT INTO audit_erasuretarget VALUES ('{request.pk}', '{other.id}', '{system.pk}')",
        f"DELETE FROM audit_erasuretarget WHERE request_id = '{request.pk}'",
        f"INSERT INTO audit_erasurefind VALUES ('{request.pk}', '{new_id()}', 'texts', '{new_id()}', true)",
    ):
        with pytest.raises(REFUSED, match="two people have agreed"):
            app.execute(statement)
    running(request, app)
    with pytest.raises(REFUSED):
        erase(app, request.pk, mine.id, other.id)
    assert is_kept(mine.id) and is_kept(other.id)


def test_a_day_must_have_passed_since_the_entry_not_since_the_row(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1")
    request = prepared(kind="subject", subject="c-1")
    ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    consent = request.consents.get()
    approve_erasure(actor=actor_of(agreeing(system)), consent_id=consent.pk)
    running(request, app)
    app.execute("SELECT evidence_open_warrant(%s)", [consent.pk])
    with pytest.raises(REFUSED, match="a day ago"):
        erase(app, request.pk, decision.id)
    assert is_kept(decision.id)


def test_one_person_twice_is_not_two(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    record_decision(system, subject="c-1")
    request = agreed(kind="subject", subject="c-1")
    consent = request.consents.get()
    with pytest.raises(psycopg.errors.CheckViolation):
        app.execute("UPDATE audit_erasureconsent SET decided_by_id = asked_by_id WHERE id = %s", [consent.pk])
    app.execute("UPDATE audit_erasureconsent SET asked_by_id = %s WHERE id = %s", [make_person().pk, consent.pk])
    with pytest.raises(REFUSED, match="no sealed entry"):
        app.execute("SELECT evidence_open_warrant(%s)", [consent.pk])


def test_inside_a_floor_and_under_a_hold_nothing_is_erased_whoever_agreed(
    app: psycopg.Connection, system: AISystem
) -> None:
    decision = record_decision(system, subject="c-1")
    request = agreed(kind="subject", subject="c-1")
    running(request, app)
    app.execute("SELECT evidence_open_warrant(%s)", [request.consents.get().pk])
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, request.pk, decision.id)
    no_floor(system)
    now = timezone.now()
    place_span_hold(
        actor=actor_of(make_person(investigator=True)), system_id=system.pk, since=now - timedelta(hours=1),
        until=now + timedelta(hours=1), reason="A claim.",
    )  # fmt: skip
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, request.pk, decision.id)
    assert is_kept(decision.id)


def test_a_text_of_no_decision_and_no_find_is_not_part_of_it(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    record_decision(system, subject="c-1")
    request = agreed(kind="subject", subject="c-1")
    running(request, app)
    app.execute("SELECT evidence_open_warrant(%s)", [request.consents.get().pk])
    other = Particulars.objects.exclude(row_id=request.pk).order_by("id")[0]
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, request.pk, other.pk, by=TEXTS)
    assert Particulars.objects.get(pk=other.pk).secret is not None


@pytest.mark.parametrize("statement", [PAYLOADS, TEXTS, RECORDS])
def test_each_row_goes_with_one_entry(app: psycopg.Connection, statement: str) -> None:
    one, other = new_id(), new_id()
    for ids, entries in (([one], []), ([], [one]), ([one, one], [one, other]), ([one], [None])):
        with pytest.raises(REFUSED, match="each row goes with one entry"):
            app.execute(statement, [new_id(), ids, entries])


def test_the_inner_functions_are_nobodys(app: psycopg.Connection) -> None:
    for call in (
        "evidence_permit('{}', '{}')",
        "evidence_said(gen_random_uuid(), 'x')",
        "evidence_free_targets(gen_random_uuid(), '{}')",
        "evidence_kept('{}')",
    ):
        with pytest.raises(REFUSED, match="permission denied"):
            app.execute(f"SELECT {call}")


def test_what_was_erased_without_any_of_it_is_found(system: AISystem, keeper_url: str) -> None:
    """The owner of the tables can do anything, and is found."""
    no_floor(system)
    decision = record_decision(system, subject="c-1")
    other = record_decision(system, subject="c-2")
    erased(kind="subject", subject="c-1")
    assert list(verify_everything()) == []
    entry = Payload.objects.get(pk=decision.id)
    assert entry.secret is None
    with psycopg.connect(keeper_url) as keeper:
        keeper.execute("ALTER TABLE audit_payload DISABLE TRIGGER erase_only")
        keeper.execute(
            "UPDATE audit_payload SET secret = NULL, input = NULL, output = NULL, explanation = NULL, context = NULL,"
            " refs = NULL, subject = NULL, label_terms = NULL, input_digest = NULL WHERE id = %s",
            [other.id],
        )
    assert {finding.code for finding in verify_everything()} == {"payload-gone", "guard-open"}
    with psycopg.connect(keeper_url) as keeper:
        keeper.execute(
            "INSERT INTO ledger_erasure (id, row_id, entry_id, transaction)"
            " SELECT %s, %s, entry_id, 0 FROM ledger_erasure WHERE row_id = %s",
            [new_id(), other.id, decision.id],
        )
    found: set[Any] = {finding.code for finding in verify_everything()}
    assert "erasure-unsealed" in found, "one more than the entry counts"


def restricted_both_ways(system: AISystem) -> None:
    """A decision, and what was written of another one."""
    record_decision(system, subject="Ada Lovelace")
    other, owner = record_decision(system), actor_of(agreeing(system))
    override_decision(actor=owner, decision_id=other.id, outcome="no", reason_code="other", note="Ada Lovelace rang.")
    erased(kind="subject", subject="Ada Lovelace")
    assert Restriction.objects.count() == TextRestriction.objects.count() == 1


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("audit_restriction", "DELETE FROM {0}"),
        ("audit_restriction", "UPDATE {0} SET decision_id = gen_random_uuid()"),
        ("audit_restriction", "UPDATE {0} SET entry_id = gen_random_uuid()"),
        ("audit_restriction", "INSERT INTO {0} (request_id, decision_id, entry_id)"
         " SELECT request_id, gen_random_uuid(), entry_id FROM {0}"),
        ("audit_textrestriction", "DELETE FROM {0}"),
        ("audit_textrestriction", "UPDATE {0} SET item_id = gen_random_uuid()"),
        ("audit_textrestriction", "UPDATE {0} SET row_id = gen_random_uuid()"),
        ("audit_textrestriction", "UPDATE {0} SET entry_id = gen_random_uuid()"),
        ("audit_textrestriction", "INSERT INTO {0} (request_id, item_id, row_id, entry_id)"
         " SELECT request_id, gen_random_uuid(), row_id, entry_id FROM {0}"),
    ],
)  # fmt: skip
def test_a_restriction_that_is_taken_away_or_changed_is_found(
    system: AISystem, keeper_url: str, table: str, changes: str
) -> None:
    restricted_both_ways(system)
    assert list(verify_everything()) == []
    with psycopg.connect(keeper_url) as keeper:
        keeper.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        keeper.execute(changes.format(table))
    found = {(finding.code, finding.table) for finding in verify_everything()}
    assert ("restriction-altered", table) in found


def test_the_application_takes_no_restriction_away(app: psycopg.Connection, system: AISystem) -> None:
    restricted_both_ways(system)
    for statement in (
        "DELETE FROM audit_restriction",
        "UPDATE audit_restriction SET decision_id = gen_random_uuid()",
        "DELETE FROM audit_textrestriction",
        "UPDATE audit_textrestriction SET row_id = gen_random_uuid()",
    ):
        with pytest.raises(REFUSED):
            app.execute(statement)

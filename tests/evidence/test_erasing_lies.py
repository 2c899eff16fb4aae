"""Rows that say otherwise than what is sealed of holds, floors and stops: nothing goes by them."""

from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from audit.models import LegalHold, Purge, RetentionRule
from audit.services.holds import approve_lift, place_span_hold, refuse_lift, request_lift
from config.ids import new_id
from evidence.services.erasure_answers import approve_erasure, hold_erasure
from evidence.services.erasures import ask_erasure
from evidence.services.purges import announce_purge, hold_purge
from governance.models import AISystem
from ledger.models import Particulars
from tests.evidence.as_app import OPEN, PAYLOADS, REFUSED, RUNNING, TEXTS, erase, is_kept, ready
from tests.factories.erasing import (
    agreed,
    agreeing,
    long_ago,
    no_floor,
    officer,
    prepared,
    put_in_force,
)
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.committing


@pytest.fixture
def system(transactional_db: None) -> AISystem:
    return make_system(slug="credit", accountable=make_person())


# --- holds ------------------------------------------------------------------------------------------------------------
def held(system: AISystem) -> LegalHold:
    now = timezone.now()
    return place_span_hold(
        actor=actor_of(make_person(investigator=True)), system_id=system.pk, since=now - timedelta(days=1),
        until=now + timedelta(days=1), reason="A claim.",
    )  # fmt: skip


LIFTED = (
    "UPDATE audit_legalhold SET status = 'lifted', lift_requested_by_id = gen_random_uuid(), lift_requested_at = now(),"
    " lifted_by_id = gen_random_uuid(), lifted_at = now()"
)
MOVED = "UPDATE audit_legalhold SET since = '2001-01-01', until = '2001-01-02'"
ELSEWHERE = "UPDATE audit_legalhold SET system_id = gen_random_uuid()"


@pytest.mark.parametrize("statement", [LIFTED, MOVED, ELSEWHERE])
@pytest.mark.parametrize("after", ["nothing", "asked", "refused"])
def test_a_hold_is_lifted_by_the_entries_of_two_people_alone(
    app: psycopg.Connection, system: AISystem, statement: str, after: str
) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1")
    placed, asks = held(system), make_person(investigator=True)
    if after != "nothing":
        request_lift(actor=actor_of(asks), hold_id=placed.pk, reason="Settled.")
    if after == "refused":
        refuse_lift(actor=actor_of(officer()), hold_id=placed.pk)
    request = ready(app, kind="subject", subject="c-1")
    app.execute(statement)
    with pytest.raises(REFUSED, match="held"):
        erase(app, request.pk, decision.id)
    assert is_kept(decision.id)


def test_a_hold_that_two_people_lifted_keeps_nothing(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1")
    placed = held(system)
    request_lift(actor=actor_of(make_person(investigator=True)), hold_id=placed.pk, reason="Settled.")
    approve_lift(actor=actor_of(officer()), hold_id=placed.pk)
    request = ready(app, kind="subject", subject="c-1")
    erase(app, request.pk, decision.id)
    assert not is_kept(decision.id)


# --- floors -----------------------------------------------------------------------------------------------------------
def test_a_floor_is_what_two_people_sealed_not_what_a_row_says(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    put_in_force("payloads", system, floor=100)
    decision = record_decision(system, subject="c-1")
    request = ready(app, kind="subject", subject="c-1")
    rule = RetentionRule.objects.get(kind="payloads", status="in_force")
    older = RetentionRule.objects.filter(kind="payloads", status="superseded").get()
    for statement in (
        "UPDATE audit_retentionclass SET floor_days = 0",
        f"UPDATE audit_retentionrule SET status = 'superseded' WHERE id = '{rule.pk}'",
        f"UPDATE audit_retentionrule SET status = 'in_force' WHERE id = '{older.pk}'",
        f"UPDATE audit_retentionrule SET system_id = gen_random_uuid() WHERE id = '{rule.pk}'",
    ):
        app.execute(statement)
        with pytest.raises(REFUSED, match="within its floor"):
            erase(app, request.pk, decision.id)
    assert is_kept(decision.id)


def test_a_rule_of_another_ai_system_holds_there_alone_whatever_its_trail_says(
    app: psycopg.Connection, system: AISystem
) -> None:
    other = make_system(accountable=make_person())
    no_floor(other)
    decision = record_decision(system, subject="c-1")
    request = ready(app, kind="subject", subject="c-1")
    columns = [
        name for (name,) in app.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'audit_historicalretentionrule'"
        ) if name not in ("system_id", "history_id")
    ]  # fmt: skip
    listed = ", ".join(columns)
    app.execute(
        f"INSERT INTO audit_historicalretentionrule ({listed}, system_id, history_id)"
        f" SELECT {listed}, %s, gen_random_uuid() FROM audit_historicalretentionrule",
        [system.pk],
    )
    with pytest.raises(REFUSED, match="within its floor"):
        erase(app, request.pk, decision.id)


# --- stops ------------------------------------------------------------------------------------------------------------
def test_what_was_stopped_is_not_gone_on_with_by_a_changed_row(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1")
    request = ready(app, kind="subject", subject="c-1")
    hold_erasure(actor=actor_of(agreeing(system)), request_id=request.pk, reason="A claim came in.")
    app.execute(RUNNING, [request.pk])
    with pytest.raises(REFUSED, match="stopped since"):
        erase(app, request.pk, decision.id)
    assert is_kept(decision.id)


def test_it_does_not_run_before_the_time_that_was_announced(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1")
    request = prepared(kind="subject", subject="c-1")
    ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    consent = request.consents.get()
    with pytest.MonkeyPatch.context() as patch:
        past = timezone.now() - timedelta(days=2)
        patch.setattr("ledger.rows.timezone", type("Clock", (), {"now": staticmethod(lambda: past)}))
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=consent.pk)
    app.execute(OPEN, [consent.pk])
    app.execute(RUNNING, [request.pk])
    with pytest.raises(REFUSED, match="announced for later"):
        erase(app, request.pk, decision.id)
    assert is_kept(decision.id)


# --- purges -----------------------------------------------------------------------------------------------------------
def announced(days: int = 20) -> Purge:
    with long_ago(days=days):
        purge = announce_purge()
    assert purge is not None
    return purge


PURGING = "UPDATE audit_purge SET status = 'running' WHERE id = %s"


def test_a_purge_takes_only_what_was_announced_and_is_that_old(app: psycopg.Connection, system: AISystem) -> None:
    put_in_force("payloads", system, floor=0, ceiling=30)
    old, young = record_decision(system, at=timezone.now() - timedelta(days=60)), record_decision(system)
    purge = announced()
    with pytest.raises(REFUSED, match="its time has not come"):
        erase(app, purge.pk, old.id)
    app.execute(PURGING, [purge.pk])
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, purge.pk, young.id)
    put_in_force("payloads", system, floor=0, ceiling=40)
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, purge.pk, old.id)
    assert is_kept(old.id) and is_kept(young.id)
    assert Purge.objects.count() == 1


def test_a_purge_that_was_stopped_takes_nothing_whatever_its_row_says(
    app: psycopg.Connection, system: AISystem
) -> None:
    put_in_force("payloads", system, floor=0, ceiling=30)
    old = record_decision(system, at=timezone.now() - timedelta(days=60))
    purge = announced()
    hold_purge(actor=actor_of(agreeing(system)), purge_id=purge.pk, reason="A claim came in.")
    app.execute("UPDATE audit_purge SET status = 'running', held_at = NULL WHERE id = %s", [purge.pk])
    with pytest.raises(REFUSED, match="it was stopped"):
        erase(app, purge.pk, old.id)
    assert is_kept(old.id)


def test_a_purge_of_a_place_without_two_people_behind_it_takes_nothing(
    app: psycopg.Connection, system: AISystem
) -> None:
    """A class and a rule that are rows alone: the server believes them, the database does not."""
    rule = put_in_force("letters", system, floor=0, ceiling=30)
    old = record_decision(system, at=timezone.now() - timedelta(days=600))
    app.execute("UPDATE audit_retentionclass SET kind = 'payloads' WHERE id = %s", [rule.retention_class_id])
    app.execute("UPDATE audit_retentionrule SET kind = 'payloads' WHERE id = %s", [rule.pk])
    purge = announced()
    app.execute(PURGING, [purge.pk])
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, purge.pk, old.id)
    assert is_kept(old.id)


# --- snapshots --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_older_snapshot_erases_opens_and_changes_nothing(
    app: psycopg.Connection, system: AISystem, level: str
) -> None:
    no_floor(system)
    decision = record_decision(system, subject="c-1")
    request = ready(app, kind="subject", subject="c-1")
    consent, version = request.consents.get(), Particulars.objects.get(row_id=request.pk, part="particulars")
    for statement, values in (
        (PAYLOADS, [request.pk, [decision.id], [new_id()]]),
        (TEXTS, [request.pk, [version.pk], [new_id()]]),
        ("SELECT evidence_erase_quarantined(%s, %s, %s)", [None, [new_id()], [new_id()]]),
        ("SELECT evidence_lock_holds()", []),
        (OPEN, [consent.pk]),
        ("INSERT INTO audit_erasuretarget VALUES (%s, %s, %s)", [new_id(), decision.id, system.pk]),
    ):
        with pytest.raises(REFUSED, match="READ COMMITTED"), app.transaction():
            app.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            app.execute(statement, values)
    assert is_kept(decision.id)
    erase(app, request.pk, decision.id)
    assert not is_kept(decision.id)


def test_what_is_added_while_a_warrant_opens_is_counted_or_refused(
    app: psycopg.Connection, system: AISystem, database_url: str
) -> None:
    no_floor(system)
    record_decision(system, subject="c-1")
    other = record_decision(system, subject="c-2")
    request = agreed(kind="subject", subject="c-1")
    consent = request.consents.get()
    with psycopg.connect(database_url, autocommit=True) as beside, app.transaction():
        app.execute("INSERT INTO audit_erasuretarget VALUES (%s, %s, %s)", [request.pk, other.id, system.pk])
        beside.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            beside.execute(OPEN, [consent.pk])
    with pytest.raises(REFUSED, match="not what two people agreed to"):
        app.execute(OPEN, [consent.pk])

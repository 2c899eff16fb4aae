"""What the application's own database role cannot do: erase without two people, before its time, or against a hold."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from audit.models import ErasureRequest, Payload, Purge
from audit.services.holds import place_span_hold
from config.ids import new_id
from evidence.services.erasure_answers import approve_erasure
from evidence.services.erasures import ask_erasure
from evidence.services.purges import announce_purge
from evidence.verification import verify_everything
from governance.models import AISystem
from ledger.models import Particulars
from tests.factories.erasing import agreed, agreeing, erased, long_ago, no_floor, officer, prepared, put_in_force
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


@pytest.fixture
def app(system: AISystem, database_url: str) -> Iterator[psycopg.Connection]:
    """Somebody with the password of the role that the service runs as."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


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


def test_an_entry_that_was_slipped_in_is_none(app: psycopg.Connection, system: AISystem) -> None:
    """It does not hash to its leaf hash; one that does would stop the log, and be found."""
    no_floor(system)
    record_decision(system, subject="c-1")
    request = prepared(kind="subject", subject="c-1")
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    consent = request.consents.get()
    app.execute(
        "UPDATE audit_erasureconsent SET status = 'approved', decided_by_id = %s, decided_at = now() WHERE id = %s",
        [agreeing(system).pk, consent.pk],
    )
    said = {
        "actor": {"type": "person", "id": str(agreeing(system).pk)},
        "at": "2020-01-01T00:00:00.000000Z",
        "body": {"decisions_digest": consent.decisions_digest, "texts_digest": consent.texts_digest},
    }
    data = json.dumps(said).encode()
    place = app.execute("SELECT log_id, max(leaf_index) + 1 FROM ledger_entry GROUP BY 1 ORDER BY 2 DESC LIMIT 1")
    log_id, index = place.fetchone() or (None, None)
    for leaf_hash, verdict in ((bytes(32), False), (sha256(b"\0" + data).digest(), True)):
        app.execute(
            "INSERT INTO ledger_entry (log_id, leaf_index, id, kind, about_id, data, leaf_hash)"
            " VALUES (%s, %s, %s, 'erasure.approved', %s, %s, %s)",
            [log_id, index, new_id(), consent.pk, data, leaf_hash],
        )
        index += 1
        if not verdict:
            with pytest.raises(REFUSED):
                app.execute("SELECT evidence_open_warrant(%s)", [consent.pk])
    assert "entry-beyond-head" in {finding.code for finding in verify_everything()}


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


def test_a_purge_takes_only_what_was_announced_and_is_that_old(app: psycopg.Connection, system: AISystem) -> None:
    put_in_force("payloads", system, floor=0, ceiling=30)
    old, young = record_decision(system, at=timezone.now() - timedelta(days=60)), record_decision(system)
    with long_ago(days=20):
        purge = announce_purge()
    assert purge is not None
    with pytest.raises(REFUSED, match="its time has not come"):
        erase(app, purge.pk, old.id)
    app.execute("UPDATE audit_purge SET status = 'running' WHERE id = %s", [purge.pk])
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, purge.pk, young.id)
    app.execute("UPDATE audit_retentionclass SET floor_days = 100, ceiling_days = 200")
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, purge.pk, old.id)
    assert is_kept(old.id) and is_kept(young.id)
    assert Purge.objects.count() == 1


def test_a_purge_of_a_place_without_two_people_behind_it_takes_nothing(
    app: psycopg.Connection, system: AISystem
) -> None:
    rule = put_in_force("payloads", system, floor=0, ceiling=30)
    old = record_decision(system, at=timezone.now() - timedelta(days=60))
    with long_ago(days=20):
        purge = announce_purge()
    assert purge is not None
    app.execute("UPDATE audit_purge SET status = 'running' WHERE id = %s", [purge.pk])
    app.execute("UPDATE audit_retentionrule SET status = 'superseded' WHERE id = %s", [rule.pk])
    app.execute(
        "INSERT INTO audit_retentionrule (id, created_at, revision, kind, system_id, status, requested_at, reason,"
        " answer, retention_class_id, requested_by_id, decided_by_id, decided_at)"
        " SELECT %s, created_at, 1, kind, system_id, 'in_force', requested_at, reason, answer,"
        " retention_class_id, requested_by_id, decided_by_id, decided_at"
        " FROM audit_retentionrule WHERE id = %s",
        [new_id(), rule.pk],
    )
    with pytest.raises(REFUSED, match="held, within its floor"):
        erase(app, purge.pk, old.id)
    assert is_kept(old.id)


def test_quarantine_is_emptied_by_nobody_before_a_day_is_over(app: psycopg.Connection, system: AISystem) -> None:
    for warrant in (None, new_id()):
        with pytest.raises(REFUSED):
            erase(app, warrant, new_id(), by=RECORDS)


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


def test_a_restriction_that_is_taken_away_is_found(system: AISystem, keeper_url: str) -> None:
    record_decision(system, subject="c-1")
    erased(kind="subject", subject="c-1")
    assert list(verify_everything()) == []
    with psycopg.connect(keeper_url) as keeper:
        keeper.execute("ALTER TABLE audit_restriction DISABLE TRIGGER USER")
        keeper.execute("DELETE FROM audit_restriction")
    assert "restriction-altered" in {finding.code for finding in verify_everything()}


def test_the_application_takes_no_restriction_away(app: psycopg.Connection, system: AISystem) -> None:
    record_decision(system, subject="c-1")
    erased(kind="subject", subject="c-1")
    for statement in ("DELETE FROM audit_restriction", "UPDATE audit_restriction SET decision_id = gen_random_uuid()"):
        with pytest.raises(REFUSED):
            app.execute(statement)

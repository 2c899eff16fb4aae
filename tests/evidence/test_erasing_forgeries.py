"""Entries that were slipped in, and what was agreed to turned into something else: nothing goes by it."""

import json
import uuid
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from audit.models import ErasureConsent
from audit.services.holds import place_hold
from config.ids import new_id
from evidence.services.erasure_answers import approve_erasure
from evidence.services.erasures import ask_erasure
from evidence.services.leaving import leave
from evidence.verification import verify_everything
from governance.models import AISystem, Person
from ledger.models import Particulars
from tests.evidence.as_app import OPEN, REFUSED, RUNNING, TEXTS, erase, is_kept, ready
from tests.factories.cases import make_led_case
from tests.factories.erasing import (
    administrator,
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


# --- entries ----------------------------------------------------------------------------------------------------------
def asked(system: AISystem) -> ErasureConsent:
    no_floor(system)
    record_decision(system, subject="c-1")
    request = prepared(kind="subject", subject="c-1")
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
    return request.consents.get()


def agree_by_sql(app: psycopg.Connection, consent: ErasureConsent, person: Person) -> None:
    app.execute(
        "UPDATE audit_erasureconsent SET status = 'approved', decided_by_id = %s, decided_at = now() WHERE id = %s",
        [person.pk, consent.pk],
    )


def words(consent: ErasureConsent, person: Person, entry_id: uuid.UUID, **changes: Any) -> dict[str, Any]:
    """What an entry would say by which somebody agreed long ago."""
    said = {
        "id": str(entry_id),
        "kind": "erasure.approved",
        "actor": {"type": "person", "id": str(person.pk)},
        "at": "2020-01-01T00:00:00.000000Z",
        "body": {
            "about": str(consent.pk),
            "request": str(consent.request_id),
            "erases": consent.request.kind,
            "decisions_digest": consent.decisions_digest,
            "texts_digest": consent.texts_digest,
        },
    }
    return said | changes


def slip_in(
    app: psycopg.Connection,
    consent: ErasureConsent,
    said: dict[str, Any],
    *,
    under: bytes | None = None,
    row_id: uuid.UUID | None = None,
) -> tuple[uuid.UUID, int]:
    """A row among the entries, behind the last. Returns its log and its index."""
    data = json.dumps(said).encode()
    place = app.execute("SELECT log_id, max(leaf_index) + 1 FROM ledger_entry GROUP BY 1 ORDER BY 2 DESC LIMIT 1")
    log_id, index = place.fetchone() or (None, None)
    app.execute(
        "INSERT INTO ledger_entry (log_id, leaf_index, id, kind, about_id, data, leaf_hash)"
        " VALUES (%s, %s, %s, 'erasure.approved', %s, %s, %s)",
        [
            log_id,
            index,
            row_id or said["id"],
            consent.pk,
            data,
            sha256(b"\0" + data).digest() if under is None else under,
        ],
    )
    return log_id, index


@pytest.mark.parametrize(
    ("changes", "under"),
    [
        ({}, bytes(32)),
        ({"kind": "erasure.requested"}, None),
        ({"body": {"about": str(uuid.UUID(int=1))}}, None),
        ({"id": str(uuid.UUID(int=2))}, None),
    ],
)
def test_an_entry_whose_bytes_say_something_else_is_none_even_under_a_head(
    app: psycopg.Connection, system: AISystem, changes: dict[str, Any], under: bytes | None
) -> None:
    consent, person = asked(system), agreeing(system)
    agree_by_sql(app, consent, person)
    entry_id = new_id()
    said = words(consent, person, entry_id)
    body = said["body"] | changes.get("body", {})
    cover(app, *slip_in(app, consent, said | changes | {"body": body}, under=under, row_id=entry_id))
    with pytest.raises(REFUSED, match="no sealed entry"):
        app.execute(OPEN, [consent.pk])


def cover(app: psycopg.Connection, log_id: uuid.UUID, index: int) -> None:
    app.execute(
        "INSERT INTO ledger_head (log_id, tree_size, root_hash, frontier) VALUES (%s, %s, %s, %s)",
        [log_id, index + 1, bytes(32), b""],
    )


def test_an_entry_beyond_the_head_is_none_and_is_found(app: psycopg.Connection, system: AISystem) -> None:
    consent, person = asked(system), agreeing(system)
    agree_by_sql(app, consent, person)
    slip_in(app, consent, words(consent, person, new_id()))
    with pytest.raises(REFUSED, match="no sealed entry"):
        app.execute(OPEN, [consent.pk])
    assert "entry-beyond-head" in {finding.code for finding in verify_everything()}


def test_whoever_forges_entry_and_head_forges_consent_and_is_found_by_them_for_ever(
    app: psycopg.Connection, system: AISystem
) -> None:
    """The limit of what the database can know: it holds no key. The forged entry cannot be taken away again."""
    consent, person = asked(system), agreeing(system)
    agree_by_sql(app, consent, person)
    cover(app, *slip_in(app, consent, words(consent, person, new_id())))
    app.execute(OPEN, [consent.pk])
    with pytest.raises(REFUSED):
        app.execute("DELETE FROM ledger_entry WHERE about_id = %s", [consent.pk])
    assert "head-altered" in {finding.code for finding in verify_everything()}


# --- what a warrant binds ---------------------------------------------------------------------------------------------
def test_a_warrant_for_decisions_erases_no_name(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    put_in_force("staff")
    decision = record_decision(system, subject="c-1")
    somebody = make_person(name="Grace Hopper")
    leave(actor=actor_of(administrator()), person_id=somebody.pk)
    request = ready(app, kind="subject", subject="c-1")
    app.execute(
        "UPDATE audit_erasurerequest SET kind = 'person', person_id = %s WHERE id = %s", [somebody.pk, request.pk]
    )
    name = Particulars.objects.get(row_id=somebody.pk, part="particulars")
    with pytest.raises(REFUSED, match="nobody agreed"):
        erase(app, request.pk, name.pk, by=TEXTS)
    assert Particulars.objects.get(pk=name.pk).secret is not None and is_kept(decision.id)


@pytest.mark.parametrize("change", ["kind = 'subject', person_id = NULL", "person_id = %(other)s"])
def test_a_request_that_became_another_one_after_it_was_agreed_to_opens_no_warrant(
    app: psycopg.Connection, system: AISystem, change: str
) -> None:
    no_floor(system)
    put_in_force("staff")
    first, other = (make_person(name=each) for each in ("Grace Hopper", "Ada Lovelace"))
    for each in (first, other):
        leave(actor=actor_of(administrator()), person_id=each.pk)
    request = agreed(kind="person", person_id=first.pk)
    app.execute(f"UPDATE audit_erasurerequest SET {change} WHERE id = %(id)s", {"other": other.pk, "id": request.pk})
    with pytest.raises(REFUSED, match="not what two people agreed to"):
        app.execute(OPEN, [request.consents.get().pk])


def test_the_consent_to_one_request_is_none_to_another(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    record_decision(system, subject="c-1")
    first, second = agreed(kind="subject", subject="c-1"), agreed(kind="subject", subject="c-1")
    mine, theirs = (each.consents.get(system_id=system.pk) for each in (first, second))
    app.execute("UPDATE audit_erasureconsent SET status = 'void' WHERE id = %s", [theirs.pk])
    app.execute("UPDATE audit_erasureconsent SET request_id = %s WHERE id = %s", [second.pk, mine.pk])
    with pytest.raises(REFUSED, match="not what two people agreed to"):
        app.execute(OPEN, [mine.pk])


def test_a_decision_goes_by_the_word_of_its_own_ai_system_whatever_the_row_says(
    app: psycopg.Connection, system: AISystem
) -> None:
    other = make_system(accountable=make_person())
    no_floor(system, other)
    mine, theirs = record_decision(system, subject="c-1"), record_decision(other, subject="c-1")
    request = prepared(kind="subject", subject="c-1")
    app.execute("UPDATE audit_erasuretarget SET system_id = %s WHERE decision_id = %s", [system.pk, theirs.id])
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
        consent = request.consents.get()
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=consent.pk)
    with pytest.raises(REFUSED, match="not what two people agreed to"):
        app.execute(OPEN, [consent.pk])
    assert is_kept(mine.id) and is_kept(theirs.id)


def test_what_is_frozen_is_not_moved_to_another_request(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    record_decision(system, subject="c-1")
    request = ready(app, kind="subject", subject="c-1")
    other = prepared(kind="subject", subject="c-2")
    for to, of in ((other.pk, request.pk), (request.pk, other.pk)):
        app.execute(
            "INSERT INTO audit_erasuretarget VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [other.pk, new_id(), system.pk],
        )
        with pytest.raises(REFUSED, match="two people have agreed"):
            app.execute("UPDATE audit_erasuretarget SET request_id = %s WHERE request_id = %s", [to, of])


def test_a_find_of_which_a_row_says_that_it_is_of_another_one_stays(app: psycopg.Connection, system: AISystem) -> None:
    no_floor(system)
    case, lead = make_led_case(system, title="About Ada Lovelace")
    free, _ = make_led_case(system, title="Nothing")
    request = prepared(kind="subject", subject="c-1907", identifiers=["Ada Lovelace"])
    place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    app.execute("UPDATE audit_erasurefind SET row_id = %s WHERE request_id = %s", [free.pk, request.pk])
    with long_ago():
        ask_erasure(actor=actor_of(officer()), request_id=request.pk)
        consent = request.consents.get()
        approve_erasure(actor=actor_of(agreeing(system)), consent_id=consent.pk)
    app.execute(OPEN, [consent.pk])
    app.execute(RUNNING, [request.pk])
    version = request.finds.get().item_id
    with pytest.raises(REFUSED, match="held"):
        erase(app, request.pk, version, by=TEXTS)
    assert Particulars.objects.get(pk=version).secret is not None

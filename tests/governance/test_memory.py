"""The register in memory: what it finds, what it misses, who owned what when."""

import threading
import time
import uuid
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.db import OperationalError, connection
from django.utils import timezone

from governance import memory
from governance.acts import Role
from governance.api.authentication import authenticate_key
from governance.errors import KeyNotAccepted, RegisterStale
from governance.models import RegisterChange
from governance.register import Register
from governance.scopes import Scope
from governance.services.keys import revoke_service_key
from governance.services.offers import offer_to
from governance.services.versions import register_unverified
from ledger.entries import COMMAND, Actor
from ledger.sealing import sealing
from tests.factories.register import give_role, make_key, make_person, make_system

pytestmark = pytest.mark.django_db


def test_a_system_is_found_with_its_log_and_environments() -> None:
    system = make_system(slug="credit-limit", environments=("production", "staging"))
    found = memory.current().system("credit-limit")
    assert found is not None
    assert (found.id, found.environments) == (system.pk, frozenset({"production", "staging"}))
    assert found.log_id and found.origin.endswith(str(found.log_id))


def test_an_unknown_slug_is_none() -> None:
    assert memory.current().system("nothing") is None


def test_a_version_registered_later_is_found() -> None:
    system = make_system()
    key = make_key(system)
    assert memory.current().version(system.pk, "v1") is None
    register_unverified(actor=Actor("service", key.row.account_id), system_id=system.pk, version="v1")
    found = memory.current().version(system.pk, "v1")
    assert found is not None and found.status == "unverified"


def test_a_revoked_key_is_not_in_force_any_more() -> None:
    key = make_key(make_system())
    before = memory.current().key(key.row.key_id)
    assert before is not None and before.is_in_force
    revoke_service_key(actor=COMMAND, key_id=key.row.pk)
    after = memory.current().key(key.row.key_id)
    assert after is not None and not after.is_in_force
    assert before.is_in_force, "a snapshot does not change under its reader"


def test_a_memory_that_slept_reads_everything_anew() -> None:
    key = make_key(make_system())
    before = memory.current().key(key.row.key_id)
    assert before is not None and before.is_in_force
    revoke_service_key(actor=COMMAND, key_id=key.row.pk)
    RegisterChange.objects.all().delete()  # as the sweep does with what is a day old
    with time_machine.travel(timezone.now() + timedelta(days=2), tick=False):
        after = memory.refresh().key(key.row.key_id)
    assert after is not None and not after.is_in_force


def test_the_owner_is_the_one_who_accepted_else_the_one_who_was_offered() -> None:
    person, later = make_person(), timezone.now() + timedelta(hours=1)
    system = make_system(accountable=person)
    offered = memory.current().owner_at(system.pk, None, "", timezone.now())
    assert offered is not None and (offered.person_id, offered.accepted) == (person.pk, False)
    other = make_person(accountable=system)
    held = memory.current().owner_at(system.pk, uuid.uuid4(), "anything", later)
    assert held is not None and (held.person_id, held.accepted) == (other.pk, True)


@pytest.mark.committing
def test_a_role_in_the_whole_organisation_takes_no_system_from_its_owner() -> None:
    system = make_system()
    owner = make_person(accountable=system)
    memory.refresh()
    memory.refresh()  # what it has read once is behind it now
    give_role(make_person(), Role.AUDITOR)
    memory.refresh()
    held = memory.current().owner_at(system.pk, None, "", timezone.now())
    assert held is not None and (held.person_id, held.accepted) == (owner.pk, True)


def test_nobody_owned_it_before_it_was_offered() -> None:
    system = make_system(accountable=make_person())
    assert memory.current().owner_at(system.pk, None, "", timezone.now() - timedelta(hours=1)) is None


def test_the_owner_of_a_capability_comes_before_the_owner_of_the_system() -> None:
    system, narrow = make_system(), make_person()
    make_person(accountable=system)
    give_role(narrow, Role.ACCOUNTABLE, Scope.of_capability(system.pk, "increase"))
    register, at = memory.current(), timezone.now()
    found, wide = register.owner_at(system.pk, None, "increase", at), register.owner_at(system.pk, None, "", at)
    assert found is not None and found.person_id == narrow.pk
    assert wide is not None and wide.person_id != narrow.pk


def test_an_offer_for_a_part_does_not_displace_who_accepted_the_whole() -> None:
    system, holder = make_system(), make_person()
    give_role(holder, Role.ACCOUNTABLE, Scope.system(system.pk))
    with sealing() as seal:
        scope = Scope.of_capability(system.pk, "increase")
        offer_to(seal, actor=COMMAND, person=make_person(), role=Role.ACCOUNTABLE, scope=scope)
    found = memory.current().owner_at(system.pk, None, "increase", timezone.now())
    assert found is not None and found.person_id == holder.pk


def test_a_silent_poll_makes_the_memory_stale() -> None:
    memory.current()
    assert not memory.is_stale()
    memory._memory.refreshed_at = time.monotonic() - memory.STALE_AFTER_SECONDS - 1
    assert memory.is_stale()


def test_stale_is_refused_to_writers_and_not_to_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.refresh()
    monkeypatch.setattr(memory, "polling", True)
    monkeypatch.setattr(memory._memory, "thread", threading.current_thread())
    monkeypatch.setattr(memory._memory, "refreshed_at", time.monotonic() - 6)
    assert memory.current() is not None
    with pytest.raises(RegisterStale):
        memory.fresh()


@pytest.mark.committing
def test_a_change_that_commits_late_with_a_lower_number_is_not_missed(database_url: str) -> None:
    """Number 1 begins, number 2 begins and commits, we look, number 1 commits: it must be seen."""
    early = make_system(slug="early")
    memory.refresh()
    with psycopg.connect(database_url) as slow:
        slow.execute("UPDATE governance_aisystem SET status = 'live' WHERE id = %s", [early.pk])
        _announce(slow, early.pk)
        make_system(slug="late")  # a higher transaction number, committed first
        memory.refresh()
        assert _status("early") == "draft"
        assert _status("late") == "draft"
        slow.commit()
    memory.refresh()
    assert _status("early") == "live"


@pytest.mark.committing
def test_seen_changes_are_not_read_again_while_a_transaction_stays_open(
    database_url: str, django_assert_num_queries: Any
) -> None:
    with psycopg.connect(database_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        memory.refresh()
        make_system()
        memory.refresh()
        with django_assert_num_queries(1):
            memory.refresh()


@pytest.mark.committing
def test_another_database_with_lower_numbers_is_read_anew() -> None:
    make_system(slug="here")
    memory.refresh()
    memory._memory.horizon = 2**60
    memory._memory.register = Register()
    memory.refresh()
    assert _status("here") == "draft"


@pytest.mark.committing
def test_the_thread_finds_a_revocation_within_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(make_system())
    monkeypatch.setattr(memory, "polling", True)
    monkeypatch.setattr(memory, "POLL_SECONDS", 0.05)
    assert memory.fresh().keys[key.row.key_id].is_in_force
    thread = memory._memory.thread
    revoke_service_key(actor=COMMAND, key_id=key.row.pk)
    deadline = time.monotonic() + memory.STALE_AFTER_SECONDS
    while memory.current().keys[key.row.key_id].is_in_force and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not memory.fresh().keys[key.row.key_id].is_in_force
    monkeypatch.setattr(memory, "polling", False)
    assert thread is not None
    thread.join(5)


@pytest.fixture
def no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that no thread looks after."""
    memory.refresh()
    monkeypatch.setattr(memory, "polling", True)
    monkeypatch.setattr(memory._memory, "thread", threading.current_thread())


def test_a_new_key_is_accepted_before_the_next_look(no_look: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LOOK_AGAIN_AFTER_SECONDS", 0.0)
    key = make_key(make_system())
    assert key.row.key_id not in memory.fresh().keys
    assert authenticate_key(f"Bearer {key.text}").key.id == key.row.pk


def test_made_up_keys_cost_few_looks(no_look: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LOOK_AGAIN_AFTER_SECONDS", 60.0)
    key = make_key(make_system())
    made_up = key.text.replace(key.row.key_id, "0" * len(key.row.key_id))
    before = memory._memory.refreshed_at
    for _ in range(20):
        with pytest.raises(KeyNotAccepted):
            authenticate_key(f"Bearer {made_up}")
    assert memory._memory.refreshed_at == before


def test_an_unknown_key_is_not_refused_for_good_while_the_database_is_away(
    no_look: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(since: int) -> None:
        raise OperationalError

    monkeypatch.setattr(memory, "LOOK_AGAIN_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(memory, "look", away)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction
    key = make_key(make_system())
    with pytest.raises(RegisterStale):
        authenticate_key(f"Bearer {key.text}")


def _announce(slow: "psycopg.Connection[tuple[object, ...]]", row_id: uuid.UUID) -> None:
    slow.execute(
        "INSERT INTO governance_registerchange (id, noun, row_id) VALUES (%s, %s, %s)",
        [uuid.uuid4(), RegisterChange.Noun.SYSTEM.value, row_id],
    )


def _status(slug: str) -> str:
    register = memory._memory.register
    assert register is not None
    return register.systems[slug].status if slug in register.systems else ""

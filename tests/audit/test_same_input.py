"""The same input is found also where no digest leads to it: of before there were digests, without a key, of another."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from audit.filters import DecisionFilter
from audit.models import Payload, SearchRun
from audit.reach import Reach
from audit.same_input import SameInput
from audit.scanning import Scan
from audit.search_terms import Terms
from audit.selectors import SealedDecision
from audit.services import searching
from audit.services.searching import SearchPage, question_of_search, search_decisions
from evidence.verification import verify_everything
from governance.models import AISystem, Person
from tests.evidence.test_tampering import as_owner
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

INPUT = b'{"income":1800}'
WEEK = timedelta(days=7)


@pytest.fixture
def system(db: None) -> AISystem:
    return make_system()


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(accountable=system)


def record(system: AISystem, data: bytes = INPUT) -> SealedDecision:
    return record_decision(system, raw_parts={"input": data, "output": b"1"})


def record_as_before(system: AISystem, monkeypatch: pytest.MonkeyPatch, data: bytes = INPUT) -> SealedDecision:
    with monkeypatch.context() as before:
        before.setattr("audit.services.preparing.input_digest", lambda data: None)
        return record(system, data)


def search(person: Person, like: SealedDecision, cursor: str | None = None) -> SearchPage:
    terms, within = Terms(same="input", same_as=like.id), DecisionFilter(since=timezone.now() - WEEK)
    return search_decisions(
        actor=actor_of(person), reach=Reach.of_person(person), terms=terms, within=within, cursor=cursor
    )


def found(person: Person, like: SealedDecision) -> list[Any]:
    return [each.id for each in search(person, like).items]


def is_walked() -> bool:
    return SameInput.of(INPUT, timezone.now() - WEEK).is_walked


def test_while_every_input_has_a_digest_the_index_alone_is_asked(system: AISystem) -> None:
    record(system)
    record_decision(system, raw_parts={"output": b"1"})
    assert not is_walked()


def test_decisions_of_before_there_were_digests_are_found(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, other, new = record_as_before(system, monkeypatch), record(system, b"2"), record(system)
    record_as_before(system, monkeypatch, b"2")
    assert Payload.objects.get(pk=old.id).input_digest is None
    assert is_walked()
    assert found(owner, new) == [old.id]
    assert found(owner, old) == [new.id]
    assert len(found(owner, other)) == 1


def test_where_they_are_many_a_search_says_how_far_it_came(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = record_as_before(system, monkeypatch)
    for _ in range(6):
        record(system, b"2")
    new = record(system)
    monkeypatch.setattr(searching, "_few", lambda payloads: None)
    monkeypatch.setattr(searching, "FIRST_WINDOW", 2)
    monkeypatch.setattr(searching, "Scan", partial(Scan, patience=0))
    page = search(owner, new)
    assert (page.run.ended_at, page.searched_to is not None, page.items) == (None, True, [])
    items = list(page.items)
    while page.next_cursor:
        page = search(owner, new, page.next_cursor)
        items += page.items
    assert [each.id for each in items] == [old.id]
    assert page.run.ended_at is not None


def test_all_that_a_search_finds_holds_those_of_before(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = record_as_before(system, monkeypatch), record(system)
    run = search(owner, new).run
    within = DecisionFilter(since=run.since, until=run.until)
    held = SearchRun.objects.get(pk=run.pk)
    question = question_of_search(actor=actor_of(owner), reach=Reach.of_person(owner), run=held, within=within)
    assert [each.pk for each in question.rows()] == [old.id]


def test_under_another_key_what_was_recorded_before_is_found_and_stays_what_was_sealed(
    system: AISystem, owner: Person, settings: Any
) -> None:
    old = record(system)
    settings.DIGEST_KEY = "k" * 40
    new = record(system)
    assert is_walked()
    assert (found(owner, new), found(owner, old)) == ([old.id], [new.id])
    assert list(verify_everything()) == []


def test_without_a_key_it_is_found_byte_for_byte(system: AISystem, owner: Person, settings: Any) -> None:
    old = record(system)
    settings.DIGEST_KEY, settings.DATA_DIR = None, "/nowhere"
    new = record(system)
    assert is_walked()
    assert found(owner, new) == [old.id]
    assert list(verify_everything()) == []


@pytest.mark.committing
@pytest.mark.parametrize(
    ("statement", "codes"),
    [
        ("UPDATE audit_payload SET input_digest = input_digest # 1", {"payload-misled"}),
        ("UPDATE audit_payload SET input_digest = 1 WHERE input IS NULL", {"payload-misled"}),
        # what is missing or of another key hides nothing: it is looked at
        ("UPDATE audit_payload SET input_digest = NULL", set()),
    ],
)
def test_a_digest_that_leads_elsewhere_is_found_by_verification(
    transactional_db: None, keeper_url: str, statement: str, codes: set[str]
) -> None:
    system = make_system(accountable=make_person())
    record(system)
    record_decision(system, raw_parts={"output": b"1"})
    with as_owner(keeper_url) as cursor:
        cursor.execute("ALTER TABLE audit_payload DISABLE TRIGGER erase_only")
        cursor.execute(statement)
        assert {each.code for each in verify_everything()} - {"guard-open"} == codes

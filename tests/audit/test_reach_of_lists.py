"""A list, its counts and its cursors know nothing of what is out of reach, and are not kept waiting by it."""

import base64
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from audit import walks
from audit.facets import count_facets
from audit.filters import DecisionFilter, Question
from audit.models import Decision
from audit.reach import Reach
from audit.scanning import Scan, Slice
from audit.selectors import decisions_by_ids, list_decisions
from governance.models import AISystem
from tests.factories.cases import make_case
from tests.factories.record import record_decision
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def small() -> list[AISystem]:
    """Three AI systems that decide now and then."""
    return [make_system() for _ in range(3)]


@pytest.fixture
def busy() -> AISystem:
    return make_system()


def record(system: AISystem, *minutes: float, **facets: Any) -> list[uuid.UUID]:
    """Decisions so many minutes after the start; ids, the newest first."""
    made = [record_decision(system, at=START + timedelta(minutes=each), **facets) for each in sorted(minutes)]
    return [each.id for each in reversed(made)]


def reach_of(*systems: AISystem, **rest: Any) -> Reach:
    return Reach(system_ids=frozenset(each.pk for each in systems), **rest)


def impatient(asked: DecisionFilter, reach: Reach, **rest: Any) -> Slice:
    """One window of twelve, and no more."""
    values: dict[str, Any] = {"limit": 50, "patience": 0, "first_window": 12} | rest
    return Scan(question=Question.of(asked, reach), **values).run()


# --- lists ------------------------------------------------------------------------------------------------------------
def test_what_others_decide_keeps_nobody_waiting(small: list[AISystem], busy: AISystem) -> None:
    """Whoever answers for some of the AI systems sees all of theirs at once, however much the others decide."""
    kept = [record(system, number)[0] for number, system in enumerate(small)]
    record(busy, *range(10, 50))
    page = impatient(DecisionFilter(), reach_of(*small))
    assert ([row.id for row in page.items], page.next_cursor) == (kept[::-1], None)
    sure = impatient(DecisionFilter(confidence_min=0.5), reach_of(*small))
    assert ([row.id for row in sure.items], sure.next_cursor) == (kept[::-1], None)


@pytest.mark.parametrize("asked", [DecisionFilter(), DecisionFilter(confidence_min=0.5)])
def test_several_ai_systems_are_one_list_both_ways(
    small: list[AISystem], busy: AISystem, asked: DecisionFilter
) -> None:
    record(busy, *range(30))
    kept = [each for system in small for each in record(system, *range(7))]
    in_order = list(Decision.objects.filter(id__in=kept).values_list("id", flat=True))
    reach, cursor, pages = reach_of(*small), None, list[Slice]()
    while cursor or not pages:
        pages.append(impatient(asked, reach, limit=4, patience=1, first_window=4, cursor=cursor))
        cursor = pages[-1].next_cursor
    assert [row.id for page in pages for row in page.items] == in_order
    back = impatient(asked, reach, limit=4, patience=1, first_window=4, cursor=pages[2].previous_cursor)
    assert [row.id for row in back.items] == [row.id for row in pages[1].items]


def test_where_there_are_too_many_ai_systems_to_merge_the_list_is_the_same(
    small: list[AISystem], busy: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.filters.MERGED_AT_MOST", 2)
    kept = [record(system, number)[0] for number, system in enumerate(small)]
    record(busy, 10)
    page = list_decisions(DecisionFilter(), reach_of(*small))
    assert [each.id for each in page.items] == kept[::-1]


def test_what_is_in_ones_cases_stands_among_the_rest(small: list[AISystem], busy: AISystem) -> None:
    own, other, third = small
    kept = record(own, 1, 5)
    attached, left = record(other, 2, 4), record(other, 3)
    both = record(own, 6)
    record(busy, *range(10))
    reach = reach_of(own, third, case_ids=frozenset({_case_with(attached), _case_with(both)}))
    expected = [both[0], kept[0], attached[0], attached[1], kept[1]]
    assert [each.id for each in list_decisions(DecisionFilter(), reach).items] == expected
    assert [row.id for row in impatient(DecisionFilter(confidence_min=0.5), reach, patience=1).items] == expected
    only = DecisionFilter(system_id=other.pk)
    assert [each.id for each in list_decisions(only, reach).items] == attached
    assert left[0] not in {row.id for row in Question.of(DecisionFilter(), reach).rows()}
    counted = count_facets(DecisionFilter(), reach)
    assert (counted.total, counted.looked_at, counted.is_exact) == (5, 5, True)


def _case_with(ids: list[uuid.UUID]) -> uuid.UUID:
    decisions = list(decisions_by_ids(ids).values())
    return make_case(make_person(investigator=True), decisions=decisions).pk


# --- counts -----------------------------------------------------------------------------------------------------------
def test_counts_say_how_many_were_looked_at_within_reach(small: list[AISystem], busy: AISystem) -> None:
    for number, system in enumerate(small):
        record(system, 10 + number)
    record(busy, *range(9), 20, 21)
    counted = count_facets(DecisionFilter(), reach_of(*small))
    since = START + timedelta(minutes=10)
    assert (counted.looked_at, counted.total, counted.since, counted.is_exact) == (3, 3, since, True)


def test_what_small_ai_systems_leave_of_the_number_counted_goes_to_the_busy(
    small: list[AISystem], busy: AISystem
) -> None:
    for system in small:
        record(system, 50)
    record(busy, *range(40))
    counted = count_facets(DecisionFilter(), reach_of(*small, busy), looked_at=20)
    assert (counted.looked_at, counted.systems[busy.pk], counted.is_exact) == (20, 17, False)


def test_counts_of_a_key_say_nothing_of_other_environments(small: list[AISystem], busy: AISystem) -> None:
    first, second, _ = small
    for system in (first, second):
        record(system, 10)
        record(system, 5, 15, environment="staging")
    for systems in ((first,), (first, second)):
        counted = count_facets(DecisionFilter(), reach_of(*systems, environment="production"))
        since = START + timedelta(minutes=10)
        assert (counted.looked_at, counted.total, counted.since) == (len(systems), len(systems), since)


# --- what is told of where it paused ----------------------------------------------------------------------------------
def test_cursors_and_pauses_tell_nothing_of_what_is_out_of_reach(small: list[AISystem]) -> None:
    (system, *_) = small
    foreign = {str(each) for each in record(system, *(n + 0.37 for n in range(1, 20)), environment="staging")}
    record(system, 0)
    page = impatient(DecisionFilter(), reach_of(system, environment="production"))
    assert page.next_cursor and page.searched_to
    raw = base64.urlsafe_b64decode(page.next_cursor + "=" * (-len(page.next_cursor) % 4)).decode("latin-1")
    assert not any(each in raw for each in foreign)
    assert "2026" not in raw
    assert (page.searched_to.second, page.searched_to.microsecond) == (0, 0)
    paused_at = START + timedelta(minutes=8.37)
    assert timedelta() <= page.searched_to - paused_at < timedelta(minutes=1)


# --- rare conditions --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "facets"),
    [
        (DecisionFilter(flagged=True), {"flags": ("late",)}),
        (DecisionFilter(flag="no_accountable"), {"flags": ("late", "no_accountable")}),
        (DecisionFilter(error_type="any"), {"error_type": "timeout"}),
        (DecisionFilter(error_type="timeout"), {"error_type": "timeout"}),
    ],
)
@pytest.mark.parametrize("who", ["one", "some", "all"])
def test_what_is_flagged_or_failed_is_found_at_once(
    small: list[AISystem], who: str, asked: DecisionFilter, facets: dict[str, Any]
) -> None:
    kept = [record(system, number, **facets)[0] for number, system in enumerate(small)][::-1]
    for system in small:
        record(system, *range(10, 30))
    reach = {"one": reach_of(small[0]), "some": reach_of(*small[:2]), "all": Reach(system_ids=None)}[who]
    expected = {"one": kept[2:], "some": kept[1:], "all": kept}[who]
    page = impatient(asked, reach)
    assert ([row.id for row in page.items], page.next_cursor) == (expected, None)


@pytest.mark.parametrize(
    ("asked", "index"),
    [(DecisionFilter(flagged=True), "decision_flagged"), (DecisionFilter(error_type="timeout"), "decision_failed")],
)
def test_rare_conditions_are_walked_along_an_index_of_their_own(
    small: list[AISystem], asked: DecisionFilter, index: str
) -> None:
    planned = _plan(Question.of(asked, reach_of(*small)))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", [index]
        )
        parts = [row[0] for row in cursor.fetchall()]
    assert parts
    assert all(part in planned for part in parts), planned


def _plan(question: Question) -> str:
    found = walks.Course(question.walks).statement(lambda rows: rows, limit=5)
    assert found
    with walks.walking(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {found[0]}", found[1])
        return "\n".join(row[0] for row in cursor.fetchall())

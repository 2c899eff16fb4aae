"""Lists of decisions: stable paging, filters, bounded scans, and only what is within reach."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import BooleanField, Func, Q
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from audit.filters import DecisionFilter, Question
from audit.models import Decision
from audit.reach import Reach
from audit.scanning import Scan, limited_to
from governance.models import AISystem
from tests.factories.record import record_decision
from tests.factories.register import make_account, make_key, make_system

pytestmark = pytest.mark.django_db
URL = "/api/v1/decisions"
START = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


def client(*systems: AISystem, scopes: tuple[str, ...] = ("decisions:read",), **rest: Any) -> APIClient:
    key = make_key(*systems, scopes=scopes, account=make_account(), **rest)
    return APIClient(headers={"Authorization": f"Bearer {key.text}"})


def record(system: AISystem, count: int, start: datetime = START, **values: Any) -> list[str]:
    """Decisions a minute apart; ids, the newest first."""
    found = [record_decision(system, at=start + timedelta(minutes=number), **values) for number in range(count)]
    return [str(decision.id) for decision in reversed(found)]


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["items"]]


def test_pages_go_on_and_back_without_gaps_or_repeats_while_decisions_arrive(system: AISystem) -> None:
    old = record(system, 7)
    api = client(system)
    first = api.get(URL, {"limit": 3})
    record(system, 2, START + timedelta(hours=1))
    second = api.get(URL, {"limit": 3, "cursor": first.json()["next_cursor"]})
    third = api.get(URL, {"limit": 3, "cursor": second.json()["next_cursor"]})
    assert ids(first) + ids(second) + ids(third) == old
    assert third.json()["next_cursor"] is None

    back = api.get(URL, {"limit": 3, "cursor": third.json()["previous_cursor"]})
    assert ids(back) == ids(second)
    newest = api.get(URL, {"limit": 50, "cursor": first.json()["next_cursor"]})
    newer = api.get(URL, {"limit": 50, "cursor": newest.json()["previous_cursor"]})
    assert len(ids(newer)) == 5  # the three of the first page and the two that arrived


def test_decisions_of_one_moment_are_told_apart_by_id(system: AISystem) -> None:
    at_once = {str(record_decision(system, at=START).id) for _ in range(5)}
    api, seen, cursor = client(system), [], None
    while True:
        answer = api.get(URL, {"limit": 2} | ({"cursor": cursor} if cursor else {}))
        seen += ids(answer)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert set(seen) == at_once


@pytest.mark.parametrize(
    ("asked", "matching"),
    [
        ({"outcome": "refused"}, {"outcome": "refused"}),
        ({"model_version": "2.0"}, {"model_version": "2.0"}),
        ({"confidence_min": "0.2", "confidence_max": "0.4"}, {"confidence": 0.3}),
        ({"adverse": "true"}, {"adverse": True}),
        ({"flagged": "true"}, {"flags": ("late",)}),
        ({"flag": "late"}, {"flags": ("late",)}),
        ({"directive": "hold"}, {"directive": "hold"}),
        ({"from": "2026-11-20T09:00:00Z"}, {"at": START + timedelta(hours=2)}),
        ({"to": "2026-11-20T07:59:00Z"}, {"at": START - timedelta(hours=1)}),
    ],
)
def test_a_filter_finds_what_it_names_and_nothing_else(
    system: AISystem, asked: dict[str, str], matching: dict[str, Any]
) -> None:
    record(system, 2)
    wanted = record_decision(system, **{"at": START} | matching)
    assert ids(client(system).get(URL, asked)) == [str(wanted.id)]


def test_a_key_sees_its_systems_and_its_environment_only(system: AISystem) -> None:
    other = make_system(slug="claims")
    mine = record(system, 1)
    foreign, staging = record(other, 1), record(system, 1, environment="staging")
    api = client(system)
    assert ids(api.get(URL)) == mine
    assert api.get(URL, {"system": "claims"}).status_code == 403
    for unseen in (*foreign, *staging, str(uuid.uuid4())):
        answer = api.get(f"{URL}/{unseen}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/decision-not-found")


def test_two_systems_are_listed_together_in_order(system: AISystem) -> None:
    other = make_system(slug="claims")
    older, newer = record(system, 1), record(other, 1, START + timedelta(minutes=5))
    assert ids(client(system, other).get(URL)) == newer + older
    assert ids(client(system, other).get(URL, {"system": "claims"})) == newer


def test_an_unknown_parameter_is_refused(system: AISystem) -> None:
    answer = client(system).get(URL, {"outcom": "refused"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/outcom"


def test_a_cursor_of_another_question_is_refused(system: AISystem) -> None:
    record(system, 3)
    api = client(system)
    cursor = api.get(URL, {"limit": 1}).json()["next_cursor"]
    assert api.get(URL, {"limit": 1, "cursor": cursor, "outcome": "approved"}).status_code == 400


def test_a_key_without_the_scope_is_refused(system: AISystem) -> None:
    assert client(system, scopes=("decisions:write",)).get(URL).status_code == 403


def test_a_list_takes_a_fixed_number_of_queries(system: AISystem) -> None:
    api = client(system)
    record(system, 2)
    with CaptureQueriesContext(
        connection,
    ) as few:
        api.get(URL)
    record(system, 20, START + timedelta(hours=1))
    with CaptureQueriesContext(connection) as many:
        assert len(ids(api.get(URL))) == 22
    assert len(many) == len(few)


def test_impatience_makes_a_short_page_that_says_how_far_it_looked_and_goes_on(system: AISystem) -> None:
    rare = record_decision(system, at=START, outcome="refused")
    record(system, 12, START + timedelta(minutes=1))
    question = Question.of(DecisionFilter(system_id=system.pk, outcome="refused"), Reach(system_ids=None))
    cursor, found, looks = None, [], 0
    while True:
        page = Scan(question=question, limit=5, cursor=cursor, patience=0, first_window=4).run()
        found += page.items
        looks += 1
        if page.next_cursor is None:
            break
        assert page.searched_to is not None
        cursor = page.next_cursor
    assert [row.id for row in found] == [rare.id]
    assert looks == 4


class Slow(Func):
    """Any row answers, each after a while."""

    template = "pg_sleep(0.04) IS NOT NULL"
    output_field = BooleanField()


class Cold(Func):
    """Any row answers, an old one after a while."""

    template = "CASE WHEN recorded_at < %(warm_since)s THEN pg_sleep(0.5) ELSE pg_sleep(0) END IS NOT NULL"
    output_field = BooleanField()


def slow(system: AISystem, **rest: Any) -> Scan:
    asked = Question.of(DecisionFilter(system_id=system.pk), Reach(system_ids=None))
    return Scan(question=Question.over(asked.within, Q(Slow())), limit=50, **rest)


def test_a_window_that_none_before_it_warned_of_ends_with_patience_and_begins_the_next_page(system: AISystem) -> None:
    old = record(system, 3, START)
    new = record(system, 4, START + timedelta(hours=1))
    asked = Question.of(DecisionFilter(system_id=system.pk), Reach(system_ids=None))
    cold = Q(Cold(warm_since=f"'{(START + timedelta(minutes=30)).isoformat()}'::timestamptz"))
    question = Question.over(asked.within, cold)
    first = Scan(question=question, limit=50, patience=0.3, first_window=4, quick=10).run()
    assert [str(row.id) for row in first.items] == new
    assert first.searched_to is not None
    assert first.next_cursor is not None
    # it is the first window of its page, so it takes its time
    second = Scan(question=question, limit=50, cursor=first.next_cursor, patience=0.3, first_window=4).run()
    assert [str(row.id) for row in second.items] == old
    assert second.next_cursor is None


def test_a_window_that_takes_too_long_is_asked_in_smaller_ones_until_all_is_seen(system: AISystem) -> None:
    kept = record(system, 20)  # as a whole 0.8 s, in parts of at most two rows within the limit
    cursor, found, pages = None, [], 0
    while cursor or not pages:
        page = slow(system, cursor=cursor, patience=0.2, first_window=20, window_limit_ms=150).run()
        found += [str(row.id) for row in page.items]
        cursor, pages = page.next_cursor, pages + 1
        assert page.items or not cursor
        assert bool(cursor) == (page.searched_to is not None)
    assert found == kept
    assert pages > 1


def test_a_single_row_is_waited_for_longer_than_a_window(system: AISystem) -> None:
    kept = record(system, 2)
    page = slow(system, patience=10, first_window=2, window_limit_ms=10).run()
    assert ([str(row.id) for row in page.items], page.searched_to) == (kept, None)


def test_the_limit_of_a_window_is_not_that_of_what_comes_after(system: AISystem) -> None:
    record(system, 1)
    slow(system, first_window=2, window_limit_ms=10_000).run()
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("1min",)


def test_a_list_is_planned_along_its_index_and_what_comes_after_as_ever(system: AISystem) -> None:
    """Of a new month the statistics know nothing, and the planner would sort all of it for each window."""
    record(system, 3)
    planned: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if 'FROM "audit_decision"' in sql:
            planned.append(connection.connection.execute("SHOW enable_sort").fetchone()[0])
        return execute(sql, params, many, context)

    question = Question.of(DecisionFilter(system_id=system.pk, outcome="refused"), Reach(system_ids=None))
    with connection.execute_wrapper(look):
        Scan(question=question, limit=5, first_window=2).run()
        list(Decision.objects.all())
    assert len(planned) > 2
    assert planned == ["off"] * (len(planned) - 1) + ["on"]


def test_only_slowness_is_taken_for_slowness() -> None:
    with pytest.raises(OperationalError), limited_to(1_000), connection.cursor() as cursor:
        cursor.execute("SELECT repeat('x', 1 << 30)")


def test_crossed_ranges_are_refused_by_name(system: AISystem) -> None:
    api = client(system)
    crossed = api.get(URL, {"confidence_min": "0.9", "confidence_max": "0.1"})
    assert (crossed.status_code, crossed.json()["errors"][0]["pointer"]) == (422, "/confidence_max")
    assert api.get(URL, {"confidence_min": "0.5", "confidence_max": "0.5"}).status_code == 200

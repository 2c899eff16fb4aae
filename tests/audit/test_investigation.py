"""Filters, counts, neighbours and saved filters: what they find, and that they find nothing out of reach."""

import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import facets
from audit.comparing import compare_json
from audit.errors import FilterNameTaken, FilterNotFound, TooManyFilters
from audit.facets import count_facets
from audit.filters import DecisionFilter
from audit.models import Payload, SavedFilter
from audit.neighbours import neighbours_of
from audit.reach import Reach
from audit.scanning import TooSlow
from audit.selectors import list_decisions
from audit.services import saved_filters
from audit.services.saved_filters import (
    FilterValues,
    delete_filter,
    forget_filters_of_leavers,
    forget_searches_of_nobody,
    save_filter,
    update_filter,
    visible_filters,
)
from audit.walks import Course
from config.errors import Forbidden, InvalidInput
from governance.models import AISystem, Person
from tests.factories.erasing import erase
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

pytestmark = pytest.mark.django_db
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(accountable=system)


def found(reach: Reach, **asked: Any) -> set[uuid.UUID]:
    return {each.id for each in list_decisions(DecisionFilter(**asked), reach).items}


# --- filters ----------------------------------------------------------------------------------------------------------
def test_every_further_filter_finds_what_answers_it_and_nothing_else(system: AISystem) -> None:
    reach = Reach(system_ids=frozenset({system.pk}))
    person = make_person(accountable=make_system())
    whole = record_decision(system)
    odd = record_decision(
        system,
        capability="raise",
        error_type="timeout",
        ai_role="advisory",
        phase="proposed",
        score=0.9,
        parent_id=whole.id,
    )
    asked: list[dict[str, Any]] = [
        {"capability": "raise"},
        {"error_type": "timeout"},
        {"error_type": "any"},
        {"ai_role": "advisory"},
        {"phase": "proposed"},
        {"score_min": 0.8, "score_max": 0.95},
        {"parent_id": whole.id},
    ]
    assert [found(reach, **each) for each in asked] == [{odd.id}] * len(asked)
    assert found(reach, error_type="none") == {whole.id}
    assert found(reach, accountable_id=person.pk) == set()


# --- counts -----------------------------------------------------------------------------------------------------------
def test_counts_are_exact_where_everything_was_looked_at_and_say_so_where_not(system: AISystem) -> None:
    for number in range(6):
        record_decision(system, outcome="refused" if number % 3 else "approved", flags=("late",) if number else ())
    reach = Reach(system_ids=None)
    whole = count_facets(DecisionFilter(outcome="refused"), reach)
    assert (whole.total, whole.is_exact, whole.looked_at) == (4, True, 6)
    assert (dict(whole.outcomes), dict(whole.flags)) == ({"refused": 4}, {"late": 4})
    part = count_facets(DecisionFilter(outcome="refused"), reach, looked_at=3)
    assert (part.is_exact, part.looked_at) == (False, 3)
    assert part.since is not None


def test_counts_know_nothing_of_what_is_out_of_reach_or_hidden(system: AISystem) -> None:
    seen, hidden = record_decision(system), record_decision(system)
    record_decision(make_system(), outcome="secret")
    reach = Reach(system_ids=frozenset({system.pk}), hidden=frozenset({hidden.id}))
    counted = count_facets(DecisionFilter(), reach)
    assert (counted.total, counted.looked_at, set(counted.systems)) == (1, 1, {system.pk})
    assert seen.body.outcome in counted.outcomes
    assert count_facets(DecisionFilter(), Reach(system_ids=frozenset())).total == 0


def test_counts_that_take_too_long_look_at_fewer_and_then_say_that_they_could_not(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_decision(system)
    asked: list[int] = []

    def too_slow(course: Any, put: Any, size: int) -> Any:
        asked.append(size)
        raise TooSlow()

    monkeypatch.setattr(Course, "end", too_slow)
    counted = count_facets(DecisionFilter(), Reach(system_ids=None))
    assert asked == [20_000, 2_500, 312]
    assert (counted.is_exact, counted.looked_at) == (False, 0)


def test_times_are_told_without_gaps_by_the_hour_or_by_the_day() -> None:
    counted = facets.Facets()
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    counted.quarters.update({now: 2, now - timedelta(hours=2): 1})
    step, times = counted.by_time()
    assert (step, [each.number for each in times]) == ("hour", [1, 0, 2])
    counted.quarters[now - timedelta(days=3)] = 5
    step, times = counted.by_time()
    assert (step, sum(each.number for each in times)) == ("day", 8)


def test_days_and_hours_are_those_of_the_zone_also_where_clocks_are_set() -> None:
    berlin, counted = ZoneInfo("Europe/Berlin"), facets.Facets()
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)  # where the 25th begins, which has 25 hours
    counted.quarters.update({midnight - QUARTER: 1, midnight: 2, midnight + 25 * HOUR - QUARTER: 4})
    counted.quarters[midnight + 25 * HOUR] = 8
    counted.quarters[midnight - 30 * HOUR] = 16
    step, times = counted.by_time(berlin)
    told = [(each.at.astimezone(berlin).strftime("%d %H:%M"), each.number) for each in times]
    assert (step, told) == ("day", [("23 00:00", 16), ("24 00:00", 1), ("25 00:00", 6), ("26 00:00", 8)])
    assert all(before.until == after.at for before, after in pairwise(times))

    hours = facets.Facets()
    hours.quarters.update({midnight: 1, midnight + 4 * HOUR: 2})
    step, times = hours.by_time(berlin)
    told = [(each.at.astimezone(berlin).strftime("%H:%M"), each.number) for each in times]
    assert (step, told) == ("hour", [("00:00", 1), ("01:00", 0), ("02:00", 0), ("02:00", 0), ("03:00", 2)])

    nepal = facets.Facets()
    nepal.quarters.update({datetime(2026, 11, 1, 18, 0, tzinfo=UTC): 1, datetime(2026, 11, 1, 18, 15, tzinfo=UTC): 2})
    _, times = nepal.by_time(ZoneInfo("Asia/Kathmandu"))
    assert [each.number for each in times] == [1, 2]


# --- neighbours -------------------------------------------------------------------------------------------------------
def test_neighbours_are_those_beside_it_within_reach(system: AISystem) -> None:
    now = timezone.now()
    first, middle, last = (record_decision(system, at=now + timedelta(seconds=number)) for number in range(3))
    elsewhere = make_system()
    later = now + timedelta(minutes=1)
    parts = [record_decision(each, at=later, parent_id=middle.id) for each in (system, elsewhere)]
    told = neighbours_of(middle, Reach(system_ids=frozenset({system.pk})))
    assert told.before and told.after
    assert (told.before.id, told.after.id, told.parent) == (first.id, last.id, None)
    assert [each.id for each in told.children] == [parts[0].id]
    hidden = neighbours_of(middle, Reach(system_ids=None, hidden=frozenset({last.id, parts[0].id})))
    assert hidden.after is None or hidden.after.id != last.id
    assert [each.id for each in hidden.children] == [parts[1].id]
    below = neighbours_of(parts[0], Reach(system_ids=None))
    assert below.parent and below.parent.id == middle.id


# --- two documents ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b'{"a": 1}', b'{"a":1}', []),
        (b'{"a": 1.10}', b'{"a": 1.1}', [("/a", "1.10", "1.1")]),
        (b'{"a": [1, 2]}', b'{"a": [1]}', [("/a/1", "2", None)]),
        (b'{"a/b": null}', b"{}", [("/a~1b", "null", None)]),
        (b'"x"', None, [("", '"x"', None)]),
        (b"1", b"true", [("", "1", "true")]),
        (b'"1"', b"1", [("", '"1"', "1")]),
        (b"not json", b"1", [("", "not json", "1")]),
        (b'"\\ud800"', b'"x"', [("", '"\\ud800"', '"x"')]),
    ],
)
def test_what_differs_is_told_place_by_place(
    before: bytes, after: bytes | None, told: list[tuple[str, str | None, str | None]]
) -> None:
    compared = compare_json(before, after)
    assert [(each.pointer, each.before, each.after) for each in compared.differences] == told


def test_very_many_differences_are_cut_and_said_to_be() -> None:
    compared = compare_json(str(list(range(900))).encode(), b"[]")
    assert (len(compared.differences), compared.is_all) == (500, False)


def test_deep_documents_are_compared_without_recursion() -> None:
    deep = b'{"a":' * 200 + b"1" + b"}" * 200
    (only,) = compare_json(deep, deep.replace(b"1", b"2")).differences
    assert only.pointer == "/a" * 200


# --- saved filters ----------------------------------------------------------------------------------------------------
def values(name: str = "Refusals", **rest: Any) -> FilterValues:
    return FilterValues(name=name, **{"conditions": {"outcome": "refused"}, **rest})


def test_what_is_shared_is_listed_for_those_who_may_see_all_that_it_names(owner: Person, system: AISystem) -> None:
    reach = Reach.of_person(owner)
    own = {"name": "mine"}
    save_filter(actor=actor_of(owner), reach=reach, values=values(**own))
    shared = save_filter(
        actor=actor_of(owner),
        reach=reach,
        values=values("ours", shared="system", system_ids=frozenset({system.pk})),
    )
    general = save_filter(actor=actor_of(owner), reach=reach, values=values("all", shared="everybody"))

    def listed(person: Person) -> set[uuid.UUID]:
        return set(visible_filters(actor_of(person), Reach.of_person(person)).values_list("pk", flat=True))

    assert len(listed(owner)) == 3
    assert listed(make_person(viewer=system)) == {shared.pk, general.pk}
    assert listed(make_person(viewer=make_system())) == {general.pk}
    assert listed(make_person(administrator=True)) == set()


def test_nobody_else_changes_or_deletes_a_filter(owner: Person, system: AISystem) -> None:
    reach, other = Reach.of_person(owner), make_person(viewer=system)
    kept = save_filter(actor=actor_of(owner), reach=reach, values=values(shared="everybody"))
    with pytest.raises(FilterNotFound):
        update_filter(actor=actor_of(other), reach=reach, filter_id=kept.pk, values=values("theirs"))
    with pytest.raises(FilterNotFound):
        delete_filter(actor=actor_of(other), filter_id=kept.pk)
    update_filter(actor=actor_of(owner), reach=reach, filter_id=kept.pk, values=values("better"))
    assert SavedFilter.objects.get().name == "better"
    delete_filter(actor=actor_of(owner), filter_id=kept.pk)
    with pytest.raises(FilterNotFound):
        delete_filter(actor=actor_of(owner), filter_id=kept.pk)


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"name": "  "}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"shared": "world"}, "/shared"),
        ({"shared": "system"}, "/shared"),
        ({"shared": "everybody", "terms": {"subject": "c-1"}}, "/shared"),
        ({"shared": "everybody", "is_personal": True}, "/shared"),
        ({"shared": "everybody", "system_ids": frozenset({uuid.uuid4()})}, "/shared"),
        ({"terms": {"text": "x" * 4001}}, "/conditions"),
        ({"conditions": {"outcome": "x\0"}}, "/conditions"),
        ({"conditions": {"subject": "c-1"}}, "/conditions/subject"),
        ({"terms": {"outcome": "refused"}}, "/terms/outcome"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(owner: Person, asked: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        save_filter(actor=actor_of(owner), reach=Reach.of_person(owner), values=values(**asked))
    assert [each.pointer for each in refused.value.errors] == [pointer]
    assert not SavedFilter.objects.exists()


def test_a_name_is_taken_once_by_each_person_and_there_is_a_limit(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach = Reach.of_person(owner)
    save_filter(actor=actor_of(owner), reach=reach, values=values())
    with pytest.raises(FilterNameTaken):
        save_filter(actor=actor_of(owner), reach=reach, values=values(" Refusals "))
    monkeypatch.setattr(saved_filters, "MOST", 1)
    with pytest.raises(TooManyFilters):
        save_filter(actor=actor_of(owner), reach=reach, values=values("another"))
    with pytest.raises(Forbidden):
        save_filter(actor=actor_of(make_person()), reach=Reach(system_ids=frozenset()), values=values())


def test_the_database_itself_refuses_to_share_what_somebody_searched_for(owner: Person) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        SavedFilter.objects.create(owner_id=owner.pk, name="x", terms={"subject": "c"}, shared="everybody")


def test_of_a_leaver_what_was_shared_stays_and_the_rest_goes(owner: Person, system: AISystem) -> None:
    reach, actor = Reach.of_person(owner), actor_of(owner)
    save_filter(actor=actor, reach=reach, values=values("mine", terms={"subject": "c-1"}))
    shared = save_filter(actor=actor, reach=reach, values=values("ours", shared="everybody"))
    Person.objects.filter(pk=owner.pk).update(is_active=False)
    assert forget_filters_of_leavers() == 1
    assert visible_filters(actor_of(make_person(viewer=system)), reach).get().pk == shared.pk


def test_a_kept_search_goes_with_the_last_payload_of_whom_it_is_for(owner: Person, system: AISystem) -> None:
    reach, actor = Reach.of_person(owner), actor_of(owner)
    gone, stays = record_decision(system, subject="c-1"), record_decision(system, subject="c-2")
    for name, terms in {
        "gone": {"subject": "c-1"},
        "like it": {"same": "input", "same_as": str(gone.id)},
        "stays": {"subject": "c-2"},
        "text": {"text": "needle"},
        "filter": {},
    }.items():
        save_filter(actor=actor, reach=reach, values=values(name, terms=terms))
    save_filter(actor=actor, reach=reach, values=values("young", terms={"subject": "c-3"}))
    erase(gone.id)
    assert not SavedFilter.objects.filter(name="like it").exists(), "it went with what it was like"
    SavedFilter.objects.exclude(name="young").update(updated_at=timezone.now() - timedelta(days=2))
    assert forget_searches_of_nobody() == 1
    assert set(SavedFilter.objects.values_list("name", flat=True)) == {"stays", "text", "filter", "young"}
    SavedFilter.objects.filter(name="text").update(updated_at=timezone.now() - timedelta(days=181))
    assert forget_searches_of_nobody() == 1
    assert Payload.objects.filter(pk=stays.id, subject="c-2").exists()


def test_a_kept_search_for_whom_nothing_was_sent_yet_waits_for_it_and_not_for_ever(
    owner: Person, system: AISystem
) -> None:
    reach, actor = Reach.of_person(owner), actor_of(owner)
    for name in ("came", "never came"):
        save_filter(actor=actor, reach=reach, values=values(name, terms={"subject": name}))

    def forgotten(days: int) -> int:
        SavedFilter.objects.update(updated_at=timezone.now() - timedelta(days=days))
        return forget_searches_of_nobody()

    assert forgotten(2) == 0
    came = record_decision(system, subject="came")
    assert forgotten(3) == 0
    erase(came.id)
    assert forgotten(4) == 1, "as of whoever was there, and is not any more"
    assert SavedFilter.objects.get().name == "never came"
    assert forgotten(181) == 1

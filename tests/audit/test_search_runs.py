"""One search over its pages: what it says that it looked at, what is sealed of it, and how it is given up."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.errors import PartNotSent, SearchCancelled, SearchNotFound
from audit.filters import Also, DecisionFilter
from audit.input_digests import input_digest, todays_digests
from audit.models import Payload, SearchHit, SearchRun
from audit.reach import Reach
from audit.search_terms import Terms
from audit.services import searching
from audit.services.attaching import Chosen
from audit.services.search_runs import cancel_search, end_left_searches, own_search
from audit.services.searching import SearchPage, search_decisions
from audit.text_scanning import Wanted
from config.errors import Forbidden
from config.ids import new_id
from config.pagination import InvalidCursor
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from ledger.models import Entry
from overrides.selectors import ends_otherwise, is_overridden
from tests.factories.erasing import erase
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

WEEK = timedelta(days=7)


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(accountable=system)


@pytest.fixture
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    in_steps(monkeypatch)


def in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATIENCE_SECONDS", "TEXT_PATIENCE_SECONDS"):
        monkeypatch.setattr(searching, name, 0)
    monkeypatch.setattr(searching, "FIRST_WINDOW", 2)


def search(person: Person, terms: Terms, **rest: Any) -> SearchPage:
    within = DecisionFilter(since=timezone.now() - WEEK)
    return search_decisions(actor=actor_of(person), reach=Reach.of_person(person), terms=terms, within=within, **rest)


def to_the_end(person: Person, terms: Terms, **rest: Any) -> list[SearchPage]:
    pages = [search(person, terms, **rest)]
    while pages[-1].next_cursor:
        pages.append(search(person, terms, cursor=pages[-1].next_cursor, **rest))
    return pages


def leave_alone(run: SearchRun) -> None:
    SearchRun.objects.filter(pk=run.pk).update(last_at=timezone.now() - timedelta(minutes=11))
    assert end_left_searches() == 1


def bodies(kind: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(each.data))["body"] for each in Entry.objects.filter(kind=kind).order_by("id")]


@pytest.mark.django_db
def test_a_search_that_ends_on_its_first_page_is_sealed_once_with_all_that_it_looked_at(
    system: AISystem, owner: Person
) -> None:
    record_decision(system, parts={"input": "needle", "output": 1})
    erase(record_decision(system).id)
    foreign = make_system()
    give_role(owner, Role.VIEWER, Scope.system(foreign.pk))
    record_decision(foreign, parts={"input": "needle", "output": 1})
    page = search(owner, Terms(text="NEEDLE"))
    assert (len(page.items), page.run.scanned, page.run.barred, page.run.erased) == (1, 3, 1, 1)
    (said,) = bodies("decisions.searched")
    assert (said["hits"], said["scanned"], said["barred"], said["erased"], said["is_all"]) == (1, 3, 1, 1, True)
    assert bodies("decisions.search_ended") == []


@pytest.mark.django_db
@pytest.mark.usefixtures("in_small_steps")
def test_a_search_that_goes_on_is_sealed_at_its_beginning_and_its_end_and_counts_each_decision_once(
    system: AISystem, owner: Person
) -> None:
    for number in range(9):
        record_decision(system, parts={"input": "needle" if number in (0, 5) else "hay", "output": 1})
    pages = to_the_end(owner, Terms(text="needle"))
    assert len(pages) > 2
    assert [len(bodies(kind)) for kind in ("decisions.searched", "decisions.search_ended")] == [1, 1]
    (ended,) = bodies("decisions.search_ended")
    assert (ended["hits"], ended["scanned"], ended["is_all"]) == (2, 9, True)
    assert ended["about"] == str(pages[-1].run.entry_id)


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_full_pages_count_each_decision_once_too(system: AISystem, owner: Person, limit: int) -> None:
    for _ in range(7):
        record_decision(system, parts={"input": "needle", "output": 1})
    pages = to_the_end(owner, Terms(text="needle"), limit=limit)
    assert sum(len(page.items) for page in pages) == 7
    assert (pages[-1].run.scanned, pages[-1].run.hits) == (7, 7)


@pytest.mark.django_db
def test_a_page_that_is_looked_at_again_counts_and_seals_nothing(system: AISystem, owner: Person) -> None:
    for _ in range(3):
        record_decision(system, subject="c-1")
    first = search(owner, Terms(subject="c-1"), limit=2)
    second = search(owner, Terms(subject="c-1"), limit=2, cursor=first.next_cursor)
    before = Entry.objects.count()
    again = search(owner, Terms(subject="c-1"), limit=2, cursor=first.next_cursor)
    back = search(owner, Terms(subject="c-1"), limit=2, cursor=second.previous_cursor)
    assert [each.id for each in again.items] == [each.id for each in second.items]
    assert [each.id for each in back.items] == [each.id for each in first.items]
    assert (again.run.hits, Entry.objects.count()) == (3, before)


@pytest.mark.django_db
def test_a_page_asked_for_again_with_more_room_ends_where_the_search_was_counted_to(
    system: AISystem, owner: Person
) -> None:
    for _ in range(9):
        record_decision(system, subject="c-1")
    first = search(owner, Terms(subject="c-1"), limit=2)
    second = search(owner, Terms(subject="c-1"), limit=2, cursor=first.next_cursor)
    for limit in (2, 3, 50):
        again = search(owner, Terms(subject="c-1"), limit=limit, cursor=first.next_cursor)
        assert [each.id for each in again.items] == [each.id for each in second.items]
        assert (again.next_cursor, again.run.hits) == (second.next_cursor, 4)
    assert len(search(owner, Terms(subject="c-1"), limit=1, cursor=first.next_cursor).items) == 1
    rest = search(owner, Terms(subject="c-1"), limit=50, cursor=again.next_cursor)
    assert (len(rest.items), rest.next_cursor, rest.run.hits) == (5, None, 9)
    whole = search(owner, Terms(subject="c-1"), limit=50, cursor=first.next_cursor)
    assert (len(whole.items), whole.next_cursor) == (7, None), "it has ended: all of it was counted"


@pytest.mark.django_db
def test_a_page_asked_for_again_with_more_time_ends_where_the_search_was_counted_to(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        record_decision(system, parts={"input": "needle" if number == 0 else "hay", "output": 1})
    with monkeypatch.context() as slow:
        in_steps(slow)
        first = search(owner, Terms(text="needle"))
        second = search(owner, Terms(text="needle"), cursor=first.next_cursor)
        assert second.next_cursor
    again = search(owner, Terms(text="needle"), cursor=first.next_cursor)
    assert ([each.id for each in again.items], again.next_cursor) == ([], second.next_cursor)
    assert (again.searched_to, again.run.scanned) == (second.searched_to, second.run.scanned)
    assert len(search(owner, Terms(text="needle"), cursor=again.next_cursor).items) == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("in_small_steps")
def test_a_search_that_was_given_up_does_not_go_on_and_says_how_far_it_came(system: AISystem, owner: Person) -> None:
    for _ in range(5):
        record_decision(system)
    page = search(owner, Terms(text="nowhere"))
    with pytest.raises(SearchNotFound):
        cancel_search(actor=actor_of(make_person(viewer=system)), run_id=page.run.pk)
    for _ in range(2):
        cancel_search(actor=actor_of(owner), run_id=page.run.pk)
    with pytest.raises(SearchCancelled):
        search(owner, Terms(text="nowhere"), cursor=page.next_cursor)
    (ended,) = bodies("decisions.search_ended")
    assert (ended["is_all"], ended["scanned"]) == (False, page.run.scanned)


@pytest.mark.django_db
@pytest.mark.usefixtures("in_small_steps")
def test_a_search_that_nobody_came_back_for_is_ended_by_the_server_and_forgotten_a_day_later(
    system: AISystem, owner: Person
) -> None:
    for _ in range(5):
        record_decision(system)
    run = search(owner, Terms(text="nowhere")).run
    assert end_left_searches() == 0
    SearchRun.objects.filter(pk=run.pk).update(last_at=timezone.now() - timedelta(minutes=11))
    assert (end_left_searches(), end_left_searches()) == (1, 0)
    assert len(bodies("decisions.search_ended")) == 1
    SearchRun.objects.filter(pk=run.pk).update(last_at=timezone.now() - timedelta(days=2))
    end_left_searches()
    assert not SearchRun.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("in_small_steps")
def test_a_search_that_was_left_alone_is_never_whole_and_goes_on_from_where_it_stopped(
    system: AISystem, owner: Person
) -> None:
    for _ in range(5):
        record_decision(system, parts={"input": "needle", "output": 1})
    first = search(owner, Terms(text="needle"))
    assert not any((first.run.is_whole, first.run.is_left, first.run.is_over))
    leave_alone(first.run)
    run = own_search(actor_of(owner), first.run.pk)
    assert (run.is_left, run.is_whole, run.is_over) == (True, False, False)
    assert not Chosen(asked=DecisionFilter(), search=run).is_whole
    further = search(owner, Terms(text="needle"), cursor=first.next_cursor)
    assert not any((further.run.is_left, further.run.is_over))
    while further.next_cursor:
        further = search(owner, Terms(text="needle"), cursor=further.next_cursor)
    assert (further.run.is_whole, further.run.is_over, further.run.hits) == (True, True, 5)
    assert Chosen(asked=DecisionFilter(), search=further.run).is_whole
    assert [each["is_all"] for each in bodies("decisions.search_ended")] == [False, True]


@pytest.mark.django_db
@pytest.mark.usefixtures("in_small_steps")
def test_one_that_was_left_alone_can_be_given_up_and_its_end_is_sealed_once(system: AISystem, owner: Person) -> None:
    for _ in range(5):
        record_decision(system)
    page = search(owner, Terms(text="nowhere"))
    leave_alone(page.run)
    assert cancel_search(actor=actor_of(owner), run_id=page.run.pk).is_over
    with pytest.raises(SearchCancelled):
        search(owner, Terms(text="nowhere"), cursor=page.next_cursor)
    assert [each["is_all"] for each in bodies("decisions.search_ended")] == [False]


@pytest.mark.django_db
def test_the_cursor_of_a_search_serves_nobody_else(system: AISystem, owner: Person) -> None:
    for _ in range(3):
        record_decision(system, subject="c-1")
    page = search(owner, Terms(subject="c-1"), limit=2)
    other = make_person(deputy=system)
    for cursor in (page.next_cursor, "nothing", f"{page.run.pk.hex}.", f"{new_id().hex}.abc"):
        with pytest.raises(InvalidCursor):
            search(other, Terms(subject="c-1"), cursor=cursor)


@pytest.mark.django_db
def test_an_id_that_is_taken_is_given_up_for_another(system: AISystem, owner: Person) -> None:
    record_decision(system, subject="c-1")
    name = new_id()
    first, second = (search(owner, Terms(subject="c-1"), run_id=name).run for _ in range(2))
    assert first.pk == name != second.pk


@pytest.mark.django_db
def test_others_like_a_decision_are_found_by_who_may_read_it_and_never_the_decision_itself(
    system: AISystem, owner: Person
) -> None:
    like: dict[str, Any] = {"subject": "c-1", "conversation_id": "talk", "trace_id": "f" * 32}
    one = record_decision(system, **like, raw_parts={"input": b'{"a":1}', "output": b"1"})
    other = record_decision(system, **like, raw_parts={"input": b'{"a":1}', "output": b"2"})
    record_decision(system, raw_parts={"input": b'{"a": 1}', "output": b"1"})
    for same in ("subject", "conversation", "trace", "input"):
        page = search(owner, Terms(same=same, same_as=one.id))
        assert [each.id for each in page.items] == [other.id], same
    assert search(owner, Terms(conversation_id="talk", trace_id="f" * 32)).run.hits == 2
    assert search(owner, Terms(conversation_id="other")).run.hits == 0
    with pytest.raises(Forbidden):
        search(make_person(viewer=system), Terms(same="subject", same_as=one.id))
    lone = record_decision(system)
    with pytest.raises(PartNotSent):
        search(owner, Terms(same="trace", same_as=lone.id))


@pytest.mark.django_db
def test_the_same_input_is_found_by_an_index_among_what_may_be_read_and_no_longer_once_erased(
    system: AISystem, owner: Person
) -> None:
    same: dict[str, Any] = {"raw_parts": {"input": b'{"income":1800}', "output": b"1"}}
    one, other, erased = (record_decision(system, **same) for _ in range(3))
    unread = make_system()
    give_role(owner, Role.VIEWER, Scope.system(unread.pk))
    record_decision(unread, **same)
    erase(erased.id)
    page = search(owner, Terms(same="input", same_as=one.id))
    assert [each.id for each in page.items] == [other.id]
    assert (page.run.scanned, page.run.ended_at is not None) == (None, True)
    assert Payload.objects.get(pk=erased.id).input_digest is None
    assert len(set(Payload.objects.exclude(pk=erased.id).values_list("input_digest", flat=True))) == 1
    text = search(owner, Terms(same="input", same_as=one.id, text="income"))
    assert [each.id for each in text.items] == [other.id]
    lone = record_decision(system, raw_parts={"output": b"1"})
    with pytest.raises(PartNotSent):
        search(owner, Terms(same="input", same_as=lone.id))


@pytest.mark.django_db
def test_two_inputs_of_one_digest_are_still_told_apart(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.services.preparing.input_digest", lambda data: 7)
    monkeypatch.setattr("audit.same_input.input_digest", lambda data: 7)
    monkeypatch.setattr("audit.same_input.todays_digests", lambda: (0, 9))
    one, _, same = (record_decision(system, raw_parts={"input": each}) for each in (b"1", b"2", b"1"))
    assert [each.id for each in search(owner, Terms(same="input", same_as=one.id)).items] == [same.id]


@pytest.mark.django_db
def test_the_digest_of_an_input_is_keyed_by_the_installation(settings: Any) -> None:
    first = input_digest(b"1")
    settings.DIGEST_KEY = "k" * 40
    assert None not in (first, input_digest(b"1"))
    assert first != input_digest(b"1")
    least, greatest = todays_digests() or (0, 0)
    assert least <= (input_digest(b"1") or 0) <= greatest
    assert not least <= (first or 0) <= greatest
    settings.DIGEST_KEY, settings.DATA_DIR = None, "/nowhere"
    assert (input_digest(b"1"), todays_digests()) == (None, None)


@pytest.mark.committing
def test_what_the_database_does_for_a_search_ends_with_the_window_at_hand_when_it_is_given_up(
    system: AISystem, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(40):
        record_decision(system)
    monkeypatch.setattr(searching, "PATIENCE_SECONDS", 60)
    monkeypatch.setattr(searching, "holding", lambda text: Wanted("pg_sleep(0.5) IS NULL", ()))
    name, refused = new_id(), list[Exception]()

    def run() -> None:
        try:
            search(owner, Terms(text="anything"), run_id=name)
        except SearchCancelled as error:
            refused.append(error)
        finally:
            close_old_connections()
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    _wait_for_sleep()
    started = time.monotonic()
    with CaptureQueriesContext(connection) as asked:
        cancel_search(actor=actor_of(owner), run_id=name)
    thread.join(20)
    assert not thread.is_alive()
    assert time.monotonic() - started < 10  # not the twenty that it would have taken
    assert len(refused) == 1
    assert bodies("decisions.searched") == []
    # a signal to the connection would end whatever it does by the time it arrives
    assert not any("pg_cancel" in each["sql"] for each in asked)


def _wait_for_sleep() -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("nothing is searched")


@pytest.mark.django_db
def test_a_search_goes_on_under_the_filter_it_began_with_and_no_other(system: AISystem, owner: Person) -> None:
    for outcome in ("approved", "refused", "refused", "refused"):
        record_decision(system, subject="c-1", outcome=outcome)
    week = DecisionFilter(since=timezone.now() - WEEK, outcome="refused")
    asked: dict[str, Any] = {"actor": actor_of(owner), "reach": Reach.of_person(owner), "terms": Terms(subject="c-1")}
    first = search_decisions(**asked, within=week, limit=1)
    ends = Also("overridden", "differs", ends_otherwise())
    for other in (DecisionFilter(), replace(week, outcome="approved"), replace(week, also=ends)):
        with pytest.raises(InvalidCursor):
            search_decisions(**asked, within=other, limit=1, cursor=first.next_cursor)
    # what bounds the time is the search's own, whatever is said later
    again = search_decisions(**asked, within=replace(week, since=None), limit=1, cursor=first.next_cursor)
    assert [each.body.outcome for each in again.items] == ["refused"]
    assert [each["hits"] for each in bodies("decisions.searched")] == [1]


def test_a_filter_says_in_clear_values_all_that_it_asks() -> None:
    at, case = datetime(2026, 11, 3, 12, tzinfo=UTC), new_id()
    asked = DecisionFilter(since=at, flagged=False, case_id=case, also=Also("overridden", "yes", is_overridden()))
    assert asked.said() == {
        "from": "2026-11-03T12:00:00.000000Z",
        "flagged": False,
        "case_id": str(case),
        "overridden": "yes",
    }


@pytest.mark.django_db
def test_what_a_search_found_is_kept_for_the_person_who_searched_and_goes_with_the_search(
    system: AISystem, owner: Person
) -> None:
    wanted = [record_decision(system, subject="c-1").id for _ in range(3)]
    pages = to_the_end(owner, Terms(subject="c-1"), limit=2)
    run = own_search(actor_of(owner), pages[0].run.pk)
    assert list(run.found.values_list("decision_id", flat=True)) == wanted[::-1]
    assert Terms.of(run.terms) == Terms(subject="c-1")
    with pytest.raises(SearchNotFound):
        own_search(actor_of(make_person(deputy=system)), run.pk)
    SearchRun.objects.update(last_at=timezone.now() - timedelta(days=2))
    end_left_searches()
    assert not SearchHit.objects.exists()

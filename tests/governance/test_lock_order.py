"""Acts of two connections that touch the same rows come one after the other: neither waits for the other for ever.

A third connection holds the row that both need, until both wait: so they meet in the worst moment, every time.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, models, transaction

from config.errors import ServiceError
from evidence.services.leaving import leave
from governance.acts import Role
from governance.models import AISystem, Assignment, Person, SystemCard
from governance.scopes import Scope
from governance.services.assignments import accept_assignments, end_assignment, hand_over_assignment, offer_assignment
from governance.services.cards import publish_card
from ledger.entries import COMMAND
from overrides.models import RuleChange
from overrides.services.queues import update_queue
from overrides.services.rules import approve_rule_change, change_rule
from tests.factories import cards
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import make_queue, make_rule

pytestmark = pytest.mark.committing


class Meeting:
    """Acts that are begun one after the other, each once the one before it waits for a row."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool, self.begun = pool, 0

    def begin(self, act: Callable[[], Any]) -> Future[str]:
        self.begun += 1
        done = self.pool.submit(_by_itself, act)
        end = time.monotonic() + 20
        while _waiting() < self.begun and not done.done() and time.monotonic() < end:
            time.sleep(0.02)
        return done


def _by_itself(act: Callable[[], Any]) -> str:
    try:
        act()
        return "done"
    except ServiceError as refusal:
        return refusal.code
    finally:
        connection.close()


def _waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


@contextmanager
def meeting_at(row: models.Model) -> Iterator[Meeting]:
    """While this row is held by a connection of its own."""
    held, release = threading.Event(), threading.Event()

    def holding() -> None:
        try:
            with transaction.atomic():
                type(row)._base_manager.select_for_update().get(pk=row.pk)
                held.set()
                release.wait(60)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        holder = pool.submit(holding)
        assert held.wait(20)
        try:
            yield Meeting(pool)
        finally:
            release.set()
            holder.result()


@pytest.fixture
def admin() -> Person:
    return make_person(administrator=True)


@pytest.fixture
def system() -> AISystem:
    return make_system(risk_class="high")


def test_who_accepts_and_who_takes_the_offer_back(admin: Person, system: AISystem) -> None:
    person = make_person()
    offer = offer_assignment(actor=actor_of(admin), person=person, role=Role.ACCOUNTABLE, scope=Scope.system(system.pk))
    with meeting_at(offer) as meeting:
        accepted = meeting.begin(lambda: accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk]))
        ended = meeting.begin(lambda: end_assignment(actor=actor_of(admin), assignment_id=offer.pk))
    assert (accepted.result(), ended.result()) == ("done", "done")
    assert Assignment.objects.get(pk=offer.pk).status == "ended"


def test_who_accepts_a_hand_over_and_who_ends_what_is_handed_over(admin: Person) -> None:
    giver, taker = make_person(), make_person()
    held = give_role(giver, Role.OPERATOR)
    offer = hand_over_assignment(actor=actor_of(giver), assignment_id=held.pk, to=taker)
    with meeting_at(offer) as meeting:
        ended = meeting.begin(lambda: end_assignment(actor=actor_of(giver), assignment_id=held.pk))
        accepted = meeting.begin(lambda: accept_assignments(actor=actor_of(taker), assignment_ids=[offer.pk]))
    assert (ended.result(), accepted.result()) == ("done", "assignment-not-open")


def test_who_leaves_and_who_publishes_the_card_they_submitted(admin: Person, system: AISystem) -> None:
    owner, accountable = make_person(technical_owner=system), make_person(accountable=system)
    card = cards.submit(system, owner)
    digest = card.content_digest
    with meeting_at(SystemCard.objects.get(pk=card.pk)) as meeting:
        left = meeting.begin(lambda: leave(actor=actor_of(admin), person_id=owner.pk))
        published = meeting.begin(
            lambda: publish_card(actor=actor_of(accountable), system_id=system.pk, content_digest=digest)
        )
    assert (left.result(), published.result()) == ("done", "card-not-submitted")
    assert SystemCard.objects.get(pk=card.pk).status == "draft"


def test_who_publishes_first_has_published(admin: Person, system: AISystem) -> None:
    owner, accountable = make_person(technical_owner=system), make_person(accountable=system)
    card = cards.submit(system, owner)
    digest = card.content_digest
    with meeting_at(SystemCard.objects.get(pk=card.pk)) as meeting:
        published = meeting.begin(
            lambda: publish_card(actor=actor_of(accountable), system_id=system.pk, content_digest=digest)
        )
        left = meeting.begin(lambda: leave(actor=actor_of(admin), person_id=owner.pk))
    assert (published.result(), left.result()) == ("done", "done")
    assert SystemCard.objects.get(pk=card.pk).status == "published"


def test_who_leaves_and_who_agrees_to_less_review(admin: Person, system: AISystem) -> None:
    operator, approver = make_person(operator=system), make_person(approver=True)
    rule = make_rule(system, make_queue(make_person(), system=system))
    change_rule(actor=actor_of(operator), rule_id=rule.pk, changes={"archived": True})
    change = RuleChange.objects.get()
    with meeting_at(change) as meeting:
        agreed = meeting.begin(lambda: approve_rule_change(actor=actor_of(approver), change_id=change.pk))
        left = meeting.begin(lambda: leave(actor=actor_of(admin), person_id=operator.pk))
    assert (agreed.result(), left.result()) == ("done", "done")


def test_who_leaves_and_who_asks_anew_for_less_of_their_queue(admin: Person, system: AISystem) -> None:
    owner, heir = make_person(accountable=system), make_person()
    queue = make_queue(owner, system=system)
    longer = {"deadline_s": queue.deadline_s * 2}
    change = update_queue(actor=actor_of(owner), queue_id=queue.pk, changes=longer).request
    assert change is not None
    with meeting_at(change) as meeting:
        left = meeting.begin(lambda: leave(actor=actor_of(admin), person_id=owner.pk, successor=heir, heir=heir))
        again = meeting.begin(lambda: update_queue(actor=actor_of(admin), queue_id=queue.pk, changes=longer))
    assert (again.result(), left.result()) == ("done", "done")


def test_two_who_leave_and_name_each_other(admin: Person) -> None:
    one, other = make_person(), make_person()
    with meeting_at(one) as meeting:
        first = meeting.begin(lambda: leave(actor=actor_of(admin), person_id=one.pk, successor=other))
        second = meeting.begin(lambda: leave(actor=COMMAND, person_id=other.pk, successor=one))
    assert sorted([first.result(), second.result()]) == ["done", "person-not-found"]

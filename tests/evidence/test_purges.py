"""Purges: announced, stopped, done in slices, reported."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from audit.erasing import erase_payloads, floor_ends, texts_within_floor
from audit.filters import DecisionFilter
from audit.models import (
    Case,
    DataKind,
    Payload,
    Purge,
)
from audit.reach import Reach
from audit.search_terms import Terms as Searched
from audit.services.holds import approve_lift, request_lift
from audit.services.investigating import add_note
from audit.services.search_runs import TERMS_PART
from audit.services.searching import search_decisions
from config.errors import Forbidden, InvalidInput
from config.ids import new_id
from evidence.erasure.errors import RetentionNotFound, RetentionNotOpen
from evidence.models import ExplanationLetter
from evidence.retention.planning import due_at, swept_to
from evidence.services import purges
from evidence.services.purges import announce_purge, hold_purge, run_purges
from evidence.verification import verify_everything
from governance.models import AISystem
from ledger.entries import timestamp
from ledger.models import Particulars
from notices.models import Message
from overrides.models import Override
from overrides.services.overriding import override_decision
from tests.factories import letters
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreeing, no_floor, officer, put_in_force, written
from tests.factories.purging import announced, hold, is_kept, old, purged, reported, said
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import open_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


# --- announcing and stopping ------------------------------------------------------------------------------------------
def test_it_is_announced_some_days_ahead_to_those_who_may_stop_it(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    decision = old(system)
    purge = announce_purge()
    assert purge is not None
    assert purge.runs_at - purge.announced_at == timedelta(days=settings.PURGE_NOTICE_DAYS)
    assert run_purges(seconds=SECONDS) == 0
    assert is_kept(decision)
    heard = set(Message.objects.filter(kind="retention.announced").values_list("person_id", flat=True))
    assert heard == {officer().pk, agreeing(system).pk}
    (body,) = said("retention.announced")
    assert body["parts"][0]["count"] == 1 and body["parts"][0]["system"] == str(system.pk)
    assert announce_purge() is None, "one at a time"


@pytest.mark.parametrize("who", ["dpo", "accountable"])
def test_whoever_was_told_stops_it_and_a_week_later_it_is_announced_anew(system: AISystem, who: str) -> None:
    put_in_force("payloads", system, ceiling=30)
    decision = old(system)
    purge = announced()
    stops = officer() if who == "dpo" else agreeing(system)
    hold_purge(actor=actor_of(stops), purge_id=purge.pk, reason="A claim came in.")
    run_purges(seconds=SECONDS)
    assert is_kept(decision)
    assert announce_purge() is None
    with pytest.raises(RetentionNotOpen):
        hold_purge(actor=actor_of(stops), purge_id=purge.pk, reason="Again.")
    purge.refresh_from_db()
    past = timezone.now() - timedelta(days=8)
    stopped = dict.fromkeys(purge.stopped, timestamp(past))
    Purge.objects.filter(pk=purge.pk).update(held_at=past, stopped=stopped)
    assert announce_purge() is not None


def test_whoever_is_accountable_keeps_their_own_ai_systems_out_and_the_rest_goes(system: AISystem) -> None:
    other = make_system(accountable=make_person())
    for each in (system, other):
        put_in_force("payloads", each, ceiling=30)
    mine, theirs = old(system), old(other)
    purge = announced()
    hold_purge(actor=actor_of(agreeing(system)), purge_id=purge.pk, reason="A claim came in.")
    purge.refresh_from_db()
    assert (purge.status, set(purge.stopped)) == ("announced", {str(system.pk)})
    assert [body["systems"] for body in said("retention.part_held")] == [[str(system.pk)]]
    assert Message.objects.filter(kind="retention.part_held", person_id=officer().pk).exists()
    with pytest.raises(Forbidden):
        hold_purge(actor=actor_of(agreeing(system)), purge_id=purge.pk, reason="Again.")
    run_purges(seconds=SECONDS)
    purge.refresh_from_db()
    assert purge.status == "done"
    assert is_kept(mine) and not is_kept(theirs)
    done = {part["system"]: (part["count"], part["kept"]) for part in purge.done}
    assert done == {str(system.pk): (0, 1), str(other.pk): (1, 0)}
    late = old(other, days=10)
    following = announce_purge()
    assert following is not None, "nobody else waits a week"
    assert {part["system"] for part in following.parts} == {str(other.pk)} and is_kept(late)
    assert list(verify_everything()) == []


def test_what_was_kept_out_is_refused_by_the_database(system: AISystem) -> None:
    other = make_system(accountable=make_person())
    for each in (system, other):
        put_in_force("payloads", each, ceiling=30)
    mine = old(system)
    old(other)
    purge = announced()
    hold_purge(actor=actor_of(agreeing(system)), purge_id=purge.pk, reason="A claim came in.")
    Purge.objects.filter(pk=purge.pk).update(status="running")
    with pytest.raises(DatabaseError), transaction.atomic():
        erase_payloads(purge.pk, {mine.id: new_id()})
    assert is_kept(mine)


def test_others_stop_nothing_and_a_reason_is_needed(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    old(system)
    purge = announced()
    for person in (make_person(accountable=make_system()), make_person(investigator=True), make_person(auditor=True)):
        with pytest.raises((RetentionNotFound, Forbidden)):
            hold_purge(actor=actor_of(person), purge_id=purge.pk, reason="x")
    with pytest.raises(InvalidInput):
        hold_purge(actor=actor_of(officer()), purge_id=purge.pk, reason=" ")


# --- what goes --------------------------------------------------------------------------------------------------------
def test_what_is_past_its_time_goes_and_a_signed_report_says_so(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    gone = [old(system, subject=f"c-{number}") for number in range(3)]
    young = record_decision(system)
    purge = purged()
    assert purge.status == "done"
    assert [is_kept(each) for each in gone] == [False] * 3 and is_kept(young)
    (body,) = said("retention.purged")
    assert body["with"]["count"] == 3 and body["system"] == str(system.pk)
    (part,) = purge.done
    assert (part["count"], part["kept"], part["digest"]) == (3, 0, body["with"]["digest"])
    (went,) = reported(purge)
    assert (went["data"], went["system"]) == ("payloads", f"{system.pk} credit")
    assert (went["took"], went["kept"], went["digest"]) == ("3", "0", part["digest"])
    assert list(verify_everything()) == []


def test_what_comes_into_a_hold_after_it_was_announced_is_kept(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    kept, gone = old(system, days=90), old(system, days=60)
    purge = announced()
    placed = hold(system, kept)
    run_purges(seconds=SECONDS)
    purge.refresh_from_db()
    assert is_kept(kept) and not is_kept(gone)
    assert (purge.done[0]["count"], purge.done[0]["kept"]) == (1, 1)
    assert swept_to(DataKind.PAYLOADS, system.pk) == kept.recorded_at, "what was kept back is looked at again"
    request_lift(actor=actor_of(make_person(investigator=True)), hold_id=placed.pk, reason="Settled.")
    approve_lift(actor=actor_of(officer()), hold_id=placed.pk)
    assert purged().done[0]["count"] == 1
    assert not is_kept(kept)
    assert swept_to(DataKind.PAYLOADS, system.pk) is not None


def test_what_somebody_still_works_on_is_kept(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    review = open_review(system, at=timezone.now() - timedelta(days=60))
    inside, free = old(system), old(system)
    make_led_case(system, decisions=[inside])
    purge = purged()
    assert Payload.objects.get(pk=review.decision_id).secret is not None, "an open review"
    assert is_kept(inside), "an open case"
    assert not is_kept(free)
    assert purge.done[0]["kept"] == 2


def test_many_that_are_kept_do_not_stop_the_rest(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence.services.purges.LOOKED_AT", 2)
    monkeypatch.setattr("evidence.services.purges.ROWS_AT_ONCE", 2)
    put_in_force("payloads", system, ceiling=30)
    kept = [old(system, days=90 - number) for number in range(5)]
    gone = [old(system, days=60 - number) for number in range(5)]
    hold(system, *kept)
    purge = purged()
    assert [is_kept(each) for each in kept + gone] == [True] * 5 + [False] * 5
    assert (purge.done[0]["count"], purge.done[0]["kept"]) == (5, 5)
    assert sum(body["with"]["count"] for body in said("retention.purged")) == 5
    assert list(verify_everything()) == []


def test_however_much_is_kept_back_every_part_comes_to_its_turn(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of so little time that each sees one slice: what is kept back is passed by once, not by each run."""
    monkeypatch.setattr("evidence.services.purges.LOOKED_AT", 2)
    other = make_system(accountable=make_person())
    for each in (system, other):
        put_in_force("payloads", each, ceiling=30)
    kept = {each: [old(each, days=90 - number) for number in range(6)] for each in (system, other)}
    gone = [old(each) for each in (system, other)]
    for each, decisions in kept.items():
        hold(each, *decisions)
    purge = announced()
    runs = 0
    while Purge.objects.get(pk=purge.pk).status != "done":
        moments = iter([0.0, 0.0, 0.0])
        with monkeypatch.context() as patch:
            patch.setattr(purges, "time", SimpleNamespace(monotonic=lambda left=moments: next(left, 2.0)))
            run_purges(seconds=1.0)
        runs += 1
        assert runs < 20, "it never ends"
    purge.refresh_from_db()
    assert [(part["count"], part["kept"]) for part in purge.done] == [(1, 6)] * 2
    assert not any(map(is_kept, gone)) and all(is_kept(each) for decisions in kept.values() for each in decisions)
    assert swept_to(DataKind.PAYLOADS, system.pk) == kept[system][0].recorded_at
    assert list(verify_everything()) == []


def test_each_part_has_its_share_of_a_runs_time(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence.services.purges.LOOKED_AT", 1)
    systems = sorted([system, make_system(accountable=make_person())], key=lambda each: str(each.pk))
    for each in systems:
        put_in_force("payloads", each, ceiling=30)
    first, last = (old(each) for each in systems)
    many = [old(systems[0], days=90 - number) for number in range(5)]
    hold(systems[0], *many)
    announced()
    clock = iter(range(100))  # a slice takes a second, and the run has six
    monkeypatch.setattr(purges, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    run_purges(seconds=6.0)
    assert is_kept(first) and not is_kept(last), "the second did not wait for all that the first passes by"


def test_more_places_than_one_purge_takes_are_all_told_and_those_with_something_to_take_go_first(
    system: AISystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.services.purges.MOST_PARTS", 1)
    systems = sorted([system, make_system(accountable=make_person())], key=lambda each: str(each.pk))
    for each in systems:
        put_in_force("payloads", each, ceiling=30)
    hold(systems[0], old(systems[0]))
    old(systems[1])
    assert len(due_at(timezone.now())) == 2
    purge = announced()
    assert [part["system"] for part in purge.parts] == [str(systems[1].pk)]
    assert said("retention.announced")[0]["left"] == 1


def test_interrupted_it_goes_on(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence.services.purges.ROWS_AT_ONCE", 1)
    put_in_force("payloads", system, ceiling=30)
    gone = [old(system) for _ in range(3)]
    purge = announced()
    moments = iter([0.0, 0.0, 2.0])
    with monkeypatch.context() as patch:
        patch.setattr(purges, "time", SimpleNamespace(monotonic=lambda: next(moments, 2.0)))
        assert run_purges(seconds=1.0) == 1
    purge.refresh_from_db()
    assert purge.status == "running"
    assert run_purges(seconds=SECONDS) == 2
    purge.refresh_from_db()
    assert (purge.status, purge.done[0]["count"]) == ("done", 3)
    assert not any(map(is_kept, gone))
    assert run_purges(seconds=SECONDS) == 0


def test_of_each_ai_system_its_own_class_counts(system: AISystem) -> None:
    other, third = make_system(accountable=make_person()), make_system(accountable=make_person())
    put_in_force("payloads", system, ceiling=30)
    put_in_force("payloads", other, ceiling=90)
    mine, theirs, free = old(system), old(other), old(third)
    purged()
    assert (is_kept(mine), is_kept(theirs), is_kept(free)) == (False, True, True)


def test_what_people_wrote_goes_by_its_own_class(system: AISystem) -> None:
    owner = agreeing(system)
    put_in_force("people_said", system, ceiling=30)
    decision = old(system, outcome="approved")
    with written(days=60):
        made = override_decision(
            actor=actor_of(owner), decision_id=decision.id, outcome="refused", reason_code="other", note="Ada said so."
        )
    Override.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(days=60))
    purged()
    made.refresh_from_db()
    assert (made.note, made.outcome, is_kept(decision)) == ("", "refused", True)
    assert not Particulars.objects.filter(row_id=made.pk, data__isnull=False).exists()


def test_what_was_written_into_an_old_row_later_is_kept_from_then_on(system: AISystem) -> None:
    owner = agreeing(system)
    no_floor(system)
    put_in_force("people_said", system, floor=30, ceiling=30)
    decision = old(system, outcome="approved")
    with written(days=10) as last:
        made = override_decision(
            actor=actor_of(owner), decision_id=decision.id, outcome="refused", reason_code="other", note="Ada said so."
        )
    Override.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(days=60))
    ahead = timedelta(days=settings.PURGE_NOTICE_DAYS + 2)
    assert due_at(last + timedelta(days=30) - ahead) == [], "it would be past its time by the row's own age"
    assert [due.count for due in due_at(last + timedelta(days=30, seconds=1))] == [1]
    assert floor_ends([decision.id])[decision.id] == last + timedelta(days=30)
    assert texts_within_floor([made.pk], last + timedelta(days=29)) == {made.pk}
    assert texts_within_floor([made.pk], last + timedelta(days=31)) == frozenset()


def test_a_purge_leaves_what_another_class_holds_for_by_now(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    decision = old(system)
    purge = announced()
    put_in_force("payloads", system, ceiling=30)
    run_purges(seconds=SECONDS)
    purge.refresh_from_db()
    (part,) = purge.done
    assert (purge.status, part["replaced"], part["count"], part["kept"]) == ("done", True, 0, 1)
    assert is_kept(decision)
    assert swept_to(DataKind.PAYLOADS, system.pk) == decision.recorded_at, "the next one looks at it again"
    assert reported(purge)[0]["replaced"].startswith("another class holds there")
    assert list(verify_everything()) == []


def test_letters_go_by_theirs(system: AISystem) -> None:
    owner = agreeing(system)
    letters.publish(system, by=owner)
    put_in_force("letters", system, ceiling=30)
    with written(days=60):
        letter = letters.issue(old(system), owner, addressee="Ada")
    ExplanationLetter.objects.filter(pk=letter.pk).update(issued_at=timezone.now() - timedelta(days=60))
    purged()
    letter.refresh_from_db()
    assert letter.text == "" and not Particulars.objects.filter(row_id=letter.pk, data__isnull=False).exists()


def test_what_was_written_in_a_case_goes_when_it_was_closed_that_long_ago(system: AISystem) -> None:
    put_in_force("cases", system, ceiling=30)
    closed, lead = make_led_case(system, title="About Ada")
    going, other = make_led_case(system, title="About Grace")
    for case, person in ((closed, lead), (going, other)):
        add_note(actor=actor_of(person), case_id=case.pk, text="Asked the branch.")
    then = timezone.now() - timedelta(days=60)
    Case.objects.filter(pk=closed.pk).update(concluded_at=then, closed_at=then, status="closed")
    purged()
    closed.refresh_from_db()
    assert (closed.title, closed.notes.get().text) == ("", "")
    going.refresh_from_db()
    assert (going.title, going.notes.get().text) == ("About Grace", "Asked the branch.")


def test_terms_of_searches_go_and_their_entries_stay(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_force("searches", system, ceiling=30)
    past = timezone.now() - timedelta(days=60)
    with monkeypatch.context() as patch:
        patch.setattr("audit.services.search_runs.timezone", SimpleNamespace(now=lambda: past))
        patch.setattr(Particulars._meta.get_field("created_at"), "_get_default", lambda: past)
        searched(system, "c-1907")
    searched(system, "c-1908")
    old_one, young = Particulars.objects.filter(part=TERMS_PART).order_by("created_at")
    purged()
    assert Particulars.objects.get(pk=old_one.pk).data is None
    assert Particulars.objects.get(pk=young.pk).data is not None
    assert len(said("decisions.searched")) == 2
    assert list(verify_everything()) == []


def searched(system: AISystem, subject: str) -> None:
    owner = agreeing(system)
    search_decisions(
        actor=actor_of(owner), reach=Reach.of_person(owner), terms=Searched(subject=subject), within=DecisionFilter()
    )

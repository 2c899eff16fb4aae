"""Retention as people decide it, and purges: shown before they happen, announced, stopped, done, reported."""

import json
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.db.utils import IntegrityError
from django.utils import timezone

from audit.erasing import floor_ends, texts_within_floor
from audit.filters import DecisionFilter
from audit.models import (
    Case,
    DataKind,
    Payload,
    Purge,
    RetentionClass,
    RetentionRule,
)
from audit.reach import Reach
from audit.retention import Terms, terms_of
from audit.search_terms import Terms as Searched
from audit.selectors import SealedDecision
from audit.services.holds import approve_lift, place_hold, place_span_hold, request_lift
from audit.services.investigating import add_note
from audit.services.search_runs import TERMS_PART
from audit.services.searching import search_decisions
from config.errors import Forbidden, InvalidInput
from evidence.erasure.documents import document_about
from evidence.erasure.errors import RetentionNotFound, RetentionNotOpen
from evidence.models import ExplanationLetter
from evidence.retention.planning import due_at, swept_to
from evidence.retention.reading import holds_seen
from evidence.services import purges
from evidence.services.leaving import leave
from evidence.services.purges import announce_purge, hold_purge, run_purges
from evidence.services.retention import (
    approve_rule,
    archive_class,
    refuse_rule,
    register_class,
    request_rule,
    withdraw_rule,
)
from evidence.verification import verify_everything
from governance.errors import ApprovalForbidden, RequestVoid
from governance.models import AISystem, Person
from governance.services.assignments import end_assignment
from ledger.models import Entry, Particulars
from ledger.selectors import registry_log
from ledger.signing import verifier_keys
from ledger.tlog import Verifier, open_note
from notices.models import Message
from overrides.models import Override
from overrides.services.overriding import override_decision
from tests.factories import letters
from tests.factories.cases import make_led_case
from tests.factories.erasing import SECONDS, agreeing, long_ago, no_floor, officer, put_in_force, written
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system
from tests.factories.reviews import open_review

pytestmark = pytest.mark.django_db
CLASS: dict[str, Any] = {
    "kind": "payloads", "name": "Credit", "floor_days": 190, "floor_source": "Article 26(6) of the AI Act",
    "ceiling_days": 365, "purpose": "Answering complaints.",
}  # fmt: skip


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit", accountable=make_person())


@pytest.fixture
def dpo() -> Person:
    return make_person(dpo=True)


def made(**changes: Any) -> RetentionClass:
    return register_class(actor=actor_of(officer()), **CLASS | changes)


def asked(system: AISystem | None, **changes: Any) -> RetentionRule:
    of, kept = system.pk if system else None, made(**changes)
    return request_rule(actor=actor_of(officer()), class_id=kept.pk, system_id=of, reason="As agreed.")


def old(system: AISystem, days: float = 60, **given: Any) -> SealedDecision:
    return record_decision(system, at=timezone.now() - timedelta(days=days), **given)


def announced(days: float = 20) -> Purge:
    with long_ago(days=days):
        purge = announce_purge()
    assert purge is not None
    return purge


def purged() -> Purge:
    """Announced so long ago that it runs now."""
    purge = announced()
    run_purges(seconds=SECONDS)
    purge.refresh_from_db()
    return purge


def is_kept(decision: SealedDecision) -> bool:
    return Payload.objects.get(pk=decision.id).secret is not None


def said(kind: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(row.data))["body"] for row in Entry.objects.filter(kind=kind).order_by("id")]


# --- classes ----------------------------------------------------------------------------------------------------------
def test_a_class_says_which_law_and_which_purpose(dpo: Person) -> None:
    found = made()
    assert (found.floor_source, found.purpose) == (CLASS["floor_source"], CLASS["purpose"])
    assert (found.floor_days, found.ceiling_days, found.made_by_id) == (190, 365, dpo.pk)
    assert said("retention_class.registered")[0]["floor_days"] == 190


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"kind": "everything"}, "/kind"),
        ({"floor_source": ""}, "/floor_source"),
        ({"purpose": ""}, "/purpose"),
        ({"floor_days": 189}, "/why_lower"),
        ({"floor_days": -1, "why_lower": "So."}, "/floor_days"),
        ({"ceiling_days": 189}, "/ceiling_days"),
        ({"floor_days": 0, "ceiling_days": 0, "why_lower": "So."}, "/ceiling_days"),
        ({"ceiling_days": 36_501}, "/ceiling_days"),
        ({"floor_days": 36_501, "ceiling_days": None}, "/floor_days"),
    ],
)
def test_what_is_no_class_is_refused(dpo: Person, wrong: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        made(**wrong)
    assert pointer in {problem.pointer for problem in refused.value.errors}
    assert not RetentionClass.objects.exists()


def test_less_than_the_law_of_most_places_needs_a_reason(dpo: Person) -> None:
    assert made(floor_days=30, why_lower="Not high-risk; no law asks for more.").floor_days == 30
    assert made(kind="quarantine", floor_days=0).why_lower == "", "of quarantine no law asks for a floor"


def test_only_a_data_protection_officer_writes_them(system: AISystem) -> None:
    for person in (agreeing(system), make_person(administrator=True), make_person(auditor=True), make_person()):
        with pytest.raises(Forbidden):
            register_class(actor=actor_of(person), **CLASS)


def test_one_that_is_in_force_or_asked_for_is_not_archived(system: AISystem, dpo: Person) -> None:
    rule = asked(system)
    with pytest.raises(RetentionNotOpen):
        archive_class(actor=actor_of(dpo), class_id=rule.retention_class_id)
    withdraw_rule(actor=actor_of(dpo), rule_id=rule.pk)
    assert archive_class(actor=actor_of(dpo), class_id=rule.retention_class_id).archived_at
    with pytest.raises(RetentionNotOpen):
        request_rule(actor=actor_of(dpo), class_id=rule.retention_class_id, system_id=system.pk, reason="Again.")


# --- where a class holds ----------------------------------------------------------------------------------------------
def test_one_asks_another_agrees_and_it_takes_the_place_of_what_held(system: AISystem, dpo: Person) -> None:
    assert terms_of(DataKind.PAYLOADS, system.pk) == Terms(190)
    first = asked(system)
    assert terms_of(DataKind.PAYLOADS, system.pk) == Terms(190), "nobody has agreed yet"
    approve_rule(actor=actor_of(agreeing(system)), rule_id=first.pk)
    assert terms_of(DataKind.PAYLOADS, system.pk) == Terms(190, 365)
    approve_rule(actor=actor_of(agreeing(system)), rule_id=asked(system, floor_days=400, ceiling_days=800).pk)
    assert terms_of(DataKind.PAYLOADS, system.pk) == Terms(400, 800)
    first.refresh_from_db()
    assert first.status == "superseded"
    assert [body["status"] for body in said("retention_rule.superseded")] == ["superseded"]
    assert list(verify_everything()) == []


def test_whoever_asks_does_not_agree_and_nobody_from_elsewhere_does(system: AISystem) -> None:
    rule = asked(system)
    for person in (officer(), make_person(accountable=make_system()), make_person(administrator=True)):
        with pytest.raises((RetentionNotFound, ApprovalForbidden)):
            approve_rule(actor=actor_of(person), rule_id=rule.pk)
    assert terms_of(DataKind.PAYLOADS, system.pk) == Terms(190)


def test_an_accountable_person_who_is_also_the_officer_does_not_agree_to_their_own(system: AISystem) -> None:
    both = make_person(dpo=True, accountable=system)
    rule = request_rule(actor=actor_of(both), class_id=made().pk, system_id=system.pk, reason="Mine.")
    with pytest.raises(ApprovalForbidden):
        approve_rule(actor=actor_of(both), rule_id=rule.pk)


def test_refused_it_holds_nowhere(system: AISystem) -> None:
    rule = asked(system)
    refuse_rule(actor=actor_of(agreeing(system)), rule_id=rule.pk, answer="Complaints take longer.")
    assert terms_of(DataKind.PAYLOADS, system.pk) == Terms(190)
    with pytest.raises(RetentionNotOpen):
        approve_rule(actor=actor_of(agreeing(system)), rule_id=rule.pk)


def test_of_one_place_one_request_waits(system: AISystem) -> None:
    first, second = asked(system), asked(system, ceiling_days=400)
    first.refresh_from_db()
    assert (first.status, second.status) == ("withdrawn", "requested")


@pytest.mark.parametrize("kind", ["cases", "searches", "staff"])
def test_what_belongs_to_no_ai_system_holds_for_the_organisation(system: AISystem, kind: str) -> None:
    given: dict[str, Any] = {"kind": kind, "ceiling_days": None, "purpose": ""}
    with pytest.raises(InvalidInput):
        asked(system, **given)
    rule = asked(None, **given)
    approve_rule(actor=actor_of(agreeing(system)), rule_id=rule.pk)
    assert terms_of(DataKind(kind), None).rule == rule
    with pytest.raises(InvalidInput):
        asked(None)


def test_what_somebody_asked_for_before_they_left_is_void(system: AISystem) -> None:
    make_person(dpo=True)
    asks = make_person(dpo=True)
    rule = request_rule(actor=actor_of(asks), class_id=made().pk, system_id=system.pk, reason="As agreed.")
    leave(actor=actor_of(make_person(administrator=True)), person_id=asks.pk)
    rule.refresh_from_db()
    assert rule.status == "withdrawn"


def test_what_somebody_asked_for_who_lost_the_right_is_void(system: AISystem) -> None:
    asks = make_person(dpo=True)
    rule = request_rule(actor=actor_of(asks), class_id=made().pk, system_id=system.pk, reason="As agreed.")
    make_person(dpo=True)
    held = asks.assignments.get(role="dpo")
    end_assignment(actor=actor_of(make_person(administrator=True)), assignment_id=held.pk)
    with pytest.raises(RequestVoid):
        approve_rule(actor=actor_of(agreeing(system)), rule_id=rule.pk)


def test_the_database_keeps_one_rule_in_force_of_a_place(system: AISystem) -> None:
    rule = put_in_force("payloads", system)
    with pytest.raises(IntegrityError), transaction.atomic():
        RetentionRule.objects.filter(pk=rule.pk).update(decided_by_id=rule.requested_by_id)
    other = asked(system)
    with pytest.raises(IntegrityError), transaction.atomic():
        RetentionRule.objects.filter(pk=other.pk).update(status="in_force", decided_by_id=agreeing(system).pk)


# --- what is due ------------------------------------------------------------------------------------------------------
def test_nothing_goes_by_itself_where_no_class_says_until_when(system: AISystem) -> None:
    old(system, days=3_000)
    assert due_at(timezone.now()) == []
    assert announce_purge() is None
    put_in_force("payloads", system, floor=190)
    assert announce_purge() is None


def test_what_is_due_says_how_many_and_what_keeps_some_back(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    gone, kept, young = old(system), old(system, days=90), record_decision(system)
    placed = hold(system, kept)
    (due,) = due_at(timezone.now())
    assert f"a legal hold from {placed.since} to {placed.until}: {placed.pk}" in told()
    assert (due.kind, due.system_id, due.count, due.kept) == (DataKind.PAYLOADS, system.pk, 2, 1)
    assert gone.recorded_at < due.before <= young.recorded_at


def test_inside_a_floor_nothing_is_due_whatever_the_ceiling(system: AISystem) -> None:
    put_in_force("payloads", system, floor=59, ceiling=60)
    runs = 20 - settings.PURGE_NOTICE_DAYS  # so many days ago
    inside, over = old(system, days=runs + 58.9), old(system, days=runs + 59.1)
    purged()
    assert is_kept(inside) and not is_kept(over)


def test_a_command_shows_it(system: AISystem) -> None:
    assert told() == "Nothing is past its time.\n"
    put_in_force("payloads", system, ceiling=30)
    old(system)
    assert "payloads of decisions of credit: 1 from before" in told()
    purge = announce_purge()
    assert purge is not None
    assert f"A purge is announced: it runs from {purge.runs_at:%Y-%m-%d %H:%M} UTC on." in told()
    found = json.loads(told("--json"))
    assert found["due"][0]["count"] == 1 and found["purge"]["id"] == str(purge.pk)


def test_which_holds_keep_some_of_it_is_told_to_those_who_may_know_of_them(system: AISystem) -> None:
    put_in_force("payloads", system, ceiling=30)
    kept, inside = old(system, days=90), old(system, days=60)
    span = hold(system, kept)
    case, lead = make_led_case(system, decisions=[inside])
    on_case = place_hold(actor=actor_of(lead), case_id=case.pk, reason="Evidence.")
    hold(make_system(accountable=make_person()), kept)
    (part,) = [each.said() for each in due_at(timezone.now())]
    assert {each.pk for each in holds_seen(actor_of(officer()), part)} == {span.pk, on_case.pk}
    assert holds_seen(actor_of(make_person()), part) == []


def told(*arguments: str) -> str:
    output = StringIO()
    call_command("retention_due", *arguments, stdout=output)
    return output.getvalue()


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
    Purge.objects.filter(pk=purge.pk).update(held_at=timezone.now() - timedelta(days=8))
    assert announce_purge() is not None


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
    document = document_about(purge.pk)
    assert document is not None
    origin = registry_log().origin
    text = open_note(document.note, [Verifier.from_vkey(vkey) for vkey in verifier_keys(origin)]).text
    assert text.startswith(f"answerable/purge-report/v1\nby: {origin}\npurge: {purge.pk}\n")
    assert f"took: payloads of {system.pk}: 3, kept back 0, digest {part['digest']}" in text
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
    assert swept_to(DataKind.PAYLOADS, system.pk) is None, "what was kept back is looked at again"
    request_lift(actor=actor_of(make_person(investigator=True)), hold_id=placed.pk, reason="Settled.")
    approve_lift(actor=actor_of(officer()), hold_id=placed.pk)
    assert purged().done[0]["count"] == 1
    assert not is_kept(kept)
    assert swept_to(DataKind.PAYLOADS, system.pk) is not None


def hold(system: AISystem, *decisions: SealedDecision) -> Any:
    moments = [each.recorded_at for each in decisions]
    return place_span_hold(
        actor=actor_of(make_person(investigator=True)), system_id=system.pk,
        since=min(moments), until=max(moments) + timedelta(microseconds=1), reason="A claim.",
    )  # fmt: skip


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
    assert swept_to(DataKind.PAYLOADS, system.pk) is None, "the next one looks at all of it again"
    document = document_about(purge.pk)
    assert document is not None and f"\nreplaced: payloads of {system.pk}: another class holds there" in document.note
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

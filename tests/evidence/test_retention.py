"""Retention as people decide it: classes, where they hold, what is due by them."""

import json
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.db.utils import IntegrityError
from django.utils import timezone

from audit.models import (
    DataKind,
    RetentionClass,
    RetentionRule,
)
from audit.retention import Terms, terms_of
from audit.services.holds import place_hold
from config.errors import Forbidden, InvalidInput
from evidence.erasure.errors import RetentionNotFound, RetentionNotOpen
from evidence.retention.planning import due_at
from evidence.retention.reading import holds_seen
from evidence.services.leaving import leave
from evidence.services.purges import announce_purge
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
from tests.factories.cases import make_led_case
from tests.factories.erasing import agreeing, officer, put_in_force
from tests.factories.purging import hold, is_kept, old, purged, said
from tests.factories.record import record_decision
from tests.factories.register import actor_of, make_person, make_system

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
        ({"kind": "staff", "ceiling_days": 400}, "/ceiling_days"),
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
    assert told() == "Nothing is due.\n"
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

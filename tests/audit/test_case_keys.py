"""What is opened and written in a case: by keys of its sender's own, in an order that keeps nobody waiting, in full."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from audit import case_selectors
from audit.case_selectors import actions_shown, trail_of_case, trail_page
from audit.filters import DecisionFilter
from audit.models import Case, CaseAttachment, CaseNote, CaseTally, CorrectiveAction
from audit.reach import Reach
from audit.services import cases
from audit.services.attaching import Chosen, put_into
from audit.services.cases import open_case
from audit.services.investigating import add_note
from audit.services.recounting import recount_case
from config.errors import Forbidden
from config.ids import new_id
from evidence.verification import verify_everything
from governance.acts import Role
from governance.locks import hold
from governance.models import AISystem
from governance.scopes import Scope
from ledger.entries import timestamp
from ledger.models import Entry, Particulars
from tests.evidence.test_tampering import as_owner
from tests.factories.cases import act, attach, detach, make_case, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


# --- keys -------------------------------------------------------------------------------------------------------------
def test_a_key_that_is_the_id_of_something_else_plants_nothing_there(system: AISystem) -> None:
    foreign, _ = make_led_case(system)
    decision, (case, lead) = record_decision(system), make_led_case(system)
    before = [each.id for each in trail_of_case(foreign)]
    for key in (foreign.pk, decision.id, before[0]):
        note = add_note(actor=actor_of(lead), case_id=case.pk, text="Planted.", key=key)
        assert note.pk != key
        assert not Particulars.objects.filter(row_id=key, created_at__gte=note.created_at).exists()
    assert [each.id for each in trail_of_case(foreign)] == before
    assert not Entry.objects.filter(about_id=decision.id, kind="case.noted").exists()
    assert CaseNote.objects.filter(case=case).count() == 3


def test_the_keys_of_two_people_do_not_meet(system: AISystem) -> None:
    key = new_id()
    notes = [add_note(actor=actor_of(lead), case_id=case.pk, text="x", key=key) for case, lead in _two_cases(system)]
    assert notes[0] != notes[1]


def _two_cases(system: AISystem) -> list[Any]:
    return [make_led_case(system), make_led_case(system)]


def test_every_key_is_kept_beside_the_row(system: AISystem) -> None:
    (case, lead), key = make_led_case(system), new_id()
    made = attach(case, lead, record_decision(system), key=key)
    planned = act(case, lead, lead, key=key)
    assert made.key == planned.key == key and key not in (made.pk, planned.pk)
    assert CaseAttachment.objects.filter(key=key).count() == CorrectiveAction.objects.filter(key=key).count() == 1


# --- opening ----------------------------------------------------------------------------------------------------------
def test_who_may_not_open_a_case_has_nothing_looked_for(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    person = make_person(viewer=system)
    record_decision(system)
    monkeypatch.setattr(cases, "put_into", lambda *given: pytest.fail("looked for decisions"))
    chosen = Chosen(asked=DecisionFilter(system_id=system.pk))
    with pytest.raises(Forbidden):
        open_case(actor=actor_of(person), reach=Reach.of_person(person), title="x", severity="low", chosen=chosen)


def test_the_lock_on_numbers_is_taken_after_the_work(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    lock, put = hold, put_into

    def held(*names: str) -> None:
        done.extend(names)
        lock(*names)

    def placed(*given: Any) -> Any:
        done.append("put")
        return put(*given)

    monkeypatch.setattr(cases, "hold", held)
    monkeypatch.setattr(cases, "put_into", placed)
    make_case(make_person(investigator=True), decisions=[record_decision(system)])
    assert done[1:] == ["put", "case:number"] and done[0] != "case:number"


# --- what happened in it, in full -------------------------------------------------------------------------------------
def test_the_trail_is_paged_from_its_end(system: AISystem, monkeypatch: pytest.MonkeyPatch) -> None:
    case, lead = make_led_case(system)
    for number in range(7):
        add_note(actor=actor_of(lead), case_id=case.pk, text=str(number))
    everything = [each.id for each in trail_of_case(case)]
    assert len(everything) == 9
    newest = trail_page(case, limit=4)
    assert [each.id for each in newest.entries] == everything[5:] and newest.earlier == everything[5]
    rest = trail_page(case, before=newest.earlier, limit=5)
    assert [each.id for each in rest.entries] == everything[:5] and rest.earlier is None
    monkeypatch.setattr(case_selectors, "ENTRIES_SHOWN", 1)
    assert len(trail_of_case(case)) == 9, "whoever asks for all of them has all of them"


# --- actions ----------------------------------------------------------------------------------------------------------
def test_who_carries_out_an_action_is_shown_their_own(system: AISystem) -> None:
    (case, lead), one, two = make_led_case(system), make_person(), make_person()
    mine, theirs = act(case, lead, one), act(case, lead, two)
    assert list(actions_shown(actor_of(one), case)) == [mine]
    assert set(actions_shown(actor_of(lead), case)) == {mine, theirs}
    assert set(actions_shown(actor_of(make_person(accountable=system)), case)) == {mine, theirs}


# --- what is counted --------------------------------------------------------------------------------------------------
@pytest.mark.committing
def test_verification_counts_the_tallies_again(transactional_db: None, keeper_url: str) -> None:
    system = make_system(accountable=make_person())
    case, lead = make_led_case(system)
    decisions = [record_decision(system, outcome="refused") for _ in range(3)]
    attach(case, lead, *decisions)
    detach(case, lead, decisions[0])
    assert list(verify_everything()) == []
    with as_owner(keeper_url) as cursor:
        for statement in (
            "UPDATE audit_casetally SET count = count + 1",
            "UPDATE audit_casetally SET outcome = 'approved'",
            f"UPDATE audit_casetally SET accountable_id = '{new_id()}'",
            "UPDATE audit_casetally SET is_accepted = NOT is_accepted",
            "DELETE FROM audit_casetally",
        ):
            cursor.execute("SAVEPOINT edit")
            cursor.execute(statement)
            found = [each for each in verify_everything() if each.code == "case-mistallied"]
            assert [each.row for each in found] == [str(case.pk)], statement
            cursor.execute("ROLLBACK TO edit")
    assert CaseTally.objects.filter(count__gt=0).count() == 1


def test_counts_that_are_wrong_are_put_right_at_the_host_and_sealed(system: AISystem) -> None:
    give_role(make_person(), Role.ACCOUNTABLE, Scope.system(system.pk))
    (case, lead), (other, _) = make_led_case(system), make_led_case(system)
    decisions = [record_decision(system, outcome=outcome) for outcome in ("refused", "refused", "granted")]
    attach(case, lead, *decisions)
    detach(case, lead, decisions[0])
    right = lines_of(case)
    assert [line[3] for line in right] == [1, 1]
    for statement in (
        "UPDATE audit_casetally SET count = count + 7 WHERE outcome = 'refused'",
        f"UPDATE audit_casetally SET accountable_id = '{new_id()}' WHERE outcome = 'granted'",
        "DELETE FROM audit_casetally",
        f"UPDATE audit_casetally SET case_id = '{other.pk}'",
    ):
        with connection.cursor() as cursor:
            cursor.execute(statement)
        wrong = {each.row for each in verify_everything() if each.code == "case-mistallied"}
        assert wrong, statement
        for row in wrong:
            call_command("recount_case", row)
        assert list(verify_everything()) == [], statement
        assert lines_of(case) == right
    said = [json.loads(bytes(each.data))["body"] for each in Entry.objects.filter(kind="case.recounted").order_by("id")]
    assert {name: said[0][name] for name in ("case", "was", "count")} == {"case": case.reference, "was": 9, "count": 2}
    assert {each["case"] for each in said} == {case.reference, other.reference}
    assert "case.recounted" in {each.kind for each in trail_of_case(case)}


def lines_of(case: Case) -> list[tuple[Any, ...]]:
    return list(case.tallies.order_by("outcome").values_list("outcome", "accountable_id", "is_accepted", "count"))


def test_counts_that_are_right_are_left_alone_and_only_the_host_puts_them_right(
    system: AISystem, capsys: pytest.CaptureFixture[str]
) -> None:
    case, lead = make_led_case(system)
    attach(case, lead, record_decision(system))
    call_command("recount_case", case.reference)
    assert capsys.readouterr().out == f"{case.reference}: the counts are right. Nothing was changed.\n"
    assert not Entry.objects.filter(kind="case.recounted").exists()
    with pytest.raises(CommandError):
        call_command("recount_case", "1999-0001")
    for somebody in (actor_of(lead), actor_of(make_person(administrator=True))):
        with pytest.raises(Forbidden):
            recount_case(actor=somebody, case_id=case.pk)


# --- the year of its number -------------------------------------------------------------------------------------------
def test_a_case_is_numbered_in_the_year_of_the_organisations_zone(system: AISystem, settings: Any) -> None:
    settings.WRITTEN_ZONE = "Pacific/Kiritimati"
    with time_machine.travel("2026-12-31T12:00:00+00:00", tick=False):
        case, _ = make_led_case(system)
    assert case.reference == "2027-0001"


# --- the filter that is kept ------------------------------------------------------------------------------------------
def test_the_filter_is_free_text_that_can_be_erased_and_not_sealed_in_clear(system: AISystem) -> None:
    case, lead = make_led_case(system)
    record_decision(system, outcome="refused")
    since = timezone.now() - timedelta(days=1)
    asked = DecisionFilter(outcome="refused", since=since)
    from audit.services.attaching import attach_decisions

    chosen = Chosen(asked=asked)
    made = attach_decisions(actor=actor_of(lead), reach=Reach.of_person(lead), case_id=case.pk, chosen=chosen)
    assert "question" in CaseAttachment.ERASABLE_FIELDS
    assert not hasattr(CaseAttachment.history.model, "question") or "question" not in {
        each.name for each in CaseAttachment.history.model._meta.fields
    }
    assert CaseAttachment.objects.get(pk=made.pk).question == {
        "from": timestamp(since),
        "outcome": "refused",
    }
    assert list(verify_everything()) == []

"""Cases: who opens them, what is in them, how they move, who leads them, and what is sealed of it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from audit.case_errors import (
    CaseChanged,
    CaseClosed,
    CaseKeyTaken,
    CaseNotFound,
    CaseNotReady,
    CasePartNotFound,
    LeadHasConflict,
)
from audit.case_selectors import trail_of_case
from audit.models import Case, CaseNote
from audit.reach import Reach
from audit.selectors import decision_by_id
from audit.services.cases import edit_case, move_case, open_case
from audit.services.investigating import add_note, settle_action
from config.errors import Conflict, Forbidden, InvalidInput
from config.ids import new_id
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from ledger.entries import SERVER
from notices.models import Alert, Message
from notices.services import open_alert
from overrides.services.case_leads import lead_case
from overrides.services.claiming import claim
from overrides.services.deciding import Answer, submit
from overrides.services.overriding import override_decision
from tests.factories.cases import act, attach, find, have_lead, make_case, make_led_case
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.reviews import open_review

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


@pytest.fixture
def investigator() -> Person:
    return make_person(investigator=True)


def said_in(case: Case) -> list[tuple[str, dict[str, object]]]:
    entries = trail_of_case(case)
    return [(each.kind, msgspec.json.decode(bytes(each.data))["body"]) for each in entries]


def with_role(role: str, system: AISystem | None, **rest: bool) -> Person:
    roles: dict[str, Any] = {role: system or True, **rest}
    return make_person(**roles)


# --- opening ----------------------------------------------------------------------------------------------------------
def test_a_case_gets_the_next_number_of_its_year_and_an_entry_without_its_words(
    system: AISystem, investigator: Person
) -> None:
    first, second = make_case(investigator, system), make_case(investigator, system, title="Ada was refused")
    year = timezone.now().year
    assert (first.reference, second.reference) == (f"{year}-0001", f"{year}-0002")
    assert first.origin == "complaint"
    ((kind, body),) = said_in(second)
    assert kind == "case.opened"
    assert body["case"] == second.reference and body["systems"] == [str(system.pk)]
    assert b"Ada" not in bytes(trail_of_case(second)[0].data)


@pytest.mark.parametrize("role", ["accountable", "deputy", "investigator"])
def test_who_answers_for_a_system_or_investigates_opens_a_case_about_it(system: AISystem, role: str) -> None:
    assert make_case(with_role(role, system), system).status == "open"


@pytest.mark.parametrize("role", ["administrator", "operator", "technical_owner", "reviewer", "auditor", "viewer"])
def test_others_do_not(system: AISystem, role: str) -> None:
    with pytest.raises(Forbidden):
        make_case(with_role(role, None if role == "administrator" else system), system)


def test_nobody_opens_one_about_a_system_that_is_not_theirs_also_not_beside_their_own(system: AISystem) -> None:
    owner, foreign = make_person(accountable=system), make_system()
    for systems in ((foreign,), (system, foreign)):
        with pytest.raises(Forbidden):
            make_case(owner, *systems)
    with pytest.raises(Forbidden):  # and one that does not exist looks the same
        open_case(actor=actor_of(owner), reach=Reach.of_person(owner), title="x", severity="low", system_ids=[new_id()])
    assert not Case.objects.exists()


def test_a_case_is_about_something_and_says_what(investigator: Person, system: AISystem) -> None:
    wrongs: list[dict[str, Any]] = [
        {"title": " "},
        {"title": "a\nb"},
        {"severity": "bad"},
        {"summary": "x" * 20_001},
        {"title": "\0"},
    ]
    for wrong in wrongs:
        with pytest.raises(InvalidInput):
            make_case(investigator, system, **wrong)
    with pytest.raises(InvalidInput):
        make_case(investigator)


def test_a_case_from_an_alert_is_about_its_system(system: AISystem) -> None:
    owner = make_person(accountable=system)
    alert = open_alert(
        actor=SERVER, kind="drill.overdue", severity=Alert.Severity.WARNING, fingerprint="x", system_id=system.pk
    )
    case = make_case(owner, alert_id=alert.pk)
    assert (case.origin, case.alert_id, case.system_ids) == ("alert", alert.pk, [system.pk])


def test_the_same_key_makes_one_case_and_no_other(system: AISystem, investigator: Person) -> None:
    key = new_id()
    one = make_case(investigator, system, key=key)
    assert make_case(investigator, system, key=key) == one and one.pk != key
    another = make_case(make_person(investigator=True), system, key=key)
    assert another != one, "a key is its sender's own, and tells them nothing of anybody else's"
    assert Case.objects.count() == 2


# --- leading ----------------------------------------------------------------------------------------------------------
def test_an_open_case_is_investigated_once_somebody_leads_it(system: AISystem, investigator: Person) -> None:
    case = make_case(make_person(accountable=system), system)
    dpo, other = make_person(dpo=True), make_person(investigator=True)
    led = lead_case(actor=actor_of(other), case_id=case.pk, person_id=investigator.pk)
    assert (led.status, led.lead_id) == ("investigating", investigator.pk)
    assert said_in(case)[-1][1]["lead"] == str(investigator.pk)
    assert Message.objects.get(kind="case.given").person_id == investigator.pk
    lead_case(actor=actor_of(dpo), case_id=case.pk, person_id=other.pk)
    assert Message.objects.filter(kind="case.given").latest("pk").person_id == other.pk


@pytest.mark.parametrize("role", ["accountable", "deputy", "technical_owner"])
def test_who_answers_for_the_system_does_not_lead(system: AISystem, role: str) -> None:
    person = with_role(role, system, investigator=True)
    case = make_case(person, system)
    with pytest.raises(LeadHasConflict, match="AI system"):
        lead_case(actor=actor_of(make_person(dpo=True)), case_id=case.pk, person_id=person.pk)


def test_who_was_accountable_when_a_decision_was_made_does_not_lead_either(investigator: Person) -> None:
    former = make_person()
    system = make_system(accountable=former)
    case = make_case(investigator, decisions=[record_decision(system)])
    give_role(former, Role.INVESTIGATOR)
    with pytest.raises(LeadHasConflict):
        lead_case(actor=actor_of(investigator), case_id=case.pk, person_id=former.pk)


def test_who_reviewed_or_overrode_one_of_the_decisions_does_not_lead(system: AISystem, investigator: Person) -> None:
    reviewer, owner = make_person(reviewer=system, investigator=True), make_person(deputy=system, investigator=True)
    review = open_review(system)
    work = claim(actor=actor_of(reviewer), review_id=review.pk)
    submit(actor=actor_of(reviewer), token=work.token, version=1, answer=Answer(decision="confirm"))
    overridden = record_decision(system)
    override_decision(actor=actor_of(owner), decision_id=overridden.id, outcome="refused", reason_code="other")
    owner.assignments.filter(role="deputy").update(status="ended")
    case = make_case(investigator, decisions=[overridden])
    with pytest.raises(LeadHasConflict, match="overrode"):
        lead_case(actor=actor_of(investigator), case_id=case.pk, person_id=owner.pk)
    assert lead_case(actor=actor_of(investigator), case_id=case.pk, person_id=reviewer.pk).lead_id == reviewer.pk
    other = make_case(investigator, system)
    attach(other, investigator, decision_by_id(review.decision_id))
    with pytest.raises(LeadHasConflict, match="reviewed"):
        lead_case(actor=actor_of(investigator), case_id=other.pk, person_id=reviewer.pk)


def test_a_lead_is_an_investigator_of_every_system_and_still_here(system: AISystem, investigator: Person) -> None:
    second, gone = make_system(), make_person(investigator=True)
    case = make_case(investigator, system, second)
    Person.objects.filter(pk=gone.pk).update(is_active=False)
    for person in (make_person(investigator=system), make_person(auditor=True)):
        with pytest.raises(Forbidden):
            lead_case(actor=actor_of(investigator), case_id=case.pk, person_id=person.pk)
    with pytest.raises(InvalidInput):
        lead_case(actor=actor_of(investigator), case_id=case.pk, person_id=gone.pk)


def test_the_accountable_person_does_not_choose_who_investigates(system: AISystem, investigator: Person) -> None:
    owner = make_person(accountable=system)
    case = make_case(owner, system)
    with pytest.raises(Forbidden):
        lead_case(actor=actor_of(owner), case_id=case.pk, person_id=investigator.pk)
    dpo = make_person(dpo=True)
    assert lead_case(actor=actor_of(dpo), case_id=case.pk, person_id=investigator.pk).lead_id == investigator.pk


def test_decisions_of_a_system_that_the_lead_answers_for_do_not_come_in(system: AISystem) -> None:
    case, lead = make_led_case(system)
    mine = make_system()
    give_role(lead, Role.ACCOUNTABLE, Scope.system(mine.pk))
    with pytest.raises(LeadHasConflict):
        attach(case, lead, record_decision(mine))
    assert Case.objects.get(pk=case.pk).system_ids == [system.pk]


# --- working ----------------------------------------------------------------------------------------------------------
def test_only_its_investigators_work_on_a_case(system: AISystem, investigator: Person) -> None:
    case, lead = make_led_case(system)
    add_note(actor=actor_of(lead), case_id=case.pk, text=" Asked the branch. ")
    assert CaseNote.objects.get().text == "Asked the branch."
    for person in (investigator, make_person(accountable=system), make_person(dpo=True), make_person(auditor=True)):
        with pytest.raises(Forbidden):
            add_note(actor=actor_of(person), case_id=case.pk, text="I say.")
    for person in (make_person(viewer=True), make_person(administrator=True), make_person()):
        with pytest.raises(CaseNotFound):
            add_note(actor=actor_of(person), case_id=case.pk, text="I say.")


def test_an_investigator_who_is_appointed_to_a_case_works_on_it_and_on_no_other(system: AISystem) -> None:
    case, _ = make_led_case(system)
    other, _ = make_led_case(system)
    person = make_person()
    give_role(person, Role.INVESTIGATOR, Scope.case(case.pk))
    add_note(actor=actor_of(person), case_id=case.pk, text="Looked.")
    with pytest.raises(CaseNotFound):
        add_note(actor=actor_of(person), case_id=other.pk, text="Looked.")


def test_a_lead_who_is_no_investigator_any_more_is_out(system: AISystem) -> None:
    case, lead = make_led_case(system)
    lead.assignments.update(status="ended")
    with pytest.raises(CaseNotFound):
        add_note(actor=actor_of(lead), case_id=case.pk, text="Still here?")


def test_who_opened_a_case_keeps_it_until_somebody_leads_it(system: AISystem, investigator: Person) -> None:
    owner = make_person(accountable=system)
    case = make_case(owner, system)
    add_note(actor=actor_of(owner), case_id=case.pk, text="They called.")
    have_lead(case, investigator)
    with pytest.raises(Forbidden):
        add_note(actor=actor_of(owner), case_id=case.pk, text="And again.")


def test_a_double_click_writes_one_note(system: AISystem) -> None:
    (case, lead), key = make_led_case(system), new_id()
    notes = [add_note(actor=actor_of(lead), case_id=case.pk, text="Once.", key=key) for _ in range(2)]
    assert notes[0] == notes[1] and CaseNote.objects.count() == 1
    other, _ = make_led_case(system, lead=lead)
    with pytest.raises(CaseKeyTaken):
        add_note(actor=actor_of(lead), case_id=other.pk, text="Once.", key=key)


def test_a_stale_form_changes_nothing(system: AISystem) -> None:
    case, lead = make_led_case(system)
    actor, revision = actor_of(lead), Case.objects.get(pk=case.pk).revision
    edit_case(actor=actor, case_id=case.pk, title="First", severity="high", revision=revision)
    with pytest.raises(CaseChanged):
        edit_case(actor=actor, case_id=case.pk, title="Second", severity="low", revision=revision)
    assert Case.objects.get(pk=case.pk).title == "First"


def test_a_finding_is_replaced_once_and_stays(system: AISystem) -> None:
    case, lead = make_led_case(system)
    wrong = find(case, lead)
    right = find(case, lead, text="It was the till.", replaces_id=wrong.pk)
    assert right.replaces == wrong
    with pytest.raises(CasePartNotFound):
        find(case, lead, replaces_id=wrong.pk)
    other, _ = make_led_case(system, lead=lead)
    with pytest.raises(CasePartNotFound):
        find(other, lead, replaces_id=right.pk)


# --- states -----------------------------------------------------------------------------------------------------------
def test_a_case_goes_its_way_and_each_step_is_sealed(system: AISystem) -> None:
    case, lead = make_led_case(system)
    actor = actor_of(lead)
    with pytest.raises(CaseNotReady, match="finding"):
        move_case(actor=actor, case_id=case.pk, to="concluded")
    with pytest.raises(CaseNotReady, match="does not go"):
        move_case(actor=actor, case_id=case.pk, to="closed")
    find(case, lead)
    action = act(case, lead, lead)
    move_case(actor=actor, case_id=case.pk, to="concluded")
    with pytest.raises(CaseNotReady, match="action"):
        move_case(actor=actor, case_id=case.pk, to="closed")
    settle_action(actor=actor, case_id=case.pk, action_id=action.pk, outcome="done", text="Commit 4f.")
    closed = move_case(actor=actor, case_id=case.pk, to="closed")
    assert closed.closed_at and closed.concluded_at
    with pytest.raises(CaseClosed):
        add_note(actor=actor, case_id=case.pk, text="One more.")
    with pytest.raises(InvalidInput):
        move_case(actor=actor, case_id=case.pk, to="reopened")
    reopened = move_case(actor=actor, case_id=case.pk, to="reopened", reason="It happened again.")
    assert reopened.closed_at is None
    move_case(actor=actor, case_id=case.pk, to="investigating")
    moved = [body["status"] for kind, body in said_in(case) if kind == "case.moved"]
    assert moved == ["concluded", "closed", "reopened", "investigating"]


def test_the_same_move_twice_is_one_move(system: AISystem) -> None:
    case, lead = make_led_case(system)
    find(case, lead)
    for _ in range(2):
        move_case(actor=actor_of(lead), case_id=case.pk, to="concluded")
    assert [kind for kind, _ in said_in(case)].count("case.moved") == 1


def test_a_case_is_not_concluded_under_a_lead_who_answers_for_it_by_now(system: AISystem) -> None:
    case, lead = make_led_case(system)
    find(case, lead)
    give_role(lead, Role.ACCOUNTABLE, Scope.system(system.pk))
    with pytest.raises(LeadHasConflict):
        move_case(actor=actor_of(lead), case_id=case.pk, to="concluded")


# --- corrective actions -----------------------------------------------------------------------------------------------
def test_the_owner_of_an_action_is_told_and_says_that_it_was_done_and_cannot_drop_it(system: AISystem) -> None:
    (case, lead), engineer = make_led_case(system), make_person()
    action = act(case, lead, engineer)
    assert Message.objects.get(kind="case.action_planned").person_id == engineer.pk
    with pytest.raises(CasePartNotFound):
        settle_action(
            actor=actor_of(engineer), case_id=case.pk, action_id=action.pk, outcome="dropped", text="No time."
        )
    done = settle_action(
        actor=actor_of(engineer), case_id=case.pk, action_id=action.pk, outcome="done", text="Release 4."
    )
    assert done.done_at and done.settled_by_id == engineer.pk
    with pytest.raises(CaseNotFound):  # nothing is left to do, so the case is out of sight again
        add_note(actor=actor_of(engineer), case_id=case.pk, text="Hello?")


def test_an_action_is_settled_once(system: AISystem) -> None:
    case, lead = make_led_case(system)
    action, actor = act(case, lead, lead), actor_of(lead)
    same = [
        settle_action(actor=actor, case_id=case.pk, action_id=action.pk, outcome="dropped", text="Retired instead.")
        for _ in range(2)
    ]
    assert same[0].dropped_at == same[1].dropped_at
    with pytest.raises(Conflict):
        settle_action(actor=actor, case_id=case.pk, action_id=action.pk, outcome="done", text="Done after all.")


def test_an_action_is_due_from_today_on_and_belongs_to_somebody_who_is_here(system: AISystem) -> None:
    case, lead = make_led_case(system)
    gone = make_person()
    Person.objects.filter(pk=gone.pk).update(is_active=False)
    for owner, days in ((lead, -1), (gone, 1)):
        with pytest.raises(InvalidInput):
            act(case, lead, owner, due_on=timezone.localdate() + timedelta(days=days))

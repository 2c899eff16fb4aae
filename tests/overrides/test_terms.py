"""Duties, powers, competence and review of a role; and notes beside who answered in the past."""

import uuid
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.errors import Forbidden, InvalidInput
from evidence.verification import verify_everything
from governance.acts import Role
from governance.answering import answering_at
from governance.errors import ApprovalForbidden, AssignmentNotFound, AssignmentNotOpen, TermsNotSeen
from governance.models import AccountabilityNote, AISystem, Assignment, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import (
    accept_assignments,
    approve_proposal,
    delegate_assignment,
    end_assignment,
    hand_over_assignment,
    offer_assignment,
)
from governance.services.terms import note_past, update_terms
from governance.terms import Terms
from ledger.entries import COMMAND, Actor
from ledger.models import Entry
from notices.letters import letter_for
from notices.models import Message
from notices.services.term_days import remind_of_terms
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.overrides.test_assignments_api import api, problem

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
URL = "/api/v1/assignments"


def today(days: int = 0) -> Any:
    return timezone.now().date() + days * DAY


@pytest.fixture
def admin() -> Person:
    return make_person(administrator=True, name="Adele")


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit")


def terms(**changed: Any) -> Terms:
    said = {
        "duties": "Looks at every refusal.",
        "powers": ["stop", "override"],
        "competence": "Course on automated decisions, 2026.",
        "competence_until": today(365),
        "review_on": today(180),
    }
    return Terms(**(said | changed))


def changed(*, actor: Actor, assignment_id: uuid.UUID, **rest: Any) -> Assignment:
    """By somebody who reads the terms, then changes them."""
    read = Assignment.objects.get(pk=assignment_id).revision
    return update_terms(actor=actor, assignment_id=assignment_id, **({"revision": read} | rest))


def held_by(person: Person) -> Assignment:
    return person.assignments.get(status="accepted")


# --- terms -----------------------------------------------------------------------------------------------------------
def test_who_accepts_a_role_accepts_its_terms_and_all_of_it_is_sealed(admin: Person, system: AISystem) -> None:
    person = make_person()
    offer = offer_assignment(
        actor=actor_of(admin), person=person, role=Role.REVIEWER, scope=Scope.system(system.pk), terms=terms()
    )
    accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk], revisions={offer.pk: offer.revision})
    held = held_by(person)
    assert (Terms.of(held).duties, held.power_words) == (
        "Looks at every refusal.",
        ["override decisions", "stop the AI system"],
    )
    changed(actor=actor_of(admin), assignment_id=held.pk, changes={"review_on": today(400)}, reason="Reviewed.")
    assert Entry.objects.filter(about_id=held.pk, kind="assignment.updated").count() == 1
    assert b"refusal" not in b"".join(bytes(each.data) for each in Entry.objects.all())
    assert list(verify_everything()) == []


def test_a_row_that_was_edited_behind_our_back_is_found(admin: Person, system: AISystem) -> None:
    held = give_role(make_person(), Role.REVIEWER, Scope.system(system.pk))
    Assignment.objects.filter(pk=held.pk).update(duties="None at all.")
    assert ["governance_assignment" in str(each) for each in verify_everything()] == [True]


def test_the_same_again_is_no_change(admin: Person, system: AISystem) -> None:
    held = give_role(make_person(), Role.REVIEWER, Scope.system(system.pk))
    for _ in range(2):
        changed(actor=actor_of(admin), assignment_id=held.pk, changes={"powers": ["stop", "override"]})
    changed(actor=actor_of(admin), assignment_id=held.pk, changes={"powers": ["override", "stop"]})
    assert Entry.objects.filter(kind="assignment.updated").count() == 1


def test_only_who_may_give_the_role_says_so_and_nobody_of_themself(admin: Person, system: AISystem) -> None:
    owner, other = make_person(accountable=system), make_person(technical_owner=system)
    mine, theirs = held_by(owner), held_by(other)
    for somebody, what in ((other, mine), (other, theirs), (make_person(), theirs), (owner, mine)):
        with pytest.raises(Forbidden):
            changed(actor=actor_of(somebody), assignment_id=what.pk, changes={"duties": "Nothing."})
    changed(actor=actor_of(owner), assignment_id=theirs.pk, changes={"duties": "Looks after it."})
    end_assignment(actor=COMMAND, assignment_id=theirs.pk)
    with pytest.raises(AssignmentNotOpen):
        changed(actor=actor_of(owner), assignment_id=theirs.pk, changes={"duties": "More."})


def offered(admin: Person, person: Person, role: Role = Role.REVIEWER, **said: Any) -> Assignment:
    scope = ORGANISATION if role is Role.AUDITOR else Scope.system(make_system().pk)
    return offer_assignment(actor=actor_of(admin), person=person, role=role, scope=scope, **said)


def test_a_role_is_accepted_on_the_terms_that_were_read_and_on_no_others(admin: Person) -> None:
    person = make_person()
    plain, told = offered(admin, person), offered(admin, person, terms=terms())
    me, both = actor_of(person), [plain.pk, told.pk]
    with pytest.raises(TermsNotSeen):  # nobody says what they read
        accept_assignments(actor=me, assignment_ids=both)
    read = {told.pk: told.revision}
    swapped = changed(actor=actor_of(admin), assignment_id=told.pk, changes={"duties": "Answers for everything."})
    with pytest.raises(TermsNotSeen):
        accept_assignments(actor=me, assignment_ids=both, revisions=read)
    assert not person.assignments.filter(status="accepted").exists(), "all or none"
    taken = accept_assignments(actor=me, assignment_ids=both, revisions={told.pk: swapped.revision})
    assert {each.duties for each in taken} == {"", "Answers for everything."}


def test_a_page_that_was_open_meanwhile_shows_what_stands_now_and_takes_that(admin: Person) -> None:
    person, client = make_person(), Client()
    offer = offered(admin, person, terms=terms())
    client.force_login(person)
    address = f"/admin/governance/assignment/{offer.pk}/accept/"
    swapped = changed(actor=actor_of(admin), assignment_id=offer.pk, changes={"duties": "Answers for everything."})
    page = client.post(address, {"revision": offer.revision}).content.decode()
    assert "is not what you read" in page or "Read it, then do it again" in page
    assert "Answers for everything." in page and f'value="{swapped.revision}"' in page
    assert client.post(address, {"revision": swapped.revision}).status_code == 302
    assert Assignment.objects.get(pk=offer.pk).status == "accepted"


def test_who_changes_terms_sees_what_somebody_else_wrote_and_then_takes_its_place(admin: Person) -> None:
    offer, client = offered(admin, make_person()), Client()
    client.force_login(admin)
    address = f"/admin/accountability/{offer.pk}/terms"
    mine = changed(actor=actor_of(admin), assignment_id=offer.pk, changes={"duties": "Mine.", "powers": ["stop"]})
    sent = {"duties": "Yours.", "powers": ["override"], "revision": offer.revision}
    page = client.post(address, sent)
    assert page.status_code == 422
    assert "By now it says: Mine." in page.content.decode() and "Yours." in page.content.decode()
    assert client.post(address, sent | {"revision": mine.revision}).status_code == 302
    assert Assignment.objects.get(pk=offer.pk).duties == "Yours."


def test_who_changes_terms_changes_what_they_read(admin: Person) -> None:
    offer = offered(admin, make_person())
    changed(actor=actor_of(admin), assignment_id=offer.pk, changes={"duties": "Mine."})
    with pytest.raises(TermsNotSeen):
        changed(actor=actor_of(admin), assignment_id=offer.pk, revision=offer.revision, changes={"duties": "Yours."})
    offer.refresh_from_db()
    assert offer.duties == "Mine."


def test_what_takes_two_administrators_goes_back_to_another_one_when_its_terms_change(admin: Person) -> None:
    second, person = make_person(administrator=True), make_person()
    proposal = offered(admin, person, Role.AUDITOR, terms=terms())
    with pytest.raises(TermsNotSeen):
        approve_proposal(actor=actor_of(second), assignment_id=proposal.pk)
    offer = approve_proposal(actor=actor_of(second), assignment_id=proposal.pk, revision=proposal.revision)
    back = changed(actor=actor_of(second), assignment_id=offer.pk, changes={"duties": "Audits alone."})
    assert (back.status, back.approved_by_id, back.offered_at) == ("proposed", None, None)
    with pytest.raises(AssignmentNotOpen):
        accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk], revisions={offer.pk: back.revision})
    with pytest.raises(ApprovalForbidden):  # of their own change
        approve_proposal(actor=actor_of(second), assignment_id=offer.pk, revision=back.revision)
    again = changed(actor=actor_of(admin), assignment_id=offer.pk, changes={"duties": "Audits with others."})
    with pytest.raises(ApprovalForbidden):
        approve_proposal(actor=actor_of(admin), assignment_id=offer.pk, revision=again.revision)
    agreed = approve_proposal(actor=actor_of(second), assignment_id=offer.pk, revision=again.revision)
    accept_assignments(actor=actor_of(person), assignment_ids=[offer.pk], revisions={offer.pk: agreed.revision})
    assert list(verify_everything()) == []


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"powers": ["fly"]}, "/powers"),
        ({"review_on": "yesterday"}, "/review_on"),
        ({"competence_until": "yesterday"}, "/competence_until"),
        ({"competence": ""}, "/competence"),
        ({"duties": "x" * 4001}, "/duties"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(
    admin: Person, system: AISystem, wrong: dict[str, Any], pointer: str
) -> None:
    found = {name: today(-1) if value == "yesterday" else value for name, value in wrong.items()}
    with pytest.raises(InvalidInput) as refusal:
        offer_assignment(
            actor=actor_of(admin),
            person=make_person(),
            role=Role.REVIEWER,
            scope=Scope.system(system.pk),
            terms=terms(**found),
        )
    assert [each.pointer for each in refusal.value.errors] == [pointer]


def test_duties_pass_on_with_the_role_and_what_somebody_can_does_not(admin: Person, system: AISystem) -> None:
    owner = make_person(accountable=system)
    held = held_by(owner)
    changed(actor=actor_of(admin), assignment_id=held.pk, changes=asdict(terms()))
    for way in (delegate_assignment, hand_over_assignment):
        made = way(actor=actor_of(owner), assignment_id=held.pk, to=make_person())
        assert (made.duties, made.powers, made.competence) == ("Looks at every refusal.", ["override", "stop"], "")


def test_a_review_that_is_overdue_does_not_stop_a_hand_over(admin: Person, system: AISystem) -> None:
    owner = make_person(accountable=system)
    changed(actor=actor_of(admin), assignment_id=held_by(owner).pk, changes={"review_on": today(1)})
    with time_machine.travel(timezone.now() + 10 * DAY):
        assert hand_over_assignment(actor=actor_of(owner), assignment_id=held_by(owner).pk, to=make_person())


# --- days that come --------------------------------------------------------------------------------------------------
def told(what: str) -> list[Message]:
    return [each for each in Message.objects.filter(kind="assignment.term_due") if each.facts["what"] == what]


def test_competence_that_runs_out_is_said_to_its_holder_and_to_who_gives_the_role(
    admin: Person, system: AISystem
) -> None:
    person, owner = make_person(name="Rita", technical_owner=system), make_person(accountable=system)
    changes = {"competence": "Course.", "competence_until": today(60)}
    changed(actor=actor_of(admin), assignment_id=held_by(person).pk, changes=changes)
    assert remind_of_terms() == 0
    for days in (30, 29, 7, 1, 0, -3, -4):
        with time_machine.travel(timezone.now() + (60 - days) * DAY, tick=False):
            assert [remind_of_terms(), remind_of_terms()] == [1, 1]
    assert {each.person_id for each in told("competence")} == {person.pk, owner.pk, admin.pk}
    assert len(told("competence")) == 3 * 3, "30 and 7 days before, and on the day or as soon as it is noticed"
    assert "Competence runs out" in letter_for(told("competence")[0]).subject
    changed(actor=actor_of(admin), assignment_id=held_by(person).pk, changes={"competence_until": None})
    assert "Seen to meanwhile" in letter_for(told("competence")[0]).subject


def test_a_review_is_said_to_who_gives_the_role_and_not_to_who_is_looked_at(admin: Person, system: AISystem) -> None:
    person = make_person(name="Rita", technical_owner=system)
    changed(actor=actor_of(admin), assignment_id=held_by(person).pk, changes={"review_on": today(7)})
    remind_of_terms()
    assert [each.person_id for each in told("review")] == [admin.pk]
    assert "To be looked at again" in letter_for(told("review")[0]).subject


def test_a_day_is_written_of_once_asks_little_after_that_and_is_not_walked_for_ever(
    admin: Person, system: AISystem
) -> None:
    for _ in range(3):
        held = held_by(make_person(technical_owner=make_system()))
        changed(actor=actor_of(admin), assignment_id=held.pk, changes={"review_on": today(7)})
    assert remind_of_terms() == 3
    with CaptureQueriesContext(connection) as asked:
        assert remind_of_terms() == 3
    assert len(asked) <= 4, "the assignments by each day, and what was written"
    with time_machine.travel(timezone.now() + (7 + 29) * DAY, tick=False):
        assert remind_of_terms() == 0


# --- over the API ----------------------------------------------------------------------------------------------------
def test_terms_over_the_api_for_those_concerned(admin: Person, system: AISystem) -> None:
    person, onlooker = make_person(email="r@example.org"), make_person(viewer=system)
    given = {
        "person": "r@example.org",
        "role": "reviewer",
        "system": system.slug,
        "duties": "Looks.",
        "powers": ["stop"],
    }
    made = api(admin).post(URL, given, format="json")
    assert (made.status_code, made.json()["duties"], made.json()["powers"]) == (201, "Looks.", ["stop"])
    address = f"{URL}/{made.json()['id']}/terms"
    new = {"review_on": str(today(30)), "competence": "Course.", "revision": made.json()["revision"]}
    answer = api(admin).patch(address, new, format="json")
    assert (answer.status_code, answer.json()["duties"]) == (200, "Looks.")
    assert problem(api(admin).patch(address, new, format="json")) == (409, "terms-not-seen")
    assert problem(api(admin).patch(address, {"duties": ""}, format="json"))[0] == 422, "of which revision?"
    assert api(person).get(address).json()["competence"] == "Course."
    assert problem(api(onlooker).get(address)) == (403, "forbidden")
    assert problem(api(person).patch(address, new | {"duties": ""}, format="json")) == (403, "forbidden")
    assert problem(api(make_person()).get(address)) == (404, "assignment-not-found")
    assert problem(api(admin).patch(address, new | {"dutys": ""}, format="json"))[0] == 422
    accepting = {"assignments": [made.json()["id"]]}
    for read in ({}, {"revisions": {made.json()["id"]: made.json()["revision"]}}):
        refused = api(person).post(f"{URL}/accept", accepting | read, format="json")
        assert problem(refused) == (409, "terms-not-seen")
    garbage = api(person).post(f"{URL}/accept", accepting | {"revisions": {"x": 1}}, format="json")
    assert garbage.status_code == 422
    seen = accepting | {"revisions": {made.json()["id"]: answer.json()["revision"]}}
    assert api(person).post(f"{URL}/accept", seen, format="json").json()[0]["status"] == "accepted"


# --- notes beside the past -------------------------------------------------------------------------------------------
def test_a_note_stands_beside_the_time_it_is_about_and_changes_nothing(admin: Person) -> None:
    with time_machine.travel(timezone.now() - 100 * DAY):
        system = make_system()
        owner = make_person(accountable=system)
    then = timezone.now() - 10 * DAY
    note = note_past(actor=actor_of(admin), system_id=system.pk, since=then, text="Petra was in hospital.")
    assert note.until == then + DAY
    (found,) = answering_at(system, then + DAY / 2).notes
    assert (found.note.text, found.by) == ("Petra was in hospital.", admin)
    assert not answering_at(system, then + 2 * DAY).notes and not answering_at(system, then - DAY).notes
    own = note_past(
        actor=actor_of(owner), system_id=system.pk, since=then, assignment_id=held_by(owner).pk, text="I was back."
    )
    assert own.assignment == held_by(owner)
    said = Entry.objects.filter(kind="accountability.noted")
    assert said.count() == 2 and all(b"hospital" not in bytes(each.data) for each in said)
    assert list(verify_everything()) == []
    AccountabilityNote.objects.filter(pk=own.pk).update(text="I was never away.")
    assert ["governance_accountabilitynote" in str(each) for each in verify_everything()] == [True]


def test_a_note_is_written_by_who_gives_roles_there_or_held_the_one_it_is_about(system: AISystem) -> None:
    then = timezone.now() - DAY
    with time_machine.travel(then - DAY):
        engineer, owner = make_person(technical_owner=system), make_person(accountable=system)
    mine = held_by(engineer)
    for somebody in (engineer, make_person(), make_person(accountable=make_system())):
        for about in (None, uuid.uuid4()):  # whether there is such an assignment, they are not told either
            with pytest.raises(Forbidden):
                note_past(actor=actor_of(somebody), system_id=system.pk, since=then, assignment_id=about, text="No.")
    assert note_past(actor=actor_of(engineer), system_id=system.pk, since=then, assignment_id=mine.pk, text="Yes.")
    elsewhere = give_role(make_person(), Role.REVIEWER, Scope.system(make_system().pk))
    with pytest.raises(AssignmentNotFound):
        note_past(actor=actor_of(owner), system_id=system.pk, since=then, assignment_id=elsewhere.pk, text="No.")
    for wrong in ({"since": timezone.now() + DAY}, {"until": then - DAY}, {"text": "  "}):
        with pytest.raises(InvalidInput):
            note_past(**({"actor": actor_of(owner), "system_id": system.pk, "since": then, "text": "x"} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", ["offered", "declined", "elsewhere", "of a case"])
def test_nobody_bears_witness_by_a_role_that_they_did_not_hold_there(
    admin: Person, system: AISystem, answer: str
) -> None:
    person, then = make_person(), timezone.now() - timedelta(hours=1)
    scope = {"elsewhere": Scope.system(make_system().pk), "of a case": Scope.case(uuid.uuid4())}.get(answer)
    with time_machine.travel(then - DAY):
        held = give_role(person, Role.REVIEWER, scope or Scope.system(system.pk))
    if answer in ("offered", "declined"):
        Assignment.objects.filter(pk=held.pk).update(status=answer, accepted_at=None)
    with pytest.raises(Forbidden):
        note_past(actor=actor_of(person), system_id=system.pk, since=then, assignment_id=held.pk, text="I saw it.")


def test_a_role_in_the_whole_organisation_bears_witness_of_its_own_time_alone(admin: Person, system: AISystem) -> None:
    now = timezone.now()
    person = make_person()
    with time_machine.travel(now - 10 * DAY):
        held = give_role(person, Role.AUDITOR)
    with time_machine.travel(now - 5 * DAY):
        end_assignment(actor=COMMAND, assignment_id=held.pk)
    about: dict[str, Any] = {"system_id": system.pk, "assignment_id": held.pk, "text": "I saw it."}

    def say(who: Person, since: Any, until: Any = None) -> AccountabilityNote:
        return note_past(actor=actor_of(who), since=since, until=until, **about)

    assert say(person, now - 9 * DAY).until == now - 8 * DAY
    held.refresh_from_db()
    assert say(person, now - 5 * DAY - timedelta(hours=1)).until == held.ends_at, "no longer than the role"
    wrong = [(now - 11 * DAY, None), (now - 4 * DAY, None), (now - 9 * DAY, now - 4 * DAY)]
    for who in (person, admin):
        for since, until in wrong:
            with pytest.raises(InvalidInput):
                say(who, since, until)


def test_nothing_is_noted_of_what_is_to_come(admin: Person, system: AISystem) -> None:
    now = timezone.now()
    rest: dict[str, Any] = {"actor": actor_of(admin), "system_id": system.pk, "text": "It will be so."}
    with pytest.raises(InvalidInput) as refusal:
        note_past(since=now - DAY, until=now + 365 * DAY, **rest)
    assert [each.pointer for each in refusal.value.errors] == ["/until"]
    assert note_past(since=now - DAY / 2, **rest).until <= timezone.now()


def test_a_note_over_the_api_is_read_with_who_answered(admin: Person) -> None:
    with time_machine.travel(timezone.now() - DAY):
        system = make_system()
    since = (timezone.now() - timedelta(hours=1)).isoformat()
    address = f"/api/v1/systems/{system.slug}/accountability-notes"
    made = api(admin).post(address, {"since": since, "text": "Said later."}, format="json")
    assert (made.status_code, made.json()["written_by"]["name"]) == (201, "Adele")
    read = api(admin).get(f"/api/v1/systems/{system.slug}/accountable", {"at": since})
    assert [each["text"] for each in read.json()["notes"]] == ["Said later."]
    assert (
        problem(api(make_person(viewer=system)).post(address, {"since": since, "text": "x"}, format="json"))[0] == 403
    )
    assert problem(api(make_person()).post(address, {"since": since, "text": "x"}, format="json"))[0] == 404

"""Leaving is one act over all floors: shown before, everything at once or nothing, refused where it must be."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from audit.case_errors import LeadHasConflict
from audit.services.holds import place_hold, request_lift
from audit.services.payload_grants import approve_grant, request_grant
from config.days import today
from config.errors import Forbidden
from evidence.services.leaving import leave, preview_leaving
from evidence.verification import verify_everything
from governance.acts import Role
from governance.errors import GapWouldOpen, LastAdministrator, PersonNotFound, RolesConflict, SuccessorNeeded
from governance.kinds import ASSIGNMENT_OFFERED
from governance.models import (
    AccountabilityGap,
    AISystem,
    Assignment,
    FailPolicyRequest,
    Person,
    PersonToken,
    ServiceAccount,
)
from governance.scopes import Scope
from governance.selectors import open_card
from governance.services.assignments import delegate_assignment
from governance.services.fail_policies import ask_for_milder_policy
from governance.services.offers import write_assignment
from governance.services.tokens import create_token
from ledger.entries import SERVER
from ledger.models import Entry
from ledger.sealing import sealing
from notices.models import Alert
from notices.services import open_alert
from overrides.models import LooseningRequest, ParameterVersion, ReviewAssignment, ReviewQueue
from overrides.services.claiming import claim
from overrides.services.queues import give_skill
from tests.factories import cards, letters
from tests.factories.cases import act as plan
from tests.factories.cases import declare, make_led_case
from tests.factories.control import ask_for, stop
from tests.factories.live import make_live
from tests.factories.parameters import make_crew
from tests.factories.register import actor_of, give_role, make_account, make_person, make_system
from tests.factories.reviews import make_queue, make_rule, open_review
from tests.factories.versions import make_proposed, make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Person:
    return make_person(administrator=True)


@pytest.fixture
def leaver() -> Person:
    return make_person(name="Lea")


def everything(person: Person, admin: Person) -> AISystem:
    crew = make_crew(risk_class="high", max_staleness_s=60)
    system = crew.system
    for role in (Role.ACCOUNTABLE, Role.REVIEWER, Role.OPERATOR, Role.TECHNICAL_OWNER):
        give_role(person, role, Scope.system(system.pk))
    queue = make_queue(person, system=system)
    claim(actor=actor_of(person), review_id=open_review(system, rule=make_rule(system, queue)).pk)
    give_skill(actor=actor_of(admin), person_id=person.pk, skill="law")
    ask_for(stop(system, environment="production"), person)
    ask_for_milder_policy(actor=actor_of(person), system_id=system.pk, max_staleness_s=600, safe_mode="review")
    make_account(owner=person)
    create_token(actor=actor_of(person), name="Laptop", proven_at=timezone.now())
    open_alert(
        actor=SERVER, kind="drill.overdue", severity=Alert.Severity.WARNING, fingerprint="x", system_id=system.pk
    )
    return system


def test_it_is_shown_before_and_nothing_of_it_is_done(admin: Person, leaver: Person) -> None:
    everything(leaver, admin)
    entries = Entry.objects.count()
    found = preview_leaving(actor=actor_of(admin), person_id=leaver.pk)
    assert (found.claims, found.requests, found.skills, found.tokens, found.alerts) == (1, 2, 1, 1, 1)
    assert (len(found.roles), len(found.accounts), len(found.queues), found.left_open) == (4, 1, 1, [])
    assert Entry.objects.count() == entries


def test_everything_ends_or_passes_on_at_once(admin: Person, leaver: Person) -> None:
    system, heir, next_one = everything(leaver, admin), make_person(), make_person()
    held = Assignment.objects.get(person=leaver, role=Role.ACCOUNTABLE)
    held.duties, held.competence, held.review_on = "Answers letters.", "Ten years.", today() - timedelta(days=1)
    with sealing() as seal:
        write_assignment(seal, actor=actor_of(admin), kind=ASSIGNMENT_OFFERED, assignment=held)
    leave(actor=actor_of(admin), person_id=leaver.pk, successor=heir, heir=next_one, reason="Pension.")
    assert not Person.objects.get(pk=leaver.pk).is_active
    assert not Assignment.objects.filter(person=leaver).exclude(status="ended").exists()
    assert ReviewAssignment.objects.get(person=leaver).status == "released"
    assert LooseningRequest.objects.get().status == "void"
    assert FailPolicyRequest.objects.get().status == "void"
    assert PersonToken.objects.get(person=leaver).revoked_at is not None
    assert ServiceAccount.objects.get(owner=heir)
    assert ReviewQueue.objects.get().owner == heir
    assert Alert.objects.get().owner_id == heir.pk
    asked = Assignment.objects.get(person=next_one)
    assert (asked.role, asked.status, asked.system) == ("accountable", "offered", system)
    assert (asked.duties, asked.competence, asked.review_on) == ("Answers letters.", "", None)
    assert list(verify_everything()) == []


def test_a_parameter_they_wanted_looser_stays_as_it_is(admin: Person) -> None:
    crew = make_crew()
    parameter = crew.parameter()
    crew.set(parameter, 9000)
    leave(actor=actor_of(admin), person_id=crew.operator.pk)
    assert ParameterVersion.objects.order_by("number").last().status == "void"  # type: ignore[union-attr]


def test_what_needs_somebody_is_refused_without_and_nothing_is_half_done(admin: Person, leaver: Person) -> None:
    everything(leaver, admin)
    for wrong in (None, leaver):
        with pytest.raises(SuccessorNeeded) as refusal:
            leave(actor=actor_of(admin), person_id=leaver.pk, successor=wrong)
        assert refusal.value.errors[0].pointer == "/successor"
    assert ReviewAssignment.objects.get(person=leaver).status == "claimed"
    assert LooseningRequest.objects.get().status == "open"
    assert Person.objects.get(pk=leaver.pk).is_active


def test_a_successor_who_has_left_takes_nothing_over(admin: Person, leaver: Person) -> None:
    make_account(owner=leaver)
    gone = make_person()
    leave(actor=actor_of(admin), person_id=gone.pk)
    with pytest.raises(PersonNotFound):
        leave(actor=actor_of(admin), person_id=leaver.pk, successor=gone)


def test_a_live_system_is_named_before_it_is_left_with_nobody(admin: Person, leaver: Person) -> None:
    system = make_live(leaver)
    assert preview_leaving(actor=actor_of(admin), person_id=leaver.pk).left_open == [system]
    with pytest.raises(GapWouldOpen):
        leave(actor=actor_of(admin), person_id=leaver.pk, reason="Pension.")
    leave(actor=actor_of(admin), person_id=leaver.pk, reason="Pension.", accepts_gap=True)
    assert AccountabilityGap.objects.get().system == system


def test_an_heir_whose_roles_stand_against_it_is_refused(admin: Person, leaver: Person) -> None:
    system = make_system()
    give_role(leaver, Role.ACCOUNTABLE, Scope.system(system.pk))
    with pytest.raises(RolesConflict):
        leave(actor=actor_of(admin), person_id=leaver.pk, heir=make_person(auditor=True))
    assert Person.objects.get(pk=leaver.pk).is_active


def test_what_they_delegated_ends_with_them(admin: Person, leaver: Person) -> None:
    system, helper = make_system(), make_person()
    held = give_role(leaver, Role.ACCOUNTABLE, Scope.system(system.pk))
    delegated = delegate_assignment(
        actor=actor_of(leaver), assignment_id=held.pk, to=helper, ends_at=timezone.now() + timedelta(days=3)
    )
    assert preview_leaving(actor=actor_of(admin), person_id=leaver.pk).delegated == [delegated]
    leave(actor=actor_of(admin), person_id=leaver.pk)
    delegated.refresh_from_db()
    assert delegated.status == "ended"


def test_the_last_administrator_does_not_leave_and_is_told_so_before(admin: Person) -> None:
    assert preview_leaving(actor=actor_of(admin), person_id=admin.pk).is_last_administrator
    with pytest.raises(LastAdministrator):
        leave(actor=actor_of(admin), person_id=admin.pk)


def test_nobody_but_an_administrator_sees_or_does_it(leaver: Person) -> None:
    system = make_system()
    for person in (leaver, make_person(viewer=True), make_person(accountable=system), make_person()):
        for act in (preview_leaving, leave):
            with pytest.raises(Forbidden):
                act(actor=actor_of(person), person_id=leaver.pk)
        assert browser(person).get(page(leaver)).status_code == 403


# --- the page --------------------------------------------------------------------------------------------------------
def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(person: Person) -> str:
    return f"/admin/people/{person.pk}/leave"


def test_the_page_says_what_happens_and_asks_only_what_is_to_be_decided(admin: Person, leaver: Person) -> None:
    client = browser(admin)
    plain = client.get(page(leaver)).content.decode()
    assert 'name="successor"' not in plain
    assert 'name="accepts_gap"' not in plain
    system = make_live(leaver)
    make_account(owner=leaver)
    full = client.get(page(leaver)).content.decode()
    assert f"Nobody would answer for {system.name}." in full
    assert all(f'name="{name}"' in full for name in ("successor", "heir", "accepts_gap", "reason"))


def test_what_is_refused_keeps_what_was_typed_and_a_second_click_finds_nobody(admin: Person, leaver: Person) -> None:
    make_live(leaver)
    client = browser(admin)
    answer = client.post(page(leaver), {"reason": "Pension in May."})
    assert (answer.status_code, "Pension in May." in answer.content.decode()) == (422, True)
    assert "would have nobody accountable" in answer.content.decode()
    given = {"reason": "Pension in May.", "accepts_gap": "on"}
    assert client.post(page(leaver), given).status_code == 302
    assert client.post(page(leaver), given).status_code == 404
    assert _said("person.deactivated") == 1


def test_the_last_administrator_gets_no_button(admin: Person) -> None:
    text = browser(admin).get(page(admin)).content.decode()
    assert "is the last administrator" in text
    assert "end everything" not in text


def _said(kind: str) -> int:
    return Entry.objects.filter(kind=kind).count()


def test_data_sources_pass_to_the_successor() -> None:
    leaver, successor, admin = make_person(), make_person(), make_person(administrator=True)
    source = make_source(owner=leaver)
    assert preview_leaving(actor=actor_of(admin), person_id=leaver.pk).sources == [source]
    with pytest.raises(SuccessorNeeded) as refusal:
        leave(actor=actor_of(admin), person_id=leaver.pk)
    assert [each.detail for each in refusal.value.errors] == ["Choose who answers for their data sources."]
    leave(actor=actor_of(admin), person_id=leaver.pk, successor=successor)
    source.refresh_from_db()
    assert source.owner == successor


def test_the_cases_that_they_lead_and_what_they_were_to_do_pass_on(admin: Person, leaver: Person) -> None:
    system, heir, next_lead = make_system(), make_person(), make_person(investigator=True)
    give_role(leaver, Role.INVESTIGATOR)
    case, _ = make_led_case(system, lead=leaver)
    action = plan(case, leaver, leaver)
    found = preview_leaving(actor=actor_of(admin), person_id=leaver.pk)
    assert ([each.pk for each in found.cases], [each.pk for each in found.actions]) == ([case.pk], [action.pk])
    with pytest.raises(SuccessorNeeded) as refused:
        leave(actor=actor_of(admin), person_id=leaver.pk, successor=heir)
    assert refused.value.errors[0].pointer == "/investigator"
    with pytest.raises(SuccessorNeeded):
        leave(actor=actor_of(admin), person_id=leaver.pk, investigator=next_lead)
    leave(actor=actor_of(admin), person_id=leaver.pk, successor=heir, investigator=next_lead)
    case.refresh_from_db()
    action.refresh_from_db()
    assert (case.lead_id, action.owner_id) == (next_lead.pk, heir.pk)
    assert list(verify_everything()) == []


def test_nobody_with_a_part_in_a_case_takes_it_over(admin: Person, leaver: Person) -> None:
    system, partial = make_system(), make_person()
    give_role(leaver, Role.INVESTIGATOR)
    case, _ = make_led_case(system, lead=leaver)
    for role, scope in ((Role.INVESTIGATOR, Scope()), (Role.TECHNICAL_OWNER, Scope.system(system.pk))):
        give_role(partial, role, scope)
    with pytest.raises(LeadHasConflict):
        leave(actor=actor_of(admin), person_id=leaver.pk, investigator=partial)
    with pytest.raises(Forbidden):
        leave(actor=actor_of(admin), person_id=leaver.pk, investigator=make_person())
    case.refresh_from_db()
    assert case.lead_id == leaver.pk and Person.objects.get(pk=leaver.pk).is_active


def test_the_page_asks_for_an_investigator_and_ones_own_page_names_the_cases(admin: Person, leaver: Person) -> None:
    give_role(leaver, Role.INVESTIGATOR)
    case, _ = make_led_case(make_system(), lead=leaver)
    plan(case, leaver, leaver)
    declare(case, leaver)
    page = browser(leaver).get("/admin/mine/").content.decode()
    assert all(words in page for words in ("Cases you lead", "Corrective actions to carry out", "Incidents to report"))
    leaving = browser(admin).get(f"/admin/people/{leaver.pk}/leave").content.decode()
    assert "Leads their cases" in leaving and case.reference in leaving and case.title not in leaving


def test_what_they_asked_a_second_person_for_counts_no_more(admin: Person) -> None:
    leaver, system = make_person(investigator=True), make_system(accountable=make_person())
    give_role(leaver, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    actor = actor_of(leaver)
    version = make_proposed(system, by=leaver)
    cards.submit(system, leaver)
    case, lead = make_led_case(system)
    hold = place_hold(actor=actor_of(lead), case_id=case.pk, reason="A claim for damages.")
    request_lift(actor=actor, hold_id=hold.pk, reason="It is over.")
    asked, read = (
        request_grant(actor=actor, system_id=each.pk, ends_at=timezone.now() + timedelta(days=2), reason="A complaint.")
        for each in (system, make_system())
    )
    approve_grant(actor=actor_of(make_person(dpo=True)), grant_id=read.pk)
    found = preview_leaving(actor=actor_of(admin), person_id=leaver.pk)
    assert (found.requests, found.grants) == (4, 1)
    leave(actor=actor_of(admin), person_id=leaver.pk, reason="Another post.")
    for row in (version, hold, asked, read):
        row.refresh_from_db()
    card = open_card(system.pk)
    assert card is not None
    assert (version.status, card.status, hold.status) == ("registered", "draft", "in_force")
    assert (asked.status, read.status) == ("withdrawn", "ended")
    assert list(verify_everything()) == []


def test_letter_templates_that_they_submitted_are_drafts_again_and_those_of_others_wait_on(
    admin: Person, leaver: Person
) -> None:
    system, other = make_system(), make_person()
    for each in (leaver, other):
        give_role(each, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    theirs = letters.submit(leaver, letters.save(system, leaver, "en"))
    kept = letters.submit(other, letters.save(system, other, "de"))
    assert preview_leaving(actor=actor_of(admin), person_id=leaver.pk).requests == 1
    leave(actor=actor_of(admin), person_id=leaver.pk, reason="Another post.")
    for row in (theirs, kept):
        row.refresh_from_db()
    assert (theirs.status, theirs.answer) == ("draft", "Whoever submitted it has left.")
    assert kept.status == "submitted"
    (entry,) = Entry.objects.filter(kind="letter_template.returned")
    assert entry.about_id == theirs.pk and str(admin.pk) in bytes(entry.data).decode()
    again = letters.submit(other, letters.save(system, other, "en", base=theirs.revision, contest_days=14))
    assert again.status == "submitted", "somebody else goes on with it"
    assert list(verify_everything()) == []

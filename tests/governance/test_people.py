"""People: the first administrator, first passwords, addresses, leaving."""

import hashlib
import json
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from config.errors import Forbidden
from governance import rights
from governance.acts import Act, Role
from governance.credentials import self_made_pairs
from governance.errors import (
    CredentialsGuarded,
    LastAdministrator,
    PersonExists,
    PersonNotFound,
    SetupClosed,
    SuccessorNeeded,
)
from governance.models import Assignment, Person, ServiceAccount, SetupLink
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import accept_assignments, offer_assignment
from governance.services.people import (
    bootstrap_administrator,
    bootstrap_token,
    deactivate_person,
    issue_setup_link,
    register_person,
    set_first_password,
    update_person,
)
from ledger.entries import COMMAND
from ledger.models import Entry
from ledger.sealing import sealing
from tests.factories.register import actor_of, give_role, make_account, make_person, make_system

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


def bootstrap() -> Person:
    token = bootstrap_token()
    assert token is not None
    return bootstrap_administrator(token=token, name="First", email="First@Example.org", password=PASSWORD)


def test_the_first_administrator_makes_themself_once() -> None:
    person = bootstrap()
    assert rights.can(person, Act.PEOPLE_MANAGE)
    assert Entry.objects.filter(kind="administrator.bootstrapped", about_id=person.pk).count() == 1
    assert bootstrap_token() is None


def test_a_bootstrap_link_ends_with_the_next_one() -> None:
    old, new = bootstrap_token(), bootstrap_token()
    assert old and new
    with pytest.raises(SetupClosed):
        bootstrap_administrator(token=old, name="First", email="first@example.org", password=PASSWORD)
    assert bootstrap_administrator(token=new, name="First", email="first@example.org", password=PASSWORD)


def test_a_bootstrap_link_is_worth_nothing_once_there_is_an_administrator() -> None:
    token = bootstrap_token()
    assert token
    make_person(administrator=True)
    with pytest.raises(SetupClosed):
        bootstrap_administrator(token=token, name="Late", email="late@example.org", password=PASSWORD)


def test_a_weak_password_leaves_the_bootstrap_link_usable() -> None:
    token = bootstrap_token()
    assert token
    with pytest.raises(ValidationError):
        bootstrap_administrator(token=token, name="First", email="first@example.org", password="password")
    assert not Person.objects.filter(email="first@example.org").exists()
    assert bootstrap_administrator(token=token, name="First", email="first@example.org", password=PASSWORD)


def test_a_setup_link_sets_the_password_once() -> None:
    person = make_person(email="new@example.org")
    token = issue_setup_link(actor=COMMAND, person_id=person.pk)
    set_first_password(token=token, password=PASSWORD)
    assert authenticate(username="NEW@example.org ", password=PASSWORD) == person
    with pytest.raises(SetupClosed):
        set_first_password(token=token, password=PASSWORD + "!")


def test_a_setup_link_lives_three_days() -> None:
    token = issue_setup_link(actor=COMMAND, person_id=make_person().pk)
    with time_machine.travel(timezone.now() + timedelta(days=3, seconds=1), tick=False), pytest.raises(SetupClosed):
        set_first_password(token=token, password=PASSWORD)


def test_a_setup_link_is_no_bootstrap_link_and_the_other_way_round() -> None:
    mine = issue_setup_link(actor=COMMAND, person_id=make_person().pk)
    first = bootstrap_token()
    assert first
    with pytest.raises(SetupClosed):
        bootstrap_administrator(token=mine, name="X", email="x@example.org", password=PASSWORD)
    with pytest.raises(SetupClosed):
        set_first_password(token=first, password=PASSWORD)


def test_whoever_made_a_link_is_no_pair_for_seven_days_from_its_use() -> None:
    maker, person = make_person(administrator=True), make_person(administrator=True)
    token = issue_setup_link(actor=actor_of(maker), person_id=person.pk)
    issued = timezone.now()
    with time_machine.travel(issued + timedelta(days=2), tick=False):
        set_first_password(token=token, password=PASSWORD)
    for days, allowed in ((8, False), (10, True)):
        with time_machine.travel(issued + timedelta(days=days), tick=False):
            found = rights.may_approve(person, Act.PRIVILEGED_ROLE_ASSIGN, requested_by=maker.pk)
        assert found is allowed


def is_pair(one: Person, other: Person) -> bool:
    return frozenset({one.pk, other.pk}) in self_made_pairs([one.pk, other.pk])


def test_what_makes_a_pair_is_read_from_the_entries_in_either_direction() -> None:
    admin = make_person(administrator=True)
    made = register_person(actor=actor_of(admin), name="Made", email="made@example.org")
    assert self_made_pairs([made.pk]) == {frozenset({admin.pk, made.pk})}
    give_role(made, Role.ADMINISTRATOR)
    assert not rights.may_approve(made, Act.HEAD_ADOPT, requested_by=admin.pk)
    assert not rights.may_approve(admin, Act.HEAD_ADOPT, requested_by=made.pk)
    (entry,) = Entry.objects.filter(about_id=made.pk, kind="person.registered")
    assert json.loads(bytes(entry.data))["body"]["credentials_by"] == str(admin.pk)


def test_a_link_that_no_entry_gave_out_opens_nothing() -> None:
    person = make_person()
    SetupLink.objects.create(person=person, secret_hash=hashlib.sha256(b"slipped in").digest())
    with pytest.raises(SetupClosed):
        set_first_password(token="slipped in", password=PASSWORD)


def test_a_link_of_one_person_is_no_link_of_another() -> None:
    one, other = make_person(), make_person()
    token = issue_setup_link(actor=COMMAND, person_id=one.pk)
    SetupLink.objects.filter(person=one).update(person=other)
    with pytest.raises(SetupClosed):
        set_first_password(token=token, password=PASSWORD)


def with_password(person: Person) -> Person:
    return set_first_password(token=issue_setup_link(actor=COMMAND, person_id=person.pk), password=PASSWORD)


@pytest.mark.parametrize("state", ["accepted", "offered", "proposed"])
@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.APPROVER, Role.DPO, Role.AUDITOR, Role.INVESTIGATOR])
def test_no_administrator_alone_resets_the_password_of_whoever_holds_a_role_that_takes_two(
    role: Role, state: str
) -> None:
    admin, person = make_person(administrator=True), with_password(make_person())
    held = give_role(person, role)
    Assignment.objects.filter(pk=held.pk).update(status=state)
    with pytest.raises(CredentialsGuarded, match="setup_link --for"):
        issue_setup_link(actor=actor_of(admin), person_id=person.pk)
    assert authenticate(username=person.email, password=PASSWORD) == person
    Assignment.objects.filter(pk=held.pk).update(status="ended", ends_at=timezone.now())
    assert issue_setup_link(actor=actor_of(admin), person_id=person.pk)


def test_others_and_newcomers_get_their_link_from_one_administrator() -> None:
    admin = make_person(administrator=True)
    newcomer, operator = make_person(dpo=True), with_password(make_person(operator=make_system()))
    for person in (newcomer, operator):
        token = issue_setup_link(actor=actor_of(admin), person_id=person.pk)
        assert set_first_password(token=token, password=PASSWORD + "!")


def test_a_link_that_was_made_before_the_role_was_given_does_not_open_it() -> None:
    admin, person = make_person(administrator=True), with_password(make_person())
    token = issue_setup_link(actor=actor_of(admin), person_id=person.pk)
    give_role(person, Role.APPROVER)
    with pytest.raises(SetupClosed):
        set_first_password(token=token, password=PASSWORD + "!")


def test_somebody_at_the_host_makes_the_link_and_the_entry_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    person = with_password(make_person(administrator=True))
    call_command("setup_link", "--for", str(person.email).upper())
    token = capsys.readouterr().out.strip().rsplit("/", 1)[1]
    assert set_first_password(token=token, password=PASSWORD + "!") == person
    issued = Entry.objects.filter(about_id=person.pk, kind="setup_link.issued").latest("id")
    assert json.loads(bytes(issued.data))["actor"] == {"type": "command"}
    with pytest.raises(CommandError, match="Nobody active"):
        call_command("setup_link", "--for", "nobody@example.org")


def test_what_is_not_sealed_yet_counts_within_its_own_transaction() -> None:
    admin = make_person(administrator=True)
    with sealing():
        person = register_person(actor=actor_of(admin), name="New", email="new@example.org")
        token = issue_setup_link(actor=actor_of(admin), person_id=person.pk)
        assert is_pair(admin, person)
        assert set_first_password(token=token, password=PASSWORD)


def test_giving_out_a_setup_link_counts_as_setting_credentials() -> None:
    admin, person = make_person(administrator=True), make_person()
    issue_setup_link(actor=actor_of(admin), person_id=person.pk)
    assert is_pair(admin, person)


def test_addresses_differ_only_beyond_case() -> None:
    make_person(email="Someone@Example.org")
    with pytest.raises(PersonExists):
        register_person(actor=COMMAND, name="Other", email=" someone@example.ORG ")


def test_a_change_of_address_counts_as_setting_credentials() -> None:
    admin, person = make_person(administrator=True), make_person()
    update_person(actor=actor_of(admin), person_id=person.pk, changes={"name": "Renamed"})
    assert not is_pair(admin, person)
    update_person(actor=actor_of(admin), person_id=person.pk, changes={"email": "elsewhere@example.org"})
    assert is_pair(admin, person)


def test_names_and_addresses_are_in_no_entry_and_in_no_history() -> None:
    person = make_person(name="Unmistakable Name", email="unmistakable@example.org")
    entries = b"".join(bytes(data) for data in Entry.objects.values_list("data", flat=True))
    assert b"nmistakable" not in entries
    states = b"".join(bytes(row.state) for row in Person.history.filter(id=person.pk))
    assert b"nmistakable" not in states


def test_leaving_ends_sessions_assignments_and_proposals() -> None:
    admin, person, system = make_person(administrator=True), make_person(), make_system()
    give_role(person, Role.OPERATOR, Scope.system(system.pk))
    waiting = offer_assignment(actor=COMMAND, person=person, role=Role.VIEWER, scope=ORGANISATION)
    give_role(person, Role.ADMINISTRATOR)
    proposed = offer_assignment(actor=actor_of(person), person=make_person(), role=Role.DPO, scope=ORGANISATION)
    set_first_password(token=issue_setup_link(actor=COMMAND, person_id=person.pk), password=PASSWORD)
    browser = Client()
    assert browser.login(username=person.email, password=PASSWORD)
    assert browser.get("/admin/").status_code == 200
    deactivate_person(actor=actor_of(admin), person_id=person.pk)
    assert browser.get("/admin/").status_code == 302
    assert not browser.login(username=person.email, password=PASSWORD)
    statuses = set(Assignment.objects.filter(person=person).values_list("status", flat=True))
    assert statuses == {Assignment.Status.ENDED}
    assert Assignment.objects.get(pk=proposed.pk).status == Assignment.Status.REFUSED
    with pytest.raises(PersonNotFound):
        accept_assignments(actor=actor_of(person), assignment_ids=[waiting.pk])


def test_the_last_administrator_does_not_leave() -> None:
    admin = make_person(administrator=True)
    with pytest.raises(LastAdministrator):
        deactivate_person(actor=COMMAND, person_id=admin.pk)


def test_service_accounts_get_a_new_owner_before_theirs_leaves() -> None:
    leaving, heir = make_person(), make_person()
    account = make_account(owner=leaving)
    with pytest.raises(SuccessorNeeded):
        deactivate_person(actor=COMMAND, person_id=leaving.pk)
    deactivate_person(actor=COMMAND, person_id=leaving.pk, successor=heir)
    assert ServiceAccount.objects.get(pk=account.pk).owner == heir


def test_whoever_left_gets_no_offers() -> None:
    person = make_person()
    deactivate_person(actor=COMMAND, person_id=person.pk)
    with pytest.raises(PersonNotFound):
        offer_assignment(actor=COMMAND, person=person, role=Role.VIEWER, scope=ORGANISATION)


def test_only_administrators_manage_people() -> None:
    system = make_system()
    for person in (make_person(), make_person(accountable=system), make_person(auditor=True)):
        with pytest.raises(Forbidden):
            register_person(actor=actor_of(person), name="X", email="x@example.org")

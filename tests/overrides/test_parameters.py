"""Parameters: one person towards safety, two away from it, every change sealed, every lapse too."""

import json
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from config.errors import Forbidden, InvalidInput, ServiceError
from governance.acts import Role
from governance.errors import ApprovalForbidden, EnvironmentNotFound, PersonNeeded, RequestVoid
from governance.models import Person
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from governance.services.people import deactivate_person, register_person
from ledger.entries import COMMAND, Actor
from ledger.errors import LogNotFound
from ledger.models import Entry
from notices.models import Event
from overrides.clients.reach import parameter_at
from overrides.clock import current_epoch
from overrides.models import Parameter, ParameterVersion
from overrides.parameter_errors import (
    ParameterChanged,
    ParameterExists,
    ParameterNotFound,
    ParameterRequestNotFound,
    ParameterRequestSettled,
    ParameterRetired,
)
from overrides.parameters import read_parameters
from overrides.services import parameter_requests, parameter_writing
from overrides.services.parameter_requests import approve_change, refuse_change, sweep_parameters, withdraw_change
from overrides.services.parameters import ask_to_retire_parameter, change_parameter, define_parameter, takes_two
from overrides.standing import ParameterState
from tests.factories.parameters import Crew, make_crew
from tests.factories.register import actor_of, give_role, make_account, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
Status = ParameterVersion.Status
HOUR = timedelta(hours=1)


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def value_of(parameter: Parameter) -> object:
    """What clients are told."""
    states = read_parameters()[parameter.system_id, parameter.environment]
    (state,) = (each for each in states if each.id == parameter.pk)
    return said_by(state)


def said_by(state: ParameterState) -> object:
    found = parameter_at(state, timezone.now())
    return found and found.value


def kinds_about(row: Any) -> list[str]:
    return list(Entry.objects.filter(about_id=row.pk).order_by("leaf_index").values_list("kind", flat=True))


def approve(version: ParameterVersion, person: Person) -> ParameterVersion:
    return approve_change(actor=actor_of(person), version_id=version.pk)


# --- defining --------------------------------------------------------------------------------------------------------
def test_a_defined_parameter_holds_its_default_at_once(crew: Crew) -> None:
    parameter = crew.parameter()
    (state,) = read_parameters()[crew.system.pk, ""]
    assert (state.name, state.value, state.version, state.expires_at) == ("max-amount", 1000.0, 1, None)
    assert isinstance(state.value, float)
    assert kinds_about(parameter) == ["parameter.defined"]
    assert kinds_about(parameter.versions.get()) == ["parameter.changed"]


def test_only_who_answers_for_the_technology_defines(crew: Crew) -> None:
    for person in (crew.operator, crew.approver, make_person()):
        with pytest.raises(Forbidden):
            define_parameter(
                actor=actor_of(person),
                system_id=crew.system.pk,
                name="x",
                value_type="boolean",
                default=True,
                safe_direction="false",
            )


def test_a_name_is_defined_for_all_environments_or_for_single_ones_never_both(crew: Crew) -> None:
    crew.parameter("everywhere")
    crew.parameter("here", environment="production")
    for name, environment in (("everywhere", ""), ("everywhere", "production"), ("here", "production"), ("here", "")):
        with pytest.raises(ParameterExists):
            crew.parameter(name, environment=environment, default=9000)
    with pytest.raises(EnvironmentNotFound):
        crew.parameter("there", environment="staging")


def test_a_bad_definition_names_its_fields(crew: Crew) -> None:
    with pytest.raises(InvalidInput) as refused:
        crew.parameter(default=20000, safe_direction="true")
    assert {each.pointer for each in refused.value.errors} == {"/default", "/safe_direction"}
    with pytest.raises(ValidationError):
        crew.parameter("Not A Slug")


@pytest.mark.parametrize("value", [0.1, 1e-7, 999999999999999.0, 5000, 0, -0.5])
def test_numbers_come_back_as_they_were_set(crew: Crew, value: float) -> None:
    parameter = crew.parameter(minimum=None, maximum=None, default=value)
    assert value_of(parameter) == value
    stored = ParameterVersion.objects.get(parameter=parameter)
    assert json.dumps(stored.value) == json.dumps(float(value)), "as the entry has committed to"


# --- one person, two people ------------------------------------------------------------------------------------------
def test_one_person_moves_it_towards_safety(crew: Crew) -> None:
    parameter, before = crew.parameter(), current_epoch()
    version = crew.set(parameter, 500, note="Too many complaints.")
    assert version.status == Status.IN_FORCE and value_of(parameter) == 500
    assert current_epoch() > before and version.epoch == str(current_epoch())
    assert kinds_about(version) == ["parameter.changed"]
    first = parameter.versions.get(number=1)
    assert first.status == Status.SUPERSEDED and kinds_about(first)[-1] == "parameter.superseded"
    event = Event.objects.filter(type="parameter.changed").latest("id")
    assert event.facts == {"name": "max-amount", "version": 2} and event.about_id == parameter.pk


def test_no_free_text_of_a_change_enters_the_log(crew: Crew) -> None:
    parameter = crew.parameter(
        "greeting", value_type="string", safe_direction="none", default="Dear Ms Miller", minimum=None, maximum=None
    )
    crew.set(parameter, "Dear Mr Smith!", note="Asked for by Jo.")
    data = b"".join(bytes(each) for each in Entry.objects.values_list("data", flat=True))
    assert b"Smith" not in data and b"Miller" not in data and b"Jo" not in data


def test_away_from_safety_it_waits_for_another_person(crew: Crew) -> None:
    parameter, before = crew.parameter(), current_epoch()
    version = crew.set(parameter, 2000)
    assert version.status == Status.PROPOSED and value_of(parameter) == 1000 and current_epoch() == before
    assert approve(version, crew.approver).status == Status.IN_FORCE
    assert value_of(parameter) == 2000 and current_epoch() > before
    assert kinds_about(version) == ["parameter.proposed", "parameter.changed"]


def test_the_page_can_say_beforehand_whether_two_are_needed(crew: Crew) -> None:
    parameter = crew.parameter()
    assert takes_two(parameter=parameter, value=500) is False
    assert takes_two(parameter=parameter, value=1500) is True
    assert takes_two(parameter=parameter, value=1000) is None
    with pytest.raises(InvalidInput):
        takes_two(parameter=parameter, value=99999)


def test_requester_cannot_approve_their_own_change(crew: Crew) -> None:
    give_role(crew.operator, Role.APPROVER)
    version = crew.set(crew.parameter(), 2000)
    with pytest.raises(ApprovalForbidden):
        approve(version, crew.operator)
    for actor in (COMMAND, Actor("service", make_account().pk), Actor("server")):
        with pytest.raises(ApprovalForbidden):
            approve_change(actor=actor, version_id=version.pk)


def test_the_database_itself_refuses_an_approver_who_asked(crew: Crew) -> None:
    version = crew.set(crew.parameter(), 2000)
    for columns in ({"approved_by_id": version.requested_by_id}, {"status": "in_force", "number": 9}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ParameterVersion.objects.filter(pk=version.pk).update(**columns)


def test_an_approver_made_by_the_requester_yesterday_does_not_count(crew: Crew) -> None:
    maker = make_person(administrator=True)
    give_role(maker, Role.OPERATOR, Scope.system(crew.system.pk))
    friend = register_person(actor=actor_of(maker), name="Friend", email="friend@example.org")
    give_role(friend, Role.APPROVER)
    parameter = crew.parameter()
    version = change_parameter(actor=actor_of(maker), parameter_id=parameter.pk, value=2000, reason_code="tuning")
    with pytest.raises(ApprovalForbidden):
        approve(version, friend)
    assert approve(version, crew.approver).status == Status.IN_FORCE


def test_a_requester_who_lost_the_right_voids_the_request_for_good(crew: Crew) -> None:
    parameter = crew.parameter()
    version = crew.set(parameter, 2000)
    held = crew.operator.assignments.get(role=Role.OPERATOR)
    end_assignment(actor=actor_of(crew.operator), assignment_id=held.pk)
    with pytest.raises(RequestVoid):
        approve(version, crew.approver)
    version.refresh_from_db()
    assert version.status == Status.VOID and value_of(parameter) == 1000
    assert kinds_about(version)[-1] == "parameter.voided"
    with pytest.raises(ParameterRequestSettled):
        approve(version, crew.approver)


def test_an_approver_who_lost_the_right_approves_nothing(crew: Crew) -> None:
    version = crew.set(crew.parameter(), 2000)
    held = crew.approver.assignments.get(role=Role.APPROVER)
    end_assignment(actor=actor_of(crew.approver), assignment_id=held.pk)
    with pytest.raises(ApprovalForbidden):
        approve(version, crew.approver)


def test_a_proposal_on_top_of_another_value_is_void(crew: Crew) -> None:
    parameter = crew.parameter()
    version = crew.set(parameter, 2000)
    crew.set(parameter, 900)
    with pytest.raises(ParameterRequestSettled):
        approve(version, crew.approver)
    version.refresh_from_db()
    assert version.status == Status.VOID and value_of(parameter) == 900


def test_a_change_on_top_of_a_version_that_holds_no_more_is_a_conflict(crew: Crew) -> None:
    parameter = crew.parameter()
    crew.set(parameter, 900, on_top_of=1)
    with pytest.raises(ParameterChanged):
        crew.set(parameter, 800, on_top_of=1)


def test_setting_what_holds_already_changes_nothing(crew: Crew) -> None:
    parameter = crew.parameter()
    before, entries = current_epoch(), Entry.objects.count()
    assert crew.set(parameter, 1000).number == 1
    assert current_epoch() == before and Entry.objects.count() == entries


def test_a_request_is_refused_or_withdrawn_once(crew: Crew) -> None:
    parameter = crew.parameter()
    refused = refuse_change(actor=actor_of(crew.approver), version_id=crew.set(parameter, 2000).pk, reason="No.")
    assert refused.status == Status.REFUSED
    mine = crew.set(parameter, 2000)
    with pytest.raises(ParameterRequestNotFound):
        withdraw_change(actor=actor_of(crew.engineer), version_id=mine.pk)
    assert withdraw_change(actor=actor_of(crew.operator), version_id=mine.pk).status == Status.WITHDRAWN
    with pytest.raises(ParameterRequestSettled):
        approve(mine, crew.approver)
    assert value_of(parameter) == 1000


def test_a_stranger_learns_nothing(crew: Crew) -> None:
    parameter = crew.parameter()
    version, stranger = crew.set(parameter, 2000), actor_of(make_person())
    for parameter_id in (parameter.pk, uuid.uuid4()):
        with pytest.raises(Forbidden):
            change_parameter(actor=stranger, parameter_id=parameter_id, value=1, reason_code="x")
    for version_id in (version.pk, uuid.uuid4()):
        with pytest.raises(ApprovalForbidden):
            approve_change(actor=stranger, version_id=version_id)
        with pytest.raises(ParameterRequestNotFound):
            withdraw_change(actor=stranger, version_id=version_id)
    with pytest.raises(ParameterNotFound):
        change_parameter(
            actor=actor_of(make_person(operator=True)), parameter_id=uuid.uuid4(), value=1, reason_code="x"
        )


def test_a_key_tightens_and_never_loosens(crew: Crew) -> None:
    parameter, other = crew.parameter(environment="production"), make_system()
    account = make_account()
    make_key(crew.system, scopes=["control:tighten"], account=account)
    service = Actor("service", account.pk)
    assert (
        change_parameter(actor=service, parameter_id=parameter.pk, value=10, reason_code="drift").status == "in_force"
    )
    with pytest.raises(Forbidden):
        change_parameter(actor=service, parameter_id=parameter.pk, value=11, reason_code="drift")
    reader = make_account()
    make_key(crew.system, scopes=["control:read"], account=reader)
    make_key(other, scopes=["control:tighten"], account=reader)
    with pytest.raises(Forbidden):
        change_parameter(actor=Actor("service", reader.pk), parameter_id=parameter.pk, value=5, reason_code="drift")


def test_what_holds_in_every_environment_takes_a_person(crew: Crew) -> None:
    parameter, account = crew.parameter(), make_account()
    make_key(crew.system, scopes=["control:tighten"], account=account)
    with pytest.raises(PersonNeeded):
        change_parameter(actor=Actor("service", account.pk), parameter_id=parameter.pk, value=10, reason_code="drift")
    assert value_of(parameter) == 1000
    assert crew.set(parameter, 10).status == "in_force"


# --- values that lapse -----------------------------------------------------------------------------------------------
def test_a_passing_tightening_takes_one_person_and_lapses_to_what_was_agreed_on(crew: Crew) -> None:
    parameter = crew.parameter()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        version = crew.set(parameter, 100, expires_at=timezone.now() + HOUR)
        assert version.status == Status.IN_FORCE
        (state,) = read_parameters()[crew.system.pk, ""]
        assert (state.value, state.value_after, state.expires_at) == (100, 1000, version.expires_at)
        clock.shift(HOUR - timedelta(microseconds=1))
        assert said_by(state) == 100
        clock.shift(timedelta(microseconds=1))
        assert said_by(state) == 1000, "lapses in memory, beat or no beat"
        assert value_of(parameter) == 1000, "and for whoever reads anew before the sweep"
        before = current_epoch()
        assert sweep_parameters() == 1 and sweep_parameters() == 0
    version.refresh_from_db()
    assert version.status == Status.EXPIRED and kinds_about(version)[-1] == "parameter.lapsed"
    assert current_epoch() > before
    assert Event.objects.filter(type="parameter.changed").latest("id").facts["version"] == 1


def test_a_passing_loosening_takes_two(crew: Crew) -> None:
    parameter = crew.parameter()
    version = crew.set(parameter, 5000, expires_at=timezone.now() + HOUR)
    assert version.status == Status.PROPOSED
    approve(version, crew.approver)
    assert value_of(parameter) == 5000
    between = crew.set(parameter, 3000)
    assert between.status == Status.PROPOSED, "safer than today, not than what follows"
    assert crew.set(parameter, 800).status == Status.IN_FORCE
    assert value_of(parameter) == 800
    version.refresh_from_db()
    assert version.status == Status.SUPERSEDED


def test_a_lapse_is_a_change_that_voids_what_was_asked_for_on_top(crew: Crew) -> None:
    parameter = crew.parameter()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        crew.set(parameter, 100, expires_at=timezone.now() + HOUR)
        version = crew.set(parameter, 200)
        clock.shift(HOUR)
        with pytest.raises(ParameterChanged):
            approve(version, crew.approver)
        version.refresh_from_db()
        assert version.status == Status.VOID and value_of(parameter) == 1000


def test_a_new_passing_value_before_the_sweep_ends_the_lapsed_one(crew: Crew) -> None:
    parameter = crew.parameter()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        first = crew.set(parameter, 100, expires_at=timezone.now() + HOUR)
        clock.shift(2 * HOUR)
        assert crew.set(parameter, 200, expires_at=timezone.now() + HOUR).status == Status.IN_FORCE
        first.refresh_from_db()
        assert first.status == Status.EXPIRED and value_of(parameter) == 200


@pytest.mark.parametrize("shift", [-HOUR, timedelta(0), timedelta(days=400)])
def test_an_end_in_the_past_or_in_the_far_future_is_refused(crew: Crew, shift: timedelta) -> None:
    with pytest.raises(InvalidInput) as refused:
        crew.set(crew.parameter(), 99999, expires_at=timezone.now() + shift)
    assert {each.pointer for each in refused.value.errors} == {"/value", "/expires_at"}


def test_a_request_nobody_answers_ends(crew: Crew) -> None:
    parameter = crew.parameter()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        version = crew.set(parameter, 2000)
        clock.shift(timedelta(days=3))
        with pytest.raises(RequestVoid):
            approve(version, crew.approver)
        late = crew.set(parameter, 2000)
        clock.shift(timedelta(days=3))
        assert sweep_parameters() == 1
    late.refresh_from_db()
    assert late.status == Status.VOID and value_of(parameter) == 1000


def test_a_passing_value_whose_time_is_over_before_anybody_agreed_is_void(crew: Crew) -> None:
    parameter = crew.parameter()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        version = crew.set(parameter, 2000, expires_at=timezone.now() + HOUR)
        clock.shift(HOUR)
        with pytest.raises(RequestVoid):
            approve(version, crew.approver)
    assert value_of(parameter) == 1000


# --- ending one ------------------------------------------------------------------------------------------------------
def test_retiring_takes_two_and_the_name_is_free_again(crew: Crew) -> None:
    parameter = crew.parameter()
    request = ask_to_retire_parameter(actor=actor_of(crew.engineer), parameter_id=parameter.pk, reason_code="unused")
    assert request.status == Status.PROPOSED and value_of(parameter) == 1000
    before = current_epoch()
    approve(request, crew.approver)
    assert read_parameters() == {} and current_epoch() > before
    assert kinds_about(parameter) == ["parameter.defined", "parameter.retired"]
    with pytest.raises(ParameterRetired):
        crew.set(parameter, 5)
    assert crew.parameter().pk != parameter.pk


def test_a_person_who_leaves_takes_their_requests_along(crew: Crew) -> None:
    parameter = crew.parameter()
    version = crew.set(parameter, 2000)
    deactivate_person(actor=actor_of(make_person(administrator=True)), person_id=crew.operator.pk)
    with pytest.raises(RequestVoid):
        approve(version, crew.approver)


def test_all_is_read_in_one_query(crew: Crew, django_assert_num_queries: Any) -> None:
    for number in range(5):
        crew.set(crew.parameter(f"p{number}"), 10, expires_at=timezone.now() + HOUR)
    with django_assert_num_queries(1):
        assert len(read_parameters()[crew.system.pk, ""]) == 5


# --- at once ---------------------------------------------------------------------------------------------------------
@pytest.mark.committing
def test_a_trip_beats_a_concurrent_clear() -> None:
    crew = make_crew()
    parameter = crew.parameter()
    for _ in range(5):
        cleared = crew.set(parameter, 2000)
        outcomes = _at_once(lambda: approve(cleared, crew.approver), lambda: crew.set(parameter, 10))  # noqa: B023
        assert outcomes[1] is None
        assert outcomes[0] is None or isinstance(outcomes[0], ParameterRequestSettled | ParameterChanged)
        assert value_of(parameter) == 10
        approve(crew.set(parameter, 1000), crew.approver)


@pytest.mark.committing
def test_a_double_click_approves_once() -> None:
    crew = make_crew()
    version = crew.set(crew.parameter(), 2000)
    outcomes = _at_once(lambda: approve(version, crew.approver), lambda: approve(version, crew.approver))
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "ParameterRequestSettled"]
    assert kinds_about(version) == ["parameter.proposed", "parameter.changed"]


def _at_once(*acts: Any) -> list[ServiceError | None]:
    outcomes: list[ServiceError | None] = [None] * len(acts)
    barrier = threading.Barrier(len(acts))

    def run(index: int) -> None:
        barrier.wait()
        try:
            acts[index]()
        except ServiceError as error:
            outcomes[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_a_parameter_that_cannot_be_swept_keeps_no_other_waiting(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = sorted(crew.parameter(name).pk for name in ("one", "two"))
    for each in ids:
        crew.set(Parameter.objects.get(pk=each), 1, expires_at=timezone.now() + HOUR)
    really = parameter_writing.end

    def fails(seal: Any, *, version: ParameterVersion, **rest: Any) -> None:
        if version.parameter_id == ids[0]:
            raise LogNotFound("closed")
        really(seal, version=version, **rest)

    monkeypatch.setattr(parameter_requests, "end", fails)
    with time_machine.travel(timezone.now() + 2 * HOUR):
        assert parameter_requests.sweep_parameters() == 1

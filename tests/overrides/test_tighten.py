"""Stopping: one person or a key is enough, at once; what is as strict already stays."""

import uuid
from typing import Any

import pytest
from django.test import Client

from config.errors import Forbidden, InvalidInput
from governance.acts import Role
from governance.errors import SystemNotFound
from governance.models import AISystem
from ledger.entries import COMMAND, Actor
from ledger.models import Entry
from notices.models import Event
from overrides import memory
from overrides.errors import FallbackMissing
from overrides.models import LooseningRequest, Switch, SwitchChange
from overrides.standing import InFlight, Mode
from tests.factories.control import ask_for, operator_of, stop
from tests.factories.register import actor_of, make_key, make_person, make_system

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/control/tighten"


def mode_of(system: AISystem, **place: str) -> Mode:
    where = {"environment": "production"} | place
    return memory.current().control.mode(system.pk, **where)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ACCOUNTABLE, Role.DEPUTY])
def test_one_person_stops_a_system(role: Role) -> None:
    system = make_system()
    done = stop(system, actor=actor_of(operator_of(system, role)))
    assert mode_of(system) is Mode.STOP
    assert (done.is_new, done.is_sealed, done.switch.revision) == (True, True, 1)
    assert Entry.objects.filter(about_id=done.switch.pk, kind="switch.stopped").count() == 1
    assert Event.objects.get(type="switch.stopped").facts["epoch"] == str(done.epoch)


@pytest.mark.parametrize("role", [Role.TECHNICAL_OWNER, Role.REVIEWER, Role.VIEWER])
def test_others_do_not(role: Role) -> None:
    system = make_system()
    with pytest.raises(Forbidden):
        stop(system, actor=actor_of(operator_of(system, role)))
    assert mode_of(system) is Mode.RUN


def test_whoever_may_stop_one_system_does_not_stop_everything() -> None:
    person = operator_of(make_system())
    with pytest.raises(Forbidden):
        stop(None, actor=actor_of(person))


def test_everything_in_a_place_that_does_not_exist_would_stop_nothing() -> None:
    make_system(environments=["production"])
    with pytest.raises(InvalidInput) as refused:
        stop(None, environment="prodution", model_version="9")
    assert [each.pointer for each in refused.value.errors] == ["/environment", "/model_version"]
    assert stop(None, environment="production").is_new


def test_an_operator_of_the_organisation_stops_everything() -> None:
    system = make_system()
    stop(None, actor=actor_of(operator_of()))
    assert mode_of(system) is Mode.STOP


def test_the_host_stops_everything() -> None:
    system = make_system()
    stop(None, actor=COMMAND)
    assert mode_of(system, environment="staging") is Mode.STOP


def test_nothing_narrower_overrules_a_stop() -> None:
    system = make_system()
    stop(system)
    stop(system, mode=Mode.REVIEW, capability="limits")
    assert mode_of(system, capability="limits") is Mode.STOP


def test_a_switch_reaches_what_it_names_alone() -> None:
    system = make_system(environments=["production", "staging"])
    stop(system, environment="staging")
    assert (mode_of(system, environment="staging"), mode_of(system)) == (Mode.STOP, Mode.RUN)


def test_the_same_stop_again_changes_nothing() -> None:
    system = make_system()
    first, second = stop(system), stop(system)
    assert (second.is_new, second.change.pk, second.epoch) == (False, first.change.pk, first.epoch)
    assert SwitchChange.objects.count() == 1
    assert memory.current().control.epoch == first.epoch


def test_a_weaker_mode_clears_nothing() -> None:
    system = make_system()
    stop(system)
    stop(system, mode=Mode.REVIEW)
    assert mode_of(system) is Mode.STOP


def test_a_stop_again_while_somebody_asks_to_clear_voids_the_request() -> None:
    system = make_system()
    asked = ask_for(stop(system), operator_of(system))
    again = stop(system)
    asked.refresh_from_db()
    assert (again.is_new, asked.status) == (True, LooseningRequest.Status.VOID)


def test_a_stop_in_earnest_takes_the_place_of_a_drills() -> None:
    system = make_system()
    stop(system, drill_id=uuid.uuid4())
    done = stop(system)
    assert (done.is_new, Switch.objects.get().drill_id) == (True, None)


def test_a_drill_does_not_take_the_place_of_a_stop_in_earnest() -> None:
    system = make_system()
    stop(system)
    assert not stop(system, drill_id=uuid.uuid4()).is_new
    assert Switch.objects.get().drill_id is None


def test_fallback_is_refused_where_nothing_is_declared() -> None:
    with pytest.raises(FallbackMissing):
        stop(make_system(), mode=Mode.FALLBACK)
    with pytest.raises(FallbackMissing):
        stop(None, mode=Mode.FALLBACK)


def test_fallback_is_refused_for_the_version_that_stands_in() -> None:
    from governance.services.versions import register_version

    system = make_system()
    AISystem.objects.filter(pk=system.pk).update(fallback_kind="model_version", fallback="1.9")
    register_version(actor=COMMAND, system_id=system.pk, version="1.9")
    with pytest.raises(FallbackMissing):
        stop(system, mode=Mode.FALLBACK, model_version="1.9")
    assert stop(system, mode=Mode.FALLBACK).switch.mode == "fallback"


def test_a_misspelt_place_is_refused_since_it_would_stop_nothing() -> None:
    with pytest.raises(InvalidInput) as refused:
        stop(make_system(), environment="prodction", model_version="9")
    assert [each.pointer for each in refused.value.errors] == ["/environment", "/model_version"]


def test_an_unknown_system_is_refused() -> None:
    system = make_system()
    system.pk = uuid.uuid4()
    with pytest.raises(SystemNotFound):
        stop(system)


def test_a_reason_is_a_code_and_free_text_goes_into_the_note() -> None:
    with pytest.raises(InvalidInput):
        stop(make_system(), reason_code="Mrs Smith called")
    done = stop(make_system(), note="Mrs Smith called", in_flight=InFlight.CANCEL)
    data = b"".join(bytes(each) for each in Entry.objects.values_list("data", flat=True))
    assert done.switch.note == "Mrs Smith called" and b"Smith" not in data


def test_a_service_account_never_stops_everything() -> None:
    key = make_key(make_system(), scopes=["control:tighten"])
    with pytest.raises(Forbidden):
        stop(None, actor=Actor("service", key.row.account_id))


# --- over the API -----------------------------------------------------------------------------------------------------
def post(client: Client, key: str, **body: object) -> tuple[int, Any]:
    given = {"mode": "stop", "reason_code": "drift", **body}
    answer = client.post(ADDRESS, given, content_type="application/json", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code, answer.json()


def test_a_monitor_trips_with_its_key_in_its_own_environment(client: Client) -> None:
    system = make_system(environments=["production", "staging"])
    key = make_key(system, scopes=["control:tighten"], environment="staging")
    status, body = post(client, key.text, system=system.slug)
    assert status == 200
    assert (body["sealed"], body["switch"]["scope"]["environment"]) == (True, "staging")
    assert (mode_of(system, environment="staging"), mode_of(system)) == (Mode.STOP, Mode.RUN)


@pytest.mark.parametrize(
    ("scopes", "place"),
    [
        (["control:read"], {}),
        (["control:tighten"], {"environment": "production"}),
        (["control:tighten"], {"system": None}),
        (["control:tighten"], {"system": "another"}),
    ],
)
def test_a_key_reaches_no_further(client: Client, scopes: list[str], place: dict[str, str | None]) -> None:
    system = make_system(environments=["production", "staging"])
    make_system(slug="another")
    key = make_key(system, scopes=scopes, environment="staging")
    status, body = post(client, key.text, **{"system": system.slug} | place)
    assert (status, body["type"].rsplit("/")[-1]) == (403, "key-out-of-scope")
    assert Switch.objects.count() == 0


def test_run_is_no_way_to_tighten(client: Client) -> None:
    system = make_system()
    key = make_key(system, scopes=["control:tighten"])
    assert post(client, key.text, system=system.slug, mode="run")[0] == 422


def test_nobody_signed_in_is_told_so(client: Client) -> None:
    answer = client.post(ADDRESS, {}, content_type="application/json")
    assert answer.status_code == 401


def test_somebody_without_any_role_is_refused_alike_for_what_exists_and_what_does_not() -> None:
    person, system = make_person(), make_system()
    with pytest.raises(Forbidden):
        stop(system, actor=actor_of(person))

"""What clients read: the state document and flags, from controls made by hand."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from overrides.clients.flags import Flag, Narrowing, all_flags, flag_for
from overrides.clients.shelf import shelf_of
from overrides.clients.state import state_document
from overrides.parameters import read_parameters
from overrides.standing import Epoch, Mode
from tests.factories.parameters import make_crew
from tests.factories.register import make_system
from tests.overrides.controls import NOW, controls, grant_for, parameter, sight, switch

pytestmark = pytest.mark.django_db


def body_of(seen: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(state_document(seen).at(NOW))
    return found


def flag(seen: Any, key: str, *narrowing: str) -> Flag:
    found = flag_for(seen, key, Narrowing(*narrowing))
    assert found
    return found


def test_an_ai_system_that_nobody_touched_runs() -> None:
    credit = make_system(slug="credit", risk_class="high")
    body = body_of(sight(grant_for(credit), controls(epoch=Epoch(0, 0))))
    assert (body["epoch"], body["generated_at"], body["is_stale"]) == ("0.0", "2026-11-21T12:00:00.000000Z", False)
    found = body["systems"]["credit"]
    assert (found["mode"], found["epoch"], found["switches"], found["switch_id"]) == ("run", "0.0", [], None)
    assert found["fail_policy"] == {"max_staleness_s": 60, "safe_mode": "stop"}
    assert found["fallback"] is None


def test_the_mode_of_the_whole_system_is_the_most_restrictive_and_narrower_switches_are_listed() -> None:
    credit = make_system(slug="credit")
    fallback = switch(Mode.FALLBACK, system_id=credit.pk)
    review = switch(Mode.REVIEW)
    narrow = switch(Mode.STOP, system_id=credit.pk, model_version="2.1")
    cleared = switch(Mode.RUN, system_id=credit.pk, environment="production")
    found = body_of(sight(grant_for(credit), controls(fallback, review, narrow, cleared)))["systems"]["credit"]
    assert (found["mode"], found["switch_id"], found["epoch"]) == ("fallback", str(fallback.id), str(fallback.epoch))
    assert (found["reason_code"], found["in_flight"], found["since"]) == (
        "harm-reported", "hold", "2026-11-21T11:59:00.000000Z",
    )  # fmt: skip
    assert {each["id"] for each in found["switches"]} == {str(each.id) for each in (fallback, review, narrow)}
    scopes = {each["mode"]: each["scope"] for each in found["switches"]}
    assert scopes["review"] == {"system": None, "environment": None, "model_version": None, "capability": None}
    assert scopes["stop"]["model_version"] == "2.1"


def test_a_key_sees_its_systems_and_its_environment_alone() -> None:
    credit, hiring = make_system(slug="credit"), make_system(slug="hiring")
    elsewhere = switch(Mode.STOP, system_id=credit.pk, environment="staging")
    seen = sight(grant_for(credit), controls(elsewhere, switch(system_id=hiring.pk)))
    body = body_of(seen)
    assert list(body["systems"]) == ["credit"]
    assert (body["systems"]["credit"]["mode"], body["systems"]["credit"]["switches"]) == ("run", [])
    assert flag_for(seen, "hiring.mode") is None


def test_what_may_run_may_do_so_as_of_the_epoch_of_all_controls() -> None:
    credit = make_system(slug="credit")
    cleared = switch(Mode.RUN, system_id=credit.pk, epoch=Epoch(1, 40))
    found = body_of(sight(grant_for(credit), controls(cleared)))["systems"]["credit"]
    assert (found["mode"], found["epoch"], found["since"]) == ("run", "1.42", None)


def test_the_etag_says_the_epoch_and_changes_with_staleness_and_reach() -> None:
    credit, hiring = make_system(slug="credit"), make_system(slug="hiring")
    grant, known = grant_for(credit), controls()
    first = state_document(sight(grant, known))
    assert first.etag.startswith("1.42-") and len(first.etag) == len("1.42-") + 8
    assert state_document(sight(grant, known, now=NOW + timedelta(hours=1))).etag == first.etag
    others = [state_document(sight(grant, known, is_stale=True)), state_document(sight(grant_for(hiring), known))]
    assert first.etag not in [each.etag for each in others]


def test_an_expired_parameter_is_never_handed_out_again() -> None:
    credit = make_system(slug="credit")
    place = (credit.pk, "production")
    soon = NOW + timedelta(seconds=5)
    states = (
        parameter("limit", 5000, expires_at=soon, value_after=1000),
        parameter("bonus", 1, expires_at=soon),
        parameter("text", "a", "string"),
    )
    grant, known = grant_for(credit), controls(parameters={place: states})
    before, after = sight(grant, known), sight(grant, known, now=soon)
    assert flag(before, "credit.params").value == {"limit": 5000.0, "bonus": 1.0, "text": "a"}
    assert flag(after, "credit.params").value == {"limit": 1000.0, "text": "a"}
    assert flag_for(after, "credit.param.bonus") is None
    limits = [body_of(each)["systems"]["credit"]["parameters"]["limit"] for each in (before, after)]
    assert [(each["value"], each["value_after"]) for each in limits] == [(5000.0, 1000.0), (1000.0, None)]
    assert limits[0]["expires_at"] == "2026-11-21T12:00:05.000000Z"


def test_parameters_of_every_environment_are_seen_in_each() -> None:
    """As services define them, and as memory reads them: without an environment means in every one."""
    crew = make_crew(slug="credit")
    crew.parameter("limit")
    soon = NOW + timedelta(seconds=5)
    everywhere = (parameter("cap", 5, expires_at=soon, value_after=1),)
    read = dict(read_parameters())
    assert list(read) == [(crew.system.pk, "")]
    known = controls(parameters={(crew.system.pk, ""): (*read[crew.system.pk, ""], *everywhere)})
    seen = sight(grant_for(crew.system), known)
    assert flag(seen, "credit.params").value == {"limit": 1000.0, "cap": 5.0}
    assert body_of(seen)["systems"]["credit"]["parameters"]["limit"]["value"] == 1000.0
    assert seen.holds_until() == soon


def test_a_document_on_the_shelf_lasts_until_the_next_expiry_and_the_next_snapshot() -> None:
    credit = make_system(slug="credit")
    soon = NOW + timedelta(seconds=5)
    known = controls(parameters={(credit.pk, "production"): (parameter("x", 1, expires_at=soon, value_after=2),)})
    grant = grant_for(credit)
    made: list[Any] = []

    def take(at: Any, of: Any = known) -> None:
        seen = sight(grant, of, now=at)
        shelf_of(seen.controls, seen.register).take("name", seen, made.append)

    take(NOW)
    take(NOW + timedelta(seconds=4))
    assert len(made) == 1
    take(soon)
    assert len(made) == 2
    take(soon, controls())
    assert len(made) == 3


@pytest.mark.parametrize("mode", Mode)
def test_enabled_is_true_where_the_system_may_run_and_nowhere_else(mode: Mode) -> None:
    credit = make_system(slug="credit")
    seen = sight(grant_for(credit), controls(switch(mode, system_id=credit.pk)))
    assert flag(seen, "credit.enabled").value is (mode is Mode.RUN)
    assert (flag(seen, "credit.mode").value, flag(seen, "credit.mode").variant) == (mode.value, mode.value)


def test_a_context_can_only_tighten() -> None:
    credit = make_system(slug="credit")
    known = controls(
        switch(Mode.REVIEW, system_id=credit.pk),
        switch(Mode.STOP, system_id=credit.pk, model_version="2.1"),
        switch(Mode.FALLBACK, system_id=credit.pk, capability="refund"),
        switch(Mode.RUN, system_id=credit.pk, model_version="9.9"),
    )
    seen = sight(grant_for(credit), known)
    assert flag(seen, "credit.mode").value == "review"
    assert flag(seen, "credit.mode", "2.1").value == "stop"
    assert flag(seen, "credit.mode", "9.9").value == "review"
    assert flag(seen, "credit.cap.refund").value == "fallback"
    assert flag(seen, "credit.cap.refund", "2.1").value == "stop"
    assert flag(seen, "credit.cap.other").value == "review"


def test_every_flag_of_a_bulk_answer_is_whole() -> None:
    credit = make_system(slug="credit")
    known = controls(
        switch(Mode.STOP, system_id=credit.pk, capability="refund"),
        switch(Mode.STOP),
        parameters={(credit.pk, "production"): (parameter("limit", 5, "number"), parameter("on", False, "boolean"))},
    )
    found = {each.key: each.document() for each in all_flags(sight(grant_for(credit), known))}
    assert set(found) == {
        "credit.mode", "credit.enabled", "credit.params", "credit.param.limit", "credit.param.on", "credit.cap.refund",
    }  # fmt: skip
    for each in found.values():
        assert set(each) == {"key", "value", "reason", "variant", "metadata"}
        assert each["reason"] == "STATIC"
        assert all(isinstance(value, bool | int | float | str) for value in each["metadata"].values())
    assert b'"value":5.0' in orjson.dumps(found["credit.param.limit"])
    assert found["credit.mode"]["metadata"]["scope"] == "global"


@pytest.mark.parametrize("capability", ["Refund", "_refund", "loans:refund", "refund+bonus"])
def test_a_stop_of_a_capability_reaches_bulk_readers_whatever_its_name(capability: str) -> None:
    credit = make_system(slug="credit")
    seen = sight(grant_for(credit), controls(switch(system_id=credit.pk, capability=capability)))
    key = f"credit.cap.{capability}"
    assert flag(seen, key).value == "stop"
    assert key in {each.key for each in all_flags(seen)}


@pytest.mark.parametrize(
    "key",
    ["credit", "credit.", "credit.modes", "credit.param", "credit.param.", "credit.cap.", "credit.param.none", ".mode",
     "credit/mode", "credit.cap.a b", "Credit.mode", "credit.cap." + "x" * 400],
    ids=lambda key: key[:20],
)  # fmt: skip
def test_what_is_no_flag_is_none(key: str) -> None:
    credit = make_system(slug="credit")
    assert flag_for(sight(grant_for(credit), controls()), key) is None

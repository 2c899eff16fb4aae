"""The types of events: one registry, which `announce`, the API, the form and the documentation all use."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from django.utils.html import escape
from rest_framework.test import APIClient

from ledger.entries import require_clear
from ledger.kinds import Kind
from notices.event_types import EventType, event_type, event_types
from notices.models import Event
from notices.outbox import announce
from overrides import drill_kinds
from overrides import kinds as control_kinds
from tests.factories.register import make_key, make_person, make_system
from tests.notices.test_every_kind_has_words import Call, calls_of
from tests.notices.test_webhooks_api import DOCS, api, browser

PASSED_ON = {
    # where the type is no plain text: those it can be
    "audit/services/case_writing.py": {
        "case.opened",
        "case.moved",
        "case.lead_assigned",
        "incident.declared",
        "incident.reported",
    },
    "notices/services/alerts.py": {"alert.opened", "alert.acknowledged", "alert.closed"},
    "notices/services/fan_out.py": {"webhook.test"},
    "overrides/services/changing.py": {
        "switch.stopped",
        "switch.tightened",
        "switch.loosened",
        "switch.emergency_cleared",
        "switch.restored",
        "switch.reinstated",
    },
    "overrides/services/confirming.py": {"switch.confirmed", "switch.unconfirmed"},
    "overrides/services/effects.py": {"effect.confirmed", "effect.failed", "effect.mismatched"},
    "overrides/services/loosening.py": {"loosening.requested"},
}


def announced() -> set[str]:
    found: set[str] = set()
    for file, name in calls_of("announce", "event"):
        found |= PASSED_ON[file] if name is None else {name}
    return found


def test_what_is_announced_is_declared_and_what_is_declared_is_announced() -> None:
    assert {each.name for each in event_types()} == announced()


def test_whatever_may_be_sealed_of_a_switch_may_be_announced() -> None:
    """A stop, or the end of a drill, must never fail for a type that was forgotten."""
    declared = [each for module in (control_kinds, drill_kinds) for each in vars(module).values()]
    kinds = {each.name for each in declared if isinstance(each, Kind) and each.name.startswith("switch.")}
    told_as_stop = {control_kinds.SWITCH_LAPSED.name}
    assert kinds - told_as_stop <= {each.name for each in event_types()}


@pytest.mark.django_db
def test_nothing_else_is_announced() -> None:
    with pytest.raises(ValueError, match=r"switch\.stoped"):
        announce(event="switch.stoped", system_id=None)
    assert not Event.objects.exists()


def test_no_type_is_declared_twice() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        event_type("switch.stopped", "Again.", about="the switch", example={})


@pytest.mark.parametrize("type_", event_types(), ids=lambda each: each.name)
def test_examples_are_facts_that_could_be_sent(type_: EventType) -> None:
    require_clear(type_.example)
    assert type_.meaning.endswith(".")


def test_the_documentation_lists_them_as_they_are() -> None:
    table = DOCS.partition("| type | means |")[2].partition("\n\n")[0].splitlines()[2:]
    assert table == [in_docs(each) for each in event_types()]


def in_docs(each: EventType) -> str:
    return f"| `{each.name}` | {each.meaning} | {each.about} | {facts(each.example)} |"


def facts(example: Mapping[str, Any]) -> str:
    return f"`{json.dumps(example)}`" if example else "none"


@pytest.mark.django_db
def test_the_api_lists_them() -> None:
    listed = api(make_person(viewer=True)).get("/api/v1/webhooks/event-types").json()["items"]
    assert [each["name"] for each in listed] == [each.name for each in event_types()]
    assert listed[0].keys() == {"name", "meaning", "about", "example"}


@pytest.mark.django_db
def test_a_service_key_is_told_that_a_person_is_needed() -> None:
    key = make_key(make_system())
    refused = APIClient(headers={"Authorization": f"Bearer {key.text}"}).get("/api/v1/webhooks/event-types")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/person-needed")


@pytest.mark.django_db
def test_the_form_says_what_each_means() -> None:
    page = browser(make_person(administrator=True)).get("/admin/notices/webhookendpoint/add/").content.decode()
    for each in event_types():
        assert (escape(f"{each.name}: {each.meaning}") in page) is (each.name != "webhook.test")


def test_whoever_passes_a_type_on_still_does() -> None:
    unnamed: set[str] = {file for file, name in _calls() if name is None}
    assert unnamed == set(PASSED_ON)


def _calls() -> list[Call]:
    return calls_of("announce", "event")

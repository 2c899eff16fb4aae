"""What the timeline of a decision tells of exports by a case: to whom, and how much."""

from pathlib import Path
from typing import Any

import pytest

from audit.selectors import SealedDecision
from console.timelines import timeline
from governance.models import AISystem, Person
from tests.factories.cases import make_led_case
from tests.factories.exports import export_of, folder_storage
from tests.factories.record import record_decision
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.EXPORT_WORK_DIR = tmp_path / "work"
    settings.STORAGES = settings.STORAGES | {"exports": folder_storage(tmp_path / "files")}


@pytest.fixture
def system() -> AISystem:
    return make_system(accountable=make_person())


def said_to(person: Person, decision: SealedDecision) -> list[str]:
    return [each.text for each in timeline(decision, person.pk) if each.kind == "export.finished"]


def test_an_export_of_a_case_is_told_to_those_who_know_of_the_case_and_counts_for_nobody(system: AISystem) -> None:
    decision = record_decision(system)
    case, lead = make_led_case(system, decisions=[decision, record_decision(system), record_decision(system)])
    export_of(lead, question="case", case_id=case.pk, parts=["input"])
    told = f"{lead} took out input, as far as they were there, of the decisions of a case."
    assert said_to(lead, decision) == [told]
    assert said_to(make_person(accountable=system), decision) == [told]
    assert said_to(make_person(operator=system), decision) == []


def test_an_export_of_an_ai_system_is_told_to_all_of_them_with_its_number(system: AISystem) -> None:
    decision, auditor = record_decision(system), make_person(auditor=True)
    export_of(auditor, system, parts=["input"])
    for person in (auditor, make_person(operator=system)):
        assert said_to(person, decision) == [f"{auditor} took out input, as far as they were there, of 1 decision."]

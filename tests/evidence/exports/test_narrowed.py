"""Rights that are lost in part: nobody fetches, and no file is finished with, more than whoever asked may have now."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client

from audit.models import Case
from audit.services.cases import move_case
from evidence.exports import storage
from evidence.exports.models import Export
from evidence.exports.sweeping import forget_erased
from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import Scope
from governance.services.assignments import end_assignment
from ledger.entries import COMMAND
from tests.factories.cases import attach, find, make_led_case
from tests.factories.erasing import agreed
from tests.factories.exports import agree, ask, export_of, files_of, make
from tests.factories.record import record_decision
from tests.factories.register import actor_of, give_role, make_person, make_system

pytestmark = pytest.mark.django_db
Status = Export.Status


def fetched(export: Export, person: Person) -> int:
    client = Client()
    client.force_login(person)
    code: int = client.head(f"/admin/exports/{export.pk}/file").status_code
    return code


def lose(person: Person, **held: Any) -> None:
    for each in Assignment.objects.filter(person=person, status="accepted", **held):
        end_assignment(actor=COMMAND, assignment_id=each.pk)


def while_it_is_kept(monkeypatch: pytest.MonkeyPatch, then: Callable[[], Any]) -> None:
    """Once, when the file is whole and on its way into the storage."""
    write = storage.put

    def put(*args: Any) -> None:
        monkeypatch.setattr(storage, "put", write)
        then()
        write(*args)

    monkeypatch.setattr(storage, "put", put)


@pytest.fixture
def systems() -> tuple[AISystem, AISystem]:
    return make_system(), make_system()


@pytest.fixture
def auditor(systems: tuple[AISystem, AISystem]) -> Person:
    """Of two AI systems."""
    person = make_person(auditor=systems[0])
    give_role(person, Role.AUDITOR, Scope.system(systems[1].pk))
    for number, each in enumerate(systems):
        record_decision(each, subject="ada", parts={"input": f"zq-{number}", "output": 1})
    return person


@pytest.mark.parametrize("parts", [["input"], []])
def test_a_subject_over_ai_systems_of_which_one_is_lost(
    systems: tuple[AISystem, AISystem], auditor: Person, parts: list[str]
) -> None:
    made = export_of(auditor, question="subject", subject="ada", parts=parts)
    assert fetched(made, auditor) == HTTPStatus.OK
    lose(auditor, system_id=systems[1].pk)
    assert fetched(made, auditor) == HTTPStatus.FORBIDDEN
    again = export_of(auditor, question="subject", subject="ada", parts=parts)
    assert fetched(again, auditor) == HTTPStatus.OK
    assert again.left_out == ["beyond_reach"]


def test_one_ai_system_lost_while_it_is_made(
    systems: tuple[AISystem, AISystem], auditor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = agree(ask(auditor, question="subject", subject="ada", parts=["input"]))
    while_it_is_kept(monkeypatch, lambda: lose(auditor, system_id=systems[1].pk))
    assert make(export).status == Status.QUEUED
    assert not storage.is_there(export)
    made = make(export)
    assert (made.status, made.left_out) == (Status.FINISHED, ["beyond_reach"])
    text = b"".join(files_of(made).values())
    assert (b"zq-0" in text, b"zq-1" in text) == (True, False)


def test_all_of_them_lost_while_it_is_made(auditor: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    export = agree(ask(auditor, question="subject", subject="ada", parts=["input"]))
    while_it_is_kept(monkeypatch, lambda: lose(auditor))
    failed = make(export)
    assert (failed.status, failed.failure) == (Status.FAILED, "right_lost")
    assert not storage.is_there(export)


# --- a case -----------------------------------------------------------------------------------------------------------
def close(case: Case, lead: Person) -> None:
    find(case, lead)
    for state in ("concluded", "closed"):
        move_case(actor=actor_of(lead), case_id=case.pk, to=state)


def case_over(systems: tuple[AISystem, AISystem]) -> tuple[Case, Person]:
    case, lead = make_led_case(systems[0], decisions=[record_decision(systems[0], parts={"input": "zq", "output": 1})])
    attach(case, lead, record_decision(systems[1]))
    return case, lead


def test_whoever_was_appointed_to_a_case_until_it_was_closed(systems: tuple[AISystem, AISystem]) -> None:
    """Being in a case opens its decisions while it is open."""
    case, lead = case_over(systems)
    appointed = make_person()
    give_role(appointed, Role.INVESTIGATOR, Scope.case(case.pk))
    made = export_of(appointed, question="case", case_id=case.pk, parts=["input"])
    assert fetched(made, appointed) == HTTPStatus.OK
    close(case, lead)
    assert fetched(made, appointed) == HTTPStatus.FORBIDDEN


# --- what is restricted -----------------------------------------------------------------------------------------------
def restrict(system: AISystem) -> None:
    decision = record_decision(system, parts={"input": "zq-barred", "output": 1})
    agreed(kind="decision", decision_ids=[decision.id])


@pytest.fixture
def officer() -> Person:
    """An auditor who also reads what is restricted."""
    return make_person(auditor=True, dpo=True)


@pytest.fixture
def system() -> AISystem:
    return make_system(accountable=make_person())


def test_whoever_reads_no_restricted_contents_any_more(system: AISystem, officer: Person) -> None:
    restrict(system)
    made = export_of(officer, system, parts=["input"])
    assert b"zq-barred" in b"".join(files_of(made).values())
    assert (fetched(made, officer), forget_erased()) == (HTTPStatus.OK, 0)
    lose(officer, role=Role.DPO)
    assert fetched(made, officer) == HTTPStatus.GONE, "before anybody deleted it"
    assert forget_erased() == 1
    made.refresh_from_db()
    assert (made.status, made.failure) == (Status.EXPIRED, "restricted")


def test_without_them_it_stays(system: AISystem, officer: Person) -> None:
    record_decision(system)
    made = export_of(officer, system, parts=["input"])
    lose(officer, role=Role.DPO)
    assert (fetched(made, officer), forget_erased()) == (HTTPStatus.OK, 0)


def test_that_is_lost_while_it_is_made(system: AISystem, officer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    restrict(system)
    export = agree(ask(officer, system, parts=["input"]))
    while_it_is_kept(monkeypatch, lambda: lose(officer, role=Role.DPO))
    assert make(export).status == Status.QUEUED
    made = make(export)
    assert (made.status, made.left_out) == (Status.FINISHED, ["restricted"])
    assert b"zq-barred" not in b"".join(files_of(made).values())

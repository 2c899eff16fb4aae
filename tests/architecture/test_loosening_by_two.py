"""No way to loosen a switch but the one that takes two: no page of the admin, no bulk act, no import, no migration."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import get_resolver

from governance.acts import Role
from overrides.models import LooseningRequest, Switch, SwitchChange
from tests.factories.control import approver_of, ask_for, operator_of, stop
from tests.factories.register import give_role, make_system

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = (
    "audit",
    "config",
    "console",
    "evidence",
    "governance",
    "intake",
    "ledger",
    "monitoring",
    "notices",
    "overrides",
)
MAY_PUT = {
    "loosening.py": {"_apply", "emergency_clear"},  # by two; and by one for four hours, into review
    "switches.py": {"_tighten"},  # tightens alone
    "recovery.py": {"_reinstate"},  # tightens alone
    "drill_running.py": {"_restore", "_leave_in_earnest"},  # as two agreed when they planned it
}
WRITES = re.compile(
    r"\bSwitch(\.objects)?(\.\w+\([^)]*\))*\.(update|bulk_update|update_or_create|bulk_create|create)\(|\bSwitch\(\s*\w+="
)


def sources() -> Iterator[Path]:
    for name in OURS:
        yield from (path for path in (ROOT / name).rglob("*.py") if "migrations" not in path.parts)


def test_switches_are_set_by_one_function_and_that_by_these_alone() -> None:
    found: dict[str, set[str]] = {}
    for path in (ROOT / "overrides").rglob("*.py"):
        tree = ast.parse(path.read_text())
        if not any(
            isinstance(node, ast.ImportFrom) and "put" in {each.name for each in node.names} for node in tree.body
        ):
            continue
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
            if any(isinstance(each, ast.Name) and each.id == "put" for each in calls):
                found.setdefault(path.name, set()).add(function.name)
    assert found == MAY_PUT


def test_nothing_writes_switches_past_it() -> None:
    writing = {path.name for path in sources() if WRITES.search(path.read_text())}
    assert writing == {"changing.py"}


def test_no_migration_sets_a_switch() -> None:
    for path in (ROOT / "overrides" / "migrations").glob("0*.py"):
        assert not re.search(r"RunPython|UPDATE\s+overrides_switch\b", path.read_text(), re.IGNORECASE), path.name


def test_the_admin_has_no_form_and_no_bulk_act_for_switches() -> None:
    assert {Switch, SwitchChange, LooseningRequest}.isdisjoint(admin.site._registry)


def test_no_address_takes_in_switches_in_bulk() -> None:
    names = [name for name in get_resolver().reverse_dict if isinstance(name, str) and name.startswith("control-")]
    writing = {name for name in names if "loosen" in name or "clear" in name}
    assert writing == {
        "control-loosen", "control-loosen-approve", "control-loosen-refuse", "control-loosen-withdraw",
        "control-emergency-clear",
    }  # fmt: skip


@pytest.mark.django_db
def test_one_person_with_both_roles_gets_through_no_page() -> None:
    system = make_system()
    person = operator_of(system)
    give_role(person, Role.APPROVER)
    give_role(person, Role.ADMINISTRATOR)
    asked = ask_for(stop(system), person)
    client = Client()
    client.force_login(person)
    for act in ("approve", "refuse"):
        answer = client.post(f"/admin/switchboard/requests/{asked.pk}/{act}", {"note": "me again"})
        assert answer.status_code == 403, act
    asked.refresh_from_db()
    assert (asked.status, Switch.objects.get().mode) == ("open", "stop")
    client.force_login(approver_of())  # and the page itself is there: somebody else gets as far as "Is it you?"
    assert client.post(f"/admin/switchboard/requests/{asked.pk}/approve").status_code != 403

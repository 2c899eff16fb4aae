"""Parameters, drills, fail policies, clients and the demonstration's logins: a phone in the dark, a desk by day."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from console.demo.loading import Credentials
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from overrides.clients import unknown_flags
from overrides.models import Drill, Parameter
from overrides.services.drills import plan_drill
from overrides.services.parameters import define_parameter
from tests.browser.test_sign_in import give_password, violations
from tests.factories.control import ack, reading
from tests.factories.register import actor_of, give_role, make_key, make_person, make_system
from tests.factories.reviews import make_queue, make_rule
from tests.factories.sign_in import with_password

pytestmark = [pytest.mark.browser, pytest.mark.committing]
Scheme = Literal["light", "dark"]
SIZES: tuple[tuple[int, Scheme], ...] = ((390, "dark"), (1440, "light"))


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits", environments=["production"])


@pytest.fixture
def ada(system: AISystem) -> Person:
    """She sees every page."""
    person = with_password(make_person(name="Ada Lindqvist", email="ada@example.org", administrator=True))
    for role in (Role.OPERATOR, Role.TECHNICAL_OWNER, Role.ACCOUNTABLE):
        give_role(person, role, Scope.system(system.pk))
    return person


@pytest.fixture
def signed_in(page: Page, live_server: LiveServer, ada: Person) -> Page:
    give_password(page, str(live_server.url).replace("127.0.0.1", "localhost"))
    expect(page.get_by_role("link", name="Alerts").first).to_be_attached()
    page.wait_for_load_state("networkidle")  # the first page of a browser is loaded again, in its time zone
    return page


def passes(page: Page, path: str) -> None:
    base = page.url.split("/admin/")[0]
    for width, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        answer = page.goto(base + path)
        assert answer and answer.ok, path
        page.evaluate("document.querySelectorAll('#content details').forEach((each) => { each.open = true; })")
        assert violations(page) == [], (path, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)


def _parameter(system: AISystem, ada: Person) -> Parameter:
    return define_parameter(
        actor=actor_of(ada), system_id=system.pk, name="max-amount", value_type="number", default=1000,
        safe_direction="lower", minimum=0, maximum=10_000, unit="EUR",
    )  # fmt: skip


def _drill(system: AISystem, ada: Person) -> Drill:
    return plan_drill(
        actor=actor_of(ada), system_id=system.pk, drill_type=Drill.Type.TABLE_TOP,
        starts_at=timezone.now() + timedelta(days=1), expectation="The desk finds the switchboard.",
    )  # fmt: skip


def test_parameters_drills_and_fail_policies(signed_in: Page, system: AISystem, ada: Person) -> None:
    parameter, drill = _parameter(system, ada), _drill(system, ada)
    for path in (
        "overrides/parameter/",
        "overrides/parameter/add/",
        f"overrides/parameter/{parameter.pk}/change/",
        f"overrides/parameter/{parameter.pk}/change-value/",
        "overrides/parameterversion/",
        "overrides/drill/",
        "overrides/drill/add/",
        f"overrides/drill/{drill.pk}/change/",
        "overrides/drillfinding/",
        "governance/failpolicyrequest/",
        f"governance/aisystem/{system.pk}/change/",
    ):
        passes(signed_in, f"/admin/{path}")


def test_forms_of_queues_and_rules(signed_in: Page, system: AISystem, ada: Person) -> None:
    queue = make_queue(ada, slug="limits")
    rule = make_rule(system, queue)
    for path in (
        f"overrides/reviewqueue/{queue.pk}/change/",
        "overrides/reviewqueue/add/",
        "overrides/reviewrule/add/",
        f"overrides/reviewrule/{rule.pk}/change-rule/",
        "overrides/reviewerskill/add/",
    ):
        passes(signed_in, f"/admin/{path}")


def test_clients_and_flags_that_nobody_has(signed_in: Page, system: AISystem) -> None:
    passes(signed_in, "/admin/switchboard/clients/")
    ack(reading(system), system, None, instance="host-4711-" + "x" * 60)
    unknown_flags.note(make_key(system).row.pk, "credit-limits." + "x" * 80)
    unknown_flags.write()
    passes(signed_in, "/admin/switchboard/clients/")
    passes(signed_in, "/admin/switchboard/")


def test_the_logins_of_a_demonstration(page: Page, live_server: LiveServer, tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR, settings.DEMO = tmp_path, True
    Credentials("demo@example.org", "unmistakable", "ans_x", "ans_y").save()
    page.goto(f"{live_server.url}/admin/login/")
    passes(page, "/admin/login/")
    passes(page, "/admin/demonstration/")
    expect(page.get_by_text("unmistakable")).to_be_visible()

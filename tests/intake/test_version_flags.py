"""Which version decided, and whether anybody had approved it: recorded and flagged, never refused."""

import pytest

from evidence.verification import verify_everything
from governance import memory
from governance.acts import Role
from governance.models import AISystem, Person
from governance.scopes import Scope
from governance.services.promotions import propose_version, release_version, retire_version
from governance.services.systems import take_live, update_system
from tests.factories import cards
from tests.factories.register import actor_of, give_role, make_person
from tests.factories.versions import approve, engineer_of, make_approved, make_version
from tests.intake.conftest import Sender

pytestmark = pytest.mark.committing
PROCEDURE = {"intended_purpose": "Limits", "safe_state": "a", "shutdown_steps": "b", "shutdown_contacts": "c"}


def flags(sender: Sender, version: str) -> set[str]:
    memory.refresh()
    answer = sender.post(sender.record(model_version=version))
    assert answer.status_code == 201
    return {each for each in answer.json()["warnings"] if each.endswith("model_version")}


@pytest.fixture
def owner(sender: Sender) -> Person:
    (system,) = sender.systems
    person = make_person()
    give_role(person, Role.ACCOUNTABLE, Scope.system(system.pk))
    update_system(actor=actor_of(person), system_id=system.pk, changes=PROCEDURE | {"risk_class": "limited"})
    return person


def go_live(system: AISystem, owner: Person) -> None:
    cards.publish(system, publisher=owner)
    make_approved(system, "first")
    take_live(actor=actor_of(owner), system_id=system.pk)


def test_a_live_system_is_flagged_for_every_version_that_nobody_approved(sender: Sender, owner: Person) -> None:
    (system,) = sender.systems
    engineer = engineer_of(system)
    version = make_version(system, "next")
    assert flags(sender, "next") == set(), "of a system that is not live, that is said already"
    go_live(system, owner)
    assert flags(sender, "next") == {"unapproved_model_version"}
    propose_version(actor=actor_of(engineer), version_id=version.pk, reason="Better.")
    assert flags(sender, "next") == {"unapproved_model_version"}
    approve(owner, version)
    assert flags(sender, "next") == set()
    release_version(actor=actor_of(owner), version_id=version.pk)
    assert flags(sender, "next") == set()
    retire_version(actor=actor_of(owner), version_id=version.pk)
    assert flags(sender, "next") == {"retired_model_version"}
    assert flags(sender, "never-heard-of") == {"unverified_model_version"}
    assert list(verify_everything()) == []

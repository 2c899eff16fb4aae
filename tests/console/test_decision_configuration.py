"""The configuration on a decision's page: that of the digest its entry names, not what the register says today."""

import json

import pytest
from django.test import Client

from audit.selectors import SealedDecision
from governance.models import AISystem, Person
from governance.services.configurations import digest_of, store_configuration
from governance.services.versions import register_version
from ledger.entries import COMMAND
from tests.factories.record import record_decision
from tests.factories.register import make_person, make_system

pytestmark = pytest.mark.django_db
AT_THE_TIME = json.dumps({"threshold": "as-it-was"}, indent=2).encode()


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit-limits")


@pytest.fixture
def owner(system: AISystem) -> Person:
    return make_person(accountable=system)


def shown(person: Person, decision: SealedDecision) -> str:
    client = Client()
    client.force_login(person)
    return client.get(f"/admin/decisions/{decision.id}/").content.decode()


def under_changed_register(system: AISystem, digest: str | None) -> SealedDecision:
    """A decision that names a digest, of a version of which the register says something else."""
    version = register_version(
        actor=COMMAND, system_id=system.pk, version="gbm-2", configuration={"threshold": "of-today"}
    )
    return record_decision(system, model_version="gbm-2", model_version_id=version.pk, config_digest=digest)


def test_what_was_in_force_is_shown_by_its_digest(system: AISystem, owner: Person) -> None:
    kept = store_configuration(actor=COMMAND, system_id=system.pk, content=AT_THE_TIME)
    page = shown(owner, under_changed_register(system, kept.digest))
    assert "as-it-was" in page
    assert "of-today" not in page


def test_what_nobody_stored_is_told_as_not_kept(system: AISystem, owner: Person) -> None:
    page = shown(owner, under_changed_register(system, digest_of(AT_THE_TIME)))
    assert "not kept" in page
    assert "of-today" not in page


def test_another_systems_configuration_is_not_taken_for_its_own(system: AISystem, owner: Person) -> None:
    kept = store_configuration(actor=COMMAND, system_id=make_system().pk, content=AT_THE_TIME)
    page = shown(owner, under_changed_register(system, kept.digest))
    assert "not kept" in page
    assert "as-it-was" not in page


def test_without_a_digest_of_the_callers_the_registers_is_marked_as_such(system: AISystem, owner: Person) -> None:
    kept = store_configuration(actor=COMMAND, system_id=system.pk, content=AT_THE_TIME)
    version = register_version(actor=COMMAND, system_id=system.pk, version="gbm-2", config_digest=kept.digest)
    page = shown(owner, record_decision(system, model_version="gbm-2", model_version_id=version.pk))
    assert "from the register" in page
    assert "as-it-was" in page

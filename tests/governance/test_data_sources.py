"""Data sources: one for the organisation, with an owner; who sees what depends on them, who changes them."""

import threading
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from config.errors import Forbidden
from governance.admin.data_sources import dependents_of
from governance.errors import PersonNotFound
from governance.models import AISystem, DataDependency, DataSource
from governance.services.data_sources import (
    archive_data_source,
    may_change,
    register_data_source,
    update_data_source,
)
from governance.services.dependencies import declare_dependency, remove_dependency
from governance.services.people import deactivate_person
from governance.services.promotions import retire_version
from governance.version_errors import (
    DataDependencyNotFound,
    DataSourceArchived,
    DataSourceExists,
    DataSourceInUse,
    DataSourceNotFound,
)
from ledger.entries import COMMAND, Actor
from ledger.models import Entry
from tests.factories.register import actor_of, make_account, make_key, make_person, make_system
from tests.factories.versions import engineer_of, make_source, make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def system() -> AISystem:
    return make_system()


def depends(system: AISystem, source: DataSource, version: str = "1.0", use: str = "training") -> DataDependency:
    made = make_version(system, version)
    return declare_dependency(actor=COMMAND, version_id=made.pk, source=source.slug, use=use)


def test_the_same_again_is_the_one_that_exists_and_another_under_its_name_is_refused() -> None:
    owner = make_person()
    first = make_source(owner=owner)
    assert make_source(owner=owner).pk == first.pk
    with pytest.raises(DataSourceExists):
        make_source(owner=make_person())
    assert Entry.objects.filter(kind="data_source.registered").count() == 1


def test_whoever_keeps_some_ai_system_registers_one_and_others_do_not(system: AISystem) -> None:
    engineer, viewer = engineer_of(system), make_person(viewer=system)
    assert register_data_source(actor=actor_of(engineer), slug="bureau", name="Bureau", owner=viewer).owner == viewer
    for other in (viewer, make_person()):
        with pytest.raises(Forbidden):
            register_data_source(actor=actor_of(other), slug="other", name="Other", owner=viewer)


def test_an_owner_is_somebody_who_is_still_here(system: AISystem) -> None:
    source, gone = make_source(), make_person()
    make_person(administrator=True)
    deactivate_person(actor=COMMAND, person_id=gone.pk)
    gone.refresh_from_db()
    with pytest.raises(PersonNotFound):
        update_data_source(actor=COMMAND, source_id=source.pk, changes={"owner": gone})


@pytest.mark.parametrize("wrong", [{"kind": "rumour"}, {"personal_data": "some"}, {"name": "x" * 201}])
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_source(**wrong)


def test_changed_by_its_owner_or_an_administrator_alone(system: AISystem) -> None:
    source, engineer = make_source(), engineer_of(system)
    account = make_account()
    make_key(system, account=account, scopes=["register:write"])
    assert may_change(make_person(administrator=True), source) and may_change(source.owner, source)
    others = [*map(actor_of, [engineer, make_person(viewer=system)]), Actor("service", account.pk)]
    assert not any(may_change(each, source) for each in others), "free for nobody to take"
    depends(system, source)
    before = [may_change(each, source) for each in others]
    depends(make_system(), source)
    assert [may_change(each, source) for each in others] == before == [False] * 3, "it tells nothing of other systems"
    with pytest.raises(Forbidden):
        update_data_source(actor=actor_of(engineer), source_id=source.pk, changes={"owner": engineer})
    with pytest.raises(Forbidden):
        archive_data_source(actor=actor_of(engineer), source_id=source.pk)


def test_what_depends_on_it_is_shown_as_far_as_somebody_sees(system: AISystem) -> None:
    source, hidden = make_source(), make_system()
    seen = depends(system, source)
    depends(hidden, source)
    assert list(dependents_of(source, make_person(viewer=system))) == [seen]
    assert dependents_of(source, make_person(administrator=True)).count() == 2
    assert not dependents_of(source, make_person()).exists()


def test_archived_only_once_nothing_that_runs_depends_on_it(system: AISystem) -> None:
    source = make_source()
    held = depends(system, source)
    with pytest.raises(DataSourceInUse):
        archive_data_source(actor=COMMAND, source_id=source.pk)
    owner = make_person(accountable=system)
    retire_version(actor=actor_of(owner), version_id=held.model_version_id)
    assert archive_data_source(actor=COMMAND, source_id=source.pk).archived_at is not None
    with pytest.raises(DataSourceArchived):
        update_data_source(actor=COMMAND, source_id=source.pk, changes={"name": "New"})
    with pytest.raises(DataSourceArchived):
        depends(system, source, "2.0")


def test_a_dependency_is_declared_once_for_a_use_and_takes_new_values(system: AISystem) -> None:
    source, version = make_source(), make_version(system)

    def declare(**said: str) -> DataDependency:
        return declare_dependency(actor=COMMAND, version_id=version.pk, source=source.slug, use="training", **said)

    first = declare()
    assert declare(snapshot="2026-09").pk == first.pk
    declare(snapshot="2026-09")
    kinds = Entry.objects.filter(kind__startswith="data_dependency").values_list("kind", flat=True)
    assert sorted(kinds) == ["data_dependency.declared", "data_dependency.updated"]
    remove_dependency(actor=COMMAND, dependency_id=first.pk)
    with pytest.raises(DataDependencyNotFound):
        remove_dependency(actor=COMMAND, dependency_id=first.pk)
    assert declare().pk != first.pk


def test_an_unknown_source_or_use_is_refused(system: AISystem) -> None:
    version = make_version(system)
    with pytest.raises(DataSourceNotFound):
        declare_dependency(actor=COMMAND, version_id=version.pk, source="rumours", use="training")
    make_source()
    with pytest.raises(ValidationError):
        declare_dependency(actor=COMMAND, version_id=version.pk, source="applications", use="inspiration")


def test_another_systems_engineer_declares_nothing_here(system: AISystem) -> None:
    version = make_version(system)
    make_source()
    with pytest.raises(Forbidden):
        declare_dependency(
            actor=actor_of(engineer_of(make_system())), version_id=version.pk, source="applications", use="training"
        )


@pytest.mark.committing
def test_declared_twice_at_once_it_is_one(system: AISystem) -> None:
    version = make_version(system)
    make_source()
    made: list[DataDependency] = []

    def declare() -> None:
        made.append(declare_dependency(actor=COMMAND, version_id=version.pk, source="applications", use="training"))
        connection.close()

    both = [threading.Thread(target=declare) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(30)
    assert len({each.pk for each in made}) == 1
    assert DataDependency.objects.count() == 1

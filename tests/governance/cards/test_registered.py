"""What a card names of its release and models, and the model versions that are registered."""

from typing import Any

import pytest
from django.test import Client

from governance.cards import registered
from governance.cards.registered import named_in
from governance.models import AISystem, ModelVersion
from tests.factories import cards
from tests.factories.cards import content
from tests.factories.register import make_person, make_system
from tests.factories.versions import DIGEST, make_version
from tests.overrides.test_assignments_api import api

pytestmark = pytest.mark.django_db
OTHER = f"sha256:{'cd' * 32}"


@pytest.fixture
def system() -> AISystem:
    return make_system(slug="credit")


@pytest.fixture
def version(system: AISystem) -> ModelVersion:
    return make_version(system, "gbm-4.2")


@pytest.mark.parametrize(
    ("model", "is_found", "problem"),
    [
        ({"version": "gbm-4.2", "digest": DIGEST}, True, ""),
        ({"version": "gbm-4.2"}, True, ""),
        ({"digest": DIGEST}, True, ""),
        ({"version": "gbm-4.2", "digest": OTHER}, True, registered.OTHER_DIGEST),
        ({"version": "gbm-9", "digest": DIGEST}, True, registered.OTHER_VERSION),
        ({"version": "gbm-9"}, False, registered.NOT_CALLED_SO),
        ({"digest": OTHER}, False, registered.NOT_WITH_DIGEST),
        ({"version": "gbm-9", "digest": OTHER}, False, registered.NOT_WITH_DIGEST),
        ({}, False, registered.NOTHING_NAMED),
    ],
)
def test_a_model_is_looked_up_by_what_the_card_names_of_it(
    system: AISystem, version: ModelVersion, model: dict[str, Any], is_found: bool, problem: str
) -> None:
    make_version(make_system(), "gbm-9", model_digest=OTHER)
    (named,) = named_in(system.pk, {"build": {"models": [{"name": "Trees", **model}]}})
    assert (named.versions, named.problem) == ((version,) if is_found else (), problem)


def test_a_version_that_was_registered_without_a_digest_vouches_for_none(system: AISystem) -> None:
    make_version(system, "gbm-5", model_digest="")
    (named,) = named_in(system.pk, {"build": {"models": [{"name": "x", "version": "gbm-5", "digest": DIGEST}]}})
    assert named.problem == registered.NO_DIGEST


@pytest.mark.parametrize(
    ("release", "found"),
    [
        ("gbm-4.2", ["gbm-4.2"]),
        ("gbm-4.1 and gbm-4.2.", ["gbm-4.1", "gbm-4.2"]),
        ("Spring (gbm-4.1;gbm-4.2)", ["gbm-4.1", "gbm-4.2"]),
        ("gbm-4", []),
    ],
)
def test_a_release_leads_to_each_version_that_it_names(
    system: AISystem, version: ModelVersion, release: str, found: list[str]
) -> None:
    make_version(system, "gbm-4.1")
    (named,) = named_in(system.pk, {"identity": {"release": release}})
    assert sorted(each.version for each in named.versions) == found
    assert named.problem == ("" if found else registered.NOT_CALLED_SO)


def test_a_card_that_names_nothing_has_nothing_to_look_up(system: AISystem, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert named_in(system.pk, content()) == []


def test_the_page_and_the_api_say_which_are_registered_and_which_are_not(
    system: AISystem, version: ModelVersion
) -> None:
    said = content(
        identity={"release": "gbm-9"}, build={"models": [{"name": "Trees", "version": "gbm-4.2", "digest": DIGEST}]}
    )
    viewer, writer = make_person(viewer=system), cards.writer_of(system)
    cards.draft(system, writer, said)
    for person, path in ((writer, "draft/"), (viewer, "1/")):
        browser = Client()
        browser.force_login(person)
        page = browser.get(f"/admin/systems/{system.pk}/cards/{path}").content.decode()
        assert f'href="/admin/governance/modelversion/{version.pk}/change/"' in page
        assert registered.NOT_CALLED_SO in page
        if path == "draft/":
            cards.publish(system, said, writer=writer)
    (release, model) = api(viewer).get("/api/v1/systems/credit/cards/1").json()["registered"]
    assert (release["versions"], release["problem"]) == ([], registered.NOT_CALLED_SO)
    assert [(each["version"], each["model_digest"]) for each in model["versions"]] == [("gbm-4.2", DIGEST)]
    assert (model["what"], model["problem"]) == ("Model", "")

"""Model versions on their way into use, made by the services that make them in the product."""

from typing import Any

from governance.acts import Role
from governance.models import AISystem, DataSource, ModelVersion, Person
from governance.scopes import Scope
from governance.selectors import accountable_of
from governance.services.configurations import store_configuration
from governance.services.data_sources import register_data_source
from governance.services.dependencies import declare_dependency
from governance.services.promotions import approve_version, propose_version
from governance.services.versions import register_version
from ledger.entries import COMMAND
from tests.factories.register import actor_of, give_role, make_person

DIGEST = f"sha256:{'ab' * 32}"


def engineer_of(system: AISystem) -> Person:
    """A technical owner."""
    person = make_person()
    give_role(person, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    return person


def owner_of(system: AISystem) -> Person:
    """The accountable person, who is made where there is none."""
    held = accountable_of(system.pk)
    if held is not None and held.accepted_at:
        return held.person
    person = make_person()
    give_role(person, Role.ACCOUNTABLE, Scope.system(system.pk))
    return person


def make_version(system: AISystem, version: str = "1.0", *, by: Person | None = None, **described: Any) -> ModelVersion:
    """Registered, with what lets it pass the gates of a system that is not of high risk."""
    actor = actor_of(by) if by else COMMAND
    said = {"model_digest": DIGEST, **described}
    return register_version(actor=actor, system_id=system.pk, version=version, **said)


def make_proposed(system: AISystem, version: str = "1.0", *, by: Person | None = None) -> ModelVersion:
    made = make_version(system, version)
    propose_version(actor=actor_of(by or engineer_of(system)), version_id=made.pk, reason="Better on late payers.")
    made.refresh_from_db()
    return made


def make_approved(system: AISystem, version: str = "1.0") -> ModelVersion:
    made = make_proposed(system, version)
    return approve(owner_of(system), made)


def approve(person: Person, version: ModelVersion, answer: str = "") -> ModelVersion:
    """As somebody does who looked at it as it is now."""
    return approve_version(actor=actor_of(person), version_id=version.pk, answer=answer, **looked_at(version))


def looked_at(version: ModelVersion) -> dict[str, Any]:
    """What an approval names: the proposal that waits, and the version as it stands; another one where none waits."""
    version.refresh_from_db()
    waiting = version.promotions.filter(status="open").first()
    return {"promotion_id": waiting.pk if waiting else version.pk, "revision": version.revision}


def make_promotable(
    system: AISystem, version: str = "1.0", *, by: Person, source: str = "applications"
) -> ModelVersion:
    """With all that a system of high risk asks of a version, but for the card."""
    kept = store_configuration(actor=actor_of(by), system_id=system.pk, content=b'{"threshold": 0.5}')
    made = make_version(system, version, by=by, config_digest=kept.digest)
    if not DataSource.objects.filter(slug=source).exists():
        make_source(source)
    for use in ("training", "evaluation"):
        declare_dependency(actor=actor_of(by), version_id=made.pk, source=source, use=use, snapshot="2026-09")
    return made


def make_source(slug: str = "applications", *, owner: Person | None = None, **described: Any) -> DataSource:
    said = {"name": slug.title(), **described}
    return register_data_source(actor=COMMAND, slug=slug, owner=owner or make_person(), **said)

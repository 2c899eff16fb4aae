"""Pages that show themselves only while something is so: what makes it so, who sees it, and where."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from audit.models import PayloadGrant
from audit.services.payload_grants import approve_grant
from governance.acts import Role
from governance.changes import write
from governance.kinds import PERSON_LINKED
from governance.models import Assignment, ExternalIdentity, Person
from governance.scopes import Scope
from governance.services.assignments import offer_assignment
from governance.services.configurations import store_configuration
from governance.services.people import issue_setup_link
from governance.services.systems import end_environment
from ledger.sealing import sealing
from notices.models import WebhookEndpoint
from notices.services.endpoints import disable_endpoint
from overrides.models import Drill
from overrides.services.drills import plan_drill
from tests.factories.cards import publish
from tests.factories.control import stop
from tests.factories.register import actor_of, give_role, make_person, make_system
from tests.factories.sign_in import with_app
from tests.factories.versions import make_approved, make_version
from tests.personas.world import World

Shown = tuple[Person | None, str]
"""Somebody, None for who has not signed in, and the address of what they see."""


def _row(label: str, row: object, act: str) -> str:
    return f"/admin/{label}/{row}/{act}/"


def _offered(world: World) -> tuple[Person, Assignment]:
    person = make_person()
    return person, offer_assignment(
        actor=actor_of(world.staff.owner), person=person, role=Role.VIEWER, scope=Scope.system(world.system.pk)
    )


def accept_offer(world: World) -> Shown:
    person, offer = _offered(world)
    return person, _row("governance/assignment", offer.pk, "accept")


def decline_offer(world: World) -> Shown:
    person, offer = _offered(world)
    return person, _row("governance/assignment", offer.pk, "decline")


def note_beside_the_past(world: World) -> Shown:
    return world.staff.owner, f"/admin/accountability/note?system={world.system.slug}"


def _proposed() -> Assignment:
    by = actor_of(make_person(administrator=True))
    return offer_assignment(actor=by, person=make_person(), role=Role.AUDITOR, scope=Scope())


def agree_to_proposal(world: World) -> Shown:
    return make_person(administrator=True), _row("governance/assignment", _proposed().pk, "agree")


def refuse_proposal(world: World) -> Shown:
    return make_person(administrator=True), _row("governance/assignment", _proposed().pk, "refuse")


def assign(world: World) -> Shown:
    asked = urlencode({"system": world.system.pk, "role": Role.VIEWER})
    return world.staff.owner, f"/admin/accountability/assign?{asked}"


def compare(world: World) -> Shown:
    asked = urlencode([("decision", world.decision.id), ("decision", world.untouched.id)])
    return world.staff.owner, f"/admin/decisions/compare?{asked}"


def _configurations(world: World, page: str, **asked: str) -> Shown:
    return world.staff.engineer, f"/admin/systems/{world.system.pk}/configurations/{page}?{urlencode(asked)}"


def open_configuration(world: World) -> Shown:
    return _configurations(world, "open", digest=f"sha256:{'0' * 64}")


def compare_configurations(world: World) -> Shown:
    actor, kept = actor_of(world.staff.engineer), str(world.system.model_versions.order_by("pk")[0].config_digest)
    other = store_configuration(actor=actor, system_id=world.system.pk, content=b'{"threshold": 0.7}')
    return _configurations(world, "compare", before=kept, after=other.digest)


def go_live(world: World) -> Shown:
    system, owner = make_system(), make_person()
    give_role(owner, Role.ACCOUNTABLE, Scope.system(system.pk))
    publish(system, publisher=owner)
    return owner, _row("governance/aisystem", system.pk, "live")


def propose_version(world: World) -> Shown:
    made = make_version(world.system, "v3", by=world.staff.engineer)
    return world.staff.engineer, _row("governance/modelversion", made.pk, "propose")


def release_version(world: World) -> Shown:
    system = make_system()
    made = make_approved(system)
    owner = Assignment.objects.get(system_id=system.pk, role=Role.ACCOUNTABLE).person
    return owner, _row("governance/modelversion", made.pk, "release")


def reopen_environment(world: World) -> Shown:
    system, engineer = make_system(), make_person()
    give_role(engineer, Role.TECHNICAL_OWNER, Scope.system(system.pk))
    place = system.environments.get()
    end_environment(actor=actor_of(engineer), environment_id=place.pk, reason="Moved.")
    return engineer, _row("governance/environment", place.pk, "reopen")


def reset_factors(world: World) -> Shown:
    person = make_person()
    with_app(person)
    return make_person(administrator=True), _row("governance/person", person.pk, "reset-factors")


def unlink(world: World) -> Shown:
    person = make_person()
    with sealing() as seal:
        identity = ExternalIdentity(person=person, issuer="https://login.example.org")
        write(seal, actor=actor_of(person), kind=PERSON_LINKED, row=identity)
    return make_person(administrator=True), _row("governance/person", person.pk, "unlink")


def end_grant(world: World) -> Shown:
    grant = PayloadGrant.objects.get(system_id=world.system.pk)
    approve_grant(actor=actor_of(make_person(dpo=True)), grant_id=grant.pk)
    return world.staff.lead, _row("audit/payloadgrant", grant.pk, "end")


def enable_endpoint(world: World) -> Shown:
    found = WebhookEndpoint.objects.get(system_ids=[world.system.pk])
    disable_endpoint(actor=actor_of(world.staff.engineer), endpoint_id=found.pk, reason="Too loud.")
    return world.staff.engineer, _row("notices/webhookendpoint", found.pk, "enable")


def _drill(world: World, **described: Any) -> Drill:
    said: dict[str, Any] = {"drill_type": "table_top", "expectation": "All hear."} | described
    starts_at, by = timezone.now() + timedelta(hours=1), actor_of(world.staff.operator)
    return plan_drill(actor=by, system_id=world.system.pk, starts_at=starts_at, **said)


def start_drill(world: World) -> Shown:
    return world.staff.operator, _row("overrides/drill", _drill(world).pk, "start")


def cancel_drill(world: World) -> Shown:
    return world.staff.operator, _row("overrides/drill", _drill(world).pk, "cancel")


def approve_drill(world: World) -> Shown:
    drill = _drill(world, drill_type="live_production", environment="production")
    return make_person(approver=True), _row("overrides/drill", drill.pk, "approve")


def tighten(world: World) -> Shown:
    return world.staff.operator, f"/admin/switchboard/tighten?{urlencode({'system': world.system.pk})}"


def clear_emergency(world: World) -> Shown:
    done = stop(make_system())
    return make_person(emergency_operator=True), f"/admin/switchboard/switches/{done.switch.pk}/emergency"


def set_up(world: World) -> Shown:
    token = issue_setup_link(actor=actor_of(make_person(administrator=True)), person_id=make_person().pk)
    return None, f"/setup/{token}"


def a_problem(world: World) -> Shown:
    return None, "/problems/not-found"


STATES: dict[str, Callable[[World], Shown]] = {
    "admin/accountability/assign": assign,
    "admin/accountability/note": note_beside_the_past,
    "admin/audit/payloadgrant/<path:object_id>/end/": end_grant,
    "admin/decisions/compare": compare,
    "admin/governance/aisystem/<path:object_id>/live/": go_live,
    "admin/governance/assignment/<path:object_id>/accept/": accept_offer,
    "admin/governance/assignment/<path:object_id>/agree/": agree_to_proposal,
    "admin/governance/assignment/<path:object_id>/decline/": decline_offer,
    "admin/governance/assignment/<path:object_id>/refuse/": refuse_proposal,
    "admin/governance/environment/<path:object_id>/reopen/": reopen_environment,
    "admin/governance/modelversion/<path:object_id>/propose/": propose_version,
    "admin/governance/modelversion/<path:object_id>/release/": release_version,
    "admin/governance/person/<path:object_id>/reset-factors/": reset_factors,
    "admin/governance/person/<path:object_id>/unlink/": unlink,
    "admin/notices/webhookendpoint/<path:object_id>/enable/": enable_endpoint,
    "admin/overrides/drill/<path:object_id>/approve/": approve_drill,
    "admin/overrides/drill/<path:object_id>/cancel/": cancel_drill,
    "admin/overrides/drill/<path:object_id>/start/": start_drill,
    "admin/systems/<uuid:system_id>/configurations/compare": compare_configurations,
    "admin/systems/<uuid:system_id>/configurations/open": open_configuration,
    "admin/switchboard/switches/<uuid:switch_id>/emergency": clear_emergency,
    "admin/switchboard/tighten": tighten,
    "problems/<slug:code>": a_problem,
    "setup/<str:token>": set_up,
}
"""By the pattern of the address, as tests/personas/routes.py writes it."""

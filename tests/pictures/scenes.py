"""What the pictures of the documentation show beside the demonstration's own content: requests that wait, mostly.

Run inside `manage.py shell` of a demonstration; prints the addresses that cannot be guessed.
"""

from datetime import timedelta

from django.utils import timezone

from audit.services.payload_grants import request_grant
from console.demo.cast import written
from governance.acts import Role
from governance.models import AISystem, Person
from governance.rights import as_actor
from governance.scopes import Scope
from governance.services.assignments import offer_assignment
from governance.services.configurations import store_configuration
from governance.services.dependencies import declare_dependency
from governance.services.promotions import propose_version
from governance.services.versions import register_version
from overrides.services.loosening import request_loosening
from overrides.services.switches import tighten
from overrides.standing import Mode, Node


def person(name: str) -> Person:
    return Person.objects.get(email=f"demo-{name}@example.org")


def system(slug: str) -> AISystem:
    return AISystem.objects.get(slug=slug)


def set_scenes() -> None:
    print("version", _propose_a_version())
    print("grant", _ask_to_read())
    print("leaver", person("head-of-support").pk)
    print("system", system("credit-limits").pk)
    _offer_a_role()
    _stop_and_ask_to_resume()


def _propose_a_version() -> object:
    by, credit = as_actor(person("engineer")), system("credit-limits")
    kept = store_configuration(
        actor=by, system_id=credit.pk, content=written({"threshold": 0.54, "max_limit": 10000, "features": 7})
    )
    made = register_version(
        actor=by, system_id=credit.pk, version="limits-gbm-4.3", name="Gradient boosting, 4.3", provider="In-house",
        model_digest="sha256:" + "5b8e" * 16, config_digest=kept.digest, notes="As 4.2, and looks at the branch.",
    )  # fmt: skip
    for source, use in (
        ("card-applications", "training"),
        ("card-applications", "evaluation"),
        ("credit-bureau", "input"),
    ):
        declare_dependency(actor=by, version_id=made.pk, source=source, use=use, snapshot="2026-10")
    propose_version(
        actor=by, version_id=made.pk, reason="One in a hundred fewer wrong refusals in the branches of the north."
    )
    return made.pk


def _ask_to_read() -> object:
    now = timezone.now()
    return request_grant(
        actor=as_actor(person("auditor")),
        system_id=system("credit-limits").pk,
        since=now - timedelta(days=30),
        until=now,
        ends_at=now + timedelta(days=14),
        reason="Yearly audit, question 4: were refusals explained by what the model was given?",
    ).pk


def _offer_a_role() -> None:
    offer_assignment(
        actor=as_actor(Person.objects.get(email="demo@example.org")),
        person=person("head-of-credit"),
        role=Role.DEPUTY,
        scope=Scope.system(system("support-drafts").pk),
    )


def _stop_and_ask_to_resume() -> None:
    by = as_actor(person("operator"))
    done = tighten(
        actor=by,
        node=Node(system_id=system("cv-triage").pk),
        mode=Mode.STOP,
        reason_code="wrong-outcomes",
        source="page",
    )
    request_loosening(
        actor=by, switch_id=done.switch.pk, epoch=done.switch.epoch, mode=Mode.REVIEW, reason_code="cause-removed",
        evidence_url="https://example.org/incidents/4", note="The parser was rolled back; 40 of 40 samples are right.",
    )  # fmt: skip


set_scenes()

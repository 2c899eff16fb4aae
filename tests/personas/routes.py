"""Every address of the service, with the object of a world in each place that takes one.

A route whose place nobody filled here fails the crawl: what is new says which of the world's things it shows.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver

from audit.models import (
    CorrectiveAction,
    IncidentReport,
    LegalHold,
    PayloadGrant,
    Purge,
    RetentionRule,
    SavedFilter,
    SearchRun,
)
from evidence.models import CustodyRequest, ExplanationLetter, Export
from governance.models import Assignment, DataDependency, ModelVersion, ServiceKey, SystemCard
from governance.models import FailPolicyRequest as PolicyRequest
from ledger.selectors import open_log
from notices.models import Alert, Delivery, Message, WebhookEndpoint
from overrides.models import (
    Appeal,
    Drill,
    DrillFinding,
    LooseningRequest,
    Override,
    ParameterVersion,
    ReviewAssignment,
    ReviewerSkill,
    RuleChange,
    Switch,
    SwitchChange,
)
from tests.personas.world import World

NOWHERE = uuid.UUID("00000000-0000-7000-8000-000000000000")
"""An id that nothing has."""
PLACES = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
Find = Callable[[World], Any]


def _of_system(model: Any, path: str = "system_id", **more: Any) -> Find:
    """The newest row of an AI system."""
    return lambda world: model.objects.filter(**{path: world.system.pk}, **more).order_by("-pk").first().pk


def _text(value: Any) -> Find:
    return lambda world: value


def _model(app: str, name: str) -> Find:
    return _of_system(apps.get_model(app, name))


def _version(world: World) -> Any:
    return ROWS["governance/modelversion"](world)


def _dependency(world: World) -> DataDependency:
    return DataDependency.objects.filter(model_version__system=world.system).order_by("-pk")[0]


def _endpoint(world: World) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(system_ids=[world.system.pk])


def _work(world: World) -> Any:
    return ReviewAssignment.objects.get(person_id=world.staff.reviewer.pk).token


ROWS: dict[str, Find] = {
    "audit/payloadgrant": lambda world: PayloadGrant.objects.get(system_id=world.system.pk).pk,
    "governance/serviceaccount": lambda world: world.account.pk,
    "governance/servicekey": lambda world: ServiceKey.objects.filter(account=world.account).order_by("-pk")[0].pk,
    "governance/assignment": lambda world: Assignment.objects.get(person=world.staff.operator).pk,
    "governance/datasource": lambda world: _dependency(world).source_id,
    "governance/datadependency": lambda world: _dependency(world).pk,
    "governance/environment": lambda world: world.system.environments.get().pk,
    "governance/failpolicyrequest": _of_system(PolicyRequest),
    "governance/person": lambda world: world.staff.operator.pk,
    "governance/aisystem": lambda world: world.system.pk,
    "governance/modelversion": _of_system(ModelVersion, status="proposed"),
    "notices/alert": _of_system(Alert),
    "notices/webhookendpoint": lambda world: _endpoint(world).pk,
    "notices/delivery": lambda world: Delivery.objects.filter(endpoint=_endpoint(world)).order_by("-pk")[0].pk,
    "notices/message": lambda world: Message.objects.filter(person_id=world.staff.owner.pk).order_by("-pk")[0].pk,
    "overrides/drill": _of_system(Drill),
    "overrides/drillfinding": _of_system(DrillFinding, "drill__system_id"),
    "overrides/parameterversion": _of_system(ParameterVersion, "parameter__system_id", status="proposed"),
    "overrides/parameter": lambda world: world.system.parameters.get().pk,
    "overrides/reviewqueue": lambda world: world.queue.pk,
    "overrides/reviewerskill": lambda world: ReviewerSkill.objects.get(person=world.staff.reviewer).pk,
    "overrides/reviewrule": lambda world: world.held.rule_id,
    "overrides/rulechange": _of_system(RuleChange, rule__isnull=False),
    "intake/quarantinedrecord": _model("intake", "quarantinedrecord"),
    "intake/source": _model("intake", "source"),
}
"""The rows of the admin's own pages."""

# the first line whose beginning the route has, and which names the place, is taken
OBJECTS: list[tuple[str, str, Find]] = [
    ("admin/r/", "content_type_id", _text(1)),
    ("admin/r/", "object_id", lambda world: world.system.pk),
    ("admin/your-sign-in/", "kind", _text("app")),
    ("admin/your-sign-in/", "handle", _text("nobody")),
    ("admin/your-sign-in/", "", _text(NOWHERE)),
    ("setup/", "token", _text("nobody")),
    ("problems/", "code", _text(NOWHERE)),
    ("admin/", "decision_id", lambda world: world.decision.id),
    ("api/", "decision_id", lambda world: world.decision.id),
    ("", "part", _text("input")),
    ("admin/overrides/", "answer", _text("agree")),
    ("admin/logs/custody/", "answer", _text("approve")),
    ("admin/logs/custody/", "what", _text("begin_rotation")),
    ("", "custody_id", lambda world: CustodyRequest.objects.order_by("pk")[0].pk),
    ("", "override_id", _of_system(Override)),
    ("", "review_id", lambda world: world.held.pk),
    ("admin/reviews/work/", "token", _work),
    ("api/v1/reviews/work/", "token", _work),
    ("", "appeal_id", _of_system(Appeal)),
    ("admin/cases/", "name", _text("note")),
    ("admin/erasures/begin/", "kind", _text("subject")),
    ("admin/erasures/answers/", "name", _text("refuse")),
    ("admin/erasures/", "name", _text("hold")),
    ("", "erasure_id", lambda world: world.erasure.pk),
    ("", "consent_id", lambda world: world.erasure.consents.get().pk),
    ("", "class_id", lambda world: RetentionRule.objects.get(system_id=world.system.pk).retention_class_id),
    ("admin/retention/", "rule_id", lambda world: RetentionRule.objects.get(system_id=world.system.pk).pk),
    ("api/v1/retention/", "rule_id", lambda world: RetentionRule.objects.get(system_id=world.system.pk).pk),
    ("admin/retention/", "name", _text("refuse")),
    ("", "purge_id", lambda world: Purge.objects.get(parts__contains=[{"system": str(world.system.pk)}]).pk),
    ("admin/holds/", "name", _text("lift")),
    ("", "case_id", lambda world: world.case.pk),
    ("", "action_id", lambda world: CorrectiveAction.objects.get(case=world.case).pk),
    ("", "report_id", lambda world: IncidentReport.objects.get(incident__case=world.case).pk),
    ("admin/exports/", "name", _text("approve")),
    ("", "export_id", lambda world: Export.objects.get(system_id=world.system.pk).pk),
    ("", "hold_id", lambda world: LegalHold.objects.get(case=world.case).pk),
    ("", "system_id", lambda world: world.system.pk),
    ("", "number", _text(1)),
    ("", "other", _text(2)),
    ("", "card_id", _of_system(SystemCard, status="withdrawn")),
    ("admin/accountability/", "name", _text("end")),
    ("", "assignment_id", ROWS["governance/assignment"]),
    ("", "person_id", lambda world: world.staff.operator.pk),
    ("", "log_id", lambda world: open_log(world.system.pk).id),
    ("api/v1/queue-changes/", "change_id", _of_system(RuleChange, queue__isnull=False)),
    ("api/v1/rule-changes/", "change_id", ROWS["overrides/rulechange"]),
    ("", "change_id", _of_system(SwitchChange, "switch__system_id")),
    ("", "switch_id", _of_system(Switch)),
    ("api/v1/fail-policy-requests/", "answer", _text("approve")),
    ("api/v1/fail-policy-requests/", "request_id", ROWS["governance/failpolicyrequest"]),
    ("", "request_id", _of_system(LooseningRequest, "switch__system_id")),
    ("api/v1/systems/", "slug", lambda world: world.system.slug),
    ("api/v1/systems/", "digest", lambda world: ModelVersion.objects.get(pk=_version(world)).config_digest),
    ("admin/systems/", "digest", lambda world: ModelVersion.objects.get(pk=_version(world)).config_digest),
    ("api/v1/data-sources/", "slug", lambda world: _dependency(world).source.slug),
    ("api/v1/review-queues/", "slug", lambda world: world.queue.slug),
    ("", "version_id", _version),
    ("", "dependency_id", lambda world: _dependency(world).pk),
    ("", "endpoint_id", lambda world: _endpoint(world).pk),
    ("", "delivery_id", ROWS["notices/delivery"]),
    ("", "drill_id", ROWS["overrides/drill"]),
    ("api/v1/drills/", "act", _text("start")),
    ("", "filter_id", lambda world: SavedFilter.objects.get(owner_id=world.staff.operator.pk, shared="nobody").pk),
    ("", "run_id", lambda world: SearchRun.objects.get(actor_id=world.staff.operator.pk).pk),
    ("", "language", _text("en")),
    ("", "letter_id", _of_system(ExplanationLetter)),
    ("", "grant_id", ROWS["audit/payloadgrant"]),
    ("", "finding_id", ROWS["overrides/drillfinding"]),
    ("", "parameter_id", lambda world: world.system.parameters.get().pk),
    ("", "rule_id", lambda world: world.held.rule_id),
    ("ofrep/", "key", _text(NOWHERE)),
    ("logs/", "path", _text("0/000.p/1")),
    ("api/v1/logs/", "name", lambda world: open_log(world.system.pk).origin.rpartition("/")[2]),
    ("logs/", "tree_size", _text(1)),
    ("logs/", "authority", _text("nobody")),
    ("logs/", "name", lambda world: open_log(world.system.pk).origin.rpartition("/")[2]),
]
SORTS = {
    "admin/governance/person/": "people",
    "admin/overrides/reviewerskill/": "people",
    "admin/governance/datasource/": "org",
    "api/v1/data-sources": "org",
    "api/v1/people/": "people",
}
"""Addresses of what belongs to no AI system."""
CHANGED_BY_PARAMETER_VERSION = "api/v1/parameter-changes/"
"""Whose `version_id` is of a parameter, not of a model."""


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the resolver, as it is written there."""

    pattern: str
    name: str | None

    @property
    def places(self) -> list[tuple[str, str]]:
        return [(each["kind"] or "str", each["name"]) for each in PLACES.finditer(self.pattern)]

    @property
    def sort(self) -> str:
        """What sort of thing it shows, where that is not something of an AI system's register."""
        return next((sort for start, sort in SORTS.items() if self.pattern.startswith(start)), "reg")

    def at(self, world: World) -> str:
        """Its address for what is in a world."""
        return self._filled(lambda kind, name: find(self.pattern, name)(world))

    def nowhere(self) -> str:
        """Its address for what is not there."""
        return self._filled(_missing)

    def _filled(self, value: Callable[[str, str], Any]) -> str:
        return "/" + PLACES.sub(lambda each: str(value(each["kind"] or "str", each["name"])), self.pattern)


def find(pattern: str, name: str) -> Find:
    """Which of a world's things a place of a route is about. Errors: `LookupError`, for a route nobody said it of."""
    if pattern.startswith(CHANGED_BY_PARAMETER_VERSION):
        return ROWS["overrides/parameterversion"]
    if name == "object_id" and not pattern.startswith("admin/r/"):
        return ROWS["/".join(pattern.split("/")[1:3])]
    for start, place, found in OBJECTS:
        if pattern.startswith(start) and place in (name, ""):
            return found
    raise LookupError(f"{pattern}: say in tests/personas/routes.py what of a world stands for <{name}>")


def routes() -> list[Route]:
    """All there are, each once; the two that are regular expressions as the addresses they match."""
    found = {_readable(pattern): Route(_readable(pattern), name) for pattern, name in _walk(get_resolver())}
    return [route for pattern, route in found.items() if "(?P" not in pattern] + [
        Route(f"admin/{label}/", "app_list") for label in ("audit", "governance", "notices", "overrides", "intake")
    ]


def _walk(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, str | None]]:
    for each in resolver.url_patterns:
        pattern = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield pattern, each.name
        else:
            yield from _walk(each, pattern)


def _readable(pattern: str) -> str:
    return pattern.removeprefix("^")


def _missing(kind: str, name: str) -> Any:
    return {"int": 99, "answer": "approve"}.get(kind, NOWHERE)

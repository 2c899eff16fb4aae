"""What somebody asks for by name who knows more than they should: searches, filters, choices, comparisons."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin

from audit.models import SavedFilter
from evidence.models import ExplanationLetter
from tests.personas.world import World

WORD = "reg-system"
"""Searched for: in the name of both AI systems, and no mark by itself."""
SHARED = "shared"
"""The subject, conversation and trace of decisions in both."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What is asked by sending something: terms and looks at payloads stand in no address."""

    address: str
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def named(self) -> str:
        """All that whoever asks has said: it is no leak where the answer says it again."""
        return "/".join([self.address, *map(str, self.body.values())])


def addresses(near: World, far: World) -> Iterator[str]:
    """Of what is out of scope."""
    yield f"/admin/search/?s={WORD}"
    yield f"/admin/accountability/?q={WORD}"
    yield f"/admin/switchboard/?q={WORD}"
    yield f"/admin/accountability/on-a-day?system={far.system.slug}"
    yield f"/admin/accountability/assign?system={far.system.pk}"
    yield from _decisions(far)
    yield from _bound(near, far)
    for model, pages in admin.site._registry.items():
        place = f"{model._meta.app_label}/{model._meta.model_name}"
        yield f"/admin/{place}/?q={WORD}"
        yield f"/admin/{place}/?_to_field=id&_popup=1&all="
        yield from _choices(model, pages)


def posted(near: World, far: World) -> Iterator[Posted]:
    yield from _searches(far)
    two = f"decision={near.decision.id}&decision={far.decision.id}"
    yield Posted(f"/admin/decisions/compare/inside?{two}")
    both = {"before": str(near.decision.id), "after": str(far.decision.id)}
    for payloads in (False, True):
        yield Posted("/api/v1/decisions/compare", both | {"payloads": payloads})
    trial = f"/admin/systems/{near.system.pk}/letters/en/try"
    yield Posted(trial, {"decision": str(far.decision.id)})
    for world in (near, far):
        yield from _looks(world)


def _decisions(far: World) -> Iterator[str]:
    for page in ("/admin/decisions/", "/api/v1/decisions", "/admin/cases/attach"):
        yield f"{page}?system={far.system.slug}"
        yield f"{page}?outcome={far.named('dec', 'outcome')}"
    for page in ("/admin/decisions/counts", "/api/v1/decisions/counts"):
        yield page
        yield f"{page}?system={far.system.slug}"
    for kept in SavedFilter.objects.filter(system_ids=[far.system.pk]):
        yield f"/api/v1/saved-filters/{kept.pk}"


def _bound(near: World, far: World) -> Iterator[str]:
    """Decisions that point at those of the other AI system, and both sides of a comparison."""
    for world, other in ((near, far), (far, near)):
        yield f"/admin/decisions/{world.bound_to(other).id}/"
        yield f"/api/v1/decisions/{world.bound_to(other).id}"
        yield f"/api/v1/decisions/{world.bound_to(other).id}/neighbours"
    yield f"/admin/decisions/compare?decision={near.decision.id}&decision={far.decision.id}"


def _searches(far: World) -> Iterator[Posted]:
    same_as = str(far.decision.id)
    for page in ("/api/v1/decisions/search", "/admin/decisions/search"):
        for terms in (
            {"subject": SHARED},
            {"subject": far.named("pay", "subject")},
            {"text": "same"},
            {"text": far.named("pay", "text"), "system": far.system.slug},
            *({"same": link, "same_as": same_as} for link in ("subject", "conversation", "trace", "input")),
        ):
            yield Posted(page, terms if page.startswith("/api") else terms | {"period": "7d"})


def _looks(world: World) -> Iterator[Posted]:
    decision = f"/admin/decisions/{world.decision.id}"
    for look in ("payload", "payload/input", "disclosure"):
        yield Posted(f"{decision}/{look}")
    yield Posted(f"/api/v1/decisions/{world.decision.id}/letters/preview", {"language": "en"})
    for letter in ExplanationLetter.objects.filter(system_id=world.system.pk):
        yield Posted(f"/admin/letters/{letter.pk}/")
        yield Posted(f"/admin/letters/{letter.pk}/text")


def _choices(model: type, pages: ModelAdmin) -> Iterator[str]:  # type: ignore[type-arg]
    for each in model._meta.get_fields():  # type: ignore[attr-defined]
        if each.is_relation and each.concrete:
            names = f"app_label={model._meta.app_label}&model_name={model._meta.model_name}"  # type: ignore[attr-defined]
            yield f"/admin/autocomplete/?{names}&field_name={each.name}&term={WORD}"

"""How one knocks at a door: the request or the service by which an act is really done, with something to do it to.

A door is tried inside a sealing that is undone. What lets somebody through is not that it works in the end but that the
answer is no refusal of theirs: then the service went on to look at what was asked.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal

from django.http import HttpResponse
from django.utils import timezone

from audit.models import ErasureConsent, LegalHold, RetentionRule
from config.errors import ServiceError
from evidence.models import Export
from governance.acts import Act
from governance.models import Assignment, ModelVersion, Person
from ledger.selectors import open_log
from overrides.models import Drill, LooseningRequest, Override, RuleChange, Switch
from tests.factories.cases import have_lead
from tests.personas.crawling import Visitor
from tests.personas.routes import ROWS, find
from tests.personas.world import World

Side = Literal["asks", "approves"]
Meet = Callable[[Person, World], object]
Knock = Callable[[Visitor, World], HttpResponse]
ASK: Side = "asks"
AGREE: Side = "approves"
NOT_OFFERED = b"Select a valid choice"
REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


@dataclass(frozen=True, slots=True)
class Door:
    """Where an act is done. `meets`: makes true for a persona the condition that their right has."""

    act: Act
    side: Side
    knock: Knock
    meets: Mapping[str, Meet] = field(default_factory=dict)
    anywhere: bool = False
    """It belongs to no AI system: a right in any of them is enough."""
    refusals: frozenset[HTTPStatus] = frozenset()
    """Other answers that are one: that what was named is not there to be named."""

    def lets_in(self, visitor: Visitor, world: World) -> bool:
        try:
            return not self._refuses(self.knock(visitor, world))
        except ServiceError as refusal:
            return refusal.status not in REFUSED

    def _refuses(self, answer: HttpResponse) -> bool:
        """A page of the admin for a row that is not there leads back; a form refuses a step that it does not offer."""
        leads_back = answer.headers.get("Location") == "/admin/"
        return answer.status_code in REFUSED | self.refusals or leads_back or NOT_OFFERED in answer.content


# --- how one knocks ---------------------------------------------------------------------------------------------------
def sends(method: str, path: str, **body: Any) -> Knock:
    """By the API. What stands in braces, and what can be called, is found in the world."""

    def knock(visitor: Visitor, world: World) -> HttpResponse:
        return visitor.send(method, filled(path, world), {name: value(each, world) for name, each in body.items()})

    return knock


def fills(path: str, **form: Any) -> Knock:
    """By a form of the web admin."""

    def knock(visitor: Visitor, world: World) -> HttpResponse:
        return visitor.fill(filled(path, world), {name: value(each, world) for name, each in form.items()})

    return knock


def opens(path: str) -> Knock:
    return lambda visitor, world: visitor.open(filled(path, world))


def calls(service: Callable[[Person, World], object]) -> Knock:
    """A service that no address leads to: a command asks it, for somebody who has signed in there."""

    def knock(visitor: Visitor, world: World) -> HttpResponse:
        service(visitor.persona.person, world)
        return HttpResponse()

    return knock


def after(prepare: Callable[[World], object], knock: Knock) -> Knock:
    def both(visitor: Visitor, world: World) -> HttpResponse:
        try:
            prepare(world)
        except ServiceError as failure:
            raise RuntimeError("what is to be answered could not be made") from failure
        return knock(visitor, world)

    return both


def filled(path: str, world: World) -> str:
    return path.format_map(Found(world))


def value(given: Any, world: World) -> Any:
    return given(world) if callable(given) else given


class Found(dict[str, str]):
    """What a path may name of a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __missing__(self, name: str) -> str:
        return str(ROWS[f"{name.replace('__', '/')}"](self.world) if "__" in name else THINGS[name](self.world))


def now(**ahead: float) -> Callable[[World], str]:
    return lambda world: (timezone.now() + timedelta(**ahead)).isoformat()


def slug(world: World) -> str:
    return world.system.slug


def switch_of(world: World) -> Switch:
    return Switch.objects.get(system_id=world.system.pk)


def _queue_change(world: World) -> uuid.UUID:
    return RuleChange.objects.filter(system_id=world.system.pk, queue__isnull=False).latest("pk").pk


THINGS: dict[str, Callable[[World], Any]] = {
    "slug": slug,
    "system": lambda world: world.system.pk,
    "decision": lambda world: world.decision.id,
    "untouched": lambda world: world.untouched.id,
    "review": lambda world: world.held.pk,
    "case": lambda world: world.case.pk,
    "queue": lambda world: world.queue.slug,
    "loosening": lambda world: LooseningRequest.objects.get(switch__system_id=world.system.pk).pk,
    "queue_change": _queue_change,
    "appeal": find("", "appeal_id"),
    "export": lambda world: Export.objects.filter(system_id=world.system.pk).earliest("pk").pk,
    "hold": lambda world: LegalHold.objects.get(case=world.case).pk,
    "other_hold": lambda world: LegalHold.objects.get(system_id=world.system.pk).pk,
    "custody": find("", "custody_id"),
    "planned": lambda world: Drill.objects.filter(system=world.system, status="planned").latest("pk").pk,
    "override_asked": lambda world: Override.objects.get(decision_id=world.held.decision_id).pk,
    "erasure_asked": lambda world: world.erasure.consents.get().pk,
    "name_asked": lambda world: ErasureConsent.objects.filter(request__kind="person").latest("pk").pk,
    "restricted": lambda world: world.restricted.id,
    "rule_asked": lambda world: RetentionRule.objects.get(system_id=world.system.pk).pk,
    "offer": lambda world: Assignment.objects.filter(status="proposed").latest("pk").pk,
    "log": lambda world: open_log(world.system.pk).id,
    "promotable": lambda world: ModelVersion.objects.filter(system=world.system, status="registered").latest("pk").pk,
    "approved": lambda world: ModelVersion.objects.get(system=world.system, status="approved").pk,
}


def nothing(person: Person, world: World) -> None:
    """The condition holds as it is."""


AS_IT_IS: Mapping[str, Meet] = {"reviewer": nothing, "investigator": nothing}
"""They have had no part in it, or what they send makes it theirs."""


def leads(person: Person, world: World) -> None:
    """The case is theirs."""
    have_lead(world.case, person)

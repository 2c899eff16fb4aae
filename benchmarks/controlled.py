"""AI systems with controls, and the people who may touch them, made by the services that make them in the product."""

import uuid
from dataclasses import dataclass
from typing import Any

from benchmarks.workload import VERSION
from governance.acts import Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import ORGANISATION, Scope
from governance.services.accounts import register_account
from governance.services.assignments import accept_assignments
from governance.services.cards import publish_card, save_draft, start_card, submit_card
from governance.services.keys import create_service_key
from governance.services.offers import offer_to
from governance.services.people import register_person
from governance.services.systems import register_system
from governance.services.versions import register_version
from ledger.entries import COMMAND, Actor
from ledger.sealing import sealing
from ledger.selectors import open_log
from overrides.services.parameters import define_parameter
from overrides.services.queues import register_queue
from overrides.services.rules import register_rule
from overrides.services.switches import tighten
from overrides.standing import Mode, Node

SWITCHES, RULES = 100, 50
CAPABILITIES = [f"other-{number}" for number in range(SWITCHES)]
"""Those that the switches are for: no decision is of any."""
PARAMETER = "max-amount"
RULES_OF_SCOPE: list[dict[str, Any]] = [
    {"pointer": "/applicant/income_monthly", "check": "range", "minimum": 2000, "required": True},
    {"pointer": "/applicant/months_at_address", "check": "range", "minimum": 0, "maximum": 600},
    {"pointer": "/applicant/employment", "check": "one_of", "values": ["permanent", "temporary"]},
    {"pointer": "/applicant/age_band", "check": "one_of", "values": ["25-34", "35-44", "45-54", "55-64"]},
    {"pointer": "/bureau/score", "check": "range", "minimum": 300, "maximum": 900, "required": True},
    {"pointer": "/bureau/delinquencies_24m", "check": "range", "maximum": 3},
    {"pointer": "/request/requested_limit", "check": "range", "minimum": 500, "maximum": 10_000},
    {"pointer": "/request/channel", "check": "one_of", "values": ["app", "branch"]},
    {"pointer": "/request/currency", "check": "one_of", "values": ["EUR"], "required": True},
    {"pointer": "/request/language", "check": "language", "values": ["de", "en"]},
]
CARD: dict[str, Any] = {
    "purpose": dict.fromkeys(("capabilities", "intended", "affected", "out_of_scope", "limitations", "failures"), "x"),
    "performance": {"results": [{"metric": "AUC", "value": 0.8, "test": "x", "tested_on": "2026-10-01"}]},
    "oversight": {"measures": "x"},
    "data": {"sources": "x"},
    "contacts": {"people": [{"desk": "x", "reached_by": "x"}]},
    "inputs": {"rules": RULES_OF_SCOPE},
}
FILLER = "limit-decrease"
"""The capability whose every decision is held at the place `held`."""
SCOPES = ("control:read", "control:tighten", "decisions:read", "decisions:write")


@dataclass(frozen=True)
class Place:
    """One AI system and its log."""

    slug: str
    system_id: uuid.UUID
    log_id: uuid.UUID


@dataclass(frozen=True)
class Crew:
    """AI systems that differ in their controls alone, a key to all of them, and people."""

    quiet: Place
    """No switch, no rule."""
    loaded: Place
    """100 switches, 50 review rules: of its decisions, every hundredth is to be looked at afterwards."""
    held: Place
    """Of what is proposed, a tenth is held."""
    flooded: Place
    """No switch at the start, no rule."""
    scoped: Place
    """No switch, no rule; its card declares a scope."""
    key: str
    owner: Actor
    operator: Actor
    approver: Actor
    reviewer: Actor


def found() -> Crew:
    owner, operator, approver, reviewer = (_person(name) for name in ("owner", "operator", "approver", "reviewer"))
    systems = [_system(name, owner) for name in ("quiet", "loaded", "held", "flooded", "scoped")]
    give_role(operator, Role.OPERATOR, ORGANISATION)
    give_role(approver, Role.APPROVER, ORGANISATION)
    give_role(reviewer, Role.REVIEWER, ORGANISATION)
    _accept_all(owner)
    account = register_account(actor=COMMAND, slug="controlled", name="Controlled services", owner=owner)
    key = create_service_key(actor=COMMAND, account=account, systems=systems, scopes=SCOPES)
    quiet, loaded, held, flooded, scoped = (Place(each.slug, each.pk, open_log(each.pk).pk) for each in systems)
    crew = Crew(
        quiet=quiet,
        loaded=loaded,
        held=held,
        flooded=flooded,
        scoped=scoped,
        key=key.text,
        owner=Actor("person", owner.pk),
        operator=Actor("person", operator.pk),
        approver=Actor("person", approver.pk),
        reviewer=Actor("person", reviewer.pk),
    )
    _load(crew)
    _hold(crew)
    _declare(crew)
    return crew


def _person(name: str) -> Person:
    return register_person(actor=COMMAND, name=name.title(), email=f"{name}-of-controls@example.org")


def _system(name: str, owner: Person) -> AISystem:
    system = register_system(actor=COMMAND, slug=f"limits-{name}", name=name.title(), accountable=owner)
    register_version(actor=COMMAND, system_id=system.pk, version=VERSION, name="Limits")
    return system


def give_role(person: Person, role: Any, scope: Scope) -> None:
    with sealing() as seal:
        offer_to(seal, actor=COMMAND, person=person, role=role, scope=scope)
    _accept_all(person)


def _accept_all(person: Person) -> None:
    offered = Assignment.objects.filter(person=person, accepted_at=None).values_list("pk", flat=True)
    accept_assignments(actor=Actor("person", person.pk), assignment_ids=list(offered))


# --- what is loaded ---------------------------------------------------------------------------------------------------
def _load(crew: Crew) -> None:
    """Switches for capabilities that no decision has; rules of which the last one matches a hundredth."""
    for number, capability in enumerate(CAPABILITIES):
        node = Node(system_id=crew.loaded.system_id, capability=capability)
        mode = (Mode.STOP, Mode.REVIEW)[number % 2]
        tighten(actor=COMMAND, node=node, mode=mode, reason_code="benchmark", source="command")
    queue_id = _queue(crew, crew.loaded)
    for number in range(RULES - 1):
        _rule(crew, crew.loaded, queue_id, f"none-{number}", _unmet(number))
    _rule(crew, crew.loaded, queue_id, "hundredth", {"share": 0.01})
    define_parameter(
        actor=crew.owner,
        system_id=crew.loaded.system_id,
        name=PARAMETER,
        value_type="number",
        default=1000,
        safe_direction="lower",
        minimum=0,
        maximum=10_000,
    )


def _unmet(number: int) -> dict[str, Any]:
    """Conditions as people write them, of which no decision of the workload meets one."""
    kinds: list[dict[str, Any]] = [
        {"outcome_in": ["refused"], "confidence_below": 0.5 + number / 1000},
        {"outcome_in": [f"escalated-{number}", "reversed"]},
        {"capability_in": [f"other-{number}"], "adverse": True},
        {"label": {"name": "branch", "value": f"branch-{number}"}, "confidence_below": 0.7},
        {"model_version_in": [f"2025-{number}"]},
    ]
    return kinds[number % len(kinds)]


def _hold(crew: Crew) -> None:
    queue_id = _queue(crew, crew.held)
    _rule(crew, crew.held, queue_id, "filler", {"capability_in": [FILLER]})
    _rule(crew, crew.held, queue_id, "tenth", {"share": 0.1})


def _declare(crew: Crew) -> None:
    """A card with a scope, which every twentieth decision or so is outside of."""
    place = Scope.system(crew.scoped.system_id)
    writer = _person("writer")
    give_role(writer, Role.TECHNICAL_OWNER, place)
    by = Actor("person", writer.pk)
    started = start_card(actor=by, system_id=crew.scoped.system_id)
    save = save_draft(actor=by, system_id=crew.scoped.system_id, content=CARD, base=started.number)
    card = submit_card(actor=by, system_id=crew.scoped.system_id, base=save.number)
    publish_card(actor=crew.owner, system_id=crew.scoped.system_id, content_digest=card.content_digest)


def _queue(crew: Crew, place: Place) -> uuid.UUID:
    owner_id = crew.owner.id
    assert owner_id is not None
    queue = register_queue(actor=crew.owner, slug=f"{place.slug}-reviews", owner_id=owner_id, system_id=place.system_id)
    return queue.pk


def _rule(crew: Crew, place: Place, queue_id: uuid.UUID, name: str, condition: dict[str, Any]) -> None:
    values = {"name": name, "queue_id": queue_id, "deadline_s": 86_400, "condition": condition}
    asked = register_rule(actor=crew.operator, system_id=place.system_id, values=values)
    if asked.rule is None:
        raise RuntimeError(f"the rule {name} waits for a second person")

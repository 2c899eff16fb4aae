"""The board: AI systems with the mode in force and whether it reached everybody. Queries do not grow with systems."""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from console.switchboard.answers import Answer, within
from console.switchboard.names import Who, names_of
from console.switchboard.places import Place
from console.switchboard.words import MODES, ModeWords
from governance.acts import Act
from governance.models import AISystem, Environment, Person
from governance.rights import Held, held_by
from governance.scopes import ORGANISATION, Scope
from overrides import switch_selectors as selectors
from overrides.models import ClientInstance, Drill, LooseningRequest, Switch, SwitchChange
from overrides.services.confirming import Confirmation
from overrides.services.drill_debts import Debt, debt_of
from overrides.standing import Control, Mode, Node, SwitchState, strictest

CONCLUDED = (Drill.Status.CONCLUDED.value,)
PLANNED = (Drill.Status.PLANNED.value, Drill.Status.APPROVED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class May:
    """What whoever looks may do at a place."""

    tighten: bool
    loosen: bool
    clear: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A switch that says more than run, with all that is known of it."""

    place: Place
    switch: Switch
    state: SwitchState
    by: str
    change: SwitchChange | None
    answer: Answer | None
    breaches: int
    request: LooseningRequest | None
    asked_by: str
    waits_for_me: bool
    may: May

    @property
    def words(self) -> ModeWords:
        return MODES[self.state.mode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One AI system on the board."""

    place: Place
    system: AISystem
    whole: Standing | None
    """What counts for all of it: its own switch, or one of the whole installation."""
    parts: list[Standing]
    """All others that concern it: of environments, versions and capabilities, or of all of it but less strict."""
    own: Switch | None
    listening: int
    ungoverned: list[str]
    reading: list[str]
    """Service accounts that decide and read the controls, and do not confirm."""
    may: May
    arming: selectors.Arming | None
    """None while no probe says anything."""
    debt: Debt | None
    """The drill that is overdue, where one is."""

    @property
    def mode(self) -> Mode:
        return self.whole.state.mode if self.whole else Mode.RUN

    @property
    def words(self) -> ModeWords:
        return MODES[self.mode]

    @property
    def is_from_above(self) -> bool:
        return self.whole is not None and self.whole.place.node.system_id is None

    @property
    def standings(self) -> list[Standing]:
        return [each for each in (self.whole, *self.parts) if each]

    @property
    def stricter(self) -> list[Standing]:
        """Parts of it that may do less than the whole."""
        return [each for each in self.parts if each.state.mode.severity > self.mode.severity]

    @property
    def environments(self) -> list[str]:
        names: list[str] = self.system.running_in  # type: ignore[attr-defined]  # annotated
        return names

    @property
    def weight(self) -> tuple[object, ...]:
        """What needs somebody comes first."""
        worst = max((each.state.mode.severity for each in self.standings), default=0)
        return (-self.mode.severity, -worst, str(self.system).casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that one person may see."""

    cards: list[Card]
    everywhere: list[Standing]
    everything: Place
    may: May
    """For the whole installation."""

    @property
    def counts(self) -> list[tuple[str, ModeWords, int]]:
        found = [each.mode for each in self.cards]
        return [(mode.value, MODES[mode], found.count(mode)) for mode in reversed(Mode) if mode in found]

    @property
    def said(self) -> str:
        """What a screen reader is told when it changes."""
        lines = {each.switch.pk: each for card in self.cards for each in card.standings} | {
            each.switch.pk: each for each in self.everywhere
        }
        return " ".join(_sentence(each) for each in lines.values()) or "Everything is running."

    @property
    def fingerprint(self) -> str:
        """Other where the page would be: so that what is the same need not be drawn again, every second."""
        cards = [_card_print(each) for each in self.cards]
        drawn = (cards, [_print(each) for each in self.everywhere], self.may, timezone.localdate())
        return hashlib.sha256(repr((drawn, timezone.get_current_timezone_name())).encode()).hexdigest()[:32]

    @property
    def waiting(self) -> list[Standing]:
        """Requests that whoever looks could answer."""
        standings = [*self.everywhere, *(each for card in self.cards for each in card.standings)]
        return list({each.switch.pk: each for each in standings if each.waits_for_me}.values())


def _card_print(card: Card) -> tuple[object, ...]:
    due = card.debt and (card.debt.due_at, card.debt.planned_at)
    clients = card.listening, card.ungoverned, card.reading, card.arming
    standings = [_print(each) for each in card.standings]
    return card.system.pk, str(card.system), card.environments, clients, due, card.may, bool(card.whole), standings


def _print(each: Standing) -> tuple[object, ...]:
    answer, request = each.answer, each.request
    counted = answer and (
        answer.status,
        answer.confirmed,
        answer.seen,
        answer.silent,
        answer.ungoverned,
        answer.reading,
    )
    asked = request and (request.pk, request.mode, each.asked_by, each.waits_for_me)
    return each.switch.pk, each.state, each.by, counted, each.breaches, asked, each.may


def _sentence(each: Standing) -> str:
    answered = f", {each.answer.in_words}" if each.answer else ""
    return f"{each.place}: {each.words.state}{answered}."


def board_of(person: Person, asked: str = "") -> Board:
    """The board, for the AI systems whose name holds what was asked for."""
    held = held_by(person)
    touched = held.systems_touched()
    systems = list(_systems(touched, asked))
    facts = _facts(held, systems, None if touched is None and not asked else [each.pk for each in systems])
    cards = sorted((_card(facts, each) for each in systems), key=lambda card: card.weight)
    everything = Place(node=Node(), system=None)
    above = [facts.standing(each) for each in facts.switches if each.system_id is None and each.pk in facts.states]
    return Board(cards=cards, everywhere=above, everything=everything, may=_may(held, ORGANISATION))


def card_of(person: Person, system_id: uuid.UUID) -> Card | None:
    """One AI system of the board; None where there is none that they may see."""
    held = held_by(person)
    touched = held.systems_touched()
    if touched is not None and system_id not in touched:
        return None
    system = _systems(None, "").filter(pk=system_id).first()
    return _card(_facts(held, [system], [system_id]), system) if system else None


def _systems(touched: Collection[uuid.UUID] | None, asked: str) -> QuerySet[AISystem]:
    places = Environment.objects.filter(system=OuterRef("pk"), ended_at=None).order_by("slug").values("slug")
    found = AISystem.objects.exclude(status=AISystem.Status.RETIRED).annotate(running_in=ArraySubquery(places))
    found = found.annotate(drilled_at=_drills("ended_at", CONCLUDED), drill_planned_at=_drills("starts_at", PLANNED))
    if touched is not None:
        found = found.filter(pk__in=touched)
    return found.filter(Q(name__icontains=asked) | Q(slug__icontains=asked)) if asked else found


def _drills(column: str, statuses: tuple[str, ...]) -> Subquery:
    """The latest such moment of the AI system's drills. Probes are none."""
    rows = Drill.objects.filter(system=OuterRef("pk"), status__in=statuses, **{f"{column}__isnull": False})
    return Subquery(rows.exclude(type=Drill.Type.PROBE).order_by(f"-{column}").values(column)[:1])


def _overdue(system: AISystem) -> Debt | None:
    if system.status != AISystem.Status.LIVE:
        return None
    known: Any = system  # annotated
    debt = debt_of(system, known.drilled_at, known.drill_planned_at)
    return debt if debt.is_overdue(timezone.now()) else None


def _may(held: Held, scope: Scope) -> May:
    return May(
        tighten=held.can(Act.SWITCH_TIGHTEN, scope),
        loosen=held.can(Act.SWITCH_LOOSEN, scope),
        clear=held.can(Act.SWITCH_EMERGENCY_CLEAR, scope),
    )


def _scope(node: Node) -> Scope:
    """Without a look at versions: whoever holds a right in one version alone acts on that version's own page."""
    if node.system_id is None:
        return ORGANISATION
    return Scope.of_capability(node.system_id, node.capability) if node.capability else Scope.system(node.system_id)


@dataclass(slots=True, kw_only=True)
class _Facts:
    """Everything the board needs, each read once."""

    held: Held
    systems: Mapping[uuid.UUID, AISystem]
    switches: list[Switch]
    control: Control
    states: Mapping[uuid.UUID, SwitchState]
    changes: Mapping[uuid.UUID, SwitchChange]
    confirmations: Mapping[uuid.UUID, Confirmation]
    breaches: Mapping[tuple[uuid.UUID, uuid.UUID], int]
    requests: Mapping[uuid.UUID, LooseningRequest]
    names: Mapping[Who, str]
    listening: Mapping[uuid.UUID, int]
    arming: Mapping[uuid.UUID, selectors.Arming]
    unconfirming: Mapping[uuid.UUID, selectors.Unconfirming]
    by_system: Mapping[uuid.UUID | None, list[Switch]] = field(default_factory=dict)

    def standing(self, switch: Switch, within_system: uuid.UUID | None = None) -> Standing:
        request, change = self.requests.get(switch.pk), self.changes.get(switch.pk)
        scope = _scope(switch.node)
        return Standing(
            place=Place(node=switch.node, system=self.systems.get(switch.system_id) if switch.system_id else None),
            switch=switch,
            state=self.states[switch.pk],
            by=self.names.get((switch.changed_by_type, switch.changed_by_id), "somebody"),
            change=change,
            answer=self._answer(change, within_system if switch.system_id is None else None),
            breaches=self._breaches(switch, within_system),
            request=request,
            asked_by=self.names.get(("person", request.requested_by_id), "somebody") if request else "",
            waits_for_me=bool(request) and self._waits(request, scope),
            may=_may(self.held, scope),
        )

    def _waits(self, request: LooseningRequest | None, scope: Scope) -> bool:
        return request is not None and self.held.may_approve(
            Act.SWITCH_LOOSEN, scope, requested_by=request.requested_by_id
        )

    def _answer(self, change: SwitchChange | None, within_system: uuid.UUID | None) -> Answer | None:
        if change is None:
            return None
        found = self.confirmations[change.pk]
        return Answer(within(found, within_system) if within_system else found)

    def _breaches(self, switch: Switch, within_system: uuid.UUID | None) -> int:
        places = [within_system] if within_system else self.systems
        return sum(self.breaches.get((each, switch.pk), 0) for each in places)


def _facts(held: Held, systems: Collection[AISystem], reach: Collection[uuid.UUID] | None) -> _Facts:
    switches = selectors.switches_of(reach)
    control = selectors.control_of(switches)
    states = {each.id: each for each in (*control.everywhere, *_flat(control.by_system.values()))}
    said = [each for each in switches if each.pk in states]
    clients = selectors.listening(reach)
    changes, requests = selectors.latest_changes(said), selectors.open_loosenings(said)
    return _Facts(
        held=held,
        systems={each.pk: each for each in systems},
        switches=switches,
        control=control,
        states=states,
        changes=changes,
        confirmations=selectors.confirmations_of(changes.values()),
        breaches=selectors.breaches_of(said),
        requests=requests,
        names=names_of(_actors(said, requests.values())),
        listening=_counted(clients),
        arming=selectors.arming_of(clients),
        unconfirming=selectors.unconfirming_in(reach),
        by_system=_grouped(switches),
    )


def _flat(groups: Iterable[Iterable[SwitchState]]) -> list[SwitchState]:
    return [each for group in groups for each in group]


def _grouped(switches: Iterable[Switch]) -> dict[uuid.UUID | None, list[Switch]]:
    found: dict[uuid.UUID | None, list[Switch]] = defaultdict(list)
    for switch in switches:
        found[switch.system_id].append(switch)
    return found


def _counted(instances: Iterable[ClientInstance]) -> dict[uuid.UUID, int]:
    counts: dict[uuid.UUID, int] = defaultdict(int)
    for each in instances:
        counts[each.system_id] += 1
    return counts


def _actors(switches: Iterable[Switch], requests: Iterable[LooseningRequest]) -> list[Who]:
    changed = [(each.changed_by_type, each.changed_by_id) for each in switches]
    return [*changed, *(("person", each.requested_by_id) for each in requests)]


def _card(facts: _Facts, system: AISystem) -> Card:
    own = facts.by_system.get(system.pk, [])
    all_of_it = Node(system_id=system.pk)
    whole = strictest(each for each in facts.control.switches_of(system.pk) if each.node.contains(all_of_it))
    rows = {each.pk: each for each in (*own, *facts.by_system.get(None, []))}
    parts = [rows[each.id] for each in facts.control.switches_of(system.pk) if each is not whole]
    scope = Scope.system(system.pk)
    unconfirming = facts.unconfirming.get(system.pk, selectors.Unconfirming())
    return Card(
        place=Place(node=all_of_it, system=system),
        system=system,
        whole=facts.standing(rows[whole.id], system.pk) if whole else None,
        parts=[facts.standing(each, system.pk) for each in parts],
        own=next((each for each in own if each.node == all_of_it), None),
        listening=facts.listening.get(system.pk, 0),
        ungoverned=sorted(unconfirming.ungoverned),
        reading=sorted(unconfirming.reading),
        may=_may(facts.held, scope),
        arming=facts.arming.get(system.pk),
        debt=_overdue(system),
    )

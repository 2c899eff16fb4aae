"""Reading switches, their changes and what clients said of them: for pages, many at once and in few queries."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from overrides.models import BreachCount, ClientInstance, LooseningRequest, Probe, Review, Switch, SwitchChange
from overrides.models.reviews import OPEN
from overrides.reading import state_of
from overrides.services import confirming, probing
from overrides.services.confirming import Confirmation
from overrides.services.expecting import HEARD_WITHIN, POSTED_WITHIN, deciders
from overrides.standing import Control, Epoch, Mode, Node, SwitchState, lapsed, strictest

SHOWN_CHANGES = 100
MOST_COUNTED = 1_000

Systems = Collection[uuid.UUID] | None
"""AI systems to look at; None means all."""


def of_systems(systems: Systems) -> Q:
    """Rows of these AI systems, and of the whole installation."""
    return Q() if systems is None else Q(system_id__in=systems) | Q(system_id=None)


def switches_of(systems: Systems) -> list[Switch]:
    """The switches that concern these AI systems, the newest change first."""
    return list(Switch.objects.filter(of_systems(systems)).order_by("-generation", "-number"))


def control_of(switches: Iterable[Switch]) -> Control:
    """What is in force by these switches, now: emergency clears that are over say stop."""
    by_system = defaultdict(list)
    for switch in sorted(switches, key=lambda each: each.epoch):
        if switch.mode != Mode.RUN:
            by_system[switch.system_id].append(state_of(switch))
    everywhere = tuple(by_system.pop(None, ()))
    found = {system_id: tuple(states) for system_id, states in by_system.items() if system_id}
    return lapsed(Control(everywhere=everywhere, by_system=found), timezone.now())


def standing_control(systems: Systems = None) -> Control:
    """What is in force, from the database: one query."""
    return control_of(Switch.objects.filter(of_systems(systems)).exclude(mode=Mode.RUN))


def mode_at(control: Control, node: Node) -> Mode:
    """The mode in force in all of a place: what only a part of it is set to does not count."""
    states = control.everywhere if node.system_id is None else control.switches_of(node.system_id)
    found = strictest(each for each in states if each.node.contains(node))
    return found.mode if found else Mode.RUN


def strictest_modes(systems: Collection[uuid.UUID]) -> dict[uuid.UUID, Mode]:
    """By AI system, the strictest mode in force in any part of it: where one looks for what needs a look."""
    control = standing_control(systems)
    return {
        each: max((s.mode for s in control.switches_of(each)), key=lambda mode: mode.severity, default=Mode.RUN)
        for each in systems
    }


def control_without(control: Control, switch: Switch, mode: Mode) -> Control:
    """What would be in force if a switch said something else."""

    def put(states: Iterable[SwitchState]) -> tuple[SwitchState, ...]:
        changed = replace(state_of(switch), mode=mode, expires_at=None)
        kept = tuple(each for each in states if each.id != switch.pk)
        return kept if mode is Mode.RUN else (*kept, changed)

    if switch.system_id is None:
        return replace(control, everywhere=put(control.everywhere))
    here = put(control.by_system.get(switch.system_id, ()))
    return replace(control, by_system={**control.by_system, switch.system_id: here})


def latest_changes(switches: Collection[Switch]) -> dict[uuid.UUID, SwitchChange]:
    """By switch, the change that made it say what it says."""
    is_latest = Q(generation=F("switch__generation"), number=F("switch__number"))
    found = SwitchChange.objects.filter(is_latest, switch__in=[each.pk for each in switches])
    return {each.switch_id: each for each in found.select_related("switch")}


def confirmations_of(changes: Collection[SwitchChange]) -> dict[uuid.UUID, Confirmation]:
    """By change, who confirmed it: as `confirmation_of`, in one query."""
    wanted = {instance for each in changes for instance in each.expected.get("instances", [])}
    rows = ClientInstance.objects.filter(pk__in=wanted).order_by("instance", "id")
    known = {str(each.pk): each for each in rows}
    return {each.pk: _confirmation(each, known) for each in changes}


def _confirmation(change: SwitchChange, known: Mapping[str, ClientInstance]) -> Confirmation:
    expected = change.expected.get("instances", [])
    found = sorted((known[each] for each in expected if each in known), key=lambda each: (each.instance, each.pk))
    return confirming.confirmation_by(change, found)


def listening(systems: Systems) -> list[ClientInstance]:
    """The clients that were heard of within three heartbeats."""
    heard = ClientInstance.objects.filter(heard_at__gte=timezone.now() - HEARD_WITHIN)
    return list(heard if systems is None else heard.filter(system_id__in=systems))


@dataclass(frozen=True, slots=True)
class Arming:
    """Of the clients listening, who would have obeyed a stop: they applied the probes that were sent to them."""

    armed: int = 0
    not_armed: int = 0
    since: datetime | None = None
    """When the first probe went out that one of them did not apply; a day ago at most."""


def arming_of(clients: Iterable[ClientInstance]) -> dict[uuid.UUID, Arming]:
    """By AI system; empty while no probe was ever sent. One query."""
    now = timezone.now()
    sent = Probe.objects.filter(sent_at__lte=now - probing.PATIENCE, sent_at__gte=now - probing.SHOWN)
    probes = list(sent.order_by("generation", "number"))
    found: dict[uuid.UUID, list[probing.Armed]] = defaultdict(list)
    for each in clients if probes else ():
        found[each.system_id].append(probing.judge(each, probes, None, now))
    return {system_id: _arming(judged) for system_id, judged in found.items()}


def _arming(judged: Collection[probing.Armed]) -> Arming:
    deaf = [each.since for each in judged if each.state == "not_armed" and each.since]
    armed = sum(each.state == "armed" for each in judged)
    return Arming(armed=armed, not_armed=len(deaf), since=min(deaf, default=None))


@dataclass(frozen=True, slots=True)
class Unconfirming:
    """Service accounts that decide in an AI system and acknowledge nothing."""

    ungoverned: set[str] = field(default_factory=set)
    """They never ask."""
    reading: set[str] = field(default_factory=set)
    """They read the controls, and do not confirm what they make of them."""


def unconfirming_in(systems: Systems) -> Mapping[uuid.UUID, Unconfirming]:
    """By AI system: three queries for all."""
    now = timezone.now()
    heard = ClientInstance.objects.filter(heard_at__gte=now - POSTED_WITHIN)
    acknowledging = set(heard.values_list("system_id", "account_id").distinct())
    found: dict[uuid.UUID, Unconfirming] = defaultdict(Unconfirming)
    for each in deciders(now):
        for system_id in each.key.system_ids:
            if (systems is None or system_id in systems) and (system_id, each.key.account_id) not in acknowledging:
                kind = found[system_id].reading if each.is_reading else found[system_id].ungoverned
                kind.add(str(each.key.account))
    return found


def breaches_of(switches: Collection[Switch]) -> dict[tuple[uuid.UUID, uuid.UUID], int]:
    """How many effective decisions came against what each switch says now: by AI system and switch."""
    epochs = {each.pk: each.epoch for each in switches}
    rows = BreachCount.objects.filter(switch_id__in=epochs)
    current = (each for each in rows if epochs[each.switch_id] == Epoch(each.generation, each.number))
    return {(each.system_id, each.switch_id): each.count for each in current}


def open_loosenings(switches: Collection[Switch]) -> dict[uuid.UUID, LooseningRequest]:
    """By switch, the request to loosen it that waits for somebody and still counts."""
    found = LooseningRequest.objects.filter(
        switch__in=[each.pk for each in switches],
        status=LooseningRequest.Status.OPEN,
        expires_at__gt=timezone.now(),
        generation=F("switch__generation"),
        number=F("switch__number"),
    )
    return {each.switch_id: each for each in found.select_related("switch")}


def changes_of(switch: Switch) -> list[SwitchChange]:
    """The last changes of a switch, the newest first."""
    return list(switch.changes.order_by("-generation", "-number").select_related("switch")[:SHOWN_CHANGES])


def changes_at(system_id: uuid.UUID, limit: int) -> list[SwitchChange]:
    """The last changes of all switches that reach into an AI system, the newest first."""
    found = SwitchChange.objects.filter(Q(switch__system_id=system_id) | Q(switch__system_id=None))
    return list(found.order_by("-generation", "-number").select_related("switch")[:limit])


def changes_since(node: Node, epoch: Epoch, before: Epoch | None = None) -> list[SwitchChange]:
    """What was changed after an epoch (and before another) of switches that share something with a node."""
    after = Q(generation=epoch.generation, number__gt=epoch.number) | Q(generation__gt=epoch.generation)
    found = SwitchChange.objects.filter(after, Q(switch__system_id=node.system_id) | Q(switch__system_id=None))
    recent = found.select_related("switch").order_by("generation", "number")[:SHOWN_CHANGES]
    return [each for each in recent if _touch(each.switch.node, node) and (before is None or each.epoch < before)]


def _touch(one: Node, other: Node) -> bool:
    return one.contains(other) or other.contains(one)


def held_reviews(node: Node) -> int:
    """How many proposed decisions wait for a person there; counted to a thousand. Of an environment at most."""
    waiting = Review.objects.filter(status__in=OPEN, phase="proposed")
    if node.system_id is not None:
        waiting = waiting.filter(system_id=node.system_id)
    if node.environment:
        waiting = waiting.filter(environment=node.environment)
    return len(waiting.values_list("pk", flat=True)[:MOST_COUNTED])


def seconds_between(earlier: datetime, later: datetime | None) -> float | None:
    """For percentiles; None where the later moment is not known."""
    return None if later is None else max(0.0, (later - earlier) / timedelta(seconds=1))

"""The directive: what a caller must do with a decision. Computed here and nowhere else.

From memory alone, no query: it is what memory knew, with its epoch. Directives are made once for what they say and
then shared: intake knows them by identity.
"""

import uuid
from dataclasses import dataclass, field

from governance import memory as register_memory
from overrides import memory
from overrides.conditions import Draw
from overrides.memory import Controls
from overrides.review_rules import DecisionFacts, Kind, Rule, first_of, kind_of, rules_for
from overrides.standing import Control, Mode, SwitchState, strictest

__all__ = ["ACTIONS", "DecisionFacts", "Directive", "directive_for", "more_restrictive"]

ACTIONS = ("proceed", "hold", "fallback", "stop")
"""In order: the later one is the more restrictive."""
ACTION_OF = {Mode.RUN: "proceed", Mode.REVIEW: "hold", Mode.FALLBACK: "fallback", Mode.STOP: "stop"}


@dataclass(frozen=True, slots=True)
class Directive:
    """What to do, why, and for how long a caller may take it as known."""

    action: str
    mode: str
    epoch: str
    reason_code: str | None = None
    valid_for_s: int = 5
    review_id: uuid.UUID | None = None
    switch: SwitchState | None = field(default=None, compare=False)
    """The switch that counts, where one says more than run."""
    earnest: SwitchState | None = field(default=None, compare=False)
    """The switch that a decision must not take effect against: `switch`, or what would count without a drill's."""
    rule: Rule | None = field(default=None, compare=False)
    """The rule that asks for a review, before the decision takes effect or after, or says how a switch's is done."""

    @property
    def asks_for_review(self) -> bool:
        return self.rule is not None or self.action == "hold"


Place = tuple[uuid.UUID, str, str, str]
MAX_MADE = 10_000


@dataclass(slots=True)
class _Directives:
    """The directives of one snapshot, made as they are needed."""

    controls: Controls
    proceed: Directive
    is_quiet: bool
    """No switch and no rule: nearly always so."""
    made: dict[tuple[object, ...], Directive] = field(default_factory=dict)
    found: dict[Place, SwitchState | None] = field(default_factory=dict)
    """The switch that counts, by place: few places occur, and each is looked for once a snapshot."""
    narrowed: dict[tuple[uuid.UUID, Kind], tuple[Rule, ...]] = field(default_factory=dict)
    """The rules that a kind of decision can meet: few kinds occur, and most rules are for others."""

    @classmethod
    def of(cls, controls: Controls) -> "_Directives":
        control = controls.control
        is_quiet = not (control.everywhere or control.by_system or controls.rules)
        return cls(controls, Directive(action="proceed", mode="run", epoch=str(control.epoch)), is_quiet)

    def switch_for(self, place: Place) -> SwitchState | None:
        try:
            return self.found[place]
        except KeyError:
            if len(self.found) >= MAX_MADE:
                self.found.clear()
            found = self.found[place] = self.controls.control.in_force(*place)
            return found

    def rules_for(
        self, system_id: uuid.UUID, environment: str, facts: DecisionFacts, model_version: str
    ) -> tuple[Rule, ...]:
        key = (system_id, kind_of(environment, facts, model_version))
        try:
            return self.narrowed[key]
        except KeyError:
            if len(self.narrowed) >= MAX_MADE:
                self.narrowed.clear()
            rules = self.controls.rules[system_id]
            found = self.narrowed[key] = rules_for(rules, environment, facts, model_version)
            return found

    def rule_for(
        self,
        system_id: uuid.UUID,
        environment: str,
        facts: DecisionFacts,
        model_version: str,
        draw: Draw | None,
    ) -> Rule | None:
        """The first rule that asks for a person to look at this decision."""
        if system_id not in self.controls.rules:
            return None
        rules = self.rules_for(system_id, environment, facts, model_version)
        return first_of(rules, facts, model_version, draw)

    def make_room(self) -> None:
        """Before one more is kept."""
        if len(self.made) >= MAX_MADE:
            self.made.clear()


_newest = _Directives.of(Controls())


def directive_for(
    *,
    system_id: uuid.UUID,
    environment: str,
    model_version: str,
    facts: DecisionFacts,
    draw: Draw | None = None,
) -> Directive:
    """The directive for one decision, now: the strictest switch, else the first rule that asks for a person.

    A rule holds what is proposed; what took effect already proceeds, and is looked at afterwards. Where a switch has
    everything looked at, a rule that matches still says how: two reviewers stay two.
    """
    global _newest
    controls = memory.current()
    directives = _newest
    if directives.controls is not controls:
        directives = _newest = _Directives.of(controls)
    if directives.is_quiet:
        return directives.proceed
    control, proceed = controls.control, directives.proceed
    if control.everywhere or system_id in control.by_system:
        place = (system_id, environment, model_version, facts.capability or "")
        switch = directives.switch_for(place)
        if switch is not None and _stands_in(switch, system_id, model_version):
            proceed, switch = _standing_in(directives, switch), _besides_fallback(control, place)
        if switch is not None and switch.mode is not Mode.REVIEW:
            return _by_switch(directives, switch, place, None)
        if switch is not None:
            rule = directives.rule_for(system_id, environment, facts, model_version, draw)
            return _by_switch(directives, switch, place, rule)
    rule = directives.rule_for(system_id, environment, facts, model_version, draw)
    return proceed if rule is None else _by_rule(directives, rule, facts.phase != "proposed", proceed.mode)


def _by_switch(directives: _Directives, switch: SwitchState, place: Place, rule: Rule | None) -> Directive:
    earnest: SwitchState | None = switch
    if switch.drill_id is not None:  # what is done against a drill is the drill's finding, and no breach
        earnest = _besides_drills(directives.controls.control, place)
    key = (switch.id, earnest and earnest.id, rule and rule.id)
    found = directives.made.get(key)
    if found is None:
        directives.make_room()
        found = directives.made[key] = Directive(
            action=ACTION_OF[switch.mode],
            mode=switch.mode.value,
            epoch=str(directives.controls.control.epoch),
            reason_code=switch.reason_code,
            switch=switch,
            earnest=earnest,
            rule=rule,
        )
    return found


def _besides_drills(control: Control, place: Place) -> SwitchState | None:
    system_id, *rest = place
    found = (each for each in control.switches_of(system_id) if each.drill_id is None)
    return strictest(each for each in found if each.node.covers(*rest))


def _stands_in(switch: SwitchState, system_id: uuid.UUID, model_version: str) -> bool:
    """What stands in for a system in fallback proceeds: told to fall back it would have nowhere to go."""
    system = register_memory.current().system_by_id(system_id) if switch.mode is Mode.FALLBACK else None
    return system is not None and (system.fallback_kind, system.fallback) == ("model_version", model_version)


def _besides_fallback(control: Control, place: Place) -> SwitchState | None:
    """What else covers it: that there is somewhere to fall back to does not take away a review."""
    system_id, *rest = place
    found = (each for each in control.switches_of(system_id) if each.mode is not Mode.FALLBACK)
    return strictest(each for each in found if each.node.covers(*rest))


def _standing_in(directives: _Directives, switch: SwitchState) -> Directive:
    key = (switch.id, "stands in")
    found = directives.made.get(key)
    if found is None:
        epoch = directives.proceed.epoch
        found = Directive(action="proceed", mode=switch.mode.value, epoch=epoch, reason_code=switch.reason_code)
        directives.made[key] = found
    return found


def _by_rule(directives: _Directives, rule: Rule, is_effective: bool, mode: str) -> Directive:
    key = (rule.id, is_effective, mode)
    found = directives.made.get(key)
    if found is None:
        directives.make_room()
        found = directives.made[key] = Directive(
            action="proceed" if is_effective else "hold",
            mode=mode,
            epoch=directives.proceed.epoch,
            reason_code=None if is_effective else rule.reason_code,
            rule=rule,
        )
    return found


def more_restrictive(first: Directive, second: Directive) -> Directive:
    """Of two directives the one that allows less; the first where they allow the same."""
    return second if ACTIONS.index(second.action) > ACTIONS.index(first.action) else first

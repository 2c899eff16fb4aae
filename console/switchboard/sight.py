"""What of a switch's pages somebody may see: whatever their board links to, opens."""

import uuid
from dataclasses import dataclass, replace
from typing import Self

from governance.models import AISystem, Person
from governance.rights import held_by
from overrides import switch_selectors as selectors
from overrides.models import Switch
from overrides.services.confirming import Confirmation


@dataclass(frozen=True, slots=True)
class Sight:
    """A look at one switch. One of everything concerns whoever holds anything; of it they see their own clients."""

    switch: Switch
    is_there: bool
    systems: frozenset[uuid.UUID] | None
    """Those of which they may see more than figures; None: all."""

    @classmethod
    def of(cls, person: Person, switch: Switch) -> Self:
        held = held_by(person)
        touched = held.systems_touched()
        concerned = touched is None or switch.system_id in touched
        return cls(switch, concerned or (switch.system_id is None and bool(held.roles)), touched)

    def within(self, confirmation: Confirmation) -> Confirmation:
        """Whose clients one may know of. Which system a service account decides in, a change of everything does not
        say: its names are for those who see everything."""
        if self.systems is None:
            return confirmation
        known = self.systems
        seen = replace(
            confirmation,
            confirmed=[each for each in confirmation.confirmed if each.system_id in known],
            seen=[each for each in confirmation.seen if each.system_id in known],
            silent=[each for each in confirmation.silent if each.system_id in known],
        )
        return replace(seen, ungoverned=[], reading=[]) if self.switch.system_id is None else seen

    def breaches(self) -> int:
        """Decisions against what the switch says now."""
        found = selectors.breaches_of([self.switch])
        return sum(
            count for (system_id, _), count in found.items() if self.systems is None or system_id in self.systems
        )

    def reached(self) -> list[AISystem]:
        """The AI systems that the switch concerns, of those one may see."""
        found = AISystem.objects.exclude(status=AISystem.Status.RETIRED)
        if self.switch.system_id is not None:
            return list(AISystem.objects.filter(pk=self.switch.system_id))
        return list(found if self.systems is None else found.filter(pk__in=self.systems))

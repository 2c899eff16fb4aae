"""Documents kept for as long as the snapshots of which they were made are the newest ones."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from governance import memory as register_memory
from governance.register import KeyGrant, Register
from overrides import memory
from overrides.clients.reach import Sight, reach_of
from overrides.memory import Controls

MAX_DOCUMENTS = 1_000

T = TypeVar("T")


@dataclass(slots=True)
class Shelf:
    """What was made of one snapshot of the controls and one of the register. A newer one makes an empty shelf.

    Threads may make the same document twice at once; both are the same, and one stays.
    """

    controls: Controls
    register: Register
    made: dict[Hashable, tuple[datetime, Any]] = field(default_factory=dict)

    def is_of(self, controls: Controls, register: Register) -> bool:
        return self.controls is controls and self.register is register

    def take(self, name: Hashable, sight: Sight, make: Callable[[Sight], T]) -> T:
        """The document of that name for whoever has this reach, made where it is not there or has run out."""
        key = (name, sight.reach, sight.is_stale)
        found = self.made.get(key)
        if found is not None and sight.now < found[0]:
            kept: T = found[1]
            return kept
        document = make(sight)
        if len(self.made) >= MAX_DOCUMENTS:
            self.made.clear()
        self.made[key] = (sight.holds_until(), document)
        return document


_shelf = Shelf(Controls(), Register())


def shelf_of(controls: Controls, register: Register) -> Shelf:
    """The shelf of these snapshots."""
    global _shelf
    shelf = _shelf
    if not shelf.is_of(controls, register):
        shelf = _shelf = Shelf(controls, register)
    return shelf


def sight_of(grant: KeyGrant, now: datetime | None = None) -> Sight:
    """What a key sees now, from memory. Reads the database only where a process has never read it before."""
    return Sight(
        controls=memory.current(),
        register=grant.register,
        reach=reach_of(grant),
        is_stale=memory.is_stale() or register_memory.is_stale(),
        now=now or datetime.now(UTC),
    )


def document_for(name: Hashable, sight: Sight, make: Callable[[Sight], T]) -> T:
    """A document for whoever sees this, out of the shelf where it stands there."""
    return shelf_of(sight.controls, sight.register).take(name, sight, make)

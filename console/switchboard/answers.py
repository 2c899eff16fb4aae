"""What clients answered to a change, as pages say it: counted, with times, one by one."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from console.switchboard import words
from overrides.models import ClientInstance, SwitchChange
from overrides.services.confirming import Confirmation
from overrides.switch_selectors import seconds_between

Status = SwitchChange.Status
SHOWN_CLIENTS = 200
"""In the table; times are taken over all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How far a change has come. Clients are those that acknowledge; keys that never ask stand beside them."""

    confirmation: Confirmation

    @property
    def change(self) -> SwitchChange:
        return self.confirmation.change

    @property
    def confirmed(self) -> int:
        return len(self.confirmation.confirmed)

    @property
    def seen(self) -> int:
        return len(self.confirmation.seen)

    @property
    def silent(self) -> int:
        return len(self.confirmation.silent) + self.confirmation.gone

    @property
    def clients(self) -> int:
        return self.confirmed + self.seen + self.silent

    @property
    def ungoverned(self) -> int:
        return len(self.confirmation.ungoverned)

    @property
    def reading(self) -> int:
        return len(self.confirmation.reading)

    @property
    def is_nobody(self) -> bool:
        return not self.confirmation.expected

    @property
    def status(self) -> str:
        return self._shown[0]

    @property
    def tone(self) -> str:
        return self._shown[1]

    @property
    def _shown(self) -> tuple[str, str]:
        found = self.confirmation
        if self.is_nobody:
            return words.NOBODY
        if found.status in (Status.REQUESTED, Status.PROPAGATING) and not (found.seen or found.silent):
            # every client has answered, and accounts that never do are left: nothing more is on its way
            return words.STATUS[Status.PARTIAL if found.applied else Status.UNCONFIRMED]
        return words.STATUS[found.status]

    @property
    def in_words(self) -> str:
        """`12 of 14 clients confirmed`. Nobody to ask is said, and never taken for everybody."""
        if self.is_nobody:
            return "nobody is listening"
        if not self.clients:
            return "no client acknowledges"
        return f"{self.confirmed} of {self.clients} {'client' if self.clients == 1 else 'clients'} confirmed"


def within(confirmation: Confirmation, system_id: uuid.UUID) -> Confirmation:
    """The part of a change of everything that concerns one AI system's clients."""

    def own(instances: Iterable[ClientInstance]) -> list[ClientInstance]:
        return [each for each in instances if each.system_id == system_id]

    return replace(
        confirmation,
        confirmed=own(confirmation.confirmed),
        seen=own(confirmation.seen),
        silent=own(confirmation.silent),
        gone=0,
        ungoverned=[],
        reading=[],
    )


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from the request until something was heard, over the clients of which it is known exactly."""

    values: Sequence[float] = field(default_factory=list)

    @property
    def median(self) -> float | None:
        return self._at(0.5)

    @property
    def p95(self) -> float | None:
        return self._at(0.95)

    @property
    def longest(self) -> float | None:
        return max(self.values, default=None)

    def _at(self, share: float) -> float | None:
        """Nearest rank: a value that was measured, never one between two."""
        ordered = sorted(self.values)
        return ordered[max(0, -(-len(ordered) * int(share * 100) // 100) - 1)] if ordered else None


@dataclass(frozen=True, slots=True)
class ClientLine:
    """One expected client."""

    instance: ClientInstance
    word: str
    tone: str
    system: str
    seen: float | None
    applied: float | None
    drained: float | None


SORTS = (("silent", "silent", "bad"), ("seen", "seen, not confirmed", "warn"), ("confirmed", "confirmed", "ok"))


def client_lines(confirmation: Confirmation, systems: Mapping[uuid.UUID, str]) -> list[ClientLine]:
    """Of all of them, those that need somebody first."""
    return [
        _line(each, word, tone, confirmation.change, systems)
        for name, word, tone in SORTS
        for each in getattr(confirmation, name)
    ]


def _line(
    each: ClientInstance, word: str, tone: str, change: SwitchChange, systems: Mapping[uuid.UUID, str]
) -> ClientLine:
    return ClientLine(
        instance=each,
        word=word,
        tone=tone,
        system=systems.get(each.system_id, ""),
        seen=_since(change, each.seen_epoch == change.epoch, each.seen_at),
        applied=_since(change, each.applied_epoch == change.epoch, each.applied_at),
        drained=_since(change, each.applied_epoch == change.epoch, each.drained_at),
    )


def _since(change: SwitchChange, is_of_it: bool, at: datetime | None) -> float | None:
    """A client that has a newer state by now is known to have had this one, not when."""
    return seconds_between(change.requested_at, at) if is_of_it else None


def times_of(lines: Iterable[ClientLine]) -> list[tuple[str, Times]]:
    """Seen, applied, drained."""
    known = list(lines)
    return [
        (word, Times([value for each in known if (value := getattr(each, name)) is not None]))
        for word, name in (("Seen", "seen"), ("Applied", "applied"), ("Drained", "drained"))
    ]

"""Who would hear a stop, instance by instance; and flags that clients ask for and nobody has."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from governance.models import AISystem, ServiceKey
from overrides.models import UnknownFlag
from overrides.services.probing import Armed, heard_lately, judged

Systems = Collection[uuid.UUID] | None
"""Those that whoever looks may see; None: all."""
SHOWN = 500
STATES = {
    "not_armed": ("not armed", "bad", "Did not apply a probe: it would not obey a stop either."),
    "silent": ("silent", "warn", "Not heard for three heartbeats. Ended, or cut off."),
    "cannot_confirm": ("cannot confirm", "info", "Reads flags by OFREP, which knows no acknowledgements."),
    "armed": ("armed", "ok", "Has missed no probe."),
}
"""Those that need somebody first."""


@dataclass(frozen=True, slots=True)
class ClientState:
    """One instance, and whether it would stop."""

    armed: Armed
    system: AISystem | None

    @property
    def word(self) -> str:
        return STATES[self.armed.state][0]

    @property
    def tone(self) -> str:
        return STATES[self.armed.state][1]

    @property
    def meaning(self) -> str:
        if self.armed.decides:
            return "Not heard for three heartbeats, and its key decides all the same."
        return STATES[self.armed.state][2]


@dataclass(frozen=True, slots=True)
class MissingFlag:
    """A flag that a key asked for in vain."""

    flag: UnknownFlag
    key: ServiceKey
    systems: list[AISystem]
    """Those that the key reaches, as far as whoever looks may see them."""


def client_states(systems: Systems) -> list[ClientState]:
    """Of every instance heard within a day."""
    now = timezone.now()
    rows = heard_lately(now) if systems is None else heard_lately(now).filter(system_id__in=systems)
    found = sorted(judged(rows[:SHOWN], now), key=lambda each: list(STATES).index(each.state))
    names = AISystem.objects.in_bulk({each.instance.system_id for each in found})
    return [ClientState(each, names.get(each.instance.system_id)) for each in found]


def unknown_flags(systems: Systems) -> QuerySet[UnknownFlag]:
    """What keys that reach one of the AI systems asked for in vain, the last asked first."""
    found = UnknownFlag.objects.order_by("-last_asked_at", "flag")
    if systems is None:
        return found
    reaching = ServiceKey.objects.filter(system_ids__overlap=[*systems])
    return found.filter(key_id__in=reaching.values("pk"))


def missing_flags(systems: Systems) -> list[MissingFlag]:
    """The same with whose they are."""
    found = list(unknown_flags(systems)[:SHOWN])
    keys = ServiceKey.objects.select_related("account").in_bulk({each.key_id for each in found})
    reached = {system_id for key in keys.values() for system_id in key.system_ids}
    seen = AISystem.objects.in_bulk(reached if systems is None else reached.intersection(systems))
    return [MissingFlag(each, keys[each.key_id], _of(keys[each.key_id], seen)) for each in found]


def _of(key: ServiceKey, seen: dict[uuid.UUID, AISystem]) -> list[AISystem]:
    return [seen[each] for each in key.system_ids if each in seen]

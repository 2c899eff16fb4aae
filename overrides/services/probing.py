"""Between drills: would everybody hear a stop? An epoch that changes nothing goes out, and who applies it is armed."""

import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from governance.models import AISystem, ServiceKey
from ledger.entries import SERVER
from notices.models import Alert
from notices.services import open_alert
from overrides.clock import advance_epoch
from overrides.models import ClientInstance, Drill, Probe
from overrides.services.expecting import HEARD_WITHIN
from overrides.services.sweeping import each_by_itself
from overrides.standing import Epoch

EVERY = timedelta(minutes=5)
PATIENCE = timedelta(seconds=30)
"""Two heartbeats: by then whoever hears us has said so."""
SHOWN = timedelta(hours=24)
KEPT = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Armed:
    """Whether an instance would stop."""

    instance: ClientInstance
    state: str
    """armed; not_armed: it speaks, and has not applied a probe; silent: it was not heard for three heartbeats;
    cannot_confirm: it reads by OFREP, which knows no acknowledgements."""
    since: datetime | None
    """Since when it is not armed: when the first probe went out that it did not apply; or since when it is silent."""
    decides: bool = False
    """Its key is used although it is silent."""


def send_probe() -> Epoch | None:
    """Give out an epoch that changes nothing, for all AI systems; None while a live drill runs, which is one itself."""
    if Drill.objects.filter(status=Drill.Status.RUNNING, type__in=Drill.LIVE).exists():
        return None
    with transaction.atomic():
        epoch = advance_epoch()
        Probe.objects.create(generation=epoch.generation, number=epoch.number, sent_at=timezone.now())
        Probe.objects.filter(sent_at__lt=timezone.now() - KEPT).delete()
    return epoch


def armed_instances(system_id: uuid.UUID, now: datetime | None = None) -> Sequence[Armed]:
    """Every instance that was heard within a day, and whether it would stop."""
    now = now or timezone.now()
    return judged(heard_lately(now).filter(system_id=system_id), now)


def heard_lately(now: datetime) -> QuerySet[ClientInstance]:
    """The instances of all AI systems that were heard within a day."""
    return ClientInstance.objects.filter(heard_at__gte=now - SHOWN).order_by("instance", "id")


def judged(instances: Iterable[ClientInstance], now: datetime) -> Sequence[Armed]:
    """Whether each of these would stop."""
    rows = list(instances)
    probes = list(Probe.objects.filter(sent_at__lte=now - PATIENCE).order_by("generation", "number"))
    used = dict(ServiceKey.objects.filter(pk__in={row.key_id for row in rows}).values_list("pk", "last_used_at"))
    return [judge(row, probes, used.get(row.key_id), now) for row in rows]


def judge(row: ClientInstance, probes: Sequence[Probe], used_at: datetime | None, now: datetime) -> Armed:
    """Whether an instance would stop, by the probes that it had time to answer, the earliest first.

    `used_at`: when its key was used last; None where nobody asks whether it decides although it is silent.
    """
    if now - row.heard_at > HEARD_WITHIN:
        return Armed(row, "silent", row.heard_at, used_at is not None and used_at > row.heard_at + HEARD_WITHIN)
    if row.learned_by == ClientInstance.LearnedBy.OFREP_ETAG:
        return Armed(row, "cannot_confirm", None)
    # probes that went out before it was first heard of were not for it
    later = islice(probes, bisect_right(probes, row.applied_epoch, key=lambda each: each.epoch), None)
    missed = next((each for each in later if each.sent_at >= row.first_heard_at), None)
    return Armed(row, "not_armed", missed.sent_at) if missed else Armed(row, "armed", None)


def alert_not_armed() -> int:
    """Alert, once an AI system while it is so, where somebody would not stop. Returns of how many systems."""
    now, live = timezone.now(), AISystem.objects.filter(status=AISystem.Status.LIVE)
    found = defaultdict[uuid.UUID, list[Armed]](list)
    for each in judged(heard_lately(now).filter(system_id__in=live.values("pk")), now):
        found[each.instance.system_id].append(each)
    return each_by_itself("not-armed", lambda system_id: _alert_deaf(system_id, found[system_id]), list(found))


def _alert_deaf(system_id: uuid.UUID, instances: Sequence[Armed]) -> bool:
    deaf = [each for each in instances if each.state == "not_armed" or (each.state == "silent" and each.decides)]
    if deaf:
        _alert(system_id, deaf, len(instances))
    return bool(deaf)


def _alert(system_id: uuid.UUID, deaf: Sequence[Armed], known: int) -> None:
    open_alert(
        actor=SERVER,
        kind="client.not_armed",
        severity=Alert.Severity.CRITICAL,
        fingerprint=f"client.not_armed:{system_id}",
        system_id=system_id,
        facts={"not_armed": len(deaf), "instances": known, "instance": deaf[0].instance.instance},
        occurrences=len(deaf),
    )

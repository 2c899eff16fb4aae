"""Who is expected to confirm a change: whoever was heard of lately, by acknowledgement or by decisions alone."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Now

from governance.models import KeyAct, ServiceKey
from overrides.models.clients import ClientInstance
from overrides.standing import HEARTBEAT_SECONDS, Node

HEARD_WITHIN = timedelta(seconds=3 * HEARTBEAT_SECONDS)
POSTED_WITHIN = timedelta(hours=24)
READ_BEFORE = timedelta(minutes=15)
"""Who read the controls longer than this before its last decision did not ask for it. A stream lasts 10 minutes."""


def expected_of(node: Node, at: datetime) -> dict[str, Any]:
    """Ids of the instances heard of within three heartbeats, and of accounts that decide and acknowledge nothing.

    The database wrote when it heard of an instance, so it is asked how long ago that was: this host's clock may be off.
    """
    instances = _in_reach(node).filter(heard_at__gte=Now() - HEARD_WITHIN)
    heard = set(_in_place(node).filter(heard_at__gte=Now() - POSTED_WITHIN).values_list("account_id", flat=True))
    deciding = [each for each in deciders(at) if each.is_in(node) and each.key.account_id not in heard]
    reading = {each.key.account_id for each in deciding if each.is_reading}
    return {
        "instances": [str(each) for each in instances.order_by("id").values_list("id", flat=True)],
        "reading": sorted(map(str, reading)),
        "ungoverned": sorted({str(each.key.account_id) for each in deciding} - set(map(str, reading))),
    }


@dataclass(frozen=True, slots=True)
class Decider:
    """A key that sent decisions within a day."""

    key: ServiceKey
    is_reading: bool
    """A key of its account in its environment reads the controls: state, flags or stream. What it makes of them it may
    never say."""

    def is_in(self, node: Node) -> bool:
        is_of = node.system_id is None or node.system_id in self.key.system_ids
        return is_of and node.environment in ("", self.key.environment)


def deciders(at: datetime) -> list[Decider]:
    """Keys that sent decisions within a day, as far as is written down (`governance.usage`: half a minute behind)."""
    keys = list(_doing(KeyAct.Act.POSTED, at).filter(revoked_at=None).select_related("account"))
    read: dict[tuple[uuid.UUID, str], datetime] = {}
    for each in _doing(KeyAct.Act.READ_CONTROL, at) if keys else ():
        place = each.account_id, each.environment
        read[place] = max(read.get(place, each.did_at), each.did_at)
    return [Decider(each, _asks(each, read.get((each.account_id, each.environment)))) for each in keys]


def _asks(key: Any, read_at: datetime | None) -> bool:
    return read_at is not None and read_at >= key.did_at - READ_BEFORE


def _doing(act: str, at: datetime) -> Any:
    done = KeyAct.objects.filter(act=act, key_id=OuterRef("pk"))
    since = at - (POSTED_WITHIN if act == KeyAct.Act.POSTED else POSTED_WITHIN + READ_BEFORE)
    return ServiceKey.objects.annotate(did_at=Subquery(done.values("last_at"))).filter(did_at__gte=since)


def _in_place(node: Node) -> Any:
    found = ClientInstance.objects.all()
    if node.system_id is not None:
        found = found.filter(system_id=node.system_id)
    return found.filter(environment=node.environment) if node.environment else found


def _in_reach(node: Node) -> Any:
    """Instances that the node may concern: those that say which version they run only where it is theirs."""
    found = _in_place(node)
    return found.filter(Q(model_version="") | Q(model_version=node.model_version)) if node.model_version else found

"""Who is expected to confirm a change: whoever was heard of lately, by acknowledgement or by decisions alone."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from governance.models import ServiceKey
from overrides.models.clients import ClientInstance
from overrides.standing import HEARTBEAT_SECONDS, Node

HEARD_WITHIN = timedelta(seconds=3 * HEARTBEAT_SECONDS)
POSTED_WITHIN = timedelta(hours=24)


def expected_of(node: Node, at: datetime) -> dict[str, Any]:
    """Ids of the instances heard of within three heartbeats, and of accounts that write and never read control."""
    instances = _in_reach(node).filter(heard_at__gte=at - HEARD_WITHIN)
    return {
        "instances": [str(each) for each in instances.order_by("id").values_list("id", flat=True)],
        "ungoverned": sorted(str(each) for each in ungoverned_accounts(node, at)),
    }


def ungoverned_accounts(node: Node, at: datetime) -> set[uuid.UUID]:
    """Service accounts that may write decisions here, used a key within a day, and were never heard reading control.

    When a key was last used is kept anyway (`governance.usage`, half a minute behind); what a key did is not, and the
    decisions of a day are too many to ask. So a key that may write and only reads counts too: better one too many.
    """
    keys = ServiceKey.objects.filter(
        scopes__contains=[ServiceKey.Scope.DECISIONS_WRITE], last_used_at__gte=at - POSTED_WITHIN, revoked_at=None
    )
    if node.system_id is not None:
        keys = keys.filter(system_ids__contains=[node.system_id])
    if node.environment:
        keys = keys.filter(environment=node.environment)
    reading = _in_place(node).filter(heard_at__gte=at - POSTED_WITHIN)
    return set(keys.values_list("account_id", flat=True)) - set(reading.values_list("account_id", flat=True))


def _in_place(node: Node) -> Any:
    found = ClientInstance.objects.all()
    if node.system_id is not None:
        found = found.filter(system_id=node.system_id)
    return found.filter(environment=node.environment) if node.environment else found


def _in_reach(node: Node) -> Any:
    """Instances that the node may concern: those that say which version they run only where it is theirs."""
    found = _in_place(node)
    return found.filter(Q(model_version="") | Q(model_version=node.model_version)) if node.model_version else found

"""How much of each log nobody outside has seen yet: what somebody with database, key and head store could rewrite."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from evidence.anchors import policy_in_force, quorum_of
from ledger.tlog import Policy

# by index alone: the newest head, the newest sizes that were anchored, and the first entry behind those
EXPOSED = """
    SELECT log.id, log.origin, log.system_id, coalesce(head.tree_size, 0), cosigned.sizes, cosigned.keys,
           stamped.tree_size
    FROM ledger_log log
    LEFT JOIN LATERAL (
        SELECT tree_size FROM ledger_head WHERE log_id = log.id ORDER BY tree_size DESC LIMIT 1
    ) head ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(tree_size) AS sizes, array_agg(vkey) AS keys
        FROM (SELECT tree_size, vkey FROM evidence_cosignature WHERE log_id = log.id
              ORDER BY tree_size DESC LIMIT %s) newest
    ) cosigned ON true
    LEFT JOIN LATERAL (
        SELECT tree_size FROM evidence_timestamp WHERE log_id = log.id ORDER BY tree_size DESC LIMIT 1
    ) stamped ON true
    WHERE %s OR NOT EXISTS (SELECT FROM ledger_logclosure WHERE log_id = log.id)
    ORDER BY log.kind, log.origin
"""
FIRST_EXPOSED = """
    SELECT log_id, data FROM ledger_entry
    JOIN unnest(%s::uuid[], %s::int8[]) AS asked(log, place) ON log_id = asked.log AND leaf_index = asked.place
"""
LOOKED_BACK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One log. `since`: when the first entry was sealed that nothing outside covers; None: all are covered."""

    log_id: uuid.UUID
    origin: str
    system_id: uuid.UUID | None
    tree_size: int
    cosigned_size: int
    """The newest tree whose cosignatures meet the policy."""
    stamped_size: int
    since: datetime | None

    @property
    def anchored_size(self) -> int:
        return max(self.cosigned_size, self.stamped_size)

    @property
    def entries(self) -> int:
        """How many are exposed."""
        return max(0, self.tree_size - self.anchored_size)

    @property
    def age(self) -> timedelta:
        return timezone.now() - self.since if self.since else timedelta()


def exposures(*, open_only: bool = True) -> list[Exposure]:
    """Every open log, or closed ones too, from two queries."""
    policy = policy_in_force()
    with connection.cursor() as cursor:
        cursor.execute(EXPOSED, [LOOKED_BACK, not open_only])
        rows = cursor.fetchall()
        anchored = [(row[0], max(_cosigned(policy, row[4], row[5]), row[6] or 0), row) for row in rows]
        behind = {log_id: size for log_id, size, row in anchored if size < row[3]}
        cursor.execute(FIRST_EXPOSED, [list(behind), list(behind.values())])
        since = {log_id: received_at(data) for log_id, data in cursor.fetchall()}
    return [_exposure(policy, row, since.get(log_id)) for log_id, _, row in anchored]


def _exposure(policy: Policy | None, row: tuple[Any, ...], since: datetime | None) -> Exposure:
    return Exposure(
        log_id=row[0],
        origin=row[1],
        system_id=row[2],
        tree_size=row[3],
        cosigned_size=_cosigned(policy, row[4], row[5]),
        stamped_size=row[6] or 0,
        since=since,
    )


def received_at(data: bytes) -> datetime | None:
    """When an entry says that it was received; None where its bytes say nothing, which the self-audit finds."""
    try:
        at = msgspec.json.decode(bytes(data)).get("at")
        return parse_datetime(at)
    except (msgspec.DecodeError, AttributeError, TypeError, ValueError):
        return None


def _cosigned(policy: Policy | None, sizes: list[int] | None, keys: list[str] | None) -> int:
    """The largest of the newest cosigned sizes at which the policy is met."""
    by_size: dict[int, list[str]] = {}
    for size, key in zip(sizes or (), keys or (), strict=True):
        by_size.setdefault(size, []).append(key)
    return max((size for size, found in by_size.items() if quorum_of(policy, found)), default=0)

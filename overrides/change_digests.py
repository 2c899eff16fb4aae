"""What entries say of the rows that pages and confirmations work with, so that an edit of one is found.

A change of a switch has a row beside the switch's own history: who was expected to confirm it stands nowhere else. The
switch's entry states the digest of all that is in it from the beginning, and `switch.confirmed` that of who confirmed.
"""

import hashlib
import json
from typing import Any

from ledger.entries import timestamp
from overrides.models import SwitchChange

BEGUN = (
    *("id", "switch_id", "from_mode", "to_mode", "reason_code", "in_flight", "generation", "number"),
    *("actor_type", "actor_id", "source", "drill_id", "expected"),
)


def change_digest(change: SwitchChange) -> str:
    """Of the columns that never change."""
    columns = {name: getattr(change, name) for name in BEGUN}
    return _digest(columns | {"requested_at": timestamp(change.requested_at)})


def applied_digest(applied: dict[str, str]) -> str:
    """Of when each instance had applied a change, as `SwitchChange.applied` holds it."""
    return _digest(applied)


def _digest(content: dict[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(plain.encode()).hexdigest()

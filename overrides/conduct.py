"""Whether a decision took effect against the mode in force, and whether its caller need have known. Pure.

docs/decisions/0030-what-is-a-breach.md says why so.
"""

import enum
from datetime import datetime, timedelta

from overrides.standing import Epoch, InFlight, SwitchState

DRAIN_WITHIN = timedelta(minutes=5)
"""How long work that had begun may take to finish where a switch says drain."""


class Conduct(enum.Enum):
    """What is to be said of a decision that took effect against a switch."""

    BREACH = "breach"
    LATE = "late"


def conduct_of(
    switch: SwitchState,
    *,
    control_epoch: str | None,
    occurred_at: datetime,
    received_at: datetime,
    max_staleness_s: int,
) -> Conduct:
    """Judge one effective decision by the switch that forbids it.

    `control_epoch` is what the caller knew. By an epoch at or above the change's it knew of it. Below, it may act on
    what it knew for as long as its fail policy lets it, and not longer. Without one, the time it occurred counts.
    """
    known = Epoch.parse(control_epoch) if control_epoch else None
    if switch.in_flight is InFlight.DRAIN and received_at < switch.changed_at + DRAIN_WITHIN:
        return Conduct.LATE
    if known is None:
        return Conduct.BREACH if occurred_at >= switch.changed_at else Conduct.LATE
    if known >= switch.epoch:
        return Conduct.BREACH
    # a clock may be ahead, but nothing occurred after it was received
    occurred = min(occurred_at, received_at)
    is_past_excuse = occurred >= switch.changed_at + timedelta(seconds=max_staleness_s)
    return Conduct.BREACH if is_past_excuse else Conduct.LATE

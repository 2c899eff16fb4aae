"""Entry kinds of alerts, and what kinds of alerts are called."""

from ledger.kinds import Belongs, Kind

ALERT_OPENED = Kind("alert.opened", Belongs.SCOPE, "something that somebody must look at")
ALERT_ACKNOWLEDGED = Kind("alert.acknowledged", Belongs.SCOPE, "somebody is looking at it")
ALERT_CLOSED = Kind("alert.closed", Belongs.SCOPE, "it was dealt with; a note says how")


def kind_words(kind: str) -> str:
    """`ledger.mismatch` as a person would say it."""
    return kind.replace(".", ": ").replace("_", " ").capitalize()

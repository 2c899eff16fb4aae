"""Entry kinds of alerts."""

from ledger.kinds import Belongs, Kind

ALERT_OPENED = Kind("alert.opened", Belongs.SCOPE, "something that somebody must look at")
ALERT_ACKNOWLEDGED = Kind("alert.acknowledged", Belongs.SCOPE, "somebody is looking at it")
ALERT_CLOSED = Kind("alert.closed", Belongs.SCOPE, "it was dealt with; a note says how")

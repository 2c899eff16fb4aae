"""Entry kinds of alerts and webhook endpoints, and what kinds of alerts are called."""

from ledger.kinds import Belongs, Kind

ALERT_OPENED = Kind("alert.opened", Belongs.SCOPE, "something that somebody must look at")
ALERT_ACKNOWLEDGED = Kind("alert.acknowledged", Belongs.SCOPE, "somebody is looking at it")
ALERT_ESCALATED = Kind("alert.escalated", Belongs.SCOPE, "nobody acknowledged it in time, so others were told")
ALERT_REASSIGNED = Kind("alert.reassigned", Belongs.SCOPE, "somebody else sees to it: whoever it was given to has left")
ALERT_CLOSED = Kind("alert.closed", Belongs.SCOPE, "it was dealt with; a note says how")

WEBHOOK_REGISTERED = Kind("webhook.registered", Belongs.SCOPE, "a caller's address is told of events from here on")
WEBHOOK_UPDATED = Kind("webhook.updated", Belongs.SCOPE, "what a webhook endpoint is told, or where it is, changed")
WEBHOOK_ENABLED = Kind("webhook.enabled", Belongs.SCOPE, "a webhook endpoint is told of events again")
WEBHOOK_DISABLED = Kind("webhook.disabled", Belongs.SCOPE, "a webhook endpoint is told of nothing more")
WEBHOOK_SECRET_ROTATED = Kind("webhook.secret_rotated", Belongs.SCOPE, "deliveries are signed with a new secret")


def kind_words(kind: str) -> str:
    """`ledger.mismatch` as a person would say it."""
    return kind.replace("signin", "sign-in").replace(".", ": ").replace("_", " ").capitalize()

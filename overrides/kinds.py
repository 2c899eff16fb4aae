"""Entry kinds of switches and of what clients say about them."""

from ledger.kinds import Belongs, Kind

SWITCH_STOPPED = Kind("switch.stopped", Belongs.SCOPE, "a switch was set to stop")
SWITCH_TIGHTENED = Kind("switch.tightened", Belongs.SCOPE, "a switch was set to a more restrictive mode than before")
SWITCH_LOOSENED = Kind("switch.loosened", Belongs.SCOPE, "two people set a switch to a less restrictive mode")
SWITCH_EMERGENCY_CLEARED = Kind("switch.emergency_cleared", Belongs.SCOPE, "one person let a stopped system propose")
SWITCH_LAPSED = Kind("switch.lapsed", Belongs.SCOPE, "an emergency clear ended by itself: stopped again")
SWITCH_REINSTATED = Kind("switch.reinstated", Belongs.SCOPE, "a mode that was known here outlived a lost database")
SWITCH_CONFIRMED = Kind("switch.confirmed", Belongs.SCOPE, "all expected clients said that they applied a change")
SWITCH_UNCONFIRMED = Kind("switch.unconfirmed", Belongs.SCOPE, "a minute on, not all clients said that they did")

LOOSENING_REQUESTED = Kind("loosening.requested", Belongs.SCOPE, "somebody asked to set a switch less restrictive")
LOOSENING_APPROVED = Kind("loosening.approved", Belongs.SCOPE, "somebody else approved, and it was done")
LOOSENING_REFUSED = Kind("loosening.refused", Belongs.SCOPE, "somebody else said no")
LOOSENING_WITHDRAWN = Kind("loosening.withdrawn", Belongs.SCOPE, "whoever asked does not ask any more")
LOOSENING_VOIDED = Kind("loosening.voided", Belongs.SCOPE, "the switch changed, or nobody answered in time")

CONTROL_RECOVERED = Kind("control.recovered", Belongs.REGISTRY, "epochs jumped ahead of what a lost database had said")
BREAK_GLASS_REPORTED = Kind("break_glass.reported", Belongs.SYSTEM, "a client obeys, or no longer, a file of its own")

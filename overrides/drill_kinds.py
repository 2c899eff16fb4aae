"""Entry kinds of drills."""

from ledger.kinds import Belongs, Kind

DRILL_PLANNED = Kind("drill.planned", Belongs.SYSTEM, "a drill is to be held")
DRILL_APPROVED = Kind("drill.approved", Belongs.SYSTEM, "a second person agreed to a live drill, and to its end")
DRILL_CANCELLED = Kind("drill.cancelled", Belongs.SYSTEM, "a drill will not be held")
DRILL_STARTED = Kind("drill.started", Belongs.SYSTEM, "a drill began")
DRILL_ENDED = Kind("drill.ended", Belongs.SYSTEM, "a drill is over: how many clients saw, applied and drained")
DRILL_CONCLUDED = Kind("drill.concluded", Belongs.SYSTEM, "a person said what a drill showed")
DRILL_RESTORED = Kind("switch.restored", Belongs.SYSTEM, "a drill's end set its switch back to what it said before")
FINDING_RECORDED = Kind("drill_finding.recorded", Belongs.SYSTEM, "a drill showed something that somebody sees to")
FINDING_CLOSED = Kind("drill_finding.closed", Belongs.SYSTEM, "what a drill showed was dealt with")

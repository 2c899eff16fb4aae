"""Entry kinds of monitoring."""

from ledger.kinds import Belongs, Kind

OUTCOME_RECORDED = Kind("outcome.recorded", Belongs.SYSTEM, "what turned out to be true of a decision")
OUTCOME_CORRECTED = Kind("outcome.corrected", Belongs.SYSTEM, "what turned out to be true is another than was said")

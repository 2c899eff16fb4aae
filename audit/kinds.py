"""Entry kinds of the record."""

from ledger.kinds import Belongs, Kind

DECISION_RECORDED = Kind("decision.recorded", Belongs.SYSTEM, "one output of one model version, as it happened")
PAYLOAD_VIEWED = Kind("payload.viewed", Belongs.SYSTEM, "somebody was shown parts of a decision's payload")
DECISIONS_SEARCHED = Kind("decisions.searched", Belongs.SCOPE, "somebody searched by subject, label or payload text")

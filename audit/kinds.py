"""Entry kinds of the record."""

from ledger.kinds import Belongs, Kind

DECISION_RECORDED = Kind("decision.recorded", Belongs.SYSTEM, "one output of one model version, as it happened")
PAYLOAD_VIEWED = Kind("payload.viewed", Belongs.SYSTEM, "somebody was shown parts of a decision's payload")
DECISIONS_SEARCHED = Kind("decisions.searched", Belongs.SCOPE, "somebody searched by subject, label or payload text")
SEARCH_ENDED = Kind(
    "decisions.search_ended", Belongs.SCOPE, "a search that went on over pages came to its end, or was given up"
)
GRANT_REQUESTED = Kind("payloads.grant_requested", Belongs.SYSTEM, "somebody asks to read payloads until a day")
PAYLOADS_GRANTED = Kind("payloads.granted", Belongs.SYSTEM, "a second person agreed: they read payloads until that day")
GRANT_REFUSED = Kind("payloads.grant_refused", Belongs.SYSTEM, "the second person said no: nothing is read")
GRANT_WITHDRAWN = Kind("payloads.grant_withdrawn", Belongs.SYSTEM, "whoever asked to read payloads took it back")
GRANT_ENDED = Kind("payloads.grant_ended", Belongs.SYSTEM, "a grant to read payloads ended before its day")

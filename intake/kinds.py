"""Entry kinds of intake."""

from ledger.kinds import Belongs, Kind

DECISION_CONFLICTED = Kind("decision.conflicted", Belongs.SYSTEM, "an id was sent again with other content")
QUARANTINE_RECEIVED = Kind(
    "quarantine.received", Belongs.SCOPE, "records refused for their content, counted by the minute"
)
QUARANTINE_CORRECTED = Kind("quarantine.corrected", Belongs.SCOPE, "the envelope of a quarantined record was corrected")
QUARANTINE_REPLAYED = Kind("quarantine.replayed", Belongs.SCOPE, "a quarantined record was recorded as a decision")
DISMISSAL_REQUESTED = Kind(
    "quarantine.dismissal_requested", Belongs.SCOPE, "somebody asks to give up a quarantined record"
)
DISMISSAL_REFUSED = Kind("quarantine.dismissal_refused", Belongs.SCOPE, "the second person wants the record kept")
QUARANTINE_DISMISSED = Kind("quarantine.dismissed", Belongs.SCOPE, "two people gave up a quarantined record")
SOURCE_REGISTERED = Kind("source.registered", Belongs.REGISTRY, "a service account began to count under a name")
SOURCE_PLACED = Kind("source.placed", Belongs.REGISTRY, "the AI system that a source's first decision was of")
SOURCE_EXPECTED = Kind("source.expected", Belongs.REGISTRY, "somebody said how long a source may be silent")
SOURCE_ENDED = Kind("source.ended", Belongs.REGISTRY, "somebody said that a source has ended")
SOURCE_HEARD = Kind(
    "source.heard", Belongs.REGISTRY, "heartbeats of sources: alive, nothing to report, up to this number"
)
QUARANTINE_EXPIRED = Kind("quarantine.expired", Belongs.REGISTRY, "refused records were erased after their time")
QUARANTINE_VIEWED = Kind("quarantine.viewed", Belongs.SCOPE, "somebody looked at a quarantined record")

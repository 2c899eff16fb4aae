"""Entry kinds of parameters and of fail policies."""

from ledger.kinds import Belongs, Kind

PARAMETER_DEFINED = Kind("parameter.defined", Belongs.SYSTEM, "what may be set while the system runs, and within what")
PARAMETER_RETIRED = Kind("parameter.retired", Belongs.SYSTEM, "a parameter is not given out any more")
PARAMETER_CHANGED = Kind("parameter.changed", Belongs.SYSTEM, "a value came into force")
PARAMETER_PROPOSED = Kind("parameter.proposed", Belongs.SYSTEM, "a change waits for a second person")
PARAMETER_REFUSED = Kind("parameter.refused", Belongs.SYSTEM, "the second person said no")
PARAMETER_WITHDRAWN = Kind("parameter.withdrawn", Belongs.SYSTEM, "who asked for a change took it back")
PARAMETER_VOIDED = Kind("parameter.voided", Belongs.SYSTEM, "a proposed change can come into force no more")
PARAMETER_SUPERSEDED = Kind("parameter.superseded", Belongs.SYSTEM, "another value took its place")
PARAMETER_LAPSED = Kind("parameter.lapsed", Belongs.SYSTEM, "a value's time was over: the lasting one holds again")

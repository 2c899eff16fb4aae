"""What switches and acknowledgements refuse."""

from config.errors import Conflict, InvalidInput, NotFound, Unavailable


class SwitchNotFound(NotFound):
    code = "switch-not-found"
    title = "There is no such switch"
    meaning = "No switch of this id is there for whoever is asking."


class ChangeNotFound(NotFound):
    code = "switch-change-not-found"
    title = "There is no such change of a switch"
    meaning = "No change of this id is there for whoever is asking."


class ControlsStale(Unavailable):
    code = "controls-stale"
    title = "The switches could not be read for some seconds"
    meaning = (
        "What a decision is told comes from switches held in memory and checked against the database every second. "
        "While that fails a stop could be missed, so no decision is taken in until it works again."
    )


class FallbackMissing(InvalidInput):
    code = "fallback-missing"
    title = "There is nothing to fall back to"
    meaning = (
        "The mode fallback is for AI systems that declare an alternative: an earlier version, a rule, a process of "
        "people. This one declares none, or names the version that is to be switched off. Set stop or review."
    )


class EpochPassed(Conflict):
    code = "epoch-passed"
    title = "The switch was changed meanwhile"
    meaning = (
        "A request to loosen counts for the switch exactly as whoever asked saw it. Somebody changed it since, most "
        "likely to a more restrictive mode. Look at it again, and ask again."
    )


class LooseningNotFound(NotFound):
    code = "loosening-not-found"
    title = "There is no such request"
    meaning = "No request to loosen a switch of this id is there for whoever is asking."


class LooseningNotOpen(Conflict):
    code = "loosening-not-open"
    title = "This request is not open any more"
    meaning = "It was approved, refused, withdrawn, or nobody answered before it expired. Ask again if need be."


class LooseningExists(Conflict):
    code = "loosening-exists"
    title = "Somebody asked for this switch already"
    meaning = "A switch has one open request at a time. Approve, refuse or withdraw that one first."


class NotClearable(Conflict):
    code = "emergency-clear-refused"
    title = "This switch cannot be cleared by one person"
    meaning = (
        "One person may take a stopped AI system to review, for four hours. Not a switch of the whole organisation."
    )


class ClearUnreviewed(Conflict):
    code = "emergency-clear-unreviewed"
    title = "Nobody has looked at the last emergency clear yet"
    meaning = (
        "One person cleared this switch alone, and an alert asks somebody else to look at it. Until that alert is "
        "closed it takes two people to loosen the switch: ask, and have another one approve."
    )


class ImplausibleEpoch(InvalidInput):
    code = "epoch-implausible"
    title = "This service cannot have given out that epoch"
    meaning = (
        "The acknowledged epoch is so far ahead that it is no state of this service, or clients of the same service "
        "account have claimed unknown epochs again and again today. Check the client."
    )

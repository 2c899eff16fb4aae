"""Refusals of the evidence floor."""

from config.errors import Conflict, Forbidden, NotFound


class TileNotFound(NotFound):
    code = "tile-not-found"
    title = "The log has no such tile"
    meaning = "The log is not that large, or the address is not one of a tile. The checkpoint says how large it is."


class VerificationFailed(Conflict):
    code = "verification-failed"
    title = "The log does not verify"
    meaning = "What is in the database does not fit together. A head is adopted only of a log that verifies."


class HeadAlreadyKnown(Conflict):
    code = "head-already-known"
    title = "This host has a head of this log"
    meaning = "Adopting is for a host that has none. Where the database contradicts a head, close the log."


class LogStillContinues(Conflict):
    code = "log-still-continues"
    title = "This log continues what was signed"
    meaning = "Only a log whose signed tail is missing from the database is closed."


class TwoAdministratorsNeeded(Forbidden):
    code = "two-administrators-needed"
    title = "Two different administrators must do this together"
    meaning = "One administrator asks and another approves; neither may have set up the other within the last 7 days."

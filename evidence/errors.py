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


class NotWitnessed(Conflict):
    code = "not-witnessed"
    title = "The witnesses do not vouch for a head of this log"
    meaning = (
        "Too few of them show a checkpoint of it that bears their cosignature, by the quorum of the trust policy. Two "
        "administrators can adopt the head instead."
    )


class LogNotWitnessed(NotFound):
    code = "log-not-witnessed"
    title = "No witness has cosigned a checkpoint of this log yet"
    meaning = "The newest checkpoint, without cosignatures, is served all the same."


class CheckpointNotFound(NotFound):
    code = "checkpoint-not-found"
    title = "No anchored checkpoint of this size is kept"
    meaning = "Those that witnesses or time-stamp authorities have seen are listed under the log's anchors."


class LogStillContinues(Conflict):
    code = "log-still-continues"
    title = "This log continues what was signed"
    meaning = "Only a log whose signed tail is missing from the database is closed."


class TwoAdministratorsNeeded(Forbidden):
    code = "two-administrators-needed"
    title = "Two different administrators must do this together"
    meaning = "One administrator asks and another approves; neither may have set up the other within the last 7 days."


class CustodyRequestNotFound(NotFound):
    code = "custody-request-not-found"
    title = "There is no such request"


class CustodyRequestExists(Conflict):
    code = "custody-request-exists"
    title = "This is asked for already"
    meaning = "One request for an act of custody waits at a time. Answer that one, or withdraw it, first."


class CustodyRequestNotOpen(Conflict):
    code = "custody-request-not-open"
    title = "This request does not wait for this"
    meaning = "It was answered, withdrawn or carried out meanwhile, or nobody did so within a day."


class NothingToDo(Conflict):
    code = "nothing-to-do"
    title = "No log needs this"
    meaning = "Logs are closed that lost their tail, and heads adopted of logs that this host does not know."


class CustodyChanged(Conflict):
    code = "custody-changed"
    title = "A log is not as both saw it"
    meaning = (
        "Since this was asked for, the database or the head store has changed, or this is another host. It is to be "
        "asked for again, and agreed to for what is there now."
    )


class ConsentNotProven(Conflict):
    code = "consent-not-proven"
    title = "Nothing proves that two administrators agreed to this"
    meaning = (
        "A row of the database says so, and whoever can write there could have made it. Withdraw it and ask again. "
        "Should that come to the same (no log takes entries, and there is no signing key here), both type "
        "their passwords at the host."
    )


class RotationUnderWay(Conflict):
    code = "rotation-under-way"
    title = "The signing key is being replaced already"
    meaning = "Two keys are in force. Finish that (`rotate_signing_key --finish`) before another is begun."


class NoRotationUnderWay(Conflict):
    code = "no-rotation-under-way"
    title = "The signing key is not being replaced"
    meaning = "One key is in force, so there is nothing to finish and nothing to withdraw."


class NotTheNewestKey(Conflict):
    code = "not-the-newest-key"
    title = "This host does not sign with the newest key"
    meaning = (
        "A newer key was announced than the one in the key file here. Copy the key file from the host where the new "
        "key was made, or run the command there. If making it was interrupted here, run `rotate_signing_key` again; if "
        "the new key is lost, `rotate_signing_key --withdraw`."
    )

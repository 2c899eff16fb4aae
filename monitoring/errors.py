"""What monitoring refuses."""

from config.errors import Conflict, NotFound


class OutcomeNotFound(NotFound):
    code = "outcome-not-found"
    title = "There is no such outcome"
    meaning = "The outcome that is to be corrected is not one of this decision."


class OutcomeCorrected(Conflict):
    code = "outcome-corrected"
    title = "This outcome has been corrected already"
    meaning = "An outcome is corrected once; what corrects it can be corrected in turn. Name the last one."

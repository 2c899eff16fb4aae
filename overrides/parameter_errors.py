"""What changes of parameters refuse."""

from config.errors import Conflict, NotFound


class ParameterNotFound(NotFound):
    code = "parameter-not-found"
    title = "There is no such parameter"
    meaning = "No parameter of that id is within reach of whoever is asking."


class ParameterExists(Conflict):
    code = "parameter-exists"
    title = "There is a parameter of this name already"
    meaning = (
        "A name is defined either once for every environment of an AI system or in single environments, never both. "
        "Change the one there is, or retire it first."
    )


class ParameterRetired(Conflict):
    code = "parameter-retired"
    title = "This parameter is retired"
    meaning = "It is not given out any more. Its history stays."


class ParameterChanged(Conflict):
    code = "parameter-changed"
    title = "The parameter has another value by now"
    meaning = (
        "A change is asked for, and agreed to, on top of one value. That value was changed, or its time was over, in "
        "between: the request is void. Look at what holds now, and ask again if it is still wanted."
    )


class ParameterRequestNotFound(NotFound):
    code = "parameter-request-not-found"
    title = "There is no such request"
    meaning = "No change of a parameter of that id is within reach of whoever is asking."


class ParameterRequestSettled(Conflict):
    code = "parameter-request-settled"
    title = "This request is settled already"
    meaning = "It came into force, was refused, withdrawn, or became void. Its page says which."

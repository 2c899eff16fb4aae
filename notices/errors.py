"""What alerts refuse."""

from config.errors import Conflict, Forbidden, NotFound


class AlertNotFound(NotFound):
    code = "alert-not-found"
    title = "There is no such alert"
    meaning = "No alert of this id is there for whoever is asking."


class AlertClosed(Conflict):
    code = "alert-closed"
    title = "This alert is closed already"
    meaning = "Somebody dealt with it. If it happens again, a new alert opens."


class AlertNeedsAnother(Forbidden):
    code = "alert-needs-another"
    title = "Somebody else must close this alert"
    meaning = "It asks what to make of an act of yours. Another person who may handle it looks at it and closes it."
    default_detail = "This alert is about an act of yours. Somebody else must look at it and close it."

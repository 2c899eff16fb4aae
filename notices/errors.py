"""What alerts refuse."""

from config.errors import Conflict, NotFound


class AlertNotFound(NotFound):
    code = "alert-not-found"
    title = "There is no such alert"
    meaning = "No alert of this id is there for whoever is asking."


class AlertClosed(Conflict):
    code = "alert-closed"
    title = "This alert is closed already"
    meaning = "Somebody dealt with it. If it happens again, a new alert opens."

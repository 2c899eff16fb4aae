"""What alerts and webhook endpoints refuse."""

from config.errors import Conflict, Forbidden, NotFound


class AlertNotFound(NotFound):
    code = "alert-not-found"
    title = "There is no such alert"
    meaning = "No alert of this id is there for whoever is asking."


class AlertClosed(Conflict):
    code = "alert-closed"
    title = "This alert is closed already"
    meaning = "Somebody dealt with it. If it happens again, a new alert opens."


class EndpointNotFound(NotFound):
    code = "webhook-not-found"
    title = "There is no such webhook endpoint"
    meaning = "No webhook endpoint of this id is there for whoever is asking."


class EndpointDisabled(Conflict):
    code = "webhook-disabled"
    title = "This webhook endpoint is disabled"
    meaning = "Nothing is sent to a disabled endpoint. Enable it first."


class DeliveryNotFound(NotFound):
    code = "delivery-not-found"
    title = "There is no such delivery"
    meaning = "No delivery of this id is there for whoever is asking. They are kept for 30 days."


class DeliveryUnderWay(Conflict):
    code = "delivery-under-way"
    title = "This delivery is still under way"
    meaning = "It is being sent, or waits for its next attempt. Only one that has ended is sent again."


class AlertNeedsAnother(Forbidden):
    code = "alert-needs-another"
    title = "Somebody else must close this alert"
    meaning = "It asks what to make of an act of yours. Another person who may handle it looks at it and closes it."
    default_detail = "This alert is about an act of yours. Somebody else must look at it and close it."

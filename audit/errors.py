"""What the record refuses."""

from config.errors import Conflict, NotFound, ServiceError


class DecisionNotFound(NotFound):
    code = "decision-not-found"
    title = "There is no such decision"
    meaning = (
        "No decision of that id is within reach of whoever is asking. A decision that exists elsewhere looks the same."
    )
    default_detail = "There is no decision of this id that you may see."


class PartNotSent(NotFound):
    code = "payload-part-not-sent"
    title = "The decision has no such part"
    meaning = "A decision has an input and an output; explanation, context and refs only where they were sent."
    default_detail = "This part was not sent with the decision."


class PayloadErased(ServiceError):
    code = "payload-erased"
    status = 410
    title = "The payload was erased"
    meaning = (
        "Input, output, explanation, context and refs of this decision were erased. Its entry stays in the log with "
        "the commitments to them, and every proof still verifies."
    )
    default_detail = "The payload of this decision was erased. Its entry and proof remain."


class PayloadRestricted(ServiceError):
    code = "payload-restricted"
    status = 403
    title = "The payload is restricted"
    meaning = (
        "Its erasure was agreed to, and a law asks to keep it for some time yet: until then a data protection officer "
        "alone reads it, and what people wrote about it. Its entry stays readable, and every proof verifies."
    )
    default_detail = "The payload of this decision is restricted: only a data protection officer reads it any more."


class SearchNotFound(NotFound):
    code = "search-not-found"
    title = "There is no such search"
    meaning = "No search of that id was begun by whoever is asking, or it was more than a day ago."
    default_detail = "There is no search of this id that you began."


class SearchCancelled(ServiceError):
    code = "search-cancelled"
    status = 409
    title = "The search was given up"
    meaning = "A search that was given up does not go on. What it had found was given out, and is sealed as such."
    default_detail = "This search was given up. Begin a new one."


class FilterNotFound(NotFound):
    code = "saved-filter-not-found"
    title = "There is no such saved filter"
    meaning = "No filter of that id is yours or shared with you. Only its owner may change or delete one."
    default_detail = "There is no saved filter of this id that you may use."


class FilterNameTaken(Conflict):
    code = "saved-filter-name-taken"
    title = "You have a filter of this name"
    meaning = "Each of a person's saved filters has a name of its own."
    default_detail = "Choose another name, or change the filter that has this one."


class TooManyFilters(Conflict):
    code = "too-many-saved-filters"
    title = "No more filters can be saved"
    meaning = "Each person can keep 50 filters."
    default_detail = "You keep 50 filters already: delete one that you do not need."


class GrantNotFound(NotFound):
    code = "payload-grant-not-found"
    title = "There is no such grant"
    meaning = "No grant to read payloads of that id is within reach of whoever is asking."
    default_detail = "There is no grant of this id that you may see."


class GrantNotOpen(Conflict):
    code = "payload-grant-not-open"
    title = "It is over"
    meaning = "The request was answered or taken back, or the grant has ended. What is needed still is asked for again."
    default_detail = "This was answered, taken back or ended meanwhile. Nothing was changed."

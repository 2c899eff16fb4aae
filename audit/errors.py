"""What the record refuses."""

from config.errors import NotFound, ServiceError


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

"""What the doors to the controls refuse."""

from config.errors import PayloadTooLarge, ServiceError, Unauthenticated, Unavailable


class StreamElsewhere(ServiceError):
    code = "stream-elsewhere"
    status = 421
    title = "Event streams are served by another process"
    meaning = (
        "A stream holds its connection for minutes, so it has a process of its own. `control_url` is its address; "
        "behind a proxy, the operator routes this path there (docs/operations.md)."
    )
    default_detail = "This port serves no streams. `control_url` says which one does."


class DecisionsElsewhere(ServiceError):
    code = "decisions-elsewhere"
    status = 421
    title = "Decisions are taken in by another process"
    meaning = "The control process is kept free for stops. Send decisions to the service's own address."
    default_detail = "This port takes no decisions: it is kept free for controls."


class StreamTokenNotAccepted(Unauthenticated):
    code = "stream-token-not-accepted"
    title = "This stream address is not valid any more"
    meaning = (
        "The token in the address is unknown, too old, or its key was revoked. The next bulk evaluation names a new "
        "address in `eventStreams`."
    )
    default_detail = "The token in the address is not valid. A bulk evaluation names a new address."


class TooManyStreams(Unavailable):
    code = "too-many-streams"
    title = "Too many streams are open"
    meaning = "The control process holds as many open streams as it may. Ask for the state instead, and try again."
    default_detail = "As many streams are open as this process may hold. Poll the state, and try again."


class EvaluationTooLarge(PayloadTooLarge):
    code = "evaluation-too-large"
    title = "The evaluation context is too large"
    meaning = "A flag evaluation may have a body of 64 KiB. Nothing of the context but two short strings is read."
    default_detail = "The body of a flag evaluation may have 64 KiB."


class BodyTooSlow(ServiceError):
    code = "body-too-slow"
    status = 408
    title = "The body did not arrive in time"
    meaning = "The connection stayed open, but the rest of the request did not come. It may safely be sent again."
    default_detail = "The rest of the request did not come in time."

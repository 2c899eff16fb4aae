"""What can be raised.

    AnswerableError
    |- Refused                a guard did not let its body run
    |  |- Held                a human has to decide first, and has not yet
    |  |- AlreadyExecuted     another worker carries out, or has, what a human approved
    |  |- UseFallback         the declared fallback is to be used instead
    |  `- Stopped             nothing may happen
    |- InvalidRecord          a record that no server would take; raised with `strict=True` only, else reported
    |- NotRecorded            a record was turned away or given up; reported, never raised
    |- ServiceUnavailable     the service did not answer within the time given
    |- ServiceRefused         the service answered that it will not; `status` and `problem` say why
    `- Warned                 something that a person should look at; reported, never raised
       |- NotDurable          the spool or a state file cannot be used: records live in memory only
       |- BadBreakGlass       the break-glass file has a line that cannot be read
       `- LogWentBack         a log showed a smaller or other tree than before

`record()` raises none of them (`InvalidRecord` with `strict=True`). What is reported goes to `on_error` and to the
logger `answerable`, and is counted in `client.health()`.
"""

from collections.abc import Mapping
from typing import Any


class AnswerableError(Exception):
    """Base of all."""


class Refused(AnswerableError):
    """A guard did not let its body run. `decision` says what was answered."""

    def __init__(self, message: str, *, decision: Any = None) -> None:
        super().__init__(message)
        self.decision = decision


class Held(Refused):
    """A human has to decide first, and has not yet."""


class AlreadyExecuted(Refused):
    """Another worker carries out, or has carried out, what a human approved."""


class UseFallback(Refused):
    """The declared fallback is to be used instead."""


class Stopped(Refused):
    """Nothing may happen."""


class InvalidRecord(AnswerableError, ValueError):
    """A record that no server would take. `field` is a JSON pointer."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class NotRecorded(AnswerableError):
    """A record was turned away or given up. `decision_id` names it where one is meant."""

    def __init__(self, message: str, *, decision_id: str | None = None) -> None:
        super().__init__(message)
        self.decision_id = decision_id


class ServiceUnavailable(AnswerableError):
    """The service did not answer, or said "not now". `retry_after` in seconds where it said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServiceRefused(AnswerableError):
    """The service answered that it will not."""

    def __init__(self, message: str, *, status: int, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = dict(problem or {})

    @property
    def code(self) -> str:
        """The last part of the problem's `type`; empty where it was not our server that answered."""
        return str(self.problem.get("type", "")).rsplit("/", 1)[-1]

    @property
    def is_about_content(self) -> bool:
        """Whether our server says that this very body is wrong, and not a proxy or a wrong address."""
        return bool(self.problem) and self.status in (400, 409, 413, 415, 422)


class Warned(AnswerableError):
    """Something that a person should look at."""


class NotDurable(Warned):
    """The spool or a state file cannot be used."""


class BadBreakGlass(Warned):
    """The break-glass file has a line that cannot be read."""


class LogWentBack(Warned):
    """A log showed a smaller or other tree than before."""

"""Answerable's Python client: record every AI decision, ask before acting, be stopped within a second.

from answerable import Client

client = Client(url, key, system="credit-limit", model_version="2.1")
client.record(input={...}, output={...}, outcome="approved")

with client.guard(input={...}, output={...}, outcome="approved", wait=30) as decision:
    pay_out(decision.output)
"""

from answerable._async_client import AsyncClient
from answerable._checkpoints import Checkpoint
from answerable._client import Client
from answerable._control import Change
from answerable._directive import Directive, Effective
from answerable._exceptions import (
    AlreadyExecuted,
    AnswerableError,
    BadBreakGlass,
    Held,
    InvalidRecord,
    LogWentBack,
    NotDurable,
    NotRecorded,
    Refused,
    ServiceRefused,
    ServiceUnavailable,
    Stopped,
    UseFallback,
    Warned,
)
from answerable._fields import GuardFields, RecordFields
from answerable._guard import Decision, current_decision
from answerable._health import Health
from answerable._modes import Mode
from answerable._spool import DeadLetter
from answerable._state import FailPolicy
from answerable._version import __version__

__all__ = [
    "AlreadyExecuted",
    "AnswerableError",
    "AsyncClient",
    "BadBreakGlass",
    "Change",
    "Checkpoint",
    "Client",
    "DeadLetter",
    "Decision",
    "Directive",
    "Effective",
    "FailPolicy",
    "GuardFields",
    "Health",
    "Held",
    "InvalidRecord",
    "LogWentBack",
    "Mode",
    "NotDurable",
    "NotRecorded",
    "RecordFields",
    "Refused",
    "ServiceRefused",
    "ServiceUnavailable",
    "Stopped",
    "UseFallback",
    "Warned",
    "__version__",
    "current_decision",
]

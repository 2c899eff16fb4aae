"""Administrators are told of lock-outs at sign-in, and the registry log says each once."""

from typing import Any

import structlog

from governance.models import SignInThrottle
from governance.services.lockouts import LockOut, seal_lock_out, untold
from ledger.entries import SERVER
from ledger.errors import CANNOT_SEAL_NOW
from notices.credentials import tell_locked_person
from notices.models import Alert
from notices.services import open_alert

logger = structlog.get_logger(__name__)


def tell_lock_outs() -> int:
    """Alert, then seal: whatever stops this in between, the next sweep goes on, and neither is done twice."""
    told = 0
    for lock_out in untold():
        _alert(lock_out)
        tell_locked_person(lock_out)
        try:
            seal_lock_out(lock_out)
        except CANNOT_SEAL_NOW as error:
            # those behind it are told all the same; this one is sealed by a later sweep
            logger.warning("notices.lock_out_not_sealed", row=str(lock_out.row.pk), error=type(error).__name__)
            continue
        told += 1
    return told


def _alert(lock_out: LockOut) -> None:
    """One alert for an account or an address; while it is open, further lock-outs count."""
    row = lock_out.row
    facts: dict[str, Any] = {"by": str(row.kind)}
    if lock_out.person is not None:
        facts["person"] = str(lock_out.person.pk)
    many = row.kind == SignInThrottle.Kind.ADDRESS or row.locks > 1
    open_alert(
        actor=SERVER,
        kind="signin.locked",
        severity=Alert.Severity.WARNING if many else Alert.Severity.INFO,
        fingerprint=f"signin.locked:{row.pk}",
        facts=facts,
        occurrences=row.locks,
    )

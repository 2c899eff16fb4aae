"""The inner steps of every service of erasures: the row locked, its state asked, its entries written."""

import uuid
from typing import Any

from audit.models import ErasureConsent, ErasureRequest
from evidence.erasure.errors import ErasureNotFound, ErasureNotOpen
from evidence.erasure.reading import visible_erasures
from governance.changes import write
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal


def locked_erasure(actor: Actor, request_id: uuid.UUID) -> ErasureRequest:
    """One that somebody may know of, locked: of two acts on one, the second waits. Errors: `ErasureNotFound`."""
    found = visible_erasures(actor).select_for_update(no_key=True, of=("self",)).filter(pk=request_id).first()
    if found is None:
        raise ErasureNotFound()
    return found


def require_state(request: ErasureRequest, *states: str) -> None:
    """Errors: `ErasureNotOpen`."""
    if request.status not in states:
        raise ErasureNotOpen()


def names(request: ErasureRequest) -> dict[str, Any]:
    """What entries about something of a request say of it."""
    return {"request": str(request.pk)}


def write_consent(
    seal: Seal, actor: Actor, kind: Kind, consent: ErasureConsent, facts: dict[str, Any] | None = None
) -> None:
    said = {"request": str(consent.request_id), "status": str(consent.status), "decisions": consent.decisions}
    write(seal, actor=actor, kind=kind, row=consent, system_id=consent.system_id, facts=said | (facts or {}))


def write_erasure(
    seal: Seal,
    actor: Actor,
    kind: Kind,
    request: ErasureRequest,
    facts: dict[str, Any] | None = None,
    *,
    reason: str = "",
) -> None:
    """Every entry about a request says in which state it is, what it erases and why."""
    said = {"status": str(request.status), "erases": request.kind, "basis": request.basis} | (facts or {})
    write(seal, actor=actor, kind=kind, row=request, system_id=request.system_id, facts=said, reason=reason)

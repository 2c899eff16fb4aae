"""What somebody does who has the password of the role that the service runs as, and only SQL."""

import uuid
from typing import Any

import psycopg

from audit.models import ErasureRequest, Payload
from config.ids import new_id
from tests.factories.erasing import agreed

REFUSED = psycopg.errors.InsufficientPrivilege
PAYLOADS = "SELECT evidence_erase_payloads(%s, %s, %s)"
TEXTS = "SELECT evidence_erase_texts(%s, %s, %s)"
RECORDS = "SELECT evidence_erase_quarantined(%s, %s, %s)"
OPEN = "SELECT evidence_open_warrant(%s)"
RUNNING = "UPDATE audit_erasurerequest SET status = 'running', runs_at = now() - interval '1 day' WHERE id = %s"


def erase(app: psycopg.Connection, warrant: uuid.UUID | None, *ids: uuid.UUID, by: str = PAYLOADS) -> None:
    app.execute(by, [warrant, list(ids), [new_id() for _ in ids]])


def is_kept(decision_id: uuid.UUID) -> bool:
    return Payload.objects.get(pk=decision_id).secret is not None


def ready(app: psycopg.Connection, **given: Any) -> ErasureRequest:
    """Agreed to two days ago, its warrants open, running."""
    request = agreed(**given)
    for consent in request.consents.filter(status="approved"):
        app.execute(OPEN, [consent.pk])
    app.execute(RUNNING, [request.pk])
    return request

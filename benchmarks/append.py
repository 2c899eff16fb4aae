"""The append path without HTTP: what a batch request does between its body and its answer."""

import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from audit.services.preparing import PreparedDecision
from audit.services.recording import Status
from governance.api.authentication import authenticate_key
from intake.admission import Admission, Admitted
from intake.groups import seal_group
from intake.reading import read_record

Raws = Sequence[bytes]


def admit(key: str, raws: Raws) -> list[Admitted]:
    """Check the key, decode, look up who answers, make every byte of the rows."""
    admission = Admission(authenticate_key(f"Bearer {key}"), datetime.now(UTC))
    return [admission.admit(read_record(raw)) for raw in raws]


def prepared(key: str, raws: Raws) -> list[PreparedDecision]:
    """The rows of one batch, for the reference."""
    return [each.decision for each in admit(key, raws)]


def append(key: str, log_id: uuid.UUID, batches: Sequence[Raws]) -> float:
    """Take in batches one after the other, each in a commit of its own; the seconds that took."""
    started = time.perf_counter()
    for raws in batches:
        results, _ = seal_group(log_id, admit(key, raws))
        if any(result.status is not Status.ACCEPTED for result in results):
            raise RuntimeError("a decision was not accepted")
    return time.perf_counter() - started

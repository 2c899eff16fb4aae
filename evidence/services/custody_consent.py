"""That two administrators agreed to an act of custody: by what nobody can make up who can only write rows.

Each of the two steps is an entry of the registry log, in a tree that this host signs for. Where that log took no entry
the service vouches for the step: it signs, with the installation's key, who took it and for what.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence

import structlog
from django.conf import settings

from config.errors import ServiceError, name_of
from evidence.errors import ConsentNotProven
from evidence.kinds import CUSTODY_APPROVED, CUSTODY_ASKED
from evidence.models import CustodyRequest
from ledger.commitments import SECRET_BYTES, commitment
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.models import Entry, Log
from ledger.rows import STATE_PART, sealed_columns
from ledger.selectors import latest_checkpoint
from ledger.signing import signer_of, signing_seeds
from ledger.tlog import (
    InvalidProof,
    NoteError,
    check_inclusion,
    leaf_hash,
    open_note,
    prove_inclusion,
    sign_note,
)
from ledger.tree_store import TreeReader

logger = structlog.get_logger(__name__)

FORMAT = "answerable-custody/v1"
Status = CustodyRequest.Status
STEPS: dict[Status, Kind] = {Status.ASKED: CUSTODY_ASKED, Status.APPROVED: CUSTODY_APPROVED}
"""What two people take, one each."""
ASKED_FOR = ("id", "what", "logs", "requested_by_id", "requested_at")
AGREED_TO = (*ASKED_FOR, "decided_by_id", "decided_at", "expires_at")
"""Columns that each step settles."""


def vouch(request: CustodyRequest) -> None:
    """Sign for the step that a request has just come to, where it is one of the two. Without a key nothing is signed,
    and the request cannot be carried out."""
    status = Status(request.status)
    if status not in STEPS:
        return
    try:
        note = sign_note(_statement(request, status), [signer_of(_name(), seed) for seed in signing_seeds()])
    except ServiceError as error:
        logger.warning("evidence.custody_not_vouched_for", request_id=str(request.pk), error=name_of(error))
        return
    request.vouched = request.vouched | {str(status): note}


def require_consent(request: CustodyRequest) -> None:
    """That one person asked for this and another one agreed. Errors: `ConsentNotProven`, `SigningKeyUnavailable`."""
    asked_by, approved_by = request.requested_by_id, request.decided_by_id
    if approved_by is None or asked_by == approved_by:
        raise ConsentNotProven("One person alone is named in it.")
    for status, person_id in ((Status.ASKED, asked_by), (Status.APPROVED, approved_by)):
        if not (_is_sealed(request, status, person_id) or _is_vouched_for(request, status)):
            raise ConsentNotProven(f"Neither an entry nor this installation's key says who took the step {status}.")


# --- sealed -----------------------------------------------------------------------------------------------------------
def _is_sealed(request: CustodyRequest, status: Status, person_id: uuid.UUID) -> bool:
    entries = Entry.objects.filter(about_id=request.pk, kind=STEPS[status].name, log__kind=Log.Kind.REGISTRY)
    return any(_says(entry, request, status, person_id) for entry in entries.select_related("log"))


def _says(entry: Entry, request: CustodyRequest, status: Status, person_id: uuid.UUID) -> bool:
    """Whether an entry is one that this very person caused, about this very request, in a tree that is signed for."""
    data = bytes(entry.data)
    if leaf_hash(data) != bytes(entry.leaf_hash) or not _is_in_its_log(entry):
        return False
    try:
        said = json.loads(data)
        found = (said["kind"], said["actor"], said["body"]["about"], said["body"]["status"])
        sealed = said["body"]["state"]
    except (ValueError, KeyError, TypeError):
        return False  # no entry of ours
    by = Actor("person", person_id).as_json()
    return found == (STEPS[status].name, by, str(request.pk), str(status)) and _is_of_this_state(
        request, status, entry.id, sealed
    )


def _is_in_its_log(entry: Entry) -> bool:
    try:
        signed = latest_checkpoint(entry.log)
        if entry.leaf_index >= signed.tree_size:
            return False
        proof = prove_inclusion(TreeReader(entry.log_id), entry.leaf_index, signed.tree_size)
        check_inclusion(bytes(entry.leaf_hash), entry.leaf_index, signed.tree_size, proof, signed.root_hash)
    except (ServiceError, LookupError, InvalidProof) as error:
        logger.warning("evidence.custody_entry_not_proven", entry_id=str(entry.id), error=type(error).__qualname__)
        return False
    return True


def _is_of_this_state(request: CustodyRequest, status: Status, entry_id: uuid.UUID, sealed: object) -> bool:
    """Whether the state that the entry commits to is what the row asks for."""
    kept = CustodyRequest.history.filter(history_id=entry_id).first()
    if kept is None or len(kept.state_secret) != SECRET_BYTES:
        return False
    state = bytes(kept.state)
    if commitment(bytes(kept.state_secret), STATE_PART, state).hex() != sealed:
        return False
    then, now = json.loads(state), sealed_columns(request)
    return all(then[name] == now[name] for name in _settled(status))


# --- vouched for ------------------------------------------------------------------------------------------------------
def _is_vouched_for(request: CustodyRequest, status: Status) -> bool:
    note = request.vouched.get(str(status)) if isinstance(request.vouched, dict) else None
    if not isinstance(note, str):
        return False
    verifiers = [signer_of(_name(), seed).verifier for seed in signing_seeds()]
    try:
        return open_note(note, verifiers).text == _statement(request, status)
    except NoteError as error:
        logger.warning("evidence.custody_note_fails", request_id=str(request.pk), error=type(error).__qualname__)
        return False


def _settled(status: Status) -> Sequence[str]:
    return ASKED_FOR if status is Status.ASKED else AGREED_TO


def _statement(request: CustodyRequest, status: Status) -> str:
    """What is signed for: no checkpoint and no backup can be taken for it, their first lines are others."""
    columns = sealed_columns(request)
    said = json.dumps({name: columns[name] for name in _settled(status)}, sort_keys=True, separators=(",", ":"))
    return f"{FORMAT}\n{settings.ORIGIN}\n{status} {request.pk}\n{hashlib.sha256(said.encode()).hexdigest()}\n"


def _name() -> str:
    return f"{settings.ORIGIN}/custody"

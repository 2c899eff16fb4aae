"""What a caller is told: receipts and problems, written as JSON."""

import uuid
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec

from audit.entries import SealedDirective
from audit.services.recording import Status
from config.errors import ServiceError
from intake.admission import Admitted
from intake.committer import Checkpoints
from intake.connections import brief_connection
from intake.errors import DecisionConflict, IdTaken
from intake.groups import Sealed
from ledger.errors import LogClosed
from ledger.models import Log
from ledger.selectors import latest_checkpoint
from ledger.signing import SignedCheckpoint
from overrides.directives import Directive, more_restrictive

to_json = msgspec.json.Encoder().encode
DIFFERS = "differs_from_first"
"""A repeat by the caller's own key with other content: the first record stands."""


def directive_now(sealed: Sealed, admitted: Admitted) -> Directive:
    """What the caller must do: of a repeat the more restrictive of the first directive and the current one."""
    if sealed.status is Status.ACCEPTED:
        opened = admitted.review
        return admitted.directive if opened is None else replace(admitted.directive, review_id=opened.review_id)
    first, review_id = sealed.first_directive, sealed.review_id
    return more_restrictive(_as_directive(first, review_id), admitted.directive)


def _as_directive(sealed: SealedDirective, review_id: str | None) -> Directive:
    return Directive(
        action=sealed.action,
        mode=sealed.mode,
        epoch=sealed.epoch,
        reason_code=sealed.reason_code,
        review_id=uuid.UUID(review_id) if review_id else None,
    )


@lru_cache(maxsize=1024)
def directive_json(directive: Directive) -> str:
    """A directive as every answer writes it."""
    return to_json(
        {
            "action": directive.action,
            "reason_code": directive.reason_code,
            "mode": directive.mode,
            "epoch": directive.epoch,
            "valid_for_s": directive.valid_for_s,
            "review_id": directive.review_id,
        }
    ).decode()


@lru_cache(maxsize=4096)
def warnings_json(flags: tuple[str, ...]) -> str:
    return to_json(flags).decode()


def refusal_of(result: Sealed | ServiceError) -> ServiceError | None:
    """Why a decision was not recorded, None where it was."""
    if isinstance(result, ServiceError):
        return result
    if result.status is Status.CONFLICT:
        name = "external_id" if result.differs else "id"
        return DecisionConflict(f"Entry {result.leaf_index} of this AI system's log has this {name} and other content.")
    return IdTaken() if result.status is Status.TAKEN else None


def sealed_or_raise(result: Sealed | ServiceError) -> Sealed:
    """The place of a decision that was recorded, else its refusal is raised."""
    refusal = refusal_of(result)
    if refusal is not None:
        raise refusal
    return result  # type: ignore[return-value]  # a ServiceError is its own refusal


def place_json(sealed: Sealed, admitted: Admitted, origin: str) -> str:
    """The members that a single receipt and a batch's result have in common, without braces."""
    warnings = admitted.decision.facets.values.flags + ((DIFFERS,) if sealed.differs else ())
    return (
        f'"status":"{sealed.status.value}","id":"{sealed.id}","log":{string_json(origin)},'
        f'"leaf_index":{sealed.leaf_index},"leaf_hash":"{sealed.leaf_hash.hex()}",'
        f'"directive":{directive_json(directive_now(sealed, admitted))},"warnings":{warnings_json(warnings)}'
    )


@lru_cache(maxsize=4096)
def string_json(text: str) -> str:
    return to_json(text).decode()


def receipt(sealed: Sealed, admitted: Admitted, origin: str, checkpoint: SignedCheckpoint | None) -> bytes:
    """The answer to a single decision."""
    place = place_json(sealed, admitted, origin)
    if checkpoint is None:
        return f"{{{place}}}".encode()
    note = to_json(checkpoint.note).decode()
    return f'{{{place},"tree_size":{checkpoint.tree_size},"checkpoint":{note}}}'.encode()


def checkpoint_fields(origin: str, checkpoint: SignedCheckpoint) -> dict[str, Any]:
    return {"log": origin, "tree_size": checkpoint.tree_size, "checkpoint": checkpoint.note}


def origin_and_checkpoint(
    sealed: Sealed, admitted: Admitted, checkpoints: Checkpoints
) -> tuple[str, SignedCheckpoint | None]:
    """The log a decision stands in and its newest checkpoint.

    A repeat may stand in the system's former log, which was closed: nothing new is signed for that one, so there may be
    no checkpoint that covers the entry. The entry is there all the same, and the caller is told where.
    """
    if sealed.log_id == admitted.system.log_id and sealed.log_id in checkpoints:
        return admitted.system.origin, checkpoints[sealed.log_id]
    with brief_connection():
        log = Log.objects.get(pk=sealed.log_id)
        try:
            checkpoint = checkpoints[log.id] = checkpoints.get(log.id) or latest_checkpoint(log)
        except LogClosed:
            return log.origin, None
    return log.origin, checkpoint if checkpoint.tree_size > sealed.leaf_index else None

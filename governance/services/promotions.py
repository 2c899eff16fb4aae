"""The way of a model version into use: proposed with reasons, approved by a second person, live, retired."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.errors import ApprovalForbidden, FallbackInUse
from governance.gates import Gate, authority_gate, blocking, gates_of
from governance.kinds import (
    MODEL_VERSION_APPROVED,
    MODEL_VERSION_PROPOSED,
    MODEL_VERSION_RELEASED,
    MODEL_VERSION_RETIRED,
    MODEL_VERSION_RETURNED,
    PROMOTION_APPROVED,
    PROMOTION_REFUSED,
    PROMOTION_REQUESTED,
    PROMOTION_WITHDRAWN,
)
from governance.models import AISystem, ModelVersion, VersionPromotion
from governance.scopes import Scope
from governance.services.systems import locked_system
from governance.services.versions import describers, locked_version, refuse_settled, write_version
from governance.version_errors import (
    LastApprovedVersion,
    PromotionAnew,
    PromotionBlocked,
    PromotionNotOpen,
    VersionNotApproved,
    VersionUnverified,
)
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing

Status = VersionPromotion.Status
VersionStatus = ModelVersion.Status


def propose_version(*, actor: Actor, version_id: uuid.UUID, reason: str) -> VersionPromotion:
    """Propose that a registered version may run, with reasons for whoever decides.

    Errors: `Forbidden`, `PersonNeeded`, `VersionNotFound`, `VersionUnverified`, `VersionSettled`, `PromotionOpen`,
    `PromotionBlocked` with the gates that are not met, `InvalidInput` without a reason.
    """
    _require_text(reason, "Say why this version is to run: whoever decides reads it.")
    with sealing() as seal:
        version = locked_version(version_id)
        rights.require(actor, Act.VERSION_PROMOTE, Scope.system(version.system_id))
        person_id, now = person_id_of(actor), timezone.now()
        refuse_settled(version)
        if version.status == VersionStatus.UNVERIFIED:
            raise VersionUnverified()
        gates = _met_gates(version)
        made = VersionPromotion(
            model_version=version,
            reason=reason,
            gates=_rows(gates),
            written_by=describers(version),
            requested_by_id=person_id,
            requested_at=now,
        )
        _write(seal, actor, PROMOTION_REQUESTED, made, now)
        _put_status(seal, actor, version, VersionStatus.PROPOSED, MODEL_VERSION_PROPOSED)
    return made


def approve_version(
    *, actor: Actor, version_id: uuid.UUID, promotion_id: uuid.UUID, revision: int, answer: str = ""
) -> ModelVersion:
    """Agree, as the second person, that a proposed version may run: not who proposed it, nor anybody who described it.

    `promotion_id` and `revision`: the proposal that this person looked at, and the version as it stood then. The gates
    are looked at once more. Errors: `VersionNotFound`, `ApprovalForbidden`, `PromotionNotOpen`, `PromotionAnew`,
    `PromotionBlocked`, `RequestVoid` where whoever proposed it may not any more.
    """
    with sealing() as seal:
        version = locked_version(version_id)
        promotion = _open_promotion(actor, version)
        if (promotion.pk, version.revision) != (promotion_id, revision):
            raise PromotionAnew()
        rights.require_asker(promotion.requested_by_id, Act.VERSION_PROMOTE, Scope.system(version.system_id))
        promotion.gates = _rows(_met_gates(version))
        _settle(seal, actor, promotion, Status.APPROVED, PROMOTION_APPROVED, answer)
        facts = {"promotion": str(promotion.pk), "dependencies": dependencies_digest(version)}
        _put_status(seal, actor, version, VersionStatus.APPROVED, MODEL_VERSION_APPROVED, facts)
    return version


def refuse_version(*, actor: Actor, version_id: uuid.UUID, answer: str) -> ModelVersion:
    """Say no, as the second person, and why.

    Errors: `VersionNotFound`, `ApprovalForbidden`, `PromotionNotOpen`, `InvalidInput` without a reason.
    """
    _require_text(answer, "Say why not: whoever proposed it reads it.")
    with sealing() as seal:
        version = locked_version(version_id)
        promotion = _open_promotion(actor, version)
        _settle(seal, actor, promotion, Status.REFUSED, PROMOTION_REFUSED, answer)
        _put_status(seal, actor, version, VersionStatus.REGISTERED, MODEL_VERSION_RETURNED)
    return version


def withdraw_proposal(*, actor: Actor, version_id: uuid.UUID) -> ModelVersion:
    """Take a proposal back: who made it may, and whoever could make it.

    Errors: `Forbidden`, `VersionNotFound`, `PromotionNotOpen`.
    """
    with sealing() as seal:
        version = locked_version(version_id)
        rights.require(actor, Act.VERSION_PROMOTE, Scope.system(version.system_id))
        promotion = _waiting(version)
        _settle(seal, actor, promotion, Status.WITHDRAWN, PROMOTION_WITHDRAWN)
        _put_status(seal, actor, version, VersionStatus.REGISTERED, MODEL_VERSION_RETURNED)
    return version


def withdraw_proposals_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they proposed is decided by nobody. Returns how many."""
    waiting = VersionPromotion.objects.filter(status=Status.OPEN, requested_by_id=person_id).order_by("pk")
    found = list(waiting.values_list("model_version_id", flat=True))
    for version_id in found:
        version = locked_version(version_id)
        _settle(seal, actor, _waiting(version), Status.WITHDRAWN, PROMOTION_WITHDRAWN)
        _put_status(seal, actor, version, VersionStatus.REGISTERED, MODEL_VERSION_RETURNED)
    return len(found)


def release_version(*, actor: Actor, version_id: uuid.UUID, reason: str = "") -> ModelVersion:
    """Say that an approved version runs now. Several can: a canary beside its predecessor.

    Errors: `Forbidden`, `VersionNotFound`, `VersionNotApproved`, `PromotionBlocked` while an authority is to be
    told first.
    """
    with sealing() as seal:
        version = locked_version(version_id)
        rights.require(actor, Act.VERSION_RELEASE, Scope.system(version.system_id))
        if version.status == VersionStatus.LIVE:
            return version
        if version.status != VersionStatus.APPROVED:
            raise VersionNotApproved()
        if unmet := blocking([authority_gate(version.system)]):
            raise PromotionBlocked(errors=unmet)
        _put_status(seal, actor, version, VersionStatus.LIVE, MODEL_VERSION_RELEASED, reason=reason)
    return version


def retire_version(*, actor: Actor, version_id: uuid.UUID, reason: str = "", leaves_none: bool = False) -> ModelVersion:
    """Say that a version is not to run any more.

    The last approved one of a live AI system is retired by who may take versions live, who says with `leaves_none`
    that none is left, and why. Errors: `Forbidden`, `VersionNotFound`, `FallbackInUse`, `LastApprovedVersion`.
    """
    with sealing() as seal:
        version = _locked_with_system(version_id)
        rights.require(actor, Act.SYSTEM_EDIT, Scope.system(version.system_id))
        if version.status == VersionStatus.RETIRED:
            return version
        if is_last_approved(version):
            _require_confirmed(actor, version, reason, leaves_none)
        _refuse_fallback(version)
        for waiting in version.promotions.filter(status=Status.OPEN):
            _settle(seal, actor, waiting, Status.WITHDRAWN, PROMOTION_WITHDRAWN)
        _put_status(seal, actor, version, VersionStatus.RETIRED, MODEL_VERSION_RETIRED, reason=reason)
    return version


def is_last_approved(version: ModelVersion) -> bool:
    """Whether a live AI system would be left without an approved version."""
    if version.system.status != AISystem.Status.LIVE or version.status not in ModelVersion.PROMOTED:
        return False
    others = version.system.model_versions.filter(status__in=ModelVersion.PROMOTED).exclude(pk=version.pk)
    return not others.exists()


def dependencies_digest(version: ModelVersion) -> str:
    """What a version depends on, in one digest: what was approved can be told from what is declared."""
    held = version.dependencies.filter(removed_at=None)
    said = sorted(held.values_list("source__slug", "use", "snapshot", "digest"))
    return f"sha256:{sha256(msgspec.json.encode(said)).hexdigest()}"


def may_decide(actor: Actor, version: ModelVersion, promotion: VersionPromotion) -> bool:
    """Whether somebody may be the second person: not who proposed it, nor anybody who said what it is."""
    if actor.id is None or actor.id in promotion.written_by:
        return False
    scope = Scope.system(version.system_id)
    return rights.may_approve(actor, Act.VERSION_PROMOTE, scope, requested_by=promotion.requested_by_id)


def _open_promotion(actor: Actor, version: ModelVersion) -> VersionPromotion:
    scope = Scope.system(version.system_id)
    if actor.type != "person" or not rights.may_approve(actor, Act.VERSION_PROMOTE, scope, requested_by=None):
        raise ApprovalForbidden()  # before anything is told of whether there is something to decide
    promotion = _waiting(version)
    if not may_decide(actor, version, promotion):
        raise ApprovalForbidden()
    return promotion


def _waiting(version: ModelVersion) -> VersionPromotion:
    promotion = version.promotions.filter(status=Status.OPEN).first()
    if promotion is None:
        raise PromotionNotOpen()
    return promotion


def _met_gates(version: ModelVersion) -> list[Gate]:
    gates = gates_of(version)
    if unmet := blocking(gates):
        raise PromotionBlocked(errors=unmet)
    return gates


def _rows(gates: list[Gate]) -> list[dict[str, object]]:
    return [each.as_row() for each in gates]


def _settle(
    seal: Seal, actor: Actor, promotion: VersionPromotion, status: VersionPromotion.Status, kind: Kind, answer: str = ""
) -> None:
    now = timezone.now()
    promotion.status, promotion.answer, promotion.decided_at = status, answer, now
    promotion.decided_by_id = actor.id
    _write(seal, actor, kind, promotion, now)


def _write(seal: Seal, actor: Actor, kind: Kind, promotion: VersionPromotion, at: datetime) -> None:
    version = promotion.model_version
    unmet = sorted(str(each["code"]) for each in promotion.gates if not each["met"])
    facts: dict[str, Any] = {"model_version": version.version, "status": str(promotion.status), "unmet_gates": unmet}
    write(seal, actor=actor, kind=kind, row=promotion, system_id=version.system_id, facts=facts, at=at)


def _put_status(
    seal: Seal,
    actor: Actor,
    version: ModelVersion,
    status: ModelVersion.Status,
    kind: Kind,
    facts: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    version.status = status
    write_version(seal, actor, kind, version, reason, facts)


def _locked_with_system(version_id: uuid.UUID) -> ModelVersion:
    """Of two who retire the last two at once, the second finds that one is left. Errors: `VersionNotFound`."""
    found = ModelVersion.objects.filter(pk=version_id).first()
    if found is not None:
        locked_system(found.system_id)
    return locked_version(version_id)


def _require_confirmed(actor: Actor, version: ModelVersion, reason: str, leaves_none: bool) -> None:
    rights.require(actor, Act.VERSION_RELEASE, Scope.system(version.system_id))
    if not leaves_none or not reason.strip():
        problems = [] if leaves_none else [FieldProblem(pointer="/leaves_none", detail="Confirm that none is left.")]
        problems += [] if reason.strip() else [FieldProblem(pointer="/reason", detail="Say why.")]
        raise LastApprovedVersion(errors=problems)


def _refuse_fallback(version: ModelVersion) -> None:
    kind = AISystem.FallbackKind.MODEL_VERSION
    if AISystem.objects.filter(pk=version.system_id, fallback_kind=kind, fallback=version.version).exists():
        raise FallbackInUse()


def _require_text(text: str, detail: str) -> None:
    if not text.strip():
        raise InvalidInput(errors=[FieldProblem(pointer="/reason", detail=detail)])

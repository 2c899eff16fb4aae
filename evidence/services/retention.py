"""Retention as people decide it: classes with a floor and a ceiling, and where each is in force, which takes two."""

import uuid
from typing import Any

from django.utils import timezone

from audit.models import DataKind, RetentionClass, RetentionRule
from audit.models.retention import DEFAULT_FLOORS, LONGEST_DAYS, OF_THE_ORGANISATION
from audit.services.case_writing import one_of, text_of
from config.errors import FieldProblem, InvalidInput
from evidence.erasure.errors import RetentionNotFound, RetentionNotOpen
from evidence.kinds import (
    RETENTION_CLASS_ARCHIVED,
    RETENTION_CLASS_REGISTERED,
    RETENTION_RULE_APPROVED,
    RETENTION_RULE_REFUSED,
    RETENTION_RULE_REQUESTED,
    RETENTION_RULE_SUPERSEDED,
    RETENTION_RULE_WITHDRAWN,
)
from evidence.retention.reading import place_of_rule, visible_rules
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.locks import hold
from governance.models import AISystem
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from notices.approvals import ask_approvers

Status = RetentionRule.Status


# --- classes ----------------------------------------------------------------------------------------------------------
def register_class(
    *,
    actor: Actor,
    kind: str,
    name: str,
    floor_days: int,
    floor_source: str,
    ceiling_days: int | None = None,
    purpose: str = "",
    why_lower: str = "",
) -> RetentionClass:
    """Write down a floor with its legal source, and a ceiling with its purpose. It holds nowhere before two people say.

    Errors: `Forbidden`, `InvalidInput`.
    """
    rights.require(actor, Act.RETENTION_CHANGE)
    kind = one_of("kind", kind, DataKind.values)
    name = text_of("name", name, ask="Give it a name.")[:100]
    lower = floor_days < DEFAULT_FLOORS[DataKind(kind)]
    made = RetentionClass(
        kind=kind,
        made_by_id=person_id_of(actor),
        name=name,
        floor_days=floor_days,
        floor_source=text_of("floor_source", floor_source, ask="Name the law, or say why nothing asks for a floor."),
        ceiling_days=ceiling_days,
        purpose=text_of("purpose", purpose, ask="Write what they are kept for until then." if ceiling_days else ""),
        why_lower=text_of("why_lower", why_lower, ask=_lower(DataKind(kind)) if lower else ""),
    )
    _refuse_bad_days(DataKind(kind), floor_days, ceiling_days)
    with sealing() as seal:
        write(seal, actor=actor, kind=RETENTION_CLASS_REGISTERED, row=made, facts=_said(made))
    return made


def archive_class(*, actor: Actor, class_id: uuid.UUID) -> RetentionClass:
    """Take one that is in force nowhere from those to choose from. Errors: `Forbidden`, `RetentionNotFound`,
    `RetentionNotOpen`."""
    rights.require(actor, Act.RETENTION_CHANGE)
    with sealing() as seal:
        found = _locked_class(class_id)
        if found.archived_at or found.rules.filter(status__in=[Status.IN_FORCE, Status.REQUESTED]).exists():
            raise RetentionNotOpen("It is archived already, in force somewhere, or asked for.")
        found.archived_at = timezone.now()
        write(seal, actor=actor, kind=RETENTION_CLASS_ARCHIVED, row=found, facts=_said(found))
    return found


def _lower(kind: DataKind) -> str:
    return f"Write why less than {DEFAULT_FLOORS[kind]} days are enough: most laws ask for six months at least."


def _refuse_bad_days(kind: DataKind, floor: int, ceiling: int | None) -> None:
    problems = []
    if not 0 <= floor <= LONGEST_DAYS:
        problems.append(FieldProblem(pointer="/floor_days", detail=f"From 0 to {LONGEST_DAYS:,} days."))
    if ceiling is not None and not max(1, floor) <= ceiling <= LONGEST_DAYS:
        detail = f"Not below the floor, and up to {LONGEST_DAYS:,} days."
        problems.append(FieldProblem(pointer="/ceiling_days", detail=detail))
    if ceiling is not None and kind == DataKind.STAFF:
        detail = "No ceiling makes names of staff go: an erasure does, once their last floor is over."
        problems.append(FieldProblem(pointer="/ceiling_days", detail=detail))
    if problems:
        raise InvalidInput(errors=problems)


def _said(row: RetentionClass) -> dict[str, Any]:
    return {"data": row.kind, "floor_days": row.floor_days, "ceiling_days": row.ceiling_days}


def _locked_class(class_id: uuid.UUID) -> RetentionClass:
    found = RetentionClass.objects.select_for_update(no_key=True).filter(pk=class_id).first()
    if found is None:
        raise RetentionNotFound()
    return found


# --- where a class holds ----------------------------------------------------------------------------------------------
def request_rule(
    *, actor: Actor, class_id: uuid.UUID, reason: str, system_id: uuid.UUID | None = None
) -> RetentionRule:
    """Ask that a class hold for an AI system, or, of what belongs to none, for the organisation.

    Of one place one request waits: the next one takes its place. Errors: `Forbidden`, `RetentionNotFound`,
    `RetentionNotOpen` of an archived class, `InvalidInput`.
    """
    rights.require(actor, Act.RETENTION_CHANGE)
    reason = text_of("reason", reason, ask="Write why it is to hold there.")
    with sealing() as seal:
        chosen = _locked_class(class_id)
        if chosen.archived_at:
            raise RetentionNotOpen("It is archived: choose another class.")
        _refuse_wrong_place(DataKind(chosen.kind), system_id)
        hold(f"retention:{chosen.kind}:{system_id}")
        for waiting in RetentionRule.objects.filter(kind=chosen.kind, system_id=system_id, status=Status.REQUESTED):
            waiting.status = Status.WITHDRAWN
            _write(seal, actor, RETENTION_RULE_WITHDRAWN, waiting)
        rule = RetentionRule(
            retention_class=chosen,
            kind=chosen.kind,
            system_id=system_id,
            requested_by_id=person_id_of(actor),
            requested_at=timezone.now(),
            reason=reason,
        )
        _write(seal, actor, RETENTION_RULE_REQUESTED, rule)
        ask_approvers(
            act=Act.RETENTION_CHANGE,
            scope=place_of_rule(rule),
            requested_by=rule.requested_by_id,
            kind="retention.asked",
            request_id=rule.pk,
        )
    return rule


def approve_rule(*, actor: Actor, rule_id: uuid.UUID, answer: str = "") -> RetentionRule:
    """Agree, as the second person: from here on it holds there, in the place of what held before.

    Errors: `RetentionNotFound`, `ApprovalForbidden`, `RetentionNotOpen`, `RequestVoid`, `InvalidInput`.
    """
    with sealing() as seal:
        rule = _decided(actor, rule_id, answer)
        rights.require_asker(rule.requested_by_id, Act.RETENTION_CHANGE)
        for held in RetentionRule.objects.filter(kind=rule.kind, system_id=rule.system_id, status=Status.IN_FORCE):
            held.status, held.superseded_at = Status.SUPERSEDED, timezone.now()
            _write(seal, actor, RETENTION_RULE_SUPERSEDED, held)
        rule.status = Status.IN_FORCE
        _write(seal, actor, RETENTION_RULE_APPROVED, rule)
    return rule


def refuse_rule(*, actor: Actor, rule_id: uuid.UUID, answer: str = "") -> RetentionRule:
    """Say no, as the second person. Errors: as `approve_rule`."""
    with sealing() as seal:
        rule = _decided(actor, rule_id, answer)
        rule.status = Status.REFUSED
        _write(seal, actor, RETENTION_RULE_REFUSED, rule)
    return rule


def withdraw_rule(*, actor: Actor, rule_id: uuid.UUID) -> RetentionRule:
    """Take a request back, whichever data protection officer. Errors: `RetentionNotFound`, `Forbidden`,
    `RetentionNotOpen`."""
    with sealing() as seal:
        rule = _locked(actor, rule_id)
        rights.require(actor, Act.RETENTION_CHANGE)
        if rule.status != Status.REQUESTED:
            raise RetentionNotOpen()
        rule.status = Status.WITHDRAWN
        _write(seal, actor, RETENTION_RULE_WITHDRAWN, rule)
    return rule


def withdraw_rules_of(seal: Seal, actor: Actor, person_id: uuid.UUID) -> int:
    """Inside the act by which somebody leaves: what they asked for and nobody answered. Returns how many."""
    rows = RetentionRule.objects.select_for_update(no_key=True, of=("self",)).select_related("retention_class")
    waiting = list(rows.filter(requested_by_id=person_id, status=Status.REQUESTED).order_by("pk"))
    for rule in waiting:
        rule.status = Status.WITHDRAWN
        _write(seal, actor, RETENTION_RULE_WITHDRAWN, rule)
    return len(waiting)


# --- parts of the above -----------------------------------------------------------------------------------------------
def _refuse_wrong_place(kind: DataKind, system_id: uuid.UUID | None) -> None:
    if (kind in OF_THE_ORGANISATION) != (system_id is None):
        belongs = "the organisation" if kind in OF_THE_ORGANISATION else "an AI system"
        raise InvalidInput(errors=[FieldProblem(pointer="/system", detail=f"This kind belongs to {belongs}.")])
    if system_id and not AISystem.objects.filter(pk=system_id).exists():
        raise InvalidInput(errors=[FieldProblem(pointer="/system", detail="There is no such AI system.")])


def _decided(actor: Actor, rule_id: uuid.UUID, answer: str) -> RetentionRule:
    rule = _locked(actor, rule_id)
    rights.require_approval(actor, Act.RETENTION_CHANGE, place_of_rule(rule), requested_by=rule.requested_by_id)
    if rule.status != Status.REQUESTED:
        raise RetentionNotOpen()
    rule.decided_by_id, rule.decided_at = person_id_of(actor), timezone.now()
    rule.answer = text_of("answer", answer)
    return rule


def _locked(actor: Actor, rule_id: uuid.UUID) -> RetentionRule:
    found = visible_rules(actor).filter(pk=rule_id).first()
    if found is None:
        raise RetentionNotFound()
    hold(f"retention:{found.kind}:{found.system_id}")
    rows = RetentionRule.objects.select_for_update(no_key=True, of=("self",)).select_related("retention_class")
    return rows.get(pk=rule_id)


def _write(seal: Seal, actor: Actor, kind: Kind, rule: RetentionRule) -> None:
    facts = _said(rule.retention_class) | {"status": str(rule.status), "class": str(rule.retention_class_id)}
    write(seal, actor=actor, kind=kind, row=rule, system_id=rule.system_id, facts=facts)

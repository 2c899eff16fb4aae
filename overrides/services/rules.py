"""Review rules: asking for more takes one person, asking for less takes two."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.changes import write
from governance.errors import RequestVoid
from governance.models import AISystem
from governance.scopes import Scope
from governance.services.systems import locked_system
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from notices.approvals import ask_approvers
from overrides.clock import advance_epoch
from overrides.conditions import covers, read_condition
from overrides.models import OnTimeout, ReviewQueue, ReviewRule, RuleChange
from overrides.review_errors import QueueNotFound, RuleChangeNotFound, RuleChangeOver, RuleNotFound
from overrides.review_kinds import (
    RULE_ARCHIVED,
    RULE_CHANGE_APPLIED,
    RULE_CHANGE_REFUSED,
    RULE_CHANGE_REQUESTED,
    RULE_CHANGE_WITHDRAWN,
    RULE_REGISTERED,
    RULE_UPDATED,
)

EDITABLE = frozenset(
    {
        "condition",
        "deadline_s",
        "environment",
        "is_blind",
        "name",
        "on_timeout",
        "order",
        "queue_id",
        "required_skill",
        "reviews_required",
    }
)
REQUEST_COUNTS = timedelta(days=1)
MAY_ALLOW = (AISystem.RiskClass.MINIMAL, AISystem.RiskClass.LIMITED)
SEVERITY = {OnTimeout.ALLOW: 0, OnTimeout.FALLBACK: 1, OnTimeout.BLOCK: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of a change: in force, or waiting for a second person."""

    rule: ReviewRule | None
    request: RuleChange | None = None


def _ready() -> None:
    """Nothing more is asked of whoever asks for less."""


def register_rule(
    *, actor: Actor, system_id: uuid.UUID, values: Mapping[str, Any], before_asking: Callable[[], object] = _ready
) -> Asked:
    """Have more decisions looked at. `values`: columns named in `EDITABLE`; without `order` it is tried last.

    One that is put before others, and asks for less than they do, could take decisions from them: that waits for a
    second person, and `before_asking` may refuse it. Errors: `Forbidden`, `InvalidInput`, `QueueNotFound`, Django's
    `ValidationError`.
    """
    rights.require(actor, Act.REVIEW_RULE_TIGHTEN, Scope.system(system_id))
    _refuse_unknown(values)
    with sealing() as seal:
        advance_epoch()
        system = locked_system(system_id)
        rule = ReviewRule(system=system, **_with_order(system, dict(values)))
        _check(rule)
        if _weakens_later_ones(rule):
            before_asking()
            return Asked(rule=None, request=_request(seal, actor, rule, None, dict(values), ["order"]))
        _write(seal, actor, RULE_REGISTERED, rule)
    return Asked(rule=rule)


def change_rule(
    *,
    actor: Actor,
    rule_id: uuid.UUID,
    changes: Mapping[str, Any],
    reason: str = "",
    before_asking: Callable[[], object] = _ready,
) -> Asked:
    """Change a rule. What asks for more is in force at once; what asks for less, or where that cannot be told, waits.
    So does one that takes decisions from a stricter rule after it.

    `changes`: columns named in `EDITABLE`, and `archived`: true. Errors: as `register_rule`, and `RuleNotFound`.
    """
    _refuse_unknown(changes, also={"archived"})
    with sealing() as seal:
        advance_epoch()
        before, after = _two_copies(actor, rule_id)
        _apply(after, changes)
        if not after.archived_at:
            _check(after)
        looser = list(loosened(before, after))
        if not looser and _reaches_further(before, after) and _weakens_later_ones(after):
            looser = ["order"]
        if looser:
            rights.require(actor, Act.REVIEW_RULE_LOOSEN, Scope.system(after.system_id))
            before_asking()
            return Asked(rule=before, request=_request(seal, actor, after, before, dict(changes), looser, reason))
        rights.require(actor, Act.REVIEW_RULE_TIGHTEN, Scope.system(after.system_id))
        _write(seal, actor, RULE_UPDATED, after, reason=reason)
    return Asked(rule=after)


def approve_rule_change(*, actor: Actor, change_id: uuid.UUID) -> ReviewRule:
    """Agree to loosen a rule, as the second person; it is in force at once.

    Errors: `ApprovalForbidden`, `RuleChangeNotFound`, `RuleChangeOver`, `RequestVoid` where the one who asked may not
    any more.
    """
    with sealing() as seal:
        advance_epoch()
        change = _locked_change(actor, change_id)
        scope = Scope.system(change.system_id)
        rights.require_approval(actor, Act.REVIEW_RULE_LOOSEN, scope, requested_by=change.requested_by_id)
        if not rights.can(Actor("person", change.requested_by_id), Act.REVIEW_RULE_LOOSEN, scope):
            raise RequestVoid()
        rule = _rule_of(change)
        _apply(rule, change.changes)
        if not rule.archived_at:
            _check(rule)
        _end(seal, actor, change, RuleChange.Status.APPLIED, RULE_CHANGE_APPLIED)
        kind = RULE_ARCHIVED if rule.archived_at else RULE_REGISTERED if rule._state.adding else RULE_UPDATED
        _write(seal, actor, kind, rule, facts={"request": str(change.pk), "requested_by": str(change.requested_by_id)})
    return rule


def refuse_rule_change(*, actor: Actor, change_id: uuid.UUID) -> RuleChange:
    """Refuse to loosen a rule, as the second person; or take one's own request back. Errors: as approving."""
    with sealing() as seal:
        change = _locked_change(actor, change_id)
        if actor.id == change.requested_by_id:
            _end(seal, actor, change, RuleChange.Status.WITHDRAWN, RULE_CHANGE_WITHDRAWN)
            return change
        scope = Scope.system(change.system_id)
        rights.require_approval(actor, Act.REVIEW_RULE_LOOSEN, scope, requested_by=change.requested_by_id)
        _end(seal, actor, change, RuleChange.Status.REFUSED, RULE_CHANGE_REFUSED)
    return change


# --- what is looser ---------------------------------------------------------------------------------------------------
def loosened(before: ReviewRule, after: ReviewRule) -> Iterator[str]:
    """Names of what asks for less than before; what cannot be told counts as less."""
    if after.archived_at and not before.archived_at:
        yield "archived"
    if after.environment not in ("", before.environment):
        yield "environment"
    if not covers(after.condition, before.condition):
        yield "condition"
    yield from _weaker(after, before)
    if after.order != before.order:
        yield "order"
    if after.queue_id != before.queue_id:
        yield "queue_id"  # other people, another capacity: whether that is less cannot be told


def _weaker(rule: ReviewRule, than: ReviewRule) -> Iterator[str]:
    if rule.deadline_s > than.deadline_s:
        yield "deadline_s"
    if SEVERITY[OnTimeout(rule.on_timeout)] < SEVERITY[OnTimeout(than.on_timeout)]:
        yield "on_timeout"
    if rule.reviews_required < than.reviews_required:
        yield "reviews_required"
    if than.is_blind and not rule.is_blind:
        yield "is_blind"
    if than.required_skill and rule.required_skill != than.required_skill:
        yield "required_skill"


def _reaches_further(before: ReviewRule, after: ReviewRule) -> bool:
    """Whether it may take decisions that it left to later rules until now."""
    is_wider = not covers(before.condition, after.condition)
    return is_wider or before.environment not in ("", after.environment)


def _weakens_later_ones(rule: ReviewRule) -> bool:
    later = ReviewRule.objects.filter(system_id=rule.system_id, archived_at=None, order__gt=rule.order)
    return any(list(_weaker(rule, each)) for each in later)


# --- parts of the above -----------------------------------------------------------------------------------------------
def _with_order(system: AISystem, values: dict[str, Any]) -> dict[str, Any]:
    if "order" not in values:
        last = ReviewRule.objects.filter(system=system).order_by("-order").values_list("order", flat=True).first()
        values["order"] = (last or 0) + 10
    if "condition" in values:
        values["condition"] = read_condition(values["condition"])
    return values


def _two_copies(actor: Actor, rule_id: uuid.UUID) -> tuple[ReviewRule, ReviewRule]:
    """The rule as it stands, twice: one to change. Its system is locked, so changes come one after the other."""
    found = ReviewRule.objects.filter(pk=rule_id).first()
    # seen before anything is said of it: a refusal does not tell whether the rule exists
    if found is None or not rights.can(actor, Act.SYSTEM_VIEW, Scope.system(found.system_id)):
        raise RuleNotFound()
    locked_system(found.system_id)
    return ReviewRule.objects.get(pk=rule_id), ReviewRule.objects.get(pk=rule_id)


def _apply(rule: ReviewRule, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if name == "archived":
            rule.archived_at = rule.archived_at or (timezone.now() if value else None)
        elif name == "condition":
            rule.condition = read_condition(value)
        else:
            setattr(rule, name, uuid.UUID(str(value)) if name == "queue_id" else value)


def _check(rule: ReviewRule) -> None:
    queue = ReviewQueue.objects.filter(pk=rule.queue_id, archived_at=None).first()
    if queue is None or queue.system_id not in (None, rule.system_id):
        raise QueueNotFound()
    problems = list(_problems(rule))
    if problems:
        raise InvalidInput(errors=problems)


def _problems(rule: ReviewRule) -> Iterator[FieldProblem]:
    if not rule.condition:
        yield FieldProblem(pointer="/condition", detail="Say which decisions are to be looked at.")
    if rule.on_timeout not in OnTimeout.values:
        yield FieldProblem(pointer="/on_timeout", detail="Unknown.", expected=", ".join(OnTimeout.values))
    if rule.on_timeout == OnTimeout.ALLOW and rule.system.risk_class not in MAY_ALLOW:
        detail = "Only where the risk is minimal or limited may anything be carried out unseen."
        yield FieldProblem(pointer="/on_timeout", detail=detail, expected="block or fallback")
    if rule.on_timeout == OnTimeout.FALLBACK and not rule.system.fallback_kind:
        yield FieldProblem(pointer="/on_timeout", detail="The AI system has declared nothing that stands in for it.")


def _request(
    seal: Seal,
    actor: Actor,
    after: ReviewRule,
    before: ReviewRule | None,
    changes: dict[str, Any],
    looser: list[str],
    reason: str = "",
) -> RuleChange:
    rights.require(actor, Act.REVIEW_RULE_LOOSEN, Scope.system(after.system_id))
    if before:
        _replace_earlier(seal, actor, before)
    change = RuleChange(
        rule=before,
        system_id=after.system_id,
        rule_revision=before.revision if before else 0,
        changes={name: str(value) if isinstance(value, uuid.UUID) else value for name, value in changes.items()},
        loosens=looser,
        requested_by_id=person_id_of(actor),
        expires_at=timezone.now() + REQUEST_COUNTS,
    )
    facts = {"rule": str(after.pk), "loosens": looser}
    write(
        seal,
        actor=actor,
        kind=RULE_CHANGE_REQUESTED,
        row=change,
        system_id=after.system_id,
        facts=facts,
        reason=reason,
    )
    ask_approvers(
        act=Act.REVIEW_RULE_LOOSEN,
        scope=Scope.system(change.system_id),
        requested_by=change.requested_by_id,
        kind="rule_change.asked",
        request_id=change.pk,
    )
    return change


def _replace_earlier(seal: Seal, actor: Actor, rule: ReviewRule) -> None:
    """One request a rule: a new one takes the place of one that waits, or has expired unanswered."""
    for earlier in rule.changes.select_for_update(no_key=True).filter(status=RuleChange.Status.REQUESTED):
        _end(seal, actor, earlier, RuleChange.Status.WITHDRAWN, RULE_CHANGE_WITHDRAWN)


def _locked_change(actor: Actor, change_id: uuid.UUID) -> RuleChange:
    change = RuleChange.objects.select_for_update(no_key=True, of=("self",)).filter(pk=change_id).first()
    if change is None or not rights.can(actor, Act.SYSTEM_VIEW, Scope.system(change.system_id)):
        raise RuleChangeNotFound()
    if change.status != RuleChange.Status.REQUESTED or change.expires_at <= timezone.now():
        raise RuleChangeOver()
    return change


def _rule_of(change: RuleChange) -> ReviewRule:
    """The rule as it was when the change was asked for. Errors: `RuleChangeOver` where it is another by now."""
    system = locked_system(change.system_id)
    if change.rule_id is None:
        return ReviewRule(system=system)
    rule = ReviewRule.objects.get(pk=change.rule_id)
    if rule.revision != change.rule_revision:
        raise RuleChangeOver()
    return rule


def _end(seal: Seal, actor: Actor, change: RuleChange, status: RuleChange.Status, kind: Kind) -> None:
    change.status = status
    change.decided_by_id = actor.id
    change.decided_at = timezone.now()
    write(seal, actor=actor, kind=kind, row=change, system_id=change.system_id, facts={"status": str(status)})


def _write(
    seal: Seal,
    actor: Actor,
    kind: Kind,
    rule: ReviewRule,
    *,
    facts: dict[str, Any] | None = None,
    reason: str = "",
) -> None:
    said = {"rule": rule.name, "order": rule.order} | (facts or {})
    write(seal, actor=actor, kind=kind, row=rule, system_id=rule.system_id, facts=said, reason=reason)


def _refuse_unknown(values: Mapping[str, Any], also: frozenset[str] | set[str] = frozenset()) -> None:
    unknown = sorted(values.keys() - EDITABLE - also)
    if unknown:
        raise InvalidInput(
            errors=[FieldProblem(pointer=f"/{name}", detail="This is not set here.") for name in unknown]
        )

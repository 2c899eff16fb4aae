"""Review rules: asking for more takes one person, asking for less takes two."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act
from governance.changes import write
from governance.models import AISystem
from governance.scopes import Scope
from governance.services.systems import locked_system
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.sealing import Seal, sealing
from overrides.clock import advance_epoch
from overrides.conditions import covers, read_condition
from overrides.models import OnTimeout, ReviewQueue, ReviewRule, RuleChange
from overrides.review_errors import QueueNotFound, RuleChangeNotFound, RuleChangeOver, RuleNotFound
from overrides.review_kinds import RULE_ARCHIVED, RULE_REGISTERED, RULE_UPDATED
from overrides.services.rule_requests import applied_facts, ask, end, locked_change, nothing_more, require_second

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
MAY_ALLOW = (AISystem.RiskClass.MINIMAL, AISystem.RiskClass.LIMITED)
SEVERITY = {OnTimeout.ALLOW: 0, OnTimeout.FALLBACK: 1, OnTimeout.BLOCK: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of a change: in force, or waiting for a second person."""

    rule: ReviewRule | None
    request: RuleChange | None = None


def register_rule(
    *, actor: Actor, system_id: uuid.UUID, values: Mapping[str, Any], before_asking: Callable[[], object] = nothing_more
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
            rights.require(actor, Act.REVIEW_RULE_LOOSEN, Scope.system(system_id))
            before_asking()
            return Asked(rule=None, request=ask(seal, actor, system_id=system_id, changes=values, loosens=["order"]))
        _write(seal, actor, RULE_REGISTERED, rule)
    return Asked(rule=rule)


def change_rule(
    *,
    actor: Actor,
    rule_id: uuid.UUID,
    changes: Mapping[str, Any],
    reason: str = "",
    before_asking: Callable[[], object] = nothing_more,
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
        scope = Scope.system(after.system_id)
        if looser := loosened(before, after):
            rights.require(actor, Act.REVIEW_RULE_LOOSEN, scope)
            before_asking()
            request = ask(
                seal, actor, rule=before, system_id=after.system_id, changes=changes, loosens=looser, reason=reason
            )
            return Asked(rule=before, request=request)
        rights.require(actor, Act.REVIEW_RULE_TIGHTEN, scope)
        _write(seal, actor, RULE_UPDATED, after, reason=reason)
    return Asked(rule=after)


def approve_rule_change(*, actor: Actor, change_id: uuid.UUID) -> ReviewRule:
    """Agree to loosen a rule, as the second person; it is in force at once.

    Errors: `ApprovalForbidden`, `RuleChangeNotFound`, `RuleChangeOver`, `RequestVoid` where the one who asked may not
    any more.
    """
    with sealing() as seal:
        advance_epoch()
        change = locked_change(actor, change_id)
        if change.system_id is None or change.queue_id:
            raise RuleChangeNotFound()
        require_second(actor, change)
        before, rule = _as_asked(change, change.system_id), _as_asked(change, change.system_id)
        _apply(rule, change.changes)
        if not rule.archived_at:
            _check(rule)
        if _is_overtaken(change, before, rule):
            raise RuleChangeOver("Other rules of the AI system were added or changed since it was asked for. Ask anew.")
        end(seal, actor, change, RuleChange.Status.APPLIED)
        kind = RULE_ARCHIVED if rule.archived_at else RULE_UPDATED if change.rule_id else RULE_REGISTERED
        _write(seal, actor, kind, rule, facts=applied_facts(change))
    return rule


# --- what is looser ---------------------------------------------------------------------------------------------------
def loosened(before: ReviewRule, after: ReviewRule) -> list[str]:
    """Names of what asks for less than before, of this rule or (`order`) of stricter ones that it takes decisions from.

    What cannot be told counts as less.
    """
    looser = list(_of_itself(before, after))
    if "order" not in looser and _reaches_further(before, after) and _weakens_later_ones(after):
        looser.append("order")
    return looser


def _of_itself(before: ReviewRule, after: ReviewRule) -> Iterator[str]:
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
    if after.archived_at:
        return False
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


def _as_asked(change: RuleChange, system_id: uuid.UUID) -> ReviewRule:
    """The rule as it was when the change was asked for. Errors: `RuleChangeOver` where it is another by now."""
    system = locked_system(system_id)
    if change.rule_id is None:
        return ReviewRule(system=system)
    rule = ReviewRule.objects.get(pk=change.rule_id)
    if rule.revision != change.rule_revision:
        raise RuleChangeOver()
    return rule


def _is_overtaken(change: RuleChange, before: ReviewRule, after: ReviewRule) -> bool:
    """Whether it changes what other rules catch, and these are not those that whoever asked knew."""
    if change.rule_id and "order" not in loosened(before, after):
        return False
    others = ReviewRule.history.exclude(id=before.pk)
    return bool(others.filter(system_id=change.system_id, history_date__gt=change.created_at).exists())


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

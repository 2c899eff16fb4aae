"""Who may do what. The one place that answers; no view, page, command or service decides a right otherwise.

A right comes from an assignment that its holder accepted, within its span, whose scope covers the act's. A refusal
never tells whether the thing exists.
"""

import uuid
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone

from config.errors import Forbidden
from governance.acts import LOOKS, OF_THE_ORGANISATION, RULES, Act, Condition, Role, Rule
from governance.credentials import self_made_pairs
from governance.errors import ApprovalForbidden, RequestVoid
from governance.models import AISystem, Assignment, Person, ServiceAccount, ServiceKey
from governance.scopes import ORGANISATION, Place, Scope
from ledger.entries import Actor

NONE_GIVEN: frozenset[Condition] = frozenset()
WHOLE = (Assignment.Scope.ORGANISATION, Assignment.Scope.SYSTEM)
"""Scopes that open an AI system as a whole."""


def can(
    who: Actor | Person, act: Act, scope: Place = ORGANISATION, *, given: frozenset[Condition] = NONE_GIVEN
) -> bool:
    """Whether somebody may do this there. `given`: conditions that the floor above has found to hold."""
    rule = RULES[act]
    match as_actor(who):
        case Actor("person", uuid.UUID() as person_id):
            return _person_may(person_id, _counting(rule, given), scope)
        case Actor("service", uuid.UUID() as account_id):
            return _account_may(account_id, rule, scope)
        case Actor("command"):
            return rule.by_command
    return False


def require(
    who: Actor | Person, act: Act, scope: Place = ORGANISATION, *, given: frozenset[Condition] = NONE_GIVEN
) -> None:
    """Raise `Forbidden` unless `can`."""
    if not can(who, act, scope, given=given):
        raise Forbidden()


def may_approve(
    approver: Actor | Person,
    act: Act,
    scope: Place = ORGANISATION,
    *,
    requested_by: uuid.UUID | None,
    given: frozenset[Condition] = NONE_GIVEN,
) -> bool:
    """Whether this person may be the second one: somebody else, in the approving role, and not a self-made pair.

    `requested_by` is None for what was asked for at the command line.
    """
    actor, rule = as_actor(approver), RULES[act]
    if actor.type != "person" or actor.id is None or actor.id == requested_by:
        return False
    if rule.approves_if is not None and rule.approves_if not in given:
        return False
    return _person_may(actor.id, rule.approves, scope) and not _self_made(actor.id, requested_by)


def require_approval(
    approver: Actor | Person,
    act: Act,
    scope: Place = ORGANISATION,
    *,
    requested_by: uuid.UUID | None,
    given: frozenset[Condition] = NONE_GIVEN,
) -> None:
    """Raise `ApprovalForbidden` unless `may_approve`."""
    if not may_approve(approver, act, scope, requested_by=requested_by, given=given):
        raise ApprovalForbidden()


def require_asker(person_id: uuid.UUID | None, act: Act, scope: Place = ORGANISATION) -> None:
    """Raise `RequestVoid` where whoever asked for this may not ask for it any more."""
    if person_id is not None and not can(Actor("person", person_id), act, scope):
        raise RequestVoid()


def systems_where(
    who: Actor | Person, act: Act, *, given: frozenset[Condition] = NONE_GIVEN, approving: bool = False
) -> frozenset[uuid.UUID] | None:
    """The AI systems in which a person may do this (or agree to it), for lists; None means all of them.

    A right to one model version, capability or case does not open the whole system.
    """
    actor, rule = as_actor(who), RULES[act]
    if actor.type != "person" or actor.id is None:
        return None if not approving and can(actor, act) else frozenset()
    held = in_force().filter(person_id=actor.id, role__in=rule.approves if approving else _counting(rule, given))
    places = list(held.filter(scope__in=WHOLE).order_by().values_list("scope", "system_id"))
    if any(scope == Assignment.Scope.ORGANISATION for scope, _ in places):
        return None
    return frozenset(system for _, system in places if system)


def systems_in_part(who: Actor | Person, act: Act, *, given: frozenset[Condition] = NONE_GIVEN) -> frozenset[uuid.UUID]:
    """The AI systems in which a person may do this for some model version or capability: ask `can` for each thing."""
    actor = as_actor(who)
    if actor.type != "person" or actor.id is None:
        return frozenset()
    held = in_force().filter(person_id=actor.id, role__in=_counting(RULES[act], given))
    narrow = held.filter(scope__in=[Assignment.Scope.MODEL_VERSION, Assignment.Scope.CAPABILITY])
    return frozenset(each for each in narrow.values_list("system_id", flat=True) if each)


def can_anywhere(who: Actor | Person, act: Act) -> bool:
    """Whether a page about this kind of thing is of any use to them."""
    systems = systems_where(who, act)
    return systems is None or bool(systems)


@dataclass(frozen=True, slots=True)
class Held:
    """The roles that a person holds, read once: for pages that show many things, each with what one may do there."""

    person_id: uuid.UUID
    roles: tuple[tuple[str, Scope], ...]

    def can(self, act: Act, scope: Scope = ORGANISATION) -> bool:
        """As `rights.can`, of the roles as they were read."""
        return self._any(_counting(RULES[act], NONE_GIVEN), scope)

    def may_approve(self, act: Act, scope: Scope, *, requested_by: uuid.UUID | None) -> bool:
        """Whether to offer it: not whether the two made each other's account, which `rights.may_approve` asks."""
        return requested_by != self.person_id and self._any(RULES[act].approves, scope)

    def has_part_in(self, *acts: Act) -> bool:
        """Whether one of their roles, anywhere, asks for one of these acts or agrees to it: what to offer, no right."""
        return any(role in RULES[act].asks | RULES[act].approves for act in acts for role, _ in self.roles)

    def systems_touched(self) -> frozenset[uuid.UUID] | None:
        """The AI systems in which they hold anything, if only for a part of one; None means all of them."""
        if any(scope.kind == Assignment.Scope.ORGANISATION for _, scope in self.roles):
            return None
        return frozenset(scope.system_id for _, scope in self.roles if scope.system_id)

    def _any(self, roles: frozenset[Assignment.Role], scope: Scope) -> bool:
        return any(role in roles and place.contains(scope) for role, place in self.roles)


def held_by(person: Person) -> Held:
    """Everything that somebody holds now: one query."""
    found = (
        in_force()
        .filter(person_id=person.pk)
        .only("role", "scope", "system_id", "model_version_id", "capability", "case_id")
    )
    return Held(person.pk, tuple((each.role, Scope.of(each)) for each in found))


def holders(act: Act, scope: Place, *, approving: bool = False) -> list[Person]:
    """Who can ask for an act there, or approve it: for pages that say whom to turn to."""
    rule = RULES[act]
    roles = rule.approves if approving else _counting(rule, NONE_GIVEN)
    held = in_force().filter(scope.covering(), role__in=roles)
    return list(Person.objects.filter(pk__in=held.values("person_id")).order_by("name", "id"))


def in_force() -> QuerySet[Assignment]:
    """Assignments that count now: accepted, within their span, of a person who is still here."""
    now = timezone.now()
    return Assignment.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=now),
        status=Assignment.Status.ACCEPTED,
        accepted_at__lte=now,
        person__is_active=True,
    )


def answering() -> QuerySet[Assignment]:
    """Who answers for an AI system as a whole, in force: the accountable persons who accepted."""
    return in_force().filter(role=Role.ACCOUNTABLE, scope=Assignment.Scope.SYSTEM, delegated_from=None)


def administrators() -> QuerySet[Assignment]:
    """Administrators of the organisation, in force."""
    return in_force().filter(role=Role.ADMINISTRATOR, scope=Assignment.Scope.ORGANISATION)


@dataclass(frozen=True, slots=True)
class Impossible:
    """An act that nobody can do, or that nobody can approve, with the people there are."""

    act: Act
    missing: str


def impossible_acts() -> list[Impossible]:
    """What is needed and cannot be done because too few people exist: for the banner. Scopes are not looked at."""
    holders = _holders()
    pairs = self_made_pairs(set().union(*holders.values()))
    return [Impossible(act, missing) for act in _needed() if (missing := _missing(RULES[act], holders, pairs))]


def as_actor(who: Actor | Person) -> Actor:
    """A signed-in person as the actor of entries."""
    return Actor("person", who.pk) if isinstance(who, Person) else who


def _counting(rule: Rule, given: frozenset[Condition]) -> frozenset[Assignment.Role]:
    return frozenset(role for role in rule.asks if role not in rule.only_if or rule.only_if[role] & given)


def _person_may(person_id: uuid.UUID, roles: frozenset[Assignment.Role], scope: Place) -> bool:
    return bool(roles) and in_force().filter(scope.covering(), person_id=person_id, role__in=roles).exists()


def _account_may(account_id: uuid.UUID, rule: Rule, scope: Place) -> bool:
    """The edge has checked the one key that was used; here any live key of the account must reach this far."""
    if not rule.by_key or not ServiceAccount.objects.filter(pk=account_id, is_active=True).exists():
        return False
    now = timezone.now()
    keys = ServiceKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now),
        account_id=account_id,
        revoked_at=None,
        scopes__overlap=list(rule.by_key),
    )
    return keys.filter(scope.within_reach()).exists()


def _self_made(one: uuid.UUID, other: uuid.UUID | None) -> bool:
    return other is not None and frozenset({one, other}) in self_made_pairs([one, other])


def _holders() -> dict[str, set[uuid.UUID]]:
    holders: dict[str, set[uuid.UUID]] = {role: set() for role in Role}
    for role, person_id in in_force().values_list("role", "person_id"):
        holders[role].add(person_id)
    return holders


def _needed() -> list[Act]:
    """Acts that something may wait for. Without an AI system there is nothing to stop, publish or review."""
    is_any = AISystem.objects.exclude(status=AISystem.Status.RETIRED).exists()
    there = frozenset(RULES) - LOOKS if is_any else OF_THE_ORGANISATION
    return [act for act, rule in RULES.items() if act in there and rule.is_built]


def _missing(rule: Rule, holders: dict[str, set[uuid.UUID]], pairs: set[frozenset[uuid.UUID]]) -> str:
    """What lacks for an act, in words; empty where it can be done."""
    if rule.nobody_by_default:
        return ""
    askers = set().union(*(holders[role] for role in rule.asks)) if rule.asks else set()
    if rule.asks and not askers:
        return "nobody is " + _either(rule.asks)
    if not rule.needs_approval:
        return ""
    approvers = set().union(*(holders[role] for role in rule.approves))
    if any(a != b and frozenset({a, b}) not in pairs for a in askers for b in approvers):
        return ""
    if any(a != b for a in askers for b in approvers):
        return "the two made each other's account less than 7 days ago"
    return "nobody else is " + _either(rule.approves)


def _either(roles: frozenset[Assignment.Role]) -> str:
    return " or ".join(sorted(role.label for role in roles))

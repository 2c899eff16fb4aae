"""AI systems: registering, describing, going live, retiring."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from config.errors import FieldProblem, InvalidInput
from governance import rights
from governance.acts import Act, Role
from governance.changes import write
from governance.errors import EnvironmentNotFound, FailPolicyNeedsTwo, SystemExists, SystemNotFound, SystemNotReady
from governance.fail_policies import (
    LONGEST_STALENESS_S,
    SHORTEST_STALENESS_S,
    FailPolicy,
    fail_policy_of,
    is_milder,
)
from governance.kinds import ENVIRONMENT_ENDED, ENVIRONMENT_REGISTERED, SYSTEM_REGISTERED, SYSTEM_UPDATED
from governance.locks import hold
from governance.models import AISystem, Environment, ModelVersion, Person, SystemCard
from governance.origins import require_own_origin
from governance.scopes import ORGANISATION, Scope
from governance.services.answering import settle_gaps
from governance.services.offers import offer_to
from ledger.entries import Actor
from ledger.logs import open_system_log
from ledger.sealing import Seal, sealing

EDITABLE = frozenset(
    {
        "name",
        "intended_purpose",
        "provider",
        "risk_class",
        "safe_state",
        "shutdown_steps",
        "shutdown_contacts",
        "max_staleness_s",
        "safe_mode",
        "fallback_kind",
        "fallback",
    }
)
POLICY = frozenset({"risk_class", "max_staleness_s", "safe_mode", "fallback_kind", "fallback"})
PARTS = {
    "accountable": "An accountable person must have accepted.",
    "model_versions": "A model version must be approved.",
    "card": "A system card must be published.",
}
PROCEDURE = {
    "safe_state": "Write down the safe state: what happens to the people concerned while the system is stopped.",
    "shutdown_steps": "Write down the steps that stop it.",
    "shutdown_contacts": "Write down who must be told.",
}


def register_system(
    *,
    actor: Actor,
    slug: str,
    name: str,
    accountable: Person | None = None,
    environments: Iterable[str] = ("production",),
    **described: Any,
) -> AISystem:
    """Put an AI system in the register, open its log, and offer the accountable person their assignment.

    `described`: columns named in `EDITABLE`. Returns the stored row, in status draft. Until the offer is accepted,
    decisions carry the person as not accepted. Errors: `Forbidden`, `SystemExists`, `ForeignOrigin`, `ValidationError`
    of columns.
    """
    rights.require(actor, Act.SYSTEM_REGISTER)
    _refuse_unknown(described)
    require_own_origin()
    with sealing() as seal:
        hold(f"system:{slug}")  # of two that register it at once, the second finds the first
        if AISystem.objects.filter(slug=slug).exists():
            raise SystemExists()
        system = AISystem(slug=slug, name=name, **described)
        system.clean_fields()
        refuse_bad_policy(system)
        open_system_log(seal, actor=actor, system_id=system.id, slug=system.slug)
        write(seal, actor=actor, kind=SYSTEM_REGISTERED, row=system, system_id=system.id)
        for place in dict.fromkeys(environments):
            put_environment(seal, actor=actor, system=system, slug=place)
        if accountable is not None:
            offer_to(seal, actor=actor, person=accountable, role=Role.ACCOUNTABLE, scope=Scope.system(system.id))
    return system


def update_system(*, actor: Actor, system_id: uuid.UUID, changes: Mapping[str, Any], reason: str = "") -> AISystem:
    """Change what the register says about an AI system: columns named in `EDITABLE`.

    A live system keeps its shutdown procedure written, and its fail policy as strict as it is: a milder one takes two
    people (`governance.services.fail_policies`), by whichever column it would come about. Errors: `Forbidden`,
    `SystemNotFound`, `SystemNotReady`, `FailPolicyNeedsTwo`, `InvalidInput`.
    """
    rights.require(actor, Act.SYSTEM_EDIT, Scope.system(system_id))
    _refuse_unknown(changes)
    with sealing() as seal:
        system = locked_system(system_id)
        if all(getattr(system, name) == value for name, value in changes.items()):
            return system
        held = fail_policy_of(system)
        for name, value in changes.items():
            setattr(system, name, value)
        if changes.keys() & POLICY:
            system.clean_fields()
            refuse_bad_policy(system)
        if system.status == AISystem.Status.LIVE:
            _refuse_milder(fail_policy_of(system), held)
            _refuse_gaps([gap for gap in gaps(system) if gap.pointer.strip("/") in PROCEDURE])
        write(seal, actor=actor, kind=SYSTEM_UPDATED, row=system, system_id=system.id, reason=reason)
    return system


def take_live(*, actor: Actor, system_id: uuid.UUID) -> AISystem:
    """Say that an AI system is in use. Its accountable person does. Errors: `Forbidden`, `SystemNotReady` with gaps."""
    rights.require(actor, Act.SYSTEM_GO_LIVE, Scope.system(system_id))
    with sealing() as seal:
        system = locked_system(system_id)
        if system.status == AISystem.Status.LIVE:
            return system
        _refuse_gaps(gaps(system))
        return _set_status(seal, actor, system, AISystem.Status.LIVE)


def retire_system(*, actor: Actor, system_id: uuid.UUID, reason: str = "") -> AISystem:
    """Say that an AI system is not in use any more; its record stays. Errors: `Forbidden`, `SystemNotFound`."""
    rights.require(actor, Act.SYSTEM_RETIRE, Scope.system(system_id))
    with sealing() as seal:
        system = locked_system(system_id)
        if system.status == AISystem.Status.RETIRED:
            return system
        return _set_status(seal, actor, system, AISystem.Status.RETIRED, reason)


def gaps(system: AISystem) -> list[FieldProblem]:
    """What is missing before an AI system may go live, each with the field or part it concerns."""
    return gaps_of([system])[system.pk]


def gaps_of(systems: Collection[AISystem]) -> dict[uuid.UUID, list[FieldProblem]]:
    """The same of several, by their ids: three queries, however many."""
    ids = [each.pk for each in systems]
    have = {
        "accountable": _with(rights.answering(), ids),
        "model_versions": _with(ModelVersion.objects.filter(status__in=ModelVersion.PROMOTED), ids),
        "card": _with(SystemCard.objects.filter(status=SystemCard.Status.PUBLISHED), ids),
    }
    return {each.pk: list(_gaps(each, {name for name, found in have.items() if each.pk in found})) for each in systems}


def _with(rows: QuerySet[Any], ids: list[uuid.UUID]) -> frozenset[uuid.UUID]:
    return frozenset(rows.filter(system_id__in=ids).values_list("system_id", flat=True))


def _gaps(system: AISystem, has: set[str]) -> Iterator[FieldProblem]:
    for name, text in PROCEDURE.items():
        if not getattr(system, name):
            yield FieldProblem(pointer=f"/{name}", detail=text)
    for name, text in PARTS.items():
        if name not in has:
            yield FieldProblem(pointer=f"/{name}", detail=text)
    if not system.intended_purpose:
        yield FieldProblem(pointer="/intended_purpose", detail="Write down the intended purpose.")
    if system.risk_class == AISystem.RiskClass.UNCLASSIFIED:
        yield FieldProblem(pointer="/risk_class", detail="Choose the risk class.")
    if system.risk_class == AISystem.RiskClass.PROHIBITED:
        yield FieldProblem(pointer="/risk_class", detail="A prohibited practice never goes live.")


def register_environment(*, actor: Actor, system_id: uuid.UUID, slug: str) -> Environment:
    """Register where an AI system runs; one that exists is returned. Errors: `Forbidden`, `SystemNotFound`."""
    rights.require(actor, Act.ENVIRONMENT_REGISTER, Scope.system(system_id))
    with sealing() as seal:
        return put_environment(seal, actor=actor, system=locked_system(system_id), slug=slug)


def put_environment(seal: Seal, *, actor: Actor, system: AISystem, slug: str) -> Environment:
    """Inside a service that holds the system's row: the environment of that slug, made where there is none.

    One that had ended is taken up again.
    """
    place = system.environments.filter(slug=slug).first() or Environment(system=system, slug=slug)
    if not place._state.adding and place.ended_at is None:
        return place
    place.ended_at = None
    write(seal, actor=actor, kind=ENVIRONMENT_REGISTERED, row=place, system_id=system.id, facts={"environment": slug})
    return place


def end_environment(*, actor: Actor, environment_id: uuid.UUID, reason: str = "") -> Environment:
    """Say that an AI system does not run there any more: from now on decisions from there are flagged.

    What was recorded and which keys there are stays as it is. Errors: `Forbidden`, `EnvironmentNotFound`.
    """
    found = Environment.objects.filter(pk=environment_id).first()
    rights.require(actor, Act.SYSTEM_EDIT, Scope.system(found.system_id) if found else ORGANISATION)
    if found is None:
        raise EnvironmentNotFound()
    with sealing() as seal:
        locked_system(found.system_id)
        place = Environment.objects.get(pk=environment_id)
        if place.ended_at is None:
            place.ended_at = timezone.now()
            facts = {"environment": place.slug}
            write(
                seal,
                actor=actor,
                kind=ENVIRONMENT_ENDED,
                row=place,
                system_id=place.system_id,
                facts=facts,
                reason=reason,
            )
    return place


def locked_system(system_id: uuid.UUID) -> AISystem:
    """The system's row, locked: acts on one system that look before they write come one after the other."""
    system = AISystem.objects.select_for_update(no_key=True).filter(pk=system_id).first()
    if system is None:
        raise SystemNotFound()
    return system


def system_by_slug(slug: str) -> AISystem:
    """For scripts, which have no ids. Errors: `SystemNotFound`."""
    system = AISystem.objects.filter(slug=slug).first()
    if system is None:
        raise SystemNotFound(f"No AI system has the slug '{slug}'.")
    return system


def _set_status(seal: Seal, actor: Actor, system: AISystem, status: AISystem.Status, reason: str = "") -> AISystem:
    system.status = status
    facts = {"status": str(status)}
    write(seal, actor=actor, kind=SYSTEM_UPDATED, row=system, system_id=system.id, facts=facts, reason=reason)
    settle_gaps(seal, actor=actor, system_ids=[system.id], at=timezone.now())
    return system


def refuse_bad_policy(system: AISystem) -> None:
    """What stands in must be there. Errors: `InvalidInput`."""
    if found := list(_policy_problems(system)):
        raise InvalidInput(errors=found)


def _policy_problems(system: AISystem) -> Iterator[FieldProblem]:
    if bool(system.fallback) != bool(system.fallback_kind):
        missing = "/fallback" if system.fallback_kind else "/fallback_kind"
        yield FieldProblem(pointer=missing, detail="Say what stands in, and of which kind it is.")
    if system.fallback and system.fallback_kind == AISystem.FallbackKind.MODEL_VERSION:
        known = system.model_versions.filter(version=system.fallback).exclude(status=ModelVersion.Status.RETIRED)
        if system._state.adding or not known.exists():
            yield FieldProblem(pointer="/fallback", detail="The AI system has no such model version in use.")
    if fail_policy_of(system).safe_mode == AISystem.SafeMode.FALLBACK and not system.fallback:
        yield FieldProblem(pointer="/safe_mode", detail="Declare first what to fall back to.")
    staleness = system.max_staleness_s
    if staleness is not None and not SHORTEST_STALENESS_S <= staleness <= LONGEST_STALENESS_S:
        expected = f"seconds, {SHORTEST_STALENESS_S} to {LONGEST_STALENESS_S}"
        yield FieldProblem(pointer="/max_staleness_s", detail="Between 5 seconds and a week.", expected=expected)


def _refuse_milder(new: FailPolicy, held: FailPolicy) -> None:
    if is_milder(new, held):
        raise FailPolicyNeedsTwo()


def _refuse_gaps(found: list[FieldProblem]) -> None:
    if found:
        raise SystemNotReady(errors=found)


def _refuse_unknown(described: Mapping[str, Any]) -> None:
    unknown = described.keys() - EDITABLE
    if unknown:
        raise TypeError(f"not columns of an AI system that may be described: {', '.join(sorted(unknown))}")

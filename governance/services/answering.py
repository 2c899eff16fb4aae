"""Spans in which a live AI system has nobody accountable: refused unless confirmed, opened, closed, each sealed."""

import uuid
from collections.abc import Collection
from datetime import datetime

from django.utils import timezone

from config.errors import FieldProblem
from governance import rights
from governance.acts import Role
from governance.changes import write
from governance.errors import GapWouldOpen
from governance.kinds import GAP_CLOSED, GAP_OPENED
from governance.models import AccountabilityGap, AISystem, Assignment
from ledger.entries import SERVER, Actor
from ledger.sealing import Seal, sealing

Status = Assignment.Status


def carried_by(assignments: Collection[Assignment]) -> list[AISystem]:
    """The live AI systems, in the order of their ids, for which these assignments alone are what answers now."""
    carrying = rights.answering().filter(pk__in=[each.pk for each in assignments])
    systems = AISystem.objects.filter(pk__in=carrying.values("system_id"), status=AISystem.Status.LIVE)
    return list(systems.order_by("pk"))


def require_no_gap(systems: Collection[AISystem], *, confirmed: bool, reason: str) -> None:
    """Errors: `GapWouldOpen`, naming each AI system, unless the gap was confirmed and a reason given."""
    if systems and not (confirmed and reason.strip()):
        problems = [
            FieldProblem(pointer="/accepts_gap", detail=f"{system} would have nobody accountable.")
            for system in systems
        ]
        names = ", ".join(str(system) for system in systems)
        raise GapWouldOpen(
            f"Live without an accountable person from this moment: {names}. Hand over first, or confirm the gap and "
            "say why.",
            errors=problems,
        )


def lock_systems(system_ids: Collection[uuid.UUID | None]) -> None:
    """Before assignments are locked: who takes over, who ends and the sweep of gaps come one after the other."""
    wanted = {each for each in system_ids if each}
    list(AISystem.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"))


def settle_gaps(seal: Seal, *, actor: Actor, system_ids: Collection[uuid.UUID], at: datetime) -> None:
    """Inside a service that has locked the systems: open the gap that it made, close the one that it ended."""
    for system in AISystem.objects.filter(pk__in=set(system_ids)).order_by("pk"):
        _settle(seal, actor, system, at)


def settle_passed_gaps() -> int:
    """The sweep: gaps that opened because a date passed. Returns how many opened or closed."""
    return sum(_settle_alone(system_id) for system_id in _out_of_step())


def _out_of_step() -> list[uuid.UUID]:
    """AI systems whose gap, or the lack of one, is not what their assignments say."""
    in_gap = AccountabilityGap.objects.filter(closed_at=None).values("system_id")
    answered = rights.answering().values("system_id")
    live = AISystem.objects.filter(status=AISystem.Status.LIVE)
    opening = live.exclude(pk__in=answered).exclude(pk__in=in_gap)
    closing = AISystem.objects.filter(pk__in=in_gap).exclude(pk__in=live.exclude(pk__in=answered))
    return [*opening.values_list("pk", flat=True), *closing.values_list("pk", flat=True)]


def _settle_alone(system_id: uuid.UUID) -> bool:
    with sealing() as seal:
        lock_systems([system_id])
        return _settle(seal, SERVER, AISystem.objects.get(pk=system_id), timezone.now())


def _settle(seal: Seal, actor: Actor, system: AISystem, at: datetime) -> bool:
    gap = AccountabilityGap.objects.select_for_update(no_key=True).filter(system=system, closed_at=None).first()
    is_gap = system.status == AISystem.Status.LIVE and not rights.answering().filter(system=system).exists()
    if is_gap == (gap is not None):
        return False
    if gap is None:
        last = _last_answering(system)
        began = last.ends_at if last and last.ends_at and last.ends_at < at else at
        gap = AccountabilityGap(system=system, opened_at=began, last_assignment=last)
    else:
        gap.closed_at = at
    kind = GAP_OPENED if gap.closed_at is None else GAP_CLOSED
    write(seal, actor=actor, kind=kind, row=gap, system_id=system.pk)
    return True


def _last_answering(system: AISystem) -> Assignment | None:
    """Whose responsibility ended last."""
    held = Assignment.objects.filter(
        system=system,
        scope=Assignment.Scope.SYSTEM,
        role=Role.ACCOUNTABLE,
        accepted_at__isnull=False,
        ends_at__isnull=False,
    )
    return held.order_by("-ends_at").first()

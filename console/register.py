"""The register as overviews show it: AI systems with their people, and where somebody is missing."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet
from django.utils import timezone

from governance import rights
from governance.acts import Act, Role
from governance.conflicts import Clash, clashes
from governance.models import AISystem, Assignment, Person

Status = Assignment.Status
MATRIX_ROLES = (
    Role.ACCOUNTABLE,
    Role.DEPUTY,
    Role.TECHNICAL_OWNER,
    Role.OPERATOR,
    Role.REVIEWER,
    Role.APPROVER,
    Role.AUDITOR,
    Role.INVESTIGATOR,
)
REQUIRED = {Role.ACCOUNTABLE: "bad", Role.DEPUTY: "warn", Role.OPERATOR: "warn", Role.APPROVER: "warn"}
"""How bad it is that nobody holds a role: without an accountable person no AI system may be live."""


@dataclass(slots=True)
class Cell:
    """Who holds a role for an AI system, and who was asked."""

    role: Assignment.Role
    held: list[Assignment] = field(default_factory=list)
    offered: list[Assignment] = field(default_factory=list)

    @property
    def tone(self) -> str:
        return "" if self.held else REQUIRED.get(self.role, "")

    @property
    def gap(self) -> str:
        if self.held or self.role not in REQUIRED:
            return ""
        return "not accepted" if self.offered else "nobody"


@dataclass(frozen=True, slots=True)
class MatrixRow:
    system: AISystem
    cells: list[Cell]

    def cell(self, role: Assignment.Role) -> Cell:
        return next(cell for cell in self.cells if cell.role == role)

    @property
    def accountable(self) -> Cell:
        return self.cell(Role.ACCOUNTABLE)

    @property
    def lacks_somebody(self) -> bool:
        return any(cell.tone for cell in self.cells)

    @property
    def has_gap(self) -> bool:
        return any(cell.tone == "bad" for cell in self.cells)


def visible_systems(person: Person) -> QuerySet[AISystem]:
    """The AI systems somebody may see."""
    reached = rights.systems_where(person, Act.SYSTEM_VIEW)
    systems = AISystem.objects.order_by("slug")
    return systems if reached is None else systems.filter(pk__in=reached)


def clashes_seen(person: Person) -> list[Clash]:
    """Roles that are held together though they should not be, where both are in sight of whoever looks."""
    reached = rights.systems_where(person, Act.SYSTEM_VIEW)
    seen = rights.in_force().select_related("person", "system", "model_version")
    if reached is not None:
        seen = seen.filter(Q(scope=Assignment.Scope.ORGANISATION) | Q(system__in=reached))
    return clashes(seen) if reached is None or reached else []


def matrix(systems: Sequence[AISystem]) -> list[MatrixRow]:
    """Systems by roles: one query for all assignments. Roles in the whole organisation count for every system."""
    found: dict[tuple[uuid.UUID | None, str], list[Assignment]] = defaultdict(list)
    for assignment in _open_assignments(systems):
        found[assignment.system_id, assignment.role].append(assignment)
    return [MatrixRow(system, [_cell(system, role, found) for role in MATRIX_ROLES]) for system in systems]


def _open_assignments(systems: Sequence[AISystem]) -> QuerySet[Assignment]:
    now = timezone.now()
    places = Q(system__in=systems) | Q(scope=Assignment.Scope.ORGANISATION)
    current = Q(ends_at=None) | Q(ends_at__gt=now)
    rows = Assignment.objects.filter(
        places, current, status__in=(Status.OFFERED, Status.ACCEPTED), person__is_active=True
    )
    return rows.select_related("person", "system", "model_version").order_by("accepted_at", "id")


def _cell(system: AISystem, role: Assignment.Role, found: dict[tuple[uuid.UUID | None, str], list[Assignment]]) -> Cell:
    cell = Cell(role)
    for assignment in [*found[system.pk, role], *found[None, role]]:
        (cell.held if assignment.status == Status.ACCEPTED else cell.offered).append(assignment)
    return cell

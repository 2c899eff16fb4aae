"""What somebody may do with an assignment: which links their pages show. The services decide again."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone

from governance.acts import PRIVILEGED, Role
from governance.models import AISystem, Assignment
from governance.rights import Held
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import giving
from governance.services.offers import OPEN, ORGANISATION_ONLY

Status = Assignment.Status
WORDS = {"terms": "Duties and review", "delegate": "Delegate", "hand-over": "Hand over", "end": "End"}


@dataclass(frozen=True, slots=True)
class Link:
    """An act on an assignment, and its page."""

    name: str
    words: str
    page: str


def acts_on(assignment: Assignment, held: Held) -> list[Link]:
    """What whoever holds these roles may do with it, the mildest first."""
    return [_link(assignment, name) for name in WORDS if _may(assignment, held, name)]


def place_for(role: Assignment.Role, system: AISystem) -> Scope:
    """Where a role of the matrix is given: for the AI system, unless it is one of the whole organisation."""
    return ORGANISATION if role in ORGANISATION_ONLY else Scope.system(system.pk)


def may_give(role: Assignment.Role, system: AISystem, held: Held) -> bool:
    return held.can(giving(role), place_for(role, system))


def assignable(system: AISystem, held: Held) -> list[Assignment.Role]:
    """The roles somebody may give for an AI system."""
    return [role for role in Role if role is not Role.ADMINISTRATOR and may_give(role, system, held)]


def _may(assignment: Assignment, held: Held, name: str) -> bool:
    mine = assignment.person_id == held.person_id
    may_give = held.can(giving(Role(assignment.role)), Scope.of(assignment))
    gives = mine or may_give
    match name:
        case "terms":
            return may_give and not mine and assignment.status in OPEN
        case "end":
            return gives and assignment.status in OPEN
        case "delegate":
            return mine and _is_movable(assignment)
    return gives and _is_movable(assignment)


def _is_movable(assignment: Assignment) -> bool:
    counts = assignment.status == Status.ACCEPTED and not _is_over(assignment)
    return counts and assignment.role not in PRIVILEGED and assignment.delegated_from_id is None


def _is_over(assignment: Assignment) -> bool:
    return assignment.ends_at is not None and assignment.ends_at <= timezone.now()


def _link(assignment: Assignment, name: str) -> Link:
    words = "Take back" if name == "end" and assignment.status != Status.ACCEPTED else WORDS[name]
    return Link(name, words, reverse("admin:assignment_act", args=[assignment.pk, name]))

"""What goes with a role: duties, powers, what shows that its holder can, and when somebody looks at it again."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Self

from config.days import today
from config.errors import FieldProblem, InvalidInput
from governance.errors import TermsNotSeen
from governance.models import Assignment
from governance.models.people import LONGEST_TERMS

Power = Assignment.Power


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Columns of an assignment. Who accepts it accepts them: the entry of acceptance commits to the whole row.

    So whoever accepts or agrees says which revision of the row they read.
    """

    duties: str = ""
    powers: Sequence[str] = ()
    competence: str = ""
    competence_until: date | None = None
    review_on: date | None = None

    @classmethod
    def of(cls, assignment: Assignment) -> Self:
        return cls(**{name: getattr(assignment, name) for name in cls.__slots__})

    def for_another(self) -> "Terms":
        """What passes on with the role: what somebody else can, does not."""
        return Terms(duties=self.duties, powers=self.powers, review_on=self.review_on)

    def as_columns(self) -> dict[str, Any]:
        powers = [str(each) for each in Power if each in self.powers]
        return asdict(self) | {"powers": powers}


NO_TERMS = Terms()


def require_seen(assignment: Assignment, revision: int | None) -> None:
    """Errors: `TermsNotSeen` of another revision than was read; where none is named, unless nothing goes with it."""
    is_seen = revision == assignment.revision or (revision is None and _has_none(assignment))
    if not is_seen:
        raise TermsNotSeen()


def _has_none(assignment: Assignment) -> bool:
    return Terms.of(assignment).as_columns() == NO_TERMS.as_columns()


def refuse_bad_terms(terms: Terms, held: Terms = NO_TERMS) -> None:
    """Errors: `InvalidInput` with each field that is wrong. Dates that are `held` already may have passed."""
    if problems := list(_problems(terms, held)):
        raise InvalidInput(errors=problems)


def _problems(terms: Terms, held: Terms) -> Iterator[FieldProblem]:
    for name in ("duties", "competence"):
        if len(getattr(terms, name)) > LONGEST_TERMS:
            yield FieldProblem(pointer=f"/{name}", detail=f"At most {LONGEST_TERMS:,} characters.")
    if unknown := sorted(set(terms.powers) - set(Power.values)):
        yield FieldProblem(pointer="/powers", detail=f"Unknown: {unknown[0]}.", expected=", ".join(Power.values))
    for name in ("competence_until", "review_on"):
        value = getattr(terms, name)
        if value and value != getattr(held, name) and value < today():
            yield FieldProblem(pointer=f"/{name}", detail="This day is over.")
    if terms.competence_until and not terms.competence.strip():
        yield FieldProblem(pointer="/competence", detail="Say what it is that lasts until then.")

"""What everybody must know whichever page they are on: trouble with the ledger, too few people."""

from dataclasses import dataclass, field

from django.db.models import Q

from console.act_words import ACT_WORDS
from console.ledger_health import troubled_logs
from governance import rights
from governance.acts import Act
from governance.models import Person
from governance.scopes import Scope


@dataclass(frozen=True, slots=True)
class Banner:
    """A line across the top of a page, with details to unfold."""

    tone: str
    text: str
    details: list[str] = field(default_factory=list)


def banners(person: Person) -> list[Banner]:
    """Those of every page."""
    return [*_ledger(person), *_no_role(person)]


def _ledger(person: Person) -> list[Banner]:
    """That there is trouble concerns everybody; of which log, those who may see it."""
    troubled = troubled_logs()
    if not troubled:
        return []
    held = rights.held_by(person)
    text = "The ledger is in trouble. Do not rely on the record before an administrator has looked into it."
    seen = [
        log for log in troubled if held.can(Act.LEDGER_VIEW, Scope.system(log.system_id) if log.system_id else Scope())
    ]
    return [Banner("bad", text, [f"{log.origin}: {log.trouble}" for log in seen])]


def missing_people() -> list[Banner]:
    """For the pages about who does what: acts that nobody can do, or nobody can agree to."""
    lacking: dict[str, list[str]] = {}
    for each in rights.impossible_acts():
        lacking.setdefault(each.missing, []).append(ACT_WORDS[each.act])
    if not lacking:
        return []
    text = "Some acts are impossible for now, because too few people hold the roles they need."
    return [Banner("warn", text, [f"{_sentence(missing)}: {'; '.join(acts)}." for missing, acts in lacking.items()])]


def _no_role(person: Person) -> list[Banner]:
    if rights.in_force().filter(Q(person=person)).exists():
        return []
    return [Banner("info", "You hold no role yet, so there is little to see. An administrator can offer you one.")]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]

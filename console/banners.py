"""What everybody must know whichever page they are on: trouble with the ledger, too few people."""

from dataclasses import dataclass, field

from django.db.models import Q

from console.ledger_health import troubled_logs
from governance import rights
from governance.models import Person


@dataclass(frozen=True, slots=True)
class Banner:
    """A line across the top of a page, with details to unfold."""

    tone: str
    text: str
    details: list[str] = field(default_factory=list)


def banners(person: Person) -> list[Banner]:
    """Those of every page."""
    return [*_ledger(), *_no_role(person)]


def _ledger() -> list[Banner]:
    troubled = troubled_logs()
    if not troubled:
        return []
    text = "The ledger is in trouble. Do not rely on the record before an administrator has looked into it."
    return [Banner("bad", text, [f"{log.origin}: {log.trouble}" for log in troubled])]


def missing_people() -> list[Banner]:
    """For the pages about who does what: acts that nobody can do, or nobody can agree to."""
    missing = rights.impossible_acts()
    if not missing:
        return []
    text = "Some acts are impossible for now, because too few people hold the roles they need."
    return [Banner("warn", text, [f"{ACT_WORDS.get(each.act, each.act)}: {each.missing}" for each in missing])]


def _no_role(person: Person) -> list[Banner]:
    if rights.in_force().filter(Q(person=person)).exists():
        return []
    return [Banner("info", "You hold no role yet, so there is little to see. An administrator can offer you one.")]


ACT_WORDS = {
    "switch.tighten": "Stop an AI system",
    "switch.loosen": "Release a stop",
    "parameter.tighten": "Tighten a parameter",
    "parameter.loosen": "Loosen a parameter",
    "card.publish": "Publish a system card",
    "version.promote": "Approve a model version",
    "decision.override": "Override a decision",
    "decision.confirm": "Confirm a decision",
    "appeal.decide": "Decide an appeal",
    "export.plain": "Export the record",
    "export.payloads": "Export payloads",
    "payloads.grant": "Grant access to payloads",
    "erase": "Erase personal data",
    "hold.lift": "Lift a legal hold",
    "quarantine.dismiss": "Dismiss from quarantine",
    "log.close": "Close a log",
    "head.adopt": "Adopt a head",
    "signing_key.rotate": "Rotate the signing key",
    "privileged_role.assign": "Give out privileged roles",
    "system.go_live": "Take an AI system live",
    "system.retire": "Retire an AI system",
}

"""What happened in a case, each step as a whole sentence: from what its entry says, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format

from audit.models import Case, Clock, IncidentNotice, IncidentReport, IncidentSignOff, RootCause, Severity

FORMER = "a former member of staff"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry: who did it, what it says, and how people are called."""

    who: str
    body: dict[str, Any]
    names: dict[str, str]

    def person(self, uuid: str | None) -> str:
        return self.names.get(uuid or "", FORMER)

    def decisions(self) -> str:
        """How many, where that may be told."""
        count = self.body.get("count")
        if count is None:
            return "decisions"
        return f"{count:,} decision{'' if count == 1 else 's'}"


def sentence_of(kind: str, step: Step) -> str:
    """Empty for what has no sentence of its own: its title says it."""
    made = SENTENCES.get(kind)
    said = made(step) if made else f"{step.who} did this"
    return f"{said[:1].upper()}{said[1:]}."


def _updated(step: Step) -> str:
    systems = step.body.get("systems")
    if systems:
        return f"by what {step.who} put in, the case is about {len(systems)} AI systems from here on"
    return f"{step.who} changed the case's title, summary or severity"


def _lead(step: Step) -> str:
    before = step.body.get("before")
    instead = f", in place of {step.person(before)}" if before else ""
    return f"{step.who} named {step.person(step.body['lead'])} as lead investigator{instead}"


def _moved(step: Step) -> str:
    before, after = (_state(step.body[name]) for name in ("before", "status"))
    return f"{step.who} took the case from {before} to {after}"


def _finding(step: Step) -> str:
    severity, cause = Severity(step.body["severity"]).label.lower(), RootCause(step.body["root_cause"]).label
    return f"{step.who} recorded a finding of {severity} severity: {cause}"


def _action(step: Step) -> str:
    due, owner = _day(step.body["due_on"]), step.person(step.body.get("owner"))
    match step.body["step"]:
        case "planned":
            return f"{step.who} planned a corrective action for {owner}, due on {due}"
        case "done":
            return f"{step.who} said that the corrective action due on {due} was done"
        case "dropped":
            return f"{step.who} gave up the corrective action due on {due}"
    return f"{step.who} passed the corrective action due on {due} on to {owner}"


def _told(step: Step) -> str:
    told = step.body.get("told")
    if told:
        return f"{step.who} recorded that {IncidentNotice.To(told).label.lower()} was told"
    return f"{step.who} added to the incident what more is known"


def _reported(step: Step) -> str:
    late = ", after its deadline" if step.body["late"] else ""
    stage = IncidentReport.Stage(step.body["stage"]).label.lower()
    return f"{step.who} recorded the {stage} report to the authority{late}"


def _extended(step: Step) -> str:
    clock = Clock(step.body["clock"]).label
    return f"{step.who} moved the deadline for the {clock} later, or took it away, and wrote why"


def _signed(step: Step) -> str:
    capacity = IncidentSignOff.Capacity(step.body["capacity"]).label
    stage = IncidentReport.Stage(step.body["stage"]).label.lower()
    return f"{step.who}, {capacity}, signed what the incident says for the {stage} report"


def _state(status: str) -> str:
    return Case.Status(status).label.split(",")[0]


def _day(text: str) -> str:
    return date_format(date.fromisoformat(text), "j M Y")


SENTENCES: dict[str, Callable[[Step], str]] = {
    "case.opened": lambda step: f"{step.who} opened the case",
    "case.updated": _updated,
    "case.moved": _moved,
    "case.lead_assigned": _lead,
    "case.attached": lambda step: f"{step.who} put {step.decisions()} in",
    "case.detached": lambda step: f"{step.who} took {step.decisions()} out",
    "case.noted": lambda step: f"{step.who} wrote a note",
    "case.finding_recorded": _finding,
    "case.action_recorded": _action,
    "incident.declared": lambda step: (
        f"{step.who} declared a serious incident; the first report is due by {_day(step.body['due_on'])}"
    ),
    "case.recounted": lambda step: f"{step.who} had the case's decisions counted again, since the counts were wrong",
    "case.listed": lambda step: f"{step.who} took the list of the case's decisions out as a file",
    "incident.updated": _told,
    "incident.extended": _extended,
    "incident.signed_off": _signed,
    "incident.reported": _reported,
    "hold.placed": lambda step: f"{step.who} placed a legal hold on everything that was ever put in",
    "hold.lift_requested": lambda step: f"{step.who} asked to lift the legal hold",
    "hold.lift_refused": lambda step: f"{step.who} refused: the legal hold stays",
    "hold.lifted": lambda step: f"{step.who} agreed: the legal hold is lifted",
}

"""What entries about a decision say, as sentences. Each is written from the clear values of the entry alone."""

from collections.abc import Callable, Mapping
from typing import Any

from audit.models import RootCause

Facts = Mapping[str, Any]
Saying = Callable[[str, Facts], str]
"""Of who did it, and of what the entry says."""

JUDGEMENTS = {
    "confirm": "confirmed the proposal",
    "modify": "decided {outcome} instead",
    "reject": "rejected the proposal: nothing may be carried out",
    "escalate": "left it to those who answer for the AI system",
    "abstain": "abstained",
}
CLOSINGS = {
    "deadline": "Nobody decided in time",
    "queue_full": "The queue was full",
    "caller": "The caller took it back",
    "stopped": "The AI system was stopped",
    "override": "It was overridden meanwhile",
}
APPLIED = {
    "block": "it may not be carried out",
    "fallback": "the declared alternative takes its place",
    "allow": "it may be carried out unseen",
}
SOURCE_WORDS = {
    "model": "by the model alone",
    "review": "as reviewers decided",
    "override": "by an override",
    "appeal": "as an appeal was decided",
    "timeout": "nobody decided in time, so its rule was applied",
}
"""Whose word holds of a decision."""
PHASES = {"proposed": "not carried out yet when it was sent", "effective": "carried out already when it was sent"}
HIDDEN = "{who} handed in a judgement. It is shown once the review is over: others judge without it."


def sentence(kind: str, who: str, facts: Facts) -> str:
    """One or two sentences; for a kind without its own, who did it."""
    saying = SAYINGS.get(kind)
    return saying(who, facts) if saying else f"By {who}."


def hidden(who: str) -> str:
    """In the place of a judgement that others must not know yet."""
    return HIDDEN.format(who=who)


def _judged(who: str, facts: Facts) -> str:
    said = JUDGEMENTS.get(str(facts.get("said")), "handed in a judgement")
    return f"{who} {said.format(outcome=facts.get('outcome', 'another outcome'))}{_why(facts)}."


def _verdict(who: str, facts: Facts) -> str:
    said = JUDGEMENTS.get(str(facts.get("verdict")), "decided")
    return f"{who} {said.format(outcome=facts.get('outcome', 'another outcome'))}{_why(facts)}."


def _closed(who: str, facts: Facts) -> str:
    closing = CLOSINGS.get(str(facts.get("closing")), "It ended")
    applied = APPLIED.get(str(facts.get("action")))
    return f"{closing}: {applied}." if applied else f"{closing}."


def _overridden(who: str, facts: Facts) -> str:
    by = "decided on an appeal that" if facts.get("source") == "appeal" else "decided that"
    return f"{who} {by} {facts.get('outcome')} takes its place{_why(facts)}."


def _did(what: str) -> Saying:
    return lambda who, facts: f"{who} {what}{_why(facts)}."


def _taken(who: str, facts: Facts) -> str:
    by = f" (worker {facts['instance']})" if facts.get("instance") else ""
    return f"{who}{by} took it to carry out {facts.get('outcome')}."


def _carried_out(who: str, facts: Facts) -> str:
    if not facts.get("outcome"):
        return f"{who} did nothing."
    by = " by the fallback" if facts.get("via") else ""
    return f"{who} says that {facts['outcome']} was carried out{by}."


def _mismatched(who: str, facts: Facts) -> str:
    due = f"{facts['expected']} was to be carried out" if facts.get("expected") else "Nothing was to be carried out"
    return f"{_carried_out(who, facts)} {due}."


def _turned_out(who: str, facts: Facts) -> str:
    corrected = ", in the place of what was said before" if facts.get("corrects") else ""
    return f"{who} says that {facts.get('outcome')} would have been right{corrected}."


def _in_case(what: str) -> Saying:
    def say(who: str, facts: Facts) -> str:
        others = int(facts.get("count", 1)) - 1
        along = f", with {others:,} other{'s' * (others > 1)}" if others else ""
        return f"{who} {what} case {facts.get('case')}{along}."

    return say


def _found(who: str, facts: Facts) -> str:
    cause = facts.get("root_cause")
    named = f": {RootCause(cause).label}" if cause in RootCause.values else ""
    return f"{who} recorded a finding in case {facts.get('case')}{named}."


def _held(who: str, facts: Facts) -> str:
    reaches = _of_case(facts) or ", over the time in which it was recorded"
    return f"{who} placed a legal hold{reaches}: it must not be erased."


def _of_case(facts: Facts) -> str:
    return f" (case {facts['case']})" if facts.get("case") else ""


def _issued(who: str, facts: Facts) -> str:
    corrected = f", in the place of {facts['replaces']}" if facts.get("replaces") else ""
    return f"{who} issued letter {facts.get('letter')}{corrected}."


def _why(facts: Facts) -> str:
    code = facts.get("reason_code")
    return f" ({str(code).replace('-', ' ')})" if code else ""


SAYINGS: dict[str, Saying] = {
    "review.claimed": _did("took it to look at"),
    "review.offered": _did("handed it to a colleague"),
    "review.held": _did("keeps it for longer"),
    "review.released": _did("gave it back"),
    "review.declined": _did("will not judge it"),
    "review.shown": _did("was shown what is to be judged"),
    "review.judged_blind": lambda who, facts: (
        f"{who} would have decided {facts.get('outcome')}, before seeing what the model said."
    ),
    "review.submitted": _judged,
    "review.undone": _did("took it back before the caller was told"),
    "review.decided": _verdict,
    "review.adjudicated": _verdict,
    "review.escalated": _did("left it to those who answer for the AI system"),
    "review.conflicted": lambda who, facts: "It waits for somebody who has not judged it yet.",
    "review.timed_out": _closed,
    "review.overflowed": _closed,
    "review.withdrawn": _closed,
    "review.superseded": lambda who, facts: f"{who} overrode the decision, so nobody need review it.",
    "decision.overridden": _overridden,
    "override.requested": lambda who, facts: f"{who} asks for {facts.get('outcome')}; a second reviewer must agree.",
    "override.refused": _did("did not agree"),
    "override.expired": lambda who, facts: "No second reviewer came in time, so it is not asked for any more.",
    "override.reported": lambda who, facts: (
        f"{who} reports that people decided {facts.get('outcome')} in another tool."
    ),
    "execution.claimed": _taken,
    "effect.confirmed": _carried_out,
    "effect.failed": lambda who, facts: f"{who} says that it failed to carry out {facts.get('expected')}.",
    "effect.mismatched": _mismatched,
    "appeal.opened": lambda who, facts: f"{who} noted it: {str(facts.get('ground', '')).replace('-', ' ')}.",
    "appeal.upheld": _did("found that the decision stands"),
    "appeal.overturned": _did("found that it does not stand"),
    "appeal.remedied": lambda who, facts: (
        f"{who} said how it was put right." if facts.get("by") == "person" else f"{who} confirmed the new outcome."
    ),
    "case.opened": lambda who, facts: f"{who} opened case {facts.get('case')}.",
    "case.attached": _in_case("put it into"),
    "case.detached": _in_case("took it out of"),
    "case.finding_recorded": _found,
    "hold.placed": _held,
    "hold.lift_requested": lambda who, facts: f"{who} asked to lift it{_of_case(facts)}.",
    "hold.lift_refused": lambda who, facts: f"{who} said no, or took the request back{_of_case(facts)}.",
    "hold.lifted": lambda who, facts: f"{who} agreed, as the second person{_of_case(facts)}.",
    "erasure.performed": lambda who, facts: "Input, output and what people wrote about it are gone, everywhere.",
    "letter.issued": _issued,
    "letter.withdrawn": lambda who, facts: f"{who} withdrew letter {facts.get('letter')}.",
    "outcome.recorded": _turned_out,
    "outcome.corrected": _turned_out,
}

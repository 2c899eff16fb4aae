"""The types of events about human control, for webhook endpoints."""

from notices.event_types import ID, event_type

_SWITCH = {
    "system": ID,
    "environment": "production",
    "mode": "stop",
    "epoch": "1.42",
    "reason_code": "harm-reported",
    "in_flight": "hold",
}
for _name, _meaning, _mode in (
    ("switch.stopped", "A switch was set to stop, by whichever way.", "stop"),
    ("switch.tightened", "A switch was set to a more restrictive mode than before, short of stop.", "review"),
    ("switch.loosened", "Two people set a switch to a less restrictive mode.", "run"),
    ("switch.emergency_cleared", "One person alone let a stopped system propose again, for four hours.", "review"),
    ("switch.restored", "A drill ended, and the switch says again what it said before.", "run"),
    ("switch.reinstated", "A mode that was known here outlived a database that was restored.", "review"),
):
    event_type(_name, _meaning, about="the switch", example=_SWITCH | {"mode": _mode})

_COUNTS = {"switch": ID, "epoch": "1.42", "mode": "stop", "expected": 14, "confirmed": 14}
_COUNTS |= {"seen": 0, "silent": 0, "ungoverned": 0, "reading": 0}
event_type(
    "switch.confirmed",
    "All clients that were expected said that they applied a change.",
    about="the change of the switch",
    example=_COUNTS,
)
event_type(
    "switch.unconfirmed",
    "A minute after a change not all clients had said that they applied it.",
    about="the change of the switch",
    example=_COUNTS | {"confirmed": 12, "silent": 2},
)
event_type(
    "switch.breached",
    "A decision took effect against the mode in force: told once a change, with the first such decision.",
    about="the switch",
    example={"system": ID, "switch": ID, "epoch": "1.42", "decision": ID},
)
event_type(
    "loosening.requested",
    "Somebody asks to set a switch less restrictive; another person has to agree.",
    about="the request",
    example={"switch": ID, "epoch": "1.42", "mode": "run", "reason_code": "cause-mended", "status": "open"},
)
event_type(
    "parameter.proposed",
    "Somebody asks for a value that takes a second person.",
    about="the version that is asked for",
    example={"name": "max-amount", "version": 4},
)
event_type(
    "parameter.changed",
    "Another value of a parameter holds.",
    about="the parameter",
    example={"name": "max-amount", "environment": "production", "version": 4},
)
event_type(
    "review.decided",
    "A review of a decision is over and cannot be taken back: people decided, or nobody did in time.",
    about="the decision",
    example={"review": ID, "status": "decided", "verdict": "confirm"},
)
event_type(
    "decision.overridden",
    "A person put another outcome in the place of the model's.",
    about="the decision",
    example={"override": ID, "outcome": "approved", "source": "override"},
)
event_type(
    "appeal.opened",
    "Somebody contests a decision.",
    about="the decision",
    example={"appeal": ID, "status": "open"},
)
event_type(
    "appeal.decided",
    "An appeal was upheld or overturned.",
    about="the decision",
    example={"appeal": ID, "status": "overturned"},
)
_EFFECT = {"decision": ID, "status": "confirmed", "outcome": "approved", "expected": "approved"}
event_type(
    "effect.confirmed",
    "The caller says that it did what was decided.",
    about="the decision",
    example=_EFFECT,
)
event_type(
    "effect.failed",
    "The caller says that it could not do what was decided.",
    about="the decision",
    example={"decision": ID, "status": "failed", "expected": "approved"},
)
event_type(
    "effect.mismatched",
    "The caller says that it did something else than what was decided.",
    about="the decision",
    example=_EFFECT | {"status": "mismatch", "outcome": "refused"},
)

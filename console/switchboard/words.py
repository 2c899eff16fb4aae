"""Modes, reasons and what becomes of work under way, in the words of the switchboard."""

from collections.abc import Mapping
from dataclasses import dataclass

from overrides.standing import LAPSED, InFlight, Mode


@dataclass(frozen=True, slots=True)
class ModeWords:
    """How a mode is shown: never by colour alone."""

    state: str
    act: str
    tone: str
    effect: str


MODES: Mapping[Mode, ModeWords] = {
    Mode.RUN: ModeWords("Running", "Resume", "ok", "It decides, and what it decides takes effect."),
    Mode.REVIEW: ModeWords(
        "People decide", "Hold for review", "warn", "It proposes; nothing takes effect until a person has decided."
    ),
    Mode.FALLBACK: ModeWords(
        "Fallback", "Fall back", "info", "Its callers use the declared alternative instead of it."
    ),
    Mode.STOP: ModeWords("Stopped", "Stop", "bad", "It decides nothing, and nothing it has decided takes effect."),
}

TIGHTEN_REASONS: Mapping[str, str] = {
    "harm-reported": "People may come to harm",
    "wrong-outcomes": "It decides wrongly",
    "security-incident": "An attack, or data got out",
    "input-fault": "What it is fed is wrong",
    "outside-its-purpose": "It is used for something else",
    "ordered": "An authority or management orders it",
    "precaution": "Something is odd; to be on the safe side",
    "planned-work": "Planned work",
}
LOOSEN_REASONS: Mapping[str, str] = {
    "cause-removed": "The cause was found and removed",
    "found-safe": "Checked and found safe",
    "false-alarm": "It was a false alarm",
    "next-stage": "The next stage on the way back",
    "work-done": "The planned work is done",
    "order-lifted": "The order was lifted",
}
EMERGENCY_REASONS: Mapping[str, str] = {
    "stop-does-harm": "The stop itself does harm",
    "nobody-to-approve": "Nobody who could approve can be reached",
}
OTHERS: Mapping[str, str] = {
    LAPSED: "An emergency clear ended by itself",
    "drill": "A drill",
    "review-rule": "A review rule asks for a person",
    "known-here": "This host knew it as set before the database was restored",
    "known-to-client": "A client knew it as set before the database was restored",
}
ACTIONS: Mapping[str, str] = {
    "proceed": "it may be carried out",
    "hold": "a person decides first",
    "fallback": "the declared alternative takes its place",
    "stop": "it may not be carried out",
}
IN_FLIGHT: Mapping[str, str] = {
    InFlight.HOLD.value: "Hold: it waits where it is",
    InFlight.DRAIN.value: "Drain: it may finish, nothing new begins",
    InFlight.CANCEL.value: "Cancel: it is broken off",
}
WAYS: Mapping[str, str] = {
    "page": "on the switchboard",
    "api": "through the API",
    "command": "at the command line",
    "drill": "in a drill",
    "lapse": "by itself, when its time was over",
    "recovery": "after a lost database",
    "approval": "by two people",
    "emergency": "as an emergency clear",
}
STATUS: Mapping[str, tuple[str, str]] = {
    "requested": ("Requested", "info"),
    "propagating": ("On its way", "info"),
    "confirmed": ("Confirmed", "ok"),
    "partial": ("Partly confirmed", "bad"),
    "unconfirmed": ("Not confirmed", "bad"),
}
NOBODY = ("Nobody is listening", "bad")
REQUEST_STATUS: Mapping[str, tuple[str, str]] = {
    "open": ("Waits for an approver", "info"),
    "approved": ("Approved", "ok"),
    "refused": ("Refused", "bad"),
    "withdrawn": ("Withdrawn", "neutral"),
    "void": ("Void", "neutral"),
}


def reason(code: str) -> str:
    """A reason in words; one that is no code of ours as it is."""
    for known in (TIGHTEN_REASONS, LOOSEN_REASONS, EMERGENCY_REASONS, OTHERS):
        if code in known:
            return known[code]
    return code

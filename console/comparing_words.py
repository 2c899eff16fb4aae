"""What is said of two decisions side by side, in the words that pages use of one."""

from collections.abc import Callable
from dataclasses import dataclass

from audit.selectors import SealedDecision
from config.moments import moment
from console.decision_rows import AI_ROLES, flag_words
from console.people_said import EFFECT_WORDS
from console.sayings import PHASES, SOURCE_WORDS
from console.switchboard.words import ACTIONS, MODES
from evidence.comparisons import Compared, Fact
from overrides.standing import Mode

AT = "j M Y, H:i:s T"


@dataclass(frozen=True, slots=True)
class ShownFact:
    """`before` and `after` are None where nothing can be said of one."""

    label: str
    before: str | None
    after: str | None
    differs: bool


def shown_sections(compared: Compared, one: SealedDecision, other: SealedDecision) -> list[tuple[str, list[ShownFact]]]:
    """Titles with what can be said of either."""
    return [
        (
            section.title,
            [_shown(fact, one, other) for fact in section.facts if (fact.before, fact.after) != (None, None)],
        )
        for section in compared.sections
    ]


def _shown(fact: Fact, one: SealedDecision, other: SealedDecision) -> ShownFact:
    if fact.name in ("recorded_at", "occurred_at"):
        before, after = (moment(getattr(each, fact.name), AT) for each in (one, other))
        return ShownFact(fact.label, before, after, fact.differs)
    return ShownFact(fact.label, _words(fact.name, fact.before), _words(fact.name, fact.after), fact.differs)


def _words(name: str, said: str | None) -> str | None:
    words = WORDS.get(name)
    return words(said) if words and said is not None else said


def _mode(said: str) -> str:
    return MODES[Mode(said)].state.lower()


def _directive(said: str) -> str:
    return f"{said}: {ACTIONS[said]}" if said in ACTIONS else said


WORDS: dict[str, Callable[[str], str]] = {
    "ai_role": lambda said: AI_ROLES.get(said, said),
    "phase": lambda said: PHASES.get(said, said),
    "flags": lambda said: ", ".join(flag_words(said.split(", "))),
    "directive": _directive,
    "mode": _mode,
    "source": lambda said: SOURCE_WORDS.get(said, said),
    "effect": lambda said: EFFECT_WORDS.get(said, said),
    "latency_ms": lambda said: f"{said} ms",
}

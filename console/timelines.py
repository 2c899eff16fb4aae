"""What happened to a decision, in words: its own entry, and every entry about it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from audit.case_selectors import case_trail_of
from audit.selectors import SealedDecision, trail_of
from console.decision_rows import flag_words
from console.parts import TITLES as PART_TITLES
from console.sayings import hidden, sentence
from evidence.exports.trails import exports_trail_of
from evidence.letters.reading import letters_trail_of
from governance.models import Person, ServiceAccount
from ledger.entries import Actor
from ledger.kinds import Kind
from ledger.models import Entry
from monitoring.selectors import outcome_trail_of
from overrides.models import OPEN, Review
from overrides.selectors import JUDGEMENT_KINDS, people_trail_of

TITLES = {
    "payload.viewed": "Payload shown",
    "decision.conflicted": "A second record claimed this id",
    "review.claimed": "Review taken",
    "review.submitted": "Judged by a reviewer",
    "review.judged_blind": "Judged blind",
    "review.decided": "Decided by people",
    "decision.overridden": "Overridden",
    "execution.claimed": "Taken to be carried out",
    "effect.confirmed": "Carried out",
    "effect.failed": "Failed to carry out",
    "effect.mismatched": "Something else was carried out",
    "outcome.recorded": "What turned out to be true",
    "outcome.corrected": "What turned out to be true, corrected",
    "case.opened": "A case was opened with it",
    "case.attached": "Put into a case",
    "case.detached": "Taken out of a case",
    "case.finding_recorded": "Finding of a case",
    "hold.placed": "Legal hold placed",
    "hold.lift_requested": "Lifting of the legal hold asked for",
    "hold.lift_refused": "Legal hold stays",
    "hold.lifted": "Legal hold lifted",
    "erasure.performed": "Erased",
    "letter.issued": "Explained in a letter",
    "export.finished": "Exported with contents",
    "letter.withdrawn": "Explanation letter withdrawn",
}
TONES = {
    "decision.conflicted": "bad",
    "payload.viewed": "neutral",
    "review.decided": "ok",
    "review.conflicted": "warn",
    "review.escalated": "warn",
    "review.timed_out": "bad",
    "decision.overridden": "warn",
    "effect.confirmed": "ok",
    "effect.failed": "warn",
    "effect.mismatched": "bad",
    "appeal.opened": "warn",
    "appeal.overturned": "warn",
    "appeal.remedied": "ok",
    "letter.issued": "ok",
    "letter.withdrawn": "warn",
    "case.detached": "warn",
    "hold.placed": "warn",
    "hold.lifted": "warn",
}
QUIET = frozenset({"review.entered", "review.shown", "review.detached"})
"""Steps of work that say nothing more of the decision than the next one does; they stand in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One point of the timeline."""

    at: datetime
    title: str
    text: str
    tone: str
    kind: str
    entry_id: uuid.UUID


def timeline(decision: SealedDecision, viewer_id: uuid.UUID) -> list[Event]:
    """Oldest first: what is about the decision itself, what people said of it, and what came of it.

    What somebody judged is not told to others while the review is open: they may be the next to judge.
    """
    reader = Actor("person", viewer_id)
    entries = [
        *trail_of(decision.id),
        *people_trail_of(decision.id),
        *outcome_trail_of(decision.id),
        *letters_trail_of(decision.id),
        *exports_trail_of(reader, decision),
        *case_trail_of(reader, decision),
    ]
    said = [(entry, msgspec.json.decode(bytes(entry.data))) for entry in entries if entry.kind not in QUIET]
    askers = [{"type": "person", "id": each["body"]["asked_by"]} for _, each in said if "asked_by" in each["body"]]
    names = names_of([*(each["actor"] for _, each in said), *askers])
    is_open = Review.objects.filter(decision_id=decision.id, status__in=OPEN).exists()
    told = [
        (entry, body, is_open and entry.kind in JUDGEMENT_KINDS and body["actor"].get("id") != str(viewer_id))
        for entry, body in said
    ]
    events = [*_own(decision), *(_event(entry, body, names, hides) for entry, body, hides in told)]
    return sorted(events, key=lambda event: event.at)


def names_of(actors: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Names by the id an entry has; those erased meanwhile are told as such."""
    by_type: dict[str, set[str]] = {"person": set(), "service": set()}
    for actor in actors:
        if "id" in actor and actor["type"] in by_type:
            by_type[actor["type"]].add(actor["id"])
    found: dict[str, str] = {}
    for model, kind in ((Person, "person"), (ServiceAccount, "service")):
        if by_type[kind]:
            found |= {str(row.pk): str(row) for row in model._default_manager.filter(pk__in=by_type[kind])}
    return found


def _own(decision: SealedDecision) -> list[Event]:
    body = decision.body
    told = f"The caller was told to {body.directive.action}"
    told += f", in mode {body.directive.mode}" if body.directive.mode != "run" else ""
    told += f" ({body.directive.reason_code.replace('-', ' ')})." if body.directive.reason_code else "."
    told += " A person must look at it." if body.review_id else ""
    flags = f" Flagged: {', '.join(flag_words(body.flags))}." if body.flags else ""
    events = [_of(decision, decision.recorded_at, f"Recorded as {body.outcome}", told + flags, "info")]
    if decision.occurred_at < decision.recorded_at:
        happened = "By the caller's clock, as it said itself."
        events.append(_of(decision, decision.occurred_at, "Decided", happened, "neutral"))
    return events


def _of(decision: SealedDecision, at: datetime, title: str, text: str, tone: str) -> Event:
    return Event(at=at, title=title, text=text, tone=tone, kind="decision.recorded", entry_id=decision.id)


def _event(entry: Entry, said: dict[str, Any], names: dict[str, str], hides: bool) -> Event:
    about = Kind.declared[entry.kind].about if entry.kind in Kind.declared else entry.kind
    return Event(
        at=datetime.fromisoformat(said["at"]),
        title=TITLES.get(entry.kind, about[:1].upper() + about[1:]),
        text=hidden(_who(said, names)) if hides else _text(entry.kind, said, names),
        tone=TONES.get(entry.kind, "info"),
        kind=entry.kind,
        entry_id=entry.id,
    )


def _text(kind: str, said: dict[str, Any], names: dict[str, str]) -> str:
    who = _who(said, names)
    if kind == "payload.viewed":
        parts = [PART_TITLES.get(name, name).lower() for name in said["body"].get("parts", [])]
        return f"{who} was shown {_list(parts)}."
    if kind == "export.finished":
        return _taken_out(said["body"], names)
    return sentence(kind, who, said["body"])


def _taken_out(facts: dict[str, Any], names: dict[str, str]) -> str:
    who = names.get(facts["asked_by"], "A former member of staff")
    parts = [PART_TITLES.get(name, name).lower() for name in facts["parts"]]
    number = facts["decisions"]
    of = f"{number:,} decision{'' if number == 1 else 's'}"
    if facts["question"]["kind"] == "case":  # how many it has is for those alone who see them all
        of = "the decisions of a case"
    return f"{who} took out {_list(parts)}, as far as they were there, of {of}."


def _who(said: dict[str, Any], names: dict[str, str]) -> str:
    """At the beginning of a sentence."""
    name = actor_name(said["actor"], names)
    return name[:1].upper() + name[1:]


def actor_name(actor: dict[str, Any], names: dict[str, str]) -> str:
    if actor["type"] in ("server", "command"):
        return {"server": "the server itself", "command": "somebody at the host's command line"}[actor["type"]]
    known = names.get(actor.get("id", ""))
    return known or {"person": "a former member of staff"}.get(actor["type"], "a service account")


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

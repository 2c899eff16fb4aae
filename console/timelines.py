"""What happened to a decision, in words: its own entry, and every entry about it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from audit.selectors import SealedDecision, trail_of
from console.decision_rows import flag_words
from governance.models import Person, ServiceAccount
from ledger.kinds import Kind
from ledger.models import Entry
from overrides.selectors import people_trail_of

TITLES = {
    "payload.viewed": "Payload shown",
    "decision.conflicted": "A second record claimed this id",
}
TONES = {"decision.conflicted": "bad", "payload.viewed": "neutral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One point of the timeline."""

    at: datetime
    title: str
    text: str
    tone: str
    kind: str
    entry_id: uuid.UUID


def timeline(decision: SealedDecision) -> list[Event]:
    """Oldest first: what is about the decision itself, and what people said of it."""
    entries = [*trail_of(decision.id), *people_trail_of(decision.id)]
    said = [(entry, msgspec.json.decode(bytes(entry.data))) for entry in entries]
    names = names_of([each["actor"] for _, each in said])
    events = [*_own(decision), *(_event(entry, body, names) for entry, body in said)]
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
    told += f" ({body.directive.reason_code.replace('_', ' ')})." if body.directive.reason_code else "."
    flags = f" Flagged: {', '.join(flag_words(body.flags))}." if body.flags else ""
    events = [_of(decision, decision.recorded_at, f"Recorded as {body.outcome}", told + flags, "info")]
    if decision.occurred_at < decision.recorded_at:
        happened = "By the caller's clock, as it said itself."
        events.append(_of(decision, decision.occurred_at, "Decided", happened, "neutral"))
    return events


def _of(decision: SealedDecision, at: datetime, title: str, text: str, tone: str) -> Event:
    return Event(at=at, title=title, text=text, tone=tone, kind="decision.recorded", entry_id=decision.id)


def _event(entry: Entry, said: dict[str, Any], names: dict[str, str]) -> Event:
    about = Kind.declared[entry.kind].about if entry.kind in Kind.declared else entry.kind
    return Event(
        at=datetime.fromisoformat(said["at"]),
        title=TITLES.get(entry.kind, about[:1].upper() + about[1:]),
        text=_text(entry.kind, said, names),
        tone=TONES.get(entry.kind, "info"),
        kind=entry.kind,
        entry_id=entry.id,
    )


def _text(kind: str, said: dict[str, Any], names: dict[str, str]) -> str:
    who = actor_name(said["actor"], names)
    if kind == "payload.viewed":
        return f"{who} was shown {_list(said['body'].get('parts', []))}."
    return f"By {who}."


def actor_name(actor: dict[str, Any], names: dict[str, str]) -> str:
    if actor["type"] in ("server", "command"):
        return {"server": "the server itself", "command": "somebody at the host's command line"}[actor["type"]]
    known = names.get(actor.get("id", ""))
    return known or {"person": "a former member of staff"}.get(actor["type"], "a service account")


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

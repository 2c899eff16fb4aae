"""Sessions in the database that say whose they are (`SESSION_ENGINE`)."""

import hashlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from governance.models import Person
from governance.models.sign_ins import StaffSession

SIGNED_IN_AT, PLACE, AGENT, HOW = "signed_in_at", "signed_in_from", "signed_in_with", "signed_in_by"
NOTE_USE_AFTER = timedelta(minutes=1)
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
DEVICES = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


class SessionStore(DatabaseStore):
    """Django's, with whose it is and when it was last used."""

    @classmethod
    def get_model_class(cls) -> Any:
        return StaffSession

    def create_model_instance(self, data: Any) -> Any:
        row: Any = super().create_model_instance(data)
        row.person_id = uuid.UUID(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.last_seen_at = timezone.now()
        return row

    def _get_session_from_db(self) -> Any:
        row: Any = super()._get_session_from_db()  # type: ignore[misc]
        if row is not None and row.person_id is not None:
            _note_use(row)
        return row


@dataclass(frozen=True, slots=True)
class Shown:
    """A session as its person sees it. `handle` names it without being of use to anybody else."""

    handle: str
    signed_in_at: datetime | None
    last_seen_at: datetime | None
    place: str
    agent: str
    how: str
    is_this: bool


def sessions_of(person: Person, current: str | None = None) -> list[Shown]:
    """Where somebody is signed in, the newest first."""
    shown = [_shown(row, current) for row in _rows(person)]
    return sorted(shown, key=lambda each: (each.is_this, each.signed_in_at or timezone.now()), reverse=True)


def end_session(person: Person, handle: str) -> bool:
    """End one of somebody's sessions, at once and everywhere; false where there is none of that name."""
    found = [row for row in _rows(person) if _handle(row.session_key) == handle]
    return bool(StaffSession.objects.filter(pk__in=[row.pk for row in found]).delete()[0])


def end_sessions(person: Person, *, but: str | None = None) -> int:
    """End all of somebody's sessions, or all others."""
    return StaffSession.objects.filter(person_id=person.pk).exclude(session_key=but or "").delete()[0]


def short_agent(header: str) -> str:
    """A browser's long description of itself as a person would say it: "Firefox on Windows"."""
    browser = next((name for word, name in BROWSERS if f"{word}/" in header or f"{word}iOS" in header), "")
    device = next((name for word, name in DEVICES if word in header), "")
    if browser and device:
        return f"{browser} on {device}"
    return browser or device or re.sub(r"[^ -~]", "", header)[:40] or "unknown"


def _note_use(row: StaffSession) -> None:
    """At most once a minute."""
    now = timezone.now()
    if row.last_seen_at is None or now - row.last_seen_at > NOTE_USE_AFTER:
        StaffSession.objects.filter(pk=row.pk).update(last_seen_at=now)


def _rows(person: Person) -> Iterator[StaffSession]:
    yield from StaffSession.objects.filter(person_id=person.pk, expire_date__gt=timezone.now())


def _shown(row: StaffSession, current: str | None) -> Shown:
    data = row.get_decoded()
    return Shown(
        handle=_handle(row.session_key),
        signed_in_at=parse_datetime(data.get(SIGNED_IN_AT, "")),
        last_seen_at=row.last_seen_at,
        place=data.get(PLACE, ""),
        agent=data.get(AGENT, ""),
        how=data.get(HOW, ""),
        is_this=row.session_key == current,
    )


def _handle(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()[:24]

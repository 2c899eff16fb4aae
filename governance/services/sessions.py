"""Ending sessions: one's own, one by one or all others; and those of somebody else, by an administrator. Sealed."""

import uuid

from django.utils import timezone

from governance import rights
from governance.actors import person_id_of
from governance.acts import Act
from governance.kinds import SESSION_ENDED
from governance.models import Person
from governance.services.access import end_tokens
from governance.services.people import locked_person
from governance.sessions import end_session, end_sessions
from ledger.entries import Actor, draft_entry
from ledger.sealing import Seal, sealing
from ledger.selectors import registry_log


def end_own_session(*, actor: Actor, handle: str) -> int:
    """End one of one's own sessions. Returns how many ended: none where it had already. Errors: `PersonNeeded`."""
    with sealing() as seal:
        person = locked_person(person_id_of(actor))
        return _said(seal, actor, person, int(end_session(person, handle)), handle)


def end_other_sessions(*, actor: Actor, but: str | None) -> int:
    """End all of one's own sessions but the one of this key. Returns how many. Errors: `PersonNeeded`."""
    with sealing() as seal:
        person = locked_person(person_id_of(actor))
        return _said(seal, actor, person, end_sessions(person, but=but))


def end_session_of(*, actor: Actor, person_id: uuid.UUID, handle: str) -> int:
    """End somebody's session, as an administrator. Errors: `Forbidden`, `PersonNotFound`."""
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        person = locked_person(person_id)
        return _said(seal, actor, person, int(end_session(person, handle)), handle)


def end_access_of(*, actor: Actor, person_id: uuid.UUID) -> int:
    """End all of somebody's sessions and personal tokens, as after a theft. Returns how many sessions there were.

    Their password and second factors stay: who may know those resets them as well. Errors: `Forbidden`,
    `PersonNotFound`.
    """
    rights.require(actor, Act.PEOPLE_MANAGE)
    with sealing() as seal:
        person = locked_person(person_id)
        end_tokens(seal, actor=actor, person=person)
        return _said(seal, actor, person, end_sessions(person))


def _said(seal: Seal, actor: Actor, person: Person, number: int, handle: str = "") -> int:
    """Sealed where something ended: twice the same click is one act."""
    if number:
        body = {"person": str(person.pk), "number": number} | ({"session": handle} if handle else {})
        draft = draft_entry(kind=SESSION_ENDED, actor=actor, at=timezone.now(), body=body, about_id=person.pk)
        seal.add(registry_log().id, draft)
    return number

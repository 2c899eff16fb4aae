"""From a password to a session: what is kept between the two steps, and what a session remembers of its start."""

import uuid
from dataclasses import astuple
from typing import Any

from django.contrib.auth import login
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from governance.models import Person
from governance.reauthentication import prove
from governance.services.identities import Link, link_identity
from governance.services.lockouts import client_address
from governance.sessions import AGENT, HOW, PLACE, SIGNED_IN_AT, short_agent

WAITING, FIRST, LINK = "sign_in_waiting", "sign_in_first", "sign_in_link"
PATIENCE_SECONDS = 300
BACKEND = "django.contrib.auth.backends.ModelBackend"
PASSWORD, PROVIDER, PASSKEY = "password", "sign-in provider", "passkey"


def wait_for_factor(
    request: HttpRequest, person: Person, leads_to: str, *, first: str = PASSWORD, link: Link | None = None
) -> None:
    """The first factor was right. Nobody is signed in yet: for five minutes a second one may follow.

    `link`: the account of the provider that becomes theirs then.
    """
    request.session.cycle_key()
    proof = [str(person.pk), person.get_session_auth_hash(), timezone.now().timestamp(), leads_to]
    request.session[WAITING] = proof
    request.session[FIRST] = first
    request.session[LINK] = astuple(link) if link else None


def waiting_person(request: HttpRequest) -> tuple[Person, str] | None:
    """Whose second factor is waited for, and where they were going; None where it took too long."""
    person_id, password_state, at, leads_to = request.session.get(WAITING, ("", "", 0.0, ""))
    if not person_id or not 0 <= timezone.now().timestamp() - at <= PATIENCE_SECONDS:
        return None
    person = Person.objects.filter(pk=uuid.UUID(person_id), is_active=True).first()
    if person is None or not constant_time_compare(person.get_session_auth_hash(), password_state):
        return None
    return person, str(leads_to)


def link_waiting(request: HttpRequest, person: Person) -> None:
    """The second factor was right: what waited for it to be linked is theirs. Errors: `ProviderRefused`."""
    if waiting := request.session.get(LINK):
        link_identity(person=person, link=Link(*waiting))


def with_code(request: HttpRequest) -> str:
    """How somebody signs in whose second factor is a code: what came first, and it."""
    return f"{request.session.get(FIRST, PASSWORD)} and code"


def sign_in(request: HttpRequest, person: Person, how: str) -> None:
    """Start the session. Everything that was asked for has been proven."""
    for name in (WAITING, FIRST, LINK):
        request.session.pop(name, None)
    login(request, person, backend=BACKEND)
    request.session[HOW] = how


@receiver(user_logged_in, dispatch_uid="answerable.session_start")
def remember_start(request: HttpRequest, **kwargs: Any) -> None:
    """Whatever way somebody came in by, they have just proven who they are."""
    session = request.session
    session[SIGNED_IN_AT] = timezone.now().isoformat()
    session[PLACE] = client_address(request)[:45]
    session[AGENT] = short_agent(request.META.get("HTTP_USER_AGENT", ""))
    prove(request)

"""From a password to a session: what is kept between the two steps, and what a session remembers of its start."""

import uuid
from typing import Any

from django.contrib.auth import login
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from governance.models import Person
from governance.reauthentication import prove
from governance.services.lockouts import client_address
from governance.sessions import AGENT, HOW, PLACE, SIGNED_IN_AT, short_agent

WAITING = "sign_in_waiting"
PATIENCE_SECONDS = 300
BACKEND = "django.contrib.auth.backends.ModelBackend"
PASSWORD, PASSWORD_AND_CODE, PASSKEY = "password", "password and code", "passkey"


def wait_for_factor(request: HttpRequest, person: Person, leads_to: str) -> None:
    """The password was right. Nobody is signed in yet: for five minutes a second factor may follow."""
    request.session.cycle_key()
    proof = [str(person.pk), person.get_session_auth_hash(), timezone.now().timestamp(), leads_to]
    request.session[WAITING] = proof


def waiting_person(request: HttpRequest) -> tuple[Person, str] | None:
    """Whose second factor is waited for, and where they were going; None where it took too long."""
    person_id, password_state, at, leads_to = request.session.get(WAITING, ("", "", 0.0, ""))
    if not person_id or not 0 <= timezone.now().timestamp() - at <= PATIENCE_SECONDS:
        return None
    person = Person.objects.filter(pk=uuid.UUID(person_id), is_active=True).first()
    if person is None or not constant_time_compare(person.get_session_auth_hash(), password_state):
        return None
    return person, str(leads_to)


def sign_in(request: HttpRequest, person: Person, how: str) -> None:
    """Start the session. Everything that was asked for has been proven."""
    request.session.pop(WAITING, None)
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

"""Browsers that somebody has signed in with before.

Guesses from anywhere else lock an account, and not these browsers: whoever knows an address could otherwise keep its
person out for as long as they like, at the moment when something is to be stopped. What is guessed in such a browser is
counted for it alone, by the same limits. The cookie opens nothing.
"""

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from governance.models.people import Person, plain_address

NAME = "__Host-browser" if settings.SESSION_COOKIE_SECURE else "browser"
LIFE_SECONDS = 180 * 24 * 3600
SALT = "answerable.browser"
MOST = 8
"""People who share a browser; the one who has been away longest is forgotten."""


def remember(request: HttpRequest, response: HttpResponseBase, person: Person) -> None:
    """This person has just signed in with this browser."""
    name, known = _read(request)
    mine = _digest(person.email or "")
    said = [name or secrets.token_urlsafe(16), [mine, *(each for each in known if each != mine)][:MOST]]
    response.set_cookie(
        NAME,
        signing.dumps(said, salt=SALT, compress=True),
        max_age=LIFE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def known_browser(request: HttpRequest, account: str) -> str | None:
    """The name of the browser, if somebody has signed in to this account with it; else None."""
    name, known = _read(request)
    return name if name and _digest(account) in known else None


def _read(request: HttpRequest) -> tuple[str, list[str]]:
    try:
        name, known = signing.loads(request.COOKIES.get(NAME, ""), salt=SALT, max_age=LIFE_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return "", []
    return str(name), list(known)


def _digest(account: str) -> str:
    """Nobody who reads the cookie learns whose it is."""
    return salted_hmac(SALT, plain_address(account), algorithm="sha256").hexdigest()[:32]

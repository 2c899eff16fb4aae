"""What somebody looked for among the cases: kept in their session for a while, since titles may name people.

So the page of what was found has an address that says nothing, is turned like any other, and can be come back to.
"""

import secrets
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

KEY = "cases_found"
KEPT = timedelta(hours=1)
MOST = 10
"""In several tabs."""


def keep(session: MutableMapping[str, Any], text: str) -> str:
    """The name by which it is asked for."""
    name = secrets.token_urlsafe(9)
    newest = sorted(_kept(session).items(), key=lambda each: each[1][1])[1 - MOST :]
    session[KEY] = dict(newest) | {name: [text, timezone.now().timestamp()]}
    return name


def text_of(session: MutableMapping[str, Any], name: str) -> str | None:
    """What was looked for; None where it is forgotten."""
    found = _kept(session).get(name)
    return found[0] if found else None


def _kept(session: MutableMapping[str, Any]) -> dict[str, list[Any]]:
    since = (timezone.now() - KEPT).timestamp()
    return {name: said for name, said in session.get(KEY, {}).items() if said[1] > since}

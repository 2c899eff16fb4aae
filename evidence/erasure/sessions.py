"""What people looked for by words stays in their session for an hour, packed: a search of the database misses it."""

import json
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from django.middleware.csrf import CSRF_SESSION_KEY

from evidence.erasure.finding import Pattern
from governance.models import StaffSession
from governance.sessions import AGENT, HOW, PLACE, SIGNED_IN_AT, SessionStore

OF_SIGNING_IN = frozenset(
    {SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, CSRF_SESSION_KEY, SIGNED_IN_AT, PLACE, AGENT, HOW}
)
"""What makes it theirs: nobody's words, and without it they would be signed out."""


def forget_in_sessions(pattern: Pattern) -> int:
    """Take what names somebody out of all sessions; nobody is signed out. Returns of how many."""
    return sum(_forget(key, pattern) for key in list(StaffSession.objects.order_by("pk").values_list("pk", flat=True)))


@transaction.atomic
def _forget(key: str, pattern: Pattern) -> bool:
    row = StaffSession.objects.select_for_update().filter(pk=key).first()
    said: dict[str, Any] = row.get_decoded() if row else {}
    own = {name: value for name, value in said.items() if name in OF_SIGNING_IN}
    kept = own | _without({name: value for name, value in said.items() if name not in own}, pattern)
    if row is None or kept == said:
        return False
    row.session_data = SessionStore().encode(kept)
    row.save(update_fields=["session_data"])
    return True


def _without(said: dict[str, Any], pattern: Pattern) -> dict[str, Any]:
    """A member that names somebody goes as a whole, and of one that has members itself those that do."""
    kept = {name: _without(each, pattern) if isinstance(each, dict) else each for name, each in said.items()}
    return {name: each for name, each in kept.items() if not _names(name, each, pattern)}


def _names(name: str, value: Any, pattern: Pattern) -> bool:
    texts = [value] if isinstance(value, str) else []
    if isinstance(value, list):
        texts = [json.dumps(value, ensure_ascii=False), *map(str, value)]
    return pattern.names_in([name, *texts])

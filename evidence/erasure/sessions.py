"""What people looked for by words stays in their session for an hour, packed: a search of the database misses it."""

import json
from typing import Any

from evidence.erasure.finding import Pattern
from governance.models import StaffSession
from governance.sessions import SessionStore


def forget_in_sessions(pattern: Pattern) -> int:
    """Take what names somebody out of all sessions; nobody is signed out. Returns of how many."""
    changed = 0
    for row in StaffSession.objects.order_by("pk").iterator():
        said: dict[str, Any] = row.get_decoded()
        kept = {name: _without(value, pattern) for name, value in said.items()}
        if kept != said:
            changed += StaffSession.objects.filter(pk=row.pk).update(session_data=SessionStore().encode(kept))
    return changed


def _without(value: Any, pattern: Pattern) -> Any:
    """Members of a collection go; a value of its own is of the sign-in, and nobody's words."""
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if not pattern.names_in([json.dumps(each, ensure_ascii=False)])}

"""What may be said of a request's address where it is written down: an address may itself be a credential."""

import uuid
from typing import Any

from django.http import HttpRequest

NONE = "(none)"


def route_of(request: HttpRequest) -> str:
    """The pattern that answered. Never the path: that of a set-up link is the key to an account, mistyped ones too."""
    match = request.resolver_match
    return match.route if match else NONE


def ids_in(request: HttpRequest) -> dict[str, str]:
    """The uuids in the address, by name. Nothing else that stands in it: a uuid never opens anything."""
    match = request.resolver_match
    found = {name: _uuid(value) for name, value in match.kwargs.items()} if match else {}
    return {name: value for name, value in found.items() if value}


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        return ""

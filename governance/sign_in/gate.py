"""Whoever holds a role that asks for a second factor adds one before they do anything else. But they may stop."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from governance.enrolment import must_enrol
from governance.models import Person

OPEN = frozenset(
    {
        "login",
        "logout",
        "second_factor",
        "passkey_options",
        "passkey_sign_in",
        "oidc_out",
        "oidc_callback",
        "password_change",
        "password_change_done",
        "jsi18n",
    }
)
OPEN_PREFIXES = ("your_sign_in", "switchboard")
"""The pages where a factor is added, and those where an AI system is stopped."""


class EnrolmentGate:
    """Middleware, after the one that knows who is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or match.namespace != "admin" or _is_open(match.url_name or ""):
            return None
        if isinstance(request.user, Person) and must_enrol(request.user):
            return redirect("admin:your_sign_in")
        return None


def _is_open(name: str) -> bool:
    return name in OPEN or name.startswith(OPEN_PREFIXES)

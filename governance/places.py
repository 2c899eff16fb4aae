"""Where the request that is being answered comes from, for the e-mail about a change of how somebody signs in."""

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from governance.services.lockouts import client_address, plain_ip

_place: ContextVar[str] = ContextVar("answerable.place", default="")


def current_place() -> str:
    """An address; empty where no request is being answered, at the command line."""
    return _place.get()


class PlaceMiddleware:
    """Notes the address for as long as the request is being answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        noted = _place.set(plain_ip(client_address(request)))
        try:
            return self.get_response(request)
        finally:
            _place.reset(noted)

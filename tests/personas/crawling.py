"""Asking for an address as somebody, and reading the answer as somebody curious would."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client

from config.problems import is_api_path
from tests.personas.people import Persona
from tests.personas.routes import Route, routes
from tests.personas.table import SIGHT, may_read
from tests.personas.world import World, marked

CHANGING = re.compile(
    r'nonce="[^"]*"|csrfmiddlewaretoken" value="[^"]*"|urn:answerable:request:[\w-]+|a-hash">[\w-]+</dd>'
    r'|"request_id":"[\w-]+"'
)
"""What is another at each request, whoever asks for whatever."""
OWN_HEADERS = {
    "X-Request-ID",
    "RateLimit",
    "Content-Security-Policy",
    "ETag",
    "Content-Length",
    "Set-Cookie",
    "Date",
    "Expires",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer."""

    status: int
    text: str
    """Its headers and its body; of a stream the headers alone."""

    def without(self, address: str) -> tuple[int, str]:
        """With neither what was asked for nor what changes: two things that are not there are the same."""
        text = self.text
        for part in (address, *filter(_is_said, re.split("[/?&=]", address))):
            text = text.replace(part, "…")
        return self.status, CHANGING.sub("…", text)


def _is_said(part: str) -> bool:
    """Whether a part of an address is the name of something, and no word or number."""
    return len(part) > 30 or "zq" in part


class Visitor:
    """Somebody at a browser and at a terminal."""

    def __init__(self, persona: Persona) -> None:
        self.persona = persona
        self.nothing: set[tuple[str, tuple[int, str]]] = set()
        """What is answered of things that are not there, by the part of the service."""
        self._browser, self._api = persona.browser(), persona.api()
        self._browser.raise_request_exception = self._api.raise_request_exception = False

    def get(self, address: str, method: str = "GET") -> Seen:
        client: Client = self._api if is_api_path(address.partition("?")[0]) else self._browser
        return seen(client.generic(method, address))

    def post(self, address: str, body: dict[str, Any]) -> Seen:
        return seen(self.send("POST", address, body) if is_api_path(address) else self.fill(address, body))

    def change(self, address: str) -> None:
        """Everything that changes something, with nothing in it."""
        if is_api_path(address):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                self.send(method, address, {})
        else:
            self.fill(address, {"reason": "x", "note": "x", "confirm": "on"})

    def send(self, method: str, address: str, body: dict[str, Any]) -> HttpResponse:
        """JSON to the API."""
        found: Any = self._api.generic(method, address, json.dumps(body), content_type="application/json")
        return cast(HttpResponse, found)

    def fill(self, address: str, form: dict[str, Any]) -> HttpResponse:
        """A form of a page."""
        found: Any = self._browser.post(address, form)
        return cast(HttpResponse, found)

    def open(self, address: str) -> HttpResponse:
        client: Client = self._api if is_api_path(address.partition("?")[0]) else self._browser
        found: Any = client.get(address)
        return cast(HttpResponse, found)


def seen(answer: HttpResponseBase) -> Seen:
    headers = [f"{name}: {value}" for name, value in answer.headers.items() if name not in OWN_HEADERS]
    body = "" if answer.streaming else answer.content.decode(errors="replace")  # type: ignore[attr-defined]
    return Seen(answer.status_code, "\n".join([*headers, body]))


def told(seen: Seen, address: str, persona: Persona, world: World, *, in_scope: bool) -> list[str]:
    """The marks of a world in an answer that this persona must not read; that it names what was asked for is none."""
    text = seen.without(address)[1].lower()
    hidden = (sort for sort in SIGHT if not may_read(persona.name, sort, in_scope=in_scope))
    return [sort for sort in hidden if marked(world.mark, sort) in text]


@dataclass(frozen=True, slots=True)
class Way:
    """A route to the things of two worlds, looked up once for all who walk it."""

    route: Route
    near: str
    far: str

    @classmethod
    def all_of(cls, near: World, far: World) -> list["Way"]:
        return [cls(route, route.at(near), route.at(far)) for route in routes()]


def leaks(visitor: Visitor, way: Way, near: World, far: World) -> Iterator[str]:
    """What an address tells somebody that they may not know: of their AI system, of another, of what is not there."""
    persona, route = visitor.persona, way.route
    mine = visitor.get(way.near)
    yield from leaks_of(mine, way.near, persona, route.pattern, near, far)
    if way.far == way.near or mine.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return
    other = visitor.get(way.far)
    yield from leaks_of(other, way.far, persona, route.pattern, near, far)
    if may_read(persona.name, route.sort, in_scope=False):
        return
    part = "/".join(route.pattern.split("/")[:3])
    if (part, other.without(way.far)) in visitor.nothing:
        return
    nothing = visitor.get(route.nowhere())
    visitor.nothing.add((part, nothing.without(route.nowhere())))
    if other.without(way.far) != nothing.without(route.nowhere()):
        yield f"{route.pattern}: not as for what is not there ({other.status}, {nothing.status})"


def leaks_of(seen: Seen, address: str, persona: Persona, name: str, near: World, far: World) -> Iterator[str]:
    for world, in_scope in ((near, persona.name != "stranger"), (far, False)):
        for sort in told(seen, address, persona, world, in_scope=in_scope):
            yield f"{name} {seen.status}: {world.mark}-{sort}"
    if seen.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        yield f"{name}: {seen.status}"

"""HTTP over ASGI by hand, for the process that holds many connections: reading bodies, sending answers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.conf import settings

from config.middleware import API_POLICY, PERMISSIONS

Scope = Mapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

WITHOUT_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class Gone(Exception):
    """The caller has closed the connection: there is nobody to answer."""


def headers_of(scope: Scope) -> dict[str, str]:
    """By name in lower case, as they came: latin-1. One that comes twice is joined, as HTTP says."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joint = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{joint}{value}" if name in found else value
    return found


class NoRoom(Exception):
    """Bodies that are being held already take all the memory there is for them."""


class Room:
    """Memory for the bodies of all requests at once. What is small is never refused; a stop is small."""

    def __init__(self, size: int, *, small: int) -> None:
        self._left, self._small = size, small

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """For one request: what is to be told of each size that its body has grown to. Errors then: `NoRoom`."""
        held = 0

        def grow(size: int) -> None:
            nonlocal held
            more = max(0, size - self._small) - held
            if more > self._left:
                raise NoRoom()
            held += more
            self._left -= more

        try:
            yield grow
        finally:
            self._left += held


async def read_body(
    receive: Receive, *, limit: int, patience: float, grow: Callable[[int], None] | None = None
) -> bytes:
    """The body, or its first `limit` + 1 bytes or so: enough to see that it is too large.

    Errors: `TimeoutError` where the rest of it does not come in time; `Gone`; those of `grow`.
    """
    pieces, size, more = [], 0, True
    async with asyncio.timeout(patience):
        while more and size <= limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone()
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if grow is not None:
                grow(size)
            more = message.get("more_body", False)
    return b"".join(pieces)


async def start(send: Send, status: int, headers: Iterable[tuple[str, str]]) -> None:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def answer(send: Send, status: int, headers: Mapping[str, str], body: bytes, *, is_head: bool = False) -> None:
    """A whole answer."""
    sized = {} if status in WITHOUT_BODY else {"Content-Length": str(len(body))}
    await start(send, status, {**headers, **sized}.items())
    await send({"type": "http.response.body", "body": b"" if is_head else body})


def security_headers(*, is_secure: bool) -> dict[str, str]:
    """What the middleware puts on every answer to a program."""
    found = {
        "Content-Security-Policy": API_POLICY,
        "Permissions-Policy": PERMISSIONS,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
    }
    if is_secure and settings.SECURE_HSTS_SECONDS:
        found["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}"
    return found


def is_secure(scope: Scope, headers: Mapping[str, str]) -> bool:
    """As Django has it: the proxy's word where the proxy is trusted."""
    if settings.TRUST_PROXY:
        return headers.get("x-forwarded-proto", "") == "https"
    return bool(scope["scheme"] == "https")

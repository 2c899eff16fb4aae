"""A WSGI application behind ASGI, in a fixed number of threads of its own.

Django's own ASGI handler takes a new thread for each request, and with it a new database connection. Here there are as
many threads as there may be connections; each keeps its own, as in the web server, and runs the very same code.
"""

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from wsgiref.types import WSGIApplication

import orjson
import structlog

from config.asgi_http import (
    Gone,
    NoRoom,
    Receive,
    Room,
    Scope,
    Send,
    answer,
    headers_of,
    read_body,
    security_headers,
    start,
)
from config.errors import PayloadTooLarge, ServiceError, Unavailable
from config.problems import MEDIA_TYPE, problem_fields

log = structlog.get_logger(__name__)

MAX_BODY = 17 << 20
SMALL_BODY = 64 << 10
ALL_BODIES = 96 << 20
"""Bytes that the bodies of all requests may hold together, beyond what each may have anyway."""
BODY_PATIENCE_SECONDS = 30.0
SEND_PATIENCE_SECONDS = 30.0
MOST_WAITING = 200

Header = tuple[str, str]


@dataclass(slots=True)
class Collected:
    """An answer held back, to be looked at before it is sent."""

    status: int
    headers: list[Header]
    body: bytes


class Lane:
    """Threads, and those who wait for one."""

    def __init__(self, threads: int, name: str) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + MOST_WAITING

    @property
    def is_busy(self) -> bool:
        """Whether whoever comes now waits."""
        return self._room <= MOST_WAITING

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for one request. Errors: `Unavailable` where there is none."""
        if self._room <= 0:
            raise Unavailable(retry_after=2)
        self._room -= 1
        try:
            yield
        finally:
            self._room += 1


def _nothing(path: str) -> bool:
    return False


class InThreads:
    """The ASGI application. What comes while `MOST_WAITING` wait for a thread, or while bodies take all the memory
    there is for them, is told to come again.

    `kept`: so many of the threads are for `is_urgent` paths alone: whatever else comes in a flood, a stop waits for
    none of it.
    """

    def __init__(
        self, application: WSGIApplication, *, threads: int, kept: int = 0, is_urgent: Callable[[str], bool] = _nothing
    ) -> None:
        self._application = application
        self._usual = Lane(threads - kept, "control")
        self._urgent = Lane(kept, "control_urgent") if kept else self._usual
        self._is_urgent = is_urgent
        self._bodies = Room(ALL_BODIES, small=SMALL_BODY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._bodies.share() as grow:
            try:
                body = await read_body(receive, limit=MAX_BODY, patience=BODY_PATIENCE_SECONDS, grow=grow)
            except (TimeoutError, Gone):
                return  # nobody waits for an answer to half a request
            except NoRoom:
                await _refuse(send, Unavailable(retry_after=2))
            else:
                await self._take(scope, body, send)

    async def _take(self, scope: Scope, body: bytes, send: Send) -> None:
        if len(body) > MAX_BODY:
            await _refuse(send, PayloadTooLarge())
            return
        is_urgent = self._usual.is_busy and self._is_urgent(scope["path"])
        lane = self._urgent if is_urgent else self._usual
        try:
            with lane.place():
                await self._run(lane, scope, body, _Outward(asyncio.get_running_loop(), send))
        except Unavailable as error:  # the application's own errors are answers already
            await _refuse(send, error)

    async def collect(self, scope: Scope) -> Collected:
        """The answer to a request without a body, in hand. Errors: `Unavailable`."""
        inward = _Inward()
        with self._usual.place():
            await self._run(self._usual, scope, b"", inward)
        return Collected(inward.status, inward.headers, b"".join(inward.pieces))

    async def _run(self, lane: Lane, scope: Scope, body: bytes, taker: "_Outward | _Inward") -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(lane.pool, self._answer, environ_of(scope, body), taker)

    def _answer(self, environ: dict[str, Any], taker: "_Outward | _Inward") -> None:
        """In a thread: the whole request, as a web server runs it, on one and the same database connection."""
        pieces = self._application(environ, taker.start_response)
        try:
            taker.take(pieces)
        except Gone:
            log.info("request.left", method=environ["REQUEST_METHOD"])
        finally:
            close: Callable[[], None] | None = getattr(pieces, "close", None)
            if close is not None:
                close()


class _Inward:
    """Takes an answer into memory."""

    def __init__(self) -> None:
        self.status, self.headers, self.pieces = 500, list[Header](), list[bytes]()

    def start_response(self, status: str, headers: list[Header], exc_info: Any = None) -> Callable[[bytes], object]:
        self.status, self.headers = int(status[:3]), headers
        return self.pieces.append

    def take(self, pieces: Iterable[bytes]) -> None:
        self.pieces += pieces


class _Outward:
    """Sends an answer on as it comes, from its thread. A caller that does not read gets no more of the thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._loop, self._send = loop, send
        self._status, self._headers = 500, list[Header]()

    def start_response(self, status: str, headers: list[Header], exc_info: Any = None) -> Callable[[bytes], object]:
        self._status, self._headers = int(status[:3]), headers
        return self._send_piece

    def take(self, pieces: Iterable[bytes]) -> None:
        self._wait(start(self._send, self._status, self._headers))
        for piece in pieces:
            self._send_piece(piece)
        self._wait(self._send({"type": "http.response.body", "body": b"", "more_body": False}))

    def _send_piece(self, piece: bytes) -> None:
        if piece:
            self._wait(self._send({"type": "http.response.body", "body": piece, "more_body": True}))

    def _wait(self, sending: Any) -> None:
        try:
            asyncio.run_coroutine_threadsafe(_in_time(sending), self._loop).result()
        except (TimeoutError, OSError, RuntimeError) as error:  # granian says a lost connection with a RuntimeError
            raise Gone() from error


async def _in_time(sending: Any) -> None:
    async with asyncio.timeout(SEND_PATIENCE_SECONDS):
        await sending


async def _refuse(send: Send, error: ServiceError) -> None:
    headers = security_headers(is_secure=False) | {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    await answer(send, error.status, headers | error.headers, orjson.dumps(problem_fields(error)))


def environ_of(scope: Scope, body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request that was read in full (PEP 3333)."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": str(client[0]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers_of(scope).items():
        # an underscore in a name would pass for a dash, and so for a header that a proxy watches over
        if "_" not in name and name not in ("transfer-encoding", "content-length"):
            place = name.upper().replace("-", "_")
            environ[place if place == "CONTENT_TYPE" else f"HTTP_{place}"] = value
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ

"""The door on the control process: an ASGI application before Django.

State, flags and streams are answered on the event loop, from memory. A caller who waits for a decision waits here, and
not in a thread. Everything else goes on to Django.
"""

import asyncio
import contextlib
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
import structlog
from django.conf import settings
from django.db import connection
from django.http.request import split_domain_port, validate_host

from config import asgi_http
from config.asgi_http import Gone, Message, Receive, Scope, Send
from config.asgi_stop import told_to_stop
from config.errors import BadRequest, MethodNotAllowed, Unavailable
from config.metrics import count_request
from config.request_ids import HEADER, name_for
from config.wsgi_in_threads import Collected, InThreads
from governance import memory as register_memory
from governance.api.authentication import is_unknown
from governance.register import KeyGrant
from overrides import memory
from overrides.clients import doors
from overrides.clients.answers import Answer, Question, problem_answer
from overrides.clients.errors import BodyTooSlow, DecisionsElsewhere
from overrides.clients.ofrep import MAX_BODY
from overrides.clients.stream_tokens import grant_by_token
from overrides.clients.streams import REFETCH_EVENTS, STATE_EVENTS, Kind, Listener, Streams, pieces
from overrides.clients.waiting import Watched

log = structlog.get_logger(__name__)

BODY_PATIENCE_SECONDS = 10.0
SEND_PATIENCE_SECONDS = 20.0
"""A stream whose reader takes nothing for so long is given up."""
LONGEST_WAIT = 60
EFFECTIVE_ROUTE = "api/v1/decisions/<uuid:decision_id>/effective"
EFFECTIVE = re.compile(r"/api/v1/decisions/([0-9a-f-]{36})/effective")
TAKEN_ELSEWHERE = {"/api/v1/decisions", "/api/v1/decisions/batch"}
URGENT = (
    "/api/v1/control/tighten",
    "/api/v1/control/loosen",
    "/api/v1/control/emergency-clear",
    "/admin/switchboard/",
)
"""What stops and starts again. No acknowledgements: they come in floods themselves, after every change."""
STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events until its buffer is full
}


@dataclass(frozen=True, slots=True)
class Request:
    """What this lane knows of a request before its body."""

    scope: Scope
    question: Question
    base_headers: dict[str, str]
    started: float

    @property
    def route(self) -> str:
        return doors.route_for(self.question.path)


class ControlLane:
    """See the module. `others` is Django; `watched` knows when a decision's effective outcome changes."""

    def __init__(self, others: InThreads, *, watched: Watched | None = None) -> None:
        self._others, self._watched = others, watched
        self.streams = Streams()
        self._is_warm = False
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            with contextlib.suppress(Gone):
                await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if doors.route_for(path):
            await self._control(request_of(scope), receive, send)
        elif path == "/healthz":
            await self._reply(send, request_of(scope), _alive(), route="healthz")
        elif scope["method"] == "POST" and path in TAKEN_ELSEWHERE:
            request = request_of(scope)
            refusal = problem_answer(DecisionsElsewhere(), request.question.request_id)
            await self._reply(send, request, refusal, route=path[1:])
        else:
            try:
                await self._wait_for_change(scope)
            except Unavailable as error:
                request = request_of(scope)
                answer = problem_answer(error, request.question.request_id)
                await self._reply(send, request, answer, route=EFFECTIVE_ROUTE)
            else:
                await self._others(scope, receive, send)

    # --- the life of the process --------------------------------------------------------------------------------------
    async def _live(self, receive: Receive, send: Send) -> None:
        """Watch for as long as the process lives. When it has to stop, nobody is kept waiting."""
        await receive()
        watching = asyncio.create_task(self._watch())
        with told_to_stop(self._release):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        self._release()
        watching.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    def _release(self) -> None:
        """Let every stream say that it ends, and answer those who wait for a decision."""
        if self._watched is not None:
            self._watched.release()
        self.streams.end()

    async def _watch(self) -> None:
        while not self._is_warm:
            try:
                await self._warm()
            except Exception as error:  # noqa: BLE001 - the database is not there yet; requests are told so meanwhile
                log.warning("control.not_read_yet", exception=type(error).__qualname__)
                await asyncio.sleep(1)
        await self.streams.watch()

    async def _warm(self) -> None:
        """Read register and controls for the first time: in a thread, since that asks the database."""
        if not self._is_warm:
            await asyncio.to_thread(_read_everything)
            self._is_warm = True

    async def _look_again_for(self, question: Question) -> None:
        """Whose key was just made is let in; one look serves all who come meanwhile. Errors: `RegisterStale`."""
        if not is_unknown(doors.credentials_of(question)):
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(_look_again))
        await asyncio.shield(self._looking)

    # --- requests -----------------------------------------------------------------------------------------------------
    async def _control(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            await self._warm()
            if not _is_our_host(request.question.headers.get("host", "")):
                raise BadRequest()
            await self._look_again_for(request.question)
            kind = STREAM_PATHS.get(request.question.path)
            if kind is not None:
                await self._stream(request, kind, receive, send)
                return
            answer = doors.answer(await _with_body(request.question, receive))
        except Gone:
            raise
        except Exception as error:  # noqa: BLE001 - said by `refusal`, and logged there where it is a fault of ours
            answer = doors.refusal(request.question, error)
        await self._reply(send, request, answer, route=request.route)

    async def _reply(self, send: Send, request: Request, answer: Answer, *, route: str) -> None:
        headers = {**request.base_headers, **answer.headers}
        if answer.content_type:
            headers |= {"Content-Type": answer.content_type}
        is_head = request.question.method == "HEAD"
        await asgi_http.answer(send, answer.status, headers, answer.body, is_head=is_head)
        _count(request, route, answer.status)

    # --- streams ------------------------------------------------------------------------------------------------------
    async def _stream(self, request: Request, kind: Kind, receive: Receive, send: Send) -> None:
        if request.question.method != "GET":
            raise MethodNotAllowed(headers={"Allow": "GET"})
        grant = _grant_for_stream(request.question, kind)
        with self.streams.listener() as listener:
            leaving = asyncio.create_task(_leave_with(receive, listener))
            try:
                await self._send_stream(request, kind, grant, listener, send)
            finally:
                leaving.cancel()

    async def _send_stream(self, request: Request, kind: Kind, grant: KeyGrant, listener: Listener, send: Send) -> None:
        headers = request.base_headers | STREAM_HEADERS | doors.CORS
        await asgi_http.start(send, 200, headers.items())
        _count(request, request.route, 200)
        last_id = request.question.headers.get("last-event-id", "")
        sent, how = 0, "ended"
        try:
            async for piece in pieces(listener, grant, kind, last_id):
                await _in_time(send({"type": "http.response.body", "body": piece, "more_body": True}))
                sent += 1
            await _in_time(send({"type": "http.response.body", "body": b"", "more_body": False}))
        except (TimeoutError, OSError, RuntimeError) as error:  # granian says a lost connection with a RuntimeError
            how = "gave_up" if isinstance(error, TimeoutError) else "left"
        except Exception:
            # its head is sent, so it cannot become a problem document any more: it ends, and the client comes again
            log.exception("stream.failed", request_id=request.question.request_id, route=request.route)
            how = "failed"
        _log_stream(request, grant, "left" if how == "ended" and listener.is_left else how, sent)

    # --- long polls ---------------------------------------------------------------------------------------------------
    async def _wait_for_change(self, scope: Scope) -> None:
        """Let a caller wait that asked for it; Django answers afterwards, as it would without waiting.

        Django is asked first, too: whether they may see the decision at all comes before what becomes of it.
        """
        found = EFFECTIVE.fullmatch(scope["path"])
        seconds = wait_in(scope) if found and scope["method"] == "GET" else 0
        decision_id = _uuid(found[1]) if found else None
        if self._watched is None or not seconds or decision_id is None:
            return
        version = version_to_wait_for(await self._others.collect(scope), query_of(scope).get("version"))
        if version is not None:
            await self._watched.change_of(decision_id, version, seconds)


STREAM_PATHS = {doors.EVENTS: STATE_EVENTS, doors.OFREP_EVENTS: REFETCH_EVENTS}


def is_urgent(path: str) -> bool:
    """Whether this must not wait for whatever else comes in a flood."""
    return path.startswith(URGENT)


def request_of(scope: Scope) -> Request:
    headers = asgi_http.headers_of(scope)
    name = name_for(headers.get("x-request-id", ""))
    base = asgi_http.security_headers(is_secure=asgi_http.is_secure(scope, headers)) | {HEADER: name}
    question = Question(
        method=scope["method"], path=scope["path"], headers=headers, query=query_of(scope), request_id=name
    )
    return Request(scope, question, base, time.perf_counter())


def query_of(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def wait_in(scope: Scope) -> int:
    """The seconds that a caller wants to wait; 0 where that is no number: Django then says what is wrong with it."""
    wanted = query_of(scope).get("wait", "")
    return min(int(wanted[:9]), LONGEST_WAIT) if wanted.isascii() and wanted.isdigit() else 0


def version_to_wait_for(now: Collected, known: str | None) -> int | None:
    """The version whose end is waited for; None where what there is now is the answer.

    A caller who names a version waits for another one; one who names none waits for what is not settled yet.
    """
    if now.status != 200:
        return None
    document: dict[str, Any] = orjson.loads(now.body)
    version = int(document["version"])
    if known is None:
        return version if document["status"] == "pending" else None
    return version if known == str(version) else None


def _grant_for_stream(question: Question, kind: Kind) -> KeyGrant:
    """By header, or, for OFREP alone, by the token in the address: browsers can send no headers with a stream."""
    token = question.query.get("token", "")
    if kind is REFETCH_EVENTS and token:
        return doors.reading(grant_by_token(token))
    return doors.grant_for(question)


async def _with_body(question: Question, receive: Receive) -> Question:
    if question.method != "POST":
        return question
    try:
        body = await asgi_http.read_body(receive, limit=MAX_BODY, patience=BODY_PATIENCE_SECONDS)
    except TimeoutError:
        raise BodyTooSlow() from None
    return Question(
        method=question.method, path=question.path, headers=question.headers, query=question.query, body=body,
        request_id=question.request_id,
    )  # fmt: skip


async def _leave_with(receive: Receive, listener: Listener) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
    listener.leave()


async def _in_time(sending: Any) -> None:
    async with asyncio.timeout(SEND_PATIENCE_SECONDS):
        await sending


def _alive() -> Answer:
    return Answer(status=200, body=b'{"status":"alive"}', headers={"Cache-Control": "no-store"})


def _read_everything() -> None:
    try:
        register_memory.current()
        memory.current()
    finally:
        connection.close()


def _look_again() -> None:
    try:
        register_memory.look_again()
    finally:
        connection.close()


def _is_our_host(host: str) -> bool:
    return bool(validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS))


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _count(request: Request, route: str, status: int) -> None:
    known = {"GET", "HEAD", "POST", "OPTIONS"}
    method = request.question.method if request.question.method in known else "other"
    count_request(method=method, route=route, status=status, seconds=time.perf_counter() - request.started)


def _log_stream(request: Request, grant: KeyGrant, how: str, sent: int) -> None:
    log.info(
        "stream.finished",
        request_id=request.question.request_id,
        route=request.route,
        ids={"key": str(grant.key.id)},
        how=how,
        sent=sent,
        seconds=round(time.perf_counter() - request.started, 1),
    )

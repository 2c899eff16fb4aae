"""HTTP over the standard library: a few kept-alive connections; a deadline for the whole of each answer.

A socket's own timeout begins anew with every byte, so a server that drips would hold a caller for ever. Redirects are
never followed: a POST would become a GET somewhere else.
"""

import base64
import http.client
import io
import json
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, cast
from urllib.parse import SplitResult, unquote, urlsplit

from answerable._exceptions import ServiceRefused, ServiceUnavailable
from answerable._ids import ServerClock

MAX_ANSWER = 64 << 20
MAX_IDLE = 8
BROKEN = (OSError, http.client.HTTPException)
BUSY = (408, 425, 429, 500, 502, 503, 504)
"""What time heals."""


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Errors: `ServiceUnavailable` where it is no JSON object: something in between answered."""
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise ServiceUnavailable("the answer is not JSON") from error
        if not isinstance(document, dict):
            raise ServiceUnavailable("the answer is not a JSON object")
        return document

    def raise_for_status(self) -> "Answer":
        """Errors: `ServiceUnavailable` for what time heals, `ServiceRefused` for the rest above 299."""
        if self.status < 300:
            return self
        problem = _problem_of(self)
        said = f"{self.status} {problem.get('title', '')} {problem.get('detail', '')}".strip()
        if self.status in BUSY:
            raise ServiceUnavailable(said, retry_after=retry_after(self.headers))
        raise ServiceRefused(said, status=self.status, problem=problem)


def _problem_of(answer: Answer) -> dict[str, Any]:
    if "problem+json" not in answer.headers.get("content-type", ""):
        return {}
    try:
        return answer.json()
    except ServiceUnavailable:
        return {}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """In seconds, at most five minutes: a wrong header must not silence a client for a day."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), 300.0)


class _Bounded(io.RawIOBase):
    """Reads a socket no longer than `left()` says."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock, self._left = sock, left
        self._raw = sock.makefile("rb", 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._left()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Window:
    """Stands in for a socket where `http.client` asks one for a file."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock, self._left = sock, left

    def makefile(self, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_Bounded(self._sock, self._left), 1 << 16)


class _DeadlineAnswer(http.client.HTTPResponse):
    """An answer that is read no longer than `left()` says."""

    def __init__(self, sock: socket.socket, *rest: Any, left: Callable[[], float], **more: Any) -> None:
        super().__init__(cast("socket.socket", _Window(sock, left)), *rest, **more)


class Transport:
    """Speaks to one address with one key."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        agent: str,
        clock: ServerClock,
        ssl_context: ssl.SSLContext | None = None,
        connect_timeout: float = 5.0,
    ) -> None:
        self._wrong = _read_address(url) or (
            "" if key.isascii() and key.isprintable() else "the key has odd characters"
        )
        """A service must start with a wrong setting too; every request then says what is wrong."""
        parts = urlsplit("http://invalid." if self._wrong else url)
        self._secure, self._host = parts.scheme == "https", parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": agent, "Accept": "application/json"}
        self._clock, self._ssl, self._connect_timeout = clock, ssl_context, connect_timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._is_closed = False
        self._stream_connection: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """One exchange, within `timeout` as a whole. Errors: `ServiceUnavailable`."""
        until = time.monotonic() + timeout
        try:
            kept = self._idle.pop()
        except IndexError:  # asked for and not looked at first: another thread may take the last one in between
            kept = None
        if kept is not None:
            try:
                return self._exchange(kept, method, path, body, headers, until)
            except (ConnectionError, http.client.BadStatusLine):
                pass  # the server ended an idle connection; everything we send may be sent twice
            except BROKEN as error:
                raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        try:
            return self._exchange(self._connect(until), method, path, body, headers, until)
        except BROKEN as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        until: float,
    ) -> Answer:
        try:
            response = self._send(connection, method, path, body, headers, lambda: until - time.monotonic())
            content = response.read(MAX_ANSWER)
            if response.length:
                raise http.client.IncompleteRead(content, response.length)
        except BaseException:
            connection.close()
            raise
        if response.will_close or self._is_closed or len(self._idle) >= MAX_IDLE:
            connection.close()
        else:
            self._idle.append(connection)
        return Answer(response.status, _lowered(response), content)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        left: Callable[[], float],
    ) -> http.client.HTTPResponse:
        sock = connection.sock
        sock.settimeout(max(left(), 0.001))
        answers = partial(_DeadlineAnswer, left=left)
        connection.response_class = cast("type[http.client.HTTPResponse]", answers)
        target, more = self._target(path)
        connection.request(method, target, body=body, headers={**self._headers, **more, **(headers or {})})
        response = connection.getresponse()
        date = response.headers.get("Date")
        if date:
            self._learn_time(date)
        return response

    def _learn_time(self, date: str) -> None:
        try:
            self._clock.learn(parsedate_to_datetime(date).timestamp())
        except (ValueError, TypeError):
            return  # a wrong header says nothing

    @contextmanager
    def stream(self, path: str, *, idle_timeout: float) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """A long answer, line by line, on a connection of its own; silence for `idle_timeout` ends it.

        Errors: `ServiceUnavailable`, also while lines are read.
        """
        connection = None
        try:
            connection = self._stream_connection = self._connect(time.monotonic() + self._connect_timeout)
            wanted = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
            response = self._send(connection, "GET", path, None, wanted, lambda: idle_timeout)
            head = b"" if response.status == 200 else response.read(1 << 16)
            yield Answer(response.status, _lowered(response), head), iter(lambda: response.readline(1 << 24), b"")
        except BROKEN as error:
            raise ServiceUnavailable(f"{type(error).__name__}: {error}") from error
        finally:
            self._stream_connection = None
            if connection is not None:
                connection.close()

    def abort(self) -> None:
        """End the stream that another thread is reading."""
        connection = self._stream_connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def close(self) -> None:
        """End what is idle; what is in use ends with its answer."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self, until: float) -> http.client.HTTPConnection:
        if self._wrong:
            raise ServiceRefused(self._wrong, status=0)
        timeout = max(min(self._connect_timeout, until - time.monotonic()), 0.001)
        host, port, proxy = self._host, self._port, self._proxy()
        if proxy is not None:
            host, port = proxy.hostname or "", proxy.port or 80
        connection: http.client.HTTPConnection
        if self._secure:
            context = self._ssl or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
            if proxy is not None:
                connection.set_tunnel(self._host, self._port, headers=_credentials(proxy))
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _proxy(self) -> SplitResult | None:
        """The proxy that the environment names for this address, as other programs read it."""
        if urllib.request.proxy_bypass(self._host):
            return None
        found = urllib.request.getproxies().get("https" if self._secure else "http")
        return urlsplit(found if "://" in found else f"http://{found}") if found else None

    def _target(self, path: str) -> tuple[str, dict[str, str]]:
        """What is asked for, and what a proxy wants to read beside it: of a tunnel it reads nothing."""
        proxy = None if self._secure else self._proxy()
        if proxy is None:
            return f"{self._prefix}{path}", {}
        return f"http://{self._host}:{self._port}{self._prefix}{path}", _credentials(proxy)


def _credentials(proxy: SplitResult) -> dict[str, str]:
    """Those that the proxy's address bears."""
    if proxy.username is None:
        return {}
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(words.encode()).decode()}"}


def _read_address(url: str) -> str:
    """What is wrong with an address, empty where nothing is."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    return "" if is_good else f"not an http(s) address: {url!r}"


def _lowered(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}

"""A log's checkpoint and tiles over HTTP, as C2SP tlog-tiles serves them. Nothing that comes back is believed here."""

import json
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from ledger.tlog import Tile, tile_path

SECONDS = 20.0
"""For each step of a connection."""
LONGEST_ANSWER = 60.0
"""For all of an answer. The limit of a step begins anew with each byte: a log could keep a watcher waiting for ever."""
LARGEST_NOTE = 64 * 1024
LARGEST_TILE = 8192
LARGEST_LIST = 16 * 1024 * 1024
LISTED = re.compile(r"/logs/(?!\.{1,2}$)[A-Za-z0-9._~-]+")
"""Where an installation says that a log of it is served: nothing that leads to another server."""
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Unreachable(Exception):
    """The log did not answer, or not with what was asked for. Says nothing about what it signed."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **more: Any) -> None:
        """Never: the key would go along, to wherever it leads."""


class _Deadline:
    """Shuts a request's connection when its time is over, under whoever waits for it."""

    def __init__(self) -> None:
        self._end = time.monotonic() + LONGEST_ANSWER
        self._timers: list[threading.Timer] = []

    def watch(self, connected: socket.socket) -> None:
        timer = threading.Timer(max(0.0, self._end - time.monotonic()), _shut, [connected])
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def __enter__(self) -> "_Deadline":
        return self

    def __exit__(self, *exception: object) -> None:
        for timer in self._timers:
            timer.cancel()


def _shut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed already, which is what is wanted


class _Http(urllib.request.HTTPHandler):
    """Connects as its parent does, and tells the deadline of what it connected."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_watched(HTTPConnection, self._deadline), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._deadline, self._own = deadline, context

    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_watched(HTTPSConnection, self._deadline), request, context=self._own)


def _watched(kind: type[HTTPConnection], deadline: _Deadline) -> Any:
    """A class of connections that the deadline is told of."""

    class Watched(kind):  # type: ignore[misc,valid-type]
        def connect(self) -> None:
            super().connect()
            deadline.watch(self.sock)

    return Watched


@dataclass(frozen=True, slots=True)
class Listed:
    """A log as the installation lists it."""

    origin: str
    url: str
    is_closed: bool


class Fetcher:
    """Asks with one bearer key. In: the key, empty for none; a file of certificates in the place of the system's.

    Errors of its methods: `Unreachable`.
    """

    def __init__(self, key: str = "", ca_file: str | None = None) -> None:
        self._key = key
        self._context = ssl.create_default_context(cafile=ca_file)

    def checkpoint(self, url: str) -> str:
        """The newest checkpoint of the log at an address."""
        try:
            return self._get(f"{url}/checkpoint", LARGEST_NOTE).decode()
        except UnicodeDecodeError as error:
            raise Unreachable(f"{url}/checkpoint is no text") from error

    def tiles(self, url: str, tiles: Sequence[Tile]) -> list[bytes]:
        """The bytes of each tile of the log at an address."""
        return [self._get(f"{url}/{tile_path(tile)}", LARGEST_TILE) for tile in tiles]

    def logs(self, site: str) -> list[Listed]:
        """The logs that an Answerable installation lists for this key."""
        try:
            rows = json.loads(self._get(f"{site}/api/v1/logs", LARGEST_LIST))
            return [Listed(str(row["origin"]), _below(site, row["path"]), bool(row["is_closed"])) for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"{site}/api/v1/logs is no list of logs") from error

    def _get(self, url: str, most: int) -> bytes:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK and self._key:
            raise Unreachable(f"{url} is not https: the key would travel unprotected")
        headers = {"User-Agent": "answerable-witness"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http and https alone (watched.py)
        try:
            data = self._read(request, most)
        except urllib.error.HTTPError as error:
            error.close()
            raise Unreachable(f"{url} answered {error.code}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(f"{url}: {error}") from error
        if len(data) > most:
            raise Unreachable(f"{url} is longer than {most} bytes")
        return data

    def _read(self, request: urllib.request.Request, most: int) -> bytes:
        """An answer's body, or one byte more than it may have."""
        data = bytearray()
        with _Deadline() as deadline:
            opener = urllib.request.build_opener(_NoRedirect, _Http(deadline), _Https(deadline, self._context))
            try:
                with opener.open(request, timeout=SECONDS) as answer:
                    while len(data) <= most and (part := answer.read1(most + 1 - len(data))):
                        data += part
            except (OSError, HTTPException):
                if deadline.is_over:
                    raise TimeoutError("the answer does not end") from None
                raise
            if deadline.is_over:  # what was cut off looks like a short answer
                raise TimeoutError("the answer does not end")
        return bytes(data)


def _below(site: str, path: str) -> str:
    """The address of a log that a site lists: on this very server. Errors: `Unreachable`, `TypeError` for no text."""
    url = f"{site}{path}"
    one, other = urlsplit(site), urlsplit(url)
    if not LISTED.fullmatch(path) or (one.scheme, one.netloc) != (other.scheme, other.netloc):
        raise Unreachable(f"{site}/api/v1/logs names a log that is not served below {site}/logs")
    return url

"""A log's checkpoint and tiles over HTTP, as C2SP tlog-tiles serves them. Nothing that comes back is believed here."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from ledger.tlog import Tile, tile_path

SECONDS = 20.0
LONGEST_ANSWER = 60.0
LARGEST_NOTE = 64 * 1024
LARGEST_TILE = 8192
LARGEST_LIST = 16 * 1024 * 1024
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Unreachable(Exception):
    """The log did not answer, or not with what was asked for. Says nothing about what it signed."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **more: Any) -> None:
        """Never: the key would go along, to wherever it leads."""


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
        context = ssl.create_default_context(cafile=ca_file)
        self._opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))

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
            return [Listed(str(row["origin"]), f"{site}{row['path']}", bool(row["is_closed"])) for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"{site}/api/v1/logs is no list of logs") from error

    def _get(self, url: str, most: int) -> bytes:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK and self._key:
            raise Unreachable(f"{url} is not https: the key would travel unprotected")
        headers = {"User-Agent": "answerable-witness"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http and https alone (watched.py)
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                data = _read(answer, most)
        except urllib.error.HTTPError as error:
            error.close()
            raise Unreachable(f"{url} answered {error.code}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(f"{url}: {error}") from error
        if len(data) > most:
            raise Unreachable(f"{url} is longer than {most} bytes")
        return data


def _read(answer: Any, most: int) -> bytes:
    """An answer's body, or one byte more than it may have. The limit of the socket begins anew with every byte."""
    until, data = time.monotonic() + LONGEST_ANSWER, bytearray()
    while len(data) <= most and (part := answer.read1(most + 1 - len(data))):
        data += part
        if time.monotonic() > until:
            raise TimeoutError("the answer does not end")
    return bytes(data)

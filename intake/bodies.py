"""Reading a request's body: bounded, chunked or not, compressed or not, and never Django's own 2.5 MB limit.

Django hands out an empty body where a client sends `Transfer-Encoding: chunked` without a length; here the server's own
stream is read instead.
"""

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from typing import IO

from django.http import HttpRequest

from config.errors import PayloadTooLarge, UnsupportedMediaType
from intake.errors import IntakeBusy, MissingBody, UnreadableBody

JSON, NDJSON = "application/json", "application/x-ndjson"
GZIP_FORMAT = 16 + zlib.MAX_WBITS
PIECE = 1 << 18
GZIP_PIECE = 64 << 10
MAX_MEMBERS = 10_000
BYTES_IN_FLIGHT = 128 << 20
"""Of all bodies that a process holds at one time. Threads are many, and each could bring its 16 MiB."""


class Lease:
    """What one request holds of the process's memory for bodies."""

    def __init__(self, in_flight: "InFlight") -> None:
        self._in_flight = in_flight
        self.size = 0

    def add(self, size: int) -> None:
        """Ask for more. Errors: `IntakeBusy` where the others hold too much."""
        self._in_flight.take(size)
        self.size += size


class InFlight:
    """Counts the bytes of bodies that are being read, sealed and answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.size = 0

    def take(self, size: int) -> None:
        with self._lock:
            if self.size + size > BYTES_IN_FLIGHT:
                raise IntakeBusy(retry_after=2)
            self.size += size

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        lease = Lease(self)
        try:
            yield lease
        finally:
            with self._lock:
                self.size -= lease.size


IN_FLIGHT = InFlight()


def media_type(request: HttpRequest, *accepted: str) -> str:
    """The body's type, one of `accepted`. Errors: `UnsupportedMediaType`, also for a charset that is not UTF-8."""
    sent = request.META.get("CONTENT_TYPE", "")
    if sent in accepted:
        return str(sent)
    header = Message()
    header["Content-Type"] = sent
    kind, charset = header.get_content_type(), header.get_content_charset("utf-8")
    if kind not in accepted or charset != "utf-8":
        raise UnsupportedMediaType(f"This address reads {' and '.join(accepted)}, in UTF-8.")
    return kind


def read_body(request: HttpRequest, cap: int, lease: Lease, *, gzip: bool = False) -> bytes:
    """The whole body, decompressed. `cap` bounds both what was sent and what comes out.

    Errors: `PayloadTooLarge`, `UnsupportedMediaType` for an encoding that is not read here, `MissingBody`,
    `UnreadableBody` for one that breaks off, `IntakeBusy` where the process holds too much already.
    """
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding not in ("identity", "", *(("gzip", "x-gzip") if gzip else ())):
        raise UnsupportedMediaType(f"Content-Encoding here is {'gzip or ' if gzip else ''}identity.")
    body = _raw_body(request, cap, lease)
    if not body:
        raise MissingBody()
    return body if encoding in ("identity", "") else decompress(body, cap, lease)


def _raw_body(request: HttpRequest, cap: int, lease: Lease) -> bytes:
    stream = request.META["wsgi.input"]
    sent_length = request.META.get("CONTENT_LENGTH") or ""
    if not sent_length:
        return _read_to_end(stream, cap, lease) if _has_an_end(request) else b""
    if not (sent_length.isascii() and sent_length.isdigit()):
        raise UnreadableBody("The Content-Length is not a number.")
    length = int(sent_length[:20])
    if length > cap:
        raise too_large(cap)
    lease.add(length)
    body: bytes = stream.read(length)
    if len(body) < length:
        raise UnreadableBody("The connection broke off before the whole body had come.", body=body)
    return body


def _has_an_end(request: HttpRequest) -> bool:
    """Whether the server ends the stream where the body ends; else reading on would wait for ever."""
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        return True
    return bool(request.META.get("wsgi.input_terminated")) or request.META.get("SERVER_PROTOCOL") == "HTTP/2"


def _read_to_end(stream: IO[bytes], cap: int, lease: Lease) -> bytes:
    pieces, size = [], 0
    while piece := stream.read(PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > cap:
            raise too_large(cap)
        lease.add(len(piece))
    return b"".join(pieces)


def decompress(body: bytes, cap: int, lease: Lease) -> bytes:
    """Undo gzip, all its members, never making more than `cap` bytes. Errors: `PayloadTooLarge`, `UnreadableBody`.

    The body is fed in small pieces: zlib copies what it leaves over, and that must not be the rest of the body for each
    of many small members.
    """
    unpacked = Unpacked(cap, lease)
    try:
        for start in range(0, len(body), GZIP_PIECE):
            unpacked.feed(body[start : start + GZIP_PIECE])
    except zlib.error as error:
        raise UnreadableBody("The body is not valid gzip.", body=body) from error
    except TooManyMembers as error:
        raise UnreadableBody(f"The body has more than {MAX_MEMBERS:,} gzip members.", body=body) from error
    if not unpacked.is_complete:
        raise UnreadableBody("The gzip body breaks off.", body=body)
    return b"".join(unpacked.pieces)


class TooManyMembers(Exception):
    """Each member costs a decompressor of its own; no client needs many."""


class Unpacked:
    """What has come out of a gzip body so far."""

    def __init__(self, cap: int, lease: Lease) -> None:
        self._lease = lease
        self.pieces: list[bytes] = []
        self._left = self._cap = cap
        self._members = 0
        self._stream = zlib.decompressobj(GZIP_FORMAT)
        self.is_complete = False

    def feed(self, packed: bytes) -> None:
        while packed:
            if self.is_complete:
                self._begin_member()
            self._take(self._stream.decompress(packed, self._left + 1))
            self.is_complete = self._stream.eof
            packed = self._stream.unused_data

    def _begin_member(self) -> None:
        self._members += 1
        if self._members >= MAX_MEMBERS:
            raise TooManyMembers()
        self._stream = zlib.decompressobj(GZIP_FORMAT)

    def _take(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._cap)
        if piece:
            self._lease.add(len(piece))
            self.pieces.append(piece)


def too_large(cap: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body may have {cap:,} bytes here, as sent and after decompression.")

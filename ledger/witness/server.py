"""The witness over HTTP: `POST /add-checkpoint`, and what was cosigned last, for monitors.

Loopback unless told otherwise; TLS is a proxy's in front of it. Bodies, connections and their time are bounded: a
witness is asked by whoever can reach it, and only signatures tell logs from others.
"""

import hashlib
import re
import socket
import sqlite3
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ledger.witness.judging import PLAIN, Answer, Judge

LARGEST_BODY = 64 * 1024
MOST_CONNECTIONS = 64
CONNECTION_SECONDS = 60.0
IDLE_SECONDS = 15.0
MONITORED = re.compile(r"/([0-9a-f]{64})/checkpoint")


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness. `serve_forever` until `shutdown`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], judge: Judge) -> None:
        self.judge = judge
        self.room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, or close it where there are too many."""
        if not self.room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self.room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection for a minute at most: a request a byte at a time would last for ever."""
        watchdog = threading.Timer(CONNECTION_SECONDS, _shut, [request])
        watchdog.daemon = True
        watchdog.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            watchdog.cancel()
            self.room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up is no event; anything else is."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            sys.stderr.write(f"witness: {type(error).__name__}: {error}\n")


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed already, which is what is wanted


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "answerable-witness"
    sys_version = ""
    timeout = IDLE_SECONDS
    server: WitnessServer

    def do_POST(self) -> None:
        """`add-checkpoint`, and nothing else."""
        body = self._body()
        if body is None:
            return
        if self.path != "/add-checkpoint":
            self._send(Answer(404, "There is no such address.\n"))
            return
        try:
            answer = self.server.judge.add_checkpoint(body, now=int(time.time()))
        except sqlite3.Error as error:
            # not written down, so not signed
            sys.stderr.write(f"witness: the memory cannot be written: {error}\n")
            answer = Answer(503, "This witness cannot write down what it would sign.\n")
        self._send(answer)

    def do_GET(self) -> None:
        """The largest checkpoint of a log that was cosigned, at its origin's SHA-256; the witness's key at `/`."""
        if self.path == "/":
            self._send(Answer(200, f"{self.server.judge.cosigner.verifier.vkey}\n"))
            return
        asked = MONITORED.fullmatch(self.path)
        note = self._cosigned(asked[1]) if asked else ""
        self._send(Answer(200, note) if note else Answer(404, "Nothing was cosigned for this.\n"))

    def _cosigned(self, digest: str) -> str:
        memory = self.server.judge.memory
        origins = memory.origins()
        return next((memory.known(each).note for each in origins if _digest(each) == digest), "")

    def _body(self) -> bytes | None:
        """The request's body; None where it was refused, and the connection ends."""
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length:
            self._refuse(Answer(411, "Say the length of the body.\n"))
            return None
        if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > LARGEST_BODY:
            self._refuse(Answer(413, f"A body has at most {LARGEST_BODY} bytes.\n"))
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _refuse(self, answer: Answer) -> None:
        self.close_connection = True  # what follows is a body that nobody reads
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type or PLAIN)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name http.server gives it
        """Nothing about each request: whoever can reach it could fill the disk with words."""


def _digest(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()

"""HTTP load from one thread: requests are bytes made beforehand, connections stay open, sockets never block.

The senders share the machine with what they measure, so they must cost little: `Sent.cpu_seconds` says how much.
"""

import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PIECE = 1 << 20


@dataclass
class Sent:
    """What became of some requests."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    last_body: bytes = b""

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def require(self, *accepted: int) -> None:
        """Raise unless every answer has one of these statuses: a refusal is fast, and no measurement."""
        if set(self.statuses) - set(accepted):
            raise RuntimeError(f"answers {dict(self.statuses)}; the last one: {self.last_body[:500]!r}")


def post_request(path: str, body: bytes, *, key: str) -> bytes:
    """The bytes of one POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get_request(path: str, *, key: str) -> bytes:
    """The bytes of one GET."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


class Connection:
    """One sender: a request on its way, or an answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._out = memoryview(b"")
        self._answer = b""
        self._wanted: int | None = None
        self.started = 0.0

    def begin(self, request: bytes) -> None:
        self._out, self._answer, self._wanted = memoryview(request), b"", None
        self.started = time.perf_counter()
        self.push()

    def push(self) -> None:
        """Send as much as the socket takes."""
        while self._out:
            try:
                self._out = self._out[self.socket.send(self._out[:PIECE]) :]
            except BlockingIOError:
                return

    @property
    def is_sending(self) -> bool:
        return bool(self._out)

    def pull(self) -> tuple[int, bytes] | None:
        """Status and body, once the whole answer is there."""
        piece = self.socket.recv(PIECE)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self._answer += piece
        if self._wanted is None:
            self._wanted = _length_of(self._answer)
        if self._wanted is None or len(self._answer) < self._wanted:
            return None
        return int(self._answer[9:12]), self._answer[self._answer.index(b"\r\n\r\n") + 4 :]


def _length_of(answer: bytes) -> int | None:
    """The length of head and body, None while the head is not complete."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return None
    for line in answer[:end].split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return end + 4 + int(line.split(b":")[1])
    raise RuntimeError("an answer without a length")


def send_all(port: int, requests: Iterable[bytes], *, senders: int) -> Sent:
    """Send every request over `senders` connections, each taking the next as soon as its answer has come."""
    poll, sent, waiting = select.epoll(), Sent(), iter(requests)
    connections = {each.socket.fileno(): each for each in (Connection(port) for _ in range(senders))}
    cpu, started = time.thread_time(), time.perf_counter()
    busy = sum(_next(poll, each, waiting, is_new=True) for each in connections.values())
    while busy:
        for number, events in poll.poll():
            busy -= _step(poll, connections[number], events, waiting, sent)
    sent.seconds, sent.cpu_seconds = time.perf_counter() - started, time.thread_time() - cpu
    for each in connections.values():
        each.socket.close()
    poll.close()
    return sent


def _next(poll: select.epoll, connection: Connection, waiting: Iterator[bytes], *, is_new: bool = False) -> bool:
    request = next(waiting, None)
    if request is None:
        return False
    connection.begin(request)
    wanted = select.EPOLLIN | (select.EPOLLOUT if connection.is_sending else 0)
    (poll.register if is_new else poll.modify)(connection.socket.fileno(), wanted)
    return True


def _step(poll: select.epoll, connection: Connection, events: int, waiting: Iterator[bytes], sent: Sent) -> bool:
    """Whether this connection has nothing more to do."""
    if events & select.EPOLLOUT:
        connection.push()
        if not connection.is_sending:
            poll.modify(connection.socket.fileno(), select.EPOLLIN)
    if not events & select.EPOLLIN:
        return False
    answer = connection.pull()
    if answer is None:
        return False
    status, sent.last_body = answer
    sent.latencies.append(time.perf_counter() - connection.started)
    sent.statuses[status] += 1
    if _next(poll, connection, waiting):
        return False
    poll.unregister(connection.socket.fileno())
    return True

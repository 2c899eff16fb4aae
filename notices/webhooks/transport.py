"""One request: to the address that was checked, under one deadline for all of it, without following anything.

urllib3 speaks HTTP and TLS; only where it connects to is ours. The name stays in `Host`, in SNI and in the check of
the certificate. A watchdog shuts the socket at the deadline: a timeout of sockets begins anew with every byte.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.response import BaseHTTPResponse

from notices.models import Attempt
from notices.webhooks import addresses
from notices.webhooks.addresses import AddressRefused, NameUnresolved, Rules, Target

TOTAL_SECONDS = 20.0
ANSWER_LIMIT = 16 * 1024
LONGEST_WAIT = 24 * 3600.0
GONE = 410
THROTTLES = (429, 502, 503, 504)
Outcome = Attempt.Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt. `retry_after`: seconds that the receiver asked for."""

    outcome: Attempt.Outcome
    http_status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What somebody answered, whole. Names of `headers` in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds that were asked for."""
        return _seconds(self.headers.get("retry-after"))


class Unanswered(Exception):
    """Nothing that can be read came back; `outcome` says how it went."""

    def __init__(self, outcome: Attempt.Outcome) -> None:
        self.outcome = outcome
        super().__init__(str(outcome))


class Deadline:
    """Seconds for the whole attempt. When they are over, the socket is shut under whoever waits for it."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    @property
    def left(self) -> float:
        return max(0.01, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def watch(self, sock: socket.socket) -> None:
        # a duplicate: TLS takes the descriptor of the original away, and both name one connection
        self._sockets.append(sock.dup())

    def _shut(self) -> None:
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already, which is what is wanted

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()
        for sock in self._sockets:
            sock.close()


def post(url: str, *, body: bytes, headers: Mapping[str, str], seconds: float = TOTAL_SECONDS) -> Answer:
    """Post a webhook once and say what became of it; never raises for what the other side does."""
    try:
        with _answer("POST", url, body, headers, addresses.webhook_rules(), seconds) as (response, _):
            return _judged(response)
    except Unanswered as error:
        return Answer(error.outcome)


def ask(
    method: str,
    url: str,
    *,
    rules: Rules,
    body: bytes | None = None,
    headers: Mapping[str, str],
    limit: int,
    seconds: float = TOTAL_SECONDS,
) -> Response:
    """Ask once and read the answer, whatever its status, up to `limit` bytes. A redirect is an answer too.

    Errors: `Unanswered`, for a longer answer as well.
    """
    with _answer(method, url, body, headers, rules, seconds) as (response, deadline):
        data = response.read(limit + 1, decode_content=False)
        if deadline.is_over:
            raise Unanswered(Outcome.TIMED_OUT)
        if len(data) > limit:
            raise Unanswered(Outcome.BROKEN_OFF)
        named = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status, named, data)


@contextmanager
def _answer(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], rules: Rules, seconds: float
) -> Iterator[tuple[BaseHTTPResponse, Deadline]]:
    """The head of an answer, its body still to be read under the deadline. Errors: `Unanswered`."""
    with Deadline(seconds) as deadline:
        try:
            with _connection(addresses.parse(url, rules), deadline, rules) as (connection, path):
                connection.request(method, path, body=body, headers=headers, preload_content=False)
                with closing(connection.getresponse()) as response:  # it holds on to the socket, too
                    if deadline.is_over:  # a head that the watchdog cut off looks like a short one
                        raise Unanswered(Outcome.TIMED_OUT)
                    yield response, deadline
        except AddressRefused:
            raise Unanswered(Outcome.BAD_ADDRESS) from None
        except NameUnresolved:
            raise Unanswered(Outcome.UNKNOWN_HOST) from None
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise Unanswered(_failure(error, deadline)) from error


def _failure(error: Exception, deadline: Deadline) -> Attempt.Outcome:
    if deadline.is_over or isinstance(error, TimeoutError):
        return Outcome.TIMED_OUT
    if isinstance(error, ssl.SSLError):
        return Outcome.TLS_FAILED
    if isinstance(error, NewConnectionError | ConnectionRefusedError):
        return Outcome.UNREACHABLE
    return Outcome.BROKEN_OFF


@contextmanager
def _connection(target: Target, deadline: Deadline, rules: Rules) -> Iterator[tuple[Any, str]]:
    """A connection to the target, and what to ask it for."""
    connection = _through_proxy(target, deadline, rules) if rules.proxy else _direct(target, deadline, rules)
    asks_proxy = rules.proxy and target.scheme == "http"
    try:
        yield connection, target.url if asks_proxy else target.path
    finally:
        connection.close()


def _direct(target: Target, deadline: Deadline, rules: Rules) -> Any:
    checked = addresses.allowed_addresses(target, within=deadline.left, rules=rules)
    return _made(target.scheme, target.host, target.port, checked, deadline, rules)


def _through_proxy(target: Target, deadline: Deadline, rules: Rules) -> Any:
    """By way of the operator's egress proxy, which resolves the name itself, and whose rules then decide."""
    proxy = urlsplit(rules.proxy)
    connection = _made(target.scheme, proxy.hostname or "", proxy.port or 3128, None, deadline, rules)
    if target.scheme == "https":
        connection.set_tunnel(target.host, target.port, scheme="http")
    return connection


def _made(scheme: str, host: str, port: int, checked: list[str] | None, deadline: Deadline, rules: Rules) -> Any:
    if scheme == "http":
        plain = _Plain(host, port, timeout=deadline.left)
        plain.checked, plain.deadline = checked, deadline
        return plain
    context = ssl.create_default_context(cafile=rules.ca_file or None)
    encrypted = _Encrypted(host, port, timeout=deadline.left, ssl_context=context)
    encrypted.checked, encrypted.deadline = checked, deadline
    return encrypted


class _Checked:
    """Connects to addresses that were checked, one after the other, and to nothing else."""

    checked: list[str] | None = None
    deadline: Deadline

    def _new_conn(self) -> socket.socket:
        if self.checked is None:  # the proxy
            sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        else:
            sock = _connect(self.checked, self.port, self.deadline)  # type: ignore[attr-defined]
        self.deadline.watch(sock)
        sock.settimeout(self.deadline.left)
        return sock


class _Plain(_Checked, HTTPConnection):
    pass


class _Encrypted(_Checked, HTTPSConnection):
    pass


def _connect(checked: list[str], port: int, deadline: Deadline) -> socket.socket:
    problem: OSError = ConnectionRefusedError()
    for address in checked:
        try:
            return socket.create_connection((address, port), timeout=deadline.left)
        except OSError as error:
            problem = error if isinstance(error, TimeoutError) else ConnectionRefusedError()
        if deadline.is_over:
            break
    raise problem


def _judged(response: BaseHTTPResponse) -> Answer:
    status = response.status
    wait = _seconds(response.headers.get("Retry-After"))
    _read_some(response)
    if 200 <= status < 300:
        return Answer(Outcome.DELIVERED, status)
    if status == GONE:
        return Answer(Outcome.GONE, status)
    if 300 <= status < 400:
        return Answer(Outcome.REDIRECTED, status)
    return Answer(Outcome.THROTTLED if status in THROTTLES else Outcome.REFUSED, status, wait)


def _read_some(response: BaseHTTPResponse) -> None:
    """Let a polite receiver finish its answer. The status is known; nothing that follows changes it."""
    try:
        response.read(ANSWER_LIMIT, decode_content=False)
    except (HTTPError, HTTPException, OSError, ValueError):
        return


def _seconds(header: str | None) -> float | None:
    """`Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3); at most a day, None where it is neither."""
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, at - time.time()), LONGEST_WAIT)

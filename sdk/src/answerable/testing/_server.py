"""The fake service over HTTP, and the levers that a test pulls."""

import gzip
import hashlib
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from answerable._modes import Mode
from answerable.testing._book import Book, Json, problem, switch
from answerable.testing._fault import Fault

DECISIONS = "/api/v1/decisions"


class FakeServer:
    """Starts with its construction. `close()` ends it; `restart()` begins again on the same port with the same book."""

    def __init__(
        self, *, key: str = "ans_test00000000_" + "0" * 64, systems: tuple[str, ...] = (), port: int = 0,
        store: Path | None = None, stream: bool = True,
    ) -> None:  # fmt: skip
        self.key, self.has_stream = key, stream
        self.book = Book(store)
        self.faults: deque[Fault] = deque()
        self.requests: list[str] = []
        self.clock_offset = 0.0
        """How far this server's clock is ahead."""
        self._port = port
        for system in systems:
            self.add_system(system)
        self.start()

    # --- life -----------------------------------------------------------------------------------------------------
    def start(self) -> None:
        self._http = _Http(("127.0.0.1", self._port), _Handler)
        self._http.owner = self
        self._port = int(self._http.server_address[1])
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.02,), name="answerable-fake", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End it at once, open connections too."""
        self._http.shutdown()
        self._http.server_close()
        self._http.end_connections()
        with self.book.lock:
            self.book.lock.notify_all()
        self._thread.join(5)

    def restart(self) -> None:
        self.close()
        self.start()

    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # --- what has arrived -----------------------------------------------------------------------------------------
    @property
    def records(self) -> list[Json]:
        """Every decision taken in, in order, each once."""
        with self.book.lock:
            return list(self.book.by_id.values())

    @property
    def acks(self) -> list[Json]:
        with self.book.lock:
            return list(self.book.acks)

    @property
    def heartbeats(self) -> list[Json]:
        with self.book.lock:
            return list(self.book.heartbeats)

    @property
    def conflicts(self) -> list[Json]:
        with self.book.lock:
            return list(self.book.conflicts)

    @property
    def repeats(self) -> int:
        """How many records came again that were taken in already."""
        with self.book.lock:
            return self.book.repeats

    def effects(self, decision_id: str) -> list[Json]:
        with self.book.lock:
            return list(self.book.effects.get(decision_id, []))

    def execution(self, decision_id: str) -> Json | None:
        """The last claim of a worker to carry it out."""
        with self.book.lock:
            return self.book.executions.get(decision_id)

    def wait_for(self, claim: Callable[["FakeServer"], object], timeout: float = 5.0) -> None:
        """Until it holds. Errors: AssertionError."""
        until = time.monotonic() + timeout
        while not claim(self):
            if time.monotonic() > until:
                raise AssertionError(f"it never came to that within {timeout} s")
            time.sleep(0.005)

    # --- levers ---------------------------------------------------------------------------------------------------
    def add_system(self, system: str, **said: Any) -> None:
        """An AI system that the key reaches; `fail_policy`, `fallback`, `parameters` as in the state document."""
        with self.book.lock:
            self.book.systems[system] = said
            self.book.change()

    def set_mode(self, system: str | None, mode: Mode | str, **scope: Any) -> str:
        """Throw a switch (`model_version=`, `capability=`, `environment=`, `in_flight=`, `reason_code=`); the epoch."""
        with self.book.lock:
            book = self.book
            made = switch(system, Mode(mode).value, f"{book.generation}.{book.number + 1}", **scope)
            book.switches = [each for each in book.switches if each["scope"] != made["scope"]] + [made]
            book.change()
            return book.epoch

    def set_parameter(self, system: str, name: str, value: Any, **said: Any) -> None:
        with self.book.lock:
            kind = {bool: "boolean", int: "integer", float: "number"}.get(type(value), "string")
            known = {"value": value, "type": kind, "version": 1, "expires_at": None, "value_after": None}
            self.book.systems[system].setdefault("parameters", {})[name] = known | said
            self.book.change()

    def hold_when(self, rule: Callable[[Json], bool]) -> None:
        """Proposed decisions for which it is true wait for a human."""
        self.book.hold_when = rule

    def refuse_when(self, rule: Callable[[Json], str | None]) -> None:
        """Records for which it says why are refused for their content."""
        self.book.refuse_when = rule

    def answer(
        self, decision_id: str, outcome: str, *, action: str = "proceed", output: Any = None, reason: str = "test"
    ) -> None:
        """A human decides a held decision."""
        with self.book.lock:
            review = self.book.reviews[decision_id]
            review.status, review.action, review.outcome, review.output = "final", action, outcome, output
            review.reason_code, review.version = reason, review.version + 1
            self.book.lock.notify_all()

    def fail(self, *, times: int = 1, **fault: Any) -> None:
        """The next requests go wrong: see `Fault`."""
        self.faults.extend(Fault(**fault) for _ in range(times))

    def forget_controls(self, *, epoch: str) -> None:
        """As after a restore: no switch, and an epoch of the past."""
        with self.book.lock:
            generation, number = epoch.split(".")
            self.book.generation, self.book.number = int(generation), int(number)
            self.book.switches = []
            self.book.lock.notify_all()

    def wait_for_held(self, number: int = 1, timeout: float = 5.0) -> list[str]:
        """Ids of the decisions that wait for a human, once there are so many."""

        def held() -> list[str]:
            with self.book.lock:
                return [each.decision_id for each in self.book.reviews.values() if each.status == "pending"]

        self.wait_for(lambda _: len(held()) >= number, timeout)
        return held()

    def next_fault(self, path: str) -> Fault | None:
        with self.book.lock:
            for fault in self.faults:
                if path.startswith(fault.path):
                    self.faults.remove(fault)
                    return fault
        return None


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    owner: FakeServer

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for each in list(self._connections):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        """Tests print what they want to."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.fake.clock_offset)

    @property
    def fake(self) -> FakeServer:
        return cast(_Http, self.server).owner

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)

    def _serve(self, body: bytes) -> None:
        fake = self.fake
        address = urlsplit(self.path)
        fake.requests.append(f"{self.command} {address.path}")
        fault = fake.next_fault(address.path)
        if fault is not None:
            time.sleep(fault.delay)
            if fault.hang_up:
                self.close_connection = True
                return
            if fault.status is not None or fault.body is not None:
                self._answer_badly(fault)
                return
        if self.headers.get("Authorization") != f"Bearer {fake.key}":
            self._say(401, problem(401, "unauthenticated", "Send a valid service key"))
            return
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self._truncate = fault is not None and fault.truncate
        self._route(address.path, query, body)

    _truncate = False

    def _answer_badly(self, fault: Fault) -> None:
        status = fault.status or 200
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        if fault.body is not None:
            self._send(status, fault.body, "text/html", headers)
        else:
            self._say(status, problem(status, "fault", "As the test wants it"), headers)

    def _route(self, path: str, query: dict[str, str], body: bytes) -> None:
        if path == "/api/v1/control/events" and self.fake.has_stream:
            self._stream()
        elif self.command == "GET" and path == "/api/v1/control/state":
            self._state()
        elif path.startswith(DECISIONS + "/") and path.endswith(("/effective", "/effect", "/execution")):
            self._after(path, query, body)
        elif self.command == "POST" and path in (
            DECISIONS, DECISIONS + "/batch", "/api/v1/sources/heartbeat", "/api/v1/control/acks",
        ):  # fmt: skip
            self._take(path, query, body)
        else:
            self._say(404, problem(404, "not-found", "There is nothing here"))

    def _take(self, path: str, query: dict[str, str], body: bytes) -> None:
        book = self.fake.book
        if path.endswith("/batch"):
            self._say(200, self._batch([json.loads(line) for line in body.splitlines() if line.strip()], query))
            return
        sent = json.loads(body)
        with book.lock:
            if path == DECISIONS:
                self._one(sent)
            elif path.endswith("/acks"):
                for each in sent.get("acks", [sent]):
                    book.hear(each)
                self._say(200, {"epoch": book.epoch, "heartbeat_s": 1})
            else:
                book.heartbeats.append(sent)
                self._say(200, {"source": sent["source"], "last_seq": sent["last_seq"], "warnings": []})

    def _one(self, record: Json) -> None:
        book = self.fake.book
        status, found = book.take(record)
        book.settle()
        if status in ("conflict", "rejected"):
            self._say(found["status"], found)
            return
        self._say(201 if status == "accepted" else 200, {"status": status, **found, **book.checkpoint()})

    def _batch(self, records: list[Json], query: dict[str, str]) -> Json:
        book = self.fake.book
        counts = dict.fromkeys(("accepted", "duplicate", "conflict", "rejected", "retry"), 0)
        results = []
        with book.lock:
            for index, record in enumerate(records):
                status, found = book.take(record)
                counts[status] += 1
                if status in ("conflict", "rejected"):
                    results.append({"index": index, "status": status, "problem": found})
                elif query.get("results") != "problems":
                    results.append({"index": index, "status": status, **found})
            book.settle()
            return {"counts": counts, "logs": [book.checkpoint()], "results": results}

    def _after(self, path: str, query: dict[str, str], body: bytes) -> None:
        book = self.fake.book
        decision_id = path.split("/")[4]
        version = int(query["version"]) if "version" in query else None
        if path.endswith("/execution"):
            with book.lock:
                self._say(*book.take_execution(decision_id, json.loads(body)))
            return
        with book.lock:
            found = book.wait_effective(decision_id, float(query.get("wait", 0)), version)
            if found is None:
                self._say(404, problem(404, "decision-not-found", "There is no such decision"))
            elif path.endswith("/effect"):
                book.effects.setdefault(decision_id, []).append(json.loads(body))
                self._say(200, {"status": "confirmed"})
            else:
                self._say(200, found)

    # --- controls -------------------------------------------------------------------------------------------------
    def _state(self) -> None:
        with self.fake.book.lock:
            document = self.fake.book.state()
        etag = _etag(document)
        if self.headers.get("If-None-Match", "").removeprefix("W/") == etag:
            self._send(304, b"", "application/json", {"ETag": etag})
        else:
            self._say(200, document, {"ETag": etag})

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"retry: 2000\n\n")
        http, book, last = self.server, self.fake.book, None
        try:
            while self.fake._http is http:
                with book.lock:
                    document = book.state()
                    etag = _etag(document)
                    if etag == last:
                        book.lock.wait(0.5)
                        document = book.state()
                        etag = _etag(document)
                fields = f"event: state\nid: {etag[1:-1]}\ndata: {json.dumps(document)}\n\n"
                self.wfile.write((fields if etag != last else ": heartbeat\n\n").encode())
                self.wfile.flush()
                last = etag
        except OSError:
            return  # the client has gone

    # --- answers --------------------------------------------------------------------------------------------------
    def _say(self, status: int, document: Json, headers: dict[str, str] | None = None) -> None:
        kind = "application/problem+json" if status >= 400 else "application/json"
        self._send(status, json.dumps(document).encode(), kind, headers or {})

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self._truncate else body)
        self.wfile.flush()
        if self._truncate:
            self._truncate, self.close_connection = False, True


def _etag(document: Json) -> str:
    content = json.dumps({name: value for name, value in document.items() if name != "generated_at"}, sort_keys=True)
    return f'"{document["epoch"]}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"'

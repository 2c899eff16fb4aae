"""When a start waits on, and when it goes on because only people can put right what fails."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from config.standalone.readiness import readiness_of


@contextmanager
def answering(status: int, body: str) -> Iterator[int]:
    """A server that says one thing to everybody; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has
            return None

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def failing(**details: str) -> str:
    checks = {name: {"status": "failed", "detail": detail} for name, detail in details.items()}
    return json.dumps({"status": "unready", "checks": checks | {"clock": {"status": "degraded", "detail": "late"}}})


@pytest.mark.parametrize(
    ("status", "body", "is_up", "troubles"),
    [
        (200, "{}", True, ()),
        (404, "", True, ()),
        (503, failing(ledger="2 logs do not continue."), True, ("2 logs do not continue.",)),
        (503, failing(ledger="a", signing_key="b", digest_key="c"), True, ("a", "b", "c")),
        (503, failing(ledger="a", database="away"), False, ()),
        (503, failing(migrations="2 are missing."), False, ()),
        (503, "<html>a proxy's page</html>", False, ()),
        (503, "[]", False, ()),
        (500, failing(), False, ()),
    ],
)
def test_what_is_waited_for(status: int, body: str, is_up: bool, troubles: tuple[str, ...]) -> None:
    with answering(status, body) as port:
        found = readiness_of("127.0.0.1", port)
    assert (found.is_up, found.troubles) == (is_up, troubles)


def test_nobody_there_is_not_ready() -> None:
    with answering(200, "{}") as port:
        pass
    assert not readiness_of("127.0.0.1", port).is_up

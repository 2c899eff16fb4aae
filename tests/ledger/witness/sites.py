"""An installation that serves made-up logs over HTTP to whoever has its key, as it is or as it should not be."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ledger.tlog import parse_tile_path
from tests.ledger.witness.logs import ORIGIN, MadeUpLog

KEY = "ans_a-key"
LOG = MadeUpLog()


@dataclass
class Served:
    """A log as it is served now: which tree, of which history."""

    log: MadeUpLog
    size: int
    is_closed: bool = False
    note: str | None = None
    tiles: MadeUpLog | None = None


@dataclass
class Site:
    """An installation that serves logs to whoever has the key."""

    url: str
    logs: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    moved_to: str = ""
    status: int = 200

    def serve(self, size: int, **more: Any) -> None:
        self.logs[ORIGIN] = Served(more.pop("log", LOG), size, **more)

    @property
    def log_url(self) -> str:
        return f"{self.url}/logs/0199"


@contextmanager
def running() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            serving.asked.append((self.path, self.headers.get("Authorization", "")))
            status, body, headers = _answer(serving, self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = Site(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield serving
    finally:
        server.shutdown()
        server.server_close()


def _answer(site: Site, path: str, authorization: str) -> tuple[int, bytes, dict[str, str]]:
    if site.moved_to:
        return 302, b"", {"Location": site.moved_to + path}
    if site.status != 200:
        return site.status, b"", {}
    if authorization != f"Bearer {KEY}":
        return 401, b"", {}
    if path == "/api/v1/logs":
        rows = [
            {"origin": origin, "path": f"/logs/{origin.rsplit('/', 1)[1]}", "is_closed": each.is_closed}
            for origin, each in site.logs.items()
        ]
        return 200, json.dumps(rows).encode(), {}
    served = next(
        (each for origin, each in site.logs.items() if path.startswith(f"/logs/{origin.rsplit('/', 1)[1]}/")), None
    )
    if served is None:
        return 404, b"", {}
    what = path.split("/", 3)[3]
    if what == "checkpoint":
        return 200, (served.note or served.log.note(served.size)).encode(), {}
    return 200, (served.tiles or served.log).tile(parse_tile_path(what), served.size), {}

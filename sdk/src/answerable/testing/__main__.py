"""`python -m answerable.testing --port 8000 --store records.ndjson`: the fake service as a process of its own."""

import argparse
import threading
from pathlib import Path

from answerable.testing._server import FakeServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m answerable.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    parser.add_argument("--store", type=Path, help="keeps the records over a restart")
    parser.add_argument("--system", action="append", default=[], help="an AI system that it knows (again for more)")
    asked = parser.parse_args()
    server = FakeServer(port=asked.port, store=asked.store, systems=tuple(asked.system))
    print(f"{server.url} key {server.key}", flush=True)  # noqa: T201 - what a program says
    threading.Event().wait()


if __name__ == "__main__":
    main()

"""A service in your own process, for your own tests: no network beyond the loopback, no fixture, no plugin.

    from answerable import Client
    from answerable.testing import FakeServer

    def test_large_amounts_are_held(tmp_path):
        with FakeServer() as server, Client(server.url, server.key, system="credit", spool_dir=tmp_path) as client:
            server.hold_when(lambda record: record["output"]["limit"] > 5000)
            ...
            assert server.records[0]["outcome"] == "approved"

It answers as the service does (receipts, results of batches, problem documents, control state and stream), with no
signature and no log behind it.
"""

from answerable.testing._fault import Fault
from answerable.testing._server import FakeServer

__all__ = ["FakeServer", "Fault"]

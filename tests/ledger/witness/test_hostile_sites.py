"""Logs that stall, flood or mislead whoever watches them: the look ends, and says that nothing was seen."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ledger.tlog import Tile
from ledger.witness import fetching, watching
from ledger.witness.fetching import Fetcher, Unreachable
from ledger.witness.judging import Judge
from ledger.witness.watching import OK, UNSEEN, look_at_all
from tests.ledger.witness.conftest import NewJudge
from tests.ledger.witness.logs import ORIGIN, MadeUpLog
from tests.ledger.witness.sites import KEY, LOG, Served, Site

PATHS = [
    "@10.0.0.7:8443/x", ":8443/x", ".evil.example/x", "/logs/../api", "/logs/..", "/logs/.", "/logs/a/b", "/logs/a?b",
    "/logs/a#b", "/logs/a%2f", "//evil.example/logs/a", "/logs/", "", "https://evil.example/logs/a", "/logs/a\n",
    "/logs/\N{FULLWIDTH SOLIDUS}",
]  # fmt: skip
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
Talk = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short limits: what is claimed is that there are some."""
    monkeypatch.setattr(fetching, "LONGEST_ANSWER", 1.0)


@contextmanager
def answering(talk: Talk) -> Iterator[str]:
    """Whatever connects is talked to like this; the address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.recv(65_536)
                talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def dripping(head: bytes, part: bytes, *, pause: float, turns: int = 400) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(turns):
            connection.sendall(part)
            time.sleep(pause)

    return talk


def silent(connection: socket.socket) -> None:
    """Until they hang up."""
    connection.recv(1)


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (silent, "does not end"),
        (dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", pause=0.05), "does not end"),
        (dripping(b"", b"H", pause=0.05), "does not end"),
        (dripping(HEAD + b"\r\n", b"x", pause=0.05), "does not end"),
        (dripping(HEAD + b"Content-Length: 1000\r\n\r\n", b"x", pause=0.05), "does not end"),
        (dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause=0.05), "does not end"),
        (dripping(HEAD + b"\r\n", b"x" * 65_536, pause=0.0), "longer than"),
        (dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 60_000 + b"\r\n", pause=0.0), "127.0.0.1"),
        (dripping(b"SSH-2.0-nothing\r\n", b"", pause=0.0, turns=1), "127.0.0.1"),
    ],
    ids=["silence", "endless head", "endless line", "endless body", "a short one that drips", "endless chunks", "huge",
         "a huge head", "no HTTP"],
)  # fmt: skip
def test_an_answer_without_end_ends_the_look(talk: Talk, said: str) -> None:
    with answering(talk) as address, pytest.raises(Unreachable, match=said):
        Fetcher(KEY).checkpoint(address)


def test_the_other_logs_are_looked_at_all_the_same(new_judge: NewJudge, site: Site) -> None:
    """A log that forked must not keep its watcher from anything by not answering."""
    other = MadeUpLog(origin="log.example/logs/stalls")
    site.serve(9)
    with answering(silent) as address:
        judge = new_judge(f"log {other.vkey} {address}", f"log {LOG.vkey} {site.log_url}")
        seen = {each.origin: each.code for each in look_at_all(judge, Fetcher(KEY), now=int(time.time()))}
    assert seen == {other.origin: UNSEEN, ORIGIN: OK}
    assert judge.memory.known(ORIGIN).tree_size == 9


def test_an_installation_that_is_slow_about_many_logs_leaves_time_for_the_others(
    new_judge: NewJudge, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LINE_SECONDS", 0.0)
    site.serve(9)
    for number in range(5):
        made = MadeUpLog(origin=f"log.example/logs/more-{number}")
        site.logs[made.origin] = Served(made, 3)
    judge = new_judge(f"installation {LOG.vkey} {site.url}")
    seen = list(look_at_all(judge, Fetcher(KEY), now=1))
    assert [each.code for each in seen] == [OK, UNSEEN] and "5 of its logs were not looked at" in seen[1].text
    monkeypatch.setattr(watching, "LINE_SECONDS", 60.0)
    assert {each.code for each in look_at_all(judge, Fetcher(KEY), now=2)} == {OK}


def test_a_tile_that_drips_is_no_alarm_and_changes_nothing(new_judge: NewJudge, site: Site, tmp_path: Path) -> None:
    judge: Judge = new_judge(f"log {LOG.vkey} {site.log_url}")
    site.serve(300)
    assert [each.code for each in look_at_all(judge, Fetcher(KEY), now=1)] == [OK]
    site.serve(700)
    genuine = Fetcher.tiles

    class Slow(Fetcher):
        def tiles(self, url: str, tiles: Sequence[Tile]) -> list[bytes]:
            with answering(dripping(HEAD + b"Content-Length: 8192\r\n\r\n", b"x", pause=0.05)) as address:
                return genuine(self, address, tiles)

    assert [each.code for each in look_at_all(judge, Slow(KEY), now=2)] == [UNSEEN]
    assert judge.memory.known(ORIGIN).tree_size == 300 and judge.memory.alarms() == []
    assert [each.code for each in look_at_all(judge, Fetcher(KEY), now=3)] == [OK]


@pytest.mark.parametrize("path", PATHS)
def test_a_list_leads_nobody_to_another_server(path: str) -> None:
    """Else whoever is watched chooses whom the auditor's machine asks, also within the auditor's own network."""
    rows = json.dumps([{"origin": ORIGIN, "path": path, "is_closed": False}]).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(rows)
    refused = pytest.raises(Unreachable, match="names a log that is not served below")
    with answering(lambda connection: connection.sendall(head + rows)) as url, refused:
        Fetcher().logs(url)


@pytest.mark.parametrize("name", ["registry", "0199", "01890a5d-ac96-774b-bcce-b302099a8057", "a.b_c~d"])
def test_a_list_names_logs_below_it(name: str) -> None:
    rows = json.dumps([{"origin": ORIGIN, "path": f"/logs/{name}", "is_closed": False}]).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(rows)
    with answering(lambda connection: connection.sendall(head + rows)) as url:
        assert [each.url for each in Fetcher().logs(url)] == [f"{url}/logs/{name}"]

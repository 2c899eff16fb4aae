"""A witness that looks by itself: forks and rollbacks are alarms, silence is none, and the key goes nowhere else."""

import time
from pathlib import Path
from typing import Any

import pytest

from ledger.witness.fetching import Listed
from ledger.witness.watching import unchanged
from tests.ledger.witness.logs import ORIGIN, MadeUpLog
from tests.ledger.witness.processes import new_witness, watch, witness_command
from tests.ledger.witness.sites import KEY, LOG, Served, Site, running


@pytest.fixture
def folder(tmp_path: Path, site: Site) -> Path:
    made = tmp_path / "w"
    new_witness(made, f"log {LOG.vkey} {site.log_url}")
    (tmp_path / "key").write_text(f"{KEY}\n")
    return made


def look(folder: Path, *more: str) -> tuple[int, str]:
    done = witness_command("watch", str(folder), "--once", "--key-file", str(folder.parent / "key"), *more)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("sizes", [(1, 2), (5, 5, 9), (255, 256, 257), (3, 300, 66_000)])
def test_a_log_that_only_grows_is_seen_growing(site: Site, folder: Path, sizes: tuple[int, ...]) -> None:
    for size in sizes:
        site.serve(size)
        code, said = look(folder)
        assert (code, "ok" in said) == (0, True), said
    assert f" {ORIGIN} {sizes[-1]} " in witness_command("status", str(folder)).stdout


def test_an_older_tree_is_a_rollback(site: Site, folder: Path) -> None:
    site.serve(300)
    look(folder)
    site.serve(299)
    code, said = look(folder)
    assert code == 1 and f"ALARM {ORIGIN} rolled back" in said
    assert "ALARM" in witness_command("status", str(folder)).stdout
    site.serve(301)
    assert look(folder)[0] == 0, "the log has its tail again"


def test_another_root_at_the_same_size_is_a_fork(site: Site, folder: Path) -> None:
    site.serve(300)
    look(folder)
    site.serve(300, log=MadeUpLog(branch=299))
    code, said = look(folder)
    assert code == 1 and "forked" in said


@pytest.mark.parametrize("branch", [0, 100, 255, 299])
def test_a_larger_tree_that_does_not_continue_the_last_is_a_fork(site: Site, folder: Path, branch: int) -> None:
    site.serve(300)
    look(folder)
    site.serve(700, log=MadeUpLog(branch=branch))
    assert look(folder)[0] == 1
    site.serve(700, log=MadeUpLog(branch=branch), tiles=LOG)
    assert look(folder)[0] == 1, "with the tiles of the other history"
    assert f" {ORIGIN} 300 " in witness_command("status", str(folder)).stdout


def test_a_signature_that_fails_is_an_alarm_and_another_key_is_not_seen(site: Site, folder: Path) -> None:
    site.serve(300)
    look(folder)
    site.serve(301, note=LOG.note(301).replace("\n301\n", "\n302\n"))
    assert look(folder)[0] == 1
    site.serve(301, log=MadeUpLog(seed=bytes([66]) * 32))
    code, said = look(folder)
    assert code == 3 and "not seen" in said


def test_a_log_that_is_acknowledged_and_open_stays_an_alarm(site: Site, folder: Path) -> None:
    site.serve(300)
    look(folder)
    site.serve(299)
    assert look(folder)[0] == 1
    witness_command("status", str(folder), "--acknowledge")
    assert look(folder)[0] == 1


def test_a_log_that_does_not_grow_is_said_and_after_a_while_not_called_seen(site: Site, folder: Path) -> None:
    site.serve(300)
    look(folder)
    code, said = look(folder)
    assert code == 0 and "300 entries, as before: none more since 20" in said
    time.sleep(1.1)
    code, said = look(folder, "--stale", "0.0001")
    assert code == 3 and f"not seen {ORIGIN} 300 entries" in said and "newer checkpoint" in said
    site.serve(301)
    assert look(folder, "--stale", "0.0001")[0] == 0
    assert look(folder, "--stale", "0")[0] == look(folder, "--stale", "soon")[0] == 2


@pytest.mark.parametrize(
    ("origin", "is_closed", "hours", "stale", "code"),
    [
        ("x.example/logs/registry", False, 23, None, 0),
        ("x.example/logs/registry", False, 25, None, 3),
        ("x.example/logs/registry", False, 25, 48.0, 0),
        ("x.example/logs/registry", True, 25, None, 0),
        ("x.example/logs/a", False, 9_000, None, 0),
        ("x.example/logs/a", False, 3, 2.0, 3),
    ],
)
def test_in_a_registry_log_something_happens_every_day(
    origin: str, is_closed: bool, hours: int, stale: float | None, code: int
) -> None:
    now = 1_800_000_000
    log = Listed(origin, "https://x.example", is_closed=is_closed)
    assert unchanged(log, 9, now - 3600 * hours, now=now, stale=stale).code == code
    assert unchanged(log, 9, None, now=now, stale=stale).code == 0


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_a_server_that_does_not_answer_is_no_alarm_and_no_peace_either(site: Site, folder: Path, status: int) -> None:
    site.serve(300)
    look(folder)
    site.status = status
    code, said = look(folder)
    assert code == 3 and str(status) in said


def test_tiles_that_are_missing_are_no_alarm(site: Site, folder: Path) -> None:
    site.serve(300)
    look(folder)
    site.serve(700)
    genuine, site.logs[ORIGIN].log = site.logs[ORIGIN].log, _WithoutTiles()
    code, said = look(folder)
    assert (code, "a tile of it is not one" in said) == (3, True), said
    site.logs[ORIGIN].log = genuine
    assert look(folder)[0] == 0


class _WithoutTiles(MadeUpLog):
    def tile(self, tile: Any, size: int) -> bytes:
        return b"short"


def test_the_key_does_not_follow_a_redirect(site: Site, folder: Path) -> None:
    with running() as elsewhere:
        elsewhere.serve(300)
        site.moved_to = elsewhere.url
        assert look(folder)[0] == 3
        assert elsewhere.asked == []


def test_the_key_is_not_sent_unprotected(site: Site, folder: Path) -> None:
    watch(folder, f"log {LOG.vkey} http://answerable.example.org/logs/0199")
    code, said = look(folder)
    assert code == 3 and "is not https" in said


class TestAnInstallation:
    @pytest.fixture
    def folder(self, tmp_path: Path, site: Site) -> Path:
        made = tmp_path / "w"
        new_witness(made, f"installation {LOG.vkey} {site.url}")
        (tmp_path / "key").write_text(KEY)
        return made

    def other(self, name: str) -> MadeUpLog:
        return MadeUpLog(origin=f"log.example/logs/{name}")

    def test_all_its_logs_are_watched_and_new_ones_from_their_first_day(self, site: Site, folder: Path) -> None:
        site.serve(5)
        assert look(folder)[0] == 0
        site.logs["log.example/logs/registry"] = Served(self.other("registry"), 40)
        assert look(folder)[0] == 0
        status = witness_command("status", str(folder)).stdout
        assert f" {ORIGIN} 5 " in status and " log.example/logs/registry 40 " in status

    def test_a_log_that_is_not_listed_any_more_has_vanished(self, site: Site, folder: Path) -> None:
        site.serve(5)
        site.logs["log.example/logs/registry"] = Served(self.other("registry"), 40)
        look(folder)
        del site.logs[ORIGIN]
        code, said = look(folder)
        assert code == 1 and f"ALARM {ORIGIN} vanished" in said

    def test_a_loss_of_a_log_that_is_said_to_be_closed_is_an_alarm_until_somebody_has_looked(
        self, site: Site, folder: Path
    ) -> None:
        site.serve(300)
        look(folder)
        site.serve(290, is_closed=True)
        assert look(folder)[0] == 1
        assert look(folder)[0] == 1, "that it is closed is a word of whoever serves it"
        assert witness_command("status", str(folder)).returncode == 1
        done = witness_command("status", str(folder), "--acknowledge")
        assert done.returncode == 0 and f"acknowledged {ORIGIN} rolled back" in done.stdout
        code, said = look(folder)
        assert code == 0 and "closed by its owner; acknowledged: rolled back" in said
        assert witness_command("status", str(folder)).returncode == 0
        site.serve(280, is_closed=True)
        assert look(folder)[0] == 1, "another loss is another alarm"

    def test_logs_of_another_origin_are_not_its(self, site: Site, folder: Path) -> None:
        site.serve(5)
        site.logs["elsewhere.example/logs/1"] = Served(MadeUpLog(origin="elsewhere.example/logs/1"), 9)
        assert look(folder)[0] == 0
        assert "elsewhere" not in witness_command("status", str(folder)).stdout

    def test_a_list_that_is_none_or_empty_is_not_seen(self, site: Site, folder: Path) -> None:
        code, said = look(folder)
        assert code == 3 and "no log of it is listed" in said
        (folder.parent / "key").write_text("ans_another")
        assert look(folder)[0] == 3

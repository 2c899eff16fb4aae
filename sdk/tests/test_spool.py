"""Records on disk: in order, numbered, bounded, there after the end of their process."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable._shelf import Shelf
from answerable._spool import Spool


def shelf(folder: Path, told: list[Exception] | None = None) -> Shelf:
    return Shelf(folder, power_safe=False, report=(told if told is not None else []).append)


STEPS = st.lists(
    st.one_of(
        st.just("add"), st.just("skip"), st.just("reopen"), st.integers(1, 5), st.tuples(st.just("bury")),
    ), max_size=40,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_records_come_out_in_the_order_of_their_numbers_whatever_happens(
    steps: list[object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("spool") / "spool-1.db"
    spool = Spool(path)
    expected: list[tuple[int, str]] = []
    last = 0
    for step in steps:
        if step == "add":
            last += 1
            assert spool.add(f"id-{last}", b"{}") == last
            expected.append((last, f"id-{last}"))
        elif step == "skip":
            last += 1
            spool.skip()
        elif step == "reopen":
            spool.close()
            spool = Spool(path)
        elif isinstance(step, int):
            spool.remove([seq for seq, _ in expected[:step]])
            expected = expected[step:]
        elif expected:
            [first] = spool.first(1, 1 << 20)
            spool.bury(first, "why", None)
            expected = expected[1:]
        assert [(each.seq, each.id) for each in spool.first(1000, 1 << 20)] == expected
        assert (spool.count, spool.last_seq) == (len(expected), last)
        assert spool.bytes == sum(2 + 120 for _ in expected)
    spool.close()


def test_a_batch_is_bounded_by_bytes_but_never_empty() -> None:
    spool = Spool(None)
    for n in range(5):
        spool.add(str(n), b"x" * 100)
    assert len(spool.first(10, 250)) == 2
    assert len(spool.first(10, 1)) == 1
    assert [each.seq for each in spool.first(10, 1000, but={1, 3})] == [2, 4, 5]


def test_dead_letters_are_sent_again_under_their_old_numbers() -> None:
    spool = Spool(None)
    for n in range(3):
        spool.add(str(n), b"{}")
    spool.bury(spool.first(1, 100)[0], "key-out-of-scope", "q-1")
    [letter] = spool.dead_letters()
    assert (letter.id, letter.reason, letter.quarantine_id) == ("0", "key-out-of-scope", "q-1")
    assert spool.retry_dead() == 1
    assert [each.seq for each in spool.first(10, 100)] == [1, 2, 3]
    assert (spool.count, spool.dead) == (3, 0)


def test_an_effect_waits_until_its_decision_is_sealed() -> None:
    spool = Spool(None)
    seq = spool.add("a", b"{}")
    spool.add_effect("a", b"1")
    spool.add_effect("b", b"2")
    assert [each.decision_id for each in spool.ready_effects(10)] == ["b"]
    spool.remove([seq])
    assert [each.decision_id for each in spool.ready_effects(10)] == ["a", "b"]


def test_a_counter_goes_on_in_the_next_process(tmp_path: Path) -> None:
    first = shelf(tmp_path).open()
    first.add("a", b"{}")
    source = first.source
    first.close()
    second = shelf(tmp_path).open()
    assert (second.source, second.count, second.add("b", b"{}")) == (source, 1, 2)
    second.close()


def test_a_living_process_keeps_its_file_to_itself(tmp_path: Path) -> None:
    first, second = shelf(tmp_path).open(), shelf(tmp_path).open()
    assert first.path != second.path
    assert list(shelf(tmp_path).left_behind()) == []
    first.close()
    [left] = shelf(tmp_path).left_behind()
    assert left.path == first.path
    left.close()
    second.close()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    spool = shelf(tmp_path / "new").open()
    spool.add("a", b"secret")
    modes = {each.name: each.stat().st_mode & 0o077 for each in (tmp_path / "new").iterdir()}
    assert len(modes) >= 3 and not any(modes.values()), modes
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    spool.close()


def test_a_broken_file_is_set_aside_and_told_of(tmp_path: Path) -> None:
    (tmp_path / "spool-1.db").write_bytes(b"this is no database, " * 100)
    told: list[Exception] = []
    spool = shelf(tmp_path, told).open()
    assert spool.add("a", b"{}") == 1
    assert (tmp_path / "spool-1.broken").exists()
    assert "kept as spool-1.broken" in str(told[0])
    spool.close()


def test_a_machine_that_lost_power_begins_a_new_counter(tmp_path: Path) -> None:
    first = shelf(tmp_path).open()
    first.add("a", b"{}")
    first._database.execute("UPDATE meta SET value = 'another boot' WHERE name = 'boot'")
    first.close()
    second = shelf(tmp_path).open()
    assert second.source != first.source and second.count == 0
    [left] = shelf(tmp_path).left_behind()
    assert left.count == 1
    left.close()
    second.close()


KILLED = """
import sys
from pathlib import Path
from answerable._shelf import Shelf
spool = Shelf(Path(sys.argv[1]), power_safe=False, report=print).open()
while True:
    print(spool.add("x", b"{}"), flush=True)
"""


def test_what_add_returned_for_is_there_after_kill_nine(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": "src"})
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(300)]
    os.kill(process.pid, signal.SIGKILL)
    lines += process.stdout.read().split(b"\n")
    process.wait()
    process.stdout.close()
    said = max(int(line) for line in lines if line.strip().isdigit())
    spool = shelf(tmp_path).open()
    assert spool.count in (said, said + 1)
    spool.close()


def test_the_lock_of_a_removed_file_is_not_taken(tmp_path: Path) -> None:
    spool = shelf(tmp_path).open()
    path = spool.path
    assert path is not None
    spool.destroy()
    assert not path.exists() and not list(tmp_path.glob("*.lock"))
    other = shelf(tmp_path).open()
    assert other.path != path
    other.close()


def test_an_error_of_sqlite_is_not_hidden(tmp_path: Path) -> None:
    spool = shelf(tmp_path).open()
    spool.close()
    with pytest.raises(sqlite3.ProgrammingError):
        spool.add("a", b"{}")


def test_an_empty_row_that_a_kill_left_does_not_stand_in_the_way(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool-1.db")
    spool.add("", b"")
    spool.add("id-2", b"{}")
    spool.close()
    again = Spool(tmp_path / "spool-1.db")
    assert [each.id for each in again.first(10, 1000)] == ["id-2"]
    assert again.last_seq == 2
    again.close()


def test_a_missing_record_is_numbered_in_one_commit(tmp_path: Path) -> None:
    """Another connection, which sees what a kill would leave, never sees the row."""
    spool = Spool(tmp_path / "spool-1.db")
    statements: list[str] = []
    spool._database.set_trace_callback(statements.append)
    spool.skip()
    spool.close()
    writing = [each.split()[0] for each in statements]
    assert writing == ["BEGIN", "INSERT", "DELETE", "COMMIT"]


def test_after_a_loss_of_power_nobody_ever_goes_on_with_that_counter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shelf(tmp_path).open()
    source = first.source
    first.add("id-1", b"{}")
    first.close()
    monkeypatch.setattr("answerable._spool._boot_id", lambda: "another-run-of-the-machine")
    opened = [shelf(tmp_path).open() for _ in range(3)]
    assert source not in {spool.source for spool in opened}
    for spool in opened:
        spool.close()


def test_a_spool_that_cannot_be_opened_keeps_nobody_from_the_disk(tmp_path: Path) -> None:
    shelf(tmp_path).open().close()
    [other] = tmp_path.glob("spool-*.db")
    other.with_suffix(".lock").unlink()
    other.with_suffix(".lock").mkdir()
    told: list[Exception] = []
    spool = shelf(tmp_path, told).open()
    assert spool.path is not None
    assert spool.path != other
    assert len(told) == 1
    spool.close()


def test_effects_count_in_the_bytes_that_a_spool_may_hold(tmp_path: Path) -> None:
    spool = Spool(None)
    seq, alone = spool.add("a", b"{}"), spool.bytes
    spool.add_effect("a", b"x" * 1000)
    assert spool.bytes > alone + 1000
    spool.remove([seq])
    [effect] = spool.ready_effects(10)
    spool.remove_effect(effect.number)
    spool.remove_effect(effect.number)
    assert (spool.bytes, spool.effects) == (0, 0)


def test_a_spool_that_is_merely_looked_at_grows_no_younger(tmp_path: Path) -> None:
    """Else one that nobody uses would never be old enough to be removed."""
    left = shelf(tmp_path)
    spool = left.open()
    path = spool.path
    spool.add("id-1", b"{}")
    spool.remove([1])
    spool.close()
    assert path is not None
    os.utime(path, (1_000_000, 1_000_000))
    for _ in range(2):
        [found] = left.left_behind()
        found.close()
    assert path.stat().st_mtime == 1_000_000

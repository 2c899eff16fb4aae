"""The zip writer: what it writes is what was given, byte for byte, however often it was interrupted."""

import io
import zipfile
from pathlib import Path

import pytest

from evidence.exports import writing
from evidence.exports.writing import ZipWriter, dos_time

STAMP = dos_time(2026, 3, 1, 12, 30, 10)


def written(folder: Path, members: dict[str, bytes]) -> bytes:
    folder.mkdir(exist_ok=True)
    with ZipWriter(folder, dos_time=STAMP) as writer:
        assert writer.resume() is None
        for name, data in members.items():
            writer.add(name, data)
        writer.close()
        assert writer.size == writer.path.stat().st_size
        return writer.path.read_bytes()


def test_a_stock_reader_reads_what_was_written(tmp_path: Path) -> None:
    members = {"a/b.txt": b"one\n", "empty": b"", "logs/x": bytes(range(256)) * 40}
    with zipfile.ZipFile(io.BytesIO(written(tmp_path, members))) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == members
        for info in found.infolist():
            assert (info.compress_type, info.flag_bits, info.extra, info.date_time) == (
                zipfile.ZIP_STORED,
                0,
                b"",
                (2026, 3, 1, 12, 30, 10),
            )


def test_headers_say_sizes_before_the_contents(tmp_path: Path) -> None:
    """So no data descriptor stands behind them, which readers that go from the front could be misled by."""
    data = written(tmp_path, {"a": b"contents"})
    name_length, size = data[26], int.from_bytes(data[22:26], "little")
    assert (data[:4], name_length, size) == (b"PK\3\4", 1, 8)
    assert data[30 + name_length :].startswith(b"contents" + b"PK\1\2")


def test_a_member_in_pieces_is_the_same_as_one_at_once(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", {"a": b"one two three"})
    (tmp_path / "pieces").mkdir()
    with ZipWriter(tmp_path / "pieces", dos_time=STAMP) as writer:
        writer.resume()
        writer.begin("a")
        for word in (b"one ", b"two ", b"three"):
            writer.write(word)
        writer.end()
        writer.close()
    assert (tmp_path / "pieces" / "export.zip").read_bytes() == whole


def test_what_was_written_after_the_last_mark_is_written_again(tmp_path: Path) -> None:
    expected = written(tmp_path / "at_once", {"a": b"first", "b": b"second third", "c": b"fourth"})
    folder = tmp_path / "interrupted"
    folder.mkdir()
    with ZipWriter(folder, dos_time=STAMP) as writer:
        writer.resume()
        writer.add("a", b"first")
        writer.begin("b")
        writer.write(b"second ")
        writer.mark({"at": 7})
        writer.write(b"thi")  # and here it died
    with ZipWriter(folder, dos_time=STAMP) as writer:
        assert writer.resume() == {"at": 7}
        assert writer.is_in_member
        assert writer.member_size == 7
        writer.write(b"third")
        writer.end()
        writer.add("c", b"fourth")
        writer.close()
    assert (folder / "export.zip").read_bytes() == expected


def half_written(folder: Path) -> None:
    """Marked in the middle of a member, and gone on with for a while."""
    with ZipWriter(folder, dos_time=STAMP) as writer:
        writer.resume()
        writer.begin("a")
        writer.write(b"one ")
        writer.mark({"at": 4})
        writer.write(b"lost")


def test_where_it_is_gone_on_with_in_the_same_process_nothing_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a hundred gigabytes, worked at in slices of seconds, is written once and read never."""
    whole = written(tmp_path / "whole", {"a": b"one two"})
    half_written(tmp_path)
    with monkeypatch.context() as patch, ZipWriter(tmp_path, dos_time=STAMP) as writer:
        patch.setattr(ZipWriter, "_reopened", lambda *_: pytest.fail("read again"))
        for _ in range(3):
            assert writer.resume() == {"at": 4}
            writer.write(b"more")
        assert writer.resume() == {"at": 4}
        writer.write(b"two")
        writer.end()
        writer.close()
    assert (tmp_path / "export.zip").read_bytes() == whole
    assert tmp_path not in writing._at_marks


@pytest.mark.parametrize("is_known", [False, True])
def test_what_another_process_marked_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """Also where this one was at it before: what it knows is of its own mark, and no longer so."""
    half_written(tmp_path)
    known = dict(writing._at_marks)
    with monkeypatch.context() as another:
        another.setattr(writing, "_at_marks", {})
        with ZipWriter(tmp_path, dos_time=STAMP) as writer:
            writer.resume()
            writer.write(b"two")
            writer.mark({"at": 7})
    monkeypatch.setattr(writing, "_at_marks", known if is_known else {})
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        assert writer.resume() == {"at": 7}
        writer.end()
        writer.close()
    assert (tmp_path / "export.zip").read_bytes() == written(tmp_path / "whole", {"a": b"one two"})


@pytest.mark.parametrize("damage", [b"", b"{", b"[]x"])
def test_a_mark_that_cannot_be_read_leads_back_to_the_beginning(tmp_path: Path, damage: bytes) -> None:
    half_written(tmp_path)
    (tmp_path / "mark").write_bytes(damage)
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        assert writer.resume() is None
        assert (writer.size, writer.is_in_member, list(writer.members())) == (0, False, [])


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_journal_cut_off_anywhere_leads_back_to_the_beginning(tmp_path: Path, cut: int) -> None:
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        writer.resume()
        for number in range(4):
            writer.add(f"member-{number}", b"x" * 10)
            writer.mark({"done": number})
    journal = tmp_path / "journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        assert writer.resume() is None
        assert list(writer.members()) == []
        writer.add("last", b"y")
        writer.close()
    with zipfile.ZipFile(tmp_path / "export.zip") as whole:
        assert whole.namelist() == ["last"]
        assert whole.testzip() is None


def test_members_behind_the_mark_are_written_again(tmp_path: Path) -> None:
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        writer.resume()
        for number in range(4):
            writer.add(f"member-{number}", b"x" * 10)
            if number == 1:
                writer.mark({"done": number})
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        assert writer.resume() == {"done": 1}
        assert [each.name for each in writer.members()] == ["member-0", "member-1"]


def test_after_a_restart_of_the_machine_it_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process wrote and nobody flushed may be gone then, whatever the journal says."""
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        writer.resume()
        writer.add("a", b"first")
        writer.mark({"done": 1})
    monkeypatch.setattr(writing, "_boot", lambda: "another")
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        assert writer.resume() is None
        assert list(writer.members()) == []


def test_a_file_shorter_than_its_mark_is_begun_anew(tmp_path: Path) -> None:
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        writer.resume()
        writer.add("a", b"first")
        writer.mark({"done": 1})
    (tmp_path / "export.zip").write_bytes(b"PK")
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        assert writer.resume() is None


def test_more_members_than_sixteen_bits_count(tmp_path: Path) -> None:
    data = written(tmp_path, {f"m/{number:06}": b"" for number in range(65_540)})
    assert b"PK\6\6" in data[-200:]
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert len(found.namelist()) == 65_540


def test_offsets_and_sizes_beyond_four_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the limit were a thousand bytes: what stands in 32 bits otherwise stands in 64."""
    monkeypatch.setattr(writing, "MAX32", 1_000)
    data = written(tmp_path, {"a": b"x" * 990, "b": b"y" * 500})
    monkeypatch.undo()
    directory = data[data.index(b"PK\1\2") :]
    second = directory[directory.index(b"PK\1\2", 4) :]
    assert int.from_bytes(second[42:46], "little") == 1_000  # "see the extra field"
    extra = second[46 + 1 : 46 + 1 + 12]
    assert extra == b"\1\0\x08\0" + (1_021).to_bytes(8, "little")


def test_a_large_member_has_its_sizes_in_64_bits_in_both_headers(tmp_path: Path) -> None:
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        writer.resume()
        writer.begin("big", is_large=True)
        writer.write(b"contents")
        writer.end()
        writer.close()
    with zipfile.ZipFile(tmp_path / "export.zip") as found:
        [info] = found.infolist()
        assert (info.file_size, info.compress_size, found.read("big")) == (8, 8, b"contents")
        assert info.extract_version == 45


def test_where_it_takes_long_there_are_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a member again, waiting for the disk, writing the directory of many files."""
    monkeypatch.setattr(writing, "SYNC_EVERY", 100)
    monkeypatch.setattr(writing, "READ_AT_ONCE", 10)
    beats = list[str]()
    with ZipWriter(tmp_path, dos_time=STAMP, beat=lambda: beats.append("")) as writer:
        writer.resume()
        writer.begin("a")
        for _ in range(10):
            writer.write(b"x" * 50)
        assert len(beats) == 5
        writer.mark({})
    monkeypatch.setattr(writing, "_at_marks", {})
    beats.clear()
    with ZipWriter(tmp_path, dos_time=STAMP, beat=lambda: beats.append("")) as writer:
        writer.resume()
        assert len(beats) == 50
        writer.end()
        for number in range(5):
            writer.add(f"{number}", b"")
        beats.clear()
        writer.close()
        assert len(beats) >= 6


def test_a_mark_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """However often somebody marks, and however much they keep: what lies beside a file does not grow by it."""
    with ZipWriter(tmp_path, dos_time=STAMP) as writer:
        writer.resume()
        for number in range(50):
            writer.mark({"at": number, "kept": "x" * 1_000})
        assert writer.resume() == {"at": 49, "kept": "x" * 1_000}
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 2_000

"""A zip file on its way, and the journal by which it is gone on with after its writer has died.

Members are stored as they are: what a member holds can be copied byte by byte, written once, and begun again at any
byte. Sizes and checksum stand in the header before the contents, where they are put when the member is whole; so there
is no data descriptor. ZIP64 where a number needs it. The same members make the same file, however often its making was
interrupted.

Two files stand beside it: the journal has a line for each whole member; the mark, which takes the place of the one
before, the state of whoever makes it. Gone on is from the mark: what was written after it is cut off. A mark is trusted
as long as the machine has not been started anew since, for until then what a process wrote is there though the process
died.
"""

import json
import os
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, NamedTuple

import psutil

LOCAL, CENTRAL = Struct("<4s5H3L2H"), Struct("<4s6H3L5H2L")
END, END64, LOCATOR = Struct("<4s4H2LH"), Struct("<4sQ2H2L4Q"), Struct("<4sLQL")
PLAIN, NEEDS_ZIP64 = 20, 45
MADE_ON_UNIX = 3 << 8
REGULAR_FILE = 0o100644 << 16
MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF
ZIP64_EXTRA = 1
READ_AT_ONCE = 1 << 20
SYNC_EVERY = 64 << 20
"""Bytes."""
MARK = "mark"


class Member(NamedTuple):
    """A whole file in the zip."""

    name: str
    offset: int
    """Of its local header."""
    size: int
    crc: int
    digest: str
    """SHA-256, in hex."""
    is_large: bool
    """Its sizes stand in 64 bits, whatever they are."""


@dataclass(slots=True)
class _Open:
    name: str
    offset: int
    is_large: bool
    size: int = 0
    crc: int = 0
    digest: Any = field(default_factory=sha256)


_at_marks: dict[Path, tuple[str, _Open]] = {}
"""What this process knows of members at its own marks, by the folder: going on there, nothing is read again."""
KNOWN_AT_MOST = 8


def _boot() -> str:
    return f"{psutil.boot_time():.0f}"


class ZipWriter:
    """Writes members one after the other. Not for two at once: whoever writes holds the lock of the work."""

    def __init__(
        self, folder: Path, *, dos_time: tuple[int, int], tag: str = "", beat: Callable[[], None] = lambda: None
    ) -> None:
        """`tag`: what was begun under another one is not gone on with. `beat` is called again and again where it takes
        long."""
        self.folder, self.path, self.journal_path = folder, folder / "export.zip", folder / "journal"
        self._stamp, self._first = dos_time, ["boot", _boot(), tag]
        self._file: BinaryIO = self.path.open("r+b" if self.path.exists() else "w+b", buffering=0)
        self._journal: BinaryIO = self.journal_path.open("r+b" if self.journal_path.exists() else "w+b")
        self._end = self._unsynced = 0
        self._member: _Open | None = None
        self._beat = beat

    def __enter__(self) -> "ZipWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._journal.close()

    # --- going on -----------------------------------------------------------------------------------------------------
    def resume(self) -> Any | None:
        """The state of the last mark, with everything after it cut off; None where it is begun anew."""
        mark = self._last_mark()
        if mark is None:
            (self.folder / MARK).unlink(missing_ok=True)
            self._cut(0, 0)
            return None
        self._cut(mark["offset"], mark["journal"])
        if mark["member"]:
            known, member = _at_marks.get(self.folder, ("", None))
            is_ours = member is not None and known == mark["token"]
            self._member = _copied(member) if member and is_ours else self._reopened(*mark["member"])
        return mark["state"]

    def _last_mark(self) -> dict[str, Any] | None:
        """None where there is none to go on from: of another tag or time of the machine, or of more than is there."""
        try:
            found: dict[str, Any] = json.loads((self.folder / MARK).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        sizes = [os.fstat(each.fileno()).st_size for each in (self._file, self._journal)]
        is_there = found["first"] == self._first and found["offset"] <= sizes[0] and found["journal"] <= sizes[1]
        return found if is_there else None

    def mark(self, state: Any) -> None:
        """From here it can be gone on with, with this state."""
        inside, token = self._member, uuid.uuid4().hex
        said = {
            "first": self._first,
            "state": state,
            "offset": self._end,
            "member": inside and [inside.name, inside.offset, inside.is_large],
            "journal": self._journal.tell(),
            "token": token,
        }
        new = self.folder / f".{MARK}"
        new.write_bytes(json.dumps(said, separators=(",", ":")).encode())
        new.replace(self.folder / MARK)
        _at_marks.pop(self.folder, None)
        if inside:
            while len(_at_marks) >= KNOWN_AT_MOST:
                del _at_marks[next(iter(_at_marks))]
            _at_marks[self.folder] = (token, _copied(inside))

    def _cut(self, file_length: int, journal_length: int) -> None:
        self._file.truncate(file_length)
        self._file.seek(file_length)
        self._journal.truncate(journal_length)
        self._journal.seek(journal_length)
        self._end, self._member = file_length, None

    def _reopened(self, name: str, offset: int, is_large: bool) -> _Open:
        found = _Open(name, offset, is_large)
        self._file.seek(offset + len(self._header(found)))
        while data := self._file.read(READ_AT_ONCE):
            _count(found, data)
            self._beat()
        return found

    def _note(self, line: Any) -> None:
        self._journal.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self._journal.flush()

    # --- members ------------------------------------------------------------------------------------------------------
    @property
    def size(self) -> int:
        """Of the file so far."""
        return self._end

    @property
    def member_size(self) -> int:
        """What the member at hand holds so far, 0 where there is none."""
        return self._member.size if self._member else 0

    @property
    def is_in_member(self) -> bool:
        return self._member is not None

    def begin(self, name: str, *, is_large: bool = False) -> None:
        """Begin a member. `is_large`: it may come to 4 GiB and more."""
        if self._member is not None:
            raise RuntimeError(f"{self._member.name} is not ended")
        self._member = _Open(name, self._end, is_large)
        self._put(self._header(self._member))

    def write(self, data: bytes) -> None:
        if self._member is None:
            raise RuntimeError("no member was begun")
        self._put(data)
        _count(self._member, data)

    def end(self) -> Member:
        """End the member at hand: its header says now what it holds."""
        found = self._member
        if found is None:
            raise RuntimeError("no member was begun")
        if found.size >= MAX32 and not found.is_large:
            raise ValueError(f"{found.name} is too large for a member that was not announced as large")
        os.pwrite(self._file.fileno(), self._header(found), found.offset)
        whole = Member(found.name, found.offset, found.size, found.crc, found.digest.hexdigest(), found.is_large)
        self._note(whole)
        self._member = None
        return whole

    def add(self, name: str, data: bytes) -> Member:
        """A member that is there as a whole: one write."""
        if self._member is not None:
            raise RuntimeError(f"{self._member.name} is not ended")
        found = _Open(name, self._end, False)
        _count(found, data)
        self._put(self._header(found) + data)
        whole = Member(found.name, found.offset, found.size, found.crc, found.digest.hexdigest(), False)
        self._note(whole)
        return whole

    def members(self) -> Iterator[Member]:
        """All whole members so far, in their order, from the journal."""
        self._journal.flush()
        with self.journal_path.open("rb") as lines:
            for line in lines:
                yield Member(*json.loads(line))

    def close(self) -> None:
        """Write the central directory: the file is whole. On disk before this returns."""
        start, count = self._end, 0
        for each in self.members():
            self._put(self._directory_entry(each))
            self._beat()
            count += 1
        self._put(_endings(count, self._end - start, start))
        os.fsync(self._file.fileno())
        _at_marks.pop(self.folder, None)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:  # a write can be cut short, as where the disk is nearly full
            left = left[self._file.write(left) :]
        self._end += len(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNC_EVERY:  # or the end of a large file would be one long wait for the disk
            os.fdatasync(self._file.fileno())
            self._unsynced = 0
            self._beat()

    def _header(self, member: _Open) -> bytes:
        name, size = member.name.encode("ascii"), member.size
        shown, extra = (MAX32, _extra(size, size)) if member.is_large else (size, b"")
        needed = NEEDS_ZIP64 if member.is_large else PLAIN
        time, date = self._stamp
        head = LOCAL.pack(b"PK\3\4", needed, 0, 0, time, date, member.crc, shown, shown, len(name), len(extra))
        return head + name + extra

    def _directory_entry(self, member: Member) -> bytes:
        name, is_far = member.name.encode("ascii"), member.offset >= MAX32
        numbers = [*((member.size, member.size) if member.is_large else ()), *((member.offset,) if is_far else ())]
        extra = _extra(*numbers) if numbers else b""
        shown, offset = MAX32 if member.is_large else member.size, MAX32 if is_far else member.offset
        needed = NEEDS_ZIP64 if numbers else PLAIN
        time, date = self._stamp
        head = CENTRAL.pack(
            b"PK\1\2", MADE_ON_UNIX | needed, needed, 0, 0, time, date, member.crc, shown, shown,
            len(name), len(extra), 0, 0, 0, REGULAR_FILE, offset,
        )  # fmt: skip
        return head + name + extra


def _copied(member: _Open) -> _Open:
    return replace(member, digest=member.digest.copy())


def _count(member: _Open, data: bytes) -> None:
    member.size += len(data)
    member.crc = zlib.crc32(data, member.crc)
    member.digest.update(data)


def _extra(*numbers: int) -> bytes:
    return Struct(f"<2H{len(numbers)}Q").pack(ZIP64_EXTRA, 8 * len(numbers), *numbers)


def _endings(count: int, size: int, start: int) -> bytes:
    """The end of the central directory, with its 64-bit forms where one of the numbers needs them."""
    large = b""
    if count >= MAX16 or size >= MAX32 or start >= MAX32:
        version = MADE_ON_UNIX | NEEDS_ZIP64
        large = END64.pack(b"PK\6\6", END64.size - 12, version, NEEDS_ZIP64, 0, 0, count, count, size, start)
        large += LOCATOR.pack(b"PK\6\7", 0, start + size, 1)
    shown = min(count, MAX16)
    return large + END.pack(b"PK\5\6", 0, 0, shown, shown, min(size, MAX32), min(start, MAX32), 0)


def dos_time(year: int, month: int, day: int, hour: int, minute: int, second: int) -> tuple[int, int]:
    """A moment as zip files have it, to two seconds: time and date."""
    return hour << 11 | minute << 5 | second // 2, max(0, year - 1980) << 9 | month << 5 | day

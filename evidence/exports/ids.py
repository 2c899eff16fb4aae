"""Ids that are noted as entries go by, in a file beside the export: there may be a million, and memory has an end."""

import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

WIDTH = 16
HELD_AT_ONCE = 65_536
"""So many are sorted at once, about."""
KEPT_UNWRITTEN = 1 << 16
"""Bytes."""


class Ids:
    """A set of ids, noted as often as it comes. What a mark keeps of it is its length alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new = bytearray()

    def add(self, each: str) -> None:
        self._new += uuid.UUID(each).bytes
        if len(self._new) >= KEPT_UNWRITTEN:
            self._write()

    def kept(self) -> int:
        """Its length, with all that was noted so far: `cut` leads back here."""
        self._write()
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, length: int) -> None:
        """As it was at this length. Errors: `OSError` where the file is shorter."""
        self._new.clear()
        with self.path.open("ab") as file:
            if file.tell() < length:
                raise OSError(f"{self.path} is shorter than it was")
            file.truncate(length)

    def chunks(self, at_once: int) -> Iterator[list[uuid.UUID]]:
        """Each once, some at a time: the file is gone through as often as not to hold all of them."""
        rounds = -(-self.kept() // WIDTH // HELD_AT_ONCE) or 1
        for number in range(rounds):
            found = sorted({each for each in self._each() if zlib.crc32(each) % rounds == number})
            for start in range(0, len(found), at_once):
                yield [uuid.UUID(bytes=each) for each in found[start : start + at_once]]

    def _each(self) -> Iterator[bytes]:
        if self.path.exists():
            with self.path.open("rb") as file:
                while each := file.read(WIDTH):
                    yield each

    def _write(self) -> None:
        if self._new:
            with self.path.open("ab") as file:
                file.write(self._new)
            self._new.clear()

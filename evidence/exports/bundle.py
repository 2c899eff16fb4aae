"""The evidence bundle, file by file (docs/bundle-format.md)."""

from collections.abc import Iterator
from typing import ClassVar

from evidence.exports.contents import in_order
from evidence.exports.making import Maker, Place, Run
from evidence.exports.parts import PartsReader, part_lines
from evidence.exports.plans import PlannedLog
from evidence.exports.reading import TILES_AT_ONCE, full_tiles, tile_of
from evidence.exports.tiles import as_wide, is_full, needed
from ledger.tlog import Tile, tile_path

LARGEST = 64 << 20
"""A file of lines ends where the next one would make it larger."""


class BundleMaker(Maker):
    STEPS: ClassVar = ("tiles", "runs", "entries", "parts", "ends")

    # --- each log -----------------------------------------------------------------------------------------------------
    def _tiles(self) -> None:
        for number, log in self._logs():
            levels = needed(log.tree_size, self._leaves(log), proves=log.proves)
            for level in range(self.place.file, len(levels)):
                if level != self.place.file:
                    self.place = Place("tiles", number, 0, level)
                for first, end in levels[level]:
                    self._tiles_between(log, level, max(first, self.place.at), end)
            self._checkpoints(log)

    def _leaves(self, log: PlannedLog) -> Iterator[Run]:
        if log.range:
            yield log.range
        yield from self.runs(log)

    def _tiles_between(self, log: PlannedLog, level: int, first: int, end: int) -> None:
        while first < end:
            upto = min(end, first + TILES_AT_ONCE)
            full = upto - (0 if is_full(level, upto - 1, log.tree_size) else 1)
            found = full_tiles(log.id, level, first, full) if first < full else []
            for index, data in enumerate(found, first):
                self._add_tile(log, Tile(level, index), data)
            if full < upto:  # the one on the right edge
                tile = as_wide(level, full, log.tree_size)
                self._add_tile(log, tile, tile_of(log.id, tile))
            first = self.place.at = upto
            self.turn()

    def _add_tile(self, log: PlannedLog, tile: Tile, data: bytes) -> None:
        self.writer.add(f"logs/{log.name}/{tile_path(tile)}", data)

    def _checkpoints(self, log: PlannedLog) -> None:
        self.writer.add(f"logs/{log.name}/checkpoint", log.note.encode())
        if log.before_size is not None:
            self.writer.add(f"logs/{log.name}/checkpoint.before", log.before_note.encode())
        for number, token in enumerate(log.timestamps):
            self.writer.add(f"logs/{log.name}/timestamps/{number:06}.tsr", b64decode(token))

    def _runs(self) -> None:
        for _, log in self._logs():
            self.writer.begin(f"logs/{log.name}/disclosed")
            lines = list[bytes]()
            for first, end in self.runs(log):
                lines.append(b"%d %d\n" % (first, end - first))
                if len(lines) >= 10_000:
                    self.writer.write(b"".join(lines))
                    self.watch.beat()
                    lines = []
            self.writer.write(b"".join(lines))
            self.writer.end()

    def _entries(self) -> None:
        for _, log in self._logs():
            for indexes, lines in self.batches(log, self.place.at):
                self._write(f"logs/{log.name}/entries", lines)
                self.count(log, indexes, lines)
                self.place.at = indexes[-1] + 1
                self.watch.done += len(lines)
                self.turn()
            self._end_file()

    # --- contents -----------------------------------------------------------------------------------------------------
    def _parts(self) -> None:
        wanted = in_order(self.export.parts)
        if not wanted:
            return
        for _, log in self._logs():
            reader = PartsReader(log, wanted)
            for indexes, entries in self.batches(log, self.place.at):
                for lines, opened in reader.lines(self._opened(log, indexes, entries)):
                    self._write("parts", lines)
                    self.disclosed_parts = added(self.disclosed_parts, opened)
                self.place.at = indexes[-1] + 1
                self.watch.done += len(entries)
                self.turn()
        self._end_file()

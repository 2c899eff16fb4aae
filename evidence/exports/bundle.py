"""The evidence bundle, file by file (docs/bundle-format.md)."""

from base64 import b64decode
from collections.abc import Iterator
from typing import ClassVar

from evidence.exports.access import asker_of
from evidence.exports.contents import in_order
from evidence.exports.endings import LARGEST_FILE, MOST_FILES, MOST_LINES, BundleEnding, TooLarge, TooManyGaps
from evidence.exports.making import Maker, Place, Run
from evidence.exports.parts import PartsReader, part_line
from evidence.exports.plans import PlannedLog
from evidence.exports.reading import TILES_AT_ONCE, full_tiles, tile_of
from evidence.exports.tiles import as_wide, is_full, needed
from ledger.tlog import Tile, tile_path

LARGEST = 64 << 20
"""A file of lines ends where the next one would make it larger."""
RUNS_AT_ONCE = 10_000


class BundleMaker(Maker):
    """`manifest_digest` is known once it is made."""

    STEPS: ClassVar = ("tiles", "runs", "entries", "parts", "ends")
    manifest_digest = ""

    # --- each log -----------------------------------------------------------------------------------------------------
    def _logs(self, *, keeps_file: bool = False) -> Iterator[PlannedLog]:
        """From the one at hand on. `keeps_file`: files are numbered through all of them."""
        for number in range(self.place.log, len(self.plan.logs)):
            if number != self.place.log:
                self.place = Place(self.place.step, number, 0, self.place.file if keeps_file else 0)
            yield self.plan.logs[number]

    def _tiles(self) -> None:
        """`place.file` is the level."""
        for log in self._logs():
            levels = needed(log.tree_size, self._leaves(log), proves=log.proves)
            if sum(end - first for spans in levels for first, end in spans) > MOST_FILES:
                raise TooLarge()
            for level, spans in enumerate(levels):
                if level > self.place.file:
                    self.place.file, self.place.at = level, 0
                for first, end in spans if level == self.place.file else ():
                    self._tiles_between(log, level, max(first, self.place.at), end)
            self._checkpoints(log)

    def _leaves(self, log: PlannedLog) -> Iterator[Run]:
        if log.range:  # also where its entries are withheld
            yield log.range
        yield from self.runs(log)

    def _tiles_between(self, log: PlannedLog, level: int, first: int, end: int) -> None:
        while first < end:
            upto = min(end, first + TILES_AT_ONCE)
            full = upto - (0 if is_full(level, upto - 1, log.tree_size) else 1)
            for index, data in enumerate(full_tiles(log.id, level, first, full), first):
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
        for log in self._logs():
            self.writer.begin(f"logs/{log.name}/disclosed")
            lines = list[bytes]()
            for first, end in self.runs(log):
                lines.append(b"%d %d\n" % (first, end - first))
                if len(lines) >= RUNS_AT_ONCE:
                    self._write_runs(lines)
                    self.watch.beat()
                    lines = []
            self._write_runs(lines)
            self.writer.end()

    def _write_runs(self, lines: list[bytes]) -> None:
        """This file is one, and a verifier reads it as a whole. Errors: `TooLarge`."""
        data = b"".join(lines)
        if self.writer.member_size + len(data) > LARGEST_FILE:
            raise TooLarge()
        self.writer.write(data)

    def _entries(self) -> None:
        for log in self._logs():
            for indexes, lines in self.batches(log, self.place.at):
                self._write(f"logs/{log.name}/entries", lines)
                self.count(log, indexes, lines)
                self.place.at = indexes[-1] + 1
                self.watch.done += len(lines)
                self.turn()
            self._end_file()
        if self.figures.lines_of_sources() > MOST_LINES:  # known before contents are read, which may take hours
            raise TooManyGaps()

    def _parts(self) -> None:
        wanted = in_order(self.export.parts)
        reader = PartsReader(wanted, asker_of(self.export), self.plan.reads_restricted)
        for log in self._logs(keeps_file=True) if wanted else ():
            for indexes, entries in self.batches(log, self.place.at) if not log.is_registry else ():
                for place, found in reader.opened(entries, self.asked_for(log, indexes, entries)):
                    if found:
                        self._write("parts", [part_line(log.name, indexes[place], part) for part in found])
                        self.note_disclosed(found)
                self.place.at = indexes[-1] + 1
                self.watch.done += len(entries)
                self.turn()
        self._end_file()

    # --- files of lines -----------------------------------------------------------------------------------------------
    def _write(self, folder: str, lines: list[bytes]) -> None:
        """Lines into the file at hand, and the next one where they do not fit. `place.file`: its number."""
        data = b"\n".join(lines) + b"\n"
        if self.writer.is_in_member and self.writer.member_size + len(data) <= LARGEST:
            self.writer.write(data)
            return
        for line in lines:
            if self.writer.is_in_member and self.writer.member_size + len(line) + 1 > LARGEST:
                self._end_file()
            if not self.writer.is_in_member:
                self.writer.begin(f"{folder}/{self.place.file:06}.ndjson")
            self.writer.write(line + b"\n")

    def _end_file(self) -> None:
        if self.writer.is_in_member:
            self.writer.end()
            self.place.file += 1

    def _ends(self) -> None:
        ending = BundleEnding(self)
        self.manifest_digest = ending.write()

"""The folder of spools: one file a living process; those of dead ones are taken over, continued or emptied."""

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from answerable._exceptions import NotDurable
from answerable._locks import FileLock
from answerable._spool import Spool

Report = Callable[[Exception], None]
BROKEN = (OSError, sqlite3.Error)


class Shelf:
    """Spools of one service on this machine. `folder` None: nothing is kept on disk."""

    def __init__(self, folder: Path | None, *, power_safe: bool, report: Report) -> None:
        self.folder = folder
        self._power_safe, self._report = power_safe, report

    def open(self) -> Spool:
        """A spool for this process: one that a dead process left, with what waits in it, else a new one.

        A counter goes on where it ended, so a service that restarts every night stays one source. Where the disk
        cannot be used the spool is in memory, and that is reported: the service must start all the same.
        """
        if self.folder is None:
            return Spool(None)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for spool in self.left_behind():
                if spool.may_go_on:
                    return spool
                spool.close()
            return self._new(self.folder)
        except BROKEN as error:
            self._report(NotDurable(f"no spool in {self.folder}: {error}. Records are in memory only."))
            return Spool(None)

    def left_behind(self) -> Iterator[Spool]:
        """Spools whose process has ended, each locked by us now. Whoever takes one closes or destroys it."""
        if self.folder is None:
            return
        for path in sorted(self.folder.glob("spool-*.db")):
            try:
                spool = self._take_over(path)
            except BROKEN as error:  # another user's, or busy: no reason to do without the others
                self._report(NotDurable(f"the spool {path} cannot be taken over just now: {error}"))
                continue
            if spool is not None:
                yield spool

    def _take_over(self, path: Path) -> Spool | None:
        lock = FileLock(path.with_suffix(".lock"))
        if not lock.take():
            return None
        if not path.exists():  # it was emptied and removed while we looked
            path.with_suffix(".lock").unlink(missing_ok=True)
            lock.leave()
            return None
        try:
            return Spool(path, power_safe=self._power_safe, lock=lock)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # busy, no space: it may be read another time
                lock.leave()
                raise
            self._set_aside(path, error)
            lock.leave()
            return None

    def _set_aside(self, path: Path, error: Exception) -> None:
        kept = path.with_suffix(".broken")
        path.rename(kept)
        for end in ("-wal", "-shm"):
            log = path.with_name(path.name + end)
            if log.exists():
                log.rename(kept.with_name(kept.name + end))
        self._report(NotDurable(f"the spool {path} cannot be read: {error}. It is kept as {kept.name}."))

    def _new(self, folder: Path) -> Spool:
        path = folder / f"spool-{uuid.uuid4().hex}.db"
        lock = FileLock(path.with_suffix(".lock"))
        lock.take(wait=True)
        return Spool(path, power_safe=self._power_safe, lock=lock)

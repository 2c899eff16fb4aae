"""Locks between processes. They end with the process that holds them, however it ends."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # no POSIX: files of dead processes are then left alone
    HAS_LOCKS = False
else:
    HAS_LOCKS = True


BRIEF = threading.RLock()
"""Held with every lock on a file that is held for a moment. A child of a fork in between would hold it for ever."""


@contextmanager
def briefly(path: Path) -> "Iterator[None]":
    """Hold a lock on a file while a few lines run. Errors: OSError."""
    with BRIEF:
        lock = FileLock(path)
        try:
            lock.take(wait=True)
            yield
        finally:
            lock.leave()


class FileLock:
    """An exclusive lock on a file beside what it protects."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self, *, wait: bool = False) -> bool:
        """Whether we hold it now. False also where locks do not exist and it is somebody else's to ask."""
        if not HAS_LOCKS:
            return False
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except OSError:
                os.close(descriptor)
                return False
            if self._is_still_there(descriptor):
                self._descriptor = descriptor
                return True
            # whoever held it has removed the file: what we locked is nobody's any more
            os.close(descriptor)

    def _is_still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def leave(self) -> None:
        """Give it up. In a child of a fork this gives up the child's share only, and the parent keeps the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

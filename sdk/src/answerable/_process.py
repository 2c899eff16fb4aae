"""Clients and their process: the flush at its end, and forks.

At a fork no thread of ours may be inside SQLite, whose own locks the child would inherit taken, nor hold a lock on a
file, which the child would go on holding; so all of them are held for that moment. The child forgets its engines
without touching a file and makes new ones when they are first needed: a child that never uses its client is no
instance that a stop would have to wait for.
"""

import atexit
import os
import threading
import weakref
from typing import Protocol

from answerable._locks import BRIEF
from answerable._spool import OPEN, OPENING


class Owner(Protocol):
    """A client, as far as its process is concerned."""

    def close(self) -> object: ...
    def _forget(self) -> None: ...


_owners: "weakref.WeakSet[Owner]" = weakref.WeakSet()
_held: "list[threading.RLock]" = []
PATIENCE = 5.0


def watch(owner: Owner) -> None:
    _owners.add(owner)


@atexit.register
def _close_all() -> None:
    for owner in list(_owners):
        owner.close()


def _before_fork() -> None:
    _hold(BRIEF)
    _hold(OPENING)
    for spool in list(OPEN):
        _hold(spool.lock)
        _hold(spool.upkeep_lock)


def _hold(lock: "threading.RLock") -> None:
    if lock.acquire(timeout=PATIENCE):
        _held.append(lock)


def _after_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_in_child() -> None:
    while _held:
        _held.pop().release()
    for spool in list(OPEN):
        spool.abandon()
    OPEN.clear()
    for owner in list(_owners):
        owner._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)

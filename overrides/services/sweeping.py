"""Sweeps: one row in trouble keeps no other one waiting."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from config.errors import name_of
from ledger.errors import CANNOT_SEAL_NOW

T = TypeVar("T")

log = structlog.get_logger(__name__)


def each_by_itself(what: str, act: Callable[[T], int], rows: Iterable[T]) -> int:
    """Do this to every row; what fails is said, and tried again by the next sweep. Returns the sum of the answers."""
    done = 0
    for row in rows:
        name = str(getattr(row, "pk", row))
        try:
            done += act(row)
        except CANNOT_SEAL_NOW as error:
            log.warning("control.sweep_waits", what=what, row=name, error=name_of(error))
        except Exception:
            # a fault of ours in one row: said aloud, and no reason to leave the others as they are
            log.exception("control.sweep_broken", what=what, row=name)
    return done

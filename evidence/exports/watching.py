"""Being at work on an export: saying so, giving way, noticing that it was given up or is no longer theirs to have."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from config.errors import ServiceError
from evidence.exports.access import asker_of, may_have_planned, require_may_have
from evidence.exports.models import Export, ExportWork
from evidence.exports.pace import Pace
from evidence.exports.plans import Plan

BEAT_EVERY = 1.0
MARK_EVERY = 5.0
ASK_EVERY = 5.0
"""Seconds between questions whether whoever asked may still have it."""


class WorkGone(Exception):
    """The export was given up, or somebody else is at it: whoever was stops, and leaves what there is."""


class RightLost(Exception):
    """Whoever asked may not have it any more."""


class RightNarrowed(Exception):
    """Whoever asked may have less than was planned: it is begun anew, with what they may have."""


class SliceOver(Exception):
    """Enough for now: it is gone on with from the mark just made."""


@dataclass(slots=True)
class Watch:
    """One worker's time at an export. `until`: when its slice is over, by `clock`; None: it goes on to the end."""

    export: Export
    worker: uuid.UUID
    pace: Pace
    until: float | None = None
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    phase: str = ""
    plan: Plan | None = None
    """What was decided, once it is."""
    _begun_with: int = field(default=0, init=False)
    _turned_at: float = field(default=0.0, init=False)
    _beat_at: float = field(default=0.0, init=False)
    _asked_at: float = field(default=0.0, init=False)
    _marked_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._turned_at = self._marked_at = self.clock()
        self._begun_with = self.done

    def turn(self, mark: Callable[[], None]) -> None:
        """After each piece of work, where it can be stopped: rest, say how far it is, mark it from time to time.

        Errors: `WorkGone`, `RightLost`, `RightNarrowed`, `SliceOver` (after a mark).
        """
        self.rest()
        is_over = self.until is not None and self.clock() >= self.until
        if is_over or self.clock() - self._marked_at >= MARK_EVERY:
            mark()
            self._marked_at = self.clock()
        if is_over:
            self.beat(at_once=True)
            raise SliceOver()
        self._turned_at = self.clock()

    def rest(self) -> None:
        """After each piece of work in which it cannot be stopped: rest, and say so. Errors: those of `beat`."""
        self.pace.rest_after(self.clock() - self._turned_at, self.beat)
        self.beat()
        self._turned_at = self.clock()

    def beat(self, *, at_once: bool = False) -> None:
        """A sign of life, once a second. Errors: `WorkGone`, `RightLost`, `RightNarrowed`."""
        now = self.clock()
        if not at_once and now - self._beat_at < BEAT_EVERY:
            return
        self._beat_at = now
        said: dict[str, Any] = {"worked_at": timezone.now(), "done": self.done, "phase": self.phase}
        if self.done > self._begun_with:  # further than anybody before: it is not this work that workers die of
            said["attempts"] = 1
        if not ExportWork.objects.filter(export=self.export, worker=self.worker).update(**said):
            raise WorkGone()
        if now - self._asked_at >= ASK_EVERY:
            self._asked_at = now
            self.ask()

    def ask(self) -> None:
        """Errors: `RightLost`, `RightNarrowed`."""
        asker = asker_of(self.export)
        try:
            require_may_have(asker, self.export)
            has_all = may_have_planned(asker, self.export, self.plan)
        except ServiceError as refusal:
            if refusal.status >= 500:
                raise
            raise RightLost() from refusal
        if not has_all:
            raise RightNarrowed()

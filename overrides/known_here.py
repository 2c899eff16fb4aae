"""What this host knows of the controls, in a file outside PostgreSQL: so that a restored database is noticed.

Beside the head store: the highest epoch, and every switch stricter than run. Written after each commit and each look
of a memory, whole and atomically; never back to a lower epoch. Like a head it is a lower bound: losing the last write
loses vigilance, and nothing else.
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec
import structlog
from django.conf import settings

from overrides.reading import read_control
from overrides.standing import BEGINNING, Control, Epoch, InFlight, Mode, Node, SwitchState

NAME = "control.json"
LOCK_SECONDS = 1.0
"""A process that was halted while it wrote keeps its lock, and must keep no stop waiting."""

log = structlog.get_logger(__name__)


class KnownSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """A switch as the file holds it."""

    id: uuid.UUID
    system_id: uuid.UUID | None
    environment: str
    model_version: str
    capability: str
    mode: Mode
    generation: int
    number: int
    reason_code: str
    in_flight: InFlight
    changed_at: datetime
    expires_at: datetime | None = None

    @classmethod
    def of(cls, state: SwitchState) -> "KnownSwitch":
        node, epoch = state.node, state.epoch
        return cls(
            id=state.id,
            system_id=node.system_id,
            environment=node.environment,
            model_version=node.model_version,
            capability=node.capability,
            mode=state.mode,
            generation=epoch.generation,
            number=epoch.number,
            reason_code=state.reason_code,
            in_flight=state.in_flight,
            changed_at=state.changed_at,
            expires_at=state.expires_at,
        )

    def state(self) -> SwitchState:
        return SwitchState(
            id=self.id,
            node=Node(
                system_id=self.system_id,
                environment=self.environment,
                model_version=self.model_version,
                capability=self.capability,
            ),
            mode=self.mode,
            epoch=Epoch(self.generation, self.number),
            reason_code=self.reason_code,
            in_flight=self.in_flight,
            changed_at=self.changed_at,
            expires_at=self.expires_at,
        )


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    generation: int
    number: int
    switches: list[KnownSwitch]

    @property
    def epoch(self) -> Epoch:
        return Epoch(self.generation, self.number)


NOTHING = Known(generation=BEGINNING.generation, number=BEGINNING.number, switches=[])
_decode = msgspec.json.Decoder(Known).decode
_encode = msgspec.json.Encoder().encode


def path() -> Path:
    """Where the file lies: the host's own, beside what guards the ledger."""
    return Path(settings.HEAD_STORE).parent / NAME


def read() -> Known:
    """What is known here; nothing where there is no file yet, or none that can be read (which is logged)."""
    try:
        return _decode(path().read_bytes())
    except FileNotFoundError:
        return NOTHING
    except (OSError, msgspec.DecodeError) as error:
        log.error("control.file_unreadable", path=str(path()), error=str(error))
        return NOTHING


def remember(control: Control) -> None:
    """Write down a state that was read from the database, unless a newer one is there. Errors: `OSError`."""
    if control.epoch <= read().epoch:
        return
    switches = (*control.everywhere, *(each for found in control.by_system.values() for each in found))
    known = Known(
        generation=control.epoch.generation,
        number=control.epoch.number,
        switches=[KnownSwitch.of(each) for each in switches],
    )
    with _locked():
        if known.epoch > read().epoch:
            _replace(_encode(known))


def remember_control() -> None:
    """Write down what the database says now. For services, once they committed."""
    remember(read_control())


@contextmanager
def _locked() -> Iterator[None]:
    path().parent.mkdir(parents=True, exist_ok=True)
    with path().with_suffix(".lock").open("w") as lock:
        until = time.monotonic() + LOCK_SECONDS
        while not _is_taken(lock):
            if time.monotonic() > until:
                raise TimeoutError("another process keeps the file of the controls locked")
            time.sleep(0.02)
        yield


def _is_taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _replace(data: bytes) -> None:
    """Whole or not at all, also over a power failure."""
    target = path()
    made = target.with_suffix(".new")
    with made.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    made.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

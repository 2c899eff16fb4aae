"""How a client is, for a health page or a metric."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable._modes import Mode


@dataclass(frozen=True)
class Health:
    """One look. `is_ok` is what an alarm should hang on."""

    is_durable: bool
    """Whether records survive the end of this process."""
    spool: str | None
    source: str
    waiting: int
    waiting_bytes: int
    oldest_age_s: float | None
    waiting_effects: int
    dead_letters: int
    is_paused: bool
    """The key or the address is wrong: nothing is sent until a person heals it. Records are kept."""
    trouble: str | None
    """Why not everything arrives just now."""
    control_trouble: str | None
    is_streaming: bool
    mode: Mode
    epoch: str | None
    is_stale: bool
    """The last word of the service is older than the fail policy allows: the safe mode counts."""
    clock_offset_s: float | None
    instance: str
    problems: Mapping[str, int]
    """Everything that was reported, by kind."""
    last_problem: str | None
    recorded: int
    sealed: int
    repeated: int
    turned_away: int
    dropped: int
    invalid: int
    retries: int

    @property
    def is_ok(self) -> bool:
        """Nothing is lost, refused or waiting for a person, and the service is there."""
        lost = self.dropped or self.invalid or self.dead_letters
        return self.is_durable and not (lost or self.is_paused or self.trouble or self.is_stale)

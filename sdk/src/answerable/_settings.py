"""What a client was told at the start."""

import hashlib
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from answerable._state import FailPolicy

DURABILITY = ("process", "power")
OVERFLOW = ("block", "drop_oldest", "drop_new")


@dataclass(frozen=True)
class Settings:
    """See `Client`."""

    url: str
    key: str
    system: str
    environment: str | None
    model_version: str | None
    control_url: str | None
    has_control: bool
    fail_policy: FailPolicy
    spool_dir: Path
    durability: str
    overflow: str
    block_ms: float
    max_spool_bytes: int
    max_age_days: float
    heartbeat_s: float
    poll_s: float
    break_glass: Path | None
    decide_timeout: float
    close_timeout: float
    strict: bool
    on_error: Callable[[Exception], None] | None
    ssl_context: ssl.SSLContext | None

    def __post_init__(self) -> None:
        for name, allowed in (("durability", DURABILITY), ("overflow", OVERFLOW)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}")

    @property
    def folder(self) -> Path:
        """Where this service's files are: a folder for each address, system and environment, whatever the key."""
        words = "\n".join((self.url.rstrip("/"), self.system, self.environment or ""))
        return self.spool_dir / f"{self.system[:40]}-{hashlib.sha256(words.encode()).hexdigest()[:12]}".replace(
            "/", "-"
        )


def default_spool_dir() -> Path:
    """`ANSWERABLE_SPOOL_DIR`, else where the user's programs keep their state; never a folder that a reboot empties."""
    named = os.environ.get("ANSWERABLE_SPOOL_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".local" / "state") / "answerable"
    except RuntimeError:  # a user without a home
        return Path("/var/lib/answerable")

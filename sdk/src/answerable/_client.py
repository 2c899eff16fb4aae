"""The client."""

import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from answerable import _process
from answerable._checkpoints import Checkpoint
from answerable._control import Change, Control
from answerable._directive import Directive, Effective
from answerable._engine import Engine
from answerable._exceptions import Warned
from answerable._guard import Guard
from answerable._health import Health
from answerable._modes import Mode
from answerable._reports import Reports
from answerable._settings import Settings, default_spool_dir
from answerable._spool import DeadLetter
from answerable._state import FailPolicy

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from answerable._fields import GuardFields, RecordFields


class BaseClient:
    """What both clients have in common: everything that is answered out of memory.

    `url` and `key` name the service; a wrong one is reported, and never keeps an application from starting. `system`
    is the AI system that is meant where a call names none; `environment` is the key's where it is left out.

    `risk` (`high`, `medium`, `low`) chooses the fail policy, which `fail_policy` replaces. `spool_dir` is where
    records wait; `durability` is what a record survives from the moment `record()` returns: `process` the end of this
    process however it comes, `power` that of the machine too. A full spool blocks for `block_ms` and then drops what
    is new, or drops the oldest, or what is new at once (`overflow`): always counted, reported, and seen by the server
    as a gap.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        system: str,
        environment: str | None = None,
        model_version: str | None = None,
        risk: Literal["high", "medium", "low"] = "high",
        fail_policy: FailPolicy | None = None,
        control: bool = True,
        control_url: str | None = None,
        break_glass: str | PathLike[str] | None = None,
        spool_dir: str | PathLike[str] | None = None,
        durability: Literal["process", "power"] = "process",
        overflow: Literal["block", "drop_oldest", "drop_new"] = "block",
        block_ms: float = 100.0,
        max_spool_bytes: int = 256 << 20,
        max_age_days: float = 30.0,
        heartbeat_s: float = 60.0,
        poll_s: float = 5.0,
        decide_timeout: float = 5.0,
        close_timeout: float = 5.0,
        strict: bool = False,
        on_error: Callable[[Exception], None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = Settings(
            url=url or "", key=key or "", system=system, environment=environment, model_version=model_version,
            control_url=control_url, has_control=control, fail_policy=fail_policy or FailPolicy.for_risk(risk),
            spool_dir=Path(spool_dir) if spool_dir is not None else default_spool_dir(),
            durability=durability, overflow=overflow, block_ms=block_ms, max_spool_bytes=max_spool_bytes,
            max_age_days=max_age_days, heartbeat_s=heartbeat_s, poll_s=poll_s,
            break_glass=Path(break_glass) if break_glass is not None else None,
            decide_timeout=decide_timeout, close_timeout=close_timeout, strict=strict, on_error=on_error,
            ssl_context=ssl_context,
        )  # fmt: skip
        self._reports = Reports(on_error)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Change], None]] = []
        self._engine: Engine | None = None
        self._control: Control | None = None
        self._is_closed = False
        self._last_health: Health | None = None
        self._engine_now()
        _process.watch(self)

    # --- controls, out of memory ----------------------------------------------------------------------------------
    def mode(self, system: str | None = None, model_version: str | None = None, capability: str | None = None) -> Mode:
        """The mode in force: `run`, `review`, `fallback` or `stop`. No I/O."""
        control = self._control
        if control is None:
            control = self._engine_now().control
        return control.mode(system, model_version, capability)

    def enabled(
        self, system: str | None = None, model_version: str | None = None, capability: str | None = None
    ) -> bool:
        """Whether the AI may act by itself: the mode is `run`."""
        return self.mode(system, model_version, capability) is Mode.RUN

    def param(self, name: str, default: Any = None, *, system: str | None = None) -> Any:
        """A run-time parameter's value, `default` where none is known."""
        return self._engine_now().control.param(name, default, system)

    def fallback(self, *, system: str | None = None) -> Mapping[str, Any] | None:
        """The alternative that was declared for the system: `{"kind", "value"}`."""
        return self._engine_now().control.fallback(system)

    @property
    def epoch(self) -> str | None:
        """Of the newest control state known."""
        epoch = self._engine_now().control.epoch
        return str(epoch) if epoch else None

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call back (from a thread of ours) whenever the mode that this process obeys becomes another one."""
        self._listeners.append(listener)
        self._engine_now().control.on_change(listener)

    def follow(self, system: str) -> None:
        """Acknowledge for a further AI system too, and tell of its changes."""
        self._engine_now().control.follow(system)

    # --- how it is ------------------------------------------------------------------------------------------------
    def health(self) -> Health:
        """How records and controls are; for a health page."""
        return self._last_health or self._engine_now().health()

    def dead_letters(self) -> list[DeadLetter]:
        """What was turned away, with the reasons, oldest first: here and by processes of this machine that have ended.

        Those of another process that still lives are shown there.
        """
        found = [each for spool in self._engine_now().store.spools() for each in spool.dead_letters()]
        return sorted(found, key=lambda each: each.at)

    def retry_dead_letters(self) -> int:
        """Send them again, for example after the key was given its right; how many."""
        engine = self._engine_now()
        number = sum(spool.retry_dead() for spool in engine.store.spools())
        engine.sender.look_around()
        return number

    def forget_dead_letters(self, ids: Iterable[str] | None = None) -> int:
        """Drop them, all or those of these decisions; how many."""
        named = None if ids is None else list(ids)
        return sum(spool.forget_dead(named) for spool in self._engine_now().store.spools())

    def checkpoints(self) -> dict[str, Checkpoint]:
        """The highest checkpoint seen of each log."""
        return self._engine_now().checkpoints.highest()

    # --- life -----------------------------------------------------------------------------------------------------
    def _engine_now(self) -> Engine:
        """The engine of this process; after a fork the child's own is made here."""
        engine = self._engine
        if engine is not None:
            return engine
        with self._lock:
            if self._engine is None:
                engine = Engine(self._settings, self._reports)
                for listener in self._listeners:
                    engine.control.on_change(listener)
                self._engine, self._control = engine, engine.control
            return self._engine

    def _engine_to_write(self) -> Engine:
        """The same, for what must not be lost: a client that was closed is opened again."""
        if self._is_closed:
            with self._lock:
                if self._is_closed:
                    self._reports(Warned("the client was used after it was closed: it is opened again"))
                    self._engine = self._control = self._last_health = None
                    self._is_closed = False
        return self._engine_now()

    def _close(self, timeout: float | None) -> bool:
        with self._lock:
            engine, was_closed = self._engine, self._is_closed
            self._is_closed = True
        if was_closed or engine is None:
            return True
        done = engine.close(self._settings.close_timeout if timeout is None else timeout)
        self._last_health = engine.last_health
        return done

    def close(self, timeout: float | None = None) -> bool:
        """Send what waits, at most `close_timeout` seconds; the rest stays on disk. Whether all was sent."""
        return self._close(timeout)

    def _forget(self) -> None:
        """In the child of a fork, where all spools have been abandoned."""
        self._engine = self._control = None
        self._lock = threading.Lock()
        self._reports.begin_anew()


class Client(BaseClient):
    """The client for threads. Every method may be called from any thread; `with` closes it."""

    def record(self, **fields: "Unpack[RecordFields]") -> str:
        """Record a decision that has happened; returns its id at once.

        It is on disk then. Nothing is raised, whatever happens (but `InvalidRecord` with `strict=True`).
        """
        return self._engine_to_write().record(fields)

    def decide(self, *, timeout: float | None = None, **fields: "Unpack[RecordFields]") -> Directive:
        """Ask before acting: what the caller must do. Raises nothing."""
        return self._engine_to_write().decide(fields, timeout)

    def wait_for_human(self, decision: Directive | str, timeout: float) -> Effective:
        """Wait for the review of a held decision; what is `pending` still when the time is over. Raises nothing.

        What was approved is claimed: of all who wait one is answered `proceed`, once, and the others `stop` for
        `already-executed`. Whoever is answered `proceed` acts, and confirms the effect.
        """
        name = decision if isinstance(decision, str) else decision.decision_id
        engine = self._engine_now()
        return engine.claims.take(engine.wait_for_human(name, timeout))

    def effective(self, decision_id: str) -> Effective:
        """What holds for a decision now, to look at (to act on it: `wait_for_human`).

        Errors: `ServiceUnavailable`, `ServiceRefused`.
        """
        return self._engine_now().effective(decision_id)

    def confirm_effect(
        self, decision_id: str, outcome: str | None, detail: str = "", *, via: str = "", failed: bool = False
    ) -> None:
        """Tell what was really done (None: nothing); kept on disk until it is told. Raises nothing.

        `via="fallback"`: it is what the fallback came to. `failed`: something was to be carried out and could not be.
        """
        self._engine_to_write().confirm_effect(decision_id, outcome, detail, via=via, failed=failed)

    def guard(
        self,
        *,
        describe: Callable[..., Mapping[str, Any]] | None = None,
        fallback: Callable[..., Any] | None = None,
        wait: float | None = None,
        timeout: float | None = None,
        **fields: "Unpack[GuardFields]",
    ) -> Guard:
        """Ask, obey, confirm: `with client.guard(...) as decision:` or `@client.guard(describe=...)`.

        `proceed` runs the body. `hold` waits up to `wait` seconds for the human, then raises `Held`. `fallback` calls
        `fallback` (as a decorator), else raises `UseFallback`. `stop` raises `Stopped`. What was done is confirmed.
        """
        return Guard(self._engine_to_write, fields, describe=describe, fallback=fallback, wait=wait, timeout=timeout)

    def wait_ready(self, timeout: float) -> bool:
        """Whether the service has said what is in force, waiting for that at most `timeout` seconds."""
        return self._engine_now().control.ready.wait(timeout)

    def flush(self, timeout: float = 10.0) -> bool:
        """Whether everything given so far was sealed within the time."""
        return self._engine_now().flush(timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

"""What is in force for this process, out of memory: the server's state, the break-glass file and the fail policy.

Every change makes a new `View`, so a reader needs no lock: one attribute, one dictionary, one look at the clock.
"""

import functools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from answerable._break_glass import BreakGlass, Line
from answerable._exceptions import LogWentBack, Warned
from answerable._last_known import LastKnownFile
from answerable._modes import Epoch, Mode, strictest
from answerable._state import FailPolicy, State, joined

MAX_ENTRIES = 10_000
_boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
now: Callable[[], float] = time.monotonic if _boot_clock is None else functools.partial(time.clock_gettime, _boot_clock)
"""A clock that nobody sets and that goes on while the machine sleeps, where there is one."""


class Entry(NamedTuple):
    """What holds for one scope: `mode` while the state is fresh, `stale_mode` after that."""

    mode: Mode
    stale_mode: Mode
    max_staleness_s: float
    in_flight: str
    file_mode: Mode | None
    reason_code: str | None


Key = tuple[str | None, str | None, str | None]


@dataclass
class View:
    """Everything that holds at one moment; the entries are worked out when they are first asked for."""

    states: tuple[State, ...] = ()
    """The newest state. A second one where the server has shown one that is older: then both count."""
    lines: tuple[Line, ...] = ()
    entries: dict[Key, Entry] = field(default_factory=dict)

    @property
    def state(self) -> State | None:
        return self.states[0] if self.states else None


@dataclass(frozen=True)
class Change:
    """The mode of an AI system, as this process obeys it, has become another one."""

    system: str
    before: Mode
    after: Mode
    epoch: str | None
    applied_by: str
    """`server`, `file` (break-glass) or `fail_policy`."""


class Control:
    """The controls of one client."""

    def __init__(
        self,
        *,
        system: str,
        environment: str | None,
        model_version: str | None,
        policy: FailPolicy,
        last_known: LastKnownFile,
        break_glass: BreakGlass,
        report: Callable[[Exception], None],
    ) -> None:
        self.system, self.environment, self.model_version = system, environment, model_version
        self._policy, self._last_known, self._break_glass, self._report = policy, last_known, break_glass, report
        self._lock = threading.RLock()
        self._view = View()
        self._contact = float("-inf")
        self._received = 0.0
        self._unknown: set[str] = set()
        self._obeyed: dict[str, Mode] = {}
        self._listeners: list[Callable[[Change], None]] = []
        self.changed = threading.Condition()
        """Notified whenever what is in force may have changed."""
        self.ready = threading.Event()
        """Set by the first state that came from the service."""
        self._begin()

    def _begin(self) -> None:
        known = self._last_known.read()
        self._break_glass.look()
        with self._lock:
            states = (known.state,) if known else ()
            self._view = View(states, self._break_glass.lines)
            if known:
                self._contact = self._received = now() - known.age
        self._obeyed = {self.system: self.mode()}

    # --- reading: no lock, no I/O ---------------------------------------------------------------------------------
    def mode(self, system: str | None = None, model_version: str | None = None, capability: str | None = None) -> Mode:
        """The mode in force."""
        view = self._view
        entry = view.entries.get((system, model_version, capability))
        if entry is None:
            entry = self._work_out(view, (system, model_version, capability))
        return entry.mode if now() - self._contact <= entry.max_staleness_s else entry.stale_mode

    def entry(
        self, system: str | None = None, model_version: str | None = None, capability: str | None = None
    ) -> Entry:
        view = self._view
        key = (system, model_version, capability)
        return view.entries.get(key) or self._work_out(view, key)

    @property
    def epoch(self) -> Epoch | None:
        """Of the newest state known."""
        state = self._view.state
        return state.epoch if state else None

    @property
    def state(self) -> State | None:
        return self._view.state

    def is_stale(self, system: str | None = None) -> bool:
        """Whether the last word of the service is older than this system's fail policy allows."""
        return now() - self._contact > self.entry(system).max_staleness_s

    def age(self) -> float:
        """Seconds since the service last said what is in force."""
        return now() - self._contact

    def param(self, name: str, default: Any, system: str | None = None) -> Any:
        """A parameter's value, `default` where none is known."""
        state = self._view.state
        found = state.systems.get(system or self.system) if state else None
        parameter = found.parameters.get(name) if found else None
        if parameter is None:
            return default
        if parameter.seconds_left is not None and now() - self._received >= parameter.seconds_left:
            return default if parameter.value_after is None else parameter.value_after
        return parameter.value

    def fallback(self, system: str | None = None) -> Mapping[str, Any] | None:
        """The alternative that was declared for the system."""
        state = self._view.state
        found = state.systems.get(system or self.system) if state else None
        return found.fallback if found else None

    def _work_out(self, view: View, key: Key) -> Entry:
        system, version, capability = key[0] or self.system, key[1] or self.model_version, key[2]
        found = [each.systems[system] for each in view.states if system in each.systems]
        environment = self.environment or (view.state.environment if view.state else None)
        switches = [each for state in found if (each := state.in_force(environment, version, capability))]
        asked = [line.mode for line in view.lines if line.covers(system, environment, version, capability)]
        file_mode = strictest(*asked) if asked else None
        if not found:
            self._note_unknown(view, system)
        known = [each.mode for each in switches] or ([Mode.RUN] if found else [self._policy.cold_start])
        seconds, safe = joined(self._policy, found[0] if found else None)
        mode = strictest(*known, *asked)
        strict = max(switches, key=lambda each: each.mode.severity, default=None)
        entry = Entry(
            mode=mode,
            stale_mode=strictest(mode, safe if found else self._policy.cold_start),
            max_staleness_s=seconds,
            in_flight=strict.in_flight if strict else "drain",
            file_mode=file_mode,
            reason_code=strict.reason_code if strict else None,
        )
        if len(view.entries) > MAX_ENTRIES:
            view.entries.clear()
        view.entries[key] = entry
        return entry

    def _note_unknown(self, view: View, system: str) -> None:
        if view.states and system not in self._unknown:
            self._unknown.add(system)
            mode = self._policy.cold_start.value
            self._report(Warned(f"the service says nothing about AI system {system!r}; {mode} holds for it"))

    # --- changing -------------------------------------------------------------------------------------------------
    def apply(self, state: State) -> bool:
        """Take a state that the service has sent; whether it is another one than before."""
        with self._lock:
            known = self._view.state
            if not state.is_stale:
                self._contact = now()
            if known is not None and known.document == state.document:
                self._confirm()
                return False
            self._received = now()
            states = self._joined(known, state)
            self._view = View(states, self._view.lines)
        self.ready.set()
        try:
            self.notice()  # before the disk: a slow one must not keep a stop from whoever waits for it
        finally:
            self._keep(state, states)
        return True

    def _keep(self, new: State, states: tuple[State, ...]) -> None:
        """For a start without the service. What the service calls stale makes nothing fresh that was known before."""
        if states[0] is new or not new.is_stale:
            self._last_known.write(states[0].document, states[0].epoch)

    def _joined(self, known: State | None, new: State) -> tuple[State, ...]:
        """A lower epoch means that the server has forgotten (it was restored): what either knows holds, both together.

        Our acknowledgement then tells it of the higher epoch, and it jumps above.
        """
        if known is None or new.epoch > known.epoch:
            return (new,)
        if new.epoch == known.epoch and not _is_looser(new, known):
            return (new,)
        self._report(
            LogWentBack(f"the service shows the controls of {new.epoch}, and {known.epoch} is known: the stricter hold")
        )
        return (known, new)

    def confirm(self, *, is_stale: bool = False) -> None:
        """The service has said that nothing has changed."""
        if not is_stale:
            with self._lock:
                self._contact = now()
                self._confirm()

    def _confirm(self) -> None:
        self.ready.set()
        if len(self._view.states) == 1:
            self._last_known.confirm()

    def look_at_file(self) -> bool:
        """Read the break-glass file; whether it asks for something else now."""
        if not self._break_glass.look():
            return False
        with self._lock:
            self._view = View(self._view.states, self._break_glass.lines)
        return True

    # --- telling --------------------------------------------------------------------------------------------------
    def on_change(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def follow(self, system: str) -> None:
        """Tell of changes of this system too, and acknowledge for it."""
        if system not in self._obeyed:
            self._obeyed[system] = self.mode(system)

    def followed(self) -> list[str]:
        return list(self._obeyed)

    def notice(self) -> bool:
        """Compare what is obeyed now with what was, and tell; whether there was a change."""
        found = []
        with self._lock:
            for system, before in list(self._obeyed.items()):
                after = self.mode(system)
                if after is not before:
                    self._obeyed[system] = after
                    found.append(Change(system, before, after, self._epoch_text(), self.applied_by(system, after)))
        with self.changed:
            self.changed.notify_all()
        for change in found:
            self._tell(change)
        return bool(found)

    def _epoch_text(self) -> str | None:
        return str(self.epoch) if self.epoch else None

    def applied_by(self, system: str, mode: Mode) -> str:
        """Who made the mode what it is. Of a system that the service says nothing about, the fail policy."""
        entry = self.entry(system)
        if entry.file_mode is mode and mode is not Mode.RUN:
            return "file"
        is_told = any(system in each.systems for each in self._view.states)
        return "server" if mode is entry.mode and is_told else "fail_policy"

    def _tell(self, change: Change) -> None:
        for listener in list(self._listeners):
            try:
                listener(change)
            except Exception as error:  # noqa: BLE001 - a listener is the caller's code and must not end our thread
                self._report(error)


def _is_looser(new: State, known: State) -> bool:
    """Whether a system runs freer in one of two states that bear the same epoch."""
    for name, before in known.systems.items():
        after = new.systems.get(name)
        if after is None:
            continue  # the key reaches it no longer: what is not known follows the fail policy
        for switch in before.switches:
            there = after.in_force(switch.environment, switch.model_version, switch.capability)
            if (there.mode if there else Mode.RUN).severity < switch.mode.severity:
                return True
    return False

"""The threads that keep the controls fresh: one listens to the service, one looks around here, one acknowledges."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from answerable._control import Control
from answerable._exceptions import AnswerableError, ServiceRefused, ServiceUnavailable
from answerable._http import Answer, Transport
from answerable._modes import Epoch, Mode
from answerable._records import encode
from answerable._state import State, read_state

STATE, EVENTS, ACKS = "/api/v1/control/state", "/api/v1/control/events", "/api/v1/control/acks"
SILENCE = 25.0
"""A stream says something every ten seconds; two missed and a half mean that nobody is there."""
PATIENCE = 2.0
LONGEST = 5.0
"""Seconds between two tries to hear what is in force: as often as it is polled where all is well."""
Report = Callable[[Exception], None]


class Listener:
    """Streams states; polls where there is no stream; comes back with jitter."""

    def __init__(
        self, control: Control, transport_to: Callable[[str], Transport], url: str, control_url: str | None,
        *, poll_every: float, wake_acks: Callable[[], None], heard: Callable[[], None], report: Report,
    ) -> None:  # fmt: skip
        self._control, self._transport_to, self._report = control, transport_to, report
        self._url, self._own_url = url, control_url
        self.control_url = control_url
        self._poll_every, self._wake_acks, self._heard = poll_every, wake_acks, heard
        self._etag: str | None = None
        self._over = threading.Event()
        self._poked = threading.Event()
        self.is_streaming = False
        self.trouble: str | None = None
        self._attempts = 0
        self._stream_at = 0.0
        self._stream_failures = 0
        self.stream_trouble: str | None = None
        self._streaming: Transport | None = None
        self.thread = threading.Thread(target=self._run, name="answerable-control", daemon=True)

    def stop(self) -> None:
        self._over.set()
        self._poked.set()
        if self._streaming is not None:
            self._streaming.abort()

    def poke(self) -> None:
        """Look now."""
        self._poked.set()

    def _run(self) -> None:
        while not self._over.is_set():
            wait = self._round()
            self._poked.wait(wait)
            self._poked.clear()

    def _round(self) -> float:
        try:
            self._poll()
            self._attempts, self.trouble = 0, None
            self._heard()
            return self._listen()
        except ServiceUnavailable as error:
            return self._back_off(error, error.retry_after)
        except ServiceRefused as error:
            return max(self._back_off(error, None), 10.0 if error.status in (401, 403) else 0.0)
        except Exception as error:  # noqa: BLE001 - this thread must outlive whatever happens in it
            return self._back_off(error, 1.0)
        finally:
            self.is_streaming = False

    def _listen(self) -> float:
        """The stream, where it is due; how long to wait before the next poll. A stream that fails slows no polling."""
        if time.monotonic() < self._stream_at:
            return self._poll_every * random.uniform(0.8, 1.2)
        try:
            self._stream()
        except ServiceUnavailable as error:
            if not self.is_streaming and not self._over.is_set():  # `stop` breaks off what has not begun, too
                self._stream_failures += 1
                self._stream_at = time.monotonic() + random.uniform(0.0, min(30.0, 0.5 * 2**self._stream_failures))
                self.stream_trouble = f"no stream: {error}"
                if self._stream_failures == 1:
                    self._report(error)
            self.control_url = self._own_url  # it may have moved
        if self.is_streaming:
            # it ended or broke, and so may everybody's have: look soon, but spread out
            return random.uniform(0.0, 1.0)
        return min(self._poll_every, 1.0) if self._stream_at < time.monotonic() else self._poll_every

    def _back_off(self, error: Exception, at_least: float | None) -> float:
        if self.trouble is None and not self._over.is_set():
            self._report(error)
        self._attempts, self.trouble = self._attempts + 1, str(error)
        self.control_url = self._own_url  # it may have moved
        return (at_least or 0.0) + random.uniform(0.0, min(LONGEST, 0.25 * 2 ** min(self._attempts, 6)))

    # --- polling --------------------------------------------------------------------------------------------------
    def _poll(self) -> None:
        headers = {"If-None-Match": self._etag} if self._etag else {}
        transport = self._transport_to(self.control_url or self._url)
        answer = transport.request("GET", STATE, headers=headers, timeout=10.0)
        if answer.status == 304:
            self._control.confirm(is_stale=self._was_stale())
            return
        self._take(answer.raise_for_status().json())
        self._etag = answer.headers.get("etag")

    def _was_stale(self) -> bool:
        state = self._control.state
        return state is not None and state.is_stale

    def _take(self, document: Any) -> None:
        try:
            state: State = read_state(document)
        except ValueError as error:
            raise ServiceUnavailable(str(error)) from error
        self.control_url = self._own_url or state.control_url or self.control_url
        if self._control.apply(state):
            self._wake_acks()

    # --- the stream -----------------------------------------------------------------------------------------------
    def _stream(self) -> None:
        """Read until the stream ends. Where there is none, polling goes on and it is tried again later."""
        transport = self._streaming = self._transport_to(self.control_url or self._url)
        with transport.stream(EVENTS, idle_timeout=SILENCE) as (answer, lines):
            if answer.status != 200 or "text/event-stream" not in answer.headers.get("content-type", ""):
                self._learn_address(answer)
                return
            self.is_streaming, self._stream_failures, self.stream_trouble = True, 0, None
            for name, data in _events(lines):
                if self._over.is_set() or self._poked.is_set() or not self._is_taken(name, data):
                    return

    def _is_taken(self, name: str, data: str) -> bool:
        """Whether to go on reading after this event."""
        if name == "heartbeat":
            self._control.confirm(is_stale=self._was_stale())
        elif name == "state":
            try:
                self._take(json.loads(data))
            except ValueError as error:
                raise ServiceUnavailable(f"the stream sent no JSON: {error}") from error
        elif name == "end":
            return False
        return True

    def _learn_address(self, answer: Answer) -> None:
        """421 says where the stream is; other answers say that there is none, or not for us."""
        try:
            elsewhere = json.loads(answer.body).get("control_url") if answer.status == 421 else None
        except (ValueError, AttributeError):
            elsewhere = None
        if elsewhere and elsewhere != self.control_url and self._own_url is None:
            self.control_url = elsewhere
            self._poked.set()
            return
        if answer.status in (401, 403):
            answer.raise_for_status()
        self._stream_at = time.monotonic() + random.uniform(15.0, 45.0)


def _events(lines: Iterator[bytes]) -> Iterator[tuple[str, str]]:
    """Server-sent events as pairs of name and data; comments as heartbeats."""
    name, data = "message", list[str]()
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith(":"):
            yield "heartbeat", ""
        elif not line:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
        else:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)


class Lookout:
    """Once a second: the break-glass file, and whether the fail policy has begun to count."""

    EVERY = 1.0

    def __init__(self, control: Control, *, wake_acks: Callable[[], None], report: Report) -> None:
        self._control, self._wake_acks, self._report = control, wake_acks, report
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="answerable-lookout", daemon=True)

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self.EVERY):
            try:
                asked = self._control.look_at_file()
                if self._control.notice() or asked:
                    self._wake_acks()
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever happens in it
                self._report(error)


class Running:
    """Bodies of guards that run at this moment, by system."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._drained: dict[str, str] = {}

    def enter(self, system: str) -> None:
        with self._lock:
            self._numbers[system] = self._numbers.get(system, 0) + 1
            self._drained.pop(system, None)

    def leave(self, system: str) -> bool:
        """Whether that was the last one."""
        with self._lock:
            self._numbers[system] -= 1
            if self._numbers[system] == 0:
                self._drained[system] = utc_text()
            return self._numbers[system] == 0

    def of(self, system: str) -> tuple[int, str | None]:
        """How many, and since when there are none."""
        with self._lock:
            return self._numbers.get(system, 0), self._drained.get(system)


class Acknowledger:
    """Tells the service what this instance obeys: at every change, and as a heartbeat."""

    def __init__(
        self, control: Control, running: Running, transport_to: Callable[[str], Transport],
        address: Callable[[], str], *, instance: str, agent: str, poke: Callable[[], None],
        heard: Callable[[], None], report: Report,
    ) -> None:  # fmt: skip
        self._control, self._running, self._transport_to, self._address = control, running, transport_to, address
        self._instance, self._agent, self._poke, self._heard = instance, agent, poke, heard
        self._report = report
        self._every = 15.0
        self._due = threading.Event()
        self._is_over = False
        self._applied: dict[str, tuple[tuple[Any, ...], str, str | None]] = {}
        self.trouble: str | None = None
        self.thread = threading.Thread(target=self._run, name="answerable-acks", daemon=True)

    def wake(self) -> None:
        self._due.set()

    def stop(self) -> None:
        self._is_over = True
        self._due.set()

    def _run(self) -> None:
        while not self._is_over:
            self._due.clear()
            try:
                wait = self._tell()
                self.trouble = None
            except AnswerableError as error:
                if self.trouble is None:
                    self._report(error)
                self.trouble = str(error)
                pause = error.retry_after if isinstance(error, ServiceUnavailable) else 10.0
                wait = (pause or 0.0) + random.uniform(0.5, 4.0)
            except Exception as error:  # noqa: BLE001 - this thread must outlive whatever happens in it
                self._report(error)
                wait = 5.0
            self._due.wait(wait)

    def _tell(self) -> float:
        """Send one acknowledgement a system; how long until the next is due."""
        self._wait_for_a_word()
        acks = [self._ack(system) for system in self._control.followed()]
        body = encode({"acks": acks[:100]})
        headers = {"Content-Type": "application/json"}
        answer = self._transport_to(self._address()).request("POST", ACKS, body=body, headers=headers, timeout=10.0)
        said = answer.raise_for_status().json()
        self._heard()
        self._compare(said.get("epoch"))
        try:
            self._every = min(max(float(said.get("heartbeat_s") or 15.0), 1.0), 300.0)
        except (TypeError, ValueError):
            self._every = 15.0
        return self._every * random.uniform(0.85, 1.0)

    def _wait_for_a_word(self) -> None:
        """Where contact is just coming back, what the fail policy made of its absence is no news worth telling."""
        until = time.monotonic() + PATIENCE
        if self._control.is_stale():
            self._poke()
        while self._control.is_stale() and time.monotonic() < until and not self._is_over:
            time.sleep(0.02)

    def _ack(self, system: str) -> dict[str, Any]:
        control = self._control
        mode, entry, epoch = control.mode(system), control.entry(system), control.epoch
        number, drained_at = self._running.of(system)
        seen = (mode, entry.file_mode, epoch)
        if self._applied.get(system, (None,))[0] != seen:
            # work that ended before this change does not say when it was drained
            self._applied[system] = (seen, utc_text(), drained_at)
        _, applied_at, before = self._applied[system]
        is_run = mode is Mode.RUN
        return {
            "instance": self._instance,
            "system": system,
            "client": self._agent,
            "model_version": control.model_version,
            "epoch": str(epoch) if epoch else None,
            "seen_at": applied_at,
            "applied_at": applied_at,
            "applied_mode": mode.value,
            "applied_by": control.applied_by(system, mode),
            "file_mode": entry.file_mode.value if entry.file_mode else None,
            "in_flight": number,
            "drained_at": None if is_run or number else (drained_at if drained_at != before else None) or applied_at,
        }

    def _compare(self, epoch: Any) -> None:
        """The answer names the server's epoch: a higher one than ours means that there is something to fetch."""
        try:
            theirs = Epoch.parse(epoch)
        except ValueError:
            return
        ours = self._control.epoch
        if ours is None or theirs > ours:
            self._poke()


def utc_text() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")

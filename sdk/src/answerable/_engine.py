"""Everything of a client that lives in one process: spool, threads, memory. A fork makes another one."""

import os
import random
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from answerable._break_glass import BreakGlass
from answerable._checkpoints import Checkpoints
from answerable._claims import Claims
from answerable._control import Control
from answerable._delivery import JSON, Counts, Delivery
from answerable._directive import Directive, Effective, read_directive, read_effective
from answerable._exceptions import (
    InvalidRecord,
    NotDurable,
    NotRecorded,
    ServiceRefused,
    ServiceUnavailable,
)
from answerable._health import Health
from answerable._http import Transport
from answerable._ids import Ids, ServerClock
from answerable._last_known import LastKnownFile
from answerable._modes import Mode, strictest
from answerable._records import encode, encode_record, now_text
from answerable._reports import Reports
from answerable._sender import Sender
from answerable._settings import Settings
from answerable._shelf import Shelf
from answerable._spool import Spool, Waiting
from answerable._store import Store
from answerable._version import AGENT
from answerable._watcher import Acknowledger, Listener, Lookout, Running

ASK_PAUSE = 1.0
ANSWER_IN = 10.0
"""Seconds that an answer may take beyond what the service was asked to wait."""


class Engine:
    """Started by its construction; `close` ends it."""

    def __init__(self, settings: Settings, reports: Reports) -> None:
        self.settings, self.report = settings, reports
        self.instance = _instance()
        self.clock = ServerClock()
        self.ids = Ids(self.clock)
        self.counts = Counts()
        self._transports: dict[str, Transport] = {}
        self.transport = self._transport_to(settings.url)
        self.shelf = Shelf(settings.folder, power_safe=settings.durability == "power", report=reports)
        self.spool = self.shelf.open()
        on_disk = settings.folder if self.spool.path is not None else None
        self.checkpoints = Checkpoints(on_disk / "checkpoints.json" if on_disk else None, reports)
        self.delivery = self._delivery_of(self.spool)
        self.sender = Sender(
            self.delivery, self.shelf, heartbeat_every=settings.heartbeat_s,
            max_age=settings.max_age_days * 86_400, report=reports,
        )  # fmt: skip
        self.store = Store(settings, self.shelf, self.sender, delivery_of=self._delivery_of, report=reports)
        self.running = Running()
        self.control = Control(
            system=settings.system, environment=settings.environment, model_version=settings.model_version,
            policy=settings.fail_policy, report=reports,
            last_known=LastKnownFile(on_disk / "control.json" if on_disk else None, reports),
            break_glass=BreakGlass(settings.break_glass, reports),
        )  # fmt: skip
        self._defaults = {"system": settings.system, "model_version": settings.model_version}
        if settings.environment:
            self._defaults["environment"] = settings.environment
        self.last_health: Health | None = None
        self._start()

    def _start(self) -> None:
        settings, control = self.settings, self.control
        self.listener = Listener(
            control, self._transport_to, settings.url, settings.control_url, poll_every=settings.poll_s,
            wake_acks=self._wake_acks, heard=self.sender.heard, report=self.report,
        )  # fmt: skip
        self.acknowledger = Acknowledger(
            control, self.running, self._transport_to, lambda: self.control_url,
            instance=self.instance, agent=AGENT, poke=self.listener.poke, heard=self.sender.heard,
            report=self.report,
        )  # fmt: skip
        self.claims = Claims(lambda: self._transport_to(self.control_url), self.effective, self.instance, self.report)
        self.lookout = Lookout(control, wake_acks=self.acknowledger.wake, report=self.report)
        threads = [self.sender.thread, self.lookout.thread]
        if settings.has_control:
            threads += [self.listener.thread, self.acknowledger.thread]
        try:
            for thread in threads:
                thread.start()
        except RuntimeError as error:  # the interpreter is ending, or the machine has no thread left
            self.report(NotDurable(f"no thread could be started ({error}): records stay in {self.spool.path}"))

    @property
    def control_url(self) -> str:
        """Where controls are read and told: beside the port that a flood of records would fill."""
        return self.listener.control_url or self.settings.control_url or self.settings.url

    def _wake_acks(self) -> None:
        self.acknowledger.wake()

    def _transport_to(self, url: str) -> Transport:
        known = self._transports.get(url)
        if known is None:
            known = self._transports[url] = Transport(
                url, self.settings.key.strip(), agent=AGENT, clock=self.clock, ssl_context=self.settings.ssl_context
            )
        return known

    def _delivery_of(self, spool: Spool) -> Delivery:
        return Delivery(self.transport, spool, self.counts, self.checkpoints, self.clock, self.report)

    # --- records --------------------------------------------------------------------------------------------------
    def record(self, fields: Mapping[str, Any]) -> str:
        """Store a decision that has happened; its id. Raises nothing (but `InvalidRecord` with `strict`)."""
        return self._keep(fields, "effective", self._new_id(fields))[0]

    def _new_id(self, fields: Mapping[str, Any]) -> str:
        given = fields.get("id")
        return str(given) if given is not None else self.ids.new()

    def _keep(self, fields: Mapping[str, Any], phase: str, decision_id: str) -> tuple[str, Waiting | None]:
        """The id and the record as it waits in the spool, None where it does not."""
        self.counts.recorded += 1
        try:
            body = encode_record(self._whole(fields, phase, decision_id))
            return decision_id, self.store.add(decision_id, body)
        except InvalidRecord as error:
            self.counts.invalid += 1
            self.store.skip()
            self.report(error)
            if self.settings.strict:
                raise
        except Exception as error:  # noqa: BLE001 - what fails in here must never break who called
            self.counts.dropped += 1
            self.report(NotRecorded(f"decision {decision_id} could not be kept: {error!r}", decision_id=decision_id))
        return decision_id, None

    def _whole(self, fields: Mapping[str, Any], phase: str, decision_id: str) -> dict[str, Any]:
        epoch = self.control.epoch
        known = {
            "id": decision_id,
            "phase": phase,
            "occurred_at": now_text(),
            "control_epoch": str(epoch) if epoch else None,
        }
        given = {name: value for name, value in fields.items() if value is not None or name in ("input", "output")}
        return {**self._defaults, **known, **given, "id": decision_id}

    # --- asking ---------------------------------------------------------------------------------------------------
    def decide(self, fields: Mapping[str, Any], timeout: float | None) -> Directive:
        """Ask before acting. Without an answer in time the last known state and the fail policy answer."""
        decision_id = self._new_id(fields)
        self.delivery.asking.add(decision_id)
        try:
            _, kept = self._keep(fields, "proposed", decision_id)
            return self._unanswered(fields, decision_id) if kept is None else self._decide(kept, fields, timeout)
        finally:
            self.delivery.asking.discard(decision_id)
            self.sender.wake()

    def _decide(self, kept: Waiting, fields: Mapping[str, Any], timeout: float | None) -> Directive:
        decision_id = kept.id
        known = self.known_directive(fields, decision_id)
        if known.action == "stop":
            return known  # no answer could change it; the record is sent like any other
        try:
            return self._ask(kept, self.settings.decide_timeout if timeout is None else timeout).at_least(
                self.known_directive(fields, decision_id)
            )
        except Exception as error:  # noqa: BLE001 - what fails in here must never break who called
            self.report(error)
            if isinstance(error, ServiceRefused) and error.code == "decision-conflict":
                # it was asked before, perhaps by a worker that died: what became of that is told by `effective` alone
                return Directive(decision_id, "hold", known.mode, error.code, known.epoch)
            return self._unanswered(fields, decision_id)

    def local_directive(self, fields: Mapping[str, Any], decision_id: str, *, least: Mode = Mode.RUN) -> Directive:
        """What holds by what is known here."""
        scope = (fields.get("system"), fields.get("model_version"), fields.get("capability"))
        control = self.control
        mode = strictest(control.mode(*scope), least)
        stale = control.is_stale(scope[0])
        reason = control.entry(*scope).reason_code or ("fail-policy" if stale else None)
        epoch = str(control.epoch) if control.epoch else None
        return Directive(decision_id, mode.action, mode, reason, epoch, answered_by="local")

    def known_directive(self, fields: Mapping[str, Any], decision_id: str) -> Directive:
        """What is known here for sure, beside the server's answer: not what a missing contact only makes us fear."""
        scope = (fields.get("system"), fields.get("model_version"), fields.get("capability"))
        entry = self.control.entry(*scope)
        is_known = self.control.state is not None and (scope[0] or self.control.system) in self.control.state.systems
        mode = entry.mode if is_known else entry.file_mode or Mode.RUN
        epoch = str(self.control.epoch) if self.control.epoch else None
        return Directive(decision_id, mode.action, mode, entry.reason_code, epoch, answered_by="local")

    def _unanswered(self, fields: Mapping[str, Any], decision_id: str) -> Directive:
        return self.local_directive(fields, decision_id, least=self.settings.fail_policy.unanswered)

    def _ask(self, record: Waiting, timeout: float) -> Directive:
        until = time.monotonic() + timeout
        body = self.delivery.wire(record)
        before = self.checkpoints.sizes()
        while True:
            left = until - time.monotonic()
            try:
                answer = self.transport.request(
                    "POST", "/api/v1/decisions", body=body, headers=JSON, timeout=max(left, 0.01)
                )
                receipt = answer.raise_for_status().json()
                break
            except ServiceUnavailable as error:
                pause = (error.retry_after or 0.0) + random.uniform(0.05, 0.25)
                if time.monotonic() + pause >= until:
                    raise
                time.sleep(pause)
            except ServiceRefused as refused:
                if refused.is_about_content:
                    self.delivery.bury(record, str(refused), refused.problem.get("quarantine_id"))
                raise
        self.sender.heard()
        directive = read_directive(record.id, receipt)
        self.spool.remove([record.seq])
        self.counts.sealed += answer.status == 201
        self.counts.repeated += answer.status == 200
        if receipt.get("checkpoint"):
            self.checkpoints.see(receipt["checkpoint"], before)
        return directive

    # --- afterwards -----------------------------------------------------------------------------------------------
    def effective(
        self, decision_id: str, *, wait: float = 0.0, version: int | None = None, within: float | None = None
    ) -> Effective:
        """What holds for a decision now. Errors: `ServiceUnavailable`, `ServiceRefused`."""
        timeout = wait + ANSWER_IN if within is None else min(wait + ANSWER_IN, within)
        query = f"?wait={int(wait)}" + (f"&version={version}" if version is not None else "") if wait >= 1 else ""
        path = f"/api/v1/decisions/{decision_id}/effective{query}"
        answer = self._transport_to(self.control_url).request("GET", path, timeout=timeout)
        try:
            return read_effective(decision_id, answer.raise_for_status().json())
        except ValueError as error:
            raise ServiceUnavailable(str(error)) from error

    def look(self, decision_id: str, known: Effective, *, wait: float, within: float) -> Effective:
        """One look for who waits, no longer than `within`: trouble is reported and leaves what was known."""
        try:
            return self.effective(decision_id, wait=wait, version=known.version, within=within)
        except ServiceRefused as error:
            if error.status != 404:  # it may still be in the spool
                self.report(error)
        except ServiceUnavailable as error:
            self.report(error)
        return known

    def wait_for_human(self, decision_id: str, timeout: float) -> Effective:
        """Until a human has decided, `timeout` at most: then what is pending still. To act on it, `claims.take` it."""
        until = time.monotonic() + timeout
        found = Effective(decision_id, "pending", "hold")
        while found.is_pending and (left := until - time.monotonic()) > 0:
            asked = time.monotonic()
            # an answer at the last moment has still to arrive
            found = self.look(decision_id, found, wait=min(left - 1.0, 20.0), within=left)
            if found.is_pending and time.monotonic() - asked < 0.5:
                # nobody held the question, so asking has to pause itself
                time.sleep(min(ASK_PAUSE * random.uniform(0.8, 1.2), max(until - time.monotonic(), 0.0)))
        return found

    def confirm_effect(self, decision_id: str, outcome: str | None, detail: str, **how: Any) -> None:
        """Keep what was really done, to be told when the decision itself has arrived. `how`: `via`, `failed`."""
        said = {name: value for name, value in how.items() if value}
        body = encode({"outcome": outcome, "occurred_at": now_text(), "detail": detail} | said)
        try:
            self.store.add_effect(decision_id, body)
        except Exception as error:  # noqa: BLE001 - what fails in here must never break who called
            self.report(NotRecorded(f"the effect of {decision_id} could not be kept: {error}", decision_id=decision_id))
        self.sender.wake()

    def give_up(self, taken: Effective) -> None:
        """Nobody carries out what was taken, nor may anybody else: people have to hear of it."""
        if taken.may_proceed:
            self.confirm_effect(taken.decision_id, None, "cancelled before it was carried out", failed=True)

    # --- life -----------------------------------------------------------------------------------------------------
    def flush(self, timeout: float) -> bool:
        """Whether everything was sealed in time."""
        until = time.monotonic() + timeout
        self.sender.hurry()
        while not self._is_all_told():
            if time.monotonic() >= until or not self.sender.thread.is_alive():
                return False
            time.sleep(0.005)
        return True

    def _is_all_told(self) -> bool:
        refuge = self.sender.refuge
        return self.spool.is_empty and (refuge is None or refuge.spool.is_empty)

    def close(self, timeout: float) -> bool:
        """Send what waits, within the time given; the rest stays on disk. Whether all was sent."""
        until = time.monotonic() + timeout
        done = self.flush(timeout)
        if not done:
            place = f"in {self.spool.path}" if self.spool.path else "in memory, which ends now"
            self.report(NotRecorded(f"{self.spool.count} records were not sent in {timeout:g} s: they are {place}"))
        stoppable = (self.sender, self.lookout, self.listener, self.acknowledger)
        for each in stoppable:
            each.stop()
        for each in stoppable:
            if each.thread.is_alive():
                each.thread.join(max(until - time.monotonic(), 0.5))
        for transport in self._transports.values():
            transport.close()
        self.checkpoints.save()
        self.last_health = self.health()
        if not self.sender.thread.is_alive():
            # else it is in the middle of a request: the file is whole, and ends with the process
            self.store.close()
        return done

    def health(self) -> Health:
        """How all of it is."""
        oldest = self.spool.oldest_at()
        control = self.control
        return Health(
            is_durable=self.spool.path is not None and self.sender.refuge is None,
            spool=str(self.spool.path) if self.spool.path else None,
            source=self.spool.source,
            waiting=self.spool.count,
            waiting_bytes=self.spool.bytes,
            oldest_age_s=None if oldest is None else max(time.time() - oldest, 0.0),
            waiting_effects=self.spool.effects,
            dead_letters=self.spool.dead,
            is_paused=self.sender.is_paused,
            trouble=self.sender.trouble or self.delivery.trouble,
            control_trouble=self.listener.trouble or self.acknowledger.trouble or self.listener.stream_trouble,
            is_streaming=self.listener.is_streaming,
            mode=control.mode(),
            epoch=str(control.epoch) if control.epoch else None,
            is_stale=control.is_stale(),
            clock_offset_s=self.clock.offset,
            instance=self.instance,
            problems=dict(self.report.counts),
            last_problem=self.report.last,
            **asdict(self.counts),
        )


def _instance() -> str:
    host = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in socket.gethostname())[:70]
    return f"{host or 'host'}-{os.getpid()}-{secrets.token_hex(3)}"

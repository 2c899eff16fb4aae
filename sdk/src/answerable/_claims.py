"""Carrying out what a human approved, once: of all workers of a service one takes it."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from answerable._delivery import JSON
from answerable._directive import Effective
from answerable._exceptions import ServiceRefused, ServiceUnavailable
from answerable._http import Transport
from answerable._records import encode

TAKEN = "already-executed"
NOT_CLAIMED = "not-claimed"
CHANGED = ("effective-changed", "execution-pending", "execution-frozen", "execution-not-allowed")
WITHIN = 10.0
"""Seconds for all tries."""
PAUSE = 0.25


class Claims:
    """Asks until it is known, within `WITHIN`."""

    def __init__(
        self,
        transport: Callable[[], Transport],
        look: Callable[[str], Effective],
        instance: str,
        report: Callable[[Exception], None],
    ) -> None:
        self._transport, self._look, self._instance, self._report = transport, look, instance, report
        self._unclear: dict[str, str] = {}
        """By decision: what a claim was asked for as whose answer never came. The next try is the same claim."""

    def take(self, found: Effective) -> Effective:
        """What is approved comes back so to one worker, once; as a `stop` for `already-executed` to all others.

        What has changed meanwhile comes back as it is by now. Where it cannot be known, it is held: `not-claimed`.
        """
        if not found.may_proceed:
            return found
        # taken out, so that of two threads only one asks by this name
        name = self._unclear.pop(found.decision_id, None) or str(uuid.uuid4())
        try:
            answer = self._ask_until_known(found, name)
        except (ServiceUnavailable, ServiceRefused) as error:
            self._report(error)
            answer = replace(found, status="pending", action="hold", reason_code=NOT_CLAIMED)
        except BaseException:  # interrupted: it may have been made
            self._unclear[found.decision_id] = name
            raise
        if not answer.may_proceed and answer.reason_code != TAKEN:
            self._unclear[found.decision_id] = name
        return answer

    def _ask_until_known(self, found: Effective, name: str) -> Effective:
        until = time.monotonic() + WITHIN
        while found.may_proceed:
            try:
                self._ask(found, name, until)
                return found
            except ServiceUnavailable as error:
                self._rest(until, error, error.retry_after or 0.0)
            except ServiceRefused as error:
                if error.code == TAKEN:
                    return replace(found, action="stop", reason_code=TAKEN)
                if error.code not in CHANGED:
                    raise
                self._rest(until, error, 0.0)
                found = self._look(found.decision_id)
        return found

    def _ask(self, found: Effective, name: str, until: float) -> None:
        body = encode({"execution_id": name, "version": found.version, "instance": self._instance})
        path = f"/api/v1/decisions/{found.decision_id}/execution"
        left = max(until - time.monotonic(), 0.01)
        self._transport().request("POST", path, body=body, headers=JSON, timeout=left).raise_for_status()

    def _rest(self, until: float, error: Exception, least: float) -> None:
        """Errors: the one given, where there is no time for another try."""
        pause = least + PAUSE * random.uniform(0.5, 1.5)
        if time.monotonic() + pause >= until:
            raise error
        time.sleep(pause)


class Claiming:
    """One claim that a thread makes for a task which may leave meanwhile."""

    def __init__(self, claim: Callable[[], Effective]) -> None:
        self._claim = claim
        self._lock = threading.Lock()
        self._is_left = False
        self._found: Effective | None = None

    def make(self, give_up: Callable[[Effective], None]) -> Effective:
        """In the thread. What nobody waits for any more is given up here."""
        found = self._claim()
        with self._lock:
            self._found, is_left = found, self._is_left
        if is_left:
            give_up(found)
        return found

    def leave(self) -> Effective | None:
        """By the task. What was found already, and is left to it to give up."""
        with self._lock:
            self._is_left = True
            return self._found

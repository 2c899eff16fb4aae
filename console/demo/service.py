"""The demonstration's governed service: it decides on credit limits, and asks before it acts.

Instances are processes of their own, as behind a load balancer; each is a plain user of the Python SDK. A decision is
proposed, and carried out only where the directive lets it, or where a person decided so. What happens is in its log.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from answerable import AnswerableError, Change, Client, Decision, Held, Stopped, UseFallback
from console.demo.stream import ASKING_CHANNEL, MOST, THRESHOLD, chance, credit_limit

SYSTEM, CAPABILITY = "credit-limits", "limit-increase"
PATIENCE = 31 * 60.0
"""Longer than a review may take (console.demo.control): what nobody decides in time is told too."""
WAITING_AT_ONCE = 20
"""An instance's. Of all four no more than the demonstration's own reviewer gets through before time is up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What each instance is told."""

    url: str
    control_url: str
    key: str
    folder: Path
    every: float


def serve(plan: Plan, instances: int) -> None:
    """Run so many instances until this process ends; one that ended is started again."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # which ends the instances as well
    context = multiprocessing.get_context("fork")
    running: dict[int, Any] = {}
    while True:
        for number in range(1, instances + 1):
            if number not in running or not running[number].is_alive():
                running[number] = context.Process(target=_instance, args=(number, plan, os.getpid()), daemon=True)
                running[number].start()
        time.sleep(1)


def _instance(number: int, plan: Plan, parent: int) -> None:
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    client = Client(
        plan.url, plan.key, system=SYSTEM, risk="high", control_url=plan.control_url, spool_dir=plan.folder,
        heartbeat_s=5.0, on_error=lambda error: say(number, f"trouble: {error}"),
    )  # fmt: skip
    desk = Desk(number, client)
    client.on_change(desk.told)
    client.wait_ready(10)
    say(number, f"started; mode {client.mode(capability=CAPABILITY)}, epoch {client.epoch or 'unknown'}")
    while os.getppid() == parent and not leaving.wait(plan.every * chance.uniform(0.5, 1.5)):
        desk.work()
    client.close()
    os._exit(0)  # without those who wait for a person still


class Desk:
    """One instance at work. Held decisions wait beside it, so that it goes on with others."""

    def __init__(self, number: int, client: Client) -> None:
        self.number, self.client = number, client
        self.free = threading.Semaphore(WAITING_AT_ONCE)
        self.people = ThreadPoolExecutor(WAITING_AT_ONCE)

    def told(self, change: Change) -> None:
        say(self.number, f"*** {change.before} -> {change.after} (by {change.applied_by}, epoch {change.epoch}) ***")

    def work(self) -> None:
        """The next application. While stopped none is looked at: the model is not asked."""
        if self.client.mode(capability=CAPABILITY) == "stop" or not self.free.acquire(blocking=False):
            return
        self.people.submit(self._decide, self._propose())

    def _propose(self) -> dict[str, Any]:
        """What the model says, within what people allow just now."""
        threshold = float(self.client.param("threshold", THRESHOLD))
        most = float(self.client.param("max-amount", MOST))
        record = credit_limit(datetime.now(UTC), threshold=threshold, most=most)
        kept = {name: value for name, value in record.items() if name not in ("system", "phase")}
        return kept | {"labels": record["labels"] | {"channel": ASKING_CHANNEL}}

    def _decide(self, record: dict[str, Any]) -> None:
        try:
            with self.client.guard(**record, wait=PATIENCE) as decision:
                self._carry_out(record, decision)
        except Held as held:
            self._say(record, held.decision, "held, and nobody has decided: nothing was done")
        except UseFallback as refused:
            self._say(record, refused.decision, "not the model's to decide: sent to the branch queue")
        except Stopped as stopped:
            self._say(record, stopped.decision, f"not carried out ({stopped})")
        except AnswerableError as error:
            say(self.number, f"not done: {error}")
        finally:
            self.free.release()

    def _carry_out(self, record: Mapping[str, Any], decision: Decision) -> None:
        """The effect. The decision's word counts, not the model's: a person may have changed it."""
        by = "by itself" if decision.effective is None else "as a person decided"
        if decision.outcome != record["outcome"]:
            by = f"as a person decided, who overruled {record['outcome']!r}"
        self._say(record, decision, f"carried out {decision.outcome!r} {by}")

    def _say(self, record: Mapping[str, Any], decision: Decision | None, what: str) -> None:
        name = decision.id if decision else "unknown"
        say(self.number, f"{record['subject']}, {record['input']['requested_limit']:,}: {what} [{name}]")


def say(number: int, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} instance {number}: {text}", flush=True)  # noqa: T201 - this is its log

"""What the fake service knows: records, controls, reviews. One lock, no HTTP."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from answerable._modes import ACTIONS, Epoch, Mode, strictest

LOG = "fake.local/logs/1"
REQUIRED = ("system", "model_version", "occurred_at", "input", "output", "outcome")
TOLD = ("execution_id", "claimed_at", "instance")
Json = dict[str, Any]


def moment() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class Review:
    """A held decision."""

    decision_id: str
    original: str
    status: str = "pending"
    action: str = "hold"
    outcome: str | None = None
    output: Any = None
    reason_code: str | None = None
    version: int = 1
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Book:
    """Records by id, in the order in which they were taken in. With a `store` they outlive the process."""

    def __init__(self, store: Path | None) -> None:
        self.lock = threading.Condition()
        self.by_id: dict[str, Json] = {}
        self.directives: dict[str, Json] = {}
        self.repeats = 0
        self.conflicts: list[Json] = []
        self.effects: dict[str, list[Json]] = {}
        self.heartbeats: list[Json] = []
        self.acks: list[Json] = []
        self.reviews: dict[str, Review] = {}
        self.executions: dict[str, Json] = {}
        self.hold_when: Callable[[Json], bool] | None = None
        self.refuse_when: Callable[[Json], str | None] | None = None
        self.generation, self.number = 1, 1
        self.environment = "production"
        self.systems: dict[str, Json] = {}
        self.switches: list[Json] = []
        self.is_stale = False
        self._file = None
        if store is not None:
            self._load(store)
            self._file = store.open("ab")

    def _load(self, store: Path) -> None:
        content = store.read_bytes() if store.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        store.write_bytes(whole)  # what a kill tore off was never answered
        for line in whole.splitlines():
            record = json.loads(line)
            self.by_id[record["id"]] = record

    # --- decisions ------------------------------------------------------------------------------------------------
    def take(self, record: Json) -> tuple[str, Json]:
        """`accepted`, `duplicate`, `conflict` or `rejected`, with the receipt or the problem. Call `settle` after."""
        wrong = self._what_is_wrong(record)
        if wrong:
            return "rejected", wrong
        known = self.by_id.get(record["id"])
        if known is not None and known != record:
            self.conflicts.append(record)
            return "conflict", problem(409, "decision-conflict", "Another decision was recorded under this id")
        if known is not None:
            self.repeats += 1
        else:
            self.by_id[record["id"]] = record
            self.directives[record["id"]] = self._directive(record)
            if self._file is not None:
                self._file.write(json.dumps(record).encode() + b"\n")
        return "duplicate" if known else "accepted", self._receipt(record)

    def settle(self) -> None:
        """Durable now, as far as the end of this process goes: only then it is answered."""
        if self._file is not None:
            self._file.flush()

    def _what_is_wrong(self, record: Json) -> Json | None:
        missing = [name for name in REQUIRED if name not in record]
        said = self.refuse_when(record) if self.refuse_when else None
        if not missing and not said:
            record.setdefault("id", str(uuid.uuid4()))
            return None
        errors = [{"pointer": f"/{name}", "detail": "The field is missing."} for name in missing]
        found = problem(422, "invalid-decision", "This is not a valid decision record", said or "", errors=errors)
        return found | {"quarantine_id": str(uuid.uuid4())}

    def _receipt(self, record: Json) -> Json:
        index = len(self.by_id) - 1
        directive = self.directives.get(record["id"]) or self._directive(record)
        return {
            "id": record["id"], "log": LOG, "leaf_index": index, "leaf_hash": "00" * 32,
            "directive": directive, "warnings": [],
        }  # fmt: skip

    def checkpoint(self) -> Json:
        """Bears no real signature; its shape is that of a signed note."""
        size = len(self.by_id)
        note = f"{LOG}\n{size}\n{'A' * 43}=\n\n\N{EM DASH} {LOG} AAAAAAAA\n"
        return {"log": LOG, "tree_size": size, "checkpoint": note}

    def _directive(self, record: Json) -> Json:
        mode = self.mode_of(record["system"], record.get("model_version"), record.get("capability"))
        action, reason = mode.action, None
        if action == "proceed" and record.get("phase") == "proposed" and self.hold_when and self.hold_when(record):
            action, reason = "hold", "review-rule"
        review_id = None
        if action == "hold":
            review = self.reviews[record["id"]] = Review(record["id"], record["outcome"])
            review_id = review.id
        return {
            "action": action, "reason_code": reason, "mode": mode.value, "epoch": self.epoch,
            "valid_for_s": 5, "review_id": review_id,
        }  # fmt: skip

    # --- controls -------------------------------------------------------------------------------------------------
    @property
    def epoch(self) -> str:
        return f"{self.generation}.{self.number}"

    def mode_of(self, system: str, version: str | None = None, capability: str | None = None) -> Mode:
        found = [
            Mode(each["mode"])
            for each in self.switches
            if each["scope"]["system"] in (None, system)
            and each["scope"]["environment"] in (None, self.environment)
            and each["scope"]["model_version"] in (None, version)
            and each["scope"]["capability"] in (None, capability)
        ]
        return strictest(Mode.RUN, *found)

    def change(self) -> None:
        """What memory holds has changed: the next epoch, and everybody who waits is told."""
        self.number += 1
        self.lock.notify_all()

    def state(self) -> Json:
        return {
            "epoch": self.epoch, "generated_at": moment(), "is_stale": self.is_stale,
            "environment": self.environment, "heartbeat_s": 1, "control_url": None,
            "systems": {name: self._system_state(name, found) for name, found in self.systems.items()},
        }  # fmt: skip

    def _system_state(self, name: str, found: Json) -> Json:
        switches = [
            each for each in self.switches if each["scope"]["system"] in (None, name) and each["mode"] != Mode.RUN
        ]
        mode = self.mode_of(name)
        return {
            "mode": mode.value, "epoch": self.epoch, "reason_code": None, "switch_id": None,
            "in_flight": next((s["in_flight"] for s in switches if s["mode"] == mode), None), "since": None,
            "switches": switches, "fallback": found.get("fallback"), "fail_policy": found.get("fail_policy"),
            "parameters": found.get("parameters", {}),
        }  # fmt: skip

    def hear(self, ack: Json) -> None:
        """An acknowledgement; one from above our epoch makes us jump above it, to the stricter of both."""
        self.acks.append(ack)
        theirs = Epoch.parse(ack["epoch"]) if ack["epoch"] else None
        if theirs is not None and theirs > (self.generation, self.number):
            self.generation, self.number = theirs.generation + 1, 0
            if ack["applied_by"] == "server" and Mode(ack["applied_mode"]) is not Mode.RUN:
                self.switches.append(switch(ack["system"], ack["applied_mode"], f"{self.generation}.1"))
            self.change()
        self.lock.notify_all()

    # --- reviews --------------------------------------------------------------------------------------------------
    def effective(self, decision_id: str) -> Json | None:
        record = self.by_id.get(decision_id)
        if record is None:
            return None
        review = self.reviews.get(decision_id)
        action = self.directives.get(decision_id, {}).get("action", "proceed")
        status = review.status if review else "final"
        mode = self.mode_of(record["system"], record.get("model_version"), record.get("capability"))
        if review and status == "final":
            action = review.action
            if action == "proceed" and mode is Mode.STOP:
                status, action = "frozen", "stop"
        effects = self.effects.get(decision_id, [])
        word = review.version if review else 1
        execution = self.executions.get(decision_id, {"word": None})
        is_taken = execution["word"] == word
        return {
            "id": decision_id, "status": status, "action": action if action in ACTIONS else "stop",
            "original_outcome": record["outcome"],
            "effective_outcome": (review.outcome if review else None) or record["outcome"],
            "source": "review" if review and review.status == "final" else "model",
            "output": review.output if review else None, "reason_code": review.reason_code if review else None,
            "review": {"id": review.id, "status": review.status, "deadline_at": None} if review else None,
            "override_id": None, "decided_at": None, "mode": mode.value, "epoch": self.epoch,
            "effect": {"status": "confirmed" if effects else "unconfirmed",
                       "outcome": effects[-1]["outcome"] if effects else None, "confirmed_at": None},
            "execution": {name: execution[name] for name in TOLD} if is_taken else None,
            "version": 2 * word + is_taken,
        }  # fmt: skip

    def take_execution(self, decision_id: str, asked: Json) -> tuple[int, Json]:
        """For one worker, once: the answer's status and document."""
        found = self.effective(decision_id)
        if found is None:
            return 404, problem(404, "decision-not-found", "There is no such decision")
        wrong = {"pending": "execution-pending", "frozen": "execution-frozen"}.get(found["status"])
        if wrong is None and found["action"] != "proceed":
            wrong = "execution-not-allowed"
        if wrong is None and found["execution"]:
            if found["execution"]["execution_id"] == asked["execution_id"]:
                return 200, self.executions[decision_id]
            wrong = "already-executed"
        if wrong is None and found["version"] != asked["version"]:
            wrong = "effective-changed"
        if wrong is not None:
            return 409, problem(409, wrong, "Nothing may be carried out")
        made = self.executions[decision_id] = asked | {
            "decision_id": decision_id, "outcome": found["effective_outcome"], "claimed_at": moment(),
            "word": found["version"] // 2,
        }  # fmt: skip
        return 201, made

    def wait_effective(self, decision_id: str, wait: float, version: int | None) -> Json | None:
        """A long poll: until the version differs or the time is over."""
        until = time.monotonic() + wait
        found = self.effective(decision_id)
        while found and found["status"] == "pending" and version in (None, found["version"]):
            left = until - time.monotonic()
            if left <= 0 or not self.lock.wait(left):
                break
            found = self.effective(decision_id)
        return found


def switch(system: str | None, mode: str, epoch: str, **scope: Any) -> Json:
    """A switch as the state document lists it."""
    place = {"environment": None, "model_version": None, "capability": None} | scope
    in_flight = place.pop("in_flight", "drain")
    reason = place.pop("reason_code", "test")
    return {
        "id": str(uuid.uuid4()), "scope": {"system": system, **place}, "mode": mode, "epoch": epoch,
        "reason_code": reason, "in_flight": in_flight, "changed_at": moment(), "drill": None,
    }  # fmt: skip


def problem(status: int, code: str, title: str, detail: str = "", **more: Any) -> Json:
    return {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail, **more}

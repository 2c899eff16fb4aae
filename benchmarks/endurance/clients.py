"""Clients that send decisions until each is acknowledged, and what they were told."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.endurance.options import Options
from config.ids import new_id

ONE, MANY = "/api/v1/decisions", "/api/v1/decisions/batch"
PATIENCE = 120.0
ACKNOWLEDGED = ("accepted", "duplicate")
KEPT_CHECKPOINTS = 400

Record = dict[str, Any]


class Place(NamedTuple):
    """Where a receipt says that a decision stands."""

    log: str
    leaf_index: int
    leaf_hash: str


class NotAcknowledged(Exception):
    """A client was refused for good, or ran out of patience."""


@dataclass
class Told:
    """Everything that all clients were told. Its methods may be called from any thread."""

    places: dict[str, Place] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    refusals: Counter[int] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    checkpoints: list[tuple[str, int, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, receipt: Record) -> None:
        """Keep a receipt; one that contradicts an earlier one of its id is kept as a contradiction."""
        place = Place(receipt["log"], receipt["leaf_index"], receipt["leaf_hash"])
        with self.lock:
            self.statuses[receipt["status"]] += 1
            first = self.places.setdefault(receipt["id"], place)
            if first != place:
                self.contradictions.append(f"{receipt['id']}: {first}, later {place}")

    def hear_checkpoint(self, log: str, tree_size: int, note: str) -> None:
        """Keep some of the signed checkpoints, spread over the whole run."""
        with self.lock:
            self.checkpoints.append((log, tree_size, note))
            if len(self.checkpoints) > 2 * KEPT_CHECKPOINTS:
                self.checkpoints = self.checkpoints[::2]

    def count(self, kind: str, seconds: float | None = None) -> None:
        with self.lock:
            self.requests[kind] += 1
            if seconds is not None:
                self.seconds.append(seconds)

    def refused(self, status: int) -> None:
        with self.lock:
            self.refusals[status] += 1


@dataclass
class Work:
    """How many decisions are still to be sent."""

    left: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, wanted: int) -> int:
        with self.lock:
            taken = min(wanted, self.left)
            self.left -= taken
            return taken


class Line:
    """One connection to the server, opened again when it broke."""

    def __init__(self, port: int, key: str, told: Told, chance: random.Random) -> None:
        self._port, self._told, self._chance = port, told, chance
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPConnection | None = None

    def post(self, records: Sequence[Record]) -> list[Record]:
        """The receipts of some decisions, in order, whatever it takes."""
        if len(records) == 1:
            return [self._post_one(records[0])]
        return self._post_many(records)

    def _post_one(self, record: Record) -> Record:
        started = time.monotonic()
        receipt: Record = self._until_answered("POST", ONE, json.dumps(record).encode())
        self._told.count("single", time.monotonic() - started)
        self._told.hear_checkpoint(receipt["log"], receipt["tree_size"], receipt["checkpoint"])
        if not receipt["leaf_index"] < receipt["tree_size"]:
            raise NotAcknowledged(f"the checkpoint does not cover the entry: {receipt}")
        return receipt

    def _post_many(self, records: Sequence[Record]) -> list[Record]:
        receipts: dict[str, Record] = {}
        waiting, until = list(records), time.monotonic() + PATIENCE
        while waiting:
            answer = self._until_answered("POST", MANY, json.dumps(waiting).encode())
            self._told.count("batch")
            receipts |= {each["id"]: each for each in answer["results"] if each["status"] in ACKNOWLEDGED}
            for each in answer["logs"]:
                self._told.hear_checkpoint(each["log"], each["tree_size"], each["checkpoint"])
            self._refuse_final(answer["results"], until)
            waiting = [record for record in waiting if record["id"] not in receipts]
        return [receipts[record["id"]] for record in records]

    def _refuse_final(self, results: Sequence[Record], until: float) -> None:
        final = [each for each in results if each["status"] not in (*ACKNOWLEDGED, "retry")]
        if final or time.monotonic() > until:
            raise NotAcknowledged(str(final[:3]) or "out of patience")

    def get(self, path: str) -> bytes:
        """A page, whoever was killed a moment ago."""
        return self._answered("GET", path, None)

    def _until_answered(self, method: str, path: str, body: bytes) -> Any:
        return json.loads(self._answered(method, path, body))

    def _answered(self, method: str, path: str, body: bytes | None) -> bytes:
        until, pause = time.monotonic() + PATIENCE, 0.05
        while time.monotonic() < until:
            status, answer, asked = self._try(method, path, body)
            if status in (200, 201):
                return answer
            self._told.refused(status)
            if status not in (0, 429, 502, 503):
                raise NotAcknowledged(f"{status}: {answer[:500]!r}")
            # full jitter: after a restart not all come back at once
            time.sleep(self._chance.uniform(0.5, 1.0) * max(min(pause, 2.0), asked))
            pause *= 2
        raise NotAcknowledged(f"not acknowledged in {PATIENCE:.0f} s")

    def _try(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes, float]:
        """Status, body and Retry-After; 0 where the connection broke."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read(), float(answer.headers.get("Retry-After", 0))
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, b"", 0.0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Client:
    """One client: sends what is left to send, some of it again, some of it twice at once."""

    def __init__(self, number: int, port: int, key: str, systems: Sequence[str], options: Options, told: Told) -> None:
        self._chance = random.Random(f"{options.seed}-{number}")
        self._systems, self._options, self._told = systems, options, told
        self._line, self._twin = (Line(port, key, told, self._chance) for _ in range(2))

    def run(self, work: Work) -> None:
        with ThreadPoolExecutor(1) as beside:
            while count := work.take(self._size()):
                self._send([self._record() for _ in range(count)], beside)
        self._line.close()
        self._twin.close()

    def _size(self) -> int:
        return 1 if self._chance.random() < self._options.singles else self._chance.randint(2, self._options.batch)

    def _send(self, records: list[Record], beside: ThreadPoolExecutor) -> None:
        fate = self._chance.random()
        twin = beside.submit(self._twin.post, records) if fate < self._options.duplicates / 2 else None
        receipts = self._line.post(records)
        if twin is not None:
            self._told.count("sent twice at once")
            receipts += twin.result()
        elif fate < self._options.duplicates:
            self._told.count("sent again")
            receipts += self._again(records)
        for receipt in receipts:
            self._told.hear(receipt)

    def _again(self, records: list[Record]) -> list[Record]:
        receipts = self._line.post(records)
        if any(receipt["status"] != "duplicate" for receipt in receipts):
            self._told.contradictions.append(f"recorded twice: {receipts[0]['id']}")
        return receipts

    def _record(self) -> Record:
        chance = self._chance
        return {
            "id": str(new_id()),
            "system": chance.choice(self._systems),
            "model_version": "2026.11",
            "occurred_at": "2026-11-21T07:00:00.5+01:00",
            "input": {"income": chance.randrange(100_000), "history": [chance.random() for _ in range(8)]},
            "output": {"limit": chance.randrange(20_000)},
            "outcome": chance.choice(["approved", "refused", "flagged"]),
            "confidence": chance.random(),
            "explanation": {"summary": "Income too low for the limit asked for", "method": "shap"},
            "subject": f"customer-{chance.randrange(10_000)}",
        }

"""One spool's way to the service: what an answer means for each record.

A record leaves the spool only when an answer that can be believed says that it is sealed, was sealed before, or is
refused for its content. Anything else (no answer, half an answer, an answer that does not add up) sends the same bytes
again: the ids make that harmless.
"""

import gzip
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from answerable._checkpoints import Checkpoints
from answerable._exceptions import NotRecorded, ServiceRefused, ServiceUnavailable
from answerable._http import Answer, Transport
from answerable._ids import ServerClock, time_of
from answerable._records import encode, source_suffix
from answerable._spool import Effect, Spool, Waiting

BATCH_RECORDS = 1_000
BATCH_BYTES = 4 << 20
NDJSON = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
JSON = {"Content-Type": "application/json"}
AHEAD = 240.0
"""Ids further ahead of the server's clock wait: it refuses them from five minutes on."""
TRY_AGAIN = 60.0
"""Seconds until a record that something on the way calls too large is tried again; the others go before it."""
REMEMBERED = 5 * TRY_AGAIN
"""Seconds for which it counts as trouble after its last try: one that was given up meanwhile is no trouble any more."""


@dataclass
class Counts:
    """What became of records since the start of this process."""

    recorded: int = 0
    """Given to us."""
    sealed: int = 0
    repeated: int = 0
    """Known to the server already: an answer was lost, and the same was sent again."""
    turned_away: int = 0
    """Set aside as dead letters, with their reasons."""
    dropped: int = 0
    """Given up since the spool was full or they were too old."""
    invalid: int = 0
    """Never accepted here: not a record."""
    retries: int = 0


@dataclass
class Delivery:
    """Sends what waits in a spool."""

    transport: Transport
    spool: Spool
    counts: Counts
    checkpoints: Checkpoints
    clock: ServerClock
    report: Callable[[Exception], None]
    timeout: float = 60.0
    asking: set[str] = field(default_factory=set)
    """Ids of what `decide()` is sending itself at this moment: there before the record is, or we would send it too."""
    too_large: dict[str, float] = field(default_factory=dict)
    """Ids of records that no proxy on the way lets through, and until when that is remembered."""
    _later: dict[int, float] = field(default_factory=dict)
    _most: int = BATCH_RECORDS

    def step(self) -> bool:
        """Send one batch and the effects that became ready; whether there was anything.

        Errors: `ServiceUnavailable` (come again), `ServiceRefused` (the key or the address is wrong).
        """
        batch = self._next_batch()
        if batch:
            self._send(batch)
        effects = self.spool.ready_effects(100) if self.spool.effects else []
        for effect in effects:
            self._confirm(effect)
        return bool(batch or effects)

    def _next_batch(self) -> list[Waiting]:
        now = time.monotonic()
        self._later = {seq: until for seq, until in self._later.items() if until > now}
        found = self.spool.first(self._most, BATCH_BYTES, but=self._later.keys(), but_ids=self.asking)
        return self._ripe(found)

    def _ripe(self, found: list[Waiting]) -> list[Waiting]:
        """Without those that a wrong clock put into the server's future."""
        server_now = time.time() + (self.clock.offset or 0.0)
        ripe = []
        for each in found:
            ahead = time_of(each.id) - server_now - AHEAD
            if ahead > 0 and self.clock.offset is not None:
                self._later[each.seq] = time.monotonic() + min(ahead, 60.0)
            else:
                ripe.append(each)
        return ripe

    def wire(self, record: Waiting) -> bytes:
        """A record as it is sent, with its place in the counter."""
        return record.body[:-1] + source_suffix(self.spool.source, record.seq)

    # --- batches --------------------------------------------------------------------------------------------------
    def _send(self, batch: Sequence[Waiting]) -> None:
        body = gzip.compress(b"\n".join(map(self.wire, batch)), compresslevel=1, mtime=0)
        before = self.checkpoints.sizes()
        path = "/api/v1/decisions/batch?results=problems"
        answer = self.transport.request("POST", path, body=body, headers=NDJSON, timeout=self.timeout)
        try:
            answer.raise_for_status()
        except ServiceRefused as refused:
            self._split_or_bury(batch, refused)
            return
        self._settle(batch, *_read_results(answer, len(batch)))
        self._most = min(self._most * 2, BATCH_RECORDS)
        for log in answer.json().get("logs", []):
            self.checkpoints.see(log.get("checkpoint") if isinstance(log, dict) else None, before)

    def _split_or_bury(self, batch: Sequence[Waiting], refused: ServiceRefused) -> None:
        """A batch refused as a whole for its content: halve it until the record that spoils it stands alone."""
        if len(batch) > 1 and (refused.is_about_content or refused.status == 413):
            self._most = len(batch) // 2  # 413 may be a proxy's, which lets less pass than the service takes
            return
        if refused.status == 413 and not refused.problem:
            self._put_off(batch[0])
            return
        if not refused.is_about_content:
            raise refused
        self._most = BATCH_RECORDS
        self.bury(batch[0], str(refused), refused.problem.get("quarantine_id"))

    def _put_off(self, record: Waiting) -> None:
        """One record alone is too large for something between here and the service: only a person can heal that.

        The others need not wait for it.
        """
        now = time.monotonic()
        if self.too_large.get(record.id, 0.0) < now:
            size = len(self.wire(record))
            self.report(
                NotRecorded(
                    f"decision {record.id} ({size:,} bytes) is kept and tried again: something on the way to the"
                    " service (a proxy) lets nothing so large pass, 413",
                    decision_id=record.id,
                )
            )
        self.too_large[record.id] = now + REMEMBERED
        self._later[record.seq] = now + TRY_AGAIN

    @property
    def trouble(self) -> str | None:
        """What a person must heal for some records, while others go their way."""
        now = time.monotonic()
        number = sum(until > now for until in list(self.too_large.values()))
        return f"records too large for something on the way, a proxy (413): {number}" if number else None

    def _settle(self, batch: Sequence[Waiting], counts: dict[str, int], odd: dict[int, dict[str, Any]]) -> None:
        again = {index for index, each in odd.items() if each["status"] == "retry"}
        buried = odd.keys() - again
        self.spool.remove([each.seq for index, each in enumerate(batch) if index not in odd])
        self.counts.sealed += counts["accepted"]
        self.counts.repeated += counts["duplicate"]
        for index in sorted(buried):
            problem = odd[index].get("problem") or {}
            said = f"{odd[index]['status']}: {problem.get('title', '')} {problem.get('detail', '')}".strip()
            places = "; ".join(f"{e.get('pointer')}: {e.get('detail')}" for e in problem.get("errors") or [])
            self.bury(batch[index], f"{said} {places}".strip(), problem.get("quarantine_id"))
        for record in batch if self.too_large else ():
            self.too_large.pop(record.id, None)
        for index in again:
            self.counts.retries += 1
            self._later[batch[index].seq] = time.monotonic() + 1.0
        if len(again) == len(batch):
            raise ServiceUnavailable("all of the batch is to be sent again", retry_after=1.0)

    def bury(self, record: Waiting, reason: str, quarantine_id: str | None) -> None:
        self.spool.bury(record, reason, quarantine_id)
        self.counts.turned_away += 1
        self.report(NotRecorded(f"decision {record.id} was turned away: {reason}", decision_id=record.id))

    # --- effects --------------------------------------------------------------------------------------------------
    def _confirm(self, effect: Effect) -> None:
        path = f"/api/v1/decisions/{effect.decision_id}/effect"
        answer = self.transport.request("POST", path, body=effect.body, headers=JSON, timeout=self.timeout)
        try:
            answer.raise_for_status()
        except ServiceRefused as refused:
            # a decision that waits in quarantine has no address: 404 with a problem of ours is about this one alone
            if not refused.problem or refused.status in (401, 403):
                raise
            self.spool.bury_effect(effect, str(refused))
            self.report(NotRecorded(f"the effect of {effect.decision_id} was turned away: {refused}"))
            return
        self.spool.remove_effect(effect.number)

    # --- heartbeats -----------------------------------------------------------------------------------------------
    def heartbeat(self) -> None:
        """Say that this counter lives and how far it has come. Errors: as `step`."""
        body = encode({"source": self.spool.source, "last_seq": self.spool.last_seq})
        answer = self.transport.request("POST", "/api/v1/sources/heartbeat", body=body, headers=JSON, timeout=10.0)
        answer.raise_for_status()


def _read_results(answer: Answer, size: int) -> tuple[dict[str, int], dict[int, dict[str, Any]]]:
    """Counts and what was not accepted, by index. Errors: `ServiceUnavailable` for an answer that does not add up."""
    document = answer.json()
    try:
        counts = {name: int(number) for name, number in document["counts"].items()}
        odd = {
            int(each["index"]): each for each in document["results"] if each["status"] not in ("accepted", "duplicate")
        }
        adds_up = sum(counts.values()) == size and size - len(odd) == counts["accepted"] + counts["duplicate"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceUnavailable(f"the answer to a batch cannot be read: {error!r}") from error
    if not adds_up or any(not 0 <= index < size for index in odd):
        raise ServiceUnavailable("the answer to a batch does not add up")
    return counts, odd

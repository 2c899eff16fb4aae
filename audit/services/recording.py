"""Decisions into their log: what is new is recorded, what is there already is answered with its place.

`record_decisions` runs under the log's lock: it looks the ids up, answers repeats, and copies what is new. This is the
hot path: while the database stores one row, the next one's bytes are made (`audit.services.preparing`).
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import msgspec
from django.db import connection

from audit.entries import DecisionBody, SealedDirective, read_entry, sent_equally
from audit.kinds import DECISION_RECORDED
from audit.services.preparing import DECISION_COLUMNS, PAYLOAD_COLUMNS, PreparedDecision
from ledger.commitments import commitment
from ledger.copying import Copies
from ledger.sealing import Seal


class Status(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    TAKEN = "taken"
    """The id is an entry of another system, or of another kind: nothing more may be said."""


class Recorded(msgspec.Struct, gc=False):
    """What became of one decision. Of `TAKEN` ids only the id is told."""

    status: Status
    id: str
    """Under which it stands, or was looked up."""
    log_id: uuid.UUID
    leaf_index: int
    leaf_hash: bytes
    directive: SealedDirective
    """The one that stands in the entry: of a duplicate, the first's."""
    review_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry that was found under a decision's id."""

    log_id: uuid.UUID
    leaf_index: int
    kind: str
    data: bytes
    leaf_hash: bytes


NO_KEYS: Mapping[bytes, str] = MappingProxyType({})


def record_decisions(
    seal: Seal,
    *,
    log_id: uuid.UUID,
    decisions: Sequence[PreparedDecision],
    keys: Sequence[bytes | None] | None = None,
    known: Mapping[bytes, str] = NO_KEYS,
) -> list[Recorded]:
    """Record decisions of one AI system in its log; one result each, in order.

    `keys`: what else names each decision, its caller's own key; `known`: the ids such keys led to before. A decision
    stands under its own id if that is recorded, else where its key leads to. Nothing is ever recorded under an id that
    its entry does not say: a prepared decision is never changed, so a group can run again.

    Takes the log's lock, then, in a new statement, looks the ids up: what the last holder committed is seen. A decision
    that is already there, from an earlier request or earlier in this group, is not recorded again. Errors: those of
    `Seal.lock`; `IntegrityError` where an id was taken between the look-up and the COPY, in another log.
    """
    seal.lock(log_id)
    ids = [decision.id for decision in decisions]
    stored = find_entries([*ids, *known.values()])
    secrets = _secrets_of(list(stored))
    if keys is not None:
        ids = _ids_by_key(decisions, keys, known, stored, secrets)
    new: dict[str, PreparedDecision] = {}
    for sought, decision in zip(ids, decisions, strict=True):
        if sought not in stored and new.setdefault(sought, decision).id != sought:
            raise RuntimeError(f"{sought} was promised to a decision whose entry says {decision.id}")
    first = seal.place(log_id, list(new.values()))
    _copy(list(new.values()), first)
    places = {decision_id: first + offset for offset, decision_id in enumerate(new)}
    pairs = zip(ids, decisions, strict=True)
    return [_result(sought, decision, log_id, new, places, stored, secrets) for sought, decision in pairs]


def _ids_by_key(
    decisions: Sequence[PreparedDecision],
    keys: Sequence[bytes | None],
    known: Mapping[bytes, str],
    stored: Mapping[str, StoredEntry],
    secrets: Mapping[str, bytes | None],
) -> list[str]:
    """Where each decision of a group stands or will stand: the same as if each had come alone, in this order.

    A key leads to the first decision that is recorded as it was sent with it: not to one that conflicts.
    """
    leads_to, ids, new = dict(known), [], set[str]()
    for decision, key in zip(decisions, keys, strict=True):
        sought, there = decision.id, stored.get(decision.id)
        if key is not None and there is not None:
            if key not in leads_to and _repeats(decision, there, secrets):
                leads_to[key] = sought
        elif key is not None and sought not in new:
            sought = leads_to.setdefault(key, sought)
        if sought not in stored:
            new.add(sought)
        ids.append(sought)
    return ids


def _repeats(decision: PreparedDecision, there: StoredEntry, secrets: Mapping[str, bytes | None]) -> bool:
    found = _compare_with_stored(decision.id, decision, there, secrets.get(decision.id))
    return found.status in (Status.ACCEPTED, Status.DUPLICATE)


def _result(
    sought: str,
    decision: PreparedDecision,
    log_id: uuid.UUID,
    new: dict[str, PreparedDecision],
    places: dict[str, int],
    stored: dict[str, StoredEntry],
    secrets: dict[str, bytes | None],
) -> Recorded:
    found = stored.get(sought)
    if found is not None:
        return _compare_with_stored(sought, decision, found, secrets.get(sought))
    first = new[sought]
    status = Status.ACCEPTED
    if first is not decision:
        status = Status.DUPLICATE if _same_in_group(first, decision) else Status.CONFLICT
    directive = first.facets.values.directive
    review_id = None if first.review_id is None else str(first.review_id)
    return Recorded(status, sought, log_id, places[sought], first.leaf_hash, directive, review_id)


def _same_in_group(first: PreparedDecision, decision: PreparedDecision) -> bool:
    same_parts = dict(first.parts) == dict(decision.parts)
    return same_parts and sent_equally(read_entry(first.data).body, read_entry(decision.data).body)


def _compare_with_stored(sought: str, decision: PreparedDecision, found: StoredEntry, secret: bytes | None) -> Recorded:
    if found.kind != DECISION_RECORDED.name:
        return _taken(sought, decision)
    entry, mine = read_entry(found.data).body, read_entry(decision.data).body
    if entry.system != mine.system:
        return _taken(sought, decision)
    status = Status.CONFLICT
    if found.data == decision.data:
        # only we can have written these very bytes: a COMMIT whose answer was lost went through after all
        status = Status.ACCEPTED
    elif sent_equally(entry, mine) and (secret is None or _same_parts(entry, decision, secret)):
        status = Status.DUPLICATE
    return Recorded(status, sought, found.log_id, found.leaf_index, found.leaf_hash, entry.directive, entry.review_id)


def _taken(sought: str, decision: PreparedDecision) -> Recorded:
    values = decision.facets.values
    return Recorded(Status.TAKEN, sought, values.log_id, -1, b"", values.directive)


def _same_parts(entry: DecisionBody, decision: PreparedDecision, secret: bytes) -> bool:
    """Whether the parts are byte for byte those of the first, by the commitments: the stored secret opens them."""
    return {name: commitment(secret, name, data).hex() for name, data in decision.parts} == entry.commitments


def find_entries(ids: Iterable[str]) -> dict[str, StoredEntry]:
    """The entries that exist under ids, of whatever kind and log."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, log_id, leaf_index, kind, data, leaf_hash FROM ledger_entry WHERE id = ANY(%s::uuid[])",
            ["{" + ",".join(ids) + "}"],
        )
        rows = cursor.fetchall()
    return {
        found: StoredEntry(log_id, index, kind, bytes(data), bytes(digest))
        for found, log_id, index, kind, data, digest in rows
    }


def _secrets_of(ids: Sequence[str]) -> dict[str, bytes | None]:
    """The secrets of recorded decisions; None, or nothing, for those that were erased."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, secret FROM audit_payload WHERE id = ANY(%s::uuid[])", ["{" + ",".join(ids) + "}"]
        )
        return {found: None if secret is None else bytes(secret) for found, secret in cursor.fetchall()}


def _copy(decisions: Sequence[PreparedDecision], first: int) -> None:
    """The payload and decision rows; sealing copies the entries themselves.

    What does not belong to the row at hand is made beside it: the time is there, while the database stores the others.
    """
    if not decisions:
        return
    with Copies() as copies:
        copies.add("audit_payload", PAYLOAD_COLUMNS, _payload_rows(decisions))
        copies.add("audit_decision", DECISION_COLUMNS, _decision_rows(decisions, first))


def _payload_rows(decisions: Iterable[PreparedDecision]) -> Iterator[bytes]:
    for decision in decisions:
        decision.commit_to_parts()
        yield decision.payload_row()


def _decision_rows(decisions: Iterable[PreparedDecision], first: int) -> Iterator[bytes]:
    for leaf_index, decision in enumerate(decisions, first):
        decision.write_entry()
        yield decision.decision_row(leaf_index)

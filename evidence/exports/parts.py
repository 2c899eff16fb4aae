"""Contents on their way out: each part with its key, compared with the commitment that it opens before it leaves."""

import uuid
from base64 import b64encode
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from audit.restricted_texts import barred_versions, restricted_versions
from audit.restrictions import barred_among, restricted_among
from audit.selectors import PARTS as PAYLOAD_PARTS
from evidence.erasure.places import TEXTS
from evidence.exports.contents import ROW_PARTS, WRITTEN_PARTS
from evidence.exports.reading import RecordDamaged, fetched
from evidence.verification.rows import governed_models
from ledger.commitments import SECRET_BYTES, part_key
from ledger.entries import Actor
from ledger.models import Particulars

PAYLOAD_BYTES = 8 << 20
"""About so many bytes of payloads are held at once; a single one may be larger."""
ROWS_OF_DECISIONS = frozenset(
    {
        *("overrides_review", "overrides_reviewassignment", "overrides_override", "overrides_appeal"),
        *("overrides_execution", "overrides_effect", "overrides_reportedoverride", "monitoring_outcome"),
        *("overrides_switch", "overrides_looseningrequest", "overrides_parameter", "overrides_parameterversion"),
        *("overrides_drill", "overrides_drillfinding", "overrides_reviewrule", "overrides_rulechange"),
        *("governance_aisystem", "governance_modelversion", "governance_versionpromotion", "governance_systemcard"),
        *("governance_assignment", "governance_failpolicyrequest"),
    }
)
"""Tables whose rows may be disclosed: what people did with decisions, controls and the AI system. Not those that hold
credentials or addresses, nor what others wrote to, asked for or were told."""
encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Opened:
    """A part: what it says and the key that opens its commitment and no other."""

    name: str
    data: bytes
    key: bytes


class _Body(msgspec.Struct, gc=False):
    commitments: dict[str, str] = {}
    table: str = ""
    state: str = ""
    reason: str = ""


class _Said(msgspec.Struct, gc=False):
    id: uuid.UUID
    kind: str
    body: _Body


_read = msgspec.json.Decoder(_Said).decode


@dataclass(slots=True)
class PartsReader:
    """Opens what is wanted of entries that are disclosed, for whoever asked: of what is restricted, nothing, unless
    they read it when it was planned (`reads_restricted`) and do so still.

    `wanted`: names in the order of a bundle."""

    wanted: Sequence[str]
    asker: Actor
    reads_restricted: bool
    _of_payloads: tuple[str, ...] = field(init=False)
    _of_rows: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._of_payloads = tuple(name for name in PAYLOAD_PARTS if name in self.wanted)
        self._of_rows = tuple(name for name in ROW_PARTS if name in self.wanted)

    def opened(self, entries: Sequence[bytes], asked: Sequence[bool]) -> Iterator[tuple[int, list[Opened]]]:
        """Of each entry: its place in `entries` and what is wanted of it, in order. `asked`: whether the entry is a
        decision whose contents are asked for. Errors: `RecordDamaged`."""
        decisions = {line[13:49].decode(): place for place, line in enumerate(entries) if asked[place]}
        rows = self._rows(entries, asked)
        sizes = self._sizes(decisions) if self._of_payloads else {}
        group, size = list[str](), 0
        done = 0
        for entry_id, place in decisions.items():
            group.append(entry_id)
            size += sizes.get(entry_id, 0)
            if size >= PAYLOAD_BYTES:
                yield from self._group(entries, done, place + 1, group, rows)
                group, size, done = [], 0, place + 1
        yield from self._group(entries, done, len(entries), group, rows)

    def _group(
        self, entries: Sequence[bytes], first: int, end: int, group: list[str], rows: dict[int, list[Opened]]
    ) -> Iterator[tuple[int, list[Opened]]]:
        payloads = self._payloads(group) if self._of_payloads and group else {}
        for place in range(first, end):
            found = payloads.get(entries[place][13:49].decode("ascii", "replace"), [])
            if found:
                said = _read(entries[place])
                for part in found:
                    _require(part, said.body.commitments.get(part.name))
            yield place, found or rows.get(place, [])

    # --- payloads -----------------------------------------------------------------------------------------------------
    def _sizes(self, ids: Collection[str]) -> dict[str, int]:
        total = " + ".join(f"coalesce(octet_length({name}), 0)" for name in self._of_payloads)
        found = fetched(f"SELECT id, {total} FROM audit_payload WHERE id = ANY(%s::uuid[])", [list(ids)])  # noqa: S608
        return {str(row_id): int(size) for row_id, size in found}

    def _payloads(self, ids: Sequence[str]) -> dict[str, list[Opened]]:
        columns = ", ".join(self._of_payloads)
        query = f"SELECT id, secret, {columns} FROM audit_payload WHERE id = ANY(%s::uuid[]) AND secret IS NOT NULL"  # noqa: S608
        found = {}
        barred = self._barred([uuid.UUID(each) for each in ids])
        for row_id, secret, *parts in fetched(query, [[each for each in ids if uuid.UUID(each) not in barred]]):
            if len(secret) != SECRET_BYTES:
                raise RecordDamaged("a payload's secret is none")
            pairs = zip(self._of_payloads, parts, strict=True)
            found[str(row_id)] = [
                Opened(name, data, part_key(secret, name)) for name, data in pairs if data is not None
            ]
        return found

    def _barred(self, decision_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
        return barred_among(self.asker, decision_ids) if self.reads_restricted else restricted_among(decision_ids)

    # --- rows ---------------------------------------------------------------------------------------------------------
    def _rows(self, entries: Sequence[bytes], asked: Sequence[bool]) -> dict[int, list[Opened]]:
        """What is wanted of the rows behind entries of changes."""
        if not self._of_rows:
            return {}
        changes: dict[str, dict[uuid.UUID, int]] = defaultdict(dict)
        said_at: dict[int, _Said] = {}
        for place, line in enumerate(entries):
            if not asked[place] and b'"table":"' in line:
                said = _read(line)
                if said.body.table in ROWS_OF_DECISIONS:
                    changes[said.body.table][said.id] = place
                    said_at[place] = said
        found: dict[int, list[Opened]] = {}
        for table, ids in changes.items():
            for place, parts in self._of_table(governed_models()[table], ids, said_at):
                if parts:
                    found[place] = parts
        return found

    def _of_table(
        self, model: Any, ids: dict[uuid.UUID, int], said: dict[int, _Said]
    ) -> Iterator[tuple[int, list[Opened]]]:
        history = list(model.history.filter(history_id__in=list(ids)))
        barred = self._barred_rows(model, {row.id for row in history})
        texts = self._barred_texts({row.id for row in history})
        wanted = {row.particulars_id for row in history} | {row.reason_id for row in history}
        readable = {each.pk: each for each in Particulars.objects.filter(pk__in=wanted - {None} - texts)}
        for row in history:
            place = ids[row.history_id]
            kept = {} if row.id in barred else readable
            yield place, list(self._of_change(row, kept, said[place].body))

    def _barred_rows(self, model: Any, row_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Of rows those in which people wrote about decisions that are restricted."""
        about = {
            pk: of
            for place in TEXTS
            if place.model is model and not {*WRITTEN_PARTS}.isdisjoint(self._of_rows)
            for pk, of in model._base_manager.filter(pk__in=row_ids).values_list("pk", place.path)
        }
        barred = self._barred(set(about.values())) if about else frozenset()
        return {pk for pk, of in about.items() if of in barred}

    def _barred_texts(self, row_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
        """Of these rows the versions of texts that are restricted by themselves."""
        if {*WRITTEN_PARTS}.isdisjoint(self._of_rows):
            return frozenset()
        return barred_versions(self.asker, row_ids) if self.reads_restricted else restricted_versions(row_ids)

    def _of_change(self, row: Any, versions: dict[uuid.UUID, Particulars], body: _Body) -> Iterator[Opened]:
        state = Opened("state", bytes(row.state), part_key(bytes(row.state_secret), "state"))
        _require(state, body.state)
        if "state" in self._of_rows:
            yield state
        sealed = {"particulars": msgspec.json.decode(state.data).get("particulars"), "reason": body.reason}
        for name, version_id in (("particulars", row.particulars_id), ("reason", row.reason_id)):
            version = versions.get(version_id)
            if name not in self._of_rows or version is None or version.secret is None or version.data is None:
                continue
            part = Opened(name, bytes(version.data), part_key(bytes(version.secret), name))
            if name == "particulars" and not sealed[name]:
                continue  # an earlier version, of before the row had any
            _require(part, sealed[name])
            yield part


def _require(part: Opened, sealed: str | None) -> None:
    if sealed is None or sha256(part.key + part.data).hexdigest() != sealed:
        raise RecordDamaged(f"a part ({part.name}) does not open its commitment")


def part_line(log: str, index: int, part: Opened) -> bytes:
    """A line of `parts/*.ndjson`, without its end."""
    try:
        said = b'"text":' + encode(part.data.decode())
        before = b""
    except UnicodeDecodeError:
        said, before = b"", b'"base64":"' + b64encode(part.data) + b'",'
    named = f'"index":{index},"key":"{part.key.hex()}","log":"{log}","part":"{part.name}"'.encode()
    return b"{" + before + named + (b"," + said if said else b"") + b"}"

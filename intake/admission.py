"""From a record on the wire to a decision ready to be sealed: may its sender, who answers for it, what must be done.

Everything is looked up in memory. What repeats from record to record is worked out once and kept for as long as the
register's snapshot lives; only its making (`_learn`) may ask the database.
"""

import os
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import msgspec
from django.db import Error
from msgspec import UNSET

from audit.entries import Holder, SealedDirective
from audit.services.preparing import (
    Facets,
    FacetValues,
    PreparedDecision,
    Receipt,
    Refs,
    encode_facets,
    prepare,
)
from audit.services.recording import find_entries
from config.errors import FieldProblem, ServiceError, Unavailable
from config.ids import new_id
from config.problems import as_service_error
from governance.api.authentication import KeyGrant
from governance.errors import KeyOutOfScope, UnverifiedLimitReached
from governance.memory import Owner, Place, Register, SystemRecord, VersionRecord
from governance.services.versions import register_unverified
from intake.connections import brief_connection
from intake.digests import external_digest
from intake.errors import DecisionTooOld, InvalidDecision
from intake.services.sources import SourceLimitReached, source_id_of
from intake.wire import DecisionRecord
from ledger.commitments import SECRET_BYTES
from overrides.directives import Directive, directive_for

FacetKey = tuple[object, ...]

CLOCK_AHEAD = timedelta(minutes=5)
OLDEST_ID = timedelta(days=35)
LATE = timedelta(hours=24)
LEARNT_FOR_SECONDS = 60.0
MAX_LEARNT = 20_000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Admitted(msgspec.Struct, gc=False):
    """A decision on its way to its log."""

    decision: PreparedDecision
    system: SystemRecord
    key_row_id: uuid.UUID
    directive: Directive
    """What applies now. A repeat gets the more restrictive of this and its first one."""
    external_digest: bytes | None


@dataclass(slots=True)
class Known:
    """What is the same for all records that agree in the fields of `_facet_key`."""

    system: SystemRecord
    log_id: uuid.UUID
    environment: str
    version: VersionRecord | None
    source_id: uuid.UUID | None
    owner: Owner | None
    settled_since: datetime
    """Since when `owner` has been the one: who answered for older decisions is looked up one by one."""
    flags: tuple[str, ...]
    made_at: float
    usual: tuple[Directive, Facets] | None = None
    """The variant of a decision that is neither late nor ahead, under the owner of now: nearly always this one."""
    variants: dict[tuple[bool, bool, Owner | None, Directive], Facets] = field(default_factory=dict)


class Replay(msgspec.Struct, frozen=True):
    """A record that a person takes out of quarantine: under which id, and who."""

    decision_id: uuid.UUID
    person_id: uuid.UUID


class Admission:
    """Takes in the records of one request, or replays one from quarantine."""

    def __init__(self, grant: KeyGrant, at: datetime, replay: Replay | None = None) -> None:
        grant.require("decisions:write")
        self.grant = grant
        self._replay = replay
        self.received = Receipt.of(at)
        self._at = at
        self._now_ms = at.timestamp() * 1000
        self._oldest = _beginning_of_id(at - OLDEST_ID)
        self._old_ids: dict[str, bool] = {}
        self._known = _known_for(grant.register)
        self._failed: dict[FacetKey, ServiceError] = {}
        self._random = b""
        self._used = 0

    def admit(self, record: DecisionRecord) -> Admitted:
        """Make a decision of a record, of whose id `look_up_old_ids` was told.

        Errors: `KeyOutOfScope`, `InvalidDecision` and `DecisionTooOld` (for its id).
        """
        known = self._look_up(record)
        is_own_id = record.id is None or self._replay is not None
        decision_id = self._new_id() if record.id is None or self._replay else self._checked_id(record.id)
        directive = directive_for(
            system_id=known.system.id, environment=known.environment, model_version=record.model_version, facts=record
        )
        decision = prepare(
            self._facets(known, record, directive),
            decision_id=decision_id,
            is_own_id=is_own_id,
            received=self.received,
            occurred_at=record.occurred_at,
            secret=self._secret(),
            parts=_parts(record),
            refs=_refs(record),
            confidence=record.confidence,
            score=record.score,
            threshold=record.threshold,
            latency_ms=record.latency_ms,
            parent_id=record.parent_id.lower() if record.parent_id else None,
            source_seq=record.source.seq if record.source else None,
            review_id=directive.review_id,
        )
        digest = (
            None
            if record.external_id is None
            else external_digest(known.system.id, self.grant.account_id, known.environment, record.external_id)
        )
        return Admitted(decision, known.system, self.grant.key.id, directive, digest)

    def look_up_old_ids(self, records: Iterable[DecisionRecord]) -> None:
        """Ask which ids that are too old to be new are recorded already: for all records of a request in one query.

        A late repeat asks for something that is in a log: it is answered however old it is.
        """
        if self._replay is not None:
            return
        ids = {record.id.lower() for record in records if record.id is not None}
        old = [decision_id for decision_id in ids if decision_id[:13] < self._oldest]
        if old:
            with brief_connection():
                found = find_entries(old)
            self._old_ids |= {decision_id: decision_id in found for decision_id in old}

    def _secret(self) -> bytes:
        """32 fresh random bytes; asked for in larger pieces from the second record of a request on."""
        if self._used >= len(self._random):
            self._random = os.urandom(SECRET_BYTES * (256 if self._random else 1))
            self._used = 0
        self._used += SECRET_BYTES
        return self._random[self._used - SECRET_BYTES : self._used]

    def _look_up(self, record: DecisionRecord) -> Known:
        key = _facet_key(self.grant, record)
        known = self._known.get(key)
        if known is None or time.monotonic() - known.made_at > LEARNT_FOR_SECONDS:
            known = self._learn(key, record)
            if len(self._known) >= MAX_LEARNT:
                self._known.clear()
            self._known[key] = known
        return known

    def _learn(self, key: FacetKey, record: DecisionRecord) -> Known:
        """What fails for want of a database or a lock is not tried again for the next record of the request."""
        if key in self._failed:
            raise self._failed[key]
        try:
            with _learning, brief_connection():
                return _learn(self.grant, record, self._at)
        except (Error, Unavailable) as error:
            refusal = as_service_error(error)
            if refusal is None:
                raise
            self._failed[key] = refusal
            raise refusal from error

    def _new_id(self) -> str:
        return str(self._replay.decision_id if self._replay else new_id())

    def _facets(self, known: Known, record: DecisionRecord, directive: Directive) -> Facets:
        late = record.occurred_at < self._at - LATE
        ahead = record.occurred_at > self._at + CLOCK_AHEAD
        settled = record.occurred_at >= known.settled_since
        is_usual = settled and not late and not ahead and self._replay is None
        if is_usual and known.usual is not None and known.usual[0] is directive:
            return known.usual[1]
        then = known.owner if settled else self._owner_then(known, record)
        variant = (late, ahead, then, directive)
        facets = known.variants.get(variant)
        if facets is None or self._replay is not None:
            values = _facet_values(self.grant, known, record, directive, then, late=late, ahead=ahead)
            if self._replay is not None:
                flags = (*values.flags, "replayed")
                return encode_facets(msgspec.structs.replace(values, replayed_by=self._replay.person_id, flags=flags))
            facets = encode_facets(values)
            known.variants[variant] = facets
        if is_usual:
            known.usual = (directive, facets)
        return facets

    def _owner_then(self, known: Known, record: DecisionRecord) -> Owner | None:
        version_id = known.version.id if known.version else None
        return self.grant.register.owner_at(
            known.system.id, version_id, record.capability or "", max(record.occurred_at, self._at - OLDEST_ID)
        )

    def _checked_id(self, sent: str) -> str:
        decision_id = sent.lower()
        made_ms = int(decision_id[:8] + decision_id[9:13], 16)
        if made_ms > self._now_ms + CLOCK_AHEAD.total_seconds() * 1000:
            raise InvalidDecision(
                "The time in the id is ahead of ours.",
                errors=[
                    FieldProblem(pointer="/id", detail="The time in the id is ahead.", expected="at most 5 minutes")
                ],
            )
        if decision_id[:13] < self._oldest and not self._old_ids.get(decision_id):
            raise DecisionTooOld(
                "The time in the id is more than 35 days ago.",
                errors=[
                    FieldProblem(pointer="/id", detail="The time in the id is too old.", expected="at most 35 days")
                ],
            )
        return decision_id


# --- what repeats ----------------------------------------------------------------------------------------------------
_learning = threading.Lock()
"""One at a time: sixty-four threads that meet an unknown model version need one registration, and one connection."""
_learnt: dict[str, tuple[Register, dict[FacetKey, Known]]] = {}


def _known_for(register: Register) -> dict[FacetKey, Known]:
    """What was learnt from this snapshot of the register; forgotten with it."""
    newest = _learnt.get("newest")
    if newest is None or newest[0] is not register:
        newest = _learnt["newest"] = (register, {})
    return newest[1]


def _facet_key(grant: KeyGrant, record: DecisionRecord) -> FacetKey:
    return (
        grant.key.id,
        record.system,
        record.environment,
        record.model_version,
        record.capability,
        record.outcome,
        record.error_type,
        record.ai_role,
        record.adverse,
        record.phase,
        record.config_digest,
        record.model_digest,
        record.prompt_version,
        record.control_epoch,
        record.source.id if record.source else None,
    )


def _learn(grant: KeyGrant, record: DecisionRecord, at: datetime) -> Known:
    system = grant.system(record.system)
    environment = record.environment or grant.environment
    if environment != grant.environment:
        raise KeyOutOfScope()
    if system.log_id is None:
        raise Unavailable("This AI system has no open log at the moment.")
    version, flags = _version(grant, system, record.model_version, at)
    source_id, source_flags = _source(grant, system, record)
    version_id = version.id if version else None
    owner = grant.register.owner_at(system.id, version_id, record.capability or "", at)
    return Known(
        system=system,
        log_id=system.log_id,
        environment=environment,
        version=version,
        source_id=source_id,
        owner=owner,
        settled_since=_settled_since(grant.register, system.id, version_id, record.capability or "", at),
        flags=(*flags, *source_flags, *_system_flags(system, environment), *_owner_flags(owner)),
        made_at=time.monotonic(),
    )


_full_since: dict[uuid.UUID, date] = {}
"""The day (UTC) on which an AI system had its fill of unknown model versions: until the next, no more are tried."""


def _version(
    grant: KeyGrant, system: SystemRecord, sent: str, at: datetime
) -> tuple[VersionRecord | None, tuple[str, ...]]:
    """The model version, registered as unverified where it is new; the decision is never lost for it."""
    version = system.versions.get(sent)
    if version is None:
        if _full_since.get(system.id) == at.date():
            return None, ("unregistered_model_version",)
        try:
            row = register_unverified(actor=grant.actor, system_id=system.id, version=sent)
        except UnverifiedLimitReached:
            _full_since[system.id] = at.date()
            return None, ("unregistered_model_version",)
        version = VersionRecord(row.pk, row.version, row.status, row.model_digest, row.config_digest)
    flags = {"unverified": ("unverified_model_version",), "retired": ("retired_model_version",)}
    return version, flags.get(version.status, ())


def _source(grant: KeyGrant, system: SystemRecord, record: DecisionRecord) -> tuple[uuid.UUID | None, tuple[str, ...]]:
    if record.source is None:
        return None, ()
    try:
        return source_id_of(actor=grant.actor, slug=record.source.id, system_id=system.id), ()
    except SourceLimitReached:
        return None, ("unregistered_source",)


def _system_flags(system: SystemRecord, environment: str) -> tuple[str, ...]:
    live = () if system.status == "live" else ("not_live",)
    return live if environment in system.environments else (*live, "unknown_environment")


def _owner_flags(owner: Owner | None) -> tuple[str, ...]:
    if owner is None:
        return ("no_accountable",)
    return () if owner.accepted else ("unaccepted_accountable",)


def _settled_since(
    register: Register, system_id: uuid.UUID, version_id: uuid.UUID | None, capability: str, at: datetime
) -> datetime:
    """The last moment before `at` at which somebody was offered, took or gave up the responsibility."""
    places = (Place(system_id, None, ""), Place(system_id, version_id, ""), Place(system_id, None, capability))
    moments = (
        moment
        for place in places
        for span in register.owners.get(place, ())
        for moment in (span.offered_at, span.accepted_at, span.ended_at)
    )
    return max((moment for moment in moments if moment is not None and moment <= at), default=BEGINNING)


def _facet_values(
    grant: KeyGrant,
    known: Known,
    record: DecisionRecord,
    directive: Directive,
    then: Owner | None,
    *,
    late: bool,
    ahead: bool,
) -> FacetValues:
    late_flags = ("late_over_24h",) if late else ()
    return FacetValues(
        log_id=known.log_id,
        system_id=known.system.id,
        account_id=grant.account_id,
        environment=known.environment,
        model_version=record.model_version,
        model_version_id=known.version.id if known.version else None,
        capability=record.capability,
        outcome=record.outcome,
        error_type=record.error_type,
        ai_role=record.ai_role or "sole",
        adverse=record.adverse,
        phase=record.phase or "effective",
        config_digest=record.config_digest,
        model_digest=record.model_digest,
        prompt_version=record.prompt_version,
        control_epoch=record.control_epoch,
        source_id=known.source_id,
        accountable=_holder(known.owner),
        occurred_accountable=_holder(then) if then != known.owner else None,
        directive=SealedDirective(directive.action, directive.mode, directive.epoch, directive.reason_code),
        flags=(*known.flags, *late_flags, *(("clock_ahead",) if ahead else ())),
    )


def _holder(owner: Owner | None) -> Holder | None:
    return None if owner is None else Holder(str(owner.person_id), str(owner.assignment_id), owner.accepted)


# --- parts of one record ------------------------------------------------------------------------------------------
def _parts(record: DecisionRecord) -> list[tuple[str, bytes]]:
    parts = [("input", bytes(record.input)), ("output", bytes(record.output))]
    if record.explanation is not UNSET:
        parts.append(("explanation", bytes(record.explanation)))
    if record.context is not UNSET:
        parts.append(("context", bytes(record.context)))
    return parts


def _refs(record: DecisionRecord) -> Refs | None:
    subject, labels, external_id = record.subject, record.labels, record.external_id
    conversation_id, trace_id, span_id = record.conversation_id, record.trace_id, record.span_id
    if not (subject or labels or external_id or conversation_id or trace_id or span_id):
        return None
    # by name, so that a repeat whose client orders its labels otherwise has the same bytes
    labels = dict(sorted(labels.items())) if labels else None
    return Refs(subject, labels, external_id, conversation_id, trace_id, span_id)


def _beginning_of_id(moment: datetime) -> str:
    """How a UUIDv7 made at that moment begins: ids compare as their times do."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"

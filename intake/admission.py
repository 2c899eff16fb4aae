"""From a record on the wire to a decision ready to be sealed: may its sender, who answers for it, what must be done.

Everything is looked up in memory; what repeats from record to record is in `intake.learning`.
"""

import os
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

import msgspec
from django.db import Error
from msgspec import UNSET

from audit.flags import Flag
from audit.services.preparing import (
    Facets,
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
from governance.register import Owner, SystemRecord
from governance.usage import POSTED, note_act
from intake.connections import brief_connection
from intake.digests import external_digest, sampling_digits
from intake.errors import DecisionTooOld, InvalidDecision
from intake.learning import MAX_LEARNT, FacetKey, Known, facet_key, facet_values, known_for, learn
from intake.wire import DecisionRecord
from ledger.commitments import SECRET_BYTES
from overrides import memory as control_memory
from overrides.conditions import draw_of, drawn_from
from overrides.conduct import Conduct, conduct_of
from overrides.directives import Directive, directive_for
from overrides.review_rules import NewReview, probability_of
from overrides.standing import SwitchState

CLOCK_AHEAD = timedelta(minutes=5)
OLDEST_ID = timedelta(days=35)
LATE = timedelta(hours=24)


class Admitted(msgspec.Struct, gc=False):
    """A decision on its way to its log."""

    decision: PreparedDecision
    system: SystemRecord
    key_row_id: uuid.UUID
    directive: Directive
    """What applies now. A repeat gets the more restrictive of this and its first one."""
    external_digest: bytes | None
    review: NewReview | None = None
    """To be opened where the decision is new."""
    breach: SwitchState | None = None
    """The switch that it took effect against."""


class Replay(msgspec.Struct, frozen=True):
    """A record that a person takes out of quarantine: under which id, and who."""

    decision_id: uuid.UUID
    person_id: uuid.UUID


class Admission:
    """Takes in the records of one request, or replays one from quarantine. Errors: `ControlsStale`."""

    def __init__(self, grant: KeyGrant, at: datetime, replay: Replay | None = None) -> None:
        grant.require("decisions:write")
        if replay is None:
            note_act(grant.key.id, POSTED, at)
        control_memory.fresh()  # else a stop could be unknown here, and a decision be told to proceed
        self.grant = grant
        self._replay = replay
        self.received = Receipt.of(at)
        self._at = at
        self._now_ms = at.timestamp() * 1000
        self._oldest = _beginning_of_id(at - OLDEST_ID)
        self._old_ids: dict[str, bool] = {}
        self._known = known_for(grant.register)
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
        digest = (
            None
            if record.external_id is None
            else external_digest(known.system.id, self.grant.account_id, known.environment, record.external_id)
        )
        directive = directive_for(
            system_id=known.system.id,
            environment=known.environment,
            model_version=record.model_version,
            facts=record,
            draw=partial(_draw, record, decision_id, digest),
        )
        switch = None if record.phase == "proposed" else directive.earnest
        conduct = None if switch is None else self._conduct(known, record, switch)
        review_id = new_id() if directive.asks_for_review else None
        decision = prepare(
            self._facets(known, record, directive, conduct),
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
            review_id=review_id,
        )
        admitted = Admitted(decision, known.system, self.grant.key.id, directive, digest)
        if review_id is not None:
            admitted.review = self._new_review(decision, known, record, directive, review_id)
        if conduct is Conduct.BREACH:
            admitted.breach = directive.earnest
        return admitted

    def _conduct(self, known: Known, record: DecisionRecord, switch: SwitchState) -> Conduct:
        return conduct_of(
            switch,
            control_epoch=record.control_epoch,
            occurred_at=record.occurred_at,
            received_at=self._at,
            max_staleness_s=known.system.fail_policy.max_staleness_s,
        )

    def _new_review(
        self,
        decision: PreparedDecision,
        known: Known,
        record: DecisionRecord,
        directive: Directive,
        review_id: uuid.UUID,
    ) -> NewReview:
        return NewReview(
            review_id=review_id,
            decision_id=uuid.UUID(decision.id),
            system_id=known.system.id,
            environment=known.environment,
            rule_id=directive.rule.id if directive.rule else None,
            is_by_switch=directive.switch is not None,
            mode_epoch=directive.epoch,
            phase=record.phase or "effective",
            recorded_at=self._at,
            probability=_probability(known, record, directive),
        )

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
        key = facet_key(self.grant, record)
        known = self._known.get(key)
        if known is None or known.is_over(self._at):
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
            return learn(self.grant, record, self._at)
        except (Error, Unavailable) as error:
            refusal = as_service_error(error)
            if refusal is None:
                raise
            self._failed[key] = refusal
            raise refusal from error

    def _new_id(self) -> str:
        return str(self._replay.decision_id if self._replay else new_id())

    def _facets(self, known: Known, record: DecisionRecord, directive: Directive, conduct: Conduct | None) -> Facets:
        late = record.occurred_at < self._at - LATE
        ahead = record.occurred_at > self._at + CLOCK_AHEAD
        settled = record.occurred_at >= known.settled_since
        outside = _is_outside(known.system, record)
        is_usual = settled and not late and not ahead and not outside and conduct is None and self._replay is None
        if is_usual and known.usual is not None and known.usual[0] is directive:
            return known.usual[1]
        then = known.owner if settled else self._owner_then(known, record)
        variant = (late, ahead, outside, then, directive, conduct)
        facets = known.variants.get(variant)
        if facets is None or self._replay is not None:
            values = facet_values(
                self.grant, known, record, directive, then, late=late, ahead=ahead, outside=outside, conduct=conduct
            )
            if self._replay is not None:
                flags = (*values.flags, Flag.REPLAYED)
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


# --- parts of one record ------------------------------------------------------------------------------------------
def _probability(known: Known, record: DecisionRecord, directive: Directive) -> float:
    if directive.rule is None or directive.switch is not None:
        return 1.0
    rules = control_memory.current().rules.get(known.system.id, ())
    return probability_of(directive.rule, rules, known.environment, record, model_version=record.model_version)


def _is_outside(system: SystemRecord, record: DecisionRecord) -> bool:
    """Whether the card in force declares a scope, and the input is outside it."""
    card = system.card
    return card is not None and card.scope is not None and card.scope.is_outside(bytes(record.input))


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


def _draw(record: DecisionRecord, decision_id: str, digest: bytes | None) -> float | None:
    """The number of a decision for random shares: the same when it is sent again, and nothing a caller chose itself."""
    if record.id is not None:
        digits = sampling_digits(decision_id)
        return None if digits is None else drawn_from(digits)
    return draw_of(decision_id) if digest is None else drawn_from(digest[:6].hex())

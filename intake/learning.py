"""What is the same for many records: the AI system, its version and source, who answers, flags. Worked out once.

Kept for as long as the register's snapshot lives; only `learn` may ask the database.
"""

import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from audit.entries import Holder, SealedDirective
from audit.flags import Flag
from audit.services.preparing import Facets, FacetValues
from config.errors import Unavailable
from governance.api.authentication import KeyGrant
from governance.errors import KeyOutOfScope, UnverifiedLimitReached
from governance.register import Owner, Place, Register, SystemRecord, VersionRecord
from governance.services.versions import register_unverified
from intake.connections import brief_connection
from intake.services.sources import SourceLimitReached, source_id_of
from intake.wire import DecisionRecord
from overrides.conduct import Conduct
from overrides.directives import Directive

FacetKey = tuple[object, ...]

LEARNT_FOR_SECONDS = 60.0
MAX_LEARNT = 20_000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Known:
    """What is the same for all records that agree in the fields of `facet_key`."""

    system: SystemRecord
    log_id: uuid.UUID
    environment: str
    version: VersionRecord | None
    source_id: uuid.UUID | None
    owner: Owner | None
    settled_since: datetime
    """Since when `owner` has been the one: who answered for older decisions is looked up one by one."""
    changes_at: datetime | None
    """When somebody else answers, or nobody, though no row changes: an assignment that begins or ends by its date."""
    flags: tuple[Flag, ...]
    made_at: float
    usual: tuple[Directive, Facets] | None = None
    """The variant of a decision that is neither late nor ahead, under the owner of now: nearly always this one."""
    variants: dict[tuple[bool, bool, bool, Owner | None, Directive, Conduct | None], Facets] = field(
        default_factory=dict
    )

    def is_over(self, at: datetime) -> bool:
        if self.changes_at is not None and at >= self.changes_at:
            return True
        return time.monotonic() - self.made_at > LEARNT_FOR_SECONDS


_one_at_a_time = threading.Lock()
"""Sixty-four threads that meet an unknown model version need one registration, and one connection."""
_learnt: dict[str, tuple[Register, dict[FacetKey, Known]]] = {}


def known_for(register: Register) -> dict[FacetKey, Known]:
    """What was learnt from this snapshot of the register; forgotten with it."""
    newest = _learnt.get("newest")
    if newest is None or newest[0] is not register:
        newest = _learnt["newest"] = (register, {})
    return newest[1]


def facet_key(grant: KeyGrant, record: DecisionRecord) -> FacetKey:
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


def learn(grant: KeyGrant, record: DecisionRecord, at: datetime) -> Known:
    """Work it out for this record. Errors: `KeyOutOfScope`, `Unavailable`, the database's own."""
    with _one_at_a_time, brief_connection():
        return _known(grant, record, at)


def _known(grant: KeyGrant, record: DecisionRecord, at: datetime) -> Known:
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
    moments = _owner_moments(grant.register, system.id, version_id, record.capability or "")
    return Known(
        system=system,
        log_id=system.log_id,
        environment=environment,
        version=version,
        source_id=source_id,
        owner=owner,
        settled_since=max((moment for moment in moments if moment <= at), default=BEGINNING),
        changes_at=min((moment for moment in moments if moment > at), default=None),
        flags=(*flags, *source_flags, *_system_flags(system, environment), *_owner_flags(owner)),
        made_at=time.monotonic(),
    )


_full_since: dict[uuid.UUID, date] = {}
"""The day (UTC) on which an AI system had its fill of unknown model versions: until the next, no more are tried."""


def _version(
    grant: KeyGrant, system: SystemRecord, sent: str, at: datetime
) -> tuple[VersionRecord | None, tuple[Flag, ...]]:
    """The model version, registered as unverified where it is new; the decision is never lost for it."""
    version = system.versions.get(sent)
    if version is None:
        if _full_since.get(system.id) == at.date():
            return None, (Flag.UNREGISTERED_MODEL_VERSION,)
        try:
            row = register_unverified(actor=grant.actor, system_id=system.id, version=sent)
        except UnverifiedLimitReached:
            _full_since[system.id] = at.date()
            return None, (Flag.UNREGISTERED_MODEL_VERSION,)
        version = VersionRecord(row.pk, row.version, row.status, row.model_digest, row.config_digest)
    return version, _version_flags(version.status, system.status == "live")


def _version_flags(status: str, is_live: bool) -> tuple[Flag, ...]:
    match status:
        case "unverified":
            return (Flag.UNVERIFIED_MODEL_VERSION,)
        case "retired":
            return (Flag.RETIRED_MODEL_VERSION,)
        case "registered" | "proposed" if is_live:  # of one that is not live, the decision says that already
            return (Flag.UNAPPROVED_MODEL_VERSION,)
    return ()


def _source(grant: KeyGrant, system: SystemRecord, record: DecisionRecord) -> tuple[uuid.UUID | None, tuple[Flag, ...]]:
    if record.source is None:
        return None, ()
    try:
        return source_id_of(actor=grant.actor, slug=record.source.id, system_id=system.id), ()
    except SourceLimitReached:
        return None, (Flag.UNREGISTERED_SOURCE,)


def _system_flags(system: SystemRecord, environment: str) -> tuple[Flag, ...]:
    live = () if system.status == "live" else (Flag.NOT_LIVE,)
    return live if environment in system.environments else (*live, Flag.UNKNOWN_ENVIRONMENT)


def _owner_flags(owner: Owner | None) -> tuple[Flag, ...]:
    if owner is None:
        return (Flag.NO_ACCOUNTABLE,)
    return () if owner.accepted else (Flag.UNACCEPTED_ACCOUNTABLE,)


def _owner_moments(
    register: Register, system_id: uuid.UUID, version_id: uuid.UUID | None, capability: str
) -> list[datetime]:
    """When somebody was, or will be, offered, given or relieved of the responsibility."""
    places = (Place(system_id, None, ""), Place(system_id, version_id, ""), Place(system_id, None, capability))
    moments = [
        moment
        for place in places
        for span in register.owners.get(place, ())
        for moment in (span.offered_at, span.accepted_at, span.ended_at)
    ]
    return [moment for moment in moments if moment is not None]


def facet_values(
    grant: KeyGrant,
    known: Known,
    record: DecisionRecord,
    directive: Directive,
    then: Owner | None,
    *,
    late: bool,
    ahead: bool,
    outside: bool,
    conduct: Conduct | None,
) -> FacetValues:
    found = {Flag.LATE_OVER_24H: late, Flag.CLOCK_AHEAD: ahead, Flag.OUTSIDE_SCOPE: outside}
    conduct_flags = (Flag(conduct.value),) if conduct else ()
    return FacetValues(
        log_id=known.log_id,
        system_id=known.system.id,
        account_id=grant.account_id,
        environment=known.environment,
        model_version=record.model_version,
        model_version_id=known.version.id if known.version else None,
        card=known.system.card.number if known.system.card else None,
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
        flags=(*known.flags, *(flag for flag, holds in found.items() if holds), *conduct_flags),
    )


def _holder(owner: Owner | None) -> Holder | None:
    return None if owner is None else Holder(str(owner.person_id), str(owner.assignment_id), owner.accepted)

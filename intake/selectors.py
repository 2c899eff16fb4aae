"""Reading what waits in quarantine, and which sources have fallen silent."""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import (
    BooleanField,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from audit.restricted_texts import texts_in_force
from audit.restrictions import in_force, reads_restricted
from governance.models import ServiceKey
from governance.scopes import AnyOf, Place, Scope
from intake.digests import external_digest
from intake.models import ExternalId, QuarantineCase, QuarantinedRecord, SourceState
from ledger.entries import Actor

Status = QuarantineCase.Status
OPEN = (Status.WAITING, Status.DISMISSAL_REQUESTED)
COUNTED_AT_MOST = 10_000
SILENT_FOR_GOOD = timedelta(days=7)


def in_state(state: QuarantineCase.Status) -> Q:
    """Records in a state. One that nobody has acted on has no case, and waits; an erased one waits no more."""
    with_case = Q(case__status=state)
    untouched = Q(case=None, original__isnull=False)
    return with_case | untouched if state == Status.WAITING else with_case


def scope_of(record: QuarantinedRecord) -> Place:
    """Where rights to a quarantined record are looked for: its AI system, else any that the sending key reaches."""
    if record.system_id:
        return Scope.system(record.system_id)
    key = ServiceKey.objects.filter(pk=record.key_row_id).first()
    return AnyOf(frozenset(key.system_ids if key else ()))


def of_systems(system_ids: Collection[uuid.UUID]) -> Q:
    """Records that `scope_of` places in one of these AI systems."""
    keys = ServiceKey.objects.filter(AnyOf(frozenset(system_ids)).within_reach())
    return Q(system_id__in=system_ids) | Q(system_id=None, key_row_id__in=keys.values("pk"))


def barred_from(actor: Actor) -> "ExpressionWrapper[Q] | Value":
    """Of records, as an expression: whether they are restricted, as `is_restricted` says, from somebody."""
    return Value(False) if reads_restricted(actor) else is_restricted()


def is_restricted() -> "ExpressionWrapper[Q]":
    """Of records, as an expression: whether they became a decision that is restricted, or are restricted by
    themselves, they or what was corrected in them. Whoever it may be: nobody corrects or replays such a record."""
    decision = Coalesce(OuterRef("case__decision_id"), OuterRef("id"))
    found = Exists(texts_in_force().filter(Q(row_id=OuterRef("id")) | Q(row_id=OuterRef("case__id"))))
    became = Exists(in_force().filter(decision_id=decision))
    return ExpressionWrapper(Q(became) | Q(found), output_field=BooleanField())


def waiting_records() -> QuerySet[QuarantinedRecord]:
    """Records that somebody must still do something about."""
    return QuarantinedRecord.objects.filter(Q(case__status__in=OPEN) | Q(case=None), original__isnull=False).order_by()


def count_bounded(records: QuerySet[QuarantinedRecord]) -> int:
    """How many, looking at no more than `COUNTED_AT_MOST`: pages and scrapes must stay cheap in a flood."""
    return records[:COUNTED_AT_MOST].count()


def watched_sources(systems: Collection[uuid.UUID] | None = None) -> QuerySet[SourceState]:
    """The sources whose silence says something, of these AI systems or of all; each with `last_heard_at`.

    They send heartbeats, or somebody said how often they are to be heard. One that somebody ended is watched no more,
    until it is heard again. One of which nothing was said is taken to have ended after a week.
    """
    heard = Coalesce(Greatest("last_seen_at", "last_heartbeat_at"), F("source__created_at"))
    sources = SourceState.objects.annotate(last_heard_at=heard).select_related("source")
    expected = Q(source__expected_every_s__isnull=False)
    beating = Q(last_heartbeat_at__isnull=False, last_heard_at__gt=timezone.now() - SILENT_FOR_GOOD)
    watched = sources.filter(expected | beating).exclude(source__ended_at__gte=F("last_heard_at"))
    return watched if systems is None else watched.filter(source__system_id__in=systems)


def last_heard(state: SourceState) -> datetime:
    """When a source gave its last sign of life, by a decision or a heartbeat; the first is its registration."""
    heard = [at for at in (state.last_seen_at, state.last_heartbeat_at) if at is not None]
    return max(heard, default=state.source.created_at)


def silent_sources(systems: Collection[uuid.UUID] | None = None) -> QuerySet[SourceState]:
    """Of the watched sources those not heard from for as long as was said, or for `SOURCE_SILENCE_SECONDS`."""
    patience = ExpressionWrapper(
        Coalesce(F("source__expected_every_s"), Value(settings.SOURCE_SILENCE_SECONDS)) * Value(timedelta(seconds=1)),
        output_field=DurationField(),
    )
    due_at = ExpressionWrapper(F("last_heard_at") + patience, output_field=DateTimeField())
    return watched_sources(systems).annotate(due_at=due_at).filter(due_at__lt=timezone.now()).order_by("pk")


def decision_of_external_id(
    *, system_id: uuid.UUID, account_id: uuid.UUID, environment: str, external_id: str
) -> uuid.UUID | None:
    """The decision that one service recorded under a key of its own; None where there is none, or it was erased."""
    digest = external_digest(system_id, account_id, environment, external_id)
    found = ExternalId.objects.filter(system_id=system_id, digest=digest)
    return found.values_list("decision_id", flat=True).first()

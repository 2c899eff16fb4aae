"""Which payloads somebody may read by a grant: while it is in force, they still hold the role, and it covers them."""

import uuid
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.models import PayloadGrant
from governance import rights
from governance.acts import Act, Condition
from governance.scopes import Scope
from ledger.entries import Actor

DATED = frozenset({Condition.DATED_GRANT})


def grants_in_force(actor: Actor) -> QuerySet[PayloadGrant]:
    """Somebody's own, whether or not they still hold a role that counts."""
    if actor.type != "person" or actor.id is None:
        return PayloadGrant.objects.none()
    held = PayloadGrant.objects.filter(person_id=actor.id, status=PayloadGrant.Status.GRANTED)
    return held.filter(ends_at__gt=timezone.now())


def is_granted(actor: Actor, system_id: uuid.UUID, recorded_at: datetime) -> bool:
    """Whether a grant covers a decision."""
    since = Q(since__isnull=True) | Q(since__lte=recorded_at)
    until = Q(until__isnull=True) | Q(until__gt=recorded_at)
    return grants_in_force(actor).filter(since & until, system_id=system_id).exists()


def granted_spans(actor: Actor) -> list[PayloadGrant]:
    """Grants by which somebody reads now, for searches."""
    counted = rights.systems_where(actor, Act.PAYLOAD_READ, given=DATED)
    found = list(grants_in_force(actor))
    return found if counted is None else [each for each in found if each.system_id in counted]


def span_of(grant: PayloadGrant) -> Q:
    """The decisions that a grant covers."""
    covered = Q(system_id=grant.system_id)
    if grant.since:
        covered &= Q(recorded_at__gte=grant.since)
    return covered & Q(recorded_at__lt=grant.until) if grant.until else covered


def grants_for(actor: Actor) -> QuerySet[PayloadGrant]:
    """Those that somebody may know of: their own, and where they agree to them."""
    own = Q(person_id=actor.id) if actor.type == "person" else Q(pk__in=[])
    agreed = rights.systems_where(actor, Act.PAYLOADS_GRANT, approving=True)
    if agreed is None:
        return PayloadGrant.objects.all()
    return PayloadGrant.objects.filter(own | Q(system_id__in=agreed))


def may_ask(actor: Actor, system_id: uuid.UUID) -> bool:
    return rights.can(actor, Act.PAYLOADS_GRANT, Scope.system(system_id))

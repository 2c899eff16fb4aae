"""Reading alerts, webhook endpoints and their deliveries."""

from django.db.models import Case, Q, QuerySet, When

from governance import rights
from governance.acts import Act, Role
from governance.models import AISystem, Assignment, Person
from governance.scopes import ORGANISATION, Scope
from ledger.entries import Actor
from notices.models import Alert, Delivery, WebhookEndpoint

GAP = "accountability.gap"
WORST_FIRST = (Alert.Severity.CRITICAL, Alert.Severity.WARNING, Alert.Severity.INFO)


def alerts_for(who: Actor | Person) -> QuerySet[Alert]:
    """The alerts that somebody may see: those of systems that their role covers, and their own."""
    systems = rights.systems_where(who, Act.ALERT_VIEW)
    if systems is None:
        return Alert.objects.all()
    return Alert.objects.filter(Q(system_id__in=systems) | Q(owner_id=rights.as_actor(who).id))


def may_handle(who: Actor | Person, alert: Alert) -> bool:
    """Whether somebody may acknowledge and close it: whoever it was given to, whatever their role, and by role."""
    scope = Scope.system(alert.system_id) if alert.system_id else ORGANISATION
    is_owner = alert.owner_id is not None and alert.owner_id == rights.as_actor(who).id
    return is_owner or rights.can(who, Act.ALERT_HANDLE, scope)


def not_closed(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    """Those that wait for somebody, the worst first, then the newest."""
    weight = Case(*(When(severity=severity, then=place) for place, severity in enumerate(WORST_FIRST)))
    return alerts.exclude(status=Alert.Status.CLOSED).order_by(weight, "-id")


def recipients(alert: Alert) -> QuerySet[Person]:
    """Who is told: the owner while they are here, else the administrators; of a gap the deputies too, who stand in."""
    standing_in = rights.in_force().filter(role=Role.DEPUTY, scope=Assignment.Scope.SYSTEM, system_id=alert.system_id)
    deputies = Q(pk__in=standing_in.values("person_id")) if alert.kind == GAP and alert.system_id else Q(pk__in=[])
    if alert.owner_id and Person.objects.filter(pk=alert.owner_id, is_active=True).exists():
        return Person.objects.filter(Q(pk=alert.owner_id) | deputies)
    return Person.objects.filter(Q(pk__in=rights.administrators().values("person_id")) | deputies)


def endpoints_for(who: Actor | Person) -> QuerySet[WebhookEndpoint]:
    """The webhook endpoints that somebody may manage: those that tell of nothing beyond their AI systems."""
    systems = rights.systems_where(who, Act.WEBHOOK_MANAGE)
    if systems is None:
        return WebhookEndpoint.objects.all()
    return WebhookEndpoint.objects.filter(system_ids__contained_by=list(systems)).exclude(system_ids=[])


def systems_to_tell_of(who: Actor | Person) -> QuerySet[AISystem]:
    """The AI systems that somebody may have webhook endpoints told of."""
    systems = rights.systems_where(who, Act.WEBHOOK_MANAGE)
    return AISystem.objects.all() if systems is None else AISystem.objects.filter(pk__in=systems)


def deliveries_for(who: Actor | Person) -> QuerySet[Delivery]:
    """What goes to those endpoints, the newest first."""
    found = Delivery.objects.filter(endpoint__in=endpoints_for(who))
    return found.select_related("endpoint", "event").order_by("-id")

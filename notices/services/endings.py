"""Responsibility for live AI systems that ends by its date with nobody to follow: said 14, 7 and 1 days before."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import localtime

from governance import rights
from governance.acts import Role
from governance.models import AISystem, Assignment
from ledger.entries import SERVER, timestamp
from notices.letters import Facts, Letter, letter
from notices.models import Alert
from notices.outbox import tell
from notices.services.alerts import open_alert

DAYS_BEFORE = (1, 7, 14)


def warn_of_endings() -> int:
    """One alert for each end, and an e-mail at each step to whoever can do something. Returns how many ends are near.

    Somebody who was asked to follow and has not accepted yet closes no gap: it goes on until they have.
    """
    now = timezone.now()
    near = rights.answering().filter(
        ends_at__lte=now + timedelta(days=DAYS_BEFORE[-1]), system__status=AISystem.Status.LIVE
    )
    found = [(each, each.ends_at) for each in near.select_related("system", "person") if each.ends_at]
    for assignment, ends_at in found:
        _warn(assignment, ends_at, now)
    return len(found)


def _warn(assignment: Assignment, ends_at: datetime, now: datetime) -> None:
    facts = {"system": str(assignment.system_id), "person": str(assignment.person_id), "ends_at": timestamp(ends_at)}
    fingerprint = f"accountability.ending:{assignment.pk}:{ends_at:%Y-%m-%dT%H:%M}"
    open_alert(
        actor=SERVER,
        kind="accountability.ending",
        severity=Alert.Severity.WARNING,
        fingerprint=fingerprint,
        system_id=assignment.system_id,
        about_id=assignment.pk,
        owner_id=assignment.person_id,
        facts=facts,
        once=True,
    )
    days = next(days for days in DAYS_BEFORE if ends_at - now <= timedelta(days=days))
    with transaction.atomic():
        for person_id in _concerned(assignment):
            tell(
                person_id=person_id,
                kind="accountability.ends_soon",
                fingerprint=f"{fingerprint}:{days}",
                facts={"assignment": str(assignment.pk)},
                is_urgent=days == DAYS_BEFORE[0],
            )


def _concerned(assignment: Assignment) -> Iterable[uuid.UUID]:
    """Who answers, who stands in, and who can ask somebody to follow."""
    deputies = Q(role=Role.DEPUTY, system_id=assignment.system_id)
    administrators = Q(role=Role.ADMINISTRATOR, scope=Assignment.Scope.ORGANISATION)
    others = rights.in_force().filter(deputies | administrators).values_list("person_id", flat=True)
    return {assignment.person_id, *others}


@letter("accountability.ends_soon")
def _ends_soon(facts: Facts) -> Letter:
    held = Assignment.objects.select_related("person", "system").get(pk=uuid.UUID(facts["assignment"]))
    page = reverse("admin:governance_assignment_change", args=[held.pk])
    if held.ends_at is None or held.status != Assignment.Status.ACCEPTED:
        return Letter(f"Answered meanwhile: who answers for {held.system}", ["Nothing is left to do."], page)
    until = localtime(held.ends_at).strftime("%Y-%m-%d %H:%M %Z")
    lines = [
        f"{held.person} answers for {held.system} until {until}.",
        "Nobody has accepted to follow. Without somebody, every decision from then on is flagged.",
        "Hand it over: it passes at the moment the successor accepts.",
    ]
    return Letter(f"{held.system} is without an accountable person from {until}", lines, page)

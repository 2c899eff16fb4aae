"""E-mails about retention: to whoever agrees to a rule, and to those who may stop a purge."""

import uuid

from django.urls import reverse
from django.utils.timezone import localtime

from audit.models import Purge, RetentionRule
from governance import rights
from governance.acts import Act
from governance.models import AISystem, Person
from governance.scopes import ORGANISATION, Scope
from notices.approvals import asking
from notices.letters import Facts, Letter, letter
from notices.outbox import tell


def tell_of_purge(purge: Purge, kind: str) -> None:
    """Write to data protection officers, and to those who answer for what it takes. In the transaction of it."""
    found: dict[uuid.UUID, Person] = {each.pk: each for each in rights.holders(Act.RETENTION_CHANGE, ORGANISATION)}
    for part in purge.parts:
        place = Scope.system(uuid.UUID(part["system"])) if part["system"] else ORGANISATION
        found |= {each.pk: each for each in rights.holders(Act.RETENTION_CHANGE, place, approving=True)}
    facts = {"purge": str(purge.pk)}
    for person in found.values():
        tell(person_id=person.pk, kind=kind, fingerprint=f"{kind}:{purge.pk}:{purge.revision}", facts=facts)


@letter("retention.asked")
def _asked(facts: Facts) -> Letter:
    rule = RetentionRule.objects.select_related("retention_class").get(pk=uuid.UUID(facts["request"]))
    system = AISystem.objects.filter(pk=rule.system_id).first() if rule.system_id else None
    held = rule.retention_class
    until = f", at most {held.ceiling_days}" if held.ceiling_days else ""
    kept = f"keep {rule.get_kind_display()} of {system or 'the organisation'} for {held.floor_days} days{until}"
    return asking(
        by=rule.requested_by_id,
        wants=f"{kept} ({held})",
        why=[rule.reason],
        is_open=rule.status == RetentionRule.Status.REQUESTED,
        until=None,
        page=reverse("admin:retention"),
    )


@letter("retention.announced")
def _announced(facts: Facts) -> Letter:
    purge = Purge.objects.get(pk=uuid.UUID(facts["purge"]))
    at = localtime(purge.runs_at).strftime("%Y-%m-%d %H:%M %Z")
    lines = [
        f"What is past the ceiling of its class goes from {at} on, and cannot be brought back.",
        "Its page says what, how many, and what a legal hold keeps back. Until then you can stop it there.",
    ]
    return Letter(f"A purge is announced for {localtime(purge.runs_at):%Y-%m-%d}", lines, _page(purge))


@letter("retention.held")
def _held(facts: Facts) -> Letter:
    purge = Purge.objects.get(pk=uuid.UUID(facts["purge"]))
    lines = ["Nothing more of it goes. What is past its time is announced again after a week."]
    return Letter("A purge was stopped", lines, _page(purge))


@letter("retention.part_held")
def _part_held(facts: Facts) -> Letter:
    purge = Purge.objects.get(pk=uuid.UUID(facts["purge"]))
    lines = [
        "Whoever answers for an AI system keeps it out of this purge; the rest goes on. Its page says which and why."
    ]
    return Letter("Part of a purge was stopped", lines, _page(purge))


@letter("retention.done")
def _done(facts: Facts) -> Letter:
    purge = Purge.objects.get(pk=uuid.UUID(facts["purge"]))
    lines = [
        "Its page says what went and what was kept back.",
        "Who may know of all of it has its signed report there.",
    ]
    return Letter("A purge is over", lines, _page(purge))


def _page(purge: Purge) -> str:
    return reverse("admin:purge", args=[purge.pk])

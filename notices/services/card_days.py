"""Days that system cards name: said 14, 7 and 1 days before, and when they have passed, to whoever sees to them."""

import uuid

from django.db import transaction
from django.urls import reverse

from governance.cards.days import DAYS_BEFORE, RETIREMENT, REVIEW, CardDay, days_near, days_of, seen_to_by
from governance.models import AISystem
from governance.selectors import card_in_force
from ledger.entries import SERVER
from notices.letters import Facts, Letter, letter
from notices.models import Alert
from notices.outbox import tell
from notices.services.alerts import close_what_ended, open_alert

PASSED = "passed"


def remind_of_card_days() -> int:
    """Write to the accountable person and the technical owners; one alert for each day that has passed, closed as soon
    as no card in force names it any more. Returns how many days are near or have passed."""
    found = days_near()
    for each in found:
        _remind(each)
    alerts = [_alert(each).pk for each in found if each.is_over]
    standing = Alert.objects.filter(kind="card.day_passed").exclude(status=Alert.Status.CLOSED)
    for alert in standing.exclude(pk__in=alerts):
        close_what_ended(alert_id=alert.pk, note="The card in force names another day, or its AI system has retired.")
    return len(found)


def _remind(found: CardDay) -> None:
    step = PASSED if found.is_over else next(days for days in DAYS_BEFORE if found.days_left <= days)
    with transaction.atomic():
        for person_id in seen_to_by(found.card.system_id):
            tell(
                person_id=person_id,
                kind="card.day_due",
                fingerprint=f"{_name(found)}:{step}",
                facts={"system": str(found.card.system_id), "what": found.what, "day": found.day.isoformat()},
            )


def _alert(found: CardDay) -> Alert:
    return open_alert(
        actor=SERVER,
        kind="card.day_passed",
        severity=Alert.Severity.WARNING,
        fingerprint=_name(found),
        system_id=found.card.system_id,
        about_id=found.card.pk,
        facts={"system": str(found.card.system_id), "card": str(found.card.pk), "card_day": found.what}
        | {"due_on": found.day.isoformat()},
        once=True,
    )


def _name(found: CardDay) -> str:
    """The day of an AI system, whichever card says it: the next card that names the same one is no news."""
    return f"card.{found.what}:{found.card.system_id}:{found.day.isoformat()}"


@letter("card.day_due")
def _day_due(facts: Facts) -> Letter:
    system = AISystem.objects.get(pk=uuid.UUID(facts["system"]))
    card = card_in_force(system.pk)
    named = {(each.what, each.day.isoformat()): each for each in (days_of(card) if card else [])}
    due = named.get((facts["what"], facts["day"]))
    if card is None or due is None:
        page = reverse("admin:cards", args=[system.pk])
        return Letter(
            f"Seen to meanwhile: a day that a system card of {system} named", ["Nothing is left to do."], page
        )
    subject = f"{due.title} of {system}: {'passed on' if due.is_over else 'due by'} {facts['day']}"
    page = reverse("admin:card", args=[system.pk, card.number])
    return Letter(subject, [f"Card {card.number} names this day.", SEE_TO[due.what]], page)


SEE_TO = {
    REVIEW: "Does the card still say what is so? Publish the next one, with the day of the review after it.",
    RETIREMENT: "Retire the AI system, or publish a card that plans another day.",
}

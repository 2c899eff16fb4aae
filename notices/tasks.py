"""Tasks of notices. Each sweeps rows that wait, so a lost message loses nothing; running twice does no harm."""

import time
from uuid import UUID

from celery import shared_task

from notices import approvals, credentials
from notices.lockouts import tell_lock_outs
from notices.services import card_days, endings, escalation, fan_out, gaps, mailing, sending, term_days
from notices.services.alerts import seal_waiting_alerts

PATIENCE = 30.0  # seconds for which one task goes on with what waits for the same endpoint


@shared_task
def seal_waiting_alerts_task() -> int:
    return seal_waiting_alerts()


@shared_task
def tell_lock_outs_task() -> int:
    return tell_lock_outs()


@shared_task
def ask_about_the_register_task() -> int:
    return approvals.ask_about_the_register()


@shared_task
def tell_credential_changes_task() -> int:
    return credentials.tell_credential_changes()


@shared_task
def escalate_alerts_task() -> int:
    return escalation.escalate_alerts()


@shared_task
def alert_gaps_task() -> int:
    return gaps.alert_gaps()


@shared_task
def warn_of_endings_task() -> int:
    return endings.warn_of_endings()


@shared_task
def remind_of_terms_task() -> int:
    return term_days.remind_of_terms()


@shared_task
def remind_of_card_days_task() -> int:
    return card_days.remind_of_card_days()


@shared_task
def send_webhooks_task() -> int:
    """Make the deliveries of what happened, and hand out those that are due."""
    fan_out.fan_out()
    due = sending.due_deliveries()
    for delivery_id in due:
        deliver_task.delay(str(delivery_id))
    return len(due)


@shared_task
def deliver_task(delivery_id: str) -> int:
    """Send one, and then what waits for the same endpoint."""
    until, sent, current = time.monotonic() + PATIENCE, 0, UUID(delivery_id)
    while sending.deliver(current):
        sent += 1
        following = sending.next_after(current)
        if following is None or time.monotonic() > until:
            break
        current = following
    return sent


@shared_task
def send_mails_task() -> int:
    return mailing.send_mails()


@shared_task
def disable_orphans_task() -> int:
    return fan_out.disable_orphans()


@shared_task
def forget_old_task() -> int:
    return sending.forget_old()

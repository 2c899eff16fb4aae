"""Beat tasks of notices."""

from celery import shared_task

from notices.services import seal_waiting_alerts


@shared_task
def seal_waiting_alerts_task() -> int:
    return seal_waiting_alerts()

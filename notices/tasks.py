"""Beat tasks of notices."""

from celery import shared_task

from notices.lockouts import tell_lock_outs
from notices.services import seal_waiting_alerts


@shared_task
def seal_waiting_alerts_task() -> int:
    return seal_waiting_alerts()


@shared_task
def tell_lock_outs_task() -> int:
    return tell_lock_outs()

"""Beat tasks of the register."""

from celery import shared_task
from django.core.management import call_command

from governance.changes import forget_old_changes
from governance.services.answering import settle_passed_gaps
from governance.services.lockouts import forget_old_attempts


@shared_task
def forget_old_changes_task() -> int:
    return forget_old_changes()


@shared_task
def settle_gaps_task() -> int:
    return settle_passed_gaps()


@shared_task
def clear_sessions_task() -> None:
    """A session says who was signed in and when: nothing keeps it once it has expired."""
    call_command("clearsessions")


@shared_task
def forget_old_attempts_task() -> int:
    return forget_old_attempts()

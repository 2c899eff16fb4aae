"""Beat tasks of the register."""

from celery import shared_task

from governance.changes import forget_old_changes


@shared_task
def forget_old_changes_task() -> int:
    return forget_old_changes()

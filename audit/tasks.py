"""Beat tasks of the record."""

from celery import shared_task

from audit.services.tallying import forget_old_tallies, tally_decisions
from ledger.entries import SERVER


@shared_task
def tally_decisions_task() -> str:
    return tally_decisions(actor=SERVER).isoformat()


@shared_task
def forget_old_tallies_task() -> int:
    return forget_old_tallies(actor=SERVER)

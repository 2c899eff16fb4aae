"""Beat tasks of the record."""

from celery import shared_task

from audit.services.incident_clocks import watch_clocks
from audit.services.saved_filters import forget_filters_of_leavers, forget_searches_of_nobody
from audit.services.search_runs import end_left_searches
from audit.services.tallying import forget_old_tallies, tally_decisions
from ledger.entries import SERVER


@shared_task
def tally_decisions_task() -> str:
    return tally_decisions(actor=SERVER).isoformat()


@shared_task
def forget_old_tallies_task() -> int:
    return forget_old_tallies(actor=SERVER)


@shared_task
def watch_clocks_task() -> int:
    return watch_clocks()


@shared_task
def forget_searches_of_nobody_task() -> int:
    return forget_searches_of_nobody(actor=SERVER)


@shared_task
def end_left_searches_task() -> int:
    forget_filters_of_leavers(actor=SERVER)
    return end_left_searches(actor=SERVER)

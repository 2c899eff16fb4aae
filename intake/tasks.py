"""Beat tasks of intake. Each sweeps rows that wait, so a lost message loses nothing; running twice does no harm."""

from celery import shared_task

from intake.services import sources, sweeps, tailing


@shared_task
def seal_arrivals_task() -> int:
    return sweeps.seal_arrivals()


@shared_task
def expire_quarantine_task() -> int:
    return sweeps.expire_quarantine()


@shared_task
def alert_conflicts_task() -> int:
    return sweeps.alert_conflicts()


@shared_task
def tail_sources_task() -> int:
    return tailing.tail_sources()


@shared_task
def seal_heartbeats_task() -> int:
    return sources.seal_heartbeats()


@shared_task
def place_sources_task() -> int:
    return sources.place_sources()


@shared_task
def alert_silence_task() -> int:
    return sources.alert_silence()

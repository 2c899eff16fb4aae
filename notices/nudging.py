"""Having what waits looked at now, and not by the next sweep."""

import threading

import structlog
from celery import current_app
from django.db import transaction

SENDS = "notices.tasks.send_webhooks_task"
COUNTS_SECONDS = 10
"""By then a sweep has come: workers that were away have no heap of these to work off."""

logger = structlog.get_logger(__name__)


def nudge(task: str = SENDS) -> None:
    """Have the outbox, or what another task sweeps, looked at as soon as this transaction is there.

    By a thread of its own: no stop and no request waits for a broker. One that is down changes nothing but that the
    sweep is the first to look. The thread is waited for when the process ends, so a command's nudge is not lost.
    """

    def begin() -> None:
        # no partial: where it fails, Django names what it called, and such have no name
        _begin(task)

    transaction.on_commit(begin, robust=True)


def _begin(task: str) -> None:
    threading.Thread(target=_look_now, args=[task], name="nudge").start()


def _look_now(task: str) -> None:
    try:
        current_app.send_task(task, expires=COUNTS_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever it is, the sweep comes; that the broker is down readiness says
        logger.warning("notices.not_nudged", exception=type(error).__qualname__)

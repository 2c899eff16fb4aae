"""What becomes of reviews by itself. The rows say what is due; a lost message loses nothing."""

from celery import shared_task

from ledger.entries import SERVER
from overrides.services.claiming import end_lapsed_claims
from overrides.services.deadlines import (
    announce_decided,
    apply_capacity,
    apply_deadlines,
    tell_of_deadlines,
    withdraw_stopped,
)


@shared_task
def announce_decided_task() -> int:
    return announce_decided(actor=SERVER)


@shared_task
def review_deadlines_task() -> int:
    return apply_deadlines(actor=SERVER) + apply_capacity(actor=SERVER) + withdraw_stopped(actor=SERVER)


@shared_task
def tell_of_deadlines_task() -> int:
    return tell_of_deadlines(actor=SERVER)


@shared_task
def end_lapsed_claims_task() -> int:
    return end_lapsed_claims(actor=SERVER)

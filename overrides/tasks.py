"""Beat tasks of human control. Each sweeps rows that wait, so a lost message loses nothing; twice does no harm."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from ledger.entries import SERVER
from overrides.services import (
    acknowledging,
    breaches,
    confirming,
    drill_debts,
    drill_running,
    loosening,
    parameter_requests,
    probing,
    recovery,
    switches,
)
from overrides.services.case_leads import watch_leads
from overrides.services.claiming import end_lapsed_claims
from overrides.services.deadlines import (
    announce_decided,
    apply_capacity,
    apply_deadlines,
    tell_of_deadlines,
    withdraw_stopped,
)
from overrides.services.overriding import expire_overrides
from overrides.services.rule_requests import expire_rule_changes

LEADS_LOOKED_BACK = timedelta(minutes=20)
"""Several runs of the sweep: what committed late is seen by the next one, what all of them missed once a day."""


@shared_task
def seal_waiting_task() -> int:
    return switches.seal_waiting_switches() + recovery.seal_recoveries()


@shared_task
def watch_changes_task() -> int:
    return confirming.watch_changes()


@shared_task
def lapse_emergency_clears_task() -> int:
    return switches.lapse_emergency_clears()


@shared_task
def void_passed_requests_task() -> int:
    waiting = expire_overrides(actor=SERVER) + expire_rule_changes(actor=SERVER)
    return loosening.void_passed_requests() + waiting


@shared_task
def alert_breaches_task() -> int:
    return breaches.alert_breaches()


@shared_task
def seal_break_glass_task() -> int:
    return acknowledging.seal_break_glass()


@shared_task
def forget_instances_task() -> int:
    return acknowledging.forget_instances()


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


@shared_task
def sweep_parameters_task() -> int:
    return parameter_requests.sweep_parameters()


@shared_task
def watch_drills_task() -> int:
    return drill_running.watch_drills()


@shared_task
def alert_overdue_drills_task() -> int:
    return drill_debts.alert_overdue()


@shared_task
def send_probe_task() -> str:
    return str(probing.send_probe() or "")


@shared_task
def alert_not_armed_task() -> int:
    return probing.alert_not_armed()


@shared_task
def watch_leads_task() -> int:
    return watch_leads(since=timezone.now() - LEADS_LOOKED_BACK)


@shared_task
def watch_every_lead_task() -> int:
    return watch_leads()

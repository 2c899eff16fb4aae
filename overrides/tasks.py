"""Beat tasks of human control. Each sweeps rows that wait, so a lost message loses nothing; twice does no harm."""

from celery import shared_task

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
    return loosening.void_passed_requests()


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

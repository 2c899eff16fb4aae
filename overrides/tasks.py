"""Beat tasks of human control."""

from celery import shared_task

from overrides.services.parameter_requests import sweep_parameters


@shared_task
def sweep_parameters_task() -> int:
    return sweep_parameters()

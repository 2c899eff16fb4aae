"""Celery's settings, for the kind of broker at hand."""

import warnings
from typing import Any

from celery.platforms import SecurityWarning
from django.conf import settings

VISIBILITY_TIMEOUT = 120  # seconds after which Redis or Valkey hands an unfinished message to somebody else


def _is_rabbitmq(url: str) -> bool:
    return url.startswith(("amqp:", "amqps:", "pyamqp:"))


def _transport_options(url: str) -> dict[str, Any]:
    if _is_rabbitmq(url):
        return {"max_retries": 1}
    return {
        "visibility_timeout": VISIBILITY_TIMEOUT,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # a request that wants to nudge a task must not wait for a broker that is down
        "socket_connect_timeout": 2,
        "socket_timeout": 10,
        "max_retries": 1,
    }


broker_url = settings.BROKER_URL
broker_transport_options = _transport_options(broker_url)
broker_connection_retry_on_startup = True
task_publish_retry = False  # the sweep finds what was not nudged
task_serializer = "json"
accept_content = ["json"]
# What waits for other people's servers has workers of its own, in threads: a slow receiver holds nothing else up.
OUTGOING = "outgoing"
WAITING = {
    "notices.tasks": ("send_webhooks", "deliver", "send_mails"),
    "evidence.tasks": ("anchor_checkpoints", "anchor", "look_at_witnesses", "look_at_witness"),
}
task_routes = {f"{where}.{name}_task": {"queue": OUTGOING} for where, names in WAITING.items() for name in names}
# Making an export takes long, and gives way to everything else: a worker of its own too.
EXPORTS = "exports"
# Where each host has a folder of its own, whoever made a file is the one who can delete it.
task_routes |= {f"evidence.tasks.{name}_exports_task": {"queue": EXPORTS} for name in ("run", "sweep")}
task_acks_late = True
task_reject_on_worker_lost = True
task_ignore_result = True
worker_prefetch_multiplier = 1
worker_cancel_long_running_tasks_on_connection_loss = True  # the broker hands them out again
# below VISIBILITY_TIMEOUT, or a long task runs twice at once; no countdown or eta above it either
task_time_limit = 100
task_soft_time_limit = 90
timezone = "UTC"

if _is_rabbitmq(broker_url):  # 4 or later
    task_default_queue_type = "quorum"
    task_default_exchange_type = "topic"
    worker_detect_quorum_queues = True
    broker_native_delayed_delivery_queue_type = "quorum"

# Messages are JSON only, so a worker that runs as root is no way in for a forged one, and people do install as root.
warnings.filterwarnings("ignore", message=r"\s*You're running the worker with superuser", category=SecurityWarning)

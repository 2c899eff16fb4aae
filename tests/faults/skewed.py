"""The control process of a host whose clock is off by `SKEW_HOURS`. Never shipped."""

import os
from datetime import UTC, datetime, timedelta

import time_machine

# for as long as the process lives, and before Django reads the clock for the first time
time_machine.travel(datetime.now(UTC) + timedelta(hours=float(os.environ["SKEW_HOURS"]))).start()

from config.asgi import application  # noqa: E402

__all__ = ["application"]

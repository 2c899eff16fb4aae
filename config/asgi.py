"""The control process: state, flags, streams and long polls on the event loop, and the rest of Django in threads.

A process of its own, so that a flooded intake slows no stop: with its own threads, and so its own few connections.
"""

import gc
import os
import resource

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_django = get_wsgi_application()

from config.wsgi_in_threads import InThreads  # noqa: E402 - Django's apps have to be loaded first
from overrides.clients.lane import ControlLane, is_urgent  # noqa: E402
from overrides.clients.waiting import Watched  # noqa: E402
from overrides.effective import versions_of  # noqa: E402

THREADS, KEPT = 16, 4
"""Requests to Django at once, and connections to the database; so many are kept for what stops and starts again."""

# each stream is an open file, and the usual soft limit of 1,024 is fewer than a process holds
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(_most, 65_536) if _most > 0 else 65_536, _most))

_threads = InThreads(_django, threads=THREADS, kept=KEPT, is_urgent=is_urgent)
application = ControlLane(_threads, watched=Watched(versions_of))
gc.collect()
gc.freeze()  # what start-up made lives as long as the process

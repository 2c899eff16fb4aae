"""The WSGI application: API and admin."""

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

# What start-up made lives as long as the process. Out of the collector's sight, and with wider steps (config/), a full
# collection is rare and short: else it walks all of Django and every decision under way, many times a batch.
gc.collect()
gc.freeze()

# A committer waits for the database a dozen times a group, and each time for the interpreter when the answer is there.
# At Python's own 5 ms a request that is being decoded beside it would hold the log's lock for tens of milliseconds.
sys.setswitchinterval(0.0005)

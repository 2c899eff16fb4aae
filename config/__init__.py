"""The roof and the ground of the project; Celery's application is loaded with Django, as its shared tasks need."""

import gc

# Start-up and migrations make some million objects that stay. At Python's own step of 700 they are walked so often that
# every start takes a quarter longer.
gc.set_threshold(50_000, 20, 100)

from config.celery import app as celery_app  # noqa: E402 - it imports most of what is there

__all__ = ("celery_app",)

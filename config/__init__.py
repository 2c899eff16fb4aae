"""The roof and the ground of the project; Celery's application is loaded with Django, as its shared tasks need."""

from config.celery import app as celery_app

__all__ = ("celery_app",)

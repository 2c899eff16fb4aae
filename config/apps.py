"""The ground floor as Django applications: its system checks, and the one admin site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class GroundConfig(AppConfig):
    name = "config"
    label = "ground"
    verbose_name = "Answerable"

    def ready(self) -> None:
        from config import checks  # noqa: F401  registers the checks


class AnswerableAdminConfig(AdminConfig):
    """Django's admin with our site in the place of `admin.site`, so that `@admin.register` finds it."""

    default_site = "config.admin.AnswerableAdminSite"

"""The ground floor as Django applications: its system checks, and the one admin site."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib.admin import autodiscover
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks
from django.core.checks import CheckMessage


class GroundConfig(AppConfig):
    name = "config"
    label = "ground"
    verbose_name = "Answerable"

    def ready(self) -> None:
        from config import checks  # noqa: F401  registers the checks


class AnswerableAdminConfig(SimpleAdminConfig):
    """Django's admin with our site in the place of `admin.site`, so that `@admin.register` finds it.

    Its pages are imported with the addresses (config/urls.py): workers and commands have none, and take half as long.
    """

    default_site = "config.admin.AnswerableAdminSite"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_pages, checks.Tags.admin)


def _check_pages(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """Django's own, once all pages are there."""
    autodiscover()
    return list(check_admin_app(app_configs, **options))

"""System checks that ask the database: `manage.py check --database default`, as the container's set-up does."""

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from governance.origins import foreign_registry
from ledger.models import Log


@register(Tags.database)
def origin_is_that_of_the_logs(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Readiness says the same while the service runs; this stops a set-up before anything is opened."""
    if "default" not in (databases or ()) or Log._meta.db_table not in connection.introspection.table_names():
        return []
    registry = foreign_registry()
    if registry is None:
        return []
    born = registry.rpartition("/logs/")[0]
    text = f"The logs in the database are those of {born}, but ANSWERABLE_ORIGIN is {settings.ORIGIN}."
    hint = f"An installation keeps the name it was born with: set ANSWERABLE_ORIGIN to {born}."
    return [Error(text, hint=hint, id="answerable.E012")]

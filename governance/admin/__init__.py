"""The register's pages in the web admin, one module for each kind of row."""

from django.contrib import admin
from django.contrib.auth import admin as _  # noqa: F401 - it registers the page of groups
from django.contrib.auth.models import Group

from governance.admin import (
    accounts,
    data_sources,
    environments,
    fail_policies,
    people,
    systems,
    versions,
)

admin.site.unregister(Group)  # rights come from assignments: a page of Django's groups would only mislead

__all__ = [
    "accounts",
    "data_sources",
    "environments",
    "fail_policies",
    "people",
    "systems",
    "versions",
]

"""The register's pages in the web admin, one module for each kind of row."""

from governance.admin import accounts, assignments, environments, people, systems, versions

__all__ = ["accounts", "assignments", "environments", "people", "systems", "versions"]

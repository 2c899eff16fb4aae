"""The register's pages in the web admin, one module for each kind of row."""

from governance.admin import accounts, assignments, people, systems, versions

__all__ = ["accounts", "assignments", "people", "systems", "versions"]

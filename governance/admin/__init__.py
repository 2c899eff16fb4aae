"""The register's pages in the web admin, one module for each kind of row."""

from governance.admin import accounts, assignments, environments, fail_policies, people, systems, versions

__all__ = ["accounts", "assignments", "environments", "fail_policies", "people", "systems", "versions"]

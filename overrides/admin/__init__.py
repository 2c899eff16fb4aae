"""Pages of human control in the web admin, one module for each family of rows."""

from overrides.admin import parameter_requests, parameters

__all__ = ["parameter_requests", "parameters"]

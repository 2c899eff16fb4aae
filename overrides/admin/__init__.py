"""Pages of human control in the web admin, one module for each family of rows."""

from overrides.admin import assignments, drills, parameter_requests, parameters, review_queues, review_rules

__all__ = ["assignments", "drills", "parameter_requests", "parameters", "review_queues", "review_rules"]

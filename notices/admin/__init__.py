"""Alerts in the web admin."""

from notices.admin import alerts

__all__ = ["alerts"]

"""Alerts, webhook endpoints and e-mails in the web admin."""

from notices.admin import alerts, endpoints, messages

__all__ = ["alerts", "endpoints", "messages"]

"""Alerts, webhook endpoints, deliveries and e-mails."""

from notices.services.alerts import acknowledge_alert, close_alert, open_alert, seal_waiting_alerts

__all__ = ["acknowledge_alert", "close_alert", "open_alert", "seal_waiting_alerts"]

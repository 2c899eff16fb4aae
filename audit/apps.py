from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from audit import case_letters, event_types, grant_letters  # noqa: F401 - what we tell

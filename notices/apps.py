from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "notices"

    def ready(self) -> None:
        from notices import approvals, credentials  # noqa: F401 - they declare the words of our e-mails

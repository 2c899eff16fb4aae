from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "notices"

    def ready(self) -> None:
        from notices import approvals, credentials  # noqa: F401 - they declare the words of our e-mails
        from notices.services import card_days, endings, term_days  # noqa: F401 - so do they

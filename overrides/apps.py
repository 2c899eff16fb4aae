from django.apps import AppConfig


class OverridesConfig(AppConfig):
    name = "overrides"
    verbose_name = "Human control"

    def ready(self) -> None:
        from overrides import review_letters  # noqa: F401 - declares the words of our e-mails

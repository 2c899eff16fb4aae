from django.apps import AppConfig


class OverridesConfig(AppConfig):
    name = "overrides"
    verbose_name = "Human control"

    def ready(self) -> None:
        from overrides import approval_letters, control_letters, event_types, review_letters  # noqa: F401 - what we tell

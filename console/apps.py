from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"

    def ready(self) -> None:
        from console import letters  # noqa: F401  its declarations are what it is imported for

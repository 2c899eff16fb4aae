from django.apps import AppConfig


class EvidenceConfig(AppConfig):
    name = "evidence"

    def ready(self) -> None:
        from evidence import checks  # noqa: F401  registers the checks
        from evidence.exports import letters  # noqa: F401 - what we tell

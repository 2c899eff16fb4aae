from django.apps import AppConfig


class EvidenceConfig(AppConfig):
    name = "evidence"

    def ready(self) -> None:
        from evidence import (
            checks,  # noqa: F401  registers the checks
            custody_letters,  # noqa: F401 - what we tell
        )
        from evidence.erasure import telling as of_erasures  # noqa: F401 - what we tell
        from evidence.exports import letters  # noqa: F401 - what we tell
        from evidence.retention import telling as of_retention  # noqa: F401

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "governance"

    def ready(self) -> None:
        from governance import checks  # noqa: F401  registers the checks
        from governance.api import description  # noqa: F401  registers the security scheme
        from governance.sign_in import steps  # noqa: F401  hears of every sign-in

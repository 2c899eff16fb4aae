from django.apps import AppConfig, apps
from django.db.models import ForeignKey


class GovernanceConfig(AppConfig):
    name = "governance"

    def ready(self) -> None:
        from governance import checks  # noqa: F401  registers the checks
        from governance.api import description  # noqa: F401  registers the security scheme
        from governance.sign_in import steps  # noqa: F401  hears of every sign-in

        self._name_systems()

    def _name_systems(self) -> None:
        """`system` is an AI system wherever a page says it. For all models at once."""
        system = self.get_model("AISystem")
        for model in apps.get_models():
            for field in model._meta.local_fields:
                if isinstance(field, ForeignKey) and field.name == "system" and field.related_model is system:
                    field.verbose_name = "AI system"

"""The name this installation is configured under, held against the one its logs were born with."""

from django.conf import settings

from governance.errors import ForeignOrigin
from ledger.models import Log


def foreign_registry() -> str | None:
    """The origin of the registry log where it is not under `ANSWERABLE_ORIGIN`; None where all is well."""
    registry = Log.objects.filter(kind=Log.Kind.REGISTRY).order_by("-sequence").first()
    if registry is None or registry.origin.startswith(f"{settings.ORIGIN}/logs/"):
        return None
    return registry.origin


def require_own_origin() -> None:
    """Before a log is opened: it would keep a name that is not its registry's. Errors: `ForeignOrigin`."""
    if foreign_registry() is not None:
        raise ForeignOrigin()

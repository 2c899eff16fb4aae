"""Rows that an address of the API names, for those who may see them."""

from rest_framework.request import Request

from governance import rights
from governance.acts import Act
from governance.api.authentication import person_of
from governance.errors import SystemNotFound
from governance.models import AISystem
from governance.register import KeyGrant
from governance.services.systems import system_by_slug


def visible_system(request: Request, slug: str) -> AISystem:
    """Errors: `SystemNotFound`, the same for one out of sight and for none."""
    found = system_by_slug(slug)
    if isinstance(request.auth, KeyGrant):
        is_seen = found.pk in request.auth.system_ids
    else:
        systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        is_seen = systems is None or found.pk in systems
    if not is_seen:
        raise SystemNotFound(f"No AI system has the slug '{slug}'.")
    return found

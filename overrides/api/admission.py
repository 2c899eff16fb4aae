"""Who may call what concerns control: people by personal token, services by key."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from governance.api.authentication import HasScope, PersonGrant

if TYPE_CHECKING:  # as in governance.api.authentication
    from rest_framework.views import APIView


class PersonOrKey(BasePermission):
    """A signed-in person, or a key of one of these scopes. What each may then do, the service decides."""

    def __init__(self, *scopes: str) -> None:
        self.by_key = HasScope(*scopes)

    def __call__(self) -> "PersonOrKey":
        return self

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, PersonGrant) or self.by_key.has_permission(request, view)

"""Going live and retiring over the API, for the people who may on the pages too."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.authentication import IsPerson, KeyAuthentication, PersonAuthentication, actor_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.systems import SystemOutput
from governance.api.visible import visible_system
from governance.services.systems import retire_system, take_live

TAGS = ["register"]


class _Api(APIView):
    # a service key is known, and told that a person is needed
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes = (IsPerson,)


class SystemLiveApi(_Api):
    """Saying that an AI system is in use."""

    @extend_schema(operation_id="system_go_live", request=None, responses=SystemOutput, tags=TAGS)
    def post(self, request: Request, slug: str) -> Response:
        """Take it live, as the accountable person. 409 `system-not-ready` names in `errors` what is missing."""
        checked(StrictSerializer, request)
        system = visible_system(request, slug)
        return Response(SystemOutput(take_live(actor=actor_of(request), system_id=system.pk)).data)


class SystemRetireApi(_Api):
    """Saying that it is not in use any more."""

    class Reason(StrictSerializer):
        reason = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(operation_id="system_retire", request=Reason, responses=SystemOutput, tags=TAGS)
    def post(self, request: Request, slug: str) -> Response:
        """Retire it, as the accountable person. Its record stays."""
        given, system = checked(self.Reason, request), visible_system(request, slug)
        return Response(SystemOutput(retire_system(actor=actor_of(request), system_id=system.pk, **given)).data)

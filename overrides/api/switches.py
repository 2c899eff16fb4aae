"""Switches over the API: tightening by people and keys, reading, and the emergency clear of one person."""

import uuid
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.errors import Forbidden
from governance import rights
from governance.acts import Act
from governance.api.authentication import (
    KeyAuthentication,
    KeyGrant,
    PersonAuthentication,
    actor_of,
    require_fresh,
)
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.errors import KeyOutOfScope
from governance.models import AISystem, ServiceKey
from governance.models.systems import clear, slug
from overrides.api.states import (
    IN_FLIGHT,
    MODES,
    ChangeOutput,
    ConfirmationOutput,
    Shown,
    SwitchOutput,
    TightenedOutput,
    change_json,
    confirmation_json,
    switch_json,
    switches_json,
)
from overrides.errors import ChangeNotFound
from overrides.models import Switch, SwitchChange
from overrides.services.confirming import confirmation_of
from overrides.services.loosening import emergency_clear
from overrides.services.switches import tighten
from overrides.standing import Epoch, InFlight, Mode, Node

BOTH: Any = (PersonAuthentication, KeyAuthentication)
NONE: Any = ()
READING = (ServiceKey.Scope.CONTROL_READ, ServiceKey.Scope.CONTROL_TIGHTEN)


class EpochField(StrictCharField):
    """`<generation>.<number>`."""

    def to_internal_value(self, data: Any) -> Any:
        found = Epoch.parse(super().to_internal_value(data))
        if found is None:
            raise serializers.ValidationError("An epoch is two whole numbers with a dot between them.")
        return found


class TightenApi(APIView):
    """Set a switch to a more restrictive mode."""

    is_open_without_factor = True
    authentication_classes = BOTH
    permission_classes = NONE
    throttle_classes = NONE

    class Tighten(StrictSerializer):
        system = StrictCharField(
            allow_null=True, max_length=100, help_text="The AI system's slug; null is everything, and takes a person."
        )
        environment = StrictCharField(
            required=False, allow_null=True, allow_blank=True, max_length=100, validators=[slug]
        )
        model_version = StrictCharField(
            required=False, allow_null=True, allow_blank=True, max_length=100, validators=[clear]
        )
        capability = StrictCharField(
            required=False, allow_null=True, allow_blank=True, max_length=100, validators=[clear]
        )
        mode = serializers.ChoiceField(MODES[1:])
        reason_code = StrictCharField(max_length=100, validators=[clear], trim_whitespace=False)
        in_flight = serializers.ChoiceField(IN_FLIGHT, default=InFlight.HOLD.value)
        note = StrictCharField(required=False, allow_blank=True, max_length=10_000, default="")

    @extend_schema(operation_id="control_tighten", request=Tighten, responses=TightenedOutput, tags=["control"])
    def post(self, request: Request) -> Response:
        """Stop, or restrict, AI systems. One person, or a key with `control:tighten`, is enough.

        A key acts in its own environment. What is as restrictive already stays as it is, and the answer is the same.
        `sealed` is false where the log takes no entry now: the switch is in force all the same.
        """
        actor = actor_of(request)
        given = checked(self.Tighten, request)
        done = tighten(
            actor=actor,
            node=_node(request, given),
            mode=Mode(given["mode"]),
            reason_code=given["reason_code"],
            in_flight=InFlight(given["in_flight"]),
            note=given["note"],
            source="api",
        )
        change = change_json(confirmation_of(done.change))
        found = {"switch": switch_json(done.switch), "epoch": str(done.epoch), "change": change}
        return Response(found | {"sealed": done.is_sealed})


def _node(request: Request, given: dict[str, Any]) -> Node:
    names: dict[str, Any] = {name: given.get(name) or "" for name in ("environment", "model_version", "capability")}
    grant = request.auth
    if isinstance(grant, KeyGrant):
        grant.require(ServiceKey.Scope.CONTROL_TIGHTEN)
        if given["system"] is None or names["environment"] not in ("", grant.environment):
            raise KeyOutOfScope()
        return Node(system_id=grant.system(given["system"]).id, **names | {"environment": grant.environment})
    if given["system"] is None:
        return Node(**names)
    system = AISystem.objects.filter(slug=given["system"]).first()
    if system is None:
        raise Forbidden()
    return Node(system_id=system.pk, **names)


class SwitchPage(serializers.Serializer[Any]):
    """Every switch that says more than run."""

    items = SwitchOutput(many=True)


class SwitchesApi(APIView):
    """The switches in force."""

    is_open_without_factor = True
    authentication_classes = BOTH
    permission_classes = NONE
    throttle_classes = NONE

    @extend_schema(operation_id="control_switches", responses=SwitchPage, tags=["control"])
    def get(self, request: Request) -> Response:
        """List the switches that say more than run, for AI systems within reach and for everything."""
        found = reachable(request, Switch.objects.exclude(mode=Mode.RUN)).order_by("generation", "number")
        return Response({"items": switches_json(found)})


def reachable(request: Request, switches: QuerySet[Switch]) -> QuerySet[Switch]:
    """Those that concern what the key reaches, or the person may see; global ones concern everybody."""
    actor, grant = actor_of(request), request.auth
    if isinstance(grant, KeyGrant):
        if not any(grant.allows(scope) for scope in READING):
            raise KeyOutOfScope()
        places = switches.filter(environment__in=["", grant.environment])
        return places.filter(system_id__in=grant.system_ids) | places.filter(system_id=None)
    systems = rights.systems_where(actor, Act.SYSTEM_VIEW)
    if systems is None:
        return switches
    return switches.filter(system_id__in=systems) | switches.filter(system_id=None)


class ChangeApi(APIView):
    """One change of a switch."""

    is_open_without_factor = True
    authentication_classes = BOTH
    permission_classes = NONE
    throttle_classes = NONE

    @extend_schema(operation_id="control_change", responses=ConfirmationOutput, tags=["control"])
    def get(self, request: Request, change_id: uuid.UUID) -> Response:
        """Who confirmed a change of a switch, who only saw it, who is silent, who decides without ever asking."""
        within = reachable(request, Switch.objects.all())
        change = SwitchChange.objects.select_related("switch").filter(pk=change_id, switch__in=within).first()
        if change is None:
            raise ChangeNotFound()
        return Response(confirmation_json(confirmation_of(change), _shown(request)))


def _shown(request: Request) -> Shown | None:
    grant = request.auth
    if isinstance(grant, KeyGrant):
        return lambda each: each.system_id in grant.system_ids and each.environment == grant.environment
    systems = rights.systems_where(actor_of(request), Act.SYSTEM_VIEW)
    return None if systems is None else lambda each: each.system_id in systems


class EmergencyClearApi(APIView):
    """Take a stopped AI system to review, alone, for four hours."""

    authentication_classes = BOTH
    permission_classes = NONE

    class EmergencyClear(StrictSerializer):
        switch_id = serializers.UUIDField()
        epoch = EpochField(max_length=30)
        reason_code = StrictCharField(max_length=100, validators=[clear], trim_whitespace=False)
        note = StrictCharField(max_length=10_000)

    @extend_schema(
        operation_id="control_emergency_clear",
        request=EmergencyClear,
        responses={201: ChangeOutput},
        tags=["control"],
    )
    def post(self, request: Request) -> Response:
        """For whoever is appointed to. Everybody else who is, is told; somebody else looks at it afterwards."""
        require_fresh(request)
        change = emergency_clear(actor=actor_of(request), **checked(self.EmergencyClear, request))
        return Response(change_json(confirmation_of(change)), HTTPStatus.CREATED)

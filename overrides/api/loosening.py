"""Loosening a switch over the API: one person asks, another one approves. Both have proven a factor just now."""

import uuid
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.authentication import actor_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.models.systems import clear
from overrides.api.states import MODES, ChangeOutput, LooseningOutput, change_json, loosening_json
from overrides.api.switches import BOTH, NONE, EpochField
from overrides.services.confirming import confirmation_of
from overrides.services.loosening import (
    LIFE,
    approve_loosening,
    refuse_loosening,
    request_loosening,
    withdraw_loosening,
)
from overrides.standing import Mode


class Loosening(APIView):
    """What all four share: a person, whose factor is fresh. Of a key the answer is that it takes a person."""

    authentication_classes = BOTH
    permission_classes = NONE

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        require_fresh(request)


class LooseningApi(Loosening):
    """Ask for it."""

    class Loosen(StrictSerializer):
        switch_id = serializers.UUIDField()
        epoch = EpochField(max_length=30, help_text="That of the switch, as you saw it.")
        mode = serializers.ChoiceField(MODES[:-1])
        reason_code = StrictCharField(max_length=100, validators=[clear], trim_whitespace=False)
        note = StrictCharField(required=False, allow_blank=True, max_length=10_000, default="")
        evidence_url = serializers.URLField(
            required=False,
            allow_blank=True,
            max_length=2_000,
            default="",
            help_text="Where it can be read why this is safe: http or https. Required where the switch says stop.",
        )
        life_s = serializers.IntegerField(
            required=False, min_value=60, max_value=7 * 24 * 3600, default=int(LIFE.total_seconds())
        )

    @extend_schema(operation_id="control_loosen", request=Loosen, responses={201: LooseningOutput}, tags=["control"])
    def post(self, request: Request) -> Response:
        """Ask to set a switch to a less restrictive mode. Somebody else must approve before it expires."""
        given = checked(self.Loosen, request)
        life = timedelta(seconds=given.pop("life_s"))
        asked = request_loosening(actor=actor_of(request), **given | {"mode": Mode(given["mode"]), "life": life})
        return Response(loosening_json(asked), HTTPStatus.CREATED)


class LooseningApproveApi(Loosening):
    """Be the second person."""

    @extend_schema(operation_id="control_loosen_approve", request=None, responses=ChangeOutput, tags=["control"])
    def post(self, request: Request, request_id: uuid.UUID) -> Response:
        """Approve a request: the switch is set at once, if nothing has changed since."""
        change = approve_loosening(actor=actor_of(request), request_id=request_id)
        return Response(change_json(confirmation_of(change)))


class LooseningRefuseApi(Loosening):
    """Say no."""

    class Refuse(StrictSerializer):
        note = StrictCharField(required=False, allow_blank=True, max_length=10_000, default="")

    @extend_schema(operation_id="control_loosen_refuse", request=Refuse, responses=LooseningOutput, tags=["control"])
    def post(self, request: Request, request_id: uuid.UUID) -> Response:
        """Refuse a request, as somebody who could have approved it."""
        given = checked(self.Refuse, request)
        return Response(loosening_json(refuse_loosening(actor=actor_of(request), request_id=request_id, **given)))


class LooseningWithdrawApi(Loosening):
    """Not ask any more."""

    @extend_schema(operation_id="control_loosen_withdraw", request=None, responses=LooseningOutput, tags=["control"])
    def post(self, request: Request, request_id: uuid.UUID) -> Response:
        """Withdraw a request of one's own."""
        return Response(loosening_json(withdraw_loosening(actor=actor_of(request), request_id=request_id)))

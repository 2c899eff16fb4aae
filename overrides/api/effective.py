"""What holds of a decision, over the API; what callers did; overriding it; contesting it."""

import uuid
from http import HTTPStatus
from typing import Any

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.restrictions import is_barred
from audit.selectors import SealedDecision
from audit.services.disclosure import may_read_payload, note_view
from governance.api.authentication import IsPerson, actor_of, grant_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.models import ServiceKey
from governance.register import KeyGrant
from ledger.entries import Actor
from overrides.api.acks import instance_name
from overrides.api.callers import decision_for
from overrides.effective import Effective, effective_of
from overrides.eligibility import ON_A_CLAIMED_ITEM
from overrides.models import Effect, Override
from overrides.selectors import has_live_claim, is_output_barred
from overrides.services.deadlines import withdraw_review
from overrides.services.effects import confirm_effect
from overrides.services.executing import claim_execution
from overrides.services.overriding import (
    agree_to_override,
    override_decision,
    refuse_override,
    report_override,
)

Scope = ServiceKey.Scope
CORRECTED_OUTPUT = "corrected_output"


class ReviewStateOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.CharField()
    deadline_at = serializers.DateTimeField()


class EffectStateOutput(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["unconfirmed", "confirmed", "mismatch", "failed"])
    outcome = serializers.CharField(allow_null=True)
    confirmed_at = serializers.DateTimeField(allow_null=True)


class ExecutionStateOutput(serializers.Serializer[Any]):
    """Who took it to carry it out."""

    execution_id = serializers.UUIDField()
    claimed_at = serializers.DateTimeField()
    instance = serializers.CharField(source="worker", allow_blank=True)


class EffectiveOutput(serializers.Serializer[Any]):
    """What a caller is to act on. Where `action` is not `proceed`, nothing of the decision is carried out."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=["final", "pending", "frozen"])
    action = serializers.ChoiceField(choices=["proceed", "hold", "fallback", "stop"])
    original_outcome = serializers.CharField()
    effective_outcome = serializers.CharField(allow_null=True, help_text="Null where nothing may be carried out.")
    source: Any = serializers.ChoiceField(choices=["model", "review", "override", "appeal", "timeout"])
    output = serializers.JSONField(
        allow_null=True, help_text="The corrected output, for the key that sent the decision and who may read payloads."
    )
    reason_code = serializers.CharField(allow_null=True)
    review = ReviewStateOutput(allow_null=True)
    override_id = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    mode = serializers.CharField()
    epoch = serializers.CharField()
    effect = EffectStateOutput()
    execution = ExecutionStateOutput(allow_null=True, help_text="Null where nobody took it, since that was decided.")
    version = serializers.IntegerField(help_text="A higher number after each change.")


class OverrideOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    decision_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Override.Status.choices)
    source: Any = serializers.ChoiceField(choices=Override.Source.choices)
    outcome = serializers.CharField()
    reason_code = serializers.CharField()
    person_id = serializers.UUIDField()
    second_person_id = serializers.UUIDField(allow_null=True)
    at = serializers.DateTimeField()


class ExecutionOutput(ExecutionStateOutput):
    decision_id = serializers.UUIDField()
    outcome = serializers.CharField(help_text="What is to be carried out.")
    version = serializers.IntegerField(help_text="The version it was claimed with.")


class FactOutput(serializers.Serializer[Any]):
    """What a caller's report became."""

    id = serializers.UUIDField()
    decision_id = serializers.UUIDField()
    outcome = serializers.CharField(allow_blank=True)
    status = serializers.CharField(required=False)
    occurred_at = serializers.DateTimeField()


def described_effective(found: Effective, *, with_output: bool) -> dict[str, Any]:
    """What holds, as JSON values. `with_output`: whether whoever asks may see the corrected output."""
    review, effect = found.review, found.effect
    told = ("id", "status", "action", "original_outcome", "effective_outcome", "source", "reason_code")
    return {
        **{name: getattr(found, name) for name in told},
        "output": orjson.loads(found.output) if found.output and with_output else None,
        "review": {"id": review.pk, "status": review.status, "deadline_at": review.deadline_at} if review else None,
        "override_id": found.override_id,
        "decided_at": found.decided_at,
        "mode": found.mode,
        "epoch": found.epoch,
        "effect": {"status": effect.status, "outcome": effect.outcome, "confirmed_at": effect.confirmed_at},
        "execution": found.execution,
        "version": found.version,
    }


def shows_output(request: Request, decision: SealedDecision, found: Effective) -> bool:
    """The corrected output is payload: for who sent this decision, and, which is noted first, for who may read it."""
    grant, actor = request.auth, actor_of(request)
    if not found.output or is_barred(actor, decision.id) or is_output_barred(actor, found):
        return False
    if isinstance(grant, KeyGrant) and grant.account_id == decision.service_account_id:
        return True
    if not _may_read(grant, actor, decision):
        return False
    note_view(actor=actor, decision=decision, parts=[CORRECTED_OUTPUT])
    return True


def _may_read(grant: Any, actor: Actor, decision: SealedDecision) -> bool:
    if isinstance(grant, KeyGrant):
        return grant.allows(Scope.PAYLOADS_READ)
    is_claimed = actor.id is not None and has_live_claim(actor.id, decision.id)
    return may_read_payload(actor, decision, ON_A_CLAIMED_ITEM if is_claimed else frozenset())


class EffectiveItem(APIView):
    """What holds of a decision now: the model's outcome, unless people said otherwise."""

    @extend_schema(operation_id="read_effective", tags=["human control"], responses=EffectiveOutput)
    def get(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision = decision_for(request, decision_id, Scope.DECISIONS_READ, Scope.DECISIONS_WRITE)
        found = effective_of(decision_id, decision=decision)
        body = described_effective(found, with_output=shows_output(request, decision, found))
        return Response(EffectiveOutput(body).data, headers={"Cache-Control": "no-store"})


class EffectApi(APIView):
    """The calling service says what it did in the end. What is not the effective outcome raises an alert."""

    class NewEffect(StrictSerializer):
        outcome = StrictCharField(max_length=100, allow_null=True, help_text="Null where nothing was carried out.")
        occurred_at = serializers.DateTimeField()
        detail = StrictCharField(max_length=10_000, required=False, allow_blank=True)
        via = serializers.ChoiceField(
            choices=Effect.Via.choices, required=False, help_text="The outcome is that of the fallback."
        )
        failed = serializers.BooleanField(
            required=False, help_text="Something was to be carried out and could not be; the outcome is null."
        )

    @extend_schema(operation_id="confirm_effect", tags=["human control"], request=NewEffect, responses=FactOutput)
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision_for(request, decision_id, Scope.DECISIONS_WRITE)
        effect = confirm_effect(actor=actor_of(request), decision_id=decision_id, **checked(self.NewEffect, request))
        return Response(FactOutput(effect).data)


class ExecutionApi(APIView):
    """Take what was decided, to carry it out: 201 for one worker, once. Claim before you act, then confirm the effect.

    The same `execution_id` again, as after a lost answer, is 200 with the same answer while that may still be carried
    out; another one is 409 `already-executed`. A decision that was never held needs no claim, and can be claimed alike.
    """

    class NewExecution(StrictSerializer):
        execution_id = serializers.UUIDField(help_text="Of your making: the same one when you ask again.")
        version = serializers.IntegerField(min_value=0, help_text="Of what holds, as `GET .../effective` told it.")
        instance = StrictCharField(
            max_length=100,
            required=False,
            validators=[instance_name],
            help_text="Which worker: people are shown it if it never says what it did.",
        )

    @extend_schema(
        operation_id="claim_execution",
        tags=["human control"],
        request=NewExecution,
        responses={201: ExecutionOutput, 200: ExecutionOutput},
    )
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision_for(request, decision_id, Scope.DECISIONS_WRITE)
        asked = checked(self.NewExecution, request)
        made, is_new = claim_execution(actor=actor_of(request), decision_id=decision_id, **asked)
        return Response(ExecutionOutput(made).data, HTTPStatus.CREATED if is_new else HTTPStatus.OK)


class WithdrawApi(APIView):
    """The caller took the decision back: nobody needs to review it any more."""

    @extend_schema(operation_id="withdraw_review", tags=["human control"], request=None, responses=EffectiveOutput)
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision = decision_for(request, decision_id, Scope.DECISIONS_WRITE)
        grant_of(request)  # the caller's act: people decide or override
        withdraw_review(actor=actor_of(request), decision_id=decision_id)
        found = effective_of(decision_id, decision=decision)
        return Response(EffectiveOutput(described_effective(found, with_output=False)).data)


class OverrideApi(APIView):
    """A person puts another outcome in the decision's place. Where its rule asks for two reviewers, it waits."""

    permission_classes: Any = (IsPerson,)

    class NewOverride(StrictSerializer):
        outcome = StrictCharField(max_length=100)
        output = serializers.JSONField(required=False, allow_null=True)
        reason_code = StrictCharField(max_length=100)
        note = StrictCharField(max_length=10_000, required=False, allow_blank=True)

    @extend_schema(
        operation_id="override_decision", tags=["human control"], request=NewOverride, responses={201: OverrideOutput}
    )
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision_for(request, decision_id)
        values = with_raw_output(checked(self.NewOverride, request))
        made = override_decision(actor=actor_of(request), decision_id=decision_id, **values)
        return Response(OverrideOutput(made).data, HTTPStatus.CREATED)


class OverrideReportApi(APIView):
    """A human decision made in your own tool. It is shown and counted apart, and changes nothing here."""

    class NewReport(StrictSerializer):
        outcome = StrictCharField(max_length=100)
        occurred_at = serializers.DateTimeField()
        reason_code = StrictCharField(max_length=100, required=False, allow_blank=True)
        reviewer = StrictCharField(max_length=200, required=False, allow_blank=True)
        note = StrictCharField(max_length=10_000, required=False, allow_blank=True)

    @extend_schema(operation_id="report_override", tags=["human control"], request=NewReport, responses=FactOutput)
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        decision_for(request, decision_id, Scope.FEEDBACK_WRITE)
        made = report_override(actor=actor_of(request), decision_id=decision_id, **checked(self.NewReport, request))
        return Response(FactOutput(made).data)


class OverrideAgreeApi(APIView):
    """The second reviewer agrees: the override is in force."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="agree_to_override", tags=["human control"], request=None, responses=OverrideOutput)
    def post(self, request: Request, override_id: uuid.UUID) -> Response:
        made = agree_to_override(actor=actor_of(request), override_id=override_id)
        return Response(OverrideOutput(made).data)


class OverrideRefuseApi(APIView):
    """The second reviewer disagrees, or whoever asked takes it back."""

    permission_classes: Any = (IsPerson,)

    @extend_schema(operation_id="refuse_override", tags=["human control"], request=None, responses=OverrideOutput)
    def post(self, request: Request, override_id: uuid.UUID) -> Response:
        made = refuse_override(actor=actor_of(request), override_id=override_id)
        return Response(OverrideOutput(made).data)


def with_raw_output(values: dict[str, Any]) -> dict[str, Any]:
    """A corrected output as JSON text, as services keep it."""
    output = values.pop("output", None)
    return values if output is None else values | {"output": orjson.dumps(output).decode()}

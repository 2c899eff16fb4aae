"""Erasures over the API: prepared, looked at, asked for, answered, stopped; the receipt. People alone, never a key."""

import uuid
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import ErasureConsent, ErasureRequest
from audit.models.cases import MAX_TEXT
from config.pagination import limit_of
from evidence.api.cases import ForPeople
from evidence.api.paged import PAGED, page_of, paged
from evidence.erasure.counting import counted_finds
from evidence.erasure.errors import ErasureNotFound
from evidence.erasure.reading import is_officer, standing_of, visible_erasures
from evidence.erasure.showing import finds_shown, receipt_of
from evidence.services.erased_again import prepare_again
from evidence.services.erasure_answers import approve_erasure, hold_erasure, refuse_erasure
from evidence.services.erasures import (
    MOST_IDENTIFIERS,
    MOST_NAMED,
    ask_erasure,
    choose_finds,
    prepare_erasure,
    withdraw_erasure,
)
from governance.api.authentication import actor_of, require_fresh
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from ledger.entries import Actor

TAGS = ["erasures"]


class CountedOutput(serializers.Serializer[Any]):
    """So many texts of one kind."""

    what = serializers.CharField()
    count = serializers.IntegerField()


class ConsentOutput(serializers.Serializer[Any]):
    """What the accountable person of one AI system says; of what belongs to none, whoever is accountable anywhere."""

    id = serializers.UUIDField()
    system_id = serializers.UUIDField(allow_null=True, help_text="Null: what was found belongs to no one AI system.")
    status = serializers.ChoiceField(choices=ErasureConsent.Status.choices)
    decisions = serializers.IntegerField()
    decisions_digest = serializers.CharField(allow_blank=True)
    texts_digest = serializers.CharField(allow_blank=True)
    finds = serializers.SerializerMethodField(help_text="What was found by its words there: kinds and counts.")
    decided_by_id = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    answer = serializers.CharField(allow_blank=True)

    @extend_schema_field(CountedOutput(many=True))
    def get_finds(self, consent: ErasureConsent) -> Any:
        return CountedOutput(counted_finds(consent), many=True).data


class StandingOutput(serializers.Serializer[Any]):
    """How far it has come."""

    decisions = serializers.IntegerField()
    erased = serializers.IntegerField()
    texts = serializers.IntegerField()
    texts_erased = serializers.IntegerField()
    restricted = serializers.IntegerField(help_text="Inside a floor: a data protection officer alone reads them.")
    texts_restricted = serializers.IntegerField(help_text="The same of what was found by its words.")
    held = serializers.IntegerField(
        allow_null=True, help_text="Kept by a legal hold; told to data protection officers alone, as far as looked."
    )
    waits_until = serializers.DateTimeField(allow_null=True, help_text="The earliest end of a floor of what is left.")


class ErasureOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ErasureRequest.Kind.choices)
    basis: Any = serializers.ChoiceField(choices=ErasureRequest.Basis.choices)
    status = serializers.ChoiceField(choices=ErasureRequest.Status.choices)
    system_id = serializers.UUIDField(allow_null=True)
    person_id = serializers.UUIDField(allow_null=True)
    requested_by_id = serializers.UUIDField()
    requested_at = serializers.DateTimeField(allow_null=True)
    runs_at = serializers.DateTimeField(allow_null=True, help_text="Not before.")
    held_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ErasureDetail(ErasureOutput):
    """One, with the words that it keeps until it is performed."""

    subject = serializers.CharField(allow_blank=True)
    identifiers = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(allow_blank=True)
    consents = ConsentOutput(many=True)
    standing = StandingOutput()
    is_searched = serializers.BooleanField(help_text="Everything was looked through: it can be asked for.")


class FindOutput(serializers.Serializer[Any]):
    """Something whose words name them."""

    id = serializers.UUIDField(source="find.item_id")
    place = serializers.CharField(source="label", help_text="What it is, in words.")
    row_id = serializers.UUIDField(source="find.row_id")
    is_chosen = serializers.BooleanField(source="find.is_chosen")
    excerpts = serializers.ListField(child=serializers.CharField())


class FindsOutput(serializers.Serializer[Any]):
    items = FindOutput(many=True)
    total = serializers.IntegerField()
    unseen = serializers.IntegerField(help_text="So many were shown to nobody yet; it is asked for once none is left.")
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class NewErasure(StrictSerializer):
    kind = serializers.ChoiceField(choices=ErasureRequest.Kind.choices)
    basis: Any = serializers.ChoiceField(choices=ErasureRequest.Basis.choices)
    reason = StrictCharField(max_length=MAX_TEXT)
    subject = StrictCharField(
        max_length=200, required=False, trim_whitespace=False, help_text="To the letter: spaces count, and case."
    )
    identifiers = serializers.ListField(
        child=StrictCharField(max_length=200), required=False, max_length=MOST_IDENTIFIERS
    )
    decisions = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MOST_NAMED)
    system = serializers.SlugField(required=False, help_text="Without it: of all AI systems.")
    person_id = serializers.UUIDField(required=False)
    look_into_payloads = serializers.BooleanField(required=False)


class Answer(StrictSerializer):
    answer = StrictCharField(max_length=MAX_TEXT, required=False, allow_blank=True)


class Reason(StrictSerializer):
    reason = StrictCharField(max_length=MAX_TEXT)


class MayReason(StrictSerializer):
    reason = StrictCharField(max_length=MAX_TEXT, required=False, allow_blank=True)


def told(actor: Actor, request: ErasureRequest) -> Any:
    """One as it is told to somebody: what a hold keeps, to data protection officers alone."""
    standing, officer = standing_of(request), is_officer(actor, request)
    scan = getattr(request, "scan", None)
    said: dict[str, Any] = {
        **{name: getattr(request, name) for name in map(str, ErasureOutput().fields)},
        "subject": request.subject,
        "identifiers": request.identifiers,
        "reason": request.reason,
        "consents": request.consents.exclude(status=ErasureConsent.Status.VOID),
        "standing": standing if officer else replace(standing, held=None),
        "is_searched": bool(scan and scan.finished_at),
    }
    return ErasureDetail(said).data


def found(request: Request, erasure_id: uuid.UUID) -> ErasureRequest:
    row = visible_erasures(actor_of(request)).filter(pk=erasure_id).first()
    if row is None:
        raise ErasureNotFound()
    return row


class ErasuresApi(ForPeople):
    """Erasures that one prepares, or agrees to."""

    @extend_schema(operation_id="list_erasures", tags=TAGS, parameters=PAGED, responses=page_of(ErasureOutput))
    def get(self, request: Request) -> Response:
        """The newest first."""
        return paged(request, visible_erasures(actor_of(request)), ErasureOutput)

    @extend_schema(operation_id="prepare_erasure", tags=TAGS, request=NewErasure, responses={201: ErasureDetail})
    def post(self, request: Request) -> Response:
        """Begin one. The server looks for all that is to be erased; nothing is asked for yet."""
        values = checked(NewErasure, request)
        if slug := values.pop("system", None):
            values["system_id"] = visible_system(request, slug).pk
        values["decision_ids"] = values.pop("decisions", [])
        made = prepare_erasure(actor=actor_of(request), **values)
        return Response(told(actor_of(request), made), HTTPStatus.CREATED)


class ErasuresAgainApi(ForPeople):
    """What was erased and is back, as after a restore of an older database."""

    @extend_schema(
        operation_id="prepare_erasures_again", tags=TAGS, request=None, responses={201: ErasureOutput(many=True)}
    )
    def post(self, request: Request) -> Response:
        """Prepare one for each that was performed and is undone, and is not prepared yet. Two people agree again."""
        made = prepare_again(actor=actor_of(request))
        return Response(ErasureOutput(made, many=True).data, HTTPStatus.CREATED)


class ErasureApi(ForPeople):
    """One erasure."""

    @extend_schema(operation_id="read_erasure", tags=TAGS, responses=ErasureDetail)
    def get(self, request: Request, erasure_id: uuid.UUID) -> Response:
        return Response(told(actor_of(request), found(request, erasure_id)))


class ErasureFindsApi(ForPeople):
    """What was found by its words: for data protection officers, until it is asked for."""

    class LeftOut(StrictSerializer):
        left_out = serializers.ListField(
            child=serializers.UUIDField(), help_text="Finds that name somebody else: all others go."
        )

    @extend_schema(operation_id="list_erasure_finds", tags=TAGS, parameters=PAGED, responses=FindsOutput)
    def get(self, request: Request, erasure_id: uuid.UUID) -> Response:
        """A page of them, with the words around what names them. All pages are read before it is asked for."""
        cursor, limit = request.query_params.get("cursor"), limit_of(request.query_params.get("limit"))
        shown = finds_shown(actor_of(request), found(request, erasure_id), cursor=cursor, limit=limit)
        return Response(FindsOutput(shown).data)

    @extend_schema(operation_id="choose_erasure_finds", tags=TAGS, request=LeftOut, responses=ErasureDetail)
    def put(self, request: Request, erasure_id: uuid.UUID) -> Response:
        """Leave out what names somebody else of the same name."""
        made = choose_finds(actor=actor_of(request), request_id=erasure_id, **checked(self.LeftOut, request))
        return Response(told(actor_of(request), made))


class ErasureAskApi(ForPeople):
    """Asking for it."""

    @extend_schema(operation_id="ask_erasure", tags=TAGS, request=None, responses=ErasureDetail)
    def post(self, request: Request, erasure_id: uuid.UUID) -> Response:
        """Of each AI system its accountable person is asked. With a factor of the last ten minutes."""
        require_fresh(request)
        made = ask_erasure(actor=actor_of(request), request_id=erasure_id)
        return Response(told(actor_of(request), made))


class ErasureWithdrawApi(ForPeople):
    """Taking it back."""

    @extend_schema(operation_id="withdraw_erasure", tags=TAGS, request=MayReason, responses=ErasureDetail)
    def post(self, request: Request, erasure_id: uuid.UUID) -> Response:
        """Nothing more of it is erased, and what it restricted is free."""
        made = withdraw_erasure(actor=actor_of(request), request_id=erasure_id, **checked(MayReason, request))
        return Response(told(actor_of(request), made))


class ErasureHoldApi(ForPeople):
    """Stopping it."""

    @extend_schema(operation_id="hold_erasure", tags=TAGS, request=Reason, responses=ErasureDetail)
    def post(self, request: Request, erasure_id: uuid.UUID) -> Response:
        """By whoever was told of it. What is erased stays erased; to go on it is asked for again."""
        made = hold_erasure(actor=actor_of(request), request_id=erasure_id, **checked(Reason, request))
        return Response(told(actor_of(request), made))


class ErasureConsentApi(ForPeople):
    """Agreeing, as the second person, for one AI system."""

    @extend_schema(operation_id="approve_erasure", tags=TAGS, request=Answer, responses=ConsentOutput)
    def post(self, request: Request, consent_id: uuid.UUID) -> Response:
        """With a factor of the last ten minutes. A day later it is performed."""
        require_fresh(request)
        made = approve_erasure(actor=actor_of(request), consent_id=consent_id, **checked(Answer, request))
        return Response(ConsentOutput(made).data)


class ErasureRefuseApi(ForPeople):
    """Saying no, as the second person, for one AI system."""

    @extend_schema(operation_id="refuse_erasure", tags=TAGS, request=Answer, responses=ConsentOutput)
    def post(self, request: Request, consent_id: uuid.UUID) -> Response:
        made = refuse_erasure(actor=actor_of(request), consent_id=consent_id, **checked(Answer, request))
        return Response(ConsentOutput(made).data)


class ErasureReceiptApi(ForPeople):
    """The signed receipt."""

    @extend_schema(operation_id="read_erasure_receipt", tags=TAGS, responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request, erasure_id: uuid.UUID) -> HttpResponse:
        """A signed note under the registry log's name: what went, where, how many; nothing personal."""
        note = receipt_of(actor_of(request), found(request, erasure_id)).note
        return HttpResponse(note, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})

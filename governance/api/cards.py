"""System cards over the API, for people."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.pagination import KeysetPagination
from governance import rights
from governance.acts import Act
from governance.api.authentication import (
    IsPerson,
    KeyAuthentication,
    PersonAuthentication,
    actor_of,
    require_fresh,
)
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from governance.cards.completeness import gaps_of
from governance.cards.content import json_schema, read_document
from governance.cards.errors import CardDraftNotFound, CardNotFound
from governance.cards.registered import named_in
from governance.models import AISystem, CardSave, ModelVersion, SystemCard
from governance.scopes import Scope
from governance.selectors import card_in_force, last_save, open_card, published_cards
from governance.services.cards import (
    publish_card,
    return_card,
    save_draft,
    start_card,
    submit_card,
    withdraw_card,
)

TAGS = ["system cards"]


@extend_schema_field(json_schema())
class ContentField(serializers.DictField):
    """The content of a card. Told by `governance.cards.content` what is wrong with it."""


class CardOutput(serializers.Serializer[Any]):
    """A published card."""

    system = serializers.CharField(source="system.slug")
    number = serializers.IntegerField()
    status = serializers.ChoiceField([(each.value, each.label) for each in SystemCard.NUMBERED])
    published_at = serializers.DateTimeField()
    published_by_id = serializers.UUIDField()
    submitted_by_id = serializers.UUIDField()
    superseded_at = serializers.DateTimeField(allow_null=True)
    content_digest = serializers.CharField(help_text="Of the document alone: `sha256sum` of the JSON file gives it.")
    digest = serializers.CharField(
        help_text="As in the sealed entry `card.published`: SHA-256 over the 32 bytes of `check_key` and the document."
    )
    check_key = serializers.CharField(help_text="In hex. Whoever has it and the document checks `digest`.")


class NamedVersion(serializers.Serializer[Any]):
    """A registered model version."""

    id = serializers.UUIDField()
    version = serializers.CharField()
    model_digest = serializers.CharField()
    status = serializers.ChoiceField(ModelVersion.Status.choices)


class NamedOutput(serializers.Serializer[Any]):
    """The release, or a model, that a card names, as far as it is registered now."""

    what = serializers.CharField(help_text="`Release` or `Model`.")
    said = serializers.CharField(help_text="As the card says it.")
    versions = NamedVersion(many=True)
    problem = serializers.CharField(help_text="Why it is not, or not simply, a registered version; else empty.")


class CardDetail(CardOutput):
    """A published card with what it says."""

    content = serializers.SerializerMethodField()
    registered = serializers.SerializerMethodField()

    @extend_schema_field(NamedOutput(many=True))
    def get_registered(self, card: SystemCard) -> Any:
        return NamedOutput(named_in(card.system_id, read_document(card.content)), many=True).data

    @extend_schema_field(json_schema())
    def get_content(self, card: SystemCard) -> dict[str, Any]:
        return read_document(card.content)


class CardPage(serializers.Serializer[Any]):
    """One page of cards."""

    items = CardOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class GapOutput(serializers.Serializer[Any]):
    """Something that the card does not say."""

    pointer = serializers.CharField()
    detail = serializers.CharField()
    law = serializers.CharField(help_text="Who asks for it; empty: a table's row is not whole without.")
    blocks = serializers.BooleanField(help_text="The card cannot be submitted or published without it.")


class DraftOutput(serializers.Serializer[Any]):
    """The card that is being written, or that waits for a second person, as it was saved last."""

    status = serializers.ChoiceField([(each.value, each.label) for each in SystemCard.OPEN], source="card.status")
    base = serializers.IntegerField(source="number", help_text="Counts the saves: sent back with the next one.")
    saved_at = serializers.DateTimeField()
    saved_by_id = serializers.UUIDField()
    begun_from = serializers.IntegerField(source="card.begun_from", allow_null=True)
    note = serializers.CharField(source="card.note")
    answer = serializers.CharField(source="card.answer", help_text="Why it went back, where it did.")
    submitted_by_id = serializers.UUIDField(source="card.submitted_by_id", allow_null=True)
    submitted_at = serializers.DateTimeField(source="card.submitted_at", allow_null=True)
    content_digest = serializers.CharField(
        source="card.content_digest", help_text="Of what was submitted: send it back to publish it."
    )
    content = serializers.SerializerMethodField()
    gaps = serializers.SerializerMethodField()

    @extend_schema_field(json_schema())
    def get_content(self, save: CardSave) -> dict[str, Any]:
        return read_document(save.content)

    @extend_schema_field(GapOutput(many=True))
    def get_gaps(self, save: CardSave) -> Any:
        return GapOutput(gaps_of(read_document(save.content)), many=True).data


class _Api(APIView):
    # a service key is known, and told that a person is needed
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (IsPerson,)


class CardsApi(_Api):
    """The published cards of an AI system."""

    class Query(StrictSerializer):
        at = serializers.DateTimeField(required=False)

    @extend_schema(
        operation_id="cards_list",
        parameters=[OpenApiParameter("at", OpenApiTypes.DATETIME, description="Only the one in force at this time.")],
        responses=CardPage,
        tags=TAGS,
    )
    def get(self, request: Request, slug: str) -> Response:
        """The newest first; with `at` the one that was in force then, or none."""
        system = visible_system(request, slug)
        cards = published_cards(system.pk).select_related("system")
        given = self.Query(data={"at": request.query_params["at"]} if "at" in request.query_params else {})
        given.is_valid(raise_exception=True)
        if at := given.validated_data.get("at"):
            held = card_in_force(system.pk, at)
            cards = cards.filter(pk=held.pk) if held else cards.none()
        pages = KeysetPagination()
        return pages.get_paginated_response(
            CardOutput(pages.paginate_queryset(cards.order_by("-id"), request), many=True).data
        )


class CardApi(_Api):
    """One published card."""

    @extend_schema(operation_id="card_read", responses=CardDetail, tags=TAGS)
    def get(self, request: Request, slug: str, number: int) -> Response:
        """By its number, as decisions name it."""
        found = published_cards(visible_system(request, slug).pk).filter(number=number).first()
        if found is None:
            raise CardNotFound()
        return Response(CardDetail(found).data)


class CardDraftApi(_Api):
    """The card that is being written."""

    class NewCard(StrictSerializer):
        blank = serializers.BooleanField(
            default=False, help_text="With nothing, instead of what the card in force says."
        )

    class Save(StrictSerializer):
        base = serializers.IntegerField(min_value=1, help_text="The save that this one is made from.")
        content = ContentField()

    @extend_schema(operation_id="card_draft_read", responses=DraftOutput, tags=TAGS)
    def get(self, request: Request, slug: str) -> Response:
        """As it was saved last, with what it lacks. For those who may write it."""
        return _draft(request, visible_system(request, slug))

    @extend_schema(operation_id="card_draft_start", request=NewCard, responses={201: DraftOutput}, tags=TAGS)
    def post(self, request: Request, slug: str) -> Response:
        """Begin the next card."""
        given, system = checked(self.NewCard, request), visible_system(request, slug)
        start_card(actor=actor_of(request), system_id=system.pk, **given)
        return _draft(request, system, HTTPStatus.CREATED)

    @extend_schema(operation_id="card_draft_save", request=Save, responses=DraftOutput, tags=TAGS)
    def put(self, request: Request, slug: str) -> Response:
        """Save it, whole. 409 `card-draft-changed` where somebody saved it after `base`: nothing is overwritten."""
        given, system = checked(self.Save, request), visible_system(request, slug)
        save_draft(actor=actor_of(request), system_id=system.pk, **given)
        return _draft(request, system)


class CardSubmitApi(_Api):
    """Asking a second person."""

    class Submission(StrictSerializer):
        base = serializers.IntegerField(min_value=1, help_text="The save that is meant.")
        note = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(operation_id="card_submit", request=Submission, responses=DraftOutput, tags=TAGS)
    def post(self, request: Request, slug: str) -> Response:
        """Ask the accountable person to publish it. The technical owner does."""
        given, system = checked(self.Submission, request), visible_system(request, slug)
        submit_card(actor=actor_of(request), system_id=system.pk, **given)
        return _draft(request, system)


class CardPublishApi(_Api):
    """Being the second person."""

    class Publication(StrictSerializer):
        content_digest = StrictCharField(max_length=80, help_text="Of what was looked at.")

    @extend_schema(operation_id="card_publish", request=Publication, responses={201: CardDetail}, tags=TAGS)
    def post(self, request: Request, slug: str) -> Response:
        """Publish what was submitted: it is in force at once. Needs a factor proven within 10 minutes."""
        require_fresh(request)
        given, system = checked(self.Publication, request), visible_system(request, slug)
        card = publish_card(actor=actor_of(request), system_id=system.pk, **given)
        return Response(CardDetail(card).data, HTTPStatus.CREATED)


class CardReturnApi(_Api):
    """Sending it back."""

    class Answer(StrictSerializer):
        reason = StrictCharField(max_length=2000)

    @extend_schema(operation_id="card_return", request=Answer, responses={204: None}, tags=TAGS)
    def post(self, request: Request, slug: str) -> Response:
        """Send what was submitted back to be worked on, as the second person; or take one's own back."""
        given, system = checked(self.Answer, request), visible_system(request, slug)
        return_card(actor=actor_of(request), system_id=system.pk, **given)
        return Response(status=HTTPStatus.NO_CONTENT)


class CardWithdrawApi(_Api):
    """Giving it up."""

    class Reason(StrictSerializer):
        reason = StrictCharField(required=False, allow_blank=True, max_length=2000)

    @extend_schema(operation_id="card_withdraw", request=Reason, responses={204: None}, tags=TAGS)
    def post(self, request: Request, slug: str) -> Response:
        """Give up what is not published yet. Its text stays in its history."""
        given, system = checked(self.Reason, request), visible_system(request, slug)
        withdraw_card(actor=actor_of(request), system_id=system.pk, **given)
        return Response(status=HTTPStatus.NO_CONTENT)


def _draft(request: Request, system: AISystem, status: int = HTTPStatus.OK) -> Response:
    """Errors: `CardDraftNotFound`, also for those who may not write it."""
    card = open_card(system.pk)
    if card is None or not rights.can(actor_of(request), Act.CARD_EDIT, Scope.system(system.pk)):
        raise CardDraftNotFound()
    return Response(DraftOutput(last_save(card)).data, status)

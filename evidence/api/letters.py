"""Explanation letters over the API, for people: composed, issued, read, withdrawn."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.errors import DecisionNotFound
from audit.restricted_texts import to_read
from audit.selectors import decision_by_id
from audit.services.disclosure import may_see
from config.pagination import KeysetPagination
from evidence.letters.gathering import Fact
from evidence.letters.reading import letters_about, place_of
from evidence.models import ExplanationLetter
from evidence.services.letters import (
    MAX_ADDRESSEE,
    MAX_REASON,
    Composed,
    compose_letter,
    issue_letter,
    read_letter,
    withdraw_letter,
)
from governance.api.authentication import IsPerson, KeyAuthentication, PersonAuthentication, actor_of
from governance.api.letter_templates import TAGS
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.letter_templates.text import MAX_TEXT
from overrides.selectors import require_unhidden


class LetterOutput(serializers.Serializer[Any]):
    """A letter, without what it says."""

    id = serializers.UUIDField()
    reference = serializers.CharField()
    decision_id = serializers.UUIDField()
    language = serializers.CharField()
    template = serializers.IntegerField(
        source="template.number", default=None, allow_null=True, help_text="Null: ours."
    )
    is_edited = serializers.BooleanField(help_text="Whether it says anything otherwise than template and facts.")
    status = serializers.ChoiceField(ExplanationLetter.Status.choices)
    stands = serializers.BooleanField(help_text="Neither withdrawn nor replaced.")
    replaces_id = serializers.UUIDField(allow_null=True)
    issued_by_id = serializers.UUIDField()
    issued_at = serializers.DateTimeField()
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    digest = serializers.CharField(help_text="SHA-256 over the check key's 32 bytes and the text; as in its entry.")


class EntryPlaceOutput(serializers.Serializer[Any]):
    """Where its entry stands."""

    id = serializers.UUIDField(source="entry.id")
    origin = serializers.CharField(source="log.origin")
    leaf_index = serializers.IntegerField(source="entry.leaf_index")


class LetterDetail(LetterOutput):
    """A letter with what it says."""

    text = serializers.CharField(help_text="Empty once erased.")
    addressee = serializers.CharField()
    check_key = serializers.CharField()
    entry = serializers.SerializerMethodField()

    @extend_schema_field(EntryPlaceOutput)
    def get_entry(self, letter: ExplanationLetter) -> Any:
        return EntryPlaceOutput(place_of(letter)).data


class LetterPage(serializers.Serializer[Any]):
    items = LetterOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class FactOutput(serializers.Serializer[Any]):
    """A fact as a letter tells it, and where it is from."""

    name = serializers.CharField()
    lines = serializers.SerializerMethodField()
    found_in = serializers.CharField(source="source", help_text="Where it is from, in words.")

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_lines(self, fact: Fact) -> list[str] | None:
        """Null: it is not known."""
        if fact.value is None:
            return None
        return [fact.value] if isinstance(fact.value, str) else list(fact.value)


class ComposedOutput(serializers.Serializer[Any]):
    """A letter as its template makes it now."""

    language = serializers.CharField(source="wording.language")
    template = serializers.IntegerField(source="wording.number", allow_null=True, help_text="Null: ours.")
    text = serializers.CharField(source="filled.text", help_text="What is not known stands there as its placeholder.")
    missing = serializers.ListField(child=serializers.CharField(), source="filled.missing")
    warnings = serializers.ListField(child=serializers.CharField(), source="gathered.warnings")
    facts = FactOutput(many=True, source="gathered.facts")
    seen = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField())
    def get_seen(self, composed: Composed) -> dict[str, Any]:
        """Send it along when it is issued: where one of these is otherwise by then, nothing is issued."""
        return composed.asked()


class _Question(StrictSerializer):
    language = StrictCharField(max_length=20)
    addressee = StrictCharField(max_length=MAX_ADDRESSEE, required=False, allow_blank=True)


class NewLetter(_Question):
    text = StrictCharField(
        max_length=MAX_TEXT, required=False, trim_whitespace=False, help_text="Without it: as the template makes it."
    )
    replaces_id = serializers.UUIDField(required=False, allow_null=True, help_text="The letter that this one corrects.")
    seen = serializers.DictField(required=False, help_text="As the preview gave it.")
    key = serializers.UUIDField(required=False, help_text="Makes a repeat the same letter: a uuid of your own.")


class _Api(APIView):
    # a service key is known, and told that a person is needed
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (IsPerson,)


class DecisionLettersApi(_Api):
    """The letters about a decision."""

    @extend_schema(operation_id="letters_list", responses=LetterPage, tags=TAGS)
    def get(self, request: Request, decision_id: uuid.UUID) -> Response:
        """The newest first, for whoever may know of the decision; what they say is read one by one."""
        decision, actor = decision_by_id(decision_id), actor_of(request)
        if not may_see(actor, decision):
            raise DecisionNotFound()
        require_unhidden(actor, decision_id)
        pages = KeysetPagination()
        found = pages.paginate_queryset(letters_about(decision_id), request)
        return pages.get_paginated_response(LetterOutput(found, many=True).data)

    @extend_schema(operation_id="letter_issue", request=NewLetter, responses={201: LetterDetail}, tags=TAGS)
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        """Issue one. 422 `letter-incomplete` names what is not known; nothing is printed as a blank."""
        actor = actor_of(request)
        letter = issue_letter(actor=actor, decision_id=decision_id, **checked(NewLetter, request))
        return Response(LetterDetail(to_read(actor, letter)).data, HTTPStatus.CREATED)


class LetterPreviewApi(_Api):
    """A letter before it is issued."""

    @extend_schema(operation_id="letter_preview", request=_Question, responses=ComposedOutput, tags=TAGS)
    def post(self, request: Request, decision_id: uuid.UUID) -> Response:
        """As the template makes it now, each fact with its source. The look at the payload is sealed."""
        given = checked(_Question, request)
        composed = compose_letter(actor=actor_of(request), decision_id=decision_id, **given)
        return Response(ComposedOutput(composed).data)


class LetterApi(_Api):
    """One letter."""

    @extend_schema(operation_id="letter_read", responses=LetterDetail, tags=TAGS)
    def get(self, request: Request, letter_id: uuid.UUID) -> Response:
        """With what it says, for those who may issue one. The look is sealed."""
        return Response(LetterDetail(read_letter(actor=actor_of(request), letter_id=letter_id)).data)


class LetterWithdrawApi(_Api):
    """Saying that a letter does not stand any more."""

    class Reason(StrictSerializer):
        reason = StrictCharField(max_length=MAX_REASON)

    @extend_schema(operation_id="letter_withdraw", request=Reason, responses=LetterOutput, tags=TAGS)
    def post(self, request: Request, letter_id: uuid.UUID) -> Response:
        """It stays readable, marked as withdrawn."""
        letter = withdraw_letter(actor=actor_of(request), letter_id=letter_id, **checked(self.Reason, request))
        return Response(LetterOutput(letter).data)

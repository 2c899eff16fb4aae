"""What a request asks for: query parameters and search bodies, checked strictly."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from audit.filters import DecisionFilter
from audit.models import Decision
from audit.search_terms import Terms
from config.errors import FieldProblem, InvalidInput
from config.pagination import DEFAULT_LIMIT, MAX_LIMIT
from config.pointers import pointer
from governance.api.strict import StrictCharField, refuse_nul
from ledger.entries import CLEAR_FIELD

DEFAULT_SEARCH = timedelta(days=7)
TERMS = ("subject", "labels", "conversation_id", "trace_id", "text", "same")
SystemOf = Callable[[str], uuid.UUID]
"""From a slug to the AI system that whoever asks may name."""


class _Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know: a filter with a typing error must not become no filter."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """A filter may be a part of a body: then a place in it begins with the name of that part."""
        try:
            return super().run_validation(data)
        except InvalidInput as error:
            if not self.field_name:
                raise
            found = [replace(each, pointer=pointer(self.field_name) + each.pointer) for each in error.errors]
            raise InvalidInput(error.detail, errors=found) from error

    def to_internal_value(self, data: Mapping[str, Any]) -> Any:
        refuse_nul(data)
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                known = f"one of {', '.join(sorted(self.fields))}"
                problems = [
                    FieldProblem(pointer=pointer(name), detail="This is not known here.", expected=known)
                    for name in unknown
                ]
                raise InvalidInput(errors=problems)
        return super().to_internal_value(data)


class _Period(_Strict):
    """`from` is a keyword in Python, so the fields are named here."""

    def get_fields(self) -> dict[str, Any]:
        period = {
            "from": serializers.DateTimeField(
                required=False, source="since", help_text="Recorded at or after: RFC 3339 with an offset."
            ),
            "to": serializers.DateTimeField(required=False, source="until", help_text="Recorded before."),
        }
        return super().get_fields() | period

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        since, until = attrs.get("since"), attrs.get("until")
        if since and until and since >= until:
            raise InvalidInput(errors=[FieldProblem(pointer="/to", detail="This is not after `from`.")])
        return attrs


def condition_fields() -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    """The filters of a list of decisions beside its time, as the API names them: the same wherever one is asked for."""

    def clear(words: str = "") -> Any:
        return serializers.RegexField(CLEAR_FIELD, required=False, help_text=words)

    def truth(words: str = "") -> Any:
        return serializers.BooleanField(required=False, allow_null=True, default=None, help_text=words)

    def number(**bounds: Any) -> Any:
        return serializers.FloatField(required=False, **bounds)

    return {
        "system": serializers.SlugField(required=False, help_text="AI system, by slug."),
        "environment": serializers.SlugField(required=False, help_text="With a key, only ever the key's own."),
        "model_version": clear(),
        "capability": clear(),
        "outcome": clear("The decision as a category, e.g. `refused`."),
        "error_type": clear("An error's type; `any`: with an error, `none`: without one."),
        "confidence_min": number(min_value=0, max_value=1),
        "confidence_max": number(min_value=0, max_value=1),
        "score_min": number(),
        "score_max": number(),
        "adverse": truth(),
        "flagged": truth("With any flag, or with none."),
        "flag": clear("With this flag."),
        "directive": serializers.ChoiceField(choices=["proceed", "hold", "fallback", "stop"], required=False),
        "ai_role": serializers.ChoiceField(choices=Decision.AIRole.values, required=False),
        "phase": serializers.ChoiceField(choices=Decision.Phase.values, required=False),
        "accountable_id": serializers.UUIDField(required=False, help_text="Who answered for it when it was recorded."),
        "parent_id": serializers.UUIDField(required=False, help_text="What it is part of."),
    }


class Conditions(_Period):
    """A filter of decisions. All that is given must hold."""

    def get_fields(self) -> dict[str, Any]:
        return condition_fields() | super().get_fields()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in ("confidence", "score"):
            least, most = attrs.get(f"{name}_min"), attrs.get(f"{name}_max")
            if least is not None and most is not None and least > most:
                detail = f"This is less than `{name}_min`."
                raise InvalidInput(errors=[FieldProblem(pointer=f"/{name}_max", detail=detail)])
        return super().validate(attrs)


class DecisionQuery(Conditions):
    """The filters of the list. All that are given must hold."""

    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    cursor = serializers.CharField(required=False, help_text="`next_cursor` or `previous_cursor` of an earlier answer.")


class SearchBody(Conditions):
    """What to search for, and where. Terms travel in the body so that they end up in no address and no access log."""

    subject = StrictCharField(required=False, max_length=200, trim_whitespace=False, help_text="The exact pseudonym.")
    labels = serializers.DictField(
        child=StrictCharField(max_length=500, allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="All of these names with these values.",
    )
    conversation_id = StrictCharField(required=False, max_length=200, trim_whitespace=False)
    trace_id = StrictCharField(required=False, max_length=32, trim_whitespace=False)
    same = serializers.ChoiceField(
        choices=["subject", "conversation", "trace", "input"],
        required=False,
        help_text="What it must have in common with the decision `same_as`. Needs `payloads:read`.",
    )
    same_as = serializers.UUIDField(required=False)
    text = StrictCharField(
        required=False,
        min_length=2,
        max_length=200,
        trim_whitespace=False,
        help_text="Found in any part but refs. Needs `payloads:read`.",
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    cursor = serializers.CharField(required=False, help_text="`next_cursor` or `previous_cursor` of an earlier answer.")
    search = serializers.UUIDField(
        required=False, help_text="What a new search is to be called: a uuid of your own, to give it up by."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.get(name) for name in TERMS):
            detail = "Give at least one of subject, labels, conversation_id, trace_id, text and same."
            raise InvalidInput(errors=[FieldProblem(pointer="", detail=detail)])
        if ("same" in attrs) != ("same_as" in attrs):
            detail = "`same` and `same_as` go together."
            raise InvalidInput(errors=[FieldProblem(pointer="/same_as", detail=detail)])
        return super().validate(attrs)


def read_query(
    params: Mapping[str, Any], system_id: SystemOf, kind: type[DecisionQuery] = DecisionQuery
) -> tuple[DecisionFilter, str | None, int]:
    """The filter, cursor and limit of a list. Errors: `InvalidInput`, and those of `system_id`."""
    asked = checked(kind(data=params))
    cursor, limit = asked.pop("cursor", None), asked.pop("limit")
    return filter_of(asked, system_id), cursor, limit


def read_search(
    body: Any, system_id: SystemOf, kind: type[SearchBody] = SearchBody
) -> tuple[Terms, DecisionFilter, dict[str, Any]]:
    """The terms, what they are looked for in, and cursor, limit and name of a search.

    It looks at the last 7 days where nothing else is said.
    """
    asked = checked(kind(data=body))
    rest = {"cursor": asked.pop("cursor", None), "limit": asked.pop("limit"), "run_id": asked.pop("search", None)}
    given = {name: asked.pop(name) for name in TERMS if name in asked}
    terms = Terms(**{**given, "labels": given.get("labels") or {}, "same_as": asked.pop("same_as", None)})
    asked["since"] = asked.get("since") or _before(asked.get("until") or timezone.now())
    return terms, filter_of(asked, system_id), rest


def filter_of(asked: dict[str, Any], system_id: SystemOf) -> DecisionFilter:
    """Of fields that were checked. Errors: those of `system_id`."""
    slug = asked.pop("system", None)
    return DecisionFilter(system_id=system_id(slug) if slug else None, **asked)


def _before(until: datetime) -> datetime:
    try:
        return until - DEFAULT_SEARCH
    except OverflowError as error:
        detail = "There is no time so early that it could be searched back from here."
        raise InvalidInput(errors=[FieldProblem(pointer="/to", detail=detail)]) from error


def checked(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    """What was sent, checked. Errors: `InvalidInput`."""
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)

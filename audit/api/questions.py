"""What a request asks for: query parameters and search bodies, checked strictly."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from audit.filters import DecisionFilter
from audit.services.searching import Terms
from config.errors import FieldProblem, InvalidInput
from config.pagination import DEFAULT_LIMIT, MAX_LIMIT
from governance.api.authentication import KeyGrant
from governance.api.strict import StrictCharField, refuse_nul
from ledger.entries import CLEAR_FIELD

DEFAULT_SEARCH = timedelta(days=7)


class _Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know: a filter with a typing error must not become no filter."""

    def to_internal_value(self, data: Mapping[str, Any]) -> Any:
        refuse_nul(data)
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                known = f"one of {', '.join(sorted(self.fields))}"
                problems = [
                    FieldProblem(pointer=f"/{name}", detail="This is not known here.", expected=known)
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


class DecisionQuery(_Period):
    """The filters of the list. All that are given must hold."""

    system = serializers.SlugField(required=False, help_text="AI system, by slug.")
    environment = serializers.SlugField(required=False, help_text="Only ever the key's own.")
    model_version = serializers.RegexField(CLEAR_FIELD, required=False)
    outcome = serializers.RegexField(
        CLEAR_FIELD, required=False, help_text="The decision as a category, e.g. `refused`."
    )
    confidence_min = serializers.FloatField(required=False, min_value=0, max_value=1)
    confidence_max = serializers.FloatField(required=False, min_value=0, max_value=1)
    adverse = serializers.BooleanField(required=False, allow_null=True, default=None)
    flagged = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="With any flag, or with none."
    )
    flag = serializers.RegexField(CLEAR_FIELD, required=False, help_text="With this flag.")
    directive = serializers.ChoiceField(choices=["proceed", "hold", "fallback", "stop"], required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    cursor = serializers.CharField(required=False, help_text="`next_cursor` or `previous_cursor` of an earlier answer.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        least, most = attrs.get("confidence_min"), attrs.get("confidence_max")
        if least is not None and most is not None and least > most:
            detail = "This is less than `confidence_min`."
            raise InvalidInput(errors=[FieldProblem(pointer="/confidence_max", detail=detail)])
        return super().validate(attrs)


class SearchBody(_Period):
    """What to search for, and where. Terms travel in the body so that they end up in no address and no access log."""

    system = serializers.SlugField(required=False, help_text="AI system, by slug; all of the key's without it.")
    subject = StrictCharField(required=False, max_length=200, trim_whitespace=False, help_text="The exact pseudonym.")
    labels = serializers.DictField(
        child=StrictCharField(max_length=500, allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="All of these names with these values.",
    )
    text = StrictCharField(
        required=False,
        min_length=2,
        max_length=200,
        trim_whitespace=False,
        help_text="Found in any part but refs. Needs `payloads:read`.",
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    cursor = serializers.CharField(required=False, help_text="`next_cursor` or `previous_cursor` of an earlier answer.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.get(name) for name in ("subject", "labels", "text")):
            detail = "Give at least one of subject, labels and text."
            raise InvalidInput(errors=[FieldProblem(pointer="", detail=detail)])
        return super().validate(attrs)


def read_query(params: Mapping[str, Any], grant: KeyGrant) -> tuple[DecisionFilter, str | None, int]:
    """The filter, cursor and limit of a list. Errors: `InvalidInput`, `KeyOutOfScope` of a system out of reach."""
    asked = _checked(DecisionQuery(data=params))
    cursor, limit = asked.pop("cursor", None), asked.pop("limit")
    return DecisionFilter(system_id=_system(asked, grant), **asked), cursor, limit


def read_search(body: Any, grant: KeyGrant) -> tuple[Terms, DecisionFilter, str | None, int]:
    """The terms, period, cursor and limit of a search: the last 7 days where nothing else is said."""
    asked = _checked(SearchBody(data=body))
    until = asked.get("until")
    since = asked.get("since") or _before(until or timezone.now())
    within = DecisionFilter(system_id=_system(asked, grant), since=since, until=until)
    terms = Terms(subject=asked.get("subject"), labels=asked.get("labels") or {}, text=asked.get("text"))
    return terms, within, asked.get("cursor"), asked["limit"]


def _before(until: datetime) -> datetime:
    try:
        return until - DEFAULT_SEARCH
    except OverflowError as error:
        detail = "There is no time so early that it could be searched back from here."
        raise InvalidInput(errors=[FieldProblem(pointer="/to", detail=detail)]) from error


def _checked(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _system(asked: dict[str, Any], grant: KeyGrant) -> Any:
    slug = asked.pop("system", None)
    return grant.system(slug).id if slug else None

"""Finding decisions over the API, for service keys and people: list, search, counts, neighbours, two side by side."""

import uuid
from hashlib import sha256
from typing import Any

import orjson
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.api.answers import (
    DecisionOutput,
    DecisionPageOutput,
    SearchPageOutput,
    SearchProgress,
    described_page,
    told_of,
)
from audit.api.questions import DecisionQuery, SearchBody, checked, filter_of, read_query, read_search
from audit.comparing import Comparison, Difference
from audit.facets import Facets, count_facets
from audit.neighbours import neighbours_of
from audit.selectors import list_decisions
from audit.services.search_runs import cancel_search
from audit.services.searching import search_decisions
from evidence.api.askers import Asker
from evidence.comparisons import compare_decisions, compare_payloads, is_identical
from evidence.questions import ByPeople, FilterFields
from governance.api.authentication import KeyAuthentication, PersonAuthentication, PersonOrKey, actor_of
from governance.api.strict import StrictSerializer
from governance.api.strict import checked as checked_body
from governance.models import ServiceKey

TAGS = ["decisions"]


class _Api(APIView):
    authentication_classes = (PersonAuthentication, KeyAuthentication)
    permission_classes: Any = (PersonOrKey(ServiceKey.Scope.DECISIONS_READ),)


class ListQuery(ByPeople, DecisionQuery):
    """The filters of the list. All that are given must hold."""


class CountQuery(FilterFields):
    """The filters of the list, without its pages."""


class SearchQuery(ByPeople, SearchBody):
    """What to search for, and where. Terms travel in the body so that they end up in no address and no access log."""


class DecisionList(_Api):
    """Decisions within reach, newest first by `recorded_at`; what is shown is what their entries say.

    Pages are stable while decisions are being recorded, in both directions. A page may be short, or empty, and still
    have a `next_cursor`: then `searched_to` says how far back was looked.
    """

    @extend_schema(operation_id="list_decisions", tags=TAGS, parameters=[ListQuery], responses=DecisionPageOutput)
    def get(self, request: Request) -> Response:
        asker, params = Asker.of(request), request.query_params.dict()
        asked, cursor, limit = read_query(params, asker.system_id, ListQuery)
        page = list_decisions(asker.may_ask(asked), asker.reach, cursor=cursor, limit=limit, scope=_digest(params))
        return Response(described_page(page, asker.register))


def _digest(params: dict[str, Any]) -> str:
    """The question a cursor belongs to."""
    kept = sorted((name, value) for name, value in params.items() if name not in {"cursor", "limit"})
    return sha256(orjson.dumps(kept)).hexdigest()


class DecisionSearch(_Api):
    """Decisions by subject, labels, links or text in their payload, newest first, in the last 7 days unless told else.

    All of these stand in payloads: a key needs `payloads:read` beside `decisions:read`.
    A search for text may go on over pages: `search` says what was looked into so far. It is sealed in a log once, with
    a commitment to its terms, and once more when it has gone on and ends.
    """

    @extend_schema(
        operation_id="search_decisions",
        tags=TAGS,
        request=SearchQuery,
        responses=SearchPageOutput,
        examples=[
            OpenApiExample("By subject", value={"system": "credit-limits", "subject": "c-20391"}, request_only=True),
            OpenApiExample(
                "By label and text",
                value={"labels": {"branch": "north"}, "text": "income", "from": "2026-11-01T00:00:00Z"},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        asker = Asker.of(request)
        terms, within, rest = read_search(request.data, asker.system_id, SearchQuery)
        asker.may_ask(within)
        asker.require_payloads()
        page = search_decisions(actor=asker.actor, reach=asker.reach, terms=terms, within=within, **rest)
        return Response(described_page(page, asker.register) | {"search": SearchProgress(page.run).data})


class SearchApi(_Api):
    """A search of one's own that may still run."""

    @extend_schema(operation_id="cancel_search", tags=TAGS, responses=SearchProgress)
    def delete(self, request: Request, run_id: uuid.UUID) -> Response:
        """Give it up: what the database does for it ends, and it does not go on."""
        return Response(SearchProgress(cancel_search(actor=actor_of(request), run_id=run_id)).data)


# --- counts -----------------------------------------------------------------------------------------------------------
class CountsOutput(serializers.Serializer[Any]):
    """Counts of what answers, among the newest decisions; `is_exact` where these were all."""

    total = serializers.IntegerField()
    looked_at = serializers.IntegerField(help_text="Decisions, the newest first.")
    since = serializers.DateTimeField(allow_null=True, help_text="Back to when was looked.")
    is_exact = serializers.BooleanField()
    outcomes = serializers.DictField(child=serializers.IntegerField())
    systems = serializers.DictField(child=serializers.IntegerField(), help_text="By slug.")
    model_versions = serializers.DictField(child=serializers.IntegerField())
    environments = serializers.DictField(child=serializers.IntegerField())
    directives = serializers.DictField(child=serializers.IntegerField())
    flags = serializers.DictField(child=serializers.IntegerField())
    hours = serializers.DictField(child=serializers.IntegerField(), help_text="By the beginning of the hour, in UTC.")


class DecisionCounts(_Api):
    """What the decisions that answer a filter are, counted among the newest 20,000."""

    @extend_schema(operation_id="count_decisions", tags=TAGS, parameters=[CountQuery], responses=CountsOutput)
    def get(self, request: Request) -> Response:
        asker = Asker.of(request)
        asked = filter_of(checked(CountQuery(data=request.query_params.dict())), asker.system_id)
        return Response(_counts(count_facets(asker.may_ask(asked), asker.reach), asker))


def _counts(found: Facets, asker: Asker) -> dict[str, Any]:
    systems = asker.register.systems_by_id
    slugs = {systems[key].slug if key in systems else str(key): count for key, count in found.systems.items()}
    hours = {hour.isoformat(): count for hour, count in found.hours().items()}
    names = ("total", "looked_at", "since", "is_exact", "outcomes", "model_versions", "environments", "directives")
    return {name: getattr(found, name) for name in names} | {"flags": found.flags, "systems": slugs, "hours": hours}


# --- neighbours -------------------------------------------------------------------------------------------------------
class NeighboursOutput(serializers.Serializer[Any]):
    """Decisions beside one. Those of the same subject, conversation, trace or input are found by a search."""

    before = DecisionOutput(allow_null=True)
    after = DecisionOutput(allow_null=True)
    parent = DecisionOutput(allow_null=True)
    children = DecisionOutput(many=True)
    has_more_children = serializers.BooleanField(help_text="List them with `parent_id`.")


class NeighboursApi(_Api):
    """Before and after it in its AI system, what it is part of, what is part of it; within reach."""

    @extend_schema(operation_id="read_neighbours", tags=TAGS, responses=NeighboursOutput)
    def get(self, request: Request, decision_id: uuid.UUID) -> Response:
        asker = Asker.of(request)
        found = neighbours_of(asker.decision(decision_id), asker.reach)
        single = {"before": found.before, "after": found.after, "parent": found.parent}
        told = {name: told_of([each], asker.register)[0] if each else None for name, each in single.items()}
        children = told_of(found.children, asker.register)
        return Response(told | {"children": children, "has_more_children": found.has_more_children})


# --- two side by side -------------------------------------------------------------------------------------------------
class FactOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)


class DifferenceOutput(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="RFC 6901. Empty: the whole.")
    before = serializers.CharField(allow_null=True, help_text="As JSON; null where there is nothing.")
    after = serializers.CharField(allow_null=True)


class PartDifferences(serializers.Serializer[Any]):
    name = serializers.CharField()
    is_identical = serializers.BooleanField(help_text="Byte for byte.")
    is_erased = serializers.BooleanField(help_text="One of the two was erased: there is nothing to compare.")
    is_all = serializers.BooleanField(help_text="False: there are more differences than are told.")
    differences = DifferenceOutput(many=True)


class ComparedOutput(serializers.Serializer[Any]):
    facts = FactOutput(many=True, help_text="What differs.")
    configuration = DifferenceOutput(many=True, allow_null=True, help_text="Null: the same, or one is not kept.")
    is_configuration_told = serializers.BooleanField(
        help_text="False: places alone. Their values are for keys with `register:write`, and who sees the AI systems."
    )
    card = serializers.ListField(child=serializers.CharField(), help_text="Where the cards in force differ.")
    parts = PartDifferences(many=True, allow_null=True, help_text="Where `payloads` was asked for.")
    is_identical = serializers.BooleanField(allow_null=True, help_text="But for times. Null without the payloads.")


class DecisionCompare(_Api):
    """What differs between two decisions. With `payloads`, a look at both is sealed for both."""

    class Asked(StrictSerializer):
        before = serializers.UUIDField()
        after = serializers.UUIDField()
        payloads = serializers.BooleanField(required=False, default=False, help_text="Needs `payloads:read`.")

    @extend_schema(operation_id="compare_decisions", tags=TAGS, request=Asked, responses=ComparedOutput)
    def post(self, request: Request) -> Response:
        asker, asked = Asker.of(request), checked_body(self.Asked, request)
        one, other = asker.decision(asked["before"]), asker.decision(asked["after"])
        parts = None
        if asked["payloads"]:
            asker.require_payloads()
            parts = compare_payloads(actor=asker.actor, one=one, other=other)
        compared = compare_decisions(one, other)
        facts = [fact for section in compared.sections for fact in section.facts if fact.differs]
        is_told = all(asker.may_read_configuration(each.system_id) for each in (one, other))
        told = {
            "facts": facts,
            "configuration": _configuration(compared.configuration, is_told=is_told),
            "is_configuration_told": is_told,
            "card": [each.pointer for each in compared.cards],
            "parts": None if parts is None else [_part(part) for part in parts],
            "is_identical": None if parts is None else is_identical(compared, parts),
        }
        return Response(ComparedOutput(told).data)


def _configuration(found: Comparison | None, *, is_told: bool) -> list[Difference] | None:
    if found is None or is_told:
        return found.differences if found else None
    return [Difference(each.pointer, None, None) for each in found.differences]


def _part(part: Any) -> dict[str, Any]:
    return {
        "name": part.name,
        "is_identical": part.is_identical,
        "is_erased": part.is_erased,
        "is_all": part.comparison.is_all,
        "differences": part.comparison.differences,
    }

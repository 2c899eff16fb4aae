"""One's own work and the matrix of accountability over the API: what their pages show, by the same rights."""

from typing import Any

from django.core.paginator import Paginator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import Clock
from console.mine import AnsweredFor, Waiting, answered_for, other_roles, waits_for
from console.register import matrix, visible_systems
from governance.api.answering import PersonOutput
from governance.api.authentication import person_of
from governance.api.people import PersonApi
from governance.cards.days import RETIREMENT, REVIEW
from governance.models import AISystem, Assignment
from overrides.api.assignments import AssignmentOutput

TAGS = ["accountability"]
ROWS = 50


class RequestOutput(serializers.Serializer[Any]):
    """Something that waits for one's agreement."""

    act = serializers.CharField(help_text="As in the table of rights.")
    wants = serializers.CharField(help_text="As it goes on behind “asks to”.")
    system_id = serializers.UUIDField(allow_null=True)
    asked_by = PersonOutput(allow_null=True)
    asked_at = serializers.DateTimeField()
    page = serializers.CharField(help_text="Where one looks at it and decides.")


class AnsweredOutput(serializers.Serializer[Any]):
    """An AI system, or a part of one, that one answers for."""

    assignment = AssignmentOutput()
    mode = serializers.CharField(help_text="The strictest that is in force.")
    missing = serializers.ListField(child=serializers.CharField(), help_text="Before it may be live.")


class ReviewWorkOutput(serializers.Serializer[Any]):
    """A review one has taken."""

    token = serializers.UUIDField()
    review = serializers.UUIDField(source="review_id")
    deadline_at = serializers.DateTimeField(source="review.deadline_at")


class AppealOutput(serializers.Serializer[Any]):
    """An appeal one may decide."""

    id = serializers.UUIDField()
    received_at = serializers.DateTimeField()


class CaseOutput(serializers.Serializer[Any]):
    """A case one leads."""

    id = serializers.UUIDField()
    reference = serializers.CharField()
    status = serializers.CharField()


class ActionOutput(serializers.Serializer[Any]):
    """A corrective action to carry out."""

    id = serializers.UUIDField()
    case = serializers.UUIDField(source="case_id")
    due_on = serializers.DateField()


class IncidentOutput(serializers.Serializer[Any]):
    """An incident of which something is still to be told to an authority."""

    case = serializers.UUIDField(source="case_id")
    due_at = serializers.DateTimeField(source="next_due_at", help_text="Of what is due first.")
    clock = serializers.ChoiceField(choices=Clock.choices, source="next_clock", help_text="What that is.")


class CardDayOutput(serializers.Serializer[Any]):
    """A day that a system card names, which is near or has passed."""

    system = serializers.CharField(source="card.system.slug")
    card = serializers.IntegerField(source="card.number")
    what = serializers.ChoiceField([REVIEW, RETIREMENT])
    day = serializers.DateField()


class AlertOutput(serializers.Serializer[Any]):
    """An alert of one's own."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    severity = serializers.CharField()
    opened_at = serializers.DateTimeField()


class MyWorkOutput(serializers.Serializer[Any]):
    """What one answers for, and what waits."""

    offers = AssignmentOutput(many=True)
    requests = RequestOutput(many=True)
    reviews = ReviewWorkOutput(many=True)
    reviews_to_take = serializers.IntegerField()
    appeals = AppealOutput(many=True)
    cases = CaseOutput(many=True)
    corrective_actions = ActionOutput(many=True)
    incidents = IncidentOutput(many=True)
    card_days = CardDayOutput(many=True)
    alerts = AlertOutput(many=True)
    answers_for = AnsweredOutput(many=True)
    other_roles = AssignmentOutput(many=True)


class MyWorkApi(PersonApi):
    """One's own page."""

    @extend_schema(operation_id="my_work", responses=MyWorkOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """What I answer for, and what waits for me."""
        person: Any = person_of(request)
        waiting = waits_for(person)
        said = _waiting(waiting) | {
            "answers_for": [_answered(each) for each in answered_for(person)],
            "other_roles": other_roles(person),
        }
        return Response(MyWorkOutput(said).data)


class CellOutput(serializers.Serializer[Any]):
    """Who holds a role for an AI system, and who was asked."""

    role = serializers.ChoiceField(Assignment.Role.choices)
    held = AssignmentOutput(many=True)
    offered = AssignmentOutput(many=True)
    gap = serializers.CharField(help_text="`nobody` or `not accepted` where somebody is needed; else empty.")


class RowOutput(serializers.Serializer[Any]):
    """One AI system."""

    system = serializers.CharField(source="system.slug")
    name = serializers.CharField(source="system.name")
    status = serializers.CharField(source="system.status")
    has_gap = serializers.BooleanField(help_text="Nobody accepted to be accountable.")
    roles = CellOutput(many=True, source="cells")


class MatrixOutput(serializers.Serializer[Any]):
    """A page of the matrix, by slug."""

    items = RowOutput(many=True)
    page = serializers.IntegerField()
    pages = serializers.IntegerField()
    gaps = serializers.IntegerField(help_text="AI systems in sight without an accountable person.")


class MatrixQuery(serializers.Serializer[Any]):
    """Which part."""

    page = serializers.IntegerField(required=False, min_value=1, default=1)
    only_gaps = serializers.BooleanField(required=False, help_text="Only where somebody is missing.")


class MatrixApi(PersonApi):
    """AI systems by roles."""

    @extend_schema(operation_id="accountability_matrix", parameters=[MatrixQuery], responses=MatrixOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """Who answers for what, of AI systems in sight that are not retired."""
        asked = MatrixQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        person: Any = person_of(request)
        rows = matrix(list(visible_systems(person).exclude(status=AISystem.Status.RETIRED)))
        wanted = [row for row in rows if row.lacks_somebody or not asked.validated_data.get("only_gaps")]
        shown = Paginator(wanted, ROWS).get_page(asked.validated_data["page"])
        said = {
            "items": list(shown),
            "page": shown.number,
            "pages": shown.paginator.num_pages,
            "gaps": sum(row.has_gap for row in rows),
        }
        return Response(MatrixOutput(said).data)


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "offers": waiting.offers,
        "requests": [
            {
                "act": str(asked.act),
                "wants": asked.wants,
                "system_id": asked.system_id,
                "asked_by": by,
                "asked_at": asked.at,
                "page": asked.page,
            }
            for asked, by, _ in waiting.requests
        ],
        "reviews": waiting.work,
        "reviews_to_take": waiting.takeable.claimable,
        "appeals": waiting.appeals,
        "cases": waiting.cases,
        "corrective_actions": waiting.actions,
        "incidents": waiting.incidents,
        "card_days": waiting.card_days,
        "alerts": waiting.alerts,
    }


def _answered(each: AnsweredFor) -> dict[str, Any]:
    return {"assignment": each.assignment, "mode": str(each.mode), "missing": [gap.detail for gap in each.missing]}

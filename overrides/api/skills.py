"""What people are able to judge, over the API, for people."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import FieldProblem, Forbidden, InvalidInput
from governance import rights
from governance.acts import Act
from governance.api.authentication import actor_of, person_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from overrides.api.reviews import People
from overrides.models import ReviewerSkill
from overrides.services.queues import end_skill, give_skill

TAGS = ["review rules"]


class SkillOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    person_id = serializers.UUIDField()
    skill = serializers.SlugField()
    created_at = serializers.DateTimeField()


class _Skill(StrictSerializer):
    person_id = serializers.UUIDField()
    skill = StrictCharField(max_length=100)


class SkillsApi(People):
    """The skills that people have now."""

    @extend_schema(
        operation_id="list_skills",
        tags=TAGS,
        responses=SkillOutput(many=True),
        parameters=[OpenApiParameter("person_id", uuid.UUID, description="Of one person only.")],
    )
    def get(self, request: Request) -> Response:
        if not rights.can_anywhere(person_of(request), Act.PEOPLE_VIEW):
            raise Forbidden()
        found = ReviewerSkill.objects.filter(ended_at=None).order_by("person_id", "skill")
        wanted = request.query_params.get("person_id")
        if wanted:
            found = found.filter(person_id=_uuid(wanted))
        return Response(SkillOutput(found, many=True).data)

    @extend_schema(operation_id="give_skill", tags=TAGS, request=_Skill, responses=SkillOutput)
    def post(self, request: Request) -> Response:
        given = give_skill(actor=actor_of(request), **checked(_Skill, request))
        return Response(SkillOutput(given).data)


class SkillEndApi(People):
    """They are not able to any more. Where they never were, nothing changes."""

    @extend_schema(operation_id="end_skill", tags=TAGS, request=_Skill, responses={204: None})
    def post(self, request: Request) -> Response:
        end_skill(actor=actor_of(request), **checked(_Skill, request))
        return Response(status=HTTPStatus.NO_CONTENT)


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise InvalidInput(errors=[FieldProblem(pointer="/person_id", detail="This is no id.")]) from error

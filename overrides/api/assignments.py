"""Assignments over the API, for people: asking somebody, answering, handing on, ending. With a factor proven lately."""

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import FieldProblem, Forbidden, InvalidInput
from config.pagination import KeysetPagination
from governance import rights
from governance.acts import Act, Role
from governance.api.answering import PersonOutput
from governance.api.authentication import actor_of, person_of, require_fresh
from governance.api.people import PersonApi
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from governance.errors import AssignmentNotFound, PersonNotFound, VersionNotFound
from governance.models import Assignment, Person
from governance.models.people import LONGEST_TERMS, plain_address
from governance.models.systems import clear
from governance.scopes import ORGANISATION, Scope
from governance.selectors import assignments_for
from governance.services import assignments as services
from governance.terms import Terms
from overrides.services.appointing import accept_assignments, approve_proposal, offer_role

TAGS = ["assignments"]
MOST_AT_ONCE = 100
MAX_REASON = 2000


class AssignmentPagination(KeysetPagination):
    key = ("id",)


class AssignmentOutput(serializers.Serializer[Any]):
    """A role that somebody holds, was asked to take, or held."""

    id = serializers.UUIDField()
    person = PersonOutput()
    role = serializers.ChoiceField(Assignment.Role.choices)
    scope = serializers.ChoiceField(Assignment.Scope.choices)
    system = serializers.CharField(source="system.slug", default=None, allow_null=True)
    model_version = serializers.CharField(source="model_version.version", default=None, allow_null=True)
    capability = serializers.CharField()
    case_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(Assignment.Status.choices)
    offered_at = serializers.DateTimeField(allow_null=True)
    accepted_at = serializers.DateTimeField(allow_null=True)
    declined_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    delegated_from = serializers.UUIDField(source="delegated_from_id", allow_null=True)
    succeeds = serializers.UUIDField(source="succeeds_id", allow_null=True)
    duties = serializers.CharField()
    powers = serializers.ListField(child=serializers.ChoiceField(Assignment.Power.choices))
    review_on = serializers.DateField(allow_null=True)
    revision = serializers.IntegerField(help_text="Of the row, as it was read: name it to accept or agree to that.")


class AssignmentPage(serializers.Serializer[Any]):
    """One page of assignments, the newest first."""

    items = AssignmentOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class AssignmentQuery(serializers.Serializer[Any]):
    """Which ones."""

    mine = serializers.BooleanField(required=False, help_text="One's own alone.")
    status = serializers.ChoiceField(Assignment.Status.choices, required=False)
    system = serializers.CharField(required=False, max_length=100, help_text="Slug of an AI system.")


class _Reason(StrictSerializer):
    reason = StrictCharField(required=False, allow_blank=True, max_length=MAX_REASON)


class _ToSomebody(_Reason):
    person = serializers.EmailField(help_text="E-mail address of a registered person.")
    ends_at = serializers.DateTimeField(required=False, allow_null=True)


class TermsBody(StrictSerializer):
    """What is said of a role that somebody holds."""

    duties = StrictCharField(required=False, allow_blank=True, max_length=LONGEST_TERMS)
    powers = serializers.ListField(
        child=serializers.ChoiceField(Assignment.Power.choices),
        required=False,
        help_text="What the organisation has told them that they may do. Rights come from the role alone.",
    )
    competence = StrictCharField(
        required=False, allow_blank=True, max_length=LONGEST_TERMS, help_text="What shows that they can."
    )
    competence_until = serializers.DateField(required=False, allow_null=True)
    review_on = serializers.DateField(required=False, allow_null=True)


class TermsOutput(serializers.Serializer[Any]):
    """What goes with a role."""

    duties = serializers.CharField()
    powers = serializers.ListField(child=serializers.ChoiceField(Assignment.Power.choices))
    competence = serializers.CharField()
    competence_until = serializers.DateField(allow_null=True)
    review_on = serializers.DateField(allow_null=True)
    revision = serializers.IntegerField(help_text="Of the assignment that they go with.")


class AssignmentsApi(PersonApi):
    """Assignments within sight."""

    class NewAssignment(_ToSomebody, TermsBody):
        role = serializers.ChoiceField(Assignment.Role.choices)
        system = StrictCharField(required=False, max_length=100, help_text="Left out: the whole organisation.")
        model_version = StrictCharField(required=False, max_length=100, help_text="Of the AI system: for it alone.")
        capability = StrictCharField(required=False, max_length=100, validators=[clear])
        case_id = serializers.UUIDField(required=False, help_text="Of a case, as its page shows it: for it alone.")

    @extend_schema(operation_id="assignments_list", parameters=[AssignmentQuery], responses=AssignmentPage, tags=TAGS)
    def get(self, request: Request) -> Response:
        """List one's own assignments, and those of AI systems that one may see."""
        asked = AssignmentQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        person, given = person_of(request), asked.validated_data
        rows = assignments_for(person).filter(**_narrowing(request, given))
        if given.get("mine"):
            rows = rows.filter(person=person)
        pages = AssignmentPagination()
        return pages.get_paginated_response(AssignmentOutput(pages.paginate_queryset(rows, request), many=True).data)

    @extend_schema(
        operation_id="assignments_offer", request=NewAssignment, responses={201: AssignmentOutput}, tags=TAGS
    )
    def post(self, request: Request) -> Response:
        """Ask somebody to take a role. It counts from their acceptance; some roles take a second administrator."""
        require_fresh(request)
        given = checked(self.NewAssignment, request)
        made = offer_role(
            actor=actor_of(request),
            person=_person(request, given["person"]),
            role=Role(given["role"]),
            scope=_scope(request, given),
            ends_at=given.get("ends_at"),
            reason=given.get("reason", ""),
            terms=Terms(**{name: given[name] for name in Terms.__slots__ if name in given}),
        )
        return Response(AssignmentOutput(made).data, HTTPStatus.CREATED)


class AcceptApi(PersonApi):
    """Taking roles on."""

    class Accepting(StrictSerializer):
        assignments = serializers.ListField(
            child=serializers.UUIDField(), min_length=1, max_length=MOST_AT_ONCE, help_text="Offers to whoever asks."
        )
        revisions = serializers.DictField(
            child=serializers.IntegerField(min_value=0),
            required=False,
            help_text="By id, of the offers as they were read. One may be left out where nothing goes with the role.",
        )

        def validate_revisions(self, given: dict[str, int]) -> dict[uuid.UUID, int]:
            named = serializers.UUIDField()
            return {named.run_validation(name): revision for name, revision in given.items()}

    @extend_schema(
        operation_id="assignments_accept", request=Accepting, responses=AssignmentOutput(many=True), tags=TAGS
    )
    def post(self, request: Request) -> Response:
        """Accept offers made to oneself, all or none."""
        require_fresh(request)
        given = checked(self.Accepting, request)
        accepted = accept_assignments(
            actor=actor_of(request), assignment_ids=given["assignments"], revisions=given.get("revisions", {})
        )
        return Response(AssignmentOutput(accepted, many=True).data)


class _ActApi(PersonApi):
    asks_factor: ClassVar[bool] = True
    body: ClassVar[type[StrictSerializer]] = _Reason

    def _done(
        self, request: Request, assignment_id: uuid.UUID, carry_out: Any, status: int = HTTPStatus.OK
    ) -> Response:
        if self.asks_factor:
            require_fresh(request)
        given = checked(self.body, request)
        seen_assignment(request, assignment_id)
        found = carry_out(actor=actor_of(request), assignment_id=assignment_id, **self.described(request, given))
        return Response(AssignmentOutput(found).data, status)

    def described(self, request: Request, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the body says, as the service takes it."""
        return dict(given)


class ApproveApi(_ActApi):
    """The second administrator's yes."""

    class Agreeing(StrictSerializer):
        revision = serializers.IntegerField(
            required=False,
            min_value=0,
            help_text="Of the proposal, as it was read. May be left out where nothing goes with the role.",
        )

    body = Agreeing

    @extend_schema(operation_id="assignments_approve", request=Agreeing, responses=AssignmentOutput, tags=TAGS)
    def post(self, request: Request, assignment_id: uuid.UUID) -> Response:
        """Agree, as the second administrator, that somebody is offered a role that takes two."""
        return self._done(request, assignment_id, approve_proposal)


class RefuseApi(_ActApi):
    """The second administrator's no."""

    asks_factor = False

    @extend_schema(operation_id="assignments_refuse", request=_Reason, responses=AssignmentOutput, tags=TAGS)
    def post(self, request: Request, assignment_id: uuid.UUID) -> Response:
        """Say no, as the second administrator."""
        return self._done(request, assignment_id, services.refuse_proposal)


class DeclineApi(_ActApi):
    """One's own no."""

    asks_factor = False

    @extend_schema(operation_id="assignments_decline", request=_Reason, responses=AssignmentOutput, tags=TAGS)
    def post(self, request: Request, assignment_id: uuid.UUID) -> Response:
        """Say no to an offer made to oneself."""
        return self._done(request, assignment_id, services.decline_assignment)


class _MoveApi(_ActApi):
    body = _ToSomebody

    def described(self, request: Request, given: Mapping[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in given.items() if name != "person"}
        return rest | {"to": _person(request, given["person"])}


class DelegateApi(_MoveApi):
    """Somebody beside oneself."""

    @extend_schema(
        operation_id="assignments_delegate", request=_ToSomebody, responses={201: AssignmentOutput}, tags=TAGS
    )
    def post(self, request: Request, assignment_id: uuid.UUID) -> Response:
        """Ask somebody to stand beside oneself; one keeps the role. For the accountable person that is a deputy."""
        return self._done(request, assignment_id, services.delegate_assignment, HTTPStatus.CREATED)


class HandOverApi(_MoveApi):
    """Somebody in one's place."""

    @extend_schema(
        operation_id="assignments_hand_over", request=_ToSomebody, responses={201: AssignmentOutput}, tags=TAGS
    )
    def post(self, request: Request, assignment_id: uuid.UUID) -> Response:
        """Ask somebody to follow: at the moment they accept, it ends for the holder, without a gap."""
        return self._done(request, assignment_id, services.hand_over_assignment, HTTPStatus.CREATED)


class EndApi(_ActApi):
    """An end."""

    class Ending(_Reason):
        accepts_gap = serializers.BooleanField(
            required=False, help_text="Confirms that a live AI system is left without an accountable person."
        )

    body = Ending

    @extend_schema(operation_id="assignments_end", request=Ending, responses=AssignmentOutput, tags=TAGS)
    def post(self, request: Request, assignment_id: uuid.UUID) -> Response:
        """End an assignment, or take an offer back. A gap is refused unless it is confirmed, with a reason."""
        return self._done(request, assignment_id, services.end_assignment)


def seen_assignment(request: Request, assignment_id: uuid.UUID) -> Assignment:
    """One within sight. Errors: `AssignmentNotFound`."""
    found = assignments_for(person_of(request)).filter(pk=assignment_id).first()
    if found is None:
        raise AssignmentNotFound()
    return found


def _narrowing(request: Request, given: Mapping[str, Any]) -> dict[str, Any]:
    found = {"status": given["status"]} if "status" in given else {}
    return found | ({"system": visible_system(request, given["system"])} if "system" in given else {})


def _person(request: Request, address: str) -> Person:
    """Errors: `Forbidden` for whoever may not know who is registered, `PersonNotFound`."""
    if not rights.can_anywhere(person_of(request), Act.PEOPLE_VIEW):
        raise Forbidden()
    found = Person.objects.filter(email=plain_address(address), is_active=True).first()
    if found is None:
        raise PersonNotFound(
            errors=[FieldProblem(pointer="/person", detail="Nobody in the register has this address.")]
        )
    return found


def _scope(request: Request, given: Mapping[str, Any]) -> Scope:
    """Errors: `SystemNotFound`, `VersionNotFound`, `InvalidInput` for a part of nothing, or of two things."""
    slug, version, capability = (given.get(name) for name in ("system", "model_version", "capability"))
    if case_id := given.get("case_id"):
        if slug or version or capability:
            raise InvalidInput(errors=[FieldProblem(pointer="/case_id", detail="A case stands alone: name no other.")])
        return Scope.case(case_id)
    if slug is None:
        if version or capability:
            raise InvalidInput(errors=[FieldProblem(pointer="/system", detail="Say of which AI system.")])
        return ORGANISATION
    system = visible_system(request, slug)
    if version:
        found = system.model_versions.filter(version=version).first()
        if found is None:
            raise VersionNotFound()
        return Scope.model_version(system.pk, found.pk)
    return Scope.of_capability(system.pk, capability) if capability else Scope.system(system.pk)

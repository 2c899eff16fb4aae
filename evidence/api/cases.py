"""Cases over the API, for people: what a page can do, a program can, with the same rights."""

import uuid
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.api.questions import filter_of
from audit.case_access import may_read_findings, readable_case, systems_seen, visible_case, visible_cases
from audit.case_errors import CaseNotFound
from audit.case_selectors import CaseFilter, actions_shown, decisions_in
from audit.models import Case, CaseDecision, CorrectiveAction, RootCause, Severity
from audit.reach import Reach
from audit.services.attaching import Chosen, attach_decisions
from audit.services.cases import edit_case, open_case
from audit.services.detaching import Taken, detach_decisions
from audit.services.investigating import DONE, DROPPED, add_note, plan_action, record_finding, settle_action
from audit.services.search_runs import own_search
from config.errors import Forbidden
from config.pagination import KeysetPagination, limit_of
from evidence.api.askers import Asker
from evidence.api.case_answers import (
    ActionOutput,
    AttachmentOutput,
    CaseDetail,
    CaseOutput,
    FindingOutput,
    NoteOutput,
    described,
    in_detail,
)
from evidence.api.paged import PAGED, answered, page_of, paged
from evidence.questions import FilterFields, filter_of_search
from governance.api.authentication import IsPerson, actor_of
from governance.api.strict import StrictCharField, StrictSerializer, checked
from governance.api.visible import visible_system
from ledger.entries import Actor
from overrides.selectors import hidden_from
from overrides.services.case_leads import advance_case, lead_case

TAGS = ["cases"]
MAX_IDS = 1_000


class ForPeople(APIView):
    permission_classes: Any = (IsPerson,)


class _Chosen(StrictSerializer):
    decision_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_IDS)
    filter = FilterFields(required=False)
    search = serializers.UUIDField(
        required=False,
        help_text="A search of your own: all that it finds; where it looks into payloads, what it has found so far.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("decision_ids", "filter", "search") if name in attrs]
        if len(given) > 1:
            raise serializers.ValidationError({given[-1]: ["Give ids, a filter or a search, only one of them."]})
        return attrs


class NewCase(_Chosen):
    title = StrictCharField(max_length=200)
    summary = StrictCharField(max_length=20_000, required=False, allow_blank=True)
    severity = serializers.ChoiceField(choices=Severity.choices)
    systems = serializers.ListField(child=serializers.SlugField(), required=False)
    alert_id = serializers.UUIDField(required=False)
    key = serializers.UUIDField(required=False, help_text="Makes a repeat the same case: a uuid of your own.")


class CasePageOutput(serializers.Serializer[Any]):
    items = CaseOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    previous_cursor = serializers.CharField(allow_null=True)


class CasesApi(ForPeople):
    """The cases that one may know of, the newest first."""

    @extend_schema(
        operation_id="list_cases",
        tags=TAGS,
        parameters=[
            OpenApiParameter("status", str, enum=Case.Status.values),
            OpenApiParameter("lead", str, description="`me`: those that one leads."),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses=CasePageOutput,
    )
    def get(self, request: Request) -> Response:
        actor, rows = actor_of(request), visible_cases(actor_of(request))
        if status := request.query_params.get("status"):
            rows = rows.filter(status=status)
        if request.query_params.get("lead") == "me":
            rows = rows.filter(lead_id=actor.id)
        paging = KeysetPagination()
        found = paging.paginate_queryset(rows, request)
        return paging.get_paginated_response(CaseOutput(described(actor, found), many=True).data)

    @extend_schema(operation_id="open_case", tags=TAGS, request=NewCase, responses={201: CaseDetail})
    def post(self, request: Request) -> Response:
        values, actor = checked(NewCase, request), actor_of(request)
        systems = [visible_system(request, slug).pk for slug in values.pop("systems", [])]
        chosen = _chosen(request, values)
        case = open_case(actor=actor, reach=reach_of(actor), system_ids=systems, chosen=chosen, **values)
        return Response(_detail(actor, case), HTTPStatus.CREATED)


class CaseApi(ForPeople):
    """One case, as far as one may know it."""

    class Changes(StrictSerializer):
        title = StrictCharField(max_length=200)
        summary = StrictCharField(max_length=20_000, required=False, allow_blank=True)
        severity = serializers.ChoiceField(choices=Severity.choices)
        revision = serializers.IntegerField(help_text="The one that was read: a newer one refuses the change.")
        reason = StrictCharField(max_length=20_000, required=False, allow_blank=True)

    @extend_schema(operation_id="read_case", tags=TAGS, responses=CaseDetail)
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        return Response(_detail(actor_of(request), visible_case(actor_of(request), case_id)))

    @extend_schema(operation_id="edit_case", tags=TAGS, request=Changes, responses=CaseDetail)
    def put(self, request: Request, case_id: uuid.UUID) -> Response:
        case = edit_case(actor=actor_of(request), case_id=case_id, **checked(self.Changes, request))
        return Response(_detail(actor_of(request), case))


class CaseLeadApi(ForPeople):
    """Have somebody lead it: nobody who answers for it, or had a part in one of its decisions."""

    class Lead(StrictSerializer):
        person_id = serializers.UUIDField()
        reason = StrictCharField(max_length=20_000, required=False, allow_blank=True)

    @extend_schema(operation_id="lead_case", tags=TAGS, request=Lead, responses=CaseDetail)
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        case = lead_case(actor=actor_of(request), case_id=case_id, **checked(self.Lead, request))
        return Response(_detail(actor_of(request), case))


class CaseStateApi(ForPeople):
    """Take it to another state."""

    class Move(StrictSerializer):
        to = serializers.ChoiceField(choices=Case.Status.choices)
        reason = StrictCharField(max_length=20_000, required=False, allow_blank=True)
        revision = serializers.IntegerField(required=False)

    @extend_schema(operation_id="move_case", tags=TAGS, request=Move, responses=CaseDetail)
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        case = advance_case(actor=actor_of(request), case_id=case_id, **checked(self.Move, request))
        return Response(_detail(actor_of(request), case))


# --- decisions --------------------------------------------------------------------------------------------------------
class CaseDecisionsApi(ForPeople):
    """What is in it, the newest first; attaching by ids, or by a filter up to 50,000 at a time."""

    class Attach(_Chosen):
        why = StrictCharField(max_length=20_000, required=False, allow_blank=True)
        key = serializers.UUIDField(required=False)

    class Page(serializers.Serializer[Any]):
        items = serializers.ListField(child=serializers.UUIDField())
        next_cursor = serializers.CharField(allow_null=True)
        previous_cursor = serializers.CharField(allow_null=True)

    @extend_schema(
        operation_id="list_case_decisions",
        tags=TAGS,
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses=Page,
    )
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        actor = actor_of(request)
        case, params = readable_case(actor, case_id), request.query_params
        page = decisions_in(
            case,
            systems=systems_seen(actor, case),
            hidden=hidden_of(actor),
            cursor=params.get("cursor"),
            limit=limit_of(params.get("limit")),
        )
        cursors = {"next_cursor": page.next_cursor, "previous_cursor": page.previous_cursor}
        return Response({"items": [str(each.id) for each in page.items]} | cursors)

    @extend_schema(operation_id="attach_decisions", tags=TAGS, request=Attach, responses={201: AttachmentOutput})
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        values, actor = checked(self.Attach, request), actor_of(request)
        chosen = _chosen(request, values) or Chosen()
        made = attach_decisions(actor=actor, reach=reach_of(actor), case_id=case_id, chosen=chosen, **values)
        return Response(answered(request, made, AttachmentOutput), HTTPStatus.CREATED)


class Within(StrictSerializer):
    """What the decisions of a case are narrowed to."""

    system = serializers.SlugField(required=False)
    model_version = StrictCharField(max_length=100, required=False)
    outcome = StrictCharField(max_length=100, required=False)
    accountable_id = serializers.UUIDField(required=False)


class CaseDetachApi(ForPeople):
    """Take decisions out again, all or none: by ids, all that one act put in, or all of which something holds.

    A legal hold keeps covering them.
    """

    class Detach(StrictSerializer):
        decision_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_IDS)
        attachment_id = serializers.UUIDField(required=False, help_text="All that this act put in.")
        within = Within(required=False, help_text="All of which these hold.")
        why = StrictCharField(max_length=20_000)
        key = serializers.UUIDField(required=False)

    @extend_schema(operation_id="detach_decisions", tags=TAGS, request=Detach, responses=AttachmentOutput)
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        values, actor = checked(self.Detach, request), actor_of(request)
        made = detach_decisions(
            actor=actor, reach=reach_of(actor), case_id=case_id, taken=_taken(request, values), **values
        )
        return Response(answered(request, made, AttachmentOutput))


# --- what people write ------------------------------------------------------------------------------------------------
class CaseNotesApi(ForPeople):
    """Notes of those who work on it."""

    class NewNote(StrictSerializer):
        text = StrictCharField(max_length=20_000)
        key = serializers.UUIDField(required=False)

    @extend_schema(operation_id="list_case_notes", tags=TAGS, parameters=PAGED, responses=page_of(NoteOutput))
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        case = readable_case(actor_of(request), case_id)
        return paged(request, case.notes.all(), NoteOutput)

    @extend_schema(operation_id="add_case_note", tags=TAGS, request=NewNote, responses={201: NoteOutput})
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        note = add_note(actor=actor_of(request), case_id=case_id, **checked(self.NewNote, request))
        return Response(answered(request, note, NoteOutput), HTTPStatus.CREATED)


class CaseFindingsApi(ForPeople):
    """Findings: for its investigators, and once it is concluded for those who answer for its AI systems."""

    class NewFinding(StrictSerializer):
        text = StrictCharField(max_length=20_000)
        severity = serializers.ChoiceField(choices=Severity.choices)
        root_cause = serializers.ChoiceField(choices=RootCause.choices)
        replaces_id = serializers.UUIDField(required=False, allow_null=True)
        key = serializers.UUIDField(required=False)

    @extend_schema(operation_id="list_case_findings", tags=TAGS, parameters=PAGED, responses=page_of(FindingOutput))
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        case = visible_case(actor_of(request), case_id)
        if not may_read_findings(actor_of(request), case):
            raise Forbidden("What was found is shown to those who answer for the AI system once it is concluded.")
        return paged(request, case.findings.all(), FindingOutput)

    @extend_schema(operation_id="record_finding", tags=TAGS, request=NewFinding, responses={201: FindingOutput})
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        finding = record_finding(actor=actor_of(request), case_id=case_id, **checked(self.NewFinding, request))
        return Response(answered(request, finding, FindingOutput), HTTPStatus.CREATED)


class CaseActionsApi(ForPeople):
    """Corrective actions; to who carries one out without a role, their own."""

    class NewAction(StrictSerializer):
        kind = serializers.ChoiceField(choices=CorrectiveAction.Kind.choices)
        what = StrictCharField(max_length=20_000)
        owner_id = serializers.UUIDField()
        due_on = serializers.DateField()
        key = serializers.UUIDField(required=False)

    @extend_schema(operation_id="list_case_actions", tags=TAGS, parameters=PAGED, responses=page_of(ActionOutput))
    def get(self, request: Request, case_id: uuid.UUID) -> Response:
        case = visible_case(actor_of(request), case_id)
        return paged(request, actions_shown(actor_of(request), case), ActionOutput)

    @extend_schema(operation_id="plan_action", tags=TAGS, request=NewAction, responses={201: ActionOutput})
    def post(self, request: Request, case_id: uuid.UUID) -> Response:
        action = plan_action(actor=actor_of(request), case_id=case_id, **checked(self.NewAction, request))
        return Response(answered(request, action, ActionOutput), HTTPStatus.CREATED)


class CaseActionApi(ForPeople):
    """Say that an action was done, or as an investigator why it will not be."""

    class Settled(StrictSerializer):
        outcome = serializers.ChoiceField(choices=[DONE, DROPPED])
        text = StrictCharField(max_length=20_000)

    @extend_schema(operation_id="settle_action", tags=TAGS, request=Settled, responses=ActionOutput)
    def post(self, request: Request, case_id: uuid.UUID, action_id: uuid.UUID) -> Response:
        values = checked(self.Settled, request)
        action = settle_action(actor=actor_of(request), case_id=case_id, action_id=action_id, **values)
        return Response(answered(request, action, ActionOutput))


# --- parts of the above -----------------------------------------------------------------------------------------------
def hidden_of(actor: Actor) -> frozenset[uuid.UUID]:
    """The decisions that somebody judges blind just now."""
    if actor.id is None:
        raise CaseNotFound()
    return hidden_from(actor.id)


def reach_of(actor: Actor) -> Reach:
    return Reach.of_person(actor, hidden=hidden_of(actor))


def _detail(actor: Actor, case: Case) -> Any:
    hidden = hidden_of(actor)
    is_blind = bool(hidden) and CaseDecision.current().filter(case_id=case.pk, decision_id__in=hidden).exists()
    return CaseDetail(in_detail(actor, case, is_blind=is_blind)).data


def _chosen(request: Request, values: dict[str, Any]) -> Chosen | None:
    ids, asked, search = (values.pop(name, None) for name in ("decision_ids", "filter", "search"))
    if asked is not None:
        asker = Asker.of(request)
        return Chosen(asked=asker.may_ask(filter_of(asked, asker.system_id)))
    if search is not None:
        run = own_search(actor_of(request), search)
        return Chosen(asked=filter_of_search(actor_of(request), run), search=run)
    return Chosen(ids=tuple(ids)) if ids is not None else None


def _taken(request: Request, values: dict[str, Any]) -> Taken:
    ids, attachment_id, within = (values.pop(name, None) for name in ("decision_ids", "attachment_id", "within"))
    slug = within.pop("system", None) if within else None
    system_id = visible_system(request, slug).pk if slug else None
    narrowed = CaseFilter(system_id=system_id, **within) if within else None
    return Taken(ids=tuple(ids or ()), attachment_id=attachment_id, within=narrowed)

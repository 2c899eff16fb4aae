"""Assignments: offering, answering, ending. What waits for me stands first."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

from config.admin import Act as PageAct
from config.admin import ServiceForm
from config.errors import FieldProblem, InvalidInput, ServiceError
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, actor_of, person_of
from governance.models import Assignment, Person
from governance.reauthentication import interruption
from governance.scopes import ORGANISATION, Scope
from governance.services.assignments import (
    accept_assignments,
    approve_proposal,
    decline_assignment,
    delegate_assignment,
    end_assignment,
    offer_assignment,
    refuse_proposal,
)
from governance.services.offers import OPEN

Status = Assignment.Status


class OfferForm(ServiceForm):
    """Who, which role, where, until when."""

    class Meta:
        model = Assignment
        fields = ("person", "role", "scope", "system", "model_version", "capability", "ends_at")

    def _get_validation_exclusions(self) -> set[str]:
        # whole scopes are the service's affair, which says what is wrong in words
        return {*super()._get_validation_exclusions(), "scope"}  # type: ignore[misc]


class DelegateForm(ReasonForm):
    """To whom, until when."""

    to = forms.ModelChoiceField(Person.objects.filter(is_active=True), widget=UnfoldAdminSelectWidget)
    ends_at = forms.SplitDateTimeField(required=False, widget=UnfoldAdminSplitDateTimeWidget, label="Until")


class WhoseFilter(admin.SimpleListFilter):
    """Mine, or what waits for somebody."""

    title = "whose"
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("mine", "Mine"), ("waiting", "Offered to me"), ("proposed", "Waits for a second administrator")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> QuerySet[Assignment]:
        mine = queryset.filter(person=person_of(request))
        match self.value():
            case "mine":
                return mine
            case "waiting":
                return mine.filter(status=Status.OFFERED)
            case "proposed":
                return queryset.filter(status=Status.PROPOSED)
        return queryset


@admin.register(Assignment)
class AssignmentAdmin(RegisterAdmin[Assignment]):
    list_display = ("person", "role", "place", "shown_status", "accepted_at", "ends_at")
    list_filter = (WhoseFilter, "status", "role", "system")
    list_select_related = ("person", "system", "model_version")
    actions: Any = ("accept_selected",)
    actions_detail = ("accept", "decline", "agree", "refuse", "delegate", "end", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: Assignment | None) -> bool:
        person = person_of(request)
        if act == "add":
            return rights.can_anywhere(person, Act.ROLE_ASSIGN)
        if act == "change":
            return False
        return obj is None or obj.person_id == person.pk or rights.can(person, Act.SYSTEM_VIEW, Scope.of(obj))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        person = person_of(request)
        systems = rights.systems_where(person, Act.SYSTEM_VIEW)
        rows: QuerySet[Assignment] = super().get_queryset(request)
        return rows if systems is None else rows.filter(Q(person=person) | Q(system__in=systems))

    def get_ordering(self, request: HttpRequest) -> Any:
        mine = Q(person=person_of(request))
        rank = Case(When(mine & Q(status=Status.OFFERED), then=0), When(mine, then=1), default=2)
        return (rank.asc(), "-id")

    def get_form(self, request: HttpRequest, obj: Assignment | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = OfferForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Assignment | None = None) -> Any:
        if obj is None:
            return OfferForm.Meta.fields
        return ("person", "role", "place", "status", "offered_at", "accepted_at", "declined_at", "ends_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def carry_out(self, request: HttpRequest, original: Assignment | None, cleaned: Mapping[str, Any]) -> Assignment:
        return offer_assignment(
            actor=actor_of(request),
            person=cleaned["person"],
            role=Assignment.Role(cleaned["role"]),
            scope=_scope(cleaned),
            ends_at=cleaned["ends_at"],
        )

    def asks_factor(self, request: HttpRequest) -> bool:
        return True

    def acts_for(self, request: HttpRequest, obj: Assignment) -> Iterable[str]:
        person = person_of(request)
        mine = obj.person_id == person.pk
        proposed = obj.status == Status.PROPOSED and not mine
        if proposed and rights.may_approve(person, Act.PRIVILEGED_ROLE_ASSIGN, requested_by=obj.requested_by_id):
            yield from ("agree", "refuse")
        if mine and obj.status == Status.OFFERED:
            yield from ("accept", "decline")
        if mine and obj.status == Status.ACCEPTED:
            yield "delegate"
        if obj.status in OPEN and (mine or rights.can(person, Act.ROLE_ASSIGN, Scope.of(obj))):
            yield "end"

    @admin.action(description="Accept the selected offers")
    def accept_selected(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> HttpResponse | None:
        if asking := interruption(request):
            return asking
        offers = list(queryset.values_list("pk", flat=True))
        try:
            accept_assignments(actor=actor_of(request), assignment_ids=offers)
        except ServiceError as refusal:
            messages.error(request, refusal.detail)
        else:
            messages.success(request, f"{len(offers)} accepted.")
        return None

    @action(description="Accept", icon="check", url_path="accept")
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="accept",
            title="Accept",
            carry_out=lambda row, given: accept_assignments(actor=actor_of(request), assignment_ids=[row.pk]),
            explanation="From now on this is yours. It is sealed in the log and named on every decision it covers.",
            done="It is yours from now on.",
            asks_factor=True,
        )

    @action(description="Decline", icon="close", url_path="decline")
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="decline",
            title="Decline",
            form_class=ReasonForm,
            carry_out=lambda row, given: decline_assignment(actor=actor_of(request), assignment_id=row.pk, **given),
        )

    @action(description="Agree", icon="how_to_reg", url_path="agree")
    def agree(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="agree",
            title="Agree",
            carry_out=lambda row, given: approve_proposal(actor=actor_of(request), assignment_id=row.pk),
            explanation="As the second administrator. The person is then offered the role.",
            asks_factor=True,
        )

    @action(description="Refuse", icon="block", url_path="refuse")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="refuse",
            title="Refuse",
            form_class=ReasonForm,
            carry_out=lambda row, given: refuse_proposal(actor=actor_of(request), assignment_id=row.pk, **given),
        )

    @action(description="Delegate", icon="group_add", url_path="delegate")
    def delegate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="delegate",
            title="Delegate",
            form_class=DelegateForm,
            carry_out=lambda row, given: delegate_assignment(actor=actor_of(request), assignment_id=row.pk, **given),
            explanation="They stand beside you once they accept; you keep the responsibility.",
            asks_factor=True,
        )

    @action(description="End", icon="event_busy", url_path="end")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="end",
            title="End it now",
            form_class=ReasonForm,
            carry_out=lambda row, given: end_assignment(actor=actor_of(request), assignment_id=row.pk, **given),
            explanation="It counts no more, and what was delegated from it ends too. The past stays as it was.",
            asks_factor=True,
        )

    @admin.display(description="For")
    def place(self, row: Assignment) -> str:
        return row.place

    @display(
        description="Status",
        label={
            "accepted": "success",
            "offered": "warning",
            "proposed": "warning",
            "refused": "danger",
            "declined": "danger",
        },
    )
    def shown_status(self, row: Assignment) -> tuple[str, str]:
        return row.status, row.get_status_display()


def _scope(cleaned: Mapping[str, Any]) -> Scope:
    """The place as the form's fields say it. Errors: `InvalidInput` naming the field that is missing."""
    system, version, capability = cleaned["system"], cleaned["model_version"], cleaned["capability"]
    match cleaned["scope"]:
        case Assignment.Scope.ORGANISATION:
            return ORGANISATION
        case Assignment.Scope.SYSTEM if system:
            return Scope.system(system.pk)
        case Assignment.Scope.MODEL_VERSION if version:
            return Scope.model_version(version.system_id, version.pk)
        case Assignment.Scope.CAPABILITY if system and capability:
            return Scope.of_capability(system.pk, capability)
        case Assignment.Scope.CASE:
            raise InvalidInput(errors=[FieldProblem(pointer="/scope", detail="Investigators are named on their case.")])
    missing = "model_version" if cleaned["scope"] == Assignment.Scope.MODEL_VERSION else "system"
    if system:
        missing = "capability"
    raise InvalidInput(errors=[FieldProblem(pointer=f"/{missing}", detail="Say for which one.")])

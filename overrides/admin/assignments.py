"""Assignments: offering, answering, ending. What waits for me stands first."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.decorators import action, display

from config.admin import Act as PageAct
from config.admin import ServiceForm
from config.errors import FieldProblem, InvalidInput, ServiceError
from governance import rights
from governance.acts import PRIVILEGED, Act
from governance.admin.pages import ReasonForm, RegisterAdmin, actor_of, person_of
from governance.errors import TermsNotSeen
from governance.models import Assignment
from governance.reauthentication import interruption
from governance.scopes import ORGANISATION, Scope
from governance.selectors import assignments_for
from governance.services.assignments import decline_assignment, giving, refuse_proposal
from governance.services.offers import OPEN
from overrides.services.appointing import accept_assignments, approve_proposal, offer_role

Status = Assignment.Status
COMPETENCE = frozenset({"competence", "competence_until"})


class OfferForm(ServiceForm):
    """Who, which role, where, until when."""

    class Meta:
        model = Assignment
        fields = ("person", "role", "scope", "system", "model_version", "capability", "case_id", "ends_at")
        help_texts: ClassVar[dict[str, str]] = {
            "scope": "Name below which one: the AI system, the model version, or the case.",
            "model_version": "For the scope of a model version alone.",
            "capability": "For the scope of a capability, beside its AI system.",
            "case_id": "For an investigator of one case: the id that the case's page shows.",
            "ends_at": "Left empty, it lasts until somebody ends it.",
        }

    def _get_validation_exclusions(self) -> set[str]:
        # whole scopes are the service's affair, which says what is wrong in words
        return {*super()._get_validation_exclusions(), "scope"}  # type: ignore[misc]


class SeenForm(forms.Form):
    """An act on an assignment as it stood when the page was shown."""

    revision = forms.IntegerField(widget=forms.HiddenInput)


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
    actions_detail = ("accept", "decline", "agree", "refuse", "terms", "delegate", "hand_over", "end", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: Assignment | None) -> bool:
        person = person_of(request)
        if act == "add":
            return rights.can_anywhere(person, Act.ROLE_ASSIGN)
        if act == "change":
            return False
        if obj is None or obj.person_id == person.pk:
            return True
        if obj.scope == Assignment.Scope.CASE:  # that there is a case is known to its people, and to who appoints them
            return rights.can(person, Act.PRIVILEGED_ROLE_ASSIGN)
        return rights.can(person, Act.SYSTEM_VIEW, Scope.of(obj))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        person = person_of(request)
        rows: QuerySet[Assignment] = super().get_queryset(request)
        return rows.filter(pk__in=assignments_for(person).order_by().values("pk"))

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
        return (
            *("person", "role", "place", "status", "offered_at", "accepted_at", "declined_at", "ends_at"),
            *("duties", "shown_powers", "review_on"),
            *(sorted(COMPETENCE) if self._knows_them(request, obj) else ()),
        )

    def _knows_them(self, request: HttpRequest, obj: Assignment) -> bool:
        """What shows that somebody can is for them, and for who may give the role."""
        person = person_of(request)
        gives = rights.can(person, giving(Assignment.Role(obj.role)), Scope.of(obj))
        return obj.person_id == person.pk or gives

    def hidden_in_history(self, request: HttpRequest, obj: Assignment) -> frozenset[str]:
        return frozenset() if self._knows_them(request, obj) else COMPETENCE

    def _seen(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        row = self.get_object(request, object_id)
        return {"revision": row.revision} if row else {}

    def _said_of(self, request: HttpRequest, object_id: str) -> str:
        """What goes with the role, where it is accepted or agreed to: shown to these two in full."""
        row = self.get_object(request, object_id)
        said = dict(row.term_words) if row else {}
        return "".join(f" {label}: {words}." for label, words in said.items())

    @admin.display(description="Powers")
    def shown_powers(self, row: Assignment) -> str:
        return ", ".join(row.power_words) or "none written down"

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def carry_out(self, request: HttpRequest, original: Assignment | None, cleaned: Mapping[str, Any]) -> Assignment:
        return offer_role(
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
        movable = obj.status == Status.ACCEPTED and obj.role not in PRIVILEGED and obj.delegated_from_id is None
        gives = mine or rights.can(person, giving(Assignment.Role(obj.role)), Scope.of(obj))
        if mine and movable:
            yield "delegate"
        if gives and movable:
            yield "hand_over"
        if gives and not mine and obj.status in OPEN:
            yield "terms"
        if gives and obj.status in OPEN:
            yield "end"

    @admin.action(description="Accept the selected offers")
    def accept_selected(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> HttpResponse | None:
        if asking := interruption(request):
            return asking
        offers = list(queryset.values_list("pk", flat=True))
        try:
            accept_assignments(actor=actor_of(request), assignment_ids=offers)
        except TermsNotSeen:  # the list shows no terms
            messages.error(request, "Something goes with one of these roles. Open it, read it, and accept it there.")
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
            form_class=SeenForm,
            initial=self._seen(request, object_id),
            carry_out=lambda row, given: accept_assignments(
                actor=actor_of(request), assignment_ids=[row.pk], revisions={row.pk: given["revision"]}
            ),
            explanation="From now on this is yours. It is sealed in the log and named on every decision it covers."
            + self._said_of(request, object_id),
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
            form_class=SeenForm,
            initial=self._seen(request, object_id),
            carry_out=lambda row, given: approve_proposal(actor=actor_of(request), assignment_id=row.pk, **given),
            explanation="As the second administrator. The person is then offered the role."
            + self._said_of(request, object_id),
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

    # the pages of accountability are one step from the matrix, and say what a gap is
    @action(description="Duties and review", icon="checklist", url_path="terms")
    def terms(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("admin:assignment_act", assignment_id=object_id, name="terms")

    @action(description="Delegate", icon="group_add", url_path="delegate")
    def delegate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("admin:assignment_act", assignment_id=object_id, name="delegate")

    @action(description="Hand over", icon="swap_horiz", url_path="hand-over")
    def hand_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("admin:assignment_act", assignment_id=object_id, name="hand-over")

    @action(description="End", icon="event_busy", url_path="end")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("admin:assignment_act", assignment_id=object_id, name="end")

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
        case Assignment.Scope.CASE if cleaned["case_id"]:
            return Scope.case(cleaned["case_id"])
        case Assignment.Scope.CASE:
            detail = "Give the id that the page of the case shows."
            raise InvalidInput(errors=[FieldProblem(pointer="/case_id", detail=detail)])
    missing = "model_version" if cleaned["scope"] == Assignment.Scope.MODEL_VERSION else "system"
    if system:
        missing = "capability"
    raise InvalidInput(errors=[FieldProblem(pointer=f"/{missing}", detail="Say for which one.")])

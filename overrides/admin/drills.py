"""Drills: what is due, what is planned, how one went and what it showed."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from config.admin import ServiceForm
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, SystemPages, actor_of, page_link, person_link, person_of
from governance.admin.requests import ApprovalPages
from governance.models import Person
from governance.scopes import Scope
from ledger.entries import Actor
from overrides.models import Drill, DrillFinding
from overrides.services.drill_debts import drill_debts
from overrides.services.drill_readings import measures_of, readings_of
from overrides.services.drill_running import end_drill, start_drill
from overrides.services.drills import (
    approve_drill,
    cancel_drill,
    close_finding,
    conclude_drill,
    plan_drill,
    record_finding,
)
from overrides.standing import InFlight, Mode

Status = Drill.Status


class PlanForm(ServiceForm):
    """Which system, of which type, when, and what is expected."""

    window = forms.IntegerField(
        label="Minutes after which it ends by itself",
        initial=60,
        min_value=1,
        max_value=480,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    participants = forms.ModelMultipleChoiceField(
        Person.objects.filter(is_active=True),
        required=False,
        label="Who takes part",
        help_text="Several: with Ctrl or Shift.",
        widget=UnfoldAdminSelectMultipleWidget({"size": 8}),
    )

    class Meta:
        model = Drill
        fields = ("system", "environment", "type", "mode", "in_flight", "starts_at", "expectation")
        labels: ClassVar = {"system": "AI system", "mode": "Mode to practise", "in_flight": "Work under way"}
        help_texts: ClassVar = {
            "environment": "A live drill names one. Empty: every one.",
            "mode": "What the switch is set to, or would be.",
            "in_flight": "What becomes of what clients have begun.",
            "expectation": "Who does what, and within which time: the drill measures itself on it.",
        }

    def _get_validation_exclusions(self) -> set[str]:
        # people are rows here and ids there: the service's affair
        return {*super()._get_validation_exclusions(), "participants"}  # type: ignore[misc]


class ConclusionForm(forms.Form):
    """What it showed."""

    conclusion = forms.ChoiceField(choices=Drill.Conclusion.choices, widget=UnfoldAdminSelectWidget)
    note = forms.CharField(max_length=10_000, widget=UnfoldAdminTextareaWidget({"rows": 5}))


class FindingForm(forms.Form):
    """What was found, who sees to it, by when."""

    text = forms.CharField(label="What was found", max_length=10_000, widget=UnfoldAdminTextareaWidget({"rows": 4}))
    owner = forms.ModelChoiceField(Person.objects.filter(is_active=True), widget=UnfoldAdminSelectWidget)
    due_on = forms.DateField(label="Due on", widget=UnfoldAdminDateWidget)


class ResolutionForm(forms.Form):
    """What was done."""

    resolution = forms.CharField(max_length=10_000, widget=UnfoldAdminTextareaWidget({"rows": 4}))


@admin.register(Drill)
class DrillAdmin(ApprovalPages[Drill], RegisterAdmin[Drill]):
    about = (
        "Drills show that a stop is obeyed before it is needed: quarterly for high risk, yearly for others. One in "
        "production throws the real switch, marked as a drill, and sets it back."
    )
    list_display = ("system", "type", "shown_status", "starts_at", "shown_result", "open_findings")
    list_filter = ("status", "type", "system")
    list_select_related = ("system",)
    list_before_template = "overrides/admin/drill_debts.html"
    change_form_outer_before_template = "overrides/admin/drill.html"
    added_with = Act.DRILL_PLAN
    asked_by_field = "planned_by_id"
    actions_detail = ("approve", "start", "end", "finding", "conclude", "cancel", "show_history")
    page_fields = (
        "linked_system",
        "environment",
        "type",
        "mode",
        "in_flight",
        "starts_at",
        "window_ends_at",
        "expectation",
        "people",
        "planned_by",
        "approved_by",
        "started_at",
        "ended_at",
        "ended_by",
        "conclusion",
        "conclusion_note",
    )

    class Media:
        css = {"all": ["overrides/parameters.css"]}

    def get_form(self, request: HttpRequest, obj: Drill | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = PlanForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Drill | None = None) -> Any:
        return self.page_fields if obj else (*PlanForm.Meta.fields, "window", "participants")

    def get_readonly_fields(self, request: HttpRequest, obj: Drill | None = None) -> Any:
        return self.page_fields if obj else ()

    def carry_out(self, request: HttpRequest, original: Drill | None, cleaned: Mapping[str, Any]) -> Drill:
        given = dict(cleaned)
        return plan_drill(
            actor=actor_of(request),
            system_id=given.pop("system").pk,
            drill_type=given.pop("type"),
            mode=Mode(given.pop("mode")),
            in_flight=InFlight(given.pop("in_flight")),
            window=timedelta(minutes=given.pop("window")),
            participants=[each.pk for each in given.pop("participants")],
            **given,
        )

    def acts_for(self, request: HttpRequest, obj: Drill) -> Iterable[str]:
        if self.waits(obj) and self.may_approve(request, obj):
            yield "approve"
        if not rights.can(person_of(request), Act.DRILL_PLAN, self.scope_of(obj)):
            return
        if obj.status == (Status.APPROVED if obj.is_live else Status.PLANNED):
            yield "start"
        if obj.status in (Status.PLANNED, Status.APPROVED):
            yield "cancel"
        if obj.status == Status.RUNNING:
            yield "end"
        if obj.started_at is not None:
            yield "finding"
        if obj.status == Status.ENDED:
            yield "conclude"

    def waits(self, obj: Drill) -> bool:
        return obj.is_live and obj.status == Status.PLANNED

    def act_of(self, obj: Drill) -> Act:
        return Act.DRILL_RUN_LIVE

    def what_it_does(self, obj: Drill) -> str:
        return (
            "Within its window somebody may throw the real switch, marked as a drill. You agree to its end too: what "
            "the switch said before then holds again. A real stop in between wins and stays."
        )

    def carry_out_approval(self, actor: Actor, obj: Drill) -> object:
        return approve_drill(actor=actor, drill_id=obj.pk)

    def shown_with(self, request: HttpRequest, obj: Drill) -> dict[str, Any]:
        return {"shown": _shown(obj)}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = timezone.now()
        debts = drill_debts(rights.systems_where(person_of(request), Act.SYSTEM_VIEW))
        overdue = [each for each in debts if each.is_overdue(now)]
        return super().changelist_view(request, {"overdue": overdue} | (extra_context or {}))

    @action(description="Start", icon="play_arrow", url_path="start")
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        found = self.get_object(request, object_id)
        live = f"Throws the real switch of {found.system} in {found.environment}: {found.mode}." if found else ""
        return self.act(
            request,
            object_id,
            name="start",
            title="Start",
            carry_out=lambda row, given: start_drill(actor=actor_of(request), drill_id=row.pk),
            explanation=live if found and found.is_live else "From now on it counts as running.",
            done="It is running.",
        )

    @action(description="End", icon="stop", url_path="end")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="end",
            asks_factor=True,
            title="End",
            carry_out=lambda row, given: end_drill(actor=actor_of(request), drill_id=row.pk),
            explanation="What its switch said before holds again, and the measures are frozen.",
            done="It has ended. Say what it showed.",
        )

    @action(description="Add a finding", icon="add_notes", url_path="finding")
    def finding(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="finding",
            title="Add the finding",
            form_class=FindingForm,
            carry_out=lambda row, given: record_finding(actor=actor_of(request), drill_id=row.pk, **given),
        )

    @action(description="Conclude", icon="task_alt", url_path="conclude")
    def conclude(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="conclude",
            title="Conclude",
            form_class=ConclusionForm,
            carry_out=lambda row, given: conclude_drill(actor=actor_of(request), drill_id=row.pk, **given),
        )

    @action(description="Cancel", icon="event_busy", url_path="cancel")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="cancel",
            title="Cancel the drill",
            form_class=ReasonForm,
            carry_out=lambda row, given: cancel_drill(actor=actor_of(request), drill_id=row.pk, **given),
        )

    @display(description="Status", label={"running": "danger", "planned": "warning", "approved": "info"})
    def shown_status(self, row: Drill) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @admin.display(description="Result")
    def shown_result(self, row: Drill) -> str:
        applied = f"{row.measures['applied']} of {row.measures['expected']} applied" if row.measures else ""
        return "; ".join(filter(None, [row.get_conclusion_display(), applied])) or "–"

    @admin.display(description="Open findings")
    def open_findings(self, row: Drill) -> int:
        return row.findings.filter(closed_at=None).count()

    @admin.display(description="AI system")
    def linked_system(self, row: Drill) -> SafeString:
        return page_link(row.system)

    @admin.display(description="Who takes part")
    def people(self, row: Drill) -> str:
        return ", ".join(str(each) for each in Person.objects.filter(pk__in=row.participants)) or "nobody named"

    @admin.display(description="Planned by")
    def planned_by(self, row: Drill) -> SafeString | str:
        return person_link(row.planned_by_id)

    @admin.display(description="Approved by")
    def approved_by(self, row: Drill) -> SafeString | str:
        return person_link(row.approved_by_id) if row.is_live else "not needed"


@admin.register(DrillFinding)
class DrillFindingAdmin(SystemPages[DrillFinding]):
    about = "What drills showed, who sees to it, and by when."
    list_display = ("drill", "owner", "due_on", "closed_at")
    list_select_related = ("drill__system",)
    fields = ("linked_drill", "text", "owner", "due_on", "closed_at", "resolution")
    readonly_fields = fields
    system_path = "drill__system_id"
    actions_detail = ("close", "show_history")

    def acts_for(self, request: HttpRequest, obj: DrillFinding) -> Iterable[str]:
        person = person_of(request)
        mine = obj.owner_id == person.pk or rights.can(person, Act.DRILL_PLAN, Scope.system(obj.drill.system_id))
        return ("close",) if obj.closed_at is None and mine else ()

    @action(description="Close", icon="task_alt", url_path="close")
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="close",
            title="Close",
            form_class=ResolutionForm,
            carry_out=lambda row, given: close_finding(actor=actor_of(request), finding_id=row.pk, **given),
        )

    @admin.display(description="Drill")
    def linked_drill(self, row: DrillFinding) -> SafeString:
        return page_link(row.drill)

    @admin.display(description="Owner")
    def owner(self, row: DrillFinding) -> SafeString | str:
        return person_link(row.owner_id)


def _shown(drill: Drill) -> dict[str, Any]:
    """How it goes, or went."""
    readings = readings_of(drill)
    is_running = drill.status == Status.RUNNING
    measures = measures_of(drill, readings) if is_running and drill.epoch else drill.measures
    return {
        "measures": measures,
        "spreads": [
            (name, measures[f"{name}_s"]) for name in ("seen", "applied", "drained") if f"{name}_s" in measures
        ],
        "readings": readings,
        "findings": list(drill.findings.all()),
        "is_running": is_running,
    }

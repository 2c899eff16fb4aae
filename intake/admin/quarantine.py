"""Quarantine: what was refused, why, and what to do about it. Every act goes through `intake.services.replays`."""

import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from config.admin import Act as PageAct
from config.admin import ServiceAdmin, ServiceForm
from governance import rights
from governance.acts import RULES, Act, role_names
from governance.models import AISystem, Person, ServiceAccount
from governance.scopes import AnyOf
from intake.admin.viewers import viewer
from intake.models import QuarantineCase, QuarantinedRecord
from intake.selectors import barred_from, in_state, is_restricted, of_systems, scope_of
from intake.services import replays
from intake.services.quarantine import note_view

Status = QuarantineCase.Status
STEPS = {
    "correct": "Correct the envelope",
    "replay": "Replay: record it as a decision",
    "request_dismissal": "Ask to give it up",
    "approve_dismissal": "Give it up (second person)",
    "refuse_dismissal": "Keep it (second person)",
}
RESTRICTED = "restricted: it is about to be erased, and only a data protection officer reads it until then"


ACTS = {
    Status.WAITING: {
        "correct": Act.QUARANTINE_REPLAY,
        "replay": Act.QUARANTINE_REPLAY,
        "request_dismissal": Act.QUARANTINE_DISMISS,
    }
}


def steps_for(person: Person, record: QuarantinedRecord) -> list[str]:
    """What the record's state and the person's rights allow. The service decides again."""
    case, scope = getattr(record, "case", None), scope_of(record)
    status = case.status if case else Status.WAITING
    if not record.problems:
        return []
    if case and status == Status.DISMISSAL_REQUESTED:
        may = rights.may_approve(person, Act.QUARANTINE_DISMISS, scope, requested_by=case.requested_by_id)
        return ["approve_dismissal", "refuse_dismissal"] if may else []
    steps = ACTS.get(Status(status), {})
    # of what is restricted they are for nobody, not even for who reads it
    settled = {"correct", "replay"} if record.is_truncated or getattr(record, "is_restricted", False) else set()
    return [step for step, act in steps.items() if step not in settled and rights.can(person, act, scope)]


class StateFilter(admin.SimpleListFilter):
    """Waiting, asked to be given up, replayed, given up."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label).capitalize()) for status in Status]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[QuarantinedRecord]
    ) -> QuerySet[QuarantinedRecord] | None:
        state = self.value()
        return queryset.filter(in_state(Status(state))) if state in Status.values else queryset


class QuarantineForm(ServiceForm):
    """One act at a time, each with its reason."""

    allowed: ClassVar[Collection[str]] = STEPS

    step = forms.ChoiceField(choices=list(STEPS.items()), widget=UnfoldAdminSelectWidget, label="What to do")
    corrections = forms.JSONField(
        required=False,
        initial=dict,
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text='For a correction: JSON such as {"environment": "production", "unknown_field": null}. '
        "null leaves a field out. Input, output, outcome, confidence and subject stay as they were sent.",
    )
    reason = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget({"rows": 4}))

    class Meta:
        model = QuarantinedRecord
        fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["step"]
        if isinstance(choice, forms.ChoiceField):
            choice.choices = [(step, STEPS[step]) for step in self.allowed]
        if "correct" not in self.allowed:
            self.fields["corrections"].widget = forms.HiddenInput()

    def clean_corrections(self) -> dict[str, Any]:
        given = self.cleaned_data["corrections"]
        if not isinstance(given, dict | None):
            raise forms.ValidationError('Write a JSON object: {"field": value}.')
        return given or {}


@admin.register(QuarantinedRecord)
class QuarantinedRecordAdmin(ServiceAdmin[QuarantinedRecord]):
    form = QuarantineForm
    submit_words = "Carry out"
    about = (
        "Records that were refused for their content are kept here as they arrived, to be corrected and replayed or "
        "given up. One gets here when a service posts a decision that breaks a rule of the record."
    )
    list_display = ("received_at", "first_problem", "system", "account", "status", "size")
    list_filter = (StateFilter, "problem_code", "environment")
    readonly_fields = (
        "id", "received_at", "system", "account", "environment", "problem_code", "size", "shown_problems",
        "shown_original", "status", "corrected", "decision", "who_may",
    )  # fmt: skip
    fieldsets = (
        (
            "As it arrived",
            {
                "fields": (
                    "id",
                    "received_at",
                    "system",
                    "account",
                    "environment",
                    "problem_code",
                    "size",
                    "shown_problems",
                    "shown_original",
                )
            },
        ),
        ("What was done", {"fields": ("status", "corrected", "decision", "who_may")}),
        ("Act", {"fields": ("step", "corrections", "reason")}),
    )

    def may(self, request: HttpRequest, act: PageAct, obj: QuarantinedRecord | None) -> bool:
        if act == "add":
            return False
        if obj is None:
            return rights.can_anywhere(viewer(request), Act.QUARANTINE_VIEW)
        if act == "change" and not steps_for(viewer(request), obj):
            return False
        return rights.can(viewer(request), Act.QUARANTINE_VIEW, scope_of(obj))

    def get_fieldsets(self, request: HttpRequest, obj: QuarantinedRecord | None = None) -> Any:
        return self.fieldsets if obj and steps_for(viewer(request), obj) else self.fieldsets[:-1]

    def get_form(
        self, request: HttpRequest, obj: QuarantinedRecord | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.allowed = steps_for(viewer(request), obj) if obj else ()
        return form

    def get_queryset(self, request: HttpRequest) -> QuerySet[QuarantinedRecord]:
        records: QuerySet[QuarantinedRecord] = super().get_queryset(request).select_related("case")
        records = records.defer("original", "secret").annotate(
            system_name=_name(AISystem, "system_id"),
            account_name=_name(ServiceAccount, "account_id"),
            is_barred=barred_from(rights.as_actor(viewer(request))),
            is_restricted=is_restricted(),
        )
        systems = rights.systems_where(viewer(request), Act.QUARANTINE_VIEW)
        return records if systems is None else records.filter(of_systems(systems))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Opening the page shows what was sent, so it is sealed that somebody looked; not where nothing is shown."""
        record = super().get_object(request, object_id, from_field)
        if record is None or record.is_barred:
            return record
        if request.method == "GET" and self.may(request, "view", record):
            note_view(actor=rights.as_actor(viewer(request)), record=record)
        return record

    def carry_out(
        self, request: HttpRequest, original: QuarantinedRecord | None, cleaned: Mapping[str, Any]
    ) -> QuarantinedRecord:
        if original is None:
            raise RuntimeError("quarantined records arrive, nobody adds them")
        chosen = {"actor": rights.as_actor(viewer(request)), "record_id": original.pk, "reason": cleaned["reason"]}
        match cleaned["step"]:
            case "correct":
                replays.correct(corrections=cleaned["corrections"], **chosen)
            case "replay":
                replays.replay(**chosen)
            case "request_dismissal":
                replays.request_dismissal(**chosen)
            case step:
                replays.decide_dismissal(approve=step == "approve_dismissal", **chosen)
        return original

    @admin.display(description="state")
    def status(self, record: QuarantinedRecord) -> str:
        case = getattr(record, "case", None)
        return str(case.get_status_display() if case else Status.WAITING.label)

    @admin.display(description="AI system")
    def system(self, record: QuarantinedRecord) -> str:
        return getattr(record, "system_name", None) or "not readable"

    @admin.display(description="sent by")
    def account(self, record: QuarantinedRecord) -> str:
        return getattr(record, "account_name", None) or str(record.account_id)

    @admin.display(description="first problem")
    def first_problem(self, record: QuarantinedRecord) -> str:
        if _is_barred(record):
            return "restricted"
        if not record.problems:
            return "erased"
        errors = record.problems.get("errors") or [{}]
        pointer, detail = errors[0].get("pointer", ""), errors[0].get("detail") or record.problems.get("detail", "")
        return f"{pointer}: {detail}" if pointer else str(detail)

    @admin.display(description="size", ordering="original_size")
    def size(self, record: QuarantinedRecord) -> str:
        return size_of(record.original_size)

    @admin.display(description="decision")
    def decision(self, record: QuarantinedRecord) -> str:
        case = getattr(record, "case", None)
        if not case or case.decision_id is None:
            return "none"
        return format_html('<a href="{}">{}</a>', reverse("admin:decision", args=[case.decision_id]), case.decision_id)

    @admin.display(description="who may")
    def who_may(self, record: QuarantinedRecord) -> str:
        replaying, dismissing = RULES[Act.QUARANTINE_REPLAY], RULES[Act.QUARANTINE_DISMISS]
        return (
            f"Correct and replay: {role_names(replaying.asks)}. Ask to give it up: {role_names(dismissing.asks)}. "
            f"Agree to that: {role_names(dismissing.approves)}. {_whose(record)}".strip()
        )

    @admin.display(description="problems")
    def shown_problems(self, record: QuarantinedRecord) -> str:
        if _is_barred(record):
            return RESTRICTED
        return _as_code(json.dumps(record.problems, indent=2, ensure_ascii=False)) if record.problems else "erased"

    @admin.display(description="record")
    def shown_original(self, record: QuarantinedRecord) -> str:
        if _is_barred(record):
            return RESTRICTED
        if record.original is None:
            return "erased"
        text = bytes(record.original).decode(errors="backslashreplace")
        return _as_code(text + (f"… ({record.original_size:,} bytes)" if record.is_truncated else ""))

    @admin.display(description="corrections")
    def corrected(self, record: QuarantinedRecord) -> str:
        if _is_barred(record):
            return RESTRICTED
        case = getattr(record, "case", None)
        return json.dumps(case.corrections, ensure_ascii=False) if case and case.corrections else "none"


def _is_barred(record: QuarantinedRecord) -> bool:
    """As `get_queryset` told of whoever looks."""
    return bool(record.is_barred)  # type: ignore[attr-defined]


def _whose(record: QuarantinedRecord) -> str:
    """In words, which AI systems these roles are held in, where the record does not say."""
    place = scope_of(record)
    if not isinstance(place, AnyOf):
        return ""
    names = ", ".join(str(system) for system in AISystem.objects.filter(pk__in=place.system_ids))
    return (
        f"Which AI system it was meant for cannot be read, so each of these may, in any that its key reaches: {names}."
    )


def _name(model: type[AISystem] | type[ServiceAccount], reference: str) -> Subquery:
    named = Coalesce(NullIf("name", Value("")), "slug")
    return Subquery(model._default_manager.filter(pk=OuterRef(reference)).values_list(named)[:1])


def _as_code(text: str) -> str:
    return format_html('<pre class="a-code" tabindex="0">{}</pre>', text)


def size_of(size: int) -> str:
    """A number of bytes in its largest fitting unit."""
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"

"""Model versions."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldBooleanWidget

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, actor_of, person_link, person_of
from governance.gates import gates_of
from governance.models import ModelVersion, VersionPromotion
from governance.scopes import Scope
from governance.services.promotions import (
    approve_version,
    is_last_approved,
    may_decide,
    propose_version,
    refuse_version,
    release_version,
    retire_version,
    withdraw_proposal,
)
from governance.services.versions import register_version, update_version

Status = ModelVersion.Status
LAST = (
    "It is the last approved version of an AI system that is live. Decisions go on being recorded, each with the flag "
    "that nobody approved what made it. To stop the AI system, use its switch."
)
RETIRES = "Say that this version is not to run any more. What it decided stays in the record as it is."
OPEN = (Status.UNVERIFIED, Status.REGISTERED)
"""While it is so, what a version is may still be said."""


class NeededReasonForm(ReasonForm):
    """An act that says why."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = True


class LastRetiredForm(NeededReasonForm):
    """Retiring the last approved one of a live AI system."""

    leaves_none = forms.BooleanField(
        label="No approved version is left: from then on nobody stands for what decides",
        widget=UnfoldBooleanWidget,
    )


class AnswerForm(forms.Form):
    """What the second person says to the first."""

    answer = forms.CharField(required=False, max_length=2000, widget=UnfoldAdminTextareaWidget({"rows": 3}))


class ApprovalForm(AnswerForm):
    """The same, bound to what stands on the page above it."""

    promotion_id = forms.UUIDField(widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput)


class NeededAnswerForm(AnswerForm):
    """As above, where there must be a reason."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["answer"].required = True


@admin.register(ModelVersion)
class ModelVersionAdmin(RegisterAdmin[ModelVersion]):
    list_display = ("version", "system", "shown_status", "name", "provider", "created_at")
    list_filter = ("status", "system")
    list_select_related = ("system",)
    search_fields = ("version", "name")
    fields = (
        "system",
        "version",
        "name",
        "provider",
        "base_model",
        "model_digest",
        "config_digest",
        "configuration",
        "notes",
    )
    actions_detail = ("propose", "approve", "refuse", "withdraw", "release", "retire", "show_history")
    change_form_outer_before_template = "governance/admin/version.html"

    def may(self, request: HttpRequest, act: PageAct, obj: ModelVersion | None) -> bool:
        person = person_of(request)
        match act:
            case "add":
                return rights.can_anywhere(person, Act.VERSION_REGISTER)
            case "change" if obj:
                return obj.status in OPEN and rights.can(person, Act.VERSION_REGISTER, _scope(obj))
            case "view" if obj:
                return rights.can(person, Act.SYSTEM_VIEW, _scope(obj))
        return rights.can_anywhere(person, Act.SYSTEM_VIEW)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        rows: QuerySet[ModelVersion] = super().get_queryset(request)
        return rows if systems is None else rows.filter(system__in=systems)

    def get_readonly_fields(self, request: HttpRequest, obj: ModelVersion | None = None) -> Any:
        return ("system", "version", "status") if obj else ()

    def get_fields(self, request: HttpRequest, obj: ModelVersion | None = None) -> Any:
        return ("system", "version", "status", *self.fields[2:]) if obj else self.fields

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        systems = rights.systems_where(person_of(request), Act.VERSION_REGISTER)
        if systems is not None:
            kwargs["queryset"] = db_field.remote_field.model.objects.filter(pk__in=systems)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def carry_out(
        self, request: HttpRequest, original: ModelVersion | None, cleaned: Mapping[str, Any]
    ) -> ModelVersion:
        values = dict(cleaned)
        if original is None:
            return register_version(actor=actor_of(request), system_id=values.pop("system").pk, **values)
        return update_version(actor=actor_of(request), version_id=original.pk, changes=values)

    def acts_for(self, request: HttpRequest, obj: ModelVersion) -> Iterable[str]:
        person, scope = person_of(request), _scope(obj)
        if obj.status == Status.REGISTERED and rights.can(person, Act.VERSION_PROMOTE, scope):
            yield "propose"
        if waiting := _waiting(obj):
            if may_decide(actor_of(request), obj, waiting):
                yield from ("approve", "refuse")
            if rights.can(person, Act.VERSION_PROMOTE, scope):
                yield "withdraw"
        if obj.status == Status.APPROVED and rights.can(person, Act.VERSION_RELEASE, scope):
            yield "release"
        by = Act.VERSION_RELEASE if is_last_approved(obj) else Act.SYSTEM_EDIT
        if obj.status != Status.RETIRED and rights.can(person, by, scope):
            yield "retire"

    def shown_with(self, request: HttpRequest, obj: ModelVersion) -> dict[str, Any]:
        held = obj.dependencies.filter(removed_at=None).select_related("source__owner")
        promotions = obj.promotions.all()[:10]
        return {
            "gates": [] if obj.status in ModelVersion.SETTLED else gates_of(obj),
            "dependencies": held,
            "promotions": [(each, person_link(each.requested_by_id), _decider(each)) for each in promotions],
            "may_declare": obj.status in OPEN and rights.can(person_of(request), Act.VERSION_REGISTER, _scope(obj)),
        }

    @action(description="Propose", icon="campaign", url_path="propose")
    def propose(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="propose",
            title="Propose",
            form_class=NeededReasonForm,
            carry_out=lambda row, given: propose_version(actor=actor_of(request), version_id=row.pk, **given),
            explanation="The accountable person reads your reasons, looks at the gates, and decides.",
            done="It waits for a second person.",
        )

    @action(description="Approve", icon="verified", url_path="approve")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="approve",
            title="Approve",
            form_class=ApprovalForm,
            initial=_looked_at(self.get_object(request, object_id)),
            carry_out=lambda row, given: approve_version(actor=actor_of(request), version_id=row.pk, **given),
            explanation=_asked(self.get_object(request, object_id)),
            done="It is approved, and may go live.",
            asks_factor=True,
        )

    @action(description="Refuse", icon="block", url_path="refuse")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="refuse",
            title="Refuse",
            form_class=NeededAnswerForm,
            carry_out=lambda row, given: refuse_version(actor=actor_of(request), version_id=row.pk, **given),
            explanation=_asked(self.get_object(request, object_id)),
            done="It is registered only, again.",
        )

    @action(description="Take back", icon="undo", url_path="withdraw")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="withdraw",
            title="Take the proposal back",
            carry_out=lambda row, given: withdraw_proposal(actor=actor_of(request), version_id=row.pk),
            done="Nobody decides about it now.",
        )

    @action(description="Go live", icon="rocket_launch", url_path="release")
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="release",
            title="Go live",
            form_class=ReasonForm,
            carry_out=lambda row, given: release_version(actor=actor_of(request), version_id=row.pk, **given),
            explanation="Say that this version runs. Others that are live stay so until they are retired.",
            done="It is live.",
        )

    @action(description="Retire", icon="archive", url_path="retire")
    def retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        is_last = row is not None and is_last_approved(row)
        return self.act(
            request,
            object_id,
            name="retire",
            title="Retire",
            form_class=LastRetiredForm if is_last else ReasonForm,
            explanation=LAST if is_last else RETIRES,
            carry_out=lambda row, given: retire_version(actor=actor_of(request), version_id=row.pk, **given),
        )

    @display(
        description="Status",
        label={
            "live": "success",
            "approved": "success",
            "proposed": "info",
            "registered": "info",
            "unverified": "warning",
            "retired": "default",
        },
    )
    def shown_status(self, row: ModelVersion) -> tuple[str, str]:
        return row.status, row.get_status_display()


def _scope(row: ModelVersion) -> Scope:
    return Scope.system(row.system_id)


def _waiting(row: ModelVersion) -> VersionPromotion | None:
    return row.promotions.filter(status=VersionPromotion.Status.OPEN).first()


def _looked_at(row: ModelVersion | None) -> dict[str, Any]:
    waiting = _waiting(row) if row else None
    return {"promotion_id": waiting.pk, "revision": row.revision} if row and waiting else {}


def _decider(promotion: VersionPromotion) -> str:
    return person_link(promotion.decided_by_id, none="") if promotion.decided_by_id else ""


def _asked(row: ModelVersion | None) -> str:
    """The requester's reasons, before the eyes of whoever decides."""
    waiting = _waiting(row) if row else None
    if waiting is None:
        return ""
    open_gates = [each.title for each in gates_of(waiting.model_version) if not each.is_met]
    unmet = f" Not met: {'; '.join(open_gates)}." if open_gates else " Every gate is met."
    return f"Proposed because: {waiting.reason}{unmet}"

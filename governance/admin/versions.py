"""Model versions."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, actor_of, person_of
from governance.models import ModelVersion
from governance.scopes import Scope
from governance.services.versions import approve_version, register_version, retire_version, update_version

Status = ModelVersion.Status


@admin.register(ModelVersion)
class ModelVersionAdmin(RegisterAdmin[ModelVersion]):
    list_display = ("version", "system", "shown_status", "name", "provider", "created_at")
    list_filter = ("status", "system")
    list_select_related = ("system",)
    search_fields = ("version", "name")
    fields = ("system", "version", "name", "provider", "notes", "model_digest", "config_digest", "configuration")
    actions_detail = ("approve", "retire", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: ModelVersion | None) -> bool:
        person = person_of(request)
        match act:
            case "add":
                return rights.can_anywhere(person, Act.VERSION_REGISTER)
            case "change" if obj:
                return rights.can(person, Act.VERSION_REGISTER, Scope.system(obj.system_id))
            case "view" if obj:
                return rights.can(person, Act.SYSTEM_VIEW, Scope.system(obj.system_id))
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
        person, scope = person_of(request), Scope.system(obj.system_id)
        waits = obj.status in (Status.REGISTERED, Status.UNVERIFIED)
        if waits and rights.may_approve(person, Act.VERSION_PROMOTE, scope, requested_by=None):
            yield "approve"
        if obj.status != Status.RETIRED and rights.can(person, Act.SYSTEM_EDIT, scope):
            yield "retire"

    @action(description="Approve", icon="verified", url_path="approve")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="approve",
            title="Approve",
            form_class=ReasonForm,
            carry_out=lambda row, given: approve_version(actor=actor_of(request), version_id=row.pk, **given),
            explanation="The accountable person lets this version run. Not for one they registered themself.",
        )

    @action(description="Retire", icon="archive", url_path="retire")
    def retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="retire",
            title="Retire",
            form_class=ReasonForm,
            carry_out=lambda row, given: retire_version(actor=actor_of(request), version_id=row.pk, **given),
        )

    @display(
        description="Status",
        label={"approved": "success", "registered": "info", "unverified": "warning", "retired": "default"},
    )
    def shown_status(self, row: ModelVersion) -> tuple[str, str]:
        return row.status, row.get_status_display()

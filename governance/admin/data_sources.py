"""Data sources, what depends on each, and the dependencies of model versions."""

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
from governance.models import DataDependency, DataSource, ModelVersion, Person
from governance.scopes import Scope
from governance.services.data_sources import (
    archive_data_source,
    may_change,
    register_data_source,
    update_data_source,
)
from governance.services.dependencies import declare_dependency, remove_dependency


@admin.register(DataSource)
class DataSourceAdmin(RegisterAdmin[DataSource]):
    about = (
        "Where data of model versions comes from, and who answers for it. Registered once for the whole organisation: "
        "so it shows what else depends on the same source."
    )
    list_display = ("name", "slug", "kind", "provider", "owner", "shown_state")
    list_filter = ("kind", "personal_data")
    list_select_related = ("owner",)
    search_fields = ("slug", "name")
    fields = ("slug", "name", "kind", "owner", "description", "provider", "location", "personal_data", "legal_basis")
    actions_detail = ("archive", "show_history")
    change_form_outer_before_template = "governance/admin/data_source.html"

    def may(self, request: HttpRequest, act: PageAct, obj: DataSource | None) -> bool:
        person = person_of(request)
        match act:
            case "add":
                return rights.can_anywhere(person, Act.DATA_SOURCE_MANAGE)
            case "change" if obj:
                return obj.archived_at is None and may_change(person, obj)
        return rights.can_anywhere(person, Act.SYSTEM_VIEW)

    def get_readonly_fields(self, request: HttpRequest, obj: DataSource | None = None) -> Any:
        return ("slug",) if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = Person.objects.filter(is_active=True).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def carry_out(self, request: HttpRequest, original: DataSource | None, cleaned: Mapping[str, Any]) -> DataSource:
        if original is None:
            return register_data_source(actor=actor_of(request), **cleaned)
        return update_data_source(actor=actor_of(request), source_id=original.pk, changes=cleaned)

    def shown_with(self, request: HttpRequest, obj: DataSource) -> dict[str, Any]:
        return {"dependents": list(dependents_of(obj, person_of(request)))}

    def acts_for(self, request: HttpRequest, obj: DataSource) -> Iterable[str]:
        if obj.archived_at is None and may_change(person_of(request), obj):
            yield "archive"

    @action(description="Archive", icon="archive", url_path="archive")
    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="archive",
            title="Archive",
            form_class=ReasonForm,
            carry_out=lambda row, given: archive_data_source(actor=actor_of(request), source_id=row.pk, **given),
            explanation="Nothing new is made to depend on it. What depended on it keeps saying so.",
        )

    @display(description="State", label={"in use": "success", "archived": "default"})
    def shown_state(self, row: DataSource) -> str:
        return "archived" if row.archived_at else "in use"


@admin.register(DataDependency)
class DataDependencyAdmin(RegisterAdmin[DataDependency]):
    list_display = ("model_version", "system", "source", "use", "snapshot", "shown_state")
    list_filter = ("use", "source")
    list_select_related = ("model_version__system", "source")
    fields = ("model_version", "source", "use", "snapshot", "digest", "note")
    actions_detail = ("remove", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: DataDependency | None) -> bool:
        person = person_of(request)
        match act:
            case "add":
                return rights.can_anywhere(person, Act.VERSION_REGISTER)
            case "change" if obj:
                return _is_open(obj) and rights.can(person, Act.VERSION_REGISTER, _scope(obj))
            case "view" if obj:
                return rights.can(person, Act.SYSTEM_VIEW, _scope(obj))
        return rights.can_anywhere(person, Act.SYSTEM_VIEW)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataDependency]:
        systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        rows: QuerySet[DataDependency] = super().get_queryset(request)
        return rows if systems is None else rows.filter(model_version__system__in=systems)

    def get_readonly_fields(self, request: HttpRequest, obj: DataDependency | None = None) -> Any:
        return ("model_version", "source", "use") if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "source":
            kwargs["queryset"] = DataSource.objects.filter(archived_at=None)
        else:
            kwargs["queryset"] = _describable(person_of(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def carry_out(
        self, request: HttpRequest, original: DataDependency | None, cleaned: Mapping[str, Any]
    ) -> DataDependency:
        said = dict(cleaned)
        if original is None:
            version, source, use = said.pop("model_version"), said.pop("source"), said.pop("use")
        else:
            version, source, use = original.model_version, original.source, original.use
        return declare_dependency(actor=actor_of(request), version_id=version.pk, source=source.slug, use=use, **said)

    def acts_for(self, request: HttpRequest, obj: DataDependency) -> Iterable[str]:
        if _is_open(obj) and rights.can(person_of(request), Act.VERSION_REGISTER, _scope(obj)):
            yield "remove"

    @action(description="Remove", icon="link_off", url_path="remove")
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="remove",
            title="Remove",
            form_class=ReasonForm,
            carry_out=lambda row, given: remove_dependency(actor=actor_of(request), dependency_id=row.pk, **given),
            explanation="Say that the version does not depend on it after all. That it was declared stays to be seen.",
        )

    @admin.display(description="AI system")
    def system(self, row: DataDependency) -> str:
        return str(row.model_version.system)

    @display(description="State", label={"declared": "success", "removed": "default"})
    def shown_state(self, row: DataDependency) -> str:
        return "removed" if row.removed_at else "declared"


def dependents_of(source: DataSource, person: Person) -> QuerySet[DataDependency]:
    """What depends on a source, as far as somebody sees the AI systems: others are not even counted."""
    held = source.dependencies.filter(removed_at=None).select_related("model_version__system")
    systems = rights.systems_where(person, Act.SYSTEM_VIEW)
    held = held if systems is None else held.filter(model_version__system__in=systems)
    return held.order_by("model_version__system__slug", "-model_version_id", "use")


def _describable(person: Person) -> QuerySet[ModelVersion]:
    """Versions of which what they are may still be said."""
    systems = rights.systems_where(person, Act.VERSION_REGISTER)
    rows = ModelVersion.objects.select_related("system").exclude(status__in=ModelVersion.SETTLED)
    return rows if systems is None else rows.filter(system__in=systems)


def _is_open(row: DataDependency) -> bool:
    settled = (*ModelVersion.SETTLED, ModelVersion.Status.PROPOSED)
    return row.removed_at is None and row.model_version.status not in settled


def _scope(row: DataDependency) -> Scope:
    return Scope.system(row.model_version.system_id)

"""Environments: where AI systems run."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, actor_of, page_link, person_of
from governance.models import Environment
from governance.scopes import Scope
from governance.services.systems import end_environment, register_environment


@admin.register(Environment)
class EnvironmentAdmin(RegisterAdmin[Environment]):
    """Added, ended and taken up again; never renamed, for decisions and keys name them."""

    about = (
        "Environments are the places where an AI system runs, such as production and staging. Decisions that come from "
        "one that is not registered here are recorded and flagged."
    )
    list_display = ("slug", "system", "state", "created_at")
    list_filter = ("system",)
    list_select_related = ("system",)
    search_fields = ("slug",)
    fields = ("system", "slug")
    actions_detail = ("end", "reopen", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: Environment | None) -> bool:
        person = person_of(request)
        match act:
            case "add":
                return rights.can_anywhere(person, Act.ENVIRONMENT_REGISTER)
            case "change":
                return False
            case "view" if obj:
                return rights.can(person, Act.SYSTEM_VIEW, Scope.system(obj.system_id))
        return rights.can_anywhere(person, Act.SYSTEM_VIEW)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Environment]:
        systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        rows: QuerySet[Environment] = super().get_queryset(request)
        return rows if systems is None else rows.filter(system__in=systems)

    def get_fields(self, request: HttpRequest, obj: Environment | None = None) -> Any:
        return ("system_page", "slug", "state", "created_at", "ended_at") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Environment | None = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        systems = rights.systems_where(person_of(request), Act.ENVIRONMENT_REGISTER)
        if systems is not None:
            kwargs["queryset"] = db_field.remote_field.model.objects.filter(pk__in=systems)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def carry_out(self, request: HttpRequest, original: Environment | None, cleaned: Mapping[str, Any]) -> Environment:
        if original is not None:
            raise RuntimeError("nothing of an environment changes")
        return register_environment(actor=actor_of(request), system_id=cleaned["system"].pk, slug=cleaned["slug"])

    def acts_for(self, request: HttpRequest, obj: Environment) -> Iterable[str]:
        person, scope = person_of(request), Scope.system(obj.system_id)
        if obj.ended_at is None and rights.can(person, Act.SYSTEM_EDIT, scope):
            yield "end"
        if obj.ended_at is not None and rights.can(person, Act.ENVIRONMENT_REGISTER, scope):
            yield "reopen"

    @action(description="End", icon="archive", url_path="end")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="end",
            title="End",
            form_class=ReasonForm,
            carry_out=lambda place, given: end_environment(actor=actor_of(request), environment_id=place.pk, **given),
            explanation="Says that the AI system does not run here any more. Decisions that still come from here are "
            "recorded and flagged; keys for it go on until they are revoked, and a new one takes it up again.",
        )

    @action(description="Take up again", icon="undo", url_path="reopen")
    def reopen(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="reopen",
            title="Take up again",
            carry_out=lambda place, given: register_environment(
                actor=actor_of(request), system_id=place.system_id, slug=place.slug
            ),
        )

    @display(description="State", label={"in use": "success", "ended": "default"})
    def state(self, place: Environment) -> str:
        return "ended" if place.ended_at else "in use"

    @admin.display(description="AI system")
    def system_page(self, place: Environment) -> SafeString:
        return page_link(place.system)

"""Changes of parameters that wait for a second person, and those that were settled."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import ActPages, ReasonForm, actor_of, page_link, person_of
from governance.models import Person, ServiceAccount
from governance.scopes import Scope
from overrides.models import ParameterVersion
from overrides.parameter_values import in_words
from overrides.parameters import standing, value_of
from overrides.services.parameter_requests import approve_change, refuse_change, withdraw_change

Status = ParameterVersion.Status


@admin.register(ParameterVersion)
class ParameterVersionAdmin(ActPages[ParameterVersion]):
    about = "Every value that somebody asked for, and who agreed to it. What waits for a second person stands first."
    list_display = ("parameter", "system", "asked_value", "shown_status", "asked_by", "requested_at", "expires_at")
    list_filter = ("status", "parameter__system")
    list_select_related = ("parameter__system",)
    fields = (
        "shown_parameter",
        "system",
        "asked_value",
        "value_now",
        "expires_at",
        "status",
        "reason_code",
        "note",
        "asked_by",
        "requested_at",
        "request_expires_at",
        "agreed_by",
        "in_force_at",
        "ended_at",
    )
    readonly_fields = fields
    actions_detail = ("approve", "refuse", "withdraw", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: ParameterVersion | None) -> bool:
        person = person_of(request)
        if obj is None:
            return rights.can_anywhere(person, Act.SYSTEM_VIEW)
        return rights.can(person, Act.SYSTEM_VIEW, Scope.system(obj.parameter.system_id))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ParameterVersion]:
        systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        rows: QuerySet[ParameterVersion] = super().get_queryset(request).select_related("parameter__system")
        return rows if systems is None else rows.filter(parameter__system_id__in=systems)

    def get_ordering(self, request: HttpRequest) -> Any:
        return (Case(When(status=Status.PROPOSED, then=0), default=1).asc(), "-id")

    def acts_for(self, request: HttpRequest, obj: ParameterVersion) -> Iterable[str]:
        if obj.status != Status.PROPOSED:
            return
        person, scope = person_of(request), Scope.system(obj.parameter.system_id)
        if rights.may_approve(person, Act.PARAMETER_LOOSEN, scope, requested_by=obj.requested_by_id):
            yield from ("approve", "refuse")
        if obj.requested_by_id == person.pk:
            yield "withdraw"

    @action(description="Approve", icon="how_to_reg", url_path="approve")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        found = self.get_object(request, object_id)
        return self.act(
            request,
            object_id,
            name="approve",
            asks_factor=True,
            title="Approve",
            carry_out=lambda row, given: approve_change(actor=actor_of(request), version_id=row.pk),
            explanation=_what_it_does(found) if found else "",
            done="It is in force.",
        )

    @action(description="Refuse", icon="block", url_path="refuse")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="refuse",
            title="Refuse",
            form_class=ReasonForm,
            carry_out=lambda row, given: refuse_change(actor=actor_of(request), version_id=row.pk, **given),
        )

    @action(description="Withdraw", icon="undo", url_path="withdraw")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="withdraw",
            title="Withdraw",
            form_class=ReasonForm,
            carry_out=lambda row, given: withdraw_change(actor=actor_of(request), version_id=row.pk, **given),
        )

    @admin.display(description="Parameter")
    def shown_parameter(self, row: ParameterVersion) -> SafeString:
        return page_link(row.parameter)

    @admin.display(description="AI system")
    def system(self, row: ParameterVersion) -> SafeString:
        return page_link(row.parameter.system)

    @admin.display(description="Value")
    def asked_value(self, row: ParameterVersion) -> str:
        return _words(row)

    @admin.display(description="Now")
    def value_now(self, row: ParameterVersion) -> str:
        return "retired" if row.parameter.retired_at else _words(standing(row.parameter, timezone.now())[0])

    @display(
        description="Status",
        label={"proposed": "warning", "in_force": "success", "refused": "danger", "void": "danger"},
    )
    def shown_status(self, row: ParameterVersion) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @admin.display(description="Asked for by")
    def asked_by(self, row: ParameterVersion) -> SafeString | str:
        if row.requested_by_type == "service" and row.requested_by_id:
            account = ServiceAccount.objects.filter(pk=row.requested_by_id).first()
            return f"the service {account}" if account else "a service"
        return _person(row.requested_by_id) or f"the {row.requested_by_type}"

    @admin.display(description="Agreed to by")
    def agreed_by(self, row: ParameterVersion) -> SafeString | str:
        return _person(row.approved_by_id) or ("nobody yet" if row.status == Status.PROPOSED else "one was enough")


def _words(row: ParameterVersion) -> str:
    if row.retires:
        return "retire it"
    return f"{in_words(value_of(row, row.parameter.type))} {row.parameter.unit}".strip()


def _what_it_does(row: ParameterVersion) -> str:
    if row.retires:
        return "It is not given out any more, at once. Callers then take what stands in their own code."
    if row.parameter.retired_at is not None:
        return ""
    now = _words(standing(row.parameter, timezone.now())[0])
    until = " for a time; then the lasting value holds again" if row.expires_at else ""
    return f"{row.parameter}: from {now} to {_words(row)}, in force at once{until}."


def _person(person_id: Any) -> SafeString | None:
    found = Person.objects.filter(pk=person_id).first() if person_id else None
    return page_link(found) if found else None

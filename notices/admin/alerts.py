"""Alerts: the list, one alert, acknowledging and closing."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import ActPages, actor_of, page_link, person_of
from governance.models import AISystem, Person
from governance.scopes import Scope
from notices.alert_kinds import alert_title
from notices.models import Alert
from notices.selectors import alerts_for, may_handle
from notices.services import acknowledge_alert, close_alert
from notices.words import in_words

Status = Alert.Status
NOTHING_MORE = "–"


class NoteForm(forms.Form):
    """What was found and done."""

    note = forms.CharField(
        max_length=4000, widget=UnfoldAdminTextareaWidget({"rows": 5}), help_text="What was found and what was done."
    )


class KindFilter(admin.SimpleListFilter):
    """What it is about, in words; only kinds that there are."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        kinds = model_admin.get_queryset(request).order_by("kind").values_list("kind", flat=True).distinct()
        return [(kind, alert_title(kind)) for kind in kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Alert)
class AlertAdmin(ActPages[Alert]):
    about = (
        "Alerts say what needs somebody's attention: trouble with the ledger, conflicting decisions, roles that nobody "
        "holds. They open by themselves, and go to the accountable person or to the administrators."
    )
    list_display = ("shown_kind", "shown_severity", "shown_status", "system", "owner", "occurrences", "opened_at")
    list_filter = ("status", "severity", KindFilter)
    ordering = ("-id",)
    readonly_fields = (
        "shown_kind",
        "severity",
        "status",
        "system",
        "owner",
        "facts_list",
        "occurrences",
        "opened_at",
        "last_seen_at",
        "acknowledged_at",
        "closed_at",
        "note",
        "sealed",
    )
    fields = readonly_fields
    actions_detail = ("acknowledge", "close", "open_case", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: Alert | None) -> bool:
        person = person_of(request)
        if obj is None:
            return True  # an empty list says nothing, and owners see their own
        return alerts_for(person).filter(pk=obj.pk).exists()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        return alerts_for(person_of(request)).order_by("-id")

    def acts_for(self, request: HttpRequest, obj: Alert) -> Iterable[str]:
        """An investigator looks into what it is about; dealing with it is for others."""
        if obj.status != Status.CLOSED and may_handle(person_of(request), obj):
            if obj.status == Status.OPEN:
                yield "acknowledge"
            yield "close"
        if obj.system_id and rights.can(person_of(request), Act.CASE_OPEN, Scope.system(obj.system_id)):
            yield "open_case"

    @action(description="Acknowledge", icon="visibility", url_path="acknowledge")
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="acknowledge",
            title="Acknowledge",
            carry_out=lambda alert, given: acknowledge_alert(actor=actor_of(request), alert_id=alert.pk),
            explanation="Says that you are looking at it.",
        )

    @action(description="Close", icon="task_alt", url_path="close")
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="close",
            title="Close",
            form_class=NoteForm,
            carry_out=lambda alert, given: close_alert(actor=actor_of(request), alert_id=alert.pk, **given),
            explanation="If it happens again, a new alert opens.",
        )

    @action(description="Open a case", icon="folder_open", url_path="case")
    def open_case(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Leads to the page that opens one, which asks what it is about."""
        return redirect(f"{reverse('admin:case_attach')}?{urlencode({'alert': object_id})}")

    @admin.display(description="Kind", ordering="kind")
    def shown_kind(self, alert: Alert) -> str:
        return alert_title(alert.kind)

    @display(description="Severity", label={"critical": "danger", "warning": "warning", "info": "info"})
    def shown_severity(self, alert: Alert) -> tuple[str, str]:
        return alert.severity, alert.get_severity_display()

    @display(description="Status", label={"open": "danger", "acknowledged": "warning", "closed": "success"})
    def shown_status(self, alert: Alert) -> tuple[str, str]:
        return alert.status, alert.get_status_display()

    @admin.display(description="AI system")
    def system(self, alert: Alert) -> SafeString | str:
        found = AISystem.objects.filter(pk=alert.system_id).first() if alert.system_id else None
        return page_link(found) if found else NOTHING_MORE

    @admin.display(description="Owner")
    def owner(self, alert: Alert) -> SafeString | str:
        found = Person.objects.filter(pk=alert.owner_id).first() if alert.owner_id else None
        return page_link(found) if found else "administrators"

    @admin.display(description="Sealed")
    def sealed(self, alert: Alert) -> str:
        return "not yet: its log takes no entry at the moment" if alert.seal_pending else "yes"

    @admin.display(description="What happened")
    def facts_list(self, alert: Alert) -> SafeString | str:
        return format_html_join("", "<div>{}: {}</div>", in_words(alert)) or NOTHING_MORE

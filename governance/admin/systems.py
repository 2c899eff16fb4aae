"""AI systems and their environments."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.views import ChangeList
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from config.admin import Act as PageAct
from config.admin import ServiceForm
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, actor_of, page_link, person_of
from governance.fail_policies import fail_policy_of
from governance.models import AISystem, Assignment, FailPolicyRequest, Person
from governance.models.systems import slug
from governance.scopes import ORGANISATION, Scope
from governance.selectors import accountable_of
from governance.services.fail_policies import ask_for_milder_policy
from governance.services.systems import (
    EDITABLE,
    gaps,
    register_environment,
    register_system,
    retire_system,
    take_live,
    update_system,
)


class NewSystemForm(ServiceForm):
    """Registering asks who is to answer for it."""

    accountable = forms.ModelChoiceField(
        Person.objects.filter(is_active=True),
        widget=UnfoldAdminSelectWidget,
        help_text="Is offered the responsibility; it counts once they accept.",
    )

    class Meta:
        model = AISystem
        fields = ("slug", "name", "intended_purpose", "provider", "risk_class")


class EnvironmentForm(forms.Form):
    """One more place to run in."""

    slug = forms.CharField(max_length=100, validators=[slug], widget=UnfoldAdminTextInputWidget)


class MilderPolicyForm(forms.Form):
    """For how long the last known state counts, and what holds then."""

    max_staleness_s = forms.IntegerField(
        label="Seconds for which the last known state counts", widget=UnfoldAdminIntegerFieldWidget
    )
    safe_mode = forms.ChoiceField(
        label="Safe mode after that", choices=AISystem.SafeMode.choices, widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Why. Kept beside the log, which holds a commitment to it.",
    )


class _Systems(ChangeList):
    """A row leads to the AI system's own page, which leads to its register entry."""

    def url_for_result(self, result: AISystem) -> str:
        return reverse("admin:system", args=[result.pk])


@admin.register(AISystem)
class AISystemAdmin(RegisterAdmin[AISystem]):
    list_display = ("name", "slug", "shown_status", "risk_class", "shown_accountable", "missing_count")
    list_filter = ("status", "risk_class")
    search_fields = ("slug", "name")
    readonly_fields = ("status", "accountable", "environment_list", "missing", "policy_in_force")
    actions_detail = ("live", "retire", "environment", "milder_policy", "show_history")
    add_fieldsets = ((None, {"fields": (*NewSystemForm.Meta.fields, "accountable")}),)
    fieldsets = (
        (None, {"fields": ("status", "missing", "accountable", "environment_list")}),
        ("What it is", {"fields": ("name", "intended_purpose", "provider", "risk_class")}),
        (
            "Shutdown procedure",
            {
                "fields": ("safe_state", "shutdown_steps", "shutdown_contacts"),
                "description": "Written before it is needed. No AI system goes live without.",
            },
        ),
        (
            "When callers lose contact, and what stands in",
            {
                "fields": ("policy_in_force", "max_staleness_s", "safe_mode", "fallback_kind", "fallback"),
                "description": "Callers go by the last known state for so many seconds, then by the safe mode. Empty: "
                "what the risk class asks for. Of a live AI system a milder policy takes two people.",
            },
        ),
    )

    def may(self, request: HttpRequest, act: PageAct, obj: AISystem | None) -> bool:
        person, scope = person_of(request), Scope.system(obj.pk) if obj else ORGANISATION
        match act:
            case "add":
                return rights.can(person, Act.SYSTEM_REGISTER)
            case "change" if obj:
                return rights.can(person, Act.SYSTEM_EDIT, scope)
            case "view" if obj:
                return rights.can(person, Act.SYSTEM_VIEW, scope)
        return rights.can_anywhere(person, Act.SYSTEM_VIEW)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AISystem]:
        systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        rows: QuerySet[AISystem] = super().get_queryset(request)
        return rows if systems is None else rows.filter(pk__in=systems)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return _Systems

    def get_form(self, request: HttpRequest, obj: AISystem | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewSystemForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: AISystem | None = None) -> Any:
        return self.fieldsets if obj else self.add_fieldsets

    def carry_out(self, request: HttpRequest, original: AISystem | None, cleaned: Mapping[str, Any]) -> AISystem:
        if original is None:
            return register_system(actor=actor_of(request), **cleaned)
        changes = {name: value for name, value in cleaned.items() if name in EDITABLE}
        return update_system(actor=actor_of(request), system_id=original.pk, changes=changes)

    def acts_for(self, request: HttpRequest, obj: AISystem) -> Iterable[str]:
        person, scope = person_of(request), Scope.system(obj.pk)
        if rights.can(person, Act.SYSTEM_GO_LIVE, scope) and obj.status == AISystem.Status.DRAFT:
            yield "live"
        if rights.can(person, Act.SYSTEM_RETIRE, scope) and obj.status != AISystem.Status.RETIRED:
            yield "retire"
        if rights.can(person, Act.ENVIRONMENT_REGISTER, scope):
            yield "environment"
        if rights.can(person, Act.FAIL_POLICY_LOOSEN, scope):
            yield "milder_policy"

    @action(description="Go live", icon="play_arrow", url_path="live")
    def live(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="live",
            title="Go live",
            carry_out=lambda system, given: take_live(actor=actor_of(request), system_id=system.pk),
            explanation="Says that the AI system is in use. Needs what is listed as missing on its page.",
        )

    @action(description="Retire", icon="archive", url_path="retire")
    def retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="retire",
            title="Retire",
            form_class=ReasonForm,
            carry_out=lambda system, given: retire_system(actor=actor_of(request), system_id=system.pk, **given),
            explanation="Says that the AI system is not in use any more. Its record stays.",
        )

    @action(description="Add environment", icon="add", url_path="environment")
    def environment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="environment",
            title="Add environment",
            form_class=EnvironmentForm,
            carry_out=lambda system, given: register_environment(actor=actor_of(request), system_id=system.pk, **given),
            explanation="Decisions from an environment that is not registered are recorded and flagged. "
            "Its name stays as it is: decisions and keys name it.",
        )

    @action(description="Ask for a milder fail policy", icon="timer", url_path="milder-policy")
    def milder_policy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="milder_policy",
            asks_factor=True,
            title="Ask for it",
            form_class=MilderPolicyForm,
            carry_out=lambda system, given: ask_for_milder_policy(
                actor=actor_of(request), system_id=system.pk, **given
            ),
            explanation="Callers that lose contact may then do more, or for longer. Nothing changes until an approver "
            "agrees. A stricter policy needs nobody else: set it on the page of the AI system.",
            done="It waits for another person.",
        )

    @admin.display(description="In force")
    def policy_in_force(self, system: AISystem) -> SafeString | str:
        policy = fail_policy_of(system)
        said = f"The last known state for {policy.max_staleness_s} s, then {policy.safe_mode}."
        waiting = system.fail_policy_requests.filter(status=FailPolicyRequest.Status.OPEN).first()
        return format_html("{} {}", said, page_link(waiting, "A milder one waits for approval.")) if waiting else said

    @display(description="Status", label={"live": "success", "draft": "warning", "retired": "info"})
    def shown_status(self, system: AISystem) -> tuple[str, str]:
        return system.status, system.get_status_display()

    @admin.display(description="Accountable")
    def accountable(self, system: AISystem) -> str:
        return _words(accountable_of(system.pk))

    @admin.display(description="Environments")
    def environment_list(self, system: AISystem) -> SafeString | str:
        places = ((page_link(place), " (ended)" if place.ended_at else "") for place in system.environments.all())
        return format_html_join(", ", "{}{}", places) or "none"

    @admin.display(description="Accountable")
    def shown_accountable(self, system: AISystem) -> SafeString | str:
        found = accountable_of(system.pk)
        said = _words(found)
        return said if found and found.accepted_at else format_html('<strong class="a-bad">{}</strong>', said)

    @admin.display(description="Missing to be live")
    def missing_count(self, system: AISystem) -> str:
        found = len(gaps(system))
        return f"{found} missing" if found else "nothing"

    @admin.display(description="Missing before it may go live")
    def missing(self, system: AISystem) -> SafeString | str:
        found = gaps(system)
        if not found:
            return "Nothing."
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((gap.detail,) for gap in found)))


def _words(found: Assignment | None) -> str:
    if found is None:
        return "nobody"
    return str(found.person) if found.accepted_at else f"{found.person} (has not accepted)"

"""Requests for a milder fail policy: looked at, approved, refused, taken back."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import ActPages, ReasonForm, actor_of, page_link, person_of
from governance.fail_policies import fail_policy_of
from governance.models import FailPolicyRequest, Person
from governance.scopes import Scope
from governance.services.fail_policies import approve_milder_policy, refuse_milder_policy, withdraw_milder_policy

Status = FailPolicyRequest.Status


@admin.register(FailPolicyRequest)
class FailPolicyRequestAdmin(ActPages[FailPolicyRequest]):
    about = "Requests to let the callers of a live AI system do more, or for longer, when they lose contact."
    list_display = ("system", "asked_policy", "shown_status", "asked_by", "requested_at")
    list_filter = ("status", "system")
    list_select_related = ("system",)
    fields = (
        "linked_system",
        "asked_policy",
        "policy_now",
        "status",
        "note",
        "asked_by",
        "requested_at",
        "expires_at",
        "decided_by",
        "decided_at",
    )
    readonly_fields = fields
    actions_detail = ("approve", "refuse", "withdraw", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: FailPolicyRequest | None) -> bool:
        person = person_of(request)
        if obj is None:
            return rights.can_anywhere(person, Act.SYSTEM_VIEW)
        return rights.can(person, Act.SYSTEM_VIEW, Scope.system(obj.system_id))

    def get_queryset(self, request: HttpRequest) -> QuerySet[FailPolicyRequest]:
        systems = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        rows: QuerySet[FailPolicyRequest] = super().get_queryset(request)
        return rows if systems is None else rows.filter(system_id__in=systems)

    def get_ordering(self, request: HttpRequest) -> Any:
        return (Case(When(status=Status.OPEN, then=0), default=1).asc(), "-id")

    def acts_for(self, request: HttpRequest, obj: FailPolicyRequest) -> Iterable[str]:
        if obj.status != Status.OPEN:
            return
        person, scope = person_of(request), Scope.system(obj.system_id)
        if rights.may_approve(person, Act.FAIL_POLICY_LOOSEN, scope, requested_by=obj.requested_by_id):
            yield from ("approve", "refuse")
        if obj.requested_by_id == person.pk:
            yield "withdraw"

    @action(description="Approve", icon="how_to_reg", url_path="approve")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="approve",
            asks_factor=True,
            title="Approve",
            carry_out=lambda row, given: approve_milder_policy(actor=actor_of(request), request_id=row.pk),
            explanation="In force at once: callers that lose contact may do more, or for longer.",
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
            carry_out=lambda row, given: refuse_milder_policy(actor=actor_of(request), request_id=row.pk, **given),
        )

    @action(description="Withdraw", icon="undo", url_path="withdraw")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="withdraw",
            title="Withdraw",
            carry_out=lambda row, given: withdraw_milder_policy(actor=actor_of(request), request_id=row.pk),
        )

    @admin.display(description="AI system")
    def linked_system(self, row: FailPolicyRequest) -> SafeString:
        return page_link(row.system)

    @admin.display(description="Asked for")
    def asked_policy(self, row: FailPolicyRequest) -> str:
        return f"{row.max_staleness_s} s, then {row.safe_mode}"

    @admin.display(description="Now")
    def policy_now(self, row: FailPolicyRequest) -> str:
        held = fail_policy_of(row.system)
        return f"{held.max_staleness_s} s, then {held.safe_mode}"

    @display(description="Status", label={"open": "warning", "approved": "success", "refused": "danger"})
    def shown_status(self, row: FailPolicyRequest) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @admin.display(description="Asked for by")
    def asked_by(self, row: FailPolicyRequest) -> SafeString | str:
        return _person(row.requested_by_id)

    @admin.display(description="Decided by")
    def decided_by(self, row: FailPolicyRequest) -> SafeString | str:
        return _person(row.decided_by_id)


def _person(person_id: Any) -> SafeString | str:
    found = Person.objects.filter(pk=person_id).first() if person_id else None
    return page_link(found) if found else "nobody"

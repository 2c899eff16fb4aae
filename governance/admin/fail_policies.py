"""Requests for a milder fail policy: looked at, approved, refused, taken back."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from governance.acts import Act
from governance.admin.pages import page_link, person_link
from governance.admin.requests import RequestPages
from governance.fail_policies import fail_policy_of
from governance.models import FailPolicyRequest
from governance.services.fail_policies import approve_milder_policy, refuse_milder_policy, withdraw_milder_policy
from ledger.entries import Actor

Status = FailPolicyRequest.Status


@admin.register(FailPolicyRequest)
class FailPolicyRequestAdmin(RequestPages[FailPolicyRequest]):
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
    waiting_status = Status.OPEN

    def act_of(self, obj: FailPolicyRequest) -> Act:
        return Act.FAIL_POLICY_LOOSEN

    def what_it_does(self, obj: FailPolicyRequest) -> str:
        return "In force at once: callers that lose contact may do more, or for longer."

    def carry_out_approval(self, actor: Actor, obj: FailPolicyRequest) -> object:
        return approve_milder_policy(actor=actor, request_id=obj.pk)

    def carry_out_refusal(self, actor: Actor, obj: FailPolicyRequest, reason: str) -> object:
        return refuse_milder_policy(actor=actor, request_id=obj.pk, reason=reason)

    def carry_out_withdrawal(self, actor: Actor, obj: FailPolicyRequest, reason: str) -> object:
        return withdraw_milder_policy(actor=actor, request_id=obj.pk, reason=reason)

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

    @admin.display(description="Decided by")
    def decided_by(self, row: FailPolicyRequest) -> SafeString | str:
        return person_link(row.decided_by_id)

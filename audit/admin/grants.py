"""Grants to read payloads: asked for, agreed to, refused, ended."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from audit.models import PayloadGrant
from audit.payload_grants import grants_for
from audit.services.payload_grants import LONGEST, approve_grant, end_grant, refuse_grant, request_grant, withdraw_grant
from config.admin import Act as PageAct
from config.admin import ServiceForm
from config.moments import moment
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, actor_of, person_link, person_of
from governance.admin.requests import RequestPages
from governance.models import AISystem
from ledger.entries import Actor

Status = PayloadGrant.Status


class AskForm(ServiceForm):
    """Of which AI system, recorded when, until which day, and what for."""

    system = forms.ModelChoiceField(
        AISystem.objects.order_by("slug"), label="AI system", widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = PayloadGrant
        fields = ("since", "until", "ends_at", "reason")
        labels: ClassVar = {"since": "Recorded from", "until": "Recorded before", "ends_at": "To be read until"}
        help_texts: ClassVar = {
            "since": "Empty: from the first decision on.",
            "until": "Empty: also those that are still to come.",
            "ends_at": f"At most {LONGEST.days} days ahead.",
            "reason": "What they are to be read for: whoever agrees decides by it. Kept beside the log, erasable.",
        }

    def _get_validation_exclusions(self) -> set[str]:
        # constraints are about rows that the service makes
        return {*super()._get_validation_exclusions(), *self.fields}  # type: ignore[misc]


@admin.register(PayloadGrant)
class PayloadGrantAdmin(RequestPages[PayloadGrant], RegisterAdmin[PayloadGrant]):
    about = (
        "Auditors, and investigators beyond their own cases, read input and output by a grant: asked for with a "
        "reason and a last day, agreed to by a data protection officer. What they then look at is sealed."
    )
    submit_words = "Ask"
    list_display = ("linked_system", "asked_by", "shown_status", "requested_at", "ends_at")
    list_display_links = ("linked_system",)
    list_filter = ("status",)
    added_with = Act.PAYLOADS_GRANT
    waiting_status = Status.REQUESTED
    asked_by_field = "person_id"
    approved_words = "From now on they read, until that day."
    actions_detail = ("approve", "refuse", "withdraw", "end", "show_history")
    page_fields = (
        "linked_system",
        "asked_by",
        "status",
        "reason",
        "recorded_from",
        "recorded_before",
        "read_until",
        "requested_at",
        "decided_by",
        "decided_at",
        "answer",
        "ended_by",
        "ended_at",
    )

    def may(self, request: HttpRequest, act: PageAct, obj: PayloadGrant | None) -> bool:
        actor = actor_of(request)
        if act == "add":
            return rights.can_anywhere(actor, Act.PAYLOADS_GRANT)
        if act == "change":
            return False
        rows = grants_for(actor)
        return rows.filter(pk=obj.pk).exists() if obj else self._is_of_use(actor) or rows.exists()

    def _is_of_use(self, actor: Actor) -> bool:
        agreeing = rights.systems_where(actor, Act.PAYLOADS_GRANT, approving=True)
        return agreeing is None or bool(agreeing) or rights.can_anywhere(actor, Act.PAYLOADS_GRANT)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PayloadGrant]:
        return grants_for(actor_of(request))

    def get_form(self, request: HttpRequest, obj: PayloadGrant | None = None, change: bool = False, **kw: Any) -> Any:
        if obj is None:
            kw["form"] = AskForm
        form = super().get_form(request, obj, change, **kw)
        if obj is None:
            asked = rights.systems_where(person_of(request), Act.PAYLOADS_GRANT)
            choice: Any = form.base_fields["system"]
            choice.queryset = choice.queryset if asked is None else choice.queryset.filter(pk__in=asked)
        return form

    def get_fields(self, request: HttpRequest, obj: PayloadGrant | None = None) -> Any:
        return self.page_fields if obj else ("system", *AskForm.Meta.fields)

    def get_readonly_fields(self, request: HttpRequest, obj: PayloadGrant | None = None) -> Any:
        return self.page_fields if obj else ()

    def carry_out(
        self, request: HttpRequest, original: PayloadGrant | None, cleaned: Mapping[str, Any]
    ) -> PayloadGrant:
        given = dict(cleaned)
        return request_grant(actor=actor_of(request), system_id=given.pop("system").pk, **given)

    def act_of(self, obj: PayloadGrant) -> Act:
        return Act.PAYLOADS_GRANT

    def what_it_does(self, obj: PayloadGrant) -> str:
        return "They read input, output and explanations of these decisions until that day. Each look is sealed."

    def acts_for(self, request: HttpRequest, obj: PayloadGrant) -> Iterable[str]:
        yield from super().acts_for(request, obj)
        is_theirs = obj.person_id == person_of(request).pk
        if obj.status == Status.GRANTED and (is_theirs or self.may_approve(request, obj)):
            yield "end"

    def carry_out_approval(self, actor: Actor, obj: PayloadGrant) -> object:
        return approve_grant(actor=actor, grant_id=obj.pk)

    def carry_out_refusal(self, actor: Actor, obj: PayloadGrant, reason: str) -> object:
        return refuse_grant(actor=actor, grant_id=obj.pk, answer=reason)

    def carry_out_withdrawal(self, actor: Actor, obj: PayloadGrant, reason: str) -> object:
        return withdraw_grant(actor=actor, grant_id=obj.pk)

    @action(description="End", icon="event_busy", url_path="end")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="end",
            title="End it before its day",
            form_class=ReasonForm,
            carry_out=lambda row, given: end_grant(actor=actor_of(request), grant_id=row.pk, reason=given["reason"]),
            done="Nothing is read by it any more.",
        )

    @admin.display(description="AI system")
    def linked_system(self, row: PayloadGrant) -> SafeString | str:
        found = AISystem.objects.filter(pk=row.system_id).first()
        return str(found) if found else "–"

    @display(
        description="Status", label={"requested": "warning", "granted": "success", "refused": "danger", "ended": "info"}
    )
    def shown_status(self, row: PayloadGrant) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @admin.display(description="Recorded from")
    def recorded_from(self, row: PayloadGrant) -> SafeString | str:
        return moment(row.since, none="the first one on")

    @admin.display(description="Recorded before")
    def recorded_before(self, row: PayloadGrant) -> SafeString | str:
        return moment(row.until, none="no end")

    @admin.display(description="To be read until")
    def read_until(self, row: PayloadGrant) -> SafeString | str:
        return moment(row.ends_at)

    @admin.display(description="Decided by")
    def decided_by(self, row: PayloadGrant) -> SafeString | str:
        return person_link(row.decided_by_id)

    @admin.display(description="Ended by")
    def ended_by(self, row: PayloadGrant) -> SafeString | str:
        return person_link(row.ended_by_id)

"""Changes of parameters that wait for a second person, and those that were settled."""

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from governance.acts import Act
from governance.admin.pages import page_link, person_link
from governance.admin.requests import RequestPages
from governance.models import ServiceAccount
from ledger.entries import Actor
from overrides.models import ParameterVersion
from overrides.parameter_values import in_words
from overrides.parameters import standing, value_of
from overrides.services.parameter_requests import approve_change, refuse_change, withdraw_change

Status = ParameterVersion.Status


@admin.register(ParameterVersion)
class ParameterVersionAdmin(RequestPages[ParameterVersion]):
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
    system_path = "parameter__system_id"
    waiting_status = Status.PROPOSED

    def act_of(self, obj: ParameterVersion) -> Act:
        return Act.PARAMETER_LOOSEN

    def what_it_does(self, obj: ParameterVersion) -> str:
        return _what_it_does(obj)

    def carry_out_approval(self, actor: Actor, obj: ParameterVersion) -> object:
        return approve_change(actor=actor, version_id=obj.pk)

    def carry_out_refusal(self, actor: Actor, obj: ParameterVersion, reason: str) -> object:
        return refuse_change(actor=actor, version_id=obj.pk, reason=reason)

    def carry_out_withdrawal(self, actor: Actor, obj: ParameterVersion, reason: str) -> object:
        return withdraw_change(actor=actor, version_id=obj.pk, reason=reason)

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
        return person_link(row.requested_by_id, none=f"the {row.requested_by_type}")

    @admin.display(description="Agreed to by")
    def agreed_by(self, row: ParameterVersion) -> SafeString | str:
        nobody = "nobody yet" if row.status == Status.PROPOSED else "one was enough"
        return person_link(row.approved_by_id, none=nobody)


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

"""Service accounts and their keys."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
)

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import ActPages, ReasonForm, RegisterAdmin, Secret, actor_of, person_of
from governance.models import AISystem, ServiceAccount, ServiceKey
from governance.models.systems import slug
from governance.services.accounts import EDITABLE, register_account, update_account
from governance.services.keys import NewKey, create_service_key, revoke_service_key, rotate_service_key

ADVICE = "Put it where the service reads its secrets. Services send it as “Authorization: Bearer …”."


class KeyForm(forms.Form):
    """What a key opens."""

    systems = forms.ModelMultipleChoiceField(
        AISystem.objects.all(), required=False, widget=UnfoldAdminSelectMultipleWidget, label="AI systems"
    )
    scopes = forms.MultipleChoiceField(
        choices=[(each, each) for each in ServiceKey.Scope.values], widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    environment = forms.CharField(
        initial="production", max_length=100, validators=[slug], widget=UnfoldAdminTextInputWidget
    )
    days = forms.IntegerField(
        initial=365, min_value=1, max_value=730, widget=UnfoldAdminIntegerFieldWidget, label="Days until it expires"
    )


class OverlapForm(forms.Form):
    """How long the old key goes on."""

    days = forms.IntegerField(
        initial=7, min_value=0, max_value=30, widget=UnfoldAdminIntegerFieldWidget, label="Days both keys work"
    )


@admin.register(ServiceAccount)
class ServiceAccountAdmin(RegisterAdmin[ServiceAccount]):
    list_display = ("name", "slug", "owner", "is_active", "key_count")
    list_filter = ("is_active",)
    list_select_related = ("owner",)
    search_fields = ("slug", "name")
    actions_detail = ("create_key", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: ServiceAccount | None) -> bool:
        return rights.can(person_of(request), Act.ACCOUNTS_MANAGE)

    def get_fields(self, request: HttpRequest, obj: ServiceAccount | None = None) -> Any:
        return ("slug", "name", "description", "owner", *(["is_active", "key_count"] if obj else []))

    def get_readonly_fields(self, request: HttpRequest, obj: ServiceAccount | None = None) -> Any:
        return ("slug", "key_count") if obj else ()

    def carry_out(
        self, request: HttpRequest, original: ServiceAccount | None, cleaned: Mapping[str, Any]
    ) -> ServiceAccount:
        if original is None:
            return register_account(actor=actor_of(request), **cleaned)
        changes = {name: value for name, value in cleaned.items() if name in EDITABLE}
        return update_account(actor=actor_of(request), account_id=original.pk, changes=changes)

    def acts_for(self, request: HttpRequest, obj: ServiceAccount) -> Iterable[str]:
        return ("create_key",) if obj.is_active else ()

    @action(description="New key", icon="key", url_path="key")
    def create_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def carry_out(account: ServiceAccount, given: dict[str, Any]) -> Secret:
            ends = timezone.now() + timedelta(days=given.pop("days"))
            return _secret(create_service_key(actor=actor_of(request), account=account, expires_at=ends, **given))

        return self.act(
            request,
            object_id,
            name="create_key",
            title="Make the key",
            form_class=KeyForm,
            carry_out=carry_out,
            asks_factor=True,
        )

    @admin.display(description="Keys in force")
    def key_count(self, account: ServiceAccount) -> int:
        return account.keys.filter(revoked_at=None, expires_at__gt=timezone.now()).count()


@admin.register(ServiceKey)
class ServiceKeyAdmin(ActPages[ServiceKey]):
    list_display = ("__str__", "account", "environment", "state", "expires_at", "last_used_at")
    list_filter = ("account", "environment")
    list_select_related = ("account",)
    search_fields = ("key_id", "account__slug")
    fields = ("__str__", "account", "environment", "system_names", "scopes", "state", "expires_at", "last_used_at")
    readonly_fields = fields
    actions_detail = ("rotate", "revoke", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: ServiceKey | None) -> bool:
        return rights.can(person_of(request), Act.ACCOUNTS_MANAGE)

    def acts_for(self, request: HttpRequest, obj: ServiceKey) -> Iterable[str]:
        if obj.revoked_at is None:
            yield "revoke"
            if obj.expires_at is None or obj.expires_at > timezone.now():
                yield "rotate"

    @action(description="Rotate", icon="autorenew", url_path="rotate")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def carry_out(key: ServiceKey, given: dict[str, Any]) -> Secret:
            overlap = timedelta(days=given["days"])
            return _secret(rotate_service_key(actor=actor_of(request), key_id=key.pk, overlap=overlap))

        return self.act(
            request,
            object_id,
            name="rotate",
            title="Make the successor",
            form_class=OverlapForm,
            carry_out=carry_out,
            explanation="The new key opens the same. The old one goes on for the overlap and then ends.",
            asks_factor=True,
        )

    @action(description="Revoke", icon="block", url_path="revoke")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="revoke",
            title="Revoke the key",
            form_class=ReasonForm,
            carry_out=lambda key, given: revoke_service_key(actor=actor_of(request), key_id=key.pk, **given),
            explanation="Within 5 seconds no process accepts it any more. This cannot be undone.",
        )

    @display(description="State", label={"in force": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ServiceKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= timezone.now() else "in force"

    @admin.display(description="AI systems")
    def system_names(self, key: ServiceKey) -> str:
        return ", ".join(AISystem.objects.filter(pk__in=key.system_ids).values_list("slug", flat=True)) or "none"


def _secret(made: NewKey) -> Secret:
    return Secret("The new key", made.text, ADVICE)

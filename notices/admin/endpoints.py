"""Webhook endpoints and their deliveries: registered, tested, rotated, disabled; what was sent, and once more."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from config.admin import Act as PageAct
from config.admin import ServiceForm
from config.moments import moment
from governance import rights
from governance.acts import Act
from governance.admin.pages import ActPages, ReasonForm, RegisterAdmin, Secret, actor_of, page_link, person_of
from governance.models import AISystem, Person
from notices.event_types import TEST, event_types, meaning_of
from notices.models import Attempt, Delivery, WebhookEndpoint
from notices.nudging import nudge
from notices.selectors import deliveries_for, endpoints_for, systems_to_tell_of
from notices.services.endpoints import (
    NewSecret,
    disable_endpoint,
    enable_endpoint,
    may_manage,
    register_endpoint,
    rotate_secret,
    update_endpoint,
)
from notices.services.fan_out import send_test
from notices.services.sending import replay

ADVICE = "Give it to the receiver, which verifies every delivery with it. docs/webhooks.md shows how."
KEPT = "This is shown once. Deliveries are signed with it; no page shows it again."
ATTEMPTS_SHOWN = 50
NOTHING = "–"


def event_choices() -> Iterator[tuple[str, str]]:
    """All, all of a kind, and each type, with what it means."""
    yield "*", "Everything"
    known = [each for each in event_types() if each.name != TEST]
    for kind, types in groupby(known, lambda each: each.name.partition(".")[0]):
        yield f"{kind}.*", f"{kind}.*: all that begins so"
        yield from ((each.name, f"{each.name}: {each.meaning}") for each in types)


class EndpointForm(ServiceForm):
    """What an endpoint is told, and where it is."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget, help_text="What receives it.")
    url = forms.CharField(
        label="Address",
        max_length=2000,
        widget=UnfoldAdminTextInputWidget,
        help_text="Begins with https:// and leads to a public address.",
    )
    systems = forms.ModelMultipleChoiceField(
        AISystem.objects.none(),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        label="AI systems",
        help_text="None: all that its owner may see.",
    )
    event_types = forms.MultipleChoiceField(
        choices=event_choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        initial=["*"],
        help_text="What ends in .* takes in types that come later.",
    )
    format = forms.ChoiceField(
        choices=WebhookEndpoint.Format.choices,
        initial=WebhookEndpoint.Format.STANDARD,
        widget=UnfoldAdminSelectWidget,
        help_text="Both are signed alike; CloudEvents only changes the body.",
    )

    person: ClassVar[Person]

    class Meta:
        model = WebhookEndpoint
        fields = ("name", "url", "format")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["systems"].queryset = systems_to_tell_of(self.person)  # type: ignore[attr-defined]
        if not self.instance._state.adding:
            self.initial["systems"] = self.instance.system_ids


class OverlapForm(forms.Form):
    """How long the old secret signs along."""

    hours = forms.IntegerField(
        initial=24, min_value=0, max_value=168, widget=UnfoldAdminIntegerFieldWidget, label="Hours both secrets sign"
    )


@admin.register(WebhookEndpoint)
class EndpointAdmin(RegisterAdmin[WebhookEndpoint]):
    about = (
        "A webhook endpoint is an address of another program that is told when a switch is thrown, a review is "
        "decided or an alert opens. Add one, give its secret to the receiver, and send a test."
    )
    form = EndpointForm
    list_display = ("name", "state", "system_names", "shown_types", "owner")
    list_filter = ("status",)
    list_select_related = ("owner",)
    actions_detail = ("see_deliveries", "test", "rotate", "disable", "enable", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: WebhookEndpoint | None) -> bool:
        person = person_of(request)
        if obj is None:
            return rights.can_anywhere(person, Act.WEBHOOK_MANAGE)
        return may_manage(person, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return endpoints_for(person_of(request)).select_related("owner")

    def get_form(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["form"] = type("EndpointFormOf", (EndpointForm,), {"person": person_of(request)})
        return super().get_form(request, obj, change, **kwargs)

    def asks_factor(self, request: HttpRequest) -> bool:
        return True  # it says where to what happens here is told

    def get_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        seen = ("state_words", "owner") if obj else ()
        return (*seen, "name", "url", "systems", "event_types", "format")

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        return ("state_words", "owner")

    def carry_out(
        self, request: HttpRequest, original: WebhookEndpoint | None, cleaned: Mapping[str, Any]
    ) -> WebhookEndpoint:
        given = {**cleaned}
        systems = list(given.pop("systems"))
        if original is None:
            made = register_endpoint(actor=actor_of(request), systems=systems, **given)
            made.row.__dict__["_shown_once"] = made
            return made.row
        changes = given | {"system_ids": [system.pk for system in systems]}
        return update_endpoint(actor=actor_of(request), endpoint_id=original.pk, changes=changes)

    def response_add(self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None) -> Any:
        """The page that shows the secret, once."""
        made: NewSecret = obj.__dict__.pop("_shown_once")
        return self._page(request, obj, "governance/admin/secret.html", "Registered", {"secret": _secret(made)})

    def acts_for(self, request: HttpRequest, obj: WebhookEndpoint) -> Iterable[str]:
        yield "see_deliveries"
        if not may_manage(person_of(request), obj):
            return
        yield "rotate"
        if obj.status == WebhookEndpoint.Status.ENABLED:
            yield "test"
            yield "disable"
        else:
            yield "enable"

    @action(description="Deliveries", icon="outbox", url_path="deliveries")
    def see_deliveries(self, request: HttpRequest, object_id: str) -> HttpResponse:
        address = reverse("admin:notices_delivery_changelist")
        return HttpResponse(status=302, headers={"Location": f"{address}?endpoint={object_id}"})

    @action(description="Send a test", icon="send", url_path="test")
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def carry_out(endpoint: WebhookEndpoint, given: dict[str, Any]) -> None:
            send_test(actor=actor_of(request), endpoint_id=endpoint.pk)
            nudge()

        return self.act(
            request,
            object_id,
            name="test",
            title="Send a test",
            carry_out=carry_out,
            explanation="Sends an event of type webhook.test to this endpoint alone, within seconds.",
            done="On its way: Deliveries shows what was answered.",
        )

    @action(description="New secret", icon="autorenew", url_path="rotate")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def carry_out(endpoint: WebhookEndpoint, given: dict[str, Any]) -> Secret:
            overlap = timedelta(hours=given["hours"])
            return _secret(rotate_secret(actor=actor_of(request), endpoint_id=endpoint.pk, overlap=overlap))

        return self.act(
            request,
            object_id,
            name="rotate",
            title="Make a new secret",
            form_class=OverlapForm,
            carry_out=carry_out,
            explanation="Until the overlap ends, each delivery bears two signatures, one by each secret.",
            asks_factor=True,
        )

    @action(description="Disable", icon="block", url_path="disable")
    def disable(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="disable",
            title="Disable",
            form_class=ReasonForm,
            carry_out=lambda row, given: disable_endpoint(actor=actor_of(request), endpoint_id=row.pk, **given),
            explanation="Nothing more is sent to it. What waits is dropped; it can be sent again later, one by one.",
        )

    @action(description="Enable", icon="play_arrow", url_path="enable")
    def enable(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="enable",
            title="Enable",
            carry_out=lambda row, given: enable_endpoint(actor=actor_of(request), endpoint_id=row.pk),
            explanation="It is told of what happens from now on.",
            asks_factor=True,
        )

    @display(description="State", label={"enabled": "success", "disabled": "danger"})
    def state(self, endpoint: WebhookEndpoint) -> tuple[str, str]:
        return endpoint.status, _state(endpoint)

    @admin.display(description="State")
    def state_words(self, endpoint: WebhookEndpoint) -> str:
        return _state(endpoint)

    @admin.display(description="AI systems")
    def system_names(self, endpoint: WebhookEndpoint) -> str:
        if not endpoint.system_ids:
            return "all its owner may see"
        return ", ".join(map(str, AISystem.objects.filter(pk__in=endpoint.system_ids)))

    @admin.display(description="Told of")
    def shown_types(self, endpoint: WebhookEndpoint) -> str:
        return "everything" if "*" in endpoint.event_types else ", ".join(endpoint.event_types)


class EndpointFilter(admin.SimpleListFilter):
    """One endpoint's deliveries; only endpoints that the person may manage."""

    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(each.pk), str(each)) for each in endpoints_for(person_of(request))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        chosen = next((value for value, _ in self.lookup_choices if value == self.value()), None)
        return queryset.filter(endpoint_id=UUID(str(chosen))) if chosen else queryset


@admin.register(Delivery)
class DeliveryAdmin(ActPages[Delivery]):
    about = "Each event that went, or is to go, to a webhook endpoint, for 30 days. Their order is not promised."
    list_display = ("type", "endpoint", "state", "last_answer", "attempt_count", "created_at")
    list_filter = ("status", EndpointFilter)
    list_select_related = ("endpoint", "event")
    fields = (
        "type",
        "meaning",
        "endpoint_link",
        "state_words",
        "webhook_id",
        "attempt_count",
        "created_at",
        "next_attempt",
        "ended_at",
        "attempts",
        "content_type",
        "shown_body",
    )
    readonly_fields = fields
    actions_detail = ("send_again",)

    def may(self, request: HttpRequest, act: PageAct, obj: Delivery | None) -> bool:
        person = person_of(request)
        if obj is None:
            return rights.can_anywhere(person, Act.WEBHOOK_MANAGE)
        return may_manage(person, obj.endpoint)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return deliveries_for(person_of(request))

    def acts_for(self, request: HttpRequest, obj: Delivery) -> Iterable[str]:
        if obj.status != Delivery.Status.WAITING and obj.endpoint.status == WebhookEndpoint.Status.ENABLED:
            yield "send_again"

    @action(description="Send again", icon="replay", url_path="again")
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def carry_out(delivery: Delivery, given: dict[str, Any]) -> None:
            replay(actor=actor_of(request), delivery_id=delivery.pk)
            nudge()

        return self.act(
            request,
            object_id,
            name="send_again",
            title="Send again",
            carry_out=carry_out,
            explanation="The same bytes under the same webhook-id: a receiver that has it already can see that.",
            done="On its way.",
        )

    @admin.display(description="Event")
    def type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.display(description="What happened")
    def meaning(self, delivery: Delivery) -> str:
        return meaning_of(delivery.event.type) or NOTHING

    @admin.display(description="Endpoint")
    def endpoint_link(self, delivery: Delivery) -> SafeString:
        return page_link(delivery.endpoint)

    @display(
        description="State",
        label={"waiting": "warning", "delivered": "success", "failed": "danger", "dropped": "info"},
    )
    def state(self, delivery: Delivery) -> tuple[str, str]:
        return delivery.status, delivery.get_status_display()

    @admin.display(description="State")
    def state_words(self, delivery: Delivery) -> str:
        return delivery.get_status_display()

    @admin.display(description="webhook-id")
    def webhook_id(self, delivery: Delivery) -> SafeString:
        return format_html('<span class="a-hash">{}</span>', delivery.event_id)

    @admin.display(description="Last answer")
    def last_answer(self, delivery: Delivery) -> str:
        newest = delivery.log.first()
        return _answer(newest) if newest else NOTHING

    @admin.display(description="Next attempt")
    def next_attempt(self, delivery: Delivery) -> str:
        waits = delivery.status == Delivery.Status.WAITING
        return moment(delivery.next_attempt_at, none=NOTHING) if waits else NOTHING

    @admin.display(description="Attempts")
    def attempts(self, delivery: Delivery) -> SafeString | str:
        rows = (
            (each.number, moment(each.at, none=NOTHING), _answer(each), each.duration_ms)
            for each in delivery.log.all()[:ATTEMPTS_SHOWN]
        )
        return format_html_join("", "<div>{}. {}: {} <small>({} ms)</small></div>", rows) or NOTHING

    @admin.display(description="Body")
    def shown_body(self, delivery: Delivery) -> SafeString:
        return format_html('<pre class="a-code" tabindex="0">{}</pre>', bytes(delivery.body).decode())


def _state(endpoint: WebhookEndpoint) -> str:
    why = f": {endpoint.get_disabled_why_display()}" if endpoint.disabled_why else ""
    return f"{endpoint.get_status_display()}{why}"


def _answer(attempt: Attempt) -> str:
    status = f", HTTP {attempt.http_status}" if attempt.http_status else ""
    return f"{attempt.get_outcome_display()}{status}"


def _secret(made: NewSecret) -> Secret:
    return Secret("The signing secret", made.text, ADVICE, KEPT)

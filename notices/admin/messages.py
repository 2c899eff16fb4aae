"""E-mails: what waits, what was sent, what was given up. For administrators."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from config.admin import Act as PageAct
from config.outgoing import FILES
from governance import rights
from governance.acts import Act
from governance.admin.pages import ActPages, page_link, person_of
from governance.models import Person
from notices.kinds import kind_words
from notices.models import Message
from notices.services.mailing import send_again


@admin.register(Message)
class MessageAdmin(ActPages[Message]):
    about = "E-mails to people: alerts, deadlines, endpoints that were disabled. None has been written in 30 days."
    list_display = ("about_what", "person", "state", "attempts", "last_error", "created_at", "sent_at")
    list_filter = ("status",)
    fields = (
        "about_what",
        "person",
        "state_words",
        "attempts",
        "last_error",
        "created_at",
        "next_attempt_at",
        "sent_at",
    )
    readonly_fields = fields
    actions_detail = ("again",)

    def may(self, request: HttpRequest, act: PageAct, obj: Message | None) -> bool:
        return rights.can(person_of(request), Act.SETTINGS_MANAGE)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if settings.EMAIL_BACKEND == FILES:
            said = f"No mail server is named (ANSWERABLE_EMAIL_URL): e-mails are files in {settings.EMAIL_FILE_PATH}."
            self.message_user(request, said, level="warning")
        return super().changelist_view(request, extra_context)

    def acts_for(self, request: HttpRequest, obj: Message) -> Iterable[str]:
        if obj.status == Message.Status.GIVEN_UP:
            yield "again"

    @action(description="Try again", icon="replay", url_path="again")
    def again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="again",
            title="Try again",
            carry_out=lambda message, given: send_again(message.pk),
            explanation="It is sent within seconds, and tried again by the schedule from its start.",
            done="On its way.",
        )

    @admin.display(description="About", ordering="kind")
    def about_what(self, message: Message) -> str:
        return kind_words(message.kind)

    @admin.display(description="To")
    def person(self, message: Message) -> SafeString | str:
        found = Person.objects.filter(pk=message.person_id).first()
        shown = page_link(found) if found else "former member of staff"
        return format_html("{}, at an earlier address", shown) if message.address else shown

    @display(
        description="State",
        label={"waiting": "warning", "sent": "success", "given_up": "danger", "nobody": "info"},
    )
    def state(self, message: Message) -> tuple[str, str]:
        return message.status, message.get_status_display()

    @admin.display(description="State")
    def state_words(self, message: Message) -> str:
        return message.get_status_display()

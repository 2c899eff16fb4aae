"""People."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import ReasonForm, RegisterAdmin, Secret, actor_of, person_of
from governance.enrolment import has_factor
from governance.models import Person
from governance.services.factors import reset_factors
from governance.services.people import deactivate_person, issue_setup_link, register_person, update_person


class LeavingForm(ReasonForm):
    """Who takes over."""

    successor = forms.ModelChoiceField(
        Person.objects.filter(is_active=True),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Takes over their service accounts. Needed only if they own any.",
    )


@admin.register(Person)
class PersonAdmin(RegisterAdmin[Person]):
    list_display = ("name", "email", "short_roles", "is_active", "last_login")
    list_filter = ("is_active",)
    search_fields = ("name", "email", "staff_number")
    fields = ("name", "email", "staff_number", "is_active", "roles", "last_login")
    readonly_fields = ("is_active", "roles", "last_login")
    actions_detail = ("setup_link", "reset", "leave", "show_history")

    def may(self, request: HttpRequest, act: PageAct, obj: Person | None) -> bool:
        person = person_of(request)
        if act == "view":
            return rights.can_anywhere(person, Act.PEOPLE_VIEW) or obj == person
        return rights.can(person, Act.PEOPLE_MANAGE) and (obj is None or obj.is_active)

    def carry_out(self, request: HttpRequest, original: Person | None, cleaned: Mapping[str, Any]) -> Person:
        if original is None:
            return register_person(actor=actor_of(request), **cleaned)
        return update_person(actor=actor_of(request), person_id=original.pk, changes=cleaned)

    def asks_factor(self, request: HttpRequest) -> bool:
        return True

    def acts_for(self, request: HttpRequest, obj: Person) -> Iterable[str]:
        if obj.is_active and rights.can(person_of(request), Act.PEOPLE_MANAGE):
            yield from ("setup_link", "leave")
            if has_factor(obj):
                yield "reset"

    @action(description="Set-up link", icon="link", url_path="setup-link")
    def setup_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def carry_out(person: Person, given: dict[str, Any]) -> Secret:
            token = issue_setup_link(actor=actor_of(request), person_id=person.pk)
            address = f"{settings.BASE_URL.rstrip('/')}/setup/{token}"
            return Secret(f"Set-up link for {person}", address, "For this person alone. It works once, for 3 days.")

        return self.act(
            request,
            object_id,
            name="setup_link",
            title="Make a set-up link",
            carry_out=carry_out,
            explanation="With it the person sets their password. For 7 days the two of you cannot be the two halves of "
            "one approval.",
            asks_factor=True,
        )

    @action(description="Reset second factors", icon="phonelink_erase", url_path="reset-factors")
    def reset(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="reset",
            title="Remove all second factors",
            carry_out=lambda person, given: reset_factors(actor=actor_of(request), person_id=person.pk),
            explanation="For somebody who lost theirs. Be sure it is they who ask: you take a lock off their "
            "account. Their password stays; they are signed out everywhere, and for 7 days you two cannot be the "
            "two halves of one approval.",
            asks_factor=True,
        )

    @action(description="Leaves", icon="logout", url_path="leave")
    def leave(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="leave",
            title="End everything they hold",
            form_class=LeavingForm,
            carry_out=lambda person, given: deactivate_person(actor=actor_of(request), person_id=person.pk, **given),
            explanation="Sessions and password end at once, assignments and offers end, proposals they made are void.",
            asks_factor=True,
        )

    @admin.display(description="Roles")
    def short_roles(self, person: Person) -> str:
        """For a line of a list: many AI systems as their number."""
        return _role_list(person, lambda where: f"{len(where)} AI systems" if len(where) > 2 else ", ".join(where))

    @admin.display(description="Roles")
    def roles(self, person: Person) -> str:
        return _role_list(person, ", ".join)


def _role_list(person: Person, places_in_words: Callable[[list[str]], str]) -> str:
    places: dict[str, list[str]] = {}
    for each in rights.in_force().filter(person=person).select_related("system"):
        places.setdefault(each.get_role_display(), []).extend([each.system.slug] if each.system else [])
    said = (f"{role} ({places_in_words(sorted(where))})" if where else role for role, where in places.items())
    lines = format_html_join("", "<li>{}</li>", ((each[:1].upper() + each[1:],) for each in sorted(said)))
    return format_html("<ul>{}</ul>", lines) if lines else "none"

"""People."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from unfold.decorators import action

from config.admin import Act as PageAct
from governance import rights
from governance.acts import Act
from governance.admin.pages import RegisterAdmin, Secret, actor_of, person_of
from governance.enrolment import has_factor
from governance.models import Assignment, Person
from governance.reauthentication import interruption
from governance.services.factors import reset_factors
from governance.services.identities import unlink_identities
from governance.services.people import issue_setup_link, register_person, update_person
from governance.services.sessions import end_access_of, end_session_of
from governance.sessions import sessions_of

HELD = "held_in_reach"


@admin.register(Person)
class PersonAdmin(RegisterAdmin[Person]):
    list_display = ("name", "email", "short_roles", "is_active", "last_login")
    list_filter = ("is_active",)
    search_fields = ("name", "email", "staff_number")
    fields = ("name", "email", "staff_number", "is_active", "roles", "last_login")
    readonly_fields = ("is_active", "roles", "last_login")
    actions_detail = ("setup_link", "sessions", "reset", "unlink", "leave", "show_history")

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
            yield from ("setup_link", "sessions", "leave")
            if has_factor(obj):
                yield "reset"
            if obj.identities.filter(ended_at=None).exists():
                yield "unlink"

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

    @action(description="Sessions", icon="devices", url_path="sessions")
    def sessions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Where somebody is signed in; each can be ended, and all at once with their tokens."""
        person = self.get_object(request, object_id)
        if person is None or "sessions" not in self.acts_for(request, person):
            raise PermissionDenied
        if request.method == "POST":
            return interruption(request) or self._end_session(request, person)
        context = {"sessions": sessions_of(person, request.session.session_key)}
        return self._page(request, person, "governance/admin/sessions.html", "Where they are signed in", context)

    def _end_session(self, request: HttpRequest, person: Person) -> HttpResponse:
        actor, handle = actor_of(request), request.POST.get("handle", "")
        if handle:
            ended = end_session_of(actor=actor, person_id=person.pk, handle=handle)
        else:
            ended = end_access_of(actor=actor, person_id=person.pk)
        messages.success(request, f"{ended} signed out." if ended else "That one had ended already.")
        return redirect("admin:governance_person_sessions", object_id=person.pk)

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

    @action(description="Unlink from the provider", icon="link_off", url_path="unlink")
    def unlink(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            name="unlink",
            title="Unlink from the sign-in provider",
            carry_out=lambda person, given: unlink_identities(actor=actor_of(request), person_id=person.pk),
            explanation="Their account of the provider opens nothing here any more, and they are signed out. The next "
            "account with their verified address is linked anew: for an address that got another holder, change it "
            "first.",
            asks_factor=True,
        )

    @action(description="Leaves", icon="logout", url_path="leave")
    def leave(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What ends with it stands on every floor, so its page is the console's."""
        return redirect("admin:leaving", person_id=object_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        reached = rights.systems_where(person_of(request), Act.SYSTEM_VIEW)
        return super().get_queryset(request).prefetch_related(Prefetch("assignments", _held(reached), to_attr=HELD))

    @admin.display(description="Roles")
    def short_roles(self, person: Person) -> str:
        return _role_list(person, _as_number)

    @admin.display(description="Roles")
    def roles(self, person: Person) -> str:
        return _role_list(person, ", ".join)


def _held(reached: frozenset[uuid.UUID] | None) -> QuerySet[Assignment]:
    """What people hold, as far as whoever looks may see it."""
    held = rights.in_force().exclude(scope=Assignment.Scope.CASE).select_related("system")
    if reached is None:
        return held
    return held.filter(Q(scope=Assignment.Scope.ORGANISATION) | Q(system__in=reached))


def _as_number(where: list[str]) -> str:
    """For a line of a list: many AI systems as their number."""
    return f"{len(where)} AI systems" if len(where) > 2 else ", ".join(where)


def _role_list(person: Person, places_in_words: Callable[[list[str]], str]) -> str:
    places: dict[str, list[str]] = {}
    for each in getattr(person, HELD, []):  # of somebody who is being added there is nothing
        places.setdefault(each.get_role_display(), []).extend([each.system.slug] if each.system else [])
    said = (f"{role} ({places_in_words(sorted(where))})" if where else role for role, where in places.items())
    lines = format_html_join("", "<li>{}</li>", ((each[:1].upper() + each[1:],) for each in sorted(said)))
    return format_html("<ul>{}</ul>", lines) if lines else "none"

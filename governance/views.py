"""The set-up page: a one-time link leads here; its token is the only credential."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods
from unfold.forms import AdminOwnPasswordChangeForm

from config.errors import ServiceError
from governance.admin.pages import person_of
from governance.enrolment import has_factor
from governance.errors import SetupClosed, SignInLocked
from governance.models import Person
from governance.reauthentication import interruption, recently_proven
from governance.rights import as_actor
from governance.services.lockouts import admit_factor, forgive
from governance.services.people import bootstrap_administrator, change_own_password, set_first_password, setup_purpose

NEW_PASSWORD = {"autocomplete": "new-password"}


class PasswordForm(forms.Form):
    """A first password, twice."""

    password = forms.CharField(label="Password", widget=forms.PasswordInput(NEW_PASSWORD), strip=False, max_length=1000)
    again = forms.CharField(label="The same again", widget=forms.PasswordInput(NEW_PASSWORD), strip=False)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("password") and given.get("again") and given["password"] != given["again"]:
            self.add_error("again", "The two are not the same.")
        return given


class AdministratorForm(PasswordForm):
    """The first administrator."""

    name = forms.CharField(label="Your name", max_length=200, widget=forms.TextInput({"autocomplete": "name"}))
    email = forms.EmailField(label="Your e-mail address", widget=forms.EmailInput({"autocomplete": "username"}))
    field_order = ("name", "email", "password", "again")


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """The old password and the new one, twice. Guesses at the old one count like those at a second factor."""

    @sensitive_variables()
    def clean_old_password(self) -> str:
        try:
            attempt = admit_factor(self.user)
        except SignInLocked as refusal:
            raise ValidationError(refusal.detail, code="locked") from refusal
        given = str(super().clean_old_password())
        forgive(attempt)
        return given

    def save(self, commit: bool = True) -> Person:
        """Change it by the service; the view goes on with `user` to keep this session."""
        new = change_own_password(actor=as_actor(self.user), password=self.cleaned_data["new_password1"])
        self.user.password = new.password
        return new


@sensitive_post_parameters()
def change_password(request: HttpRequest) -> HttpResponseBase:
    """One's own password, at the admin's usual address. Whoever has a second factor proves it first."""

    def page(request: HttpRequest) -> HttpResponseBase:
        if has_factor(person_of(request)) and not recently_proven(request):
            # asked before the form is shown: what somebody typed as a password is not carried along
            return interruption(request) or redirect("admin:password_change")
        frame = admin.site.each_context(request)
        return PasswordChangeView.as_view(
            form_class=OwnPasswordForm, success_url=reverse_lazy("admin:password_change_done"), extra_context=frame
        )(request)

    return admin.site.admin_view(page)(request)


@never_cache
@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Set a first password, or become the first administrator, by a link that works once."""
    try:
        person = setup_purpose(token)
        kind = PasswordForm if person else AdministratorForm
        form = kind(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid() and _carried_out(form, token, person):
            messages.success(request, "That is done. Now sign in with your e-mail address and password.")
            return redirect("admin:login")
    except SetupClosed as closed:
        return _page(request, {"closed": closed}, status=closed.status)
    return _page(request, {"form": form, "person": person}, status=422 if form.errors else 200)


@sensitive_variables()
def _carried_out(form: PasswordForm, token: str, person: Person | None) -> bool:
    """Whether the service did it; what it refuses stands in the form."""
    given = form.cleaned_data
    try:
        if person:
            set_first_password(token=token, password=given["password"])
        else:
            bootstrap_administrator(token=token, name=given["name"], email=given["email"], password=given["password"])
    except ValidationError as refusal:
        form.add_error("password", refusal)
        return False
    except SetupClosed:
        raise
    except ServiceError as refusal:
        form.add_error(None, refusal.detail)
        return False
    return True


def _page(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    response = render(request, "governance/setup.html", context, status=status)
    # the address is the credential, so it is not passed on; with "no-referrer" the form would come from "null"
    response.headers["Referrer-Policy"] = "strict-origin"
    return response

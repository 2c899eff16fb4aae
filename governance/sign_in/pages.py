"""The pages before somebody is signed in: password, passkey, second factor."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from config.admin import SignInForm
from config.errors import ServiceError
from config.rate_limits import REQUESTS
from governance.enrolment import has_factor, has_passkey, takes_codes
from governance.errors import PasskeyRefused, SignInLocked
from governance.models import Person
from governance.services.factors import use_code
from governance.services.lockouts import admit, admit_factor, client_address, forgive, network_of
from governance.sign_in import steps
from governance.sign_in.browsers import remember
from governance.sign_in.oidc.provider import is_configured
from governance.sign_in.passkeys import authentication_options
from governance.sign_in.presenting import present_passkey


class CarefulSignInForm(SignInForm):
    """Counts an attempt before it is tried, and says the same whether there is such an account or not."""

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        if self.errors:  # a field is missing: nothing is tried, so nothing is counted and nothing forgiven
            return given
        try:
            attempt = admit(self.request, account=given["username"])
        except SignInLocked as refusal:
            raise ValidationError(refusal.detail, code="locked") from refusal
        given = super().clean()  # raises where they do not match
        if self.get_user() is not None:
            forgive(attempt)
        return given


class SignIn(LoginView):
    """The first step. Whoever has a second factor is asked for it next."""

    template_name = "governance/sign_in/login.html"
    authentication_form = CarefulSignInForm
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        return reverse("admin:index")

    def form_valid(self, form: Any) -> HttpResponse:
        person: Person = form.get_user()
        if has_factor(person):
            steps.wait_for_factor(self.request, person, self.get_success_url())
            return redirect("admin:second_factor")
        steps.sign_in(self.request, person, steps.PASSWORD)
        return go_on(self.request, person, self.get_success_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        frame = admin.site.each_context(self.request)
        said = {
            "title": "Sign in",
            "app_path": self.request.get_full_path(),
            "leads_to": self.get_redirect_url(),
            "provider": settings.OIDC_NAME if is_configured() else "",
        }
        return super().get_context_data(**kwargs) | frame | said | {"username": ""}


@never_cache
@sensitive_post_parameters()
def sign_in(request: HttpRequest) -> HttpResponseBase:
    return SignIn.as_view()(request)


@never_cache
@sensitive_post_parameters()
def second_factor(request: HttpRequest) -> HttpResponseBase:
    """The second step. Whoever takes more than five minutes begins anew."""
    waiting = steps.waiting_person(request)
    if waiting is None:
        return redirect("admin:login")
    person, leads_to = waiting
    refusal = ""
    if request.method == "POST":
        try:
            _take_factor(request, person)
        except ServiceError as error:
            refusal = error.detail
        else:
            return go_on(request, person, leads_to)
    return _second_page(request, person, refusal)


@sensitive_variables()
def _take_factor(request: HttpRequest, person: Person) -> None:
    if credential := request.POST.get("credential"):
        present_passkey(request, credential, of=person)
        steps.link_waiting(request, person)
        return steps.sign_in(request, person, steps.PASSKEY)
    attempt = admit_factor(person)
    use_code(person=person, code=request.POST.get("code", ""))
    forgive(attempt)
    steps.link_waiting(request, person)
    return steps.sign_in(request, person, steps.with_code(request))


def _second_page(request: HttpRequest, person: Person, refusal: str) -> HttpResponse:
    context = admin.site.each_context(request) | {
        "title": "Second factor",
        "refusal": refusal,
        "takes_code": takes_codes(person),
        "takes_passkey": has_passkey(person),
    }
    return TemplateResponse(request, "governance/sign_in/second.html", context)


@never_cache
@require_POST
def passkey_options(request: HttpRequest) -> JsonResponse:
    """What the browser asks a passkey: of whoever is signed in or on the way there, else of anybody."""
    # not by the address of the proxy: one flood would take passkeys from everybody
    REQUESTS.take(("address", network_of(client_address(request)))).refuse()
    waiting = steps.waiting_person(request)
    person = request.user if isinstance(request.user, Person) else waiting[0] if waiting else None
    return JsonResponse(authentication_options(request, person))


@never_cache
@require_POST
@sensitive_post_parameters()
def passkey_sign_in(request: HttpRequest) -> HttpResponseBase:
    """Sign in by a passkey alone. No lock-out stands in its way: it cannot be guessed."""
    leads_to = safe_address(request, request.POST.get(REDIRECT_FIELD_NAME, ""))
    try:
        person = present_passkey(request, request.POST.get("credential", ""))
    except PasskeyRefused as refusal:
        return sign_in_page(request, refusal, leads_to)
    steps.sign_in(request, person, steps.PASSKEY)
    return go_on(request, person, leads_to)


def sign_in_page(request: HttpRequest, refusal: ServiceError, leads_to: str) -> HttpResponse:
    """The sign-in page once more, saying why another way than a password did not work."""
    page = SignIn()
    page.setup(request)
    context = page.get_context_data(form=CarefulSignInForm(request), refusal=refusal.detail, leads_to=leads_to)
    context["app_path"] = reverse("admin:login")
    return page.render_to_response(context, status=200 if isinstance(refusal, PasskeyRefused) else refusal.status)


def go_on(request: HttpRequest, person: Person, leads_to: str) -> HttpResponse:
    response = redirect(leads_to)
    remember(request, response, person)
    return response


def safe_address(request: HttpRequest, address: str) -> str:
    own = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if own else reverse("admin:index")

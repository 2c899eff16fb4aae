"""The two addresses of signing in with the provider: out, and back. What goes wrong stands on the sign-in page."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.errors import NotFound, ServiceError
from config.rate_limits import REQUESTS
from governance.enrolment import has_factor
from governance.models import Person
from governance.reauthentication import forget_proof, prove
from governance.services.identities import is_account_of, person_of_identity
from governance.services.lockouts import client_address, network_of
from governance.sign_in import steps
from governance.sign_in.oidc.flow import Trip, begin, finish
from governance.sign_in.oidc.id_tokens import Claims
from governance.sign_in.oidc.provider import is_configured
from governance.sign_in.pages import go_on, safe_address, sign_in_page


@never_cache
@require_safe
def out(request: HttpRequest) -> HttpResponse:
    """To the provider. By a link, not a form: a form may lead nowhere but here (form-action)."""
    _admit(request)
    leads_to = safe_address(request, request.GET.get(REDIRECT_FIELD_NAME, ""))
    proof = "proof" in request.GET and isinstance(request.user, Person)
    try:
        return redirect(begin(request, leads_to, proof=proof))
    except ServiceError as refusal:
        return _proof_page(request, refusal.detail) if proof else sign_in_page(request, refusal, leads_to)


@never_cache
@require_safe
def back(request: HttpRequest) -> HttpResponse:
    """From the provider: as one factor, unless it says that it asked for two. Ours is asked for next."""
    _admit(request)
    try:
        claims, trip = finish(request)
        if trip.is_proof:
            return _proven(request, claims, trip)
        found = person_of_identity(claims)
    except ServiceError as refusal:
        return sign_in_page(request, refusal, "")
    person, needs_link = found.person, found.link is not None
    if has_factor(person) and (needs_link or not claims.two_factors):
        steps.wait_for_factor(request, person, trip.leads_to, first=steps.PROVIDER, link=found.link)
        return redirect("admin:second_factor")
    steps.sign_in(request, person, steps.PROVIDER)
    if has_factor(person) or not claims.was_asked_since(trip.began_at):
        forget_proof(request)
    return go_on(request, person, trip.leads_to)


def _proven(request: HttpRequest, claims: Claims, trip: Trip) -> HttpResponse:
    """Back to prove again who is signed in: the same account, asked for anew, of somebody who has no factor here."""
    person = request.user
    if not isinstance(person, Person) or has_factor(person) or not is_account_of(person, claims):
        return _proof_page(request, "That was not the account that you are signed in with here.")
    if not claims.was_asked_since(trip.began_at):
        return _proof_page(request, f"{settings.OIDC_NAME} did not ask you again who you are, so nothing was proven.")
    prove(request)
    return _proof_page(request)


def _proof_page(request: HttpRequest, refusal: str = "") -> HttpResponse:
    context = admin.site.each_context(request) | {
        "title": "It is you" if not refusal else "Is it you?",
        "refusal": refusal,
    }
    return TemplateResponse(request, "governance/sign_in/proven.html", context, status=403 if refusal else 200)


def _admit(request: HttpRequest) -> None:
    if not is_configured():
        raise NotFound()
    # not by the address of the proxy: one flood would keep everybody from the provider
    REQUESTS.take(("address", network_of(client_address(request)))).refuse()

"""One's own page: second factors, recovery codes, where one is signed in, personal tokens."""

import base64
import json
import uuid
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config.errors import InvalidInput, ServiceError
from governance.admin.pages import actor_of, person_of
from governance.enrolment import has_factor, must_enrol
from governance.errors import FactorNotFound
from governance.models import Passkey, Person, PersonToken, RecoveryCode, TotpFactor
from governance.reauthentication import factor_asked, proven_at
from governance.services.factors import (
    enrol_passkey,
    enrol_totp,
    make_recovery_codes,
    remove_factor,
    rename_passkey,
)
from governance.services.sessions import end_other_sessions, end_own_session
from governance.services.tokens import create_token, revoke_token
from governance.sessions import end_sessions, sessions_of
from governance.sign_in import totp
from governance.sign_in.passkeys import registration_options, verified_registration
from governance.sign_in.secrets import open_secret, seal_secret

CANDIDATE = "totp_candidate"
KINDS: dict[str, type[Passkey] | type[TotpFactor]] = {"passkey": Passkey, "app": TotpFactor}
HOURS = {1: "1 hour", 8: "8 hours", 24: "1 day", 168: "7 days", 720: "30 days"}


class TokenForm(forms.Form):
    """What a token is for, and how long it lasts."""

    name = forms.CharField(
        label="What it is for", max_length=100, widget=UnfoldAdminTextInputWidget({"autocomplete": "off"})
    )
    hours = forms.TypedChoiceField(
        label="How long it lasts", choices=list(HOURS.items()), initial=8, coerce=int, widget=UnfoldAdminSelectWidget
    )


@never_cache
def own_page(request: HttpRequest) -> HttpResponseBase:
    """All of it, on one page."""
    return _own_page(request, TokenForm())


@never_cache
@require_POST
@factor_asked
def add_app(request: HttpRequest) -> HttpResponseBase:
    """Show the picture and the secret; then take the first code."""
    person, code = person_of(request), request.POST.get("code")
    secret = _candidate(request, person) if code else None
    if secret is None:
        return _app_page(request, person, _new_candidate(request, person))
    is_first = not has_factor(person)
    try:
        enrol_totp(actor=actor_of(request), secret=secret, code=code or "")
    except InvalidInput as refusal:
        return _app_page(request, person, secret, refusal.detail)
    request.session.pop(CANDIDATE, None)
    return _enrolled(request, is_first, "The authenticator app is your second factor from now on.")


@never_cache
@require_POST
@factor_asked
def add_passkey(request: HttpRequest) -> HttpResponseBase:
    """Ask the browser for a new passkey; then keep its public half."""
    person, credential, refusal = person_of(request), request.POST.get("credential"), ""
    if credential:
        is_first = not has_factor(person)
        try:
            found = verified_registration(request, credential)
            enrol_passkey(actor=actor_of(request), name=request.POST.get("name", ""), credential=found)
        except (ServiceError, ValidationError) as error:
            refusal = error.detail if isinstance(error, ServiceError) else " ".join(error.messages)
        else:
            return _enrolled(request, is_first, "You can sign in with this passkey from now on, without a password.")
    options = json.dumps(registration_options(request, person))
    said = {"options": options, "refusal": refusal, "name": request.POST.get("name", "")}
    return _page(request, "governance/sign_in/add_passkey.html", "Add a passkey", said)


@never_cache
@require_POST
@factor_asked
def remove(request: HttpRequest, kind: str, factor_id: uuid.UUID) -> HttpResponseBase:
    """Remove a factor of one's own."""
    if kind not in KINDS:
        raise FactorNotFound()
    return _carried_out(
        request,
        lambda: remove_factor(actor=actor_of(request), kind=KINDS[kind], factor_id=factor_id),
        "It opens nothing any more.",
    )


@require_POST
def rename(request: HttpRequest, passkey_id: uuid.UUID) -> HttpResponseBase:
    """Give a passkey another name."""
    name = request.POST.get("name", "")
    return _carried_out(
        request, lambda: rename_passkey(actor=actor_of(request), passkey_id=passkey_id, name=name), "Renamed."
    )


@never_cache
@require_POST
@factor_asked
def new_codes(request: HttpRequest) -> HttpResponseBase:
    """Make new recovery codes and show them once."""
    if not has_factor(person_of(request)):
        messages.error(request, "Add a second factor first: recovery codes stand in for it.")
        return redirect("admin:your_sign_in")
    return _codes_page(request)


@require_POST
def sign_out(request: HttpRequest, handle: str) -> HttpResponseBase:
    """End one session of one's own, or all others."""
    actor = actor_of(request)
    if handle == "others":
        ended = end_other_sessions(actor=actor, but=request.session.session_key)
    else:
        ended = end_own_session(actor=actor, handle=handle)
    messages.success(request, f"{ended} signed out." if ended else "That one had ended already.")
    return redirect("admin:your_sign_in")


@never_cache
@require_POST
@factor_asked
@sensitive_variables()
def new_token(request: HttpRequest) -> HttpResponseBase:
    """Make a personal token and show it once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _own_page(request, form, status=422)
    life, proven = timedelta(hours=form.cleaned_data["hours"]), proven_at(request)
    assert proven is not None  # `factor_asked` has seen to it
    try:
        made = create_token(actor=actor_of(request), name=form.cleaned_data["name"], proven_at=proven, life=life)
    except ServiceError as refusal:
        form.add_error(None, refusal.detail)
        return _own_page(request, form, status=422)
    return _page(request, "governance/sign_in/token.html", "Your new token", {"text": made.text, "token": made.row})


@require_POST
def end_token(request: HttpRequest, token_id: uuid.UUID) -> HttpResponseBase:
    """Revoke a token of one's own."""
    return _carried_out(
        request, lambda: revoke_token(actor=actor_of(request), token_id=token_id), "It is refused from now on."
    )


def _own_page(request: HttpRequest, form: TokenForm, status: int = 200) -> HttpResponse:
    person = person_of(request)
    tokens = PersonToken.objects.filter(person=person, revoked_at=None, expires_at__gt=timezone.now())
    context = {
        "person": person,
        "must_enrol": must_enrol(person),
        "has_factor": has_factor(person),
        "app": TotpFactor.objects.filter(person=person, removed_at=None).first(),
        "passkeys": Passkey.objects.filter(person=person, removed_at=None),
        "codes_left": RecoveryCode.objects.filter(person=person, used_at=None).count(),
        "sessions": sessions_of(person, request.session.session_key),
        "tokens": tokens,
        "form": form,
    }
    return _page(request, "governance/sign_in/own.html", "Your sign-in", context, status)


def _carried_out(request: HttpRequest, carry_out: Any, done: str) -> HttpResponse:
    try:
        carry_out()
    except ServiceError as refusal:
        messages.error(request, refusal.detail)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        messages.success(request, done)
    return redirect("admin:your_sign_in")


def _enrolled(request: HttpRequest, is_first: bool, done: str) -> HttpResponse:
    if is_first:  # whoever else is signed in came by the password alone
        end_sessions(person_of(request), but=request.session.session_key)
    messages.success(request, done)
    if RecoveryCode.objects.filter(person=person_of(request), used_at=None).exists():
        return redirect("admin:your_sign_in")
    return _codes_page(request)


@sensitive_variables()
def _codes_page(request: HttpRequest) -> HttpResponse:
    codes = make_recovery_codes(actor=actor_of(request))
    return _page(request, "governance/sign_in/codes.html", "Recovery codes", {"codes": codes})


@sensitive_variables()
def _app_page(request: HttpRequest, person: Person, secret: str, refusal: str = "") -> HttpResponse:
    uri = totp.enrolment_uri(secret, person.email or "")
    said = {"picture": totp.picture(uri), "secret": totp.in_groups(secret), "refusal": refusal}
    return _page(request, "governance/sign_in/add_app.html", "Add an authenticator app", said)


def _new_candidate(request: HttpRequest, person: Person) -> str:
    """Kept in the session until the first code has shown that the app knows it; encrypted, as later in its row."""
    secret = totp.new_secret()
    sealed = seal_secret(secret.encode(), f"candidate {person.pk}")
    request.session[CANDIDATE] = base64.b64encode(sealed).decode()
    return secret


def _candidate(request: HttpRequest, person: Person) -> str | None:
    sealed = request.session.get(CANDIDATE)
    return open_secret(base64.b64decode(sealed), f"candidate {person.pk}").decode() if sealed else None


def _page(
    request: HttpRequest, template: str, title: str, context: dict[str, Any], status: int = 200
) -> TemplateResponse:
    frame = admin.site.each_context(request) | {"title": title} | context
    response = TemplateResponse(request, template, frame, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response

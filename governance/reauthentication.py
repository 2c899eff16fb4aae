"""Proving again that it is you, before an act that could do harm in the wrong hands.

    if request.method == "POST" and (asking := interruption(request)):
        return asking

The act is interrupted by a page that asks for a factor and carries along what was typed: the answer to it is the same
request again, with the proof beside it, and goes through. Nothing is stored meanwhile. `factor_asked` does this for a
whole view. A proof counts for ten minutes. A stop never asks.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.hashers import check_password
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from config.errors import ServiceError
from governance.enrolment import has_factor, has_passkey, takes_codes
from governance.errors import CodeRefused, FactorNotFresh
from governance.freshness import is_fresh
from governance.models import Person
from governance.services.factors import use_code
from governance.services.lockouts import admit_factor, forgive
from governance.sign_in.oidc.provider import is_configured
from governance.sign_in.presenting import present_passkey

PROVEN_AT = "factor_proven_at"
ASKED, CODE, PASSWORD, PASSKEY = "proof", "proof_code", "proof_password", "proof_passkey"
PASSWORDS = frozenset({"old_password", "new_password1", "new_password2"})
NOT_CARRIED = frozenset({ASKED, CODE, PASSWORD, PASSKEY, "csrfmiddlewaretoken"}) | PASSWORDS

View = Callable[..., HttpResponseBase]


def prove(request: HttpRequest) -> None:
    """A factor was proven in this session, now."""
    request.session[PROVEN_AT] = timezone.now().timestamp()


def forget_proof(request: HttpRequest) -> None:
    """Whoever signed in proved something elsewhere: the next act that asks, asks for a factor of ours."""
    request.session.pop(PROVEN_AT, None)


def proven_at(request: HttpRequest) -> datetime | None:
    """When a factor was last proven in this session."""
    at = request.session.get(PROVEN_AT)
    return datetime.fromtimestamp(at, UTC) if at else None


def recently_proven(request: HttpRequest) -> bool:
    """Whether a factor was proven within the last ten minutes."""
    return is_fresh(proven_at(request))


def interruption(request: HttpRequest) -> HttpResponse | None:
    """The page that asks for a factor; None where one was proven recently, or is proven by this very request."""
    if recently_proven(request):
        return None
    if not isinstance(request.user, Person):
        raise FactorNotFresh()
    refusal = _answer(request, request.user) if ASKED in request.POST else ""
    return None if refusal is None else _page(request, request.user, refusal)


def factor_asked(view: View) -> View:
    """A view whose POST asks for a recently proven factor."""

    @wraps(view)
    def asking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and (page := interruption(request)):
            return page
        return view(request, *args, **kwargs)

    return asking


@sensitive_variables()
def _answer(request: HttpRequest, person: Person) -> str | None:
    """None where the factor was right; else what is wrong, in words."""
    try:
        _check(request, person)
    except ServiceError as refusal:
        return refusal.detail
    prove(request)
    return None


@sensitive_variables()
def _check(request: HttpRequest, person: Person) -> None:
    """Errors: `CodeRefused`, `PasskeyRefused`, `SignInLocked`, `FactorNeeded`."""
    if credential := request.POST.get(PASSKEY):
        present_passkey(request, credential, of=person)
        return
    if _takes_provider(person):
        raise CodeRefused(f"Sign in again with {settings.OIDC_NAME} first, by the link above.")
    attempt = admit_factor(person)
    if has_factor(person):
        use_code(person=person, code=request.POST.get(CODE, ""))
    elif not check_password(request.POST.get(PASSWORD, ""), person.password):
        raise CodeRefused("That password is not right.")
    forgive(attempt)


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What the person had sent, to be sent again with the proof."""
    lists = request.POST.lists()
    return [(name, str(value)) for name, values in lists if name not in NOT_CARRIED for value in values]


def _takes_provider(person: Person) -> bool:
    """Whether there is nothing of theirs here to ask for, and the provider can be asked."""
    return is_configured() and not has_factor(person) and not person.has_usable_password()


def _page(request: HttpRequest, person: Person, refusal: str) -> HttpResponse:
    takes_password = not has_factor(person) and person.has_usable_password()
    takes_provider = _takes_provider(person)
    context = admin.site.each_context(request) | {
        "title": "Is it you?",
        "refusal": refusal,
        "carried": _typed(request),
        "takes_password": takes_password,
        "takes_code": has_factor(person) and takes_codes(person),
        "takes_nothing": not (has_factor(person) or takes_password or takes_provider),
        "takes_provider": settings.OIDC_NAME if takes_provider else "",
        "takes_passkey": has_passkey(person),
    }
    response = TemplateResponse(request, "governance/sign_in/prove.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response

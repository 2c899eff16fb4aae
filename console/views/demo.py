"""Who one can sign in as in a demonstration. Anywhere else there is no such page."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from console.demo.cast import EVERYBODY
from console.demo.loading import NotADemonstration, stored


@never_cache
@require_safe
def logins(request: HttpRequest) -> HttpResponse:
    """The made-up people, what each may do, and their one password: the terminal that shows it may be far away."""
    if not settings.DEMO:
        raise Http404
    try:
        password = stored().password
    except NotADemonstration as refusal:
        raise Http404 from refusal
    return render(request, "console/demo_logins.html", {"people": EVERYBODY, "password": password})

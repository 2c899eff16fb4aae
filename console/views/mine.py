"""One's own page: what I answer for, what waits for me."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.models import Clock
from config.days import today
from console.mine import answered_for, other_roles, waits_for
from console.pages import page, show, viewer
from governance import rights


@page
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    person = viewer(request)
    return show(
        request,
        "mine.html",
        title="My work",
        waiting=waits_for(person),
        answered=answered_for(person),
        others=other_roles(person),
        held=rights.held_by(person),
        back="mine",
        now=timezone.now(),
        today=today(),
        clock_words=dict(Clock.choices),
    )

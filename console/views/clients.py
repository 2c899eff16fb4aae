"""The page of clients: which would hear a stop, and which ask for flags that are not there."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.pages import page, show, viewer
from console.switchboard.clients import client_states, missing_flags
from governance.rights import held_by


@page
@require_safe
def clients(request: HttpRequest) -> HttpResponse:
    """Every instance that was heard within a day, and every flag that was asked for in vain."""
    touched = held_by(viewer(request)).systems_touched()
    states = client_states(touched)
    return show(
        request,
        "switchboard/clients.html",
        title="Clients",
        states=states,
        flags=missing_flags(touched),
        well=sum(each.armed.state == "armed" for each in states),
    )

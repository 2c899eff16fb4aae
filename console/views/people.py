"""People proposed to whoever types a name where one is to be chosen."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from config.errors import Forbidden
from console.pages import page, viewer
from console.people_field import suggested
from governance import rights
from governance.acts import Act

LONGEST = 100


@page
@require_POST
def suggested_people(request: HttpRequest) -> JsonResponse:
    """Asked by sending: what is typed of a name stands in no address, so in no log of a server either."""
    if not rights.can_anywhere(viewer(request), Act.PEOPLE_VIEW):
        raise Forbidden()
    found = suggested(request.POST.get("q", "")[:LONGEST])
    return JsonResponse({"people": [{"name": each.name, "email": each.email} for each in found]})

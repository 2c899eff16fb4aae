"""Who answers for what: AI systems by roles, with the gaps in red."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.banners import missing_people
from console.pages import page, show, viewer
from console.register import MATRIX_ROLES, matrix, visible_systems
from governance.models import AISystem, Assignment


@page
@require_safe
def accountability(request: HttpRequest) -> HttpResponse:
    person = viewer(request)
    rows = matrix(list(visible_systems(person).exclude(status=AISystem.Status.RETIRED)))
    mine = Assignment.objects.filter(person=person, status=Assignment.Status.OFFERED).select_related("system")
    return show(
        request,
        "accountability.html",
        title="Accountability",
        more=missing_people(),
        rows=rows,
        roles=MATRIX_ROLES,
        gaps=sum(row.has_gap for row in rows),
        mine=list(mine),
    )

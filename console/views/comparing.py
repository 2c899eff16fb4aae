"""Two decisions side by side."""

import uuid
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from audit.selectors import SealedDecision
from audit.services.disclosure import may_read_payload
from config.errors import FieldProblem, InvalidInput
from console.cards.showing import shown_difference
from console.comparing_words import shown_sections
from console.pages import page, show, viewer
from console.parts import TITLES
from console.views.decision import given_to, visible
from evidence.comparisons import ComparedPart, compare_decisions, compare_payloads, is_identical
from governance import rights
from governance.acts import Act
from governance.models import AISystem
from governance.rights import as_actor
from governance.scopes import Scope


@page
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """What differs between two decisions that may both be seen. Shows nothing of the payloads."""
    return _page(request, *_two(request))


@page
@require_POST
def compare_inside(request: HttpRequest) -> HttpResponse:
    """The same with the payloads: a look at both, which is sealed for both."""
    one, other = _two(request)
    given = (given_to(request, one.id), given_to(request, other.id))
    parts = compare_payloads(actor=as_actor(viewer(request)), one=one, other=other, given=given)
    return _page(request, one, other, parts=parts)


def _two(request: HttpRequest) -> tuple[SealedDecision, SealedDecision]:
    asked = [text.strip() for text in request.GET.getlist("decision") if text.strip()]
    ids = [_id(text) for text in dict.fromkeys(asked)]
    if len(ids) != 2 or None in ids:
        detail = "Choose two different decisions in the list, or give the id of the other one."
        raise InvalidInput(errors=[FieldProblem(pointer="/decision", detail=detail)])
    one, other = (visible(request, each) for each in ids if each)
    return one, other


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _page(
    request: HttpRequest, one: SealedDecision, other: SealedDecision, *, parts: list[ComparedPart] | None = None
) -> HttpResponse:
    actor, compared = as_actor(viewer(request)), compare_decisions(one, other)
    if not all(rights.can(actor, Act.SYSTEM_VIEW, Scope.system(each.system_id)) for each in (one, other)):
        compared = replace(compared, configuration=None)
    may_read = all(may_read_payload(actor, each, given_to(request, each.id)) for each in (one, other))
    names = AISystem.objects.in_bulk({one.system_id, other.system_id})
    context: dict[str, Any] = {
        "two": [(each, names.get(each.system_id)) for each in (one, other)],
        "question": f"decision={one.id}&decision={other.id}",
        "turned": f"decision={other.id}&decision={one.id}",
        "compared": compared,
        "sections": shown_sections(compared, one, other),
        "cards": [shown_difference(each) for each in compared.cards],
        "parts": None if parts is None else [(TITLES[part.name], part) for part in parts],
        "is_identical": parts is not None and is_identical(compared, parts),
        "may_read": may_read,
    }
    return show(request, "decisions/compare.html", title="Two decisions", **context)

"""One AI system's switches with all narrower places, and the history of one switch."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.pages import page, show, viewer
from console.switchboard import words
from console.switchboard.board import Card, card_of
from console.switchboard.histories import lines_of, picture_of, times_to_all
from console.switchboard.names import names_of
from console.switchboard.places import Place, place_of
from console.switchboard.radius import who_can
from console.switchboard.sight import Sight
from governance import rights
from governance.acts import Act
from governance.errors import SystemNotFound
from governance.models import ModelVersion, Person
from overrides import switch_selectors as selectors
from overrides.errors import SwitchNotFound
from overrides.models import LooseningRequest, Switch
from overrides.services.changing import scope_of
from overrides.services.loosening import awaits_review
from overrides.standing import Mode, Node

SHOWN_VERSIONS = 20
SHOWN_REQUESTS = 20


@page
@require_safe
def places(request: HttpRequest, system_id: uuid.UUID) -> HttpResponse:
    """An AI system and what is narrower: environments, versions, capabilities, each with its stop."""
    card = card_of(viewer(request), system_id)
    if card is None:
        raise SystemNotFound()
    return show(
        request,
        "switchboard/places.html",
        title=str(card.system),
        card=card,
        lines=_lines(viewer(request), card),
        modes=[(mode, words.MODES[mode]) for mode in (Mode.STOP, Mode.FALLBACK, Mode.REVIEW)],
    )


def _lines(person: Person, card: Card) -> list[dict[str, Any]]:
    """Each place that is known, with the mode in force there and whether whoever looks may stop it."""
    control = selectors.standing_control([card.system.pk])
    return [_line(person, card, node, word, control) for node, word in _nodes(person, card)]


def _line(person: Person, card: Card, node: Node, word: str, control: Any) -> dict[str, Any]:
    mode = selectors.mode_at(control, node)
    may = card.may.tighten or rights.can(person, Act.SWITCH_TIGHTEN, scope_of(node))
    place = Place(node=node, system=card.system)
    return {"place": place, "kind": word, "mode": mode, "words": words.MODES[mode], "may_tighten": may}


def _nodes(person: Person, card: Card) -> list[tuple[Node, str]]:
    system_id = card.system.pk
    versions = ModelVersion.objects.filter(system=card.system).exclude(status=ModelVersion.Status.RETIRED)
    return [
        *((Node(system_id=system_id, environment=each), "Environment") for each in card.environments),
        *(
            (Node(system_id=system_id, model_version=each), "Model version")
            for each in versions.order_by("-id").values_list("version", flat=True)[:SHOWN_VERSIONS]
        ),
        *((Node(system_id=system_id, capability=each), "Capability") for each in _capabilities(person, card)),
    ]


def _capabilities(person: Person, card: Card) -> list[str]:
    """Those that somebody has named: in a switch, or in an assignment of whoever looks."""
    named = {each.place.node.capability for each in card.parts}
    held = rights.held_by(person).roles
    named |= {scope.capability for _, scope in held if scope.system_id == card.system.pk}
    known = Switch.objects.filter(system_id=card.system.pk).exclude(capability="")
    return sorted((named | set(known.values_list("capability", flat=True))) - {""})


# --- one switch -------------------------------------------------------------------------------------------------------
@page
@require_safe
def switch(request: HttpRequest, switch_id: uuid.UUID) -> HttpResponse:
    """A switch: what it says, who can release it, and all its changes."""
    found = visible_switch(request, switch_id)
    changes = selectors.changes_of(found)
    names = names_of([(found.changed_by_type, found.changed_by_id), *((c.actor_type, c.actor_id) for c in changes)])
    lines = lines_of(changes, names)
    scope = scope_of(found.node)
    return show(
        request,
        "switchboard/switch.html",
        title="Switch",
        switch=found,
        place=place_of(found.node),
        mode=mode_of(found),
        words=words.MODES[mode_of(found)],
        reason=words.reason(found.reason_code),
        by=names[found.changed_by_type, found.changed_by_id],
        way=words.WAYS.get(found.source, found.source),
        lines=lines,
        to_all=times_to_all(lines),
        picture=picture_of(found, changes),
        requests=_requests(found),
        people=who_can(Act.SWITCH_LOOSEN, scope),
        may_tighten=rights.can(viewer(request), Act.SWITCH_TIGHTEN, scope),
        **releasing(viewer(request), found),
    )


def visible_switch(request: HttpRequest, switch_id: uuid.UUID) -> Switch:
    """Errors: `SwitchNotFound`, also for what one may not see."""
    found = Switch.objects.filter(pk=switch_id).first()
    if found is None or not Sight.of(viewer(request), found).is_there:
        raise SwitchNotFound()
    return found


def mode_of(found: Switch) -> Mode:
    """What it says now: an emergency clear that is over says stop, swept or not."""
    control = selectors.control_of([found])
    states = (
        (*control.everywhere, *control.by_system.get(found.system_id, ())) if found.system_id else control.everywhere
    )
    return next((each.mode for each in states), Mode.RUN)


def releasing(person: Person, found: Switch) -> dict[str, Any]:
    """The ways back that are open to whoever looks."""
    scope = scope_of(found.node)
    is_tight = found.mode != Mode.RUN
    request = selectors.open_loosenings([found]).get(found.pk)
    can_clear = found.mode == Mode.STOP and found.system_id is not None and not awaits_review(found)
    return {
        "open_request": request,
        "may_loosen": is_tight and request is None and rights.can(person, Act.SWITCH_LOOSEN, scope),
        "may_clear": can_clear and rights.can(person, Act.SWITCH_EMERGENCY_CLEAR, scope),
    }


def _requests(found: Switch) -> list[dict[str, Any]]:
    rows = list(LooseningRequest.objects.filter(switch=found).order_by("-id")[:SHOWN_REQUESTS])
    names = names_of(
        [
            *(("person", r.requested_by_id) for r in rows),
            *(("person", r.decided_by_id) for r in rows if r.decided_by_id),
        ]
    )
    return [_request_line(each, names) for each in rows]


def _request_line(each: LooseningRequest, names: Any) -> dict[str, Any]:
    status, tone = words.REQUEST_STATUS[each.status]
    return {
        "request": each,
        "words": words.MODES[Mode(each.mode)],
        "status": status,
        "tone": tone,
        "by": names["person", each.requested_by_id],
        "decided_by": names.get(("person", each.decided_by_id), ""),
        "reason": words.reason(each.reason_code),
    }

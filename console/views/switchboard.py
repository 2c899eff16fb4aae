"""The switchboard: what is in force, and the pages that stop and tighten. Of decisions it asks only their tallies."""

import hashlib
import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from config.errors import FieldProblem, Forbidden
from console.pages import page, show, viewer
from console.switchboard import words
from console.switchboard.answers import SHOWN_CLIENTS, Answer, Times, client_lines, times_of
from console.switchboard.board import board_of
from console.switchboard.clients import unknown_flags
from console.switchboard.forms import TightenForm
from console.switchboard.names import names_of
from console.switchboard.places import node_of, place_of
from console.switchboard.radius import lacks_fallback, radius_of, review_load
from console.switchboard.sight import Sight
from governance import rights
from governance.acts import Act
from governance.models import AISystem, Person
from governance.rights import held_by
from overrides import switch_selectors as selectors
from overrides.errors import ChangeNotFound
from overrides.models import Switch, SwitchChange
from overrides.services.changing import require_place, scope_of
from overrides.services.switches import tighten
from overrides.standing import Epoch, InFlight, Mode, Node

TIGHTER = [mode for mode in Mode if mode is not Mode.RUN]


@page
@require_safe
def switchboard(request: HttpRequest) -> HttpResponse:
    """All that one may see. Its live part is asked for again every second."""
    asked, person = request.GET.get("q", "").strip()[:100], viewer(request)
    return show(
        request,
        "switchboard/board.html",
        title="Switchboard",
        board=board_of(person, asked),
        missing_flags=unknown_flags(held_by(person).systems_touched()).count(),
        asked=asked,
        live=_live_address("admin:switchboard_live", asked),
        now=timezone.now(),
    )


def _live_address(name: str, asked: str) -> str:
    return reverse(name) + (f"?{urlencode({'q': asked})}" if asked else "")


@page
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The live part of the board; 304 while nothing is different."""
    asked = request.GET.get("q", "").strip()[:100]
    board = board_of(viewer(request), asked)
    etag = f'"{board.fingerprint}"'
    if _holds(request, etag):
        return _tagged(HttpResponse(status=304), etag)
    return _tagged(render(request, "console/switchboard/live.html", {"board": board, "asked": asked}), etag)


def _holds(request: HttpRequest, etag: str) -> bool:
    return request.headers.get("If-None-Match", "").removeprefix("W/") == etag


def _tagged(answer: HttpResponse, etag: str) -> HttpResponse:
    answer.headers["ETag"], answer.headers["Cache-Control"] = etag, "private, no-cache"
    return answer


# --- stopping ---------------------------------------------------------------------------------------------------------
@page
@require_http_methods(["GET", "HEAD", "POST"])
def tighten_page(request: HttpRequest) -> HttpResponse:
    """The one confirmation: what would be touched, and a button for each reason. Pressing one is the act."""
    person, node, mode = viewer(request), node_of(request.GET.dict()), _mode(request)
    rights.require(person, Act.SWITCH_TIGHTEN, scope_of(node))
    require_place(node)
    form = TightenForm(request.POST or None)
    if form.is_bound and form.is_valid():
        return _tighten(request, node, mode, form.cleaned_data)
    return show(
        request, "switchboard/confirm.html", title=words.MODES[mode].act, form=form, **_before(person, node, mode)
    )


def _mode(request: HttpRequest) -> Mode:
    """Errors: `Forbidden` for what cannot be set here."""
    asked = request.GET.get("mode", Mode.STOP.value)
    if asked not in TIGHTER:
        raise Forbidden(
            "One person sets a switch stricter, never looser.", errors=[FieldProblem(pointer="/mode", detail="")]
        )
    return Mode(asked)


def _before(person: Person, node: Node, mode: Mode) -> dict[str, Any]:
    place = place_of(node)
    return {
        "place": place,
        "mode": mode,
        "words": words.MODES[mode],
        "radius": radius_of(place),
        "load": review_load(node) if mode is Mode.REVIEW else None,
        "lacks_fallback": lacks_fallback(node, mode),
        "reasons": words.TIGHTEN_REASONS.items(),
        "switch": _switch_at(node),
        "others": [(each, words.MODES[each]) for each in TIGHTER if each is not mode],
        "changed": _own_epoch(node),
    }


def _switch_at(node: Node) -> Switch | None:
    return Switch.objects.filter(
        system_id=node.system_id,
        environment=node.environment,
        model_version=node.model_version,
        capability=node.capability,
    ).first()


def _own_epoch(node: Node) -> Epoch:
    """The last change that touches this place: what somebody who looks at the page has seen."""
    switches = selectors.switches_of([node.system_id] if node.system_id else None)
    return max((each.epoch for each in switches), default=Epoch(0, 0))


def _tighten(request: HttpRequest, node: Node, mode: Mode, given: dict[str, Any]) -> HttpResponse:
    done = tighten(
        actor=rights.as_actor(viewer(request)),
        node=node,
        mode=mode,
        reason_code=given["reason_code"],
        in_flight=InFlight(given["in_flight"]),
        note=given["note"],
        source="page",
    )
    told = {"seen": request.POST.get("epoch", "")} | ({} if done.is_new else {"already": "1"})
    return redirect(f"{reverse('admin:switchboard_change', args=[done.change.pk])}?{urlencode(told)}")


# --- one change -------------------------------------------------------------------------------------------------------
@page
@require_safe
def change(request: HttpRequest, change_id: uuid.UUID) -> HttpResponse:
    """What became of a change: who confirmed it, live; and what to do now."""
    found, sight = _visible_change(request, change_id)
    seen = Epoch.parse(request.GET.get("seen", ""))
    return show(
        request,
        "switchboard/change.html",
        title="Confirmation",
        live=reverse("admin:switchboard_change_live", args=[found.pk]),
        already="already" in request.GET,
        meanwhile=_meanwhile(found, seen),
        procedures=sight.reached(),
        now=timezone.now(),
        **_told(found, sight),
    )


@page
@require_safe
def change_live(request: HttpRequest, change_id: uuid.UUID) -> HttpResponse:
    """The live part of a change's page."""
    answer = render(request, "console/switchboard/change_live.html", _told(*_visible_change(request, change_id)))
    etag = f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
    return _tagged(HttpResponse(status=304) if _holds(request, etag) else answer, etag)


def _visible_change(request: HttpRequest, change_id: uuid.UUID) -> tuple[SwitchChange, Sight]:
    found = SwitchChange.objects.select_related("switch").filter(pk=change_id).first()
    sight = Sight.of(viewer(request), found.switch) if found else None
    if found is None or sight is None or not sight.is_there:
        raise ChangeNotFound()
    return found, sight


def _told(found: SwitchChange, sight: Sight) -> dict[str, Any]:
    """The figures count all clients; listed are those that whoever looks may know of."""
    confirmation = selectors.confirmations_of([found])[found.pk]
    shown = sight.within(confirmation)
    lines = client_lines(shown, _system_names(found))
    accounts = (*shown.ungoverned, *shown.reading)
    names = names_of([(found.actor_type, found.actor_id), *(("service", each) for each in accounts)])
    return {
        "change": found,
        "switch": found.switch,
        "place": place_of(found.switch.node),
        "words": words.MODES[Mode(found.to_mode)],
        "before": words.MODES[Mode(found.from_mode)],
        "by": names[found.actor_type, found.actor_id],
        "way": words.WAYS.get(found.source, found.source),
        "reason": words.reason(found.reason_code),
        "in_flight": words.IN_FLIGHT.get(found.in_flight, found.in_flight),
        "answer": Answer(confirmation),
        "lines": lines[:SHOWN_CLIENTS],
        "times": [(word, each) for word, each in times_of(lines) if _has_any(each)],
        "ungoverned": [names["service", each] for each in shown.ungoverned],
        "reading": [names["service", each] for each in shown.reading],
        "is_replaced": found.switch.epoch != found.epoch,
        "breaches": sight.breaches() if found.switch.epoch == found.epoch else 0,
    }


def _has_any(times: Times) -> bool:
    return bool(times.values)


def _system_names(found: SwitchChange) -> dict[uuid.UUID, str]:
    """Only where a change reaches several."""
    if found.switch.system_id is not None:
        return {}
    return {each.pk: str(each) for each in AISystem.objects.all()}


def _meanwhile(found: SwitchChange, seen: Epoch | None) -> list[tuple[SwitchChange, words.ModeWords, str]]:
    """What others had changed between the page that was looked at and this change."""
    if seen is None:
        return []
    between = selectors.changes_since(found.switch.node, seen, before=found.epoch)
    names = names_of((each.actor_type, each.actor_id) for each in between)
    return [(each, words.MODES[Mode(each.to_mode)], names[each.actor_type, each.actor_id]) for each in between]

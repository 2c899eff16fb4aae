"""The logs: how large, under which root, signed by which key, verified when, and how an outsider verifies them."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from config.errors import Forbidden, ServiceError
from console.ledger_health import LogState, log_states
from console.pages import page, show, viewer
from evidence.anchors import with_known_cosignatures
from evidence.exposure import Exposure, exposures
from governance import rights
from governance.acts import Act
from governance.models import AISystem, Person
from governance.scopes import Scope
from ledger.errors import LogNotFound
from ledger.models import Log
from ledger.selectors import latest_checkpoint, vkeys_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A log with what it takes to verify it. `checkpoint` is empty where this host refuses to sign one."""

    state: LogState
    system: AISystem | None
    vkeys: list[str]
    checkpoint: str
    refusal: str
    exposure: Exposure | None


@page
@require_safe
def log_list(request: HttpRequest) -> HttpResponse:
    states = visible_logs(viewer(request))
    systems = AISystem.objects.in_bulk([state.system_id for state in states if state.system_id])
    logs = Log.objects.in_bulk([state.id for state in states])
    exposed = {each.log_id: each for each in exposures()}
    lines = [_line(state, logs[state.id], systems, exposed.get(state.id)) for state in states]
    return show(request, "logs.html", title="Logs", lines=lines, base_url=settings.BASE_URL)


@page
@require_safe
def checkpoint(request: HttpRequest, log_id: uuid.UUID) -> HttpResponse:
    """The newest signed checkpoint as a file."""
    log = Log.objects.filter(pk=log_id).first()
    if log is None or not may_see(viewer(request), log.system_id):
        raise LogNotFound()
    headers = {"Content-Disposition": f'attachment; filename="{log_id}.checkpoint"', "Cache-Control": "no-store"}
    return HttpResponse(latest_checkpoint(log).note, content_type="text/plain; charset=utf-8", headers=headers)


def visible_logs(person: Person) -> list[LogState]:
    """The logs that somebody may see. Errors: `Forbidden` for whoever holds no role."""
    reached = rights.systems_where(person, Act.LEDGER_VIEW)
    if reached is not None and not reached:
        raise Forbidden("The logs are shown to people with a role.")
    return [log for log in log_states() if reached is None or log.system_id is None or log.system_id in reached]


def may_see(person: Person, system_id: uuid.UUID | None) -> bool:
    """Whether somebody may see the log of an AI system, or the registry log."""
    if system_id is None:
        return rights.can_anywhere(person, Act.LEDGER_VIEW)
    return rights.can(person, Act.LEDGER_VIEW, Scope.system(system_id))


def _line(state: LogState, log: Log, systems: dict[uuid.UUID, AISystem], exposure: Exposure | None) -> LogLine:
    note, refusal = "", ""
    try:
        signed = latest_checkpoint(log)
        note = with_known_cosignatures(log, signed.tree_size, signed.note)
    except ServiceError as error:
        refusal = f"{error.title}."
    system = systems.get(state.system_id) if state.system_id else None
    return LogLine(
        state=state,
        system=system,
        vkeys=vkeys_of(log),
        checkpoint=note,
        refusal=refusal,
        exposure=exposure,
    )

"""The logs: how large, under which root, signed by which key, verified when, and how an outsider verifies them."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from config.errors import Forbidden, ServiceError
from console.ledger_health import LogState, log_states
from console.pages import page, show, viewer
from evidence.anchors import with_known_cosignatures
from evidence.exposure import Exposure, exposures
from evidence.log_standing import LostLog, logs_lost_whole
from evidence.verification import Finding
from governance import rights
from governance.acts import Act
from governance.models import AISystem, Person
from governance.scopes import Scope
from ledger.errors import HeadStoreUnavailable, LogNotFound
from ledger.models import Log
from ledger.selectors import latest_checkpoint, vkeys_of

FINDINGS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A log with what it takes to verify it. `checkpoint` is empty where this host refuses to sign one."""

    state: LogState
    system: AISystem | None
    vkeys: list[str]
    checkpoint: str
    refusal: str
    exposure: Exposure | None
    findings: list[str]
    """The first of the self-audit, in words."""


@page
@require_safe
def log_list(request: HttpRequest) -> HttpResponse:
    states = visible_logs(viewer(request))
    systems = AISystem.objects.in_bulk([state.system_id for state in states if state.system_id])
    logs = Log.objects.in_bulk([state.id for state in states])
    exposed = {each.log_id: each for each in exposures()}
    lines = [_line(state, logs[state.id], systems, exposed.get(state.id)) for state in states]
    lost = _visible_lost(viewer(request))
    return show(request, "logs.html", title="Logs", lines=lines, lost=lost, base_url=settings.BASE_URL)


def _visible_lost(person: Person) -> list[LostLog]:
    """Those of AI systems that somebody may see. Where the head store cannot be read, each log says so."""
    reached = rights.systems_where(person, Act.LEDGER_VIEW)
    try:
        lost = logs_lost_whole()
    except HeadStoreUnavailable:
        return []
    return [each for each in lost if reached is None or (each.system and each.system.system_id in reached)]


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
        findings=[_in_words(each) for each in state.findings[:FINDINGS_SHOWN]],
    )


def _in_words(said: dict[str, Any]) -> str:
    """A finding as `verify_logs` prints it; of another version its code."""
    try:
        return str(Finding.from_json(said))
    except ValueError:
        return str(said.get("code", "?"))
